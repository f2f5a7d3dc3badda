//! What the tests of this room share.

use uuid::Uuid;

use super::{Message, Reach};
use crate::model::names::{InvocationId, Namespace};
use crate::model::outcome::OutcomeKind;
use crate::model::time::Timestamp;
use crate::outbound::Allowed;

/// A message with this body, of an invocation of its own.
pub(super) fn message(body: &str) -> Message {
    let id = Uuid::new_v4();
    Message {
        id,
        body: body.to_owned().into(),
        content_type: "application/json".to_owned(),
        headers: vec![("ce-type".to_owned(), "settled".to_owned())],
        namespace: Namespace::default(),
        function: "resize".parse().unwrap(),
        invocation: InvocationId::from_bytes(*id.as_bytes()),
        chain: vec![InvocationId::from_bytes(*id.as_bytes())],
        settled: Timestamp::parse("2026-11-21T09:00:00Z").unwrap(),
        outcome: OutcomeKind::Succeeded,
    }
}

/// Reaches this machine too, as the services of tests are here.
pub(super) fn everywhere() -> Reach {
    Reach::new(Allowed::of(&["0.0.0.0/0".to_owned(), "::/0".to_owned()]).unwrap(), None).unwrap()
}
