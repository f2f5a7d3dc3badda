//! What messages go through inside the runtime, on the store: streams and topics. Knows no function and no HTTP.

pub mod streams;
pub mod topics;

mod form;
