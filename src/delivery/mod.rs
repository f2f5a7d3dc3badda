//! Brings what has settled to destinations outside the runtime: what is sent (`render`), and how to each kind
//! ([`Carrier`]). Tries once, and says how that failed. Writes no state and decides nothing about another try: `dispatch`
//! does.

mod carrier;
mod message;
mod render;

pub use carrier::Carrier;
pub use message::Message;
pub use render::{Known, Payloads, Rendered, message, needs_result, payload};

pub use crate::outbound::NotSent;
