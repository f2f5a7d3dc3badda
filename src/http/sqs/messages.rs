//! Operations on messages: send, receive, delete, change visibility, one at a time and in batches.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};

use super::Call;
use super::error::SqsError;
use super::input::{self, Input};
use super::{md5, names};
use crate::messaging::queues::{Asked, Attribute, Outgoing, QueueError, Receipt, Received, Sent, Value};
use crate::model::bounds;
use crate::model::message_queue::QueuePath;

/// The one attribute that the sender may set of those that belong to the system.
const TRACE: &str = "AWSTraceHeader";
/// Attributes that the system gives messages, and that can be asked for.
const SYSTEM: [&str; 10] = [
    "All",
    "ApproximateFirstReceiveTimestamp",
    "ApproximateReceiveCount",
    TRACE,
    "DeadLetterQueueSourceArn",
    "MessageDeduplicationId",
    "MessageGroupId",
    "SenderId",
    "SentTimestamp",
    "SequenceNumber",
];

/// A message that is to be sent, and the checksums that its sender compares.
struct Letter {
    outgoing: Outgoing,
    body: String,
    attributes: Option<String>,
    system: Option<String>,
}

impl Letter {
    fn read(call: &Call<'_>, input: &Input<'_>) -> Result<Self, SqsError> {
        let attributes = input.attributes("MessageAttributes")?;
        let system = input.attributes("MessageSystemAttributes")?;
        if let Some(other) = system.keys().find(|name| *name != TRACE) {
            return Err(SqsError::parameter(format!("the system attribute `{other}` cannot be set")));
        }
        let trace = match system.get(TRACE).map(|attribute| &attribute.value) {
            Some(Value::Text(text)) => Some(text.clone()),
            Some(Value::Binary(_)) => return Err(SqsError::parameter(format!("{TRACE} is a String"))),
            None => None,
        };
        let body = input.required("MessageBody")?.to_owned();
        let of = |all: &BTreeMap<String, Attribute>| (!all.is_empty()).then(|| md5::of_attributes(all));
        Ok(Self {
            body: md5::of_body(&body),
            attributes: of(&attributes),
            system: of(&system),
            outgoing: Outgoing {
                id: None,
                body,
                attributes,
                group: input.text("MessageGroupId")?.map(str::to_owned),
                deduplication: input.text("MessageDeduplicationId")?.map(str::to_owned),
                delay_s: input.number("DelaySeconds")?,
                sender: call.sender.clone(),
                trace,
            },
        })
    }
}

/// What the sender is told of a message, with these checksums.
fn told(sent: &Sent, body: String, attributes: Option<String>, system: Option<String>) -> Map<String, Json> {
    let members = [
        ("MessageId", Some(sent.id.to_string())),
        ("MD5OfMessageBody", Some(body)),
        ("MD5OfMessageAttributes", attributes),
        ("MD5OfMessageSystemAttributes", system),
        ("SequenceNumber", sent.sequence.map(sequence)),
    ];
    members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect()
}

/// A place among the others: twenty digits, so that texts sort like numbers.
fn sequence(number: u64) -> String {
    format!("{number:020}")
}

pub(super) async fn send(call: &Call<'_>, path: &QueuePath, input: &Input<'_>) -> Result<Json, SqsError> {
    let Letter { outgoing, body, attributes, system } = Letter::read(call, input)?;
    let sent = call.runtime.message_queues().send(path, outgoing).await?;
    Ok(Json::Object(told(&sent, body, attributes, system)))
}

pub(super) async fn send_batch(call: &Call<'_>, path: &QueuePath, input: &Input<'_>) -> Result<Json, SqsError> {
    let entries = batch(input)?;
    let (mut answers, mut letters, mut bytes) = (Batch::default(), Vec::new(), 0);
    for (id, entry) in &entries {
        match Letter::read(call, entry) {
            Ok(letter) => {
                bytes += letter.outgoing.size();
                letters.push((id.clone(), letter));
            }
            Err(error) => answers.failed(id, &error),
        }
    }
    if bytes > bounds::MAX_MESSAGE_BATCH_BYTES {
        let message = format!("the batch has {bytes} bytes, and the limit is {}", bounds::MAX_MESSAGE_BATCH_BYTES);
        return Err(SqsError::of_sqs("BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong", message));
    }
    let (mut rest, mut outgoing) = (Vec::new(), Vec::new());
    for (id, letter) in letters {
        outgoing.push(letter.outgoing);
        rest.push((id, letter.body, letter.attributes, letter.system));
    }
    let sent = call.runtime.message_queues().send_all(path, outgoing).await?;
    for (sent, (id, body, attributes, system)) in sent.into_iter().zip(rest) {
        match sent {
            Ok(sent) => answers.done(&id, told(&sent, body, attributes, system)),
            Err(error) => answers.failed(&id, &error.into()),
        }
    }
    Ok(answers.shown())
}

pub(super) async fn receive(call: &Call<'_>, path: &QueuePath, input: &Input<'_>) -> Result<Json, SqsError> {
    let most = input.number("MaxNumberOfMessages")?.unwrap_or(1);
    bounds::within("MaxNumberOfMessages", most, &(1..=10)).map_err(|error| SqsError::parameter(error.to_string()))?;
    let mut system: BTreeSet<&str> = input.texts("AttributeNames")?.into_iter().collect();
    system.extend(input.texts("MessageSystemAttributeNames")?);
    if let Some(other) = system.iter().find(|name| !SYSTEM.contains(name)) {
        let message = format!("there is no attribute `{}` of messages", other.chars().take(100).collect::<String>());
        return Err(SqsError::named("InvalidAttributeName", message));
    }
    let attributes = input.texts("MessageAttributeNames")?;
    let asked = Asked {
        most: most as usize,
        visibility_s: input.number("VisibilityTimeout")?,
        wait_s: input.number("WaitTimeSeconds")?,
    };
    let received = match call.runtime.message_queues().receive(path, asked).await {
        // As SQS has it: whoever reads in order waits for what was received before.
        Err(QueueError::InFlight { .. }) if path.name.is_fifo() => Vec::new(),
        received => received?,
    };
    if received.is_empty() {
        return Ok(json!({}));
    }
    let messages: Vec<_> = received.iter().map(|message| shown(message, &system, &attributes)).collect();
    Ok(json!({ "Messages": messages }))
}

fn shown(message: &Received, system: &BTreeSet<&str>, names: &[&str]) -> Json {
    let mut shown = Map::new();
    shown.insert("MessageId".to_owned(), message.id.to_string().into());
    shown.insert("ReceiptHandle".to_owned(), message.receipt.to_string().into());
    shown.insert("MD5OfBody".to_owned(), md5::of_body(&message.body).into());
    shown.insert("Body".to_owned(), message.body.clone().into());
    let known = system_attributes(message);
    let known = known.into_iter().filter(|(name, _)| system.contains("All") || system.contains(name));
    let known: Map<_, _> = known.filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect();
    if !known.is_empty() {
        shown.insert("Attributes".to_owned(), known.into());
    }
    let wanted = |name: &str| {
        names.iter().any(|wanted| match wanted.strip_suffix(".*") {
            Some(prefix) => prefix.is_empty() || name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.')),
            None => *wanted == "All" || *wanted == name,
        })
    };
    let attributes: BTreeMap<_, _> = message.attributes.iter().filter(|(name, _)| wanted(name)).collect();
    if !attributes.is_empty() {
        shown.insert("MD5OfMessageAttributes".to_owned(), md5::of_attributes(attributes.clone()).into());
        let each = attributes.into_iter().map(|(name, attribute)| (name.clone(), input::shown(attribute)));
        shown.insert("MessageAttributes".to_owned(), Json::Object(each.collect()));
    }
    Json::Object(shown)
}

fn system_attributes(message: &Received) -> [(&'static str, Option<String>); 9] {
    let came_from = message.came_from.as_deref().and_then(|from| from.split_once('/'));
    let came_from = came_from.and_then(|(namespace, name)| {
        Some(names::arn(&QueuePath { namespace: namespace.parse().ok()?, name: name.parse().ok()? }))
    });
    [
        ("SenderId", Some(message.sender.clone().unwrap_or_else(|| "anonymous".to_owned()))),
        ("SentTimestamp", Some(message.sent.as_ms().to_string())),
        ("ApproximateReceiveCount", Some(message.receives.to_string())),
        ("ApproximateFirstReceiveTimestamp", Some(message.first_received.as_ms().to_string())),
        ("MessageGroupId", message.group.clone()),
        ("MessageDeduplicationId", message.deduplication.clone()),
        ("SequenceNumber", message.sequence.map(sequence)),
        (TRACE, message.trace.clone()),
        ("DeadLetterQueueSourceArn", came_from),
    ]
}

fn receipt(input: &Input<'_>) -> Result<Receipt, SqsError> {
    Ok(input.required("ReceiptHandle")?.parse::<Receipt>()?)
}

pub(super) async fn delete(call: &Call<'_>, path: &QueuePath, input: &Input<'_>) -> Result<Json, SqsError> {
    call.runtime.message_queues().delete(path, receipt(input)?).await?;
    Ok(json!({}))
}

pub(super) async fn delete_batch(call: &Call<'_>, path: &QueuePath, input: &Input<'_>) -> Result<Json, SqsError> {
    let (mut answers, mut ids, mut receipts) = (Batch::default(), Vec::new(), Vec::new());
    for (id, entry) in &batch(input)? {
        match receipt(entry) {
            Ok(receipt) => {
                ids.push(id.clone());
                receipts.push(receipt);
            }
            Err(error) => answers.failed(id, &error),
        }
    }
    let deleted = call.runtime.message_queues().delete_all(path, receipts).await?;
    for (id, deleted) in ids.iter().zip(deleted) {
        answers.add(id, deleted.map_err(SqsError::from));
    }
    Ok(answers.shown())
}

pub(super) async fn change_visibility(call: &Call<'_>, path: &QueuePath, input: &Input<'_>) -> Result<Json, SqsError> {
    let seconds = input.number("VisibilityTimeout")?.ok_or_else(|| SqsError::missing("VisibilityTimeout"))?;
    call.runtime.message_queues().change_visibility(path, receipt(input)?, seconds).await?;
    Ok(json!({}))
}

pub(super) async fn change_visibility_batch(
    call: &Call<'_>,
    path: &QueuePath,
    input: &Input<'_>,
) -> Result<Json, SqsError> {
    let mut answers = Batch::default();
    for (id, entry) in &batch(input)? {
        answers.add(id, change_visibility(call, path, entry).await.map(|_| ()));
    }
    Ok(answers.shown())
}

/// The entries of a batch by their ids.
fn batch<'a>(input: &Input<'a>) -> Result<Vec<(String, Input<'a>)>, SqsError> {
    let refused = |shape, code, message: &str| Err(SqsError::of_sqs(shape, code, message));
    let entries = input.entries()?;
    if entries.is_empty() {
        let code = "AWS.SimpleQueueService.EmptyBatchRequest";
        return refused("EmptyBatchRequest", code, "the batch has no entries");
    }
    if entries.len() > bounds::MAX_MESSAGE_BATCH {
        let code = "AWS.SimpleQueueService.TooManyEntriesInBatchRequest";
        return refused("TooManyEntriesInBatchRequest", code, "a batch has up to 10 entries");
    }
    let (mut ids, mut found) = (BTreeSet::new(), Vec::with_capacity(entries.len()));
    for entry in entries {
        let id = entry.required("Id")?.to_owned();
        let is_id = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if !is_id || !(1..=80).contains(&id.len()) {
            let code = "AWS.SimpleQueueService.InvalidBatchEntryId";
            return refused("InvalidBatchEntryId", code, "an Id has 1 to 80 letters, digits, `-` and `_`");
        }
        if !ids.insert(id.clone()) {
            let code = "AWS.SimpleQueueService.BatchEntryIdsNotDistinct";
            return refused("BatchEntryIdsNotDistinct", code, "two entries of the batch have the same Id");
        }
        found.push((id, entry));
    }
    Ok(found)
}

/// What became of the entries of a batch.
#[derive(Default)]
struct Batch {
    successful: Vec<Json>,
    failed: Vec<Json>,
}

impl Batch {
    fn add(&mut self, id: &str, done: Result<(), SqsError>) {
        match done {
            Ok(()) => self.done(id, Map::new()),
            Err(error) => self.failed(id, &error),
        }
    }

    fn done(&mut self, id: &str, mut told: Map<String, Json>) {
        told.insert("Id".to_owned(), id.into());
        self.successful.push(told.into());
    }

    fn failed(&mut self, id: &str, error: &SqsError) {
        self.failed.push(json!({
            "Id": id,
            "Code": error.code,
            "SenderFault": error.is_senders(),
            "Message": error.message,
        }));
    }

    fn shown(self) -> Json {
        json!({ "Successful": self.successful, "Failed": self.failed })
    }
}
