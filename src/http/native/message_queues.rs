//! `/v1/queues`: message queues and their messages. A receipt stands in the path; it is what a receive gave.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::answer;
use super::message_queues_json::{MessageOut, MessageText, QueueOut, SettingsText};
use super::named::Named;
use super::openapi::values;
use super::query::{self, Path};
use crate::access::Caller;
use crate::http::body;
use crate::http::problem::Problem;
use crate::messaging::queues::{Asked, QueueError, Receipt};
use crate::model::access::{Permission, ResourceKind, Scope};
use crate::model::bounds;
use crate::model::message_queue::QueuePath;
use crate::runtime::Runtime;

/// Bytes of settings, and of a message in JSON: every character of the longest can be written with six.
const MAX_SETTINGS_BYTES: usize = 128 * 1_024;
const MAX_MESSAGE_JSON_BYTES: usize = 8 * *bounds::QUEUE_MESSAGE_BYTES.end() as usize;

/// What a list takes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listing {
    namespace: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
    #[serde(default)]
    prefix: String,
}

/// What a receive takes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Receive {
    namespace: Option<String>,
    max_messages: Option<usize>,
    visibility_s: Option<u32>,
    wait_s: Option<u32>,
}

/// How long a message is to stay hidden from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Visibility {
    #[schema(schema_with = values::hidden_s)]
    visibility_s: u32,
}

/// A page of message queues.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MessageQueues)]
pub(super) struct QueuesOut {
    queues: Vec<QueueOut>,
    next_cursor: Option<String>,
}

/// What a receive got.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Messages)]
pub(super) struct MessagesOut {
    messages: Vec<MessageOut>,
}

/// A message that was sent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MessageSent)]
pub(super) struct SentOut {
    id: String,
    /// FIFO: its place among the others.
    sequence_number: Option<String>,
}

async fn described(runtime: &Runtime, path: &QueuePath) -> Result<QueueOut, Problem> {
    let queues = runtime.message_queues();
    let figures = queues.figures(path).await?;
    Ok(QueueOut::of(&queues.describe(path)?, &figures))
}

pub(super) async fn list(State(runtime): State<Runtime>, uri: Uri) -> Result<Json<QueuesOut>, Problem> {
    let listing: Listing = query::query(&uri)?;
    let limit = query::limit(listing.limit)?;
    let after = listing.cursor.as_deref().map(query::parsed).transpose()?;
    let namespace = query::namespace(listing.namespace.as_deref())?;
    let found = runtime.message_queues().list(&namespace, &listing.prefix, after.as_ref(), limit + 1);
    let (found, next_cursor) = answer::page(found, limit, |last| last.name.to_string());
    let mut queues = Vec::with_capacity(found.len());
    for path in found {
        match described(&runtime, &path).await {
            Ok(queue) => queues.push(queue),
            // It was deleted meanwhile.
            Err(_) if runtime.message_queues().describe(&path).is_err() => (),
            Err(problem) => return Err(problem),
        }
    }
    Ok(Json(QueuesOut { queues, next_cursor }))
}

pub(super) async fn show(
    State(runtime): State<Runtime>,
    Named(path): Named<QueuePath>,
) -> Result<Json<QueueOut>, Problem> {
    Ok(Json(described(&runtime, &path).await?))
}

pub(super) async fn put(
    State(runtime): State<Runtime>,
    caller: Caller,
    Named(path): Named<QueuePath>,
    body: Body,
) -> Result<Response, Problem> {
    let text = body::read(body, MAX_SETTINGS_BYTES, "settings").await?;
    let text: SettingsText = if text.is_empty() { SettingsText::default() } else { query::json(&text, "settings")? };
    let (settings, tags) = text.read()?;
    if let Some(redrive) = &settings.redrive {
        runtime.check_sending(&caller, &QueuePath { name: redrive.to.clone(), ..path.clone() })?;
    }
    let on = Scope::Resource(ResourceKind::Queue, path.namespace.clone(), path.name.to_string());
    let is_new = if runtime.check(&caller, Permission::QueuesEdit, &on).is_ok() {
        runtime.message_queues().put(path.clone(), settings, tags).await?
    } else {
        // Who may make queues and not change them.
        let is_new = runtime.message_queues().create(path.clone(), move |own| *own = settings, tags.clone()).await?;
        if !is_new && runtime.message_queues().describe(&path)?.tags != tags {
            return Err(QueueError::Exists { path, differs: "tags" }.into());
        }
        is_new
    };
    Ok(answer::set(is_new, described(&runtime, &path).await?))
}

pub(super) async fn delete_queue(
    State(runtime): State<Runtime>,
    Named(path): Named<QueuePath>,
) -> Result<StatusCode, Problem> {
    runtime.message_queues().delete_queue(path).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn purge(
    State(runtime): State<Runtime>,
    Named(path): Named<QueuePath>,
) -> Result<StatusCode, Problem> {
    runtime.message_queues().purge(&path).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn send(
    State(runtime): State<Runtime>,
    Named(path): Named<QueuePath>,
    body: Body,
) -> Result<Response, Problem> {
    let text = body::read(body, MAX_MESSAGE_JSON_BYTES, "message").await?;
    let message: MessageText = query::json(&text, "message")?;
    let sent = runtime.message_queues().send(&path, message.read()?).await?;
    let sequence_number = sent.sequence.map(|number| number.to_string());
    let told = SentOut { id: sent.id.to_string(), sequence_number };
    Ok((StatusCode::CREATED, Json(told)).into_response())
}

pub(super) async fn receive(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Json<MessagesOut>, Problem> {
    let how: Receive = query::query(&uri)?;
    let path = QueuePath { namespace: query::namespace(how.namespace.as_deref())?, name: query::parsed(&name)? };
    let asked = Asked { most: how.max_messages.unwrap_or(1), visibility_s: how.visibility_s, wait_s: how.wait_s };
    let messages = runtime.message_queues().receive(&path, asked).await?;
    Ok(Json(MessagesOut { messages: messages.iter().map(MessageOut::of).collect() }))
}

fn receipt(text: &str) -> Result<Receipt, Problem> {
    text.parse().map_err(Problem::from)
}

pub(super) async fn delete(
    State(runtime): State<Runtime>,
    Named(path): Named<QueuePath>,
    Path((_, of)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    runtime.message_queues().delete(&path, receipt(&of)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn change_visibility(
    State(runtime): State<Runtime>,
    Named(path): Named<QueuePath>,
    Path((_, of)): Path<(String, String)>,
    body: Body,
) -> Result<StatusCode, Problem> {
    let text = body::read(body, MAX_SETTINGS_BYTES, "visibility").await?;
    let wanted: Visibility = query::json(&text, "visibility")?;
    runtime.message_queues().change_visibility(&path, receipt(&of)?, wanted.visibility_s).await?;
    Ok(StatusCode::NO_CONTENT)
}
