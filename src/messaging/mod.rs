//! Messages that people and functions send each other: built in, and kept on the store. Not the queue of invocations,
//! which is `dispatch`'s.

mod blob;

pub mod queues;
pub mod streams;
pub mod topics;
