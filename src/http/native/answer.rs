//! What answers of many routes have in common: pages, and how it is said that something is new.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

/// The page that begins with `found`, of which one more was asked for than fits on it; and where the next one goes on, if
/// there is one.
pub(super) fn page<T>(mut found: Vec<T>, limit: usize, place: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
    let goes_on = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| goes_on).map(place);
    (found, next)
}

/// What was set, as it now is.
pub(super) fn set(is_new: bool, shown: impl Serialize) -> Response {
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    (status, Json(shown)).into_response()
}
