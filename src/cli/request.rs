//! A request as a command puts it together: what is to be sent, or what makes that impossible, which is told when it is
//! to be sent.

use std::fmt::Display;

use reqwest::header::HeaderValue;
use reqwest::multipart::Form;
use reqwest::{Body, RequestBuilder};
use serde::Serialize;

use super::error::Error;
use super::output::plain;

/// A request that can be added to.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) builder: Result<RequestBuilder, Error>,
    pub(super) time: Time,
}

/// How long the server may take to begin its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Time {
    /// As long as looking something up or writing it down takes.
    Usual,
    /// As long as it takes, while the server answers others: it runs or compiles what others have written.
    AsItTakes,
}

impl Request {
    pub(super) const fn new(builder: Result<RequestBuilder, Error>) -> Self {
        Self { builder, time: Time::Usual }
    }

    /// The same for what may take its time.
    pub(super) fn taking_its_time(self) -> Self {
        Self { time: Time::AsItTakes, ..self }
    }

    pub(super) fn query<T: Serialize + ?Sized>(self, query: &T) -> Self {
        self.with(|builder| builder.query(query))
    }

    pub(super) fn json<T: Serialize + ?Sized>(self, body: &T) -> Self {
        self.with(|builder| builder.json(body))
    }

    pub(super) fn body(self, body: impl Into<Body>) -> Self {
        self.with(|builder| builder.body(body))
    }

    /// The same with a form. What is sent so is a module, which is compiled before it is answered.
    pub(super) fn multipart(self, form: Form) -> Self {
        self.with(|builder| builder.multipart(form)).taking_its_time()
    }

    pub(super) fn header(self, name: impl AsRef<str> + Display, value: impl AsRef<str>) -> Self {
        let value = value.as_ref();
        if let Ok(header) = HeaderValue::from_str(value) {
            return self.with(|builder| builder.header(name.as_ref(), header));
        }
        let value = plain(value);
        let refused = format!("`{value}` cannot be sent as `{name}`: leave out line ends and other control characters");
        Self { builder: self.builder.and(Err(Error::Usage(refused))), ..self }
    }

    fn with(self, change: impl FnOnce(RequestBuilder) -> RequestBuilder) -> Self {
        Self { builder: self.builder.map(change), ..self }
    }
}
