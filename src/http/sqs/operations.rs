//! The operations, by name: parameters go in, an output with the names of the JSON protocol comes out.

use serde_json::{Value, json};

use super::attributes::{self, Wanted};
use super::error::SqsError;
use super::input::Input;
use super::{Call, messages, names};
use crate::model::access::{Permission, ResourceKind, Scope};
use crate::model::message_queue::{QueueName, QueuePath};

/// Queues of one page of a list.
const PAGE: u32 = 1_000;
/// Characters of what a change is noted to be about.
const MAX_NOTED: usize = 200;

/// Carries out one operation.
pub(super) async fn run(call: &Call<'_>, operation: &str, input: &Input<'_>) -> Result<Value, SqsError> {
    match operation {
        "CreateQueue" => return create(call, input).await,
        "GetQueueUrl" => return queue_url(call, input),
        "ListQueues" => return list(call, input),
        _ => (),
    }
    let path = || {
        let path = names::of_url(input.required("QueueUrl")?, &call.namespace)?;
        call.check(needed(operation).ok_or_else(|| unknown(operation))?, &scope(&path))?;
        Ok::<_, SqsError>(path)
    };
    match operation {
        "ChangeMessageVisibility" => messages::change_visibility(call, &path()?, input).await,
        "ChangeMessageVisibilityBatch" => messages::change_visibility_batch(call, &path()?, input).await,
        "DeleteMessage" => messages::delete(call, &path()?, input).await,
        "DeleteMessageBatch" => messages::delete_batch(call, &path()?, input).await,
        "DeleteQueue" => {
            call.runtime.message_queues().delete_queue(path()?).await?;
            Ok(json!({}))
        }
        "GetQueueAttributes" => get_attributes(call, &path()?, input).await,
        "ListDeadLetterSourceQueues" => sources(call, &path()?, input),
        "ListQueueTags" => tags(call, &path()?),
        "PurgeQueue" => {
            call.runtime.message_queues().purge(&path()?).await?;
            Ok(json!({}))
        }
        "ReceiveMessage" => messages::receive(call, &path()?, input).await,
        "SendMessage" => messages::send(call, &path()?, input).await,
        "SendMessageBatch" => messages::send_batch(call, &path()?, input).await,
        "SetQueueAttributes" => set_attributes(call, path()?, input).await,
        "TagQueue" => {
            let tags = input.map("Tags")?;
            call.runtime.message_queues().edit(path()?, |_, there| there.extend(tags)).await?;
            Ok(json!({}))
        }
        "UntagQueue" => {
            let keys: Vec<_> = input.texts("TagKeys")?.into_iter().map(str::to_owned).collect();
            call.runtime
                .message_queues()
                .edit(path()?, move |_, there| there.retain(|key, _| !keys.contains(key)))
                .await?;
            Ok(json!({}))
        }
        other => Err(unknown(other)),
    }
}

fn unknown(operation: &str) -> SqsError {
    let told: String = operation.chars().take(100).collect();
    SqsError::named("InvalidAction", format!("there is no operation `{told}` here"))
}

/// The queue that an operation changes, for the log of changes; `None` where it changes none. What becomes of messages is what
/// goes on anyway, but for all of them at once.
pub(super) fn changed(call: &Call<'_>, operation: &str, input: &Input<'_>) -> Option<String> {
    let named = match operation {
        "CreateQueue" => "QueueName",
        "DeleteQueue" | "PurgeQueue" | "SetQueueAttributes" | "TagQueue" | "UntagQueue" => "QueueUrl",
        _ => return None,
    };
    let named = input.text(named).ok().flatten().unwrap_or_default();
    let told = match names::of_url(named, &call.namespace) {
        Ok(path) => path.to_string(),
        Err(_) => named.to_owned(), // it is what somebody sent, and may be anything
    };
    Some(told.chars().filter(|c| !c.is_control()).take(MAX_NOTED).collect())
}

/// What an operation on a queue needs; `None` where there is no such operation.
fn needed(operation: &str) -> Option<Permission> {
    match operation {
        "ChangeMessageVisibility"
        | "ChangeMessageVisibilityBatch"
        | "DeleteMessage"
        | "DeleteMessageBatch"
        | "PurgeQueue"
        | "ReceiveMessage" => Some(Permission::QueuesReceive),
        "DeleteQueue" | "SetQueueAttributes" | "TagQueue" | "UntagQueue" => Some(Permission::QueuesEdit),
        "GetQueueAttributes" | "ListDeadLetterSourceQueues" | "ListQueueTags" => Some(Permission::QueuesView),
        "SendMessage" | "SendMessageBatch" => Some(Permission::QueuesSend),
        _ => None,
    }
}

fn scope(path: &QueuePath) -> Scope {
    Scope::Resource(ResourceKind::Queue, path.namespace.clone(), path.name.as_str().to_owned())
}

async fn create(call: &Call<'_>, input: &Input<'_>) -> Result<Value, SqsError> {
    let path = QueuePath { namespace: call.namespace.clone(), name: names::name(input.required("QueueName")?)? };
    call.check(Permission::QueuesCreate, &scope(&path))?;
    let wanted = wanted(call, &path, input)?;
    let mut tags = input.map("tags")?; // as the JSON protocol spells it in this one place
    tags.extend(input.map("Tags")?);
    let made = call.runtime.message_queues().create(path.clone(), |settings| wanted.apply(settings), tags).await;
    made.map_err(SqsError::of_settings)?;
    Ok(json!({ "QueueUrl": names::url(&call.base, &path) }))
}

/// The attributes that are to be set on a queue. Whoever has it send messages to another has to be allowed to.
fn wanted(call: &Call<'_>, path: &QueuePath, input: &Input<'_>) -> Result<Wanted, SqsError> {
    let wanted = Wanted::read(&input.map("Attributes")?, path)?;
    if let Some(to) = wanted.dead_letters_to() {
        let to = QueuePath { name: to.clone(), ..path.clone() };
        call.check(Permission::QueuesSend, &scope(&to))?;
    }
    Ok(wanted)
}

fn queue_url(call: &Call<'_>, input: &Input<'_>) -> Result<Value, SqsError> {
    let namespace = match input.text("QueueOwnerAWSAccountId")? {
        Some(account) => names::account(account)?,
        None => call.namespace.clone(),
    };
    let path = QueuePath { namespace, name: names::name(input.required("QueueName")?)? };
    call.check(Permission::QueuesView, &scope(&path))?;
    call.runtime.message_queues().describe(&path)?;
    Ok(json!({ "QueueUrl": names::url(&call.base, &path) }))
}

/// How many a page has, and where it begins.
fn page(input: &Input<'_>) -> Result<(usize, Option<QueueName>), SqsError> {
    let most = input.number("MaxResults")?.unwrap_or(PAGE);
    crate::model::bounds::within("MaxResults", most, &(1..=PAGE))
        .map_err(|error| SqsError::parameter(error.to_string()))?;
    let invalid = |_| SqsError::parameter("the NextToken is none that a list gave");
    let after = input.text("NextToken")?.map(|token| names::name(token).map_err(invalid)).transpose()?;
    Ok((most as usize, after))
}

/// A page of queues as URLs; `member` is what the list is called.
fn urls(call: &Call<'_>, member: &str, mut found: Vec<QueuePath>, most: usize) -> Value {
    let goes_on = found.len() > most;
    found.truncate(most);
    let mut output = json!({});
    if let Some(last) = found.last().filter(|_| goes_on) {
        output["NextToken"] = last.name.as_str().into();
    }
    if !found.is_empty() {
        output[member] = found.iter().map(|path| names::url(&call.base, path)).collect();
    }
    output
}

fn list(call: &Call<'_>, input: &Input<'_>) -> Result<Value, SqsError> {
    call.check(Permission::QueuesView, &Scope::Namespace(call.namespace.clone()))?;
    let (most, after) = page(input)?;
    let prefix = input.text("QueueNamePrefix")?.unwrap_or_default();
    let found = call.runtime.message_queues().list(&call.namespace, prefix, after.as_ref(), most + 1);
    Ok(urls(call, "QueueUrls", found, most))
}

fn sources(call: &Call<'_>, path: &QueuePath, input: &Input<'_>) -> Result<Value, SqsError> {
    let (most, after) = page(input)?;
    let mut found = call.runtime.message_queues().sources_of(path)?;
    found.retain(|source| after.as_ref().is_none_or(|after| source.name > *after));
    if found.is_empty() {
        return Ok(json!({ "queueUrls": [] }));
    }
    Ok(urls(call, "queueUrls", found, most))
}

fn tags(call: &Call<'_>, path: &QueuePath) -> Result<Value, SqsError> {
    let tags = call.runtime.message_queues().describe(path)?.tags;
    Ok(if tags.is_empty() { json!({}) } else { json!({ "Tags": tags }) })
}

async fn get_attributes(call: &Call<'_>, path: &QueuePath, input: &Input<'_>) -> Result<Value, SqsError> {
    let wanted = input.texts("AttributeNames")?;
    let figures = call.runtime.message_queues().figures(path).await?;
    let attributes = attributes::shown(&wanted, &call.runtime.message_queues().describe(path)?, &figures)?;
    let is_empty = attributes.as_object().is_none_or(serde_json::Map::is_empty);
    Ok(if is_empty { json!({}) } else { json!({ "Attributes": attributes }) })
}

async fn set_attributes(call: &Call<'_>, path: QueuePath, input: &Input<'_>) -> Result<Value, SqsError> {
    let wanted = wanted(call, &path, input)?;
    let set = call.runtime.message_queues().edit(path, |settings, _| wanted.apply(settings)).await;
    set.map_err(SqsError::of_settings)?;
    Ok(json!({}))
}
