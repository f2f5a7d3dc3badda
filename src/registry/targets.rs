//! What the registry asks about a destination outside the runtime before one is set. Whoever brings outcomes there
//! answers.

use std::future::Future;
use std::pin::Pin;

use crate::model::destination::{Outside, Terms};
use crate::model::names::Namespace;
use crate::store::StoreError;

/// A destination that is to be set; it is well formed.
#[derive(Clone, Copy, Debug)]
pub struct TargetAsked<'a> {
    /// Where names are looked up.
    pub namespace: &'a Namespace,
    /// What it is.
    pub to: &'a Outside,
    /// How outcomes are to be brought there.
    pub terms: &'a Terms,
}

/// Why a destination outside the runtime cannot be set.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TargetRefused {
    /// It is not there.
    #[error("{0}")]
    Missing(String),
    /// It may not be reached.
    #[error("{0}")]
    NotAllowed(String),
    /// It could not be looked up.
    #[error("the destination could not be looked up: {0}")]
    Store(#[from] StoreError),
}

/// An answer that arrives later.
pub type Checked<'a> = Pin<Box<dyn Future<Output = Result<(), TargetRefused>> + Send + 'a>>;

/// Knows the places outside the runtime.
pub trait Targets: Send + Sync + 'static {
    /// Whether outcomes can be brought there, as far as that can be told now.
    fn check<'a>(&'a self, asked: TargetAsked<'a>) -> Checked<'a>;
}
