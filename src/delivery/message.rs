//! What a delivery brings: the same for every kind of destination.

use bytes::Bytes;
use uuid::Uuid;

use crate::messaging::queues::Outgoing;
use crate::model::names::{FunctionName, InvocationId, Namespace};
use crate::model::outcome::OutcomeKind;
use crate::model::time::Timestamp;

/// What is brought to a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What a receiver knows it by: the same at every try.
    pub id: Uuid,
    /// What it says, in the form that the destination's terms ask for; the same bytes at every try.
    pub body: Bytes,
    /// The media type of `body`; empty where nobody said.
    pub content_type: String,
    /// What goes with it: headers of an HTTP request, attributes elsewhere. Names are lower case.
    pub headers: Vec<(String, String)>,
    /// Whose function has settled: the targets of its destinations are in this namespace.
    pub namespace: Namespace,
    /// The function.
    pub function: FunctionName,
    /// The invocation that has settled.
    pub invocation: InvocationId,
    /// The invocations that led to it, the root first and itself last: what it causes is a step of their chain.
    pub chain: Vec<InvocationId>,
    /// When it settled.
    pub settled: Timestamp,
    /// How it ended.
    pub outcome: OutcomeKind,
}

impl Message {
    /// As a queue takes it, here or elsewhere: with its body in a form that can be sent, and, as attributes, by which id a
    /// receiver knows a repeat, what the body is, and as much of the rest as there is room for.
    pub(super) fn for_queue(&self) -> Outgoing {
        let mut outgoing = Outgoing::of_bytes(&self.body);
        outgoing.tell("tidemill-id", &self.id.to_string());
        outgoing.tell("content-type", &self.content_type);
        self.headers.iter().for_each(|(name, value)| outgoing.tell(name, value));
        outgoing
    }
}
