//! An answer of a server, and what a test asks of it.

use bytes::Bytes;
use reqwest::header::HeaderMap;
use serde_json::Value;

/// An answer, read to its end.
#[derive(Debug)]
pub(in crate::process) struct Answer {
    pub(in crate::process) status: u16,
    pub(in crate::process) headers: HeaderMap,
    pub(in crate::process) body: Bytes,
}

impl Answer {
    pub(in crate::process) async fn of(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, body: response.bytes().await.unwrap() }
    }

    pub(in crate::process) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub(in crate::process) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The header's text; empty where there is none.
    #[track_caller]
    pub(in crate::process) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Checks the status.
    #[track_caller]
    pub(in crate::process) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// Checks that it is the JSON of a problem with this status and code and returns it.
    #[track_caller]
    pub(in crate::process) fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!((&problem["code"], &problem["status"]), (&Value::from(code), &Value::from(status)), "{problem}");
        assert_eq!(problem["fault"], self.header("tidemill-fault"), "{problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{problem}");
        problem
    }

    /// Checks that it is a refusal that changed nothing, is the caller's fault, and says `part` in its detail.
    #[track_caller]
    pub(in crate::process) fn refusal(&self, status: u16, code: &str, part: &str) -> Value {
        let problem = self.problem(status, code);
        assert_eq!(
            (problem["effect"].as_str(), problem["fault"].as_str()),
            (Some("none"), Some("caller")),
            "{problem}"
        );
        assert!(problem["detail"].as_str().unwrap().contains(part), "`{part}` is not in {problem}");
        problem
    }
}

/// The texts in an array of them.
#[track_caller]
pub(in crate::process) fn texts(array: &Value) -> Vec<&str> {
    array.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

/// The attempts of an invocation: number and kind of error, which is empty where there is none.
#[track_caller]
pub(in crate::process) fn attempts(invocation: &Value) -> Vec<(u64, &str)> {
    let attempts = invocation["attempts"].as_array().unwrap().iter();
    attempts.map(|it| (it["number"].as_u64().unwrap(), it["error"]["kind"].as_str().unwrap_or_default())).collect()
}
