//! What a trigger asks of the runtime: the trait that the runtime implements, and what goes over it as plain values.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;

use crate::model::destination::FunctionTarget;
use crate::model::message_queue::QueueName;
use crate::model::names::{AccountName, InvocationId, Namespace};
use crate::model::time::Timestamp;
use crate::model::trigger::Trigger;
use crate::store::Change;

/// An answer that arrives later. Dropped before, what was asked may or may not be done.
pub type Starting<'a> = Pin<Box<dyn Future<Output = Result<(), NotStarted>> + Send + 'a>>;

/// Accepts what triggers start.
pub trait Starts: Send + Sync + 'static {
    /// Accepts an asynchronous invocation with all that changes with it: both or neither. Answers once it would survive a
    /// power cut. Where there is an invocation of that id already, only the changes are made.
    fn start(&self, order: Order) -> Starting<'_>;
}

/// An invocation that a trigger starts.
#[derive(Clone, Debug)]
pub struct Order {
    /// Its id, derived from the trigger and what it fires for.
    pub id: InvocationId,
    /// What is invoked.
    pub target: FunctionTarget,
    /// When it was due, which is not later than now: its age counts from here.
    pub due: Timestamp,
    /// What it brings.
    pub payload: Bytes,
    /// The media type of that.
    pub content_type: String,
    /// What the function is told besides.
    pub attributes: Vec<(String, String)>,
    /// What else is in the commit.
    pub also: Vec<Change>,
    /// For whom it is started, where somebody has to be allowed to.
    pub acting: Option<Acting>,
}

/// An account that a trigger acts for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acting {
    /// Whose account it is, and whose queue.
    pub namespace: Namespace,
    /// The account.
    pub account: AccountName,
    /// The queue that it takes from.
    pub queue: Option<QueueName>,
}

impl Acting {
    /// Whoever a trigger acts for.
    pub(super) fn of(trigger: &Trigger) -> Option<Self> {
        let account = trigger.service_account.clone()?;
        Some(Self { namespace: trigger.namespace.clone(), account, queue: trigger.kind.queue().cloned() })
    }
}

/// Why nothing was started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotStarted {
    /// The function is not there, or is not to be invoked: trying again is pointless until somebody changes that.
    #[error("{0}")]
    Gone(String),
    /// Not now.
    #[error("{why}")]
    Refused {
        /// Why.
        why: String,
        /// When to come again, where that is known.
        after: Option<Duration>,
    },
}
