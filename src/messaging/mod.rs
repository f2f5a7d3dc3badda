//! What messages go through inside the runtime, on the store: streams. Knows no function and no HTTP.

pub mod streams;

mod form;
