//! What the guests of an engine reach others by, one for all of them; what each may reach is in its version's grants.

use std::sync::Arc;

use super::directories::Roots;
use super::outgoing::Outbound;
use crate::engine::settings::{EngineError, Reach};

/// The ways out.
pub(in crate::engine) struct Outward {
    pub(in crate::engine) roots: Roots,
    pub(super) outbound: Arc<Outbound>,
}

impl Outward {
    /// Looks at the directories and the certificates that the operator named.
    pub(in crate::engine) fn open(reach: &Reach) -> Result<Self, EngineError> {
        let roots = Roots::new(&reach.directories);
        let roots = roots.map_err(|(path, source)| EngineError::Directory { path, source })?;
        let outbound = Outbound::new(reach.outbound_ca.as_deref());
        let outbound = outbound.map_err(|unusable| EngineError::Authority(unusable.to_string()))?;
        Ok(Self { roots, outbound: Arc::new(outbound) })
    }
}
