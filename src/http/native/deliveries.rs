//! `/v1/deliveries`: what is on its way out of the runtime, and what was given up.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::Uri;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::async_config::MAX_JSON_BYTES;
use super::error::code;
use super::invocation_json::InvocationOut;
use super::openapi::values;
use super::query::{self, Path, bad};
use crate::http::body;
use crate::http::problem::Problem;
use crate::model::invocation::{Delivery, Way};
use crate::model::names::InvocationId;
use crate::runtime::{DeliveryFilter, DeliveryState, Runtime, Undone, Wanted};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    namespace: Option<String>,
    function: Option<String>,
    state: Option<String>,
    target: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// A delivery that has not been made.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Delivery)]
pub(super) struct DeliveryOut {
    /// What the receiver knows it by.
    id: String,
    on: &'static str,
    to: String,
    #[schema(schema_with = values::format)]
    format: &'static str,
    state: &'static str,
    tries: u32,
    since: Option<String>,
    #[schema(format = DateTime)]
    next_try_at: Option<String>,
    error: Option<String>,
}

/// A delivery among those of other invocations.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ListedDelivery)]
struct ListedOut {
    invocation: String,
    namespace: String,
    function: String,
    #[serde(flatten)]
    delivery: DeliveryOut,
}

/// A page of deliveries.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Deliveries)]
pub(super) struct DeliveriesOut {
    deliveries: Vec<ListedOut>,
    next_cursor: Option<String>,
}

/// What was done about dead deliveries.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RedrivenDeliveries)]
pub(super) struct RedrivenOut {
    /// Invocations whose dead deliveries are tried again.
    redriven: usize,
    failed: Vec<FailedOut>,
    next_cursor: Option<String>,
}

/// An invocation whose deliveries stay as they are.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NotRedriven)]
struct FailedOut {
    id: String,
    code: &'static str,
    detail: String,
}

impl DeliveryOut {
    pub(super) fn of(invocation: InvocationId, state: DeliveryState, delivery: &Delivery) -> Self {
        Self {
            id: delivery.id(invocation).to_string(),
            on: match delivery.way {
                Way::Destination => "destination",
                Way::Callback => "callback",
            },
            to: delivery.to.to_string(),
            format: delivery.terms.format.as_str(),
            state: state.as_str(),
            tries: delivery.tries,
            since: delivery.since.map(|at| at.to_string()),
            next_try_at: (state == DeliveryState::Pending).then(|| delivery.due.to_string()),
            error: delivery.error.clone(),
        }
    }
}

impl ListedOut {
    fn of(undone: &Undone) -> Self {
        let Undone { invocation, path, state, delivery } = undone;
        Self {
            invocation: invocation.to_string(),
            namespace: path.namespace.to_string(),
            function: path.name.to_string(),
            delivery: DeliveryOut::of(*invocation, *state, delivery),
        }
    }
}

impl Which {
    fn meant(&self) -> Result<DeliveryFilter, Problem> {
        let namespace = self.namespace.as_deref();
        let state = match self.state.as_deref() {
            None => None,
            Some("pending") => Some(DeliveryState::Pending),
            Some("dead") => Some(DeliveryState::Dead),
            Some(other) => return Err(bad("bad_query", format!("state is `{other}`: use `pending` or `dead`"))),
        };
        Ok(DeliveryFilter {
            wanted: Wanted { state, target: self.target.clone() },
            namespace: namespace.map(query::parsed).transpose()?,
            function: self.function.as_deref().map(|name| query::path(namespace, name)).transpose()?,
            after: self.cursor.as_deref().map(query::cursor).transpose()?,
            limit: query::limit(self.limit)?,
        })
    }
}

pub(super) async fn list(State(runtime): State<Runtime>, uri: Uri) -> Result<Json<DeliveriesOut>, Problem> {
    let which: Which = query::query(&uri)?;
    let page = runtime.deliveries(which.meant()?).await?;
    let deliveries = page.deliveries.iter().map(ListedOut::of).collect();
    Ok(Json(DeliveriesOut { deliveries, next_cursor: page.next.map(query::cursor_text) }))
}

/// `POST /v1/deliveries/redrive`: has the dead ones tried again, so much at a time.
pub(super) async fn redrive(
    State(runtime): State<Runtime>,
    uri: Uri,
    body: Body,
) -> Result<Json<RedrivenOut>, Problem> {
    // Who says in a body which are meant would have all of them tried again.
    if !body::read(body, MAX_JSON_BYTES, "request").await?.is_empty() {
        return Err(bad("bad_json", "there is no body here: say which are meant in the query".to_owned()));
    }
    let filter = query::query::<Which>(&uri)?.meant()?;
    if filter.wanted.state == Some(DeliveryState::Pending) {
        return Err(bad("bad_query", "state is `pending`: those are tried anyway; leave it out".to_owned()));
    }
    let redriven = runtime.redeliver_many(filter).await?;
    let failed = redriven.failed.iter().map(|(id, error)| FailedOut {
        id: id.to_string(),
        code: code(error),
        detail: error.to_string(),
    });
    let failed = failed.collect();
    Ok(Json(RedrivenOut { redriven: redriven.done, failed, next_cursor: redriven.next.map(query::cursor_text) }))
}

/// `POST /v1/invocations/{id}/redeliver`.
pub(super) async fn redeliver(
    State(runtime): State<Runtime>,
    Path(id): Path<String>,
) -> Result<Json<InvocationOut>, Problem> {
    let invocation = runtime.redeliver(query::parsed(&id)?).await?;
    Ok(Json(InvocationOut::of(&invocation, None)))
}
