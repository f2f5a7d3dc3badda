//! Brings what has settled to destinations outside the runtime: what is sent (`render`), and how to each kind
//! ([`Carrier`]). Tries once, and says how that failed. Writes no state and decides nothing about another try: `dispatch`
//! does.
//!
//! `connections` says how to reach services outside and `reach` reaches them; `object`, `sqs` and `nats` are kinds of
//! destination.

mod message;
mod render;

mod xml;

mod reach;

mod connections;

mod nats;
mod object;
mod sqs;

mod services;

mod builtin;
mod carrier;

pub use builtin::Builtin;
pub use carrier::Carrier;
pub use connections::{ConnectionError, Connections};
pub use message::Message;
pub use nats::NatsDelivery;
pub use object::{Content, Home, Object, ObjectDelivery, ObjectError, Objects, Place};
pub use reach::Reach;
pub use render::{Known, Payloads, Rendered, message, needs_result, payload};
pub use services::Services;
pub use sqs::SqsDelivery;

pub use crate::outbound::NotSent;

#[cfg(test)]
mod tests;
