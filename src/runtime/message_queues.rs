//! Use cases around message queues, which the queues themselves are: each of their methods is one.

use super::Runtime;
use crate::messaging::queues::Queues;

impl Runtime {
    /// The message queues.
    pub fn message_queues(&self) -> &Queues {
        &self.parts.message_queues
    }
}
