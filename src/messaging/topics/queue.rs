//! Publications as messages of queues.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::Publication;
use crate::messaging::queues::{Attribute, Outgoing, PendingSend, QueueError, Queues, Value};
use crate::model::message_queue::QueuePath;
use crate::model::names::Namespace;
use crate::outbound::NotSent;

/// The queue of that name, if any can be called so.
pub(super) fn path(namespace: &Namespace, name: &str) -> Result<QueuePath, NotSent> {
    let name = name.parse().map_err(|error| NotSent::never(format!("{error}")))?;
    Ok(QueuePath { namespace: namespace.clone(), name })
}

/// What sending a publication to a queue changes. It is the message of its id: while that is in the queue, it is not sent
/// twice. A FIFO queue gets those of one topic in one group.
pub(super) async fn changes(
    queues: &Queues,
    topic: &super::TopicPath,
    queue: &str,
    publication: &Publication,
) -> Result<PendingSend, NotSent> {
    let path = path(&topic.namespace, queue)?;
    let text = |value: &str| Attribute { kind: "String".to_owned(), value: Value::Text(value.to_owned()) };
    let told = publication.attributes.iter().filter(|(_, value)| !value.is_empty());
    let mut attributes: std::collections::BTreeMap<_, _> =
        told.map(|(name, value)| (name.clone(), text(value))).collect();
    let body = if let Ok(body) = std::str::from_utf8(&publication.body) {
        body.to_owned()
    } else {
        attributes.insert("content-encoding".to_owned(), text("base64"));
        BASE64_STANDARD.encode(&publication.body)
    };
    let is_fifo = path.name.is_fifo();
    let outgoing = Outgoing {
        id: Some(publication.id),
        body,
        attributes,
        group: is_fifo.then(|| topic.name.to_string()),
        deduplication: is_fifo.then(|| publication.id.to_string()),
        sender: Some(format!("topic:{}", topic.name)),
        ..Outgoing::default()
    };
    queues.changes_of_send(&path, outgoing).await.map_err(|error| not_sent(&error))
}

/// What is full, busy or gone may be otherwise later; what the queue does not take it never will.
fn not_sent(error: &QueueError) -> NotSent {
    match error {
        QueueError::Full { .. }
        | QueueError::InFlight { .. }
        | QueueError::Interrupted
        | QueueError::Store(_)
        | QueueError::Unknown(_) => NotSent::retry(error.to_string()),
        _ => NotSent::never(error.to_string()),
    }
}
