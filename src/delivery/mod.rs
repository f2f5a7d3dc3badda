//! Brings what has settled to destinations outside the runtime. Writes no state: `dispatch` does.
//!
//! `message` is what is brought. `connections` says how to reach services outside and `reach` reaches them; `object`,
//! `sqs` and `nats` are kinds of destination.

mod message;

mod form;
mod xml;

mod reach;

mod connections;

mod nats;
mod object;
mod sqs;

pub use connections::{ConnectionError, Connections};
pub use message::Message;
pub use nats::NatsDelivery;
pub use object::{Content, Home, Object, ObjectDelivery, ObjectError, Objects, Place};
pub use reach::Reach;
pub use sqs::SqsDelivery;

pub use crate::outbound::NotSent;

#[cfg(test)]
mod tests;
