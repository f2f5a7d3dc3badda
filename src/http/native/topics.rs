//! `/v1/topics`: make, list, show, delete and publish; subscriptions, their confirmation, and what could not be brought.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::content;
use super::query::{self, Page, Path, Within, bad};
use crate::http::body;
use crate::http::problem::Problem;
use crate::messaging::topics::{
    DeadPublication, Endpoint, Filter, Publication, SubscriptionView, TopicPath, TopicView,
};
use crate::model::bounds;
use crate::model::names::TopicName;
use crate::model::outcome::OutcomeKind;
use crate::runtime::Runtime;

/// Bytes of a body with a subscription.
const MAX_SUBSCRIPTION_BYTES: usize = 64 * 1_024;
/// Bytes of a body with a publication: base64 and the rest of JSON take more than what they say.
const MAX_BODY_BYTES: usize = 2 * bounds::MAX_PUBLICATION_BYTES;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    id: Option<Uuid>,
    content_type: Option<String>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    outcome: Option<String>,
    data: Option<String>,
    data_base64: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Subscribing {
    to: String,
    #[serde(default)]
    filter: Wanted,
    give_up_after_s: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[serde(default)]
    outcomes: Vec<String>,
    #[serde(default)]
    attributes: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Confirming {
    namespace: Option<String>,
    token: String,
}

fn path(uri: &Uri, name: &str) -> Result<TopicPath, Problem> {
    let which: Within = query::query(uri)?;
    Ok(TopicPath { namespace: which.namespace()?, name: query::parsed(name)? })
}

fn id(text: &str) -> Result<Uuid, Problem> {
    text.parse()
        .map_err(|_| bad("bad_name", format!("`{text}` is not the id of a subscription: take one from the list")))
}

pub(super) async fn list(State(runtime): State<Runtime>, uri: Uri) -> Result<Json<Value>, Problem> {
    let listing: Page = query::query(&uri)?;
    let limit = query::limit(listing.limit)?;
    let after: Option<TopicName> = listing.cursor.as_deref().map(query::parsed).transpose()?;
    let mut topics = runtime.topics(&query::namespace(listing.namespace.as_deref())?, after.as_ref(), limit + 1);
    let goes_on = topics.len() > limit;
    topics.truncate(limit);
    let next = topics.last().filter(|_| goes_on).map(|last| last.path.name.to_string());
    let shown: Vec<_> = topics.iter().map(shown).collect();
    Ok(Json(json!({ "topics": shown, "next_cursor": next })))
}

pub(super) async fn create(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Response, Problem> {
    let path = path(&uri, &name)?;
    let is_new = runtime.create_topic(path.clone()).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(whole(&runtime.topic(&path)?))).into_response())
}

pub(super) async fn show(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Json<Value>, Problem> {
    Ok(Json(whole(&runtime.topic(&path(&uri, &name)?)?)))
}

/// A topic in a list.
fn shown(topic: &TopicView) -> Value {
    json!({
        "namespace": topic.path.namespace.as_str(),
        "name": topic.path.name.as_str(),
        "created_at": topic.created.to_string(),
        "subscription_count": topic.subscriptions.len(),
        "pending": topic.subscriptions.iter().map(|it| it.pending).sum::<u64>(),
        "dead": topic.subscriptions.iter().map(|it| it.dead).sum::<u64>(),
    })
}

fn whole(topic: &TopicView) -> Value {
    let mut shown = shown(topic);
    shown["subscriptions"] = topic.subscriptions.iter().map(subscription).collect();
    shown
}

fn subscription(it: &SubscriptionView) -> Value {
    let outcomes: Vec<_> = it.filter.outcomes.iter().map(|kind| kind.as_str()).collect();
    json!({
        "id": it.id,
        "to": it.to.to_string(),
        "status": if it.is_confirmed { "confirmed" } else { "pending_confirmation" },
        "error": it.error,
        "filter": { "outcomes": outcomes, "attributes": it.filter.attributes },
        "give_up_after_s": it.give_up_after_s,
        "created_at": it.created.to_string(),
        "pending": it.pending,
        "dead": it.dead,
    })
}

pub(super) async fn delete(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<StatusCode, Problem> {
    runtime.remove_topic(path(&uri, &name)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn publish(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
    body: Body,
) -> Result<Response, Problem> {
    let path = path(&uri, &name)?;
    let body = body::read(body, MAX_BODY_BYTES, "publication").await?;
    let Said { id, content_type, attributes, outcome, data, data_base64 } = query::json(&body, "publication")?;
    let publication = Publication {
        id: id.unwrap_or_else(Uuid::new_v4),
        body: content::read(data, data_base64.as_deref())?,
        content_type: content_type.unwrap_or_default(),
        attributes: attributes.into_iter().collect(),
        outcome: outcome.as_deref().map(kind).transpose()?,
        chain: Vec::new(),
    };
    let published = runtime.publish(&path, publication).await?;
    let told = json!({ "id": published.id, "subscriptions": published.subscriptions });
    Ok((StatusCode::ACCEPTED, Json(told)).into_response())
}

fn kind(text: &str) -> Result<OutcomeKind, Problem> {
    let found = OutcomeKind::ALL.into_iter().find(|kind| kind.as_str() == text);
    found.ok_or_else(|| {
        let names = OutcomeKind::ALL.map(OutcomeKind::as_str).join("`, `");
        bad("bad_json", format!("`{text}` is no outcome: use `{names}`"))
    })
}

pub(super) async fn subscribe(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
    body: Body,
) -> Result<Response, Problem> {
    let path = path(&uri, &name)?;
    let body = body::read(body, MAX_SUBSCRIPTION_BYTES, "subscription").await?;
    let Subscribing { to, filter, give_up_after_s } = query::json(&body, "subscription")?;
    let outcomes = filter.outcomes.iter().map(|text| kind(text)).collect::<Result<_, _>>()?;
    let filter = Filter { outcomes, attributes: filter.attributes };
    let to = Endpoint::parse(&to).map_err(crate::runtime::Error::from)?;
    let (made, is_new) = runtime.subscribe(&path, to, filter, give_up_after_s).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(subscription(&made))).into_response())
}

pub(super) async fn subscriptions(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Json<Value>, Problem> {
    let topic = runtime.topic(&path(&uri, &name)?)?;
    Ok(Json(json!({ "subscriptions": topic.subscriptions.iter().map(subscription).collect::<Vec<_>>() })))
}

pub(super) async fn subscription_of(
    State(runtime): State<Runtime>,
    Path((name, of)): Path<(String, String)>,
    uri: Uri,
) -> Result<Json<Value>, Problem> {
    Ok(Json(subscription(&runtime.subscription(&path(&uri, &name)?, id(&of)?)?)))
}

pub(super) async fn unsubscribe(
    State(runtime): State<Runtime>,
    Path((name, of)): Path<(String, String)>,
    uri: Uri,
) -> Result<StatusCode, Problem> {
    runtime.unsubscribe(&path(&uri, &name)?, id(&of)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What an endpoint visits with the token that it was sent; the token is all that it needs.
pub(super) async fn confirm(
    State(runtime): State<Runtime>,
    Path((name, of)): Path<(String, String)>,
    uri: Uri,
) -> Result<Json<Value>, Problem> {
    let Confirming { namespace, token } = query::query(&uri)?;
    let path = TopicPath { namespace: query::namespace(namespace.as_deref())?, name: query::parsed(&name)? };
    Ok(Json(subscription(&runtime.confirm(&path, id(&of)?, token).await?)))
}

pub(super) async fn dead(
    State(runtime): State<Runtime>,
    Path((name, of)): Path<(String, String)>,
    uri: Uri,
) -> Result<Json<Value>, Problem> {
    let listing: Page = query::query(&uri)?;
    let limit = query::limit(listing.limit)?;
    let cursor = |text: &str| {
        text.parse::<u64>()
            .map_err(|_| bad("bad_cursor", format!("`{text}` is not a cursor: take `next_cursor` as it is")))
    };
    let after = listing.cursor.as_deref().map(cursor).transpose()?;
    let path = TopicPath { namespace: query::namespace(listing.namespace.as_deref())?, name: query::parsed(&name)? };
    let mut found = runtime.dead_publications(&path, id(&of)?, after, limit + 1).await?;
    let goes_on = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| goes_on).map(|last| last.number.to_string());
    Ok(Json(json!({ "publications": found.iter().map(dead_one).collect::<Vec<_>>(), "next_cursor": next })))
}

fn dead_one(it: &DeadPublication) -> Value {
    let attributes: Map<_, _> =
        it.publication.attributes.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let mut shown = Map::from_iter([
        ("id".to_owned(), json!(it.publication.id)),
        ("published_at".to_owned(), json!(it.since.to_string())),
        ("given_up_at".to_owned(), json!(it.given_up.to_string())),
        ("tries".to_owned(), json!(it.tries)),
        ("error".to_owned(), json!(it.error)),
        ("content_type".to_owned(), json!(it.publication.content_type)),
        ("attributes".to_owned(), Value::Object(attributes)),
        ("outcome".to_owned(), json!(it.publication.outcome.map(OutcomeKind::as_str))),
    ]);
    content::show(&it.publication.body, &mut shown);
    Value::Object(shown)
}

pub(super) async fn redrive(
    State(runtime): State<Runtime>,
    Path((name, of)): Path<(String, String)>,
    uri: Uri,
) -> Result<Json<Value>, Problem> {
    let redriven = runtime.redrive_publications(&path(&uri, &name)?, id(&of)?).await?;
    Ok(Json(json!({ "redriven": redriven })))
}

pub(super) async fn purge(
    State(runtime): State<Runtime>,
    Path((name, of)): Path<(String, String)>,
    uri: Uri,
) -> Result<StatusCode, Problem> {
    runtime.purge_publications(&path(&uri, &name)?, id(&of)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
