//! `wasi:config`: the values that a version is granted, and its environment behind them.

use std::sync::Arc;

use wasmtime::component::Linker;
use wasmtime_wasi_config::{WasiConfig, WasiConfigVariables};

use super::Host;
use crate::model::function::Version;

/// What a guest finds. Put together for the first question; most guests ask none.
pub(super) struct Config {
    version: Option<Arc<Version>>,
    values: Option<WasiConfigVariables>,
}

impl Config {
    /// Of a guest that never runs.
    pub(super) const fn none() -> Self {
        Self { version: None, values: None }
    }

    pub(super) fn of(version: &Arc<Version>) -> Self {
        Self { version: Some(Arc::clone(version)), values: None }
    }

    fn values(&mut self) -> WasiConfig<'_> {
        let version = self.version.as_deref();
        let values = self.values.get_or_insert_with(|| {
            let pairs =
                version.into_iter().flat_map(|version| version.environment.iter().chain(&version.grants.config));
            pairs.map(|(name, value)| (name.clone(), value.clone())).collect() // of two the latter stays
        });
        WasiConfig::from(&*values)
    }
}

/// Provides `wasi:config/store`.
pub(super) fn add_to_linker(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    wasmtime_wasi_config::add_to_linker(linker, |host: &mut Host| host.config.values())
}
