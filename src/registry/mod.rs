//! Which functions there are, and the way from `name@qualifier` to a version that is ready to run.
//!
//! All of it is in memory, as the store last held it; changes are made one at a time (`change`), so a check
//! such as the one for cycles sees what the write will be added to. Runs nothing.

mod catalogue;
mod change;
mod configure;
mod deploy;
mod edges;
mod error;
mod identity;
mod targets;

use std::sync::{Arc, OnceLock, PoisonError, RwLock, Weak};

use bytes::Bytes;
use tokio::sync::Mutex;

pub use catalogue::{Catalogue, Link, Way};
pub use change::Removal;
pub use configure::{ConfigText, Subject};
pub use deploy::Deployment;
pub use edges::Changing;
pub use error::RegistryError;
pub use targets::{Checked, TargetAsked, TargetRefused, Targets};

use crate::clock::{self, Clock};
use crate::engine::{CodeId, Engine, LoadError, Ready};
use crate::model::function::{Function, Version};
use crate::model::names::{FunctionId, FunctionPath, Qualifier, VersionNumber};
use crate::store::{Live, Store, StoreError};
use crate::tasks::Tasks;

/// The functions of a runtime. Cheap to clone; all clones are the same registry.
#[derive(Clone)]
pub struct Registry {
    parts: Arc<Parts>,
}

struct Parts {
    store: Arc<dyn Store>,
    engine: Engine,
    clock: Clock,
    tasks: Tasks,
    catalogue: RwLock<Catalogue>,
    /// Held over check, commit and publication of a change.
    changing: Arc<Mutex<()>>,
    /// Whom to ask about destinations outside; nobody is asked until it is set.
    /// Weak, since what is asked leads back here, and a store closes when nobody has it any more.
    targets: OnceLock<Weak<dyn Targets>>,
}

impl Registry {
    /// A registry of what the store held when it was opened.
    pub fn open(store: Arc<dyn Store>, engine: Engine, clock: Clock, tasks: Tasks, live: &Live) -> Self {
        let catalogue = RwLock::new(Catalogue::of(&live.functions));
        let (changing, targets) = (Arc::default(), OnceLock::new());
        Self { parts: Arc::new(Parts { store, engine, clock, tasks, catalogue, changing, targets }) }
    }

    /// Has `targets` asked about destinations outside the runtime from now on, as long as somebody else holds it. Those that
    /// were set are not asked about again.
    pub fn ask_about_targets(&self, targets: &Arc<dyn Targets>) {
        drop(self.parts.targets.set(Arc::downgrade(targets))); // the first stays
    }

    /// The function that has this name.
    pub fn function(&self, path: &FunctionPath) -> Result<Arc<Function>, RegistryError> {
        self.read(|catalogue| catalogue.named(path).cloned())
            .ok_or_else(|| RegistryError::FunctionUnknown(path.clone()))
    }

    /// The function and the version of it that `qualifier` means now.
    pub fn resolve(
        &self,
        path: &FunctionPath,
        qualifier: &Qualifier,
    ) -> Result<(Arc<Function>, Arc<Version>), RegistryError> {
        let function = self.function(path)?;
        let unknown = || RegistryError::VersionUnknown { path: path.clone(), qualifier: qualifier.clone() };
        let number = function.resolve(qualifier).ok_or_else(unknown)?;
        let version = self.version(function.id, number).ok_or_else(unknown)?;
        Ok((function, version))
    }

    /// The same for one invocation: where an alias has weights, it is drawn which version that is.
    pub fn resolve_to_run(
        &self,
        path: &FunctionPath,
        qualifier: &Qualifier,
    ) -> Result<(Arc<Function>, Arc<Version>), RegistryError> {
        let id = self.function(path)?.id;
        let unknown = || RegistryError::VersionUnknown { path: path.clone(), qualifier: qualifier.clone() };
        self.resolve_id_to_run(id, qualifier).ok_or_else(unknown)
    }

    /// The function with this id and the version of it that an invocation of `qualifier` is to run, if both are there.
    pub fn resolve_id_to_run(&self, id: FunctionId, qualifier: &Qualifier) -> Option<(Arc<Function>, Arc<Version>)> {
        let function = self.read(|catalogue| catalogue.function(id).cloned())?;
        let version = self.version(id, function.drawn(qualifier, clock::percent())?)?;
        Some((function, version))
    }

    /// The function with this id.
    pub fn function_by_id(&self, id: FunctionId) -> Option<Arc<Function>> {
        self.read(|catalogue| catalogue.function(id).cloned())
    }

    /// The bytes of a version's module.
    pub async fn module(&self, version: &Version) -> Result<Bytes, RegistryError> {
        let missing = || StoreError::Damaged {
            what: format!("the module {}", version.digest),
            detail: "it is not there".to_owned(),
        };
        let found = self.parts.store.module(version.digest).await.map_err(RegistryError::Store)?;
        found.ok_or_else(|| RegistryError::Store(missing()))
    }

    /// One version.
    pub fn version(&self, id: FunctionId, number: VersionNumber) -> Option<Arc<Version>> {
        self.read(|catalogue| catalogue.version(id, number).cloned())
    }

    /// Every version of a function, the oldest first.
    pub fn versions(&self, id: FunctionId) -> Vec<Arc<Version>> {
        self.read(|catalogue| catalogue.versions(id).cloned().collect())
    }

    /// Reads the catalogue; `look` must be quick.
    pub fn read<T>(&self, look: impl FnOnce(&Catalogue) -> T) -> T {
        look(&self.parts.catalogue.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The version's code, loaded and linked; compiles it where no compiled form is kept.
    pub async fn ready(&self, version: &Version) -> Result<Ready, LoadError> {
        let digest = version.digest;
        let module = async move {
            match self.parts.store.module(digest).await {
                Ok(Some(module)) => Ok::<Bytes, String>(module),
                Ok(None) => Err(format!("the module {digest} is not in the store")),
                Err(error) => Err(error.to_string()),
            }
        };
        self.parts.engine.load(CodeId::of(version), &version.entrypoint, module).await
    }
}

#[cfg(test)]
mod tests;
