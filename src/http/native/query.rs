//! Reads what stands in the path, the query, the headers and JSON bodies into model values. What does not fit
//! is a 400 that names the place and the value.

use std::fmt::Display;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, Uri};
use serde::de::DeserializeOwned;

use crate::http::problem::Problem;
use crate::model::bounds::{self, within};
use crate::model::names::{FunctionPath, Namespace};
use crate::store::Cursor;

/// What stands in the places of a path. What is no text there is refused as everything else is.
pub(super) struct Path<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = axum::extract::Path::from_request_parts(parts, state).await;
        let refused = |error: axum::extract::rejection::PathRejection| {
            bad("bad_path", format!("`{}` cannot be read: {}", parts.uri.path(), error.body_text()))
        };
        read.map(|axum::extract::Path(places)| Self(places)).map_err(refused)
    }
}

/// What a path in a namespace takes.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Within {
    namespace: Option<String>,
}

/// What a list in a namespace, or of all of them, takes.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    pub(super) namespace: Option<String>,
    pub(super) limit: Option<usize>,
    pub(super) cursor: Option<String>,
}

impl Within {
    /// The namespace that is meant.
    pub(super) fn namespace(&self) -> Result<Namespace, Problem> {
        namespace(self.namespace.as_deref())
    }
}

/// The namespace of that name, or the one that goes without saying.
pub(super) fn namespace(text: Option<&str>) -> Result<Namespace, Problem> {
    Ok(text.map(parsed).transpose()?.unwrap_or_default())
}

/// The query as `T`; unknown names are errors.
pub(super) fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    let parsed = Query::<T>::try_from_uri(uri);
    parsed.map(|Query(parsed)| parsed).map_err(|error| bad("bad_query", format!("the query cannot be read: {error}")))
}

/// A JSON body as `T`; unknown names are errors. What is no object is one too: an array would be read as the values of
/// `T` without their names, in an order that nobody was told.
pub(super) fn json<T: DeserializeOwned>(body: &[u8], what: &str) -> Result<T, Problem> {
    if body.trim_ascii_start().first() == Some(&b'[') {
        return Err(bad("bad_json", format!("the {what} is an array: send an object")));
    }
    serde_json::from_slice(body).map_err(|error| bad("bad_json", format!("the {what} cannot be read: {error}")))
}

/// A function's full name from its parts.
pub(super) fn path(namespace: Option<&str>, name: &str) -> Result<FunctionPath, Problem> {
    Ok(FunctionPath { namespace: self::namespace(namespace)?, name: parsed(name)? })
}

/// A name, an id, a qualifier: anything whose error tells the value.
pub(super) fn parsed<T>(text: &str) -> Result<T, Problem>
where
    T: std::str::FromStr<Err: Display>,
{
    text.parse().map_err(|error| bad("bad_name", format!("{error}")))
}

/// An optional number in a range, or its default.
pub(super) fn limit(limit: Option<usize>) -> Result<usize, Problem> {
    let limit = limit.unwrap_or(bounds::DEFAULT_PAGE);
    let range = *bounds::PAGE.start() as u64..=*bounds::PAGE.end() as u64;
    within("limit", limit as u64, &range).map_err(|error| bad("bad_range", error.to_string()))?;
    Ok(limit)
}

/// A header as text, where there is one.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Problem> {
    let value = headers.get(name).map(|value| value.to_str());
    value.transpose().map_err(|_| bad("bad_header", format!("the header `{name}` has characters that no text has")))
}

/// Where a page goes on, as a client carries it.
pub(super) fn cursor_text(cursor: Cursor) -> String {
    format!("{}.{}", cursor.0.as_ms(), cursor.1)
}

/// Reads what [`cursor_text`] writes.
pub(super) fn cursor(text: &str) -> Result<Cursor, Problem> {
    let parts = text.split_once('.').and_then(|(ms, id)| Some((ms.parse().ok()?, id.parse().ok()?)));
    let (ms, id) = parts.ok_or_else(|| no_cursor(text))?;
    Ok(Cursor(crate::model::time::Timestamp::from_ms(ms), id))
}

/// A cursor that no page gave.
pub(super) fn no_cursor(text: &str) -> Problem {
    bad("bad_cursor", format!("`{text}` is not a cursor: take `next_cursor` as it is"))
}

/// A 400.
pub(super) fn bad(code: &'static str, detail: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, code, detail)
}
