//! What a guest needs for asking the runtime: who it is, what it may reach, and where it asks.

use std::sync::Arc;

use crate::engine::asks::Asks;
use crate::engine::call::{Call, Identity};
use crate::model::function::Version;
use crate::model::grant::Grants;

/// One guest's way to the runtime.
pub(super) struct Inward {
    pub(super) identity: Arc<Identity>,
    pub(super) desk: Arc<dyn Asks>,
    version: Arc<Version>,
}

impl Inward {
    pub(super) fn of(call: &Call) -> Self {
        let Call { identity, version, desk, .. } = call;
        Self { identity: Arc::clone(identity), version: Arc::clone(version), desk: Arc::clone(desk) }
    }

    /// What it may reach.
    pub(super) fn grants(&self) -> &Grants {
        &self.version.grants
    }
}
