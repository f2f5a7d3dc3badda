//! Publications as messages of queues.

use super::Publication;
use crate::messaging::queues::{Outgoing, PendingSend, QueueError, Queues};
use crate::model::message_queue::QueuePath;
use crate::model::names::Namespace;
use crate::outbound::NotSent;

/// The queue of that name, if any can be called so.
pub(super) fn path(namespace: &Namespace, name: &str) -> Result<QueuePath, NotSent> {
    let name = name.parse().map_err(|error| NotSent::never(format!("{error}")))?;
    Ok(QueuePath { namespace: namespace.clone(), name })
}

/// What sending a publication to a queue changes. It is the message of its id: while that is in the queue, it is not sent
/// twice. A FIFO queue gets those of one topic in one group. A topic takes more than a queue does: so the message is made of
/// the bytes ([`Outgoing::of_bytes`]), and has the first of the attributes that fit ([`Outgoing::tell`]).
pub(super) async fn changes(
    queues: &Queues,
    topic: &super::TopicPath,
    queue: &str,
    publication: &Publication,
) -> Result<PendingSend, NotSent> {
    let path = path(&topic.namespace, queue)?;
    let is_fifo = path.name.is_fifo();
    let mut outgoing = Outgoing {
        id: Some(publication.id),
        group: is_fifo.then(|| topic.name.to_string()),
        deduplication: is_fifo.then(|| publication.id.to_string()),
        sender: Some(format!("topic:{}", topic.name)),
        ..Outgoing::of_bytes(&publication.body)
    };
    publication.attributes.iter().for_each(|(name, value)| outgoing.tell(name, value));
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
