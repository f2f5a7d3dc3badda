//! Brings what has settled to destinations outside the runtime. Writes no state: `dispatch` does.

mod message;

pub use message::{Message, NotSent};
