//! `/v1/topics`: make, list, show, delete and publish; subscriptions, their confirmation, and what could not be brought.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use uuid::Uuid;

use super::answer;
use super::content;
use super::named::{Listing, Named};
use super::query::{self, Page, Path, bad};
use super::topics_json::{
    ConfirmedOut, DeadOut, PublicationOut, PublishedOut, RedrivenOut, Said, Subscribing, SubscriptionOut,
    SubscriptionsOut, TopicOut, TopicsOut, WholeTopicOut,
};
use crate::access::Caller;
use crate::http::body;
use crate::http::problem::Problem;
use crate::messaging::topics::{Endpoint, Filter, Publication, TopicPath};
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
struct Confirming {
    namespace: Option<String>,
    token: String,
}

fn id(text: &str) -> Result<Uuid, Problem> {
    text.parse()
        .map_err(|_| bad("bad_name", format!("`{text}` is not the id of a subscription: take one from the list")))
}

pub(super) async fn list(
    State(runtime): State<Runtime>,
    Listing { namespace, after, limit }: Listing<TopicName>,
) -> Result<Json<TopicsOut>, Problem> {
    let found = runtime.topics(&namespace, after.as_ref(), limit + 1);
    let (topics, next_cursor) = answer::page(found, limit, |last| last.path.name.to_string());
    Ok(Json(TopicsOut { topics: topics.iter().map(TopicOut::of).collect(), next_cursor }))
}

pub(super) async fn create(State(runtime): State<Runtime>, Named(path): Named<TopicPath>) -> Result<Response, Problem> {
    let is_new = runtime.create_topic(path.clone()).await?;
    Ok(answer::set(is_new, WholeTopicOut::of(&runtime.topic(&path)?)))
}

pub(super) async fn show(
    State(runtime): State<Runtime>,
    Named(path): Named<TopicPath>,
) -> Result<Json<WholeTopicOut>, Problem> {
    Ok(Json(WholeTopicOut::of(&runtime.topic(&path)?)))
}

pub(super) async fn delete(
    State(runtime): State<Runtime>,
    Named(path): Named<TopicPath>,
) -> Result<StatusCode, Problem> {
    runtime.remove_topic(path).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn publish(
    State(runtime): State<Runtime>,
    Named(path): Named<TopicPath>,
    body: Body,
) -> Result<Response, Problem> {
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
    let told = PublishedOut { id: published.id, subscriptions: published.subscriptions };
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
    caller: Caller,
    Named(path): Named<TopicPath>,
    body: Body,
) -> Result<Response, Problem> {
    let body = body::read(body, MAX_SUBSCRIPTION_BYTES, "subscription").await?;
    let Subscribing { to, filter, give_up_after_s } = query::json(&body, "subscription")?;
    let outcomes = filter.outcomes.iter().map(|text| kind(text)).collect::<Result<_, _>>()?;
    let filter = Filter { outcomes, attributes: filter.attributes };
    let to = Endpoint::parse(&to, &path.namespace).map_err(crate::runtime::Error::from)?;
    let (made, is_new) = runtime.subscribe(&caller, &path, to, filter, give_up_after_s).await?;
    Ok(answer::set(is_new, SubscriptionOut::of(&made)))
}

pub(super) async fn subscriptions(
    State(runtime): State<Runtime>,
    Named(path): Named<TopicPath>,
) -> Result<Json<SubscriptionsOut>, Problem> {
    let topic = runtime.topic(&path)?;
    Ok(Json(SubscriptionsOut { subscriptions: topic.subscriptions.iter().map(SubscriptionOut::of).collect() }))
}

pub(super) async fn subscription_of(
    State(runtime): State<Runtime>,
    Named(path): Named<TopicPath>,
    Path((_, of)): Path<(String, String)>,
) -> Result<Json<SubscriptionOut>, Problem> {
    Ok(Json(SubscriptionOut::of(&runtime.subscription(&path, id(&of)?)?)))
}

pub(super) async fn unsubscribe(
    State(runtime): State<Runtime>,
    Named(path): Named<TopicPath>,
    Path((_, of)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    runtime.unsubscribe(&path, id(&of)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What an endpoint visits with the token that it was sent; the token is all that it needs, and where the topic sends what it
/// has is not for whoever holds one.
pub(super) async fn confirm(
    State(runtime): State<Runtime>,
    Path((name, of)): Path<(String, String)>,
    uri: Uri,
) -> Result<Json<ConfirmedOut>, Problem> {
    let Confirming { namespace, token } = query::query(&uri)?;
    let path = TopicPath { namespace: query::namespace(namespace.as_deref())?, name: query::parsed(&name)? };
    let id = id(&of)?;
    runtime.confirm(&path, id, token).await?;
    Ok(Json(ConfirmedOut::of(&path, id)))
}

pub(super) async fn dead(
    State(runtime): State<Runtime>,
    Path((name, of)): Path<(String, String)>,
    uri: Uri,
) -> Result<Json<DeadOut>, Problem> {
    let listing: Page = query::query(&uri)?;
    let limit = query::limit(listing.limit)?;
    let cursor = |text: &str| text.parse::<u64>().map_err(|_| query::no_cursor(text));
    let after = listing.cursor.as_deref().map(cursor).transpose()?;
    let path = TopicPath { namespace: query::namespace(listing.namespace.as_deref())?, name: query::parsed(&name)? };
    let found = runtime.dead_publications(&path, id(&of)?, after, limit + 1).await?;
    let (found, next_cursor) = answer::page(found, limit, |last| last.number.to_string());
    Ok(Json(DeadOut { publications: found.iter().map(PublicationOut::of).collect(), next_cursor }))
}

pub(super) async fn redrive(
    State(runtime): State<Runtime>,
    Named(path): Named<TopicPath>,
    Path((_, of)): Path<(String, String)>,
) -> Result<Json<RedrivenOut>, Problem> {
    let redriven = runtime.redrive_publications(&path, id(&of)?).await?;
    Ok(Json(RedrivenOut { redriven }))
}

pub(super) async fn purge(
    State(runtime): State<Runtime>,
    Named(path): Named<TopicPath>,
    Path((_, of)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    runtime.purge_publications(&path, id(&of)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
