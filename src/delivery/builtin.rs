//! Queues, streams and topics of this runtime as destinations: whether there is such a one, and bringing a message there.
//! Each knows a repeat by the message's id.

use super::{Message, NotSent};
use crate::messaging::queues::{Outgoing, QueueError, Queues};
use crate::messaging::streams::{NewRecord, StreamError, StreamPath, Streams};
use crate::messaging::topics::{Publication, TopicError, TopicPath, Topics};
use crate::model::destination::{Outside, OutsideKind};
use crate::model::message_queue::QueuePath;
use crate::model::names::Namespace;

/// The queues, streams and topics of a runtime. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Builtin {
    queues: Queues,
    streams: Streams,
    topics: Option<Topics>,
}

impl Builtin {
    /// These queues and streams.
    pub fn new(queues: Queues, streams: Streams) -> Self {
        Self { queues, streams, topics: None }
    }

    /// And these topics.
    #[must_use]
    pub fn and(self, topics: Topics) -> Self {
        Self { topics: Some(topics), ..self }
    }

    /// Tries once; `None` where it is nothing of this runtime.
    pub(super) async fn send(&self, to: &Outside, message: &Message) -> Option<Result<(), NotSent>> {
        match to.kind {
            OutsideKind::Queue => Some(self.enqueue(&to.target, message).await),
            OutsideKind::Stream => Some(self.append(&to.target, message).await),
            OutsideKind::Topic => Some(publish(self.topics.as_ref()?, &to.target, message).await),
            OutsideKind::Object | OutsideKind::Webhook => None,
        }
    }

    /// Whether there is such a one; `None` where it is nothing of this runtime.
    pub(super) fn exists(&self, namespace: &Namespace, to: &Outside) -> Option<bool> {
        match to.kind {
            OutsideKind::Queue => {
                Some(queue(namespace, &to.target).is_ok_and(|path| self.queues.describe(&path).is_ok()))
            }
            OutsideKind::Stream => Some(stream(namespace, &to.target).is_ok_and(|path| self.streams.exists(&path))),
            OutsideKind::Topic => {
                let there = |path: TopicPath| self.topics.as_ref().is_some_and(|topics| topics.exists(&path));
                Some(topic(namespace, &to.target).is_ok_and(there))
            }
            OutsideKind::Object | OutsideKind::Webhook => None,
        }
    }

    async fn enqueue(&self, target: &str, message: &Message) -> Result<(), NotSent> {
        let path = queue(&message.namespace, target)?;
        let id = message.id.to_string();
        // Records have no order to keep, so none waits for another; a repeat is known by its id.
        let (group, deduplication) = if path.name.is_fifo() { (Some(id.clone()), Some(id)) } else { (None, None) };
        let outgoing = Outgoing { id: Some(message.id), group, deduplication, ..message.for_queue() };
        let sent = self.queues.send(&path, outgoing).await;
        sent.map(drop).map_err(|error| match error {
            QueueError::Full { .. }
            | QueueError::InFlight { .. }
            | QueueError::Interrupted
            | QueueError::Purging(_)
            | QueueError::Store(_) => NotSent::retry(error.to_string()),
            error => NotSent::never(error.to_string()),
        })
    }

    async fn append(&self, target: &str, message: &Message) -> Result<(), NotSent> {
        let path = stream(&message.namespace, target)?;
        let record = NewRecord {
            id: Some(message.id),
            key: Some(message.function.to_string()),
            content_type: Some(message.content_type.clone()).filter(|text| !text.is_empty()),
            attributes: message.headers.clone(),
            data: message.body.clone(),
        };
        let appended = self.streams.append(&path, vec![record]).await;
        appended.map(drop).map_err(|error| match error {
            StreamError::Busy(_) | StreamError::Interrupted | StreamError::Store(_) => {
                NotSent::retry(error.to_string())
            }
            error => NotSent::never(error.to_string()),
        })
    }
}

async fn publish(topics: &Topics, target: &str, message: &Message) -> Result<(), NotSent> {
    let path = topic(&message.namespace, target)?;
    let publication = Publication {
        id: message.id,
        body: message.body.clone(),
        content_type: message.content_type.clone(),
        attributes: message.headers.clone(),
        outcome: Some(message.outcome),
        chain: message.chain.clone(),
    };
    topics.publish(&path, publication).await.map(drop).map_err(|error| match error {
        TopicError::Busy(_) | TopicError::Full { .. } | TopicError::Interrupted | TopicError::Store(_) => {
            NotSent::retry(error.to_string())
        }
        error => NotSent::never(error.to_string()),
    })
}

fn queue(namespace: &Namespace, target: &str) -> Result<QueuePath, NotSent> {
    let name = target.parse().map_err(|error| NotSent::never(format!("{error}")))?;
    Ok(QueuePath { namespace: namespace.clone(), name })
}

fn stream(namespace: &Namespace, target: &str) -> Result<StreamPath, NotSent> {
    let name = target.parse().map_err(|error| NotSent::never(format!("{error}")))?;
    Ok(StreamPath { namespace: namespace.clone(), name })
}

fn topic(namespace: &Namespace, target: &str) -> Result<TopicPath, NotSent> {
    let name = target.parse().map_err(|error| NotSent::never(format!("{error}")))?;
    Ok(TopicPath { namespace: namespace.clone(), name })
}
