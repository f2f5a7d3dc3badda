//! The FunctionGraph dialect: `/v2/{project_id}/fgs/...`, for clients that were written for that service. A project is a
//! namespace, a package is the prefix `PACKAGE.` of a function's name, and a function has one URN in all dialects.
//!
//! `routes` is the table of operations: what each is called, what it needs, how much it may be sent. A request becomes a
//! [`Call`], which one function answers; `error` has every code. Only form stands here: what happens is the runtime's.

mod error;
mod json;
mod request;
mod routes;
mod urn;

mod aliases;
mod async_config;
mod code;
mod configuration;
mod destinations;
mod functions;
mod handler;
mod history;
mod invocations;
mod kept;
mod metrics;
mod model;
mod package;
mod quotas;
mod settings;
mod status_log;
mod times;
mod triggers;
mod versions;

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method, Uri};
use axum::response::Response;
use uuid::Uuid;

use super::dialect::Named;
use super::problem::Problem;
use crate::runtime::Runtime;
use error::FssError;
use request::Call;
use routes::{Operation, Route};

/// Which request an answer is to, for people who compare logs.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// What every path of this dialect begins with.
const PREFIX: &str = "/v2/";

/// Characters of what a change is noted to be about: a URN has no more.
const MAX_NOTED: usize = 269;

/// What a handler gives back.
type Answer = Result<Response, FssError>;

/// Whether a request is one of this dialect.
pub(super) fn is_meant(uri: &Uri) -> bool {
    uri.path().starts_with(PREFIX)
}

/// The refusal of a request whose sender is not let in.
pub(super) fn refusal(problem: Problem) -> Response {
    with_id(FssError::from(problem).into_response())
}

/// What a request would change.
pub(super) fn change(method: &Method, uri: &Uri) -> Option<Named> {
    let Route { operation, places } = routes::route(method, uri).ok()?;
    // It is what somebody sent, and may be anything.
    let on = places.urn.unwrap_or(places.project).chars().filter(|c| !c.is_control()).take(MAX_NOTED).collect();
    operation.is_change().then(|| Named { action: routes::action(operation), on })
}

/// Answers a request of this dialect.
pub(super) async fn answer(runtime: Runtime, request: Request) -> Response {
    let answered = handled(runtime, request).await;
    with_id(answered.unwrap_or_else(FssError::into_response))
}

fn with_id(mut response: Response) -> Response {
    if let Ok(id) = HeaderValue::from_str(&Uuid::new_v4().to_string()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

async fn handled(runtime: Runtime, request: Request) -> Answer {
    let Route { operation, places } = routes::route(request.method(), request.uri())?;
    let call = Call::read(runtime.clone(), operation, places, request).await?;
    let answered = if operation.is_change() {
        // Many take several steps, which a client that hangs up must not leave half done.
        runtime.see_through("functiongraph", async move { Box::pin(run(operation, &call)).await }).await?
    } else {
        run(operation, &call).await
    };
    if operation.is_invocation() { answered.map_err(FssError::of_invocation) } else { answered }
}

async fn run(operation: Operation, call: &Call) -> Answer {
    use Operation as O;
    match operation {
        O::CreateFunction => functions::create(call).await,
        O::ListFunctions => functions::list(call),
        O::DeleteFunction => functions::delete(call).await,
        O::ShowConfig => configuration::show(call),
        O::UpdateConfig => configuration::update(call).await,
        O::UpdateMaxInstances => configuration::update_max_instances(call).await,
        O::ShowCode => code::show(call).await,
        O::UpdateCode => code::update(call).await,
        O::CreateVersion => versions::create(call).await,
        O::ListVersions => versions::list(call),
        O::CreateAlias => aliases::create(call).await,
        O::ListAliases => aliases::list(call),
        O::ShowAlias => aliases::show(call),
        O::UpdateAlias => aliases::update(call).await,
        O::DeleteAlias => aliases::delete(call).await,
        O::ListQuotas => quotas::list(call),
        O::EnableStatusLog => status_log::enable(call),
        O::ShowStatusLog => status_log::show(call),
        O::Invoke => invocations::invoke(call).await,
        O::InvokeAsync => invocations::invoke_async(call).await,
        O::CancelInvocation => invocations::cancel(call).await,
        O::ListInvocations => history::list(call).await,
        O::ListActiveInvocations => history::list_active(call).await,
        O::SetAsyncConfig => async_config::set(call).await,
        O::ShowAsyncConfig => async_config::show(call),
        O::DeleteAsyncConfig => async_config::delete(call).await,
        O::ListAsyncConfigs => async_config::list(call),
        O::ListTriggers => triggers::list(call),
        O::CreateTrigger => triggers::create(call).await,
        O::DeleteTriggers => triggers::delete_all(call).await,
        O::ShowTrigger => triggers::show(call),
        O::UpdateTrigger => triggers::update(call).await,
        O::DeleteTrigger => triggers::delete(call).await,
        O::ShowMetrics => metrics::show(call).await,
        O::ListStatistics => metrics::statistics(call).await,
    }
}
