//! Messages that people and functions send each other: built in, and kept on the store. Not the queue of invocations,
//! which is `dispatch`'s.

pub mod queues;
