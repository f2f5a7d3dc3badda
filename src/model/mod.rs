//! What Tidemill is about, as values and rules: names, functions, the life of an invocation.
//!
//! Pure by construction. Nothing here reads a clock, a disk or a socket, and nothing is async: time and
//! identity come in as arguments, so every rule can be tested in microseconds and a recovery after a crash
//! runs the very function that a normal day runs ([`invocation::Invocation::after`]).
//!
//! The types derive serde for one reader only, the store ([`crate::store`]); what people see on the wire
//! is shaped by the dialects in [`crate::http`].

pub mod bounds;
pub mod time;

pub mod names;

pub mod access;

pub mod reference;
pub mod secret;

pub mod retry;

pub mod connection;
pub mod destination;
pub mod graph;
pub mod object;

pub mod message_queue;
pub mod outcome;
pub mod queue;

pub mod schedule;
pub mod trigger;

pub mod grant;

pub mod entrypoint;
pub mod function;
pub mod place;
pub mod usage;

pub mod invocation;
pub mod record;
pub mod status;
pub mod target;

#[cfg(test)]
pub(crate) mod samples;
