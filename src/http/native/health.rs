//! Is it alive, and should requests be sent here?

use axum::extract::State;
use axum::http::StatusCode;

use crate::http::problem::{Fault, Problem};
use crate::runtime::Runtime;

pub(super) async fn alive() -> &'static str {
    "ok\n"
}

pub(super) async fn ready(State(runtime): State<Runtime>) -> Result<&'static str, Problem> {
    if runtime.is_ready() {
        return Ok("ok\n");
    }
    let detail = "it is shutting down".to_owned();
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", detail).fault(Fault::Platform))
}
