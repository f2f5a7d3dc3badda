//! Changes of functions. Each is checked, committed and then published, under one lock; a caller that goes away does not stop
//! a change half way. Here is how that is done, with the changes that need nothing else: queue, aliases, removal.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, PoisonError};

use super::{Catalogue, Registry, RegistryError};
use crate::model::bounds::{self, within};
use crate::model::function::{Annotations, Function, Version, Weights};
use crate::model::names::{AliasName, FunctionId, FunctionPath, Qualifier, VersionNumber};
use crate::model::queue::QueueConfig;
use crate::store::{Change, Durability, Group};

/// Which functions are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// One that nothing leads to.
    Usual,
    /// Any.
    Forced,
    /// One that has no version, whatever leads to it.
    WithoutVersion,
}

/// What a change does to the catalogue once it is committed.
type Publish = Box<dyn FnOnce(&mut Catalogue) + Send>;

impl Registry {
    /// Changes the settings of a function's queue. Returns the function as it then is.
    pub async fn set_queue(
        &self,
        path: &FunctionPath,
        change: impl FnOnce(&mut QueueConfig) + Send + 'static,
    ) -> Result<Arc<Function>, RegistryError> {
        let edit = move |_: &Self, function: &mut Function| {
            change(&mut function.queue);
            Ok(())
        };
        self.update(path.clone(), edit).await?;
        self.function(path)
    }

    /// Points an alias at a version and, with weights, at others, or removes it, which is refused while it is a destination.
    pub async fn alias(
        &self,
        path: FunctionPath,
        alias: AliasName,
        to: Option<(VersionNumber, Weights)>,
    ) -> Result<(), RegistryError> {
        self.update(path, move |registry, function| {
            let Some((number, weights)) = to else {
                return registry.remove_alias(function, alias);
            };
            registry.existing(function, number)?;
            weights.keys().try_for_each(|other| registry.existing(function, *other))?;
            let sum = weights.values().map(|weight| u32::from(*weight)).sum();
            within("the sum of the weights", sum, &bounds::ALIAS_WEIGHTS).map_err(RegistryError::Range)?;
            function.aliases.insert(alias.clone(), number);
            if weights.is_empty() {
                function.weights.remove(&alias);
            } else {
                function.weights.insert(alias, weights);
            }
            check_count("another alias", function.aliases.len(), bounds::MAX_ALIASES)
        })
        .await
    }

    /// Deletes a function and its versions. Refused while it is a destination, unless forced. Returns its id.
    pub async fn delete(&self, path: FunctionPath, removal: Removal) -> Result<Option<FunctionId>, RegistryError> {
        self.change(move |registry| async move {
            let _changing = registry.parts.changing.lock().await;
            let function = registry.function(&path)?;
            let id = function.id;
            if removal == Removal::WithoutVersion && function.latest.is_some() {
                return Ok(None);
            }
            let used_by = registry.read(|catalogue| catalogue.leading_to(id));
            if removal == Removal::Usual && !used_by.is_empty() {
                return Err(RegistryError::InUse { path, used_by });
            }
            registry.commit(vec![Change::RemoveFunction(id)], Box::new(move |catalogue| catalogue.remove(id))).await?;
            Ok(Some(id))
        })
        .await
    }

    pub(super) fn new_function(&self, path: FunctionPath) -> Result<Function, RegistryError> {
        check_count("another function", self.read(Catalogue::len) + 1, bounds::MAX_FUNCTIONS)?;
        Ok(Function {
            id: self.parts.clock.function_id(),
            path,
            created: self.parts.clock.now(),
            latest: None,
            aliases: BTreeMap::new(),
            async_config: None,
            version_configs: BTreeMap::new(),
            queue: QueueConfig::default(),
            annotations: Annotations::new(),
            weights: BTreeMap::new(),
            disabled: false,
        })
    }

    pub(super) fn remove_alias(&self, function: &mut Function, alias: AliasName) -> Result<(), RegistryError> {
        function.weights.remove(&alias);
        let removed = function.aliases.remove(&alias);
        let qualifier = Qualifier::Alias(alias);
        match removed {
            Some(_) => self.check_no_destination(function, qualifier),
            None => Err(unknown(function, qualifier)),
        }
    }

    /// Refuses an alias or a version that is to go while others have it as a destination: what comes that way would fail.
    pub(super) fn check_no_destination(&self, function: &Function, qualifier: Qualifier) -> Result<(), RegistryError> {
        let used_by = self.read(|catalogue| catalogue.leading_to_qualifier(function.id, &qualifier));
        let path = function.path.clone();
        if used_by.is_empty() { Ok(()) } else { Err(RegistryError::QualifierInUse { path, qualifier, used_by }) }
    }

    pub(super) fn existing(&self, function: &Function, number: VersionNumber) -> Result<(), RegistryError> {
        let missing = || unknown(function, Qualifier::Version(number));
        self.version(function.id, number).map(|_| ()).ok_or_else(missing)
    }

    /// A change of a function's settings.
    pub(super) async fn update(
        &self,
        path: FunctionPath,
        edit: impl FnOnce(&Self, &mut Function) -> Result<(), RegistryError> + Send + 'static,
    ) -> Result<(), RegistryError> {
        self.change(move |registry| async move {
            let _changing = registry.parts.changing.lock().await;
            let mut function = (*registry.function(&path)?).clone();
            edit(&registry, &mut function)?;
            registry.keep(function, None).await
        })
        .await
    }

    pub(super) async fn keep(&self, function: Function, version: Option<Version>) -> Result<(), RegistryError> {
        let id = function.id;
        let mut changes = vec![Change::PutFunction(Box::new(function.clone()))];
        changes.extend(version.clone().map(|version| Change::PutVersion(id, Box::new(version))));
        let publish = move |catalogue: &mut Catalogue| {
            catalogue.put(Arc::new(function));
            if let Some(version) = version {
                catalogue.put_version(id, Arc::new(version));
            }
        };
        self.commit(changes, Box::new(publish)).await
    }

    pub(super) async fn commit(&self, changes: Vec<Change>, publish: Publish) -> Result<(), RegistryError> {
        self.parts.store.commit(Group(changes), Durability::Synced).await.map_err(RegistryError::Store)?;
        publish(&mut self.parts.catalogue.write().unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }

    /// Sees a change through, also when the caller goes away.
    pub(super) async fn change<T, F>(&self, change: impl FnOnce(Self) -> F) -> Result<T, RegistryError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, RegistryError>> + Send + 'static,
    {
        self.parts.tasks.see_through("change", change(self.clone())).await.unwrap_or(Err(RegistryError::Interrupted))
    }
}

pub(super) fn check_annotations(annotations: &Annotations) -> Result<(), RegistryError> {
    let longest = annotations.values().map(String::len).max().unwrap_or_default();
    check_count("the bytes that a dialect keeps", longest, bounds::MAX_ANNOTATION_BYTES)
}

pub(super) fn check_count(what: &'static str, count: usize, limit: usize) -> Result<(), RegistryError> {
    if count <= limit { Ok(()) } else { Err(RegistryError::TooMany { what, limit }) }
}

fn unknown(function: &Function, qualifier: Qualifier) -> RegistryError {
    RegistryError::VersionUnknown { path: function.path.clone(), qualifier }
}
