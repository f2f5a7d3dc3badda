//! A request of this dialect that has been read: who asks, about which function, and what it sends.

use axum::extract::{FromRequestParts as _, Request};
use axum::http::HeaderMap;
use bytes::Bytes;
use form_urlencoded::parse;
use tokio::task::spawn_blocking;

use super::error::{Code, FssError};
use super::json::Fields;
use super::routes::{Operation, Places};
use super::urn::{Urn, Which};
use crate::access::Caller;
use crate::http::body;
use crate::model::access::Scope;
use crate::model::names::{FunctionPath, Namespace};
use crate::runtime::Runtime;

/// Entries of one page of functions or versions.
const MAX_ITEMS: usize = 400;

/// A request whose sender may ask for this.
pub(super) struct Call {
    pub(super) runtime: Runtime,
    pub(super) caller: Caller,
    /// The project, which is the namespace.
    pub(super) project: Namespace,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    urn: Option<Urn>,
    kind: Option<String>,
    last: Option<String>,
    query: Vec<(String, String)>,
}

impl Call {
    /// Reads a request. What its sender may not ask for is refused before its body is read.
    pub(super) async fn read(
        runtime: Runtime,
        operation: Operation,
        places: Places,
        request: Request,
    ) -> Result<Self, FssError> {
        let (mut head, body) = request.into_parts();
        let Ok(caller) = Caller::from_request_parts(&mut head, &runtime).await;
        let project = places
            .project
            .parse::<Namespace>()
            .map_err(|error| FssError::parameter(format!("the project of the path is no project: {error}")))?;
        let urn = places.urn.map(|urn| Urn::of_project(&urn, &project)).transpose()?;
        let on = match &urn {
            Some(urn) if !operation.is_about_triggers() => Scope::function(&urn.path),
            Some(_) | None => Scope::Namespace(project.clone()),
        };
        runtime.check(&caller, operation.permission(), &on)?;
        let body = body::read(body, operation.body_limit(), "body").await?;
        let query = parse(head.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        let (headers, kind, last) = (head.headers, places.kind, places.last);
        Ok(Self { runtime, caller, project, headers, body, urn, kind, last, query })
    }

    /// The function that the path names.
    pub(super) fn urn(&self) -> Result<&Urn, FssError> {
        self.urn.as_ref().ok_or_else(|| FssError::new(Code::URN, "the path names no function"))
    }

    /// The function that the path names, where it is its head that is meant: only that can be changed.
    pub(super) fn head(&self) -> Result<&FunctionPath, FssError> {
        let urn = self.urn()?;
        match &urn.which {
            Which::Whole | Which::Latest => Ok(&urn.path),
            Which::Version(_) | Which::Alias(_) => {
                let message = format!("`{urn}` names a version: only `latest` can be changed and published");
                Err(FssError::parameter(message))
            }
        }
    }

    /// Where a list is to begin, and how many of it are asked for: as many as there may be unless told.
    pub(super) fn page(&self) -> Result<(usize, usize), FssError> {
        let marker = usize::try_from(self.asked_number("marker")?.unwrap_or(0)).unwrap_or(usize::MAX);
        let most = self.asked_number("maxitems")?.and_then(|most| usize::try_from(most).ok());
        Ok((marker, most.filter(|most| (1..=MAX_ITEMS).contains(most)).unwrap_or(MAX_ITEMS)))
    }

    /// The type of the trigger that the path names.
    pub(super) fn kind(&self) -> &str {
        self.kind.as_deref().unwrap_or_default()
    }

    /// What the path ends with: the name of an alias, a period, or the id of a trigger.
    pub(super) fn last(&self) -> &str {
        self.last.as_deref().unwrap_or_default()
    }

    /// The members of the body, which must be an object.
    pub(super) fn fields(&self) -> Result<Fields, FssError> {
        Fields::of(&self.body)
    }

    /// The same of a body that may carry code: read on a thread that may take its time.
    pub(super) async fn fields_with_code(&self) -> Result<Fields, FssError> {
        let body = self.body.clone();
        let read = spawn_blocking(move || Fields::of_code(&body)).await;
        read.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    /// What the query says under this name; nothing where that is empty.
    pub(super) fn asked(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(its, _)| its == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A number in the query that is not negative.
    pub(super) fn asked_number(&self, name: &str) -> Result<Option<u64>, FssError> {
        let Some(text) = self.asked(name) else { return Ok(None) };
        let wrong = || FssError::new(Code::QUERY, format!("`{name}` is `{text}`: send a number from 0"));
        text.parse().map(Some).map_err(|_| wrong())
    }

    /// A header as text; nothing where it is none.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}
