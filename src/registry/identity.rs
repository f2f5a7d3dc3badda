//! Changes of functions beside what they run: to be there before there is any code, to be called otherwise, to be switched
//! off, to have a version less.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::change::check_annotations;
use super::{Registry, RegistryError};
use crate::model::function::{Annotations, Function};
use crate::model::names::{AliasName, FunctionName, FunctionPath, Qualifier, VersionNumber};
use crate::store::Change;

impl Registry {
    /// Makes a function that has no version yet.
    pub async fn create(&self, path: FunctionPath, annotations: Annotations) -> Result<Arc<Function>, RegistryError> {
        check_annotations(&annotations)?;
        self.change(move |registry| async move {
            let _changing = registry.parts.changing.lock().await;
            if registry.function(&path).is_ok() {
                return Err(RegistryError::FunctionExists(path));
            }
            let function = Function { annotations, ..registry.new_function(path.clone())? };
            registry.keep(function, None).await?;
            registry.function(&path)
        })
        .await
    }

    /// Gives a function another name in its namespace. Refused while something leads to it, which names it, and where
    /// something that leads to the new name already would close a cycle.
    pub async fn rename(&self, path: FunctionPath, name: FunctionName) -> Result<Arc<Function>, RegistryError> {
        self.change(move |registry| async move {
            let _changing = registry.parts.changing.lock().await;
            let function = registry.function(&path)?;
            let renamed = FunctionPath { name, ..path.clone() };
            if renamed == path {
                return Ok(function);
            }
            if registry.function(&renamed).is_ok() {
                return Err(RegistryError::FunctionExists(renamed));
            }
            let used_by = registry.read(|catalogue| catalogue.leading_to(function.id));
            if !used_by.is_empty() {
                return Err(RegistryError::InUse { path, used_by });
            }
            let to = Function { path: renamed.clone(), ..(*function).clone() };
            registry.acyclic(&to, to.configs().map(|config| &config.destinations))?;
            registry.keep(to, None).await?;
            registry.function(&renamed)
        })
        .await
    }

    /// Has a dialect keep something of a function, or nothing more.
    pub async fn annotate(
        &self,
        path: &FunctionPath,
        dialect: &'static str,
        text: Option<String>,
    ) -> Result<Arc<Function>, RegistryError> {
        let edit = move |_: &Self, function: &mut Function| {
            match text {
                Some(text) => drop(function.annotations.insert(dialect.to_owned(), text)),
                None => drop(function.annotations.remove(dialect)),
            }
            check_annotations(&function.annotations)
        };
        self.update(path.clone(), edit).await?;
        self.function(path)
    }

    /// Has invocations of a function refused from now on, or taken again.
    pub async fn disable(&self, path: &FunctionPath, disabled: bool) -> Result<Arc<Function>, RegistryError> {
        let edit = move |_: &Self, function: &mut Function| {
            function.disabled = disabled;
            Ok(())
        };
        self.update(path.clone(), edit).await?;
        self.function(path)
    }

    /// Removes a version with its own configuration, and with those of `aliases` that are on it; what is queued for it settles
    /// as failed. Refused for the latest, while another alias leads to it, and while it or one of them is a destination.
    pub async fn delete_version(
        &self,
        path: FunctionPath,
        number: VersionNumber,
        aliases: BTreeSet<AliasName>,
    ) -> Result<(), RegistryError> {
        self.change(move |registry| async move {
            let _changing = registry.parts.changing.lock().await;
            let mut function = (*registry.function(&path)?).clone();
            registry.existing(&function, number)?;
            if function.latest == Some(number) {
                return Err(RegistryError::LatestVersion { path, number });
            }
            for alias in aliases {
                if function.aliases.get(&alias) == Some(&number) {
                    registry.remove_alias(&mut function, alias)?;
                }
            }
            let leads = |to: &VersionNumber| *to == number;
            let weighted = function.weights.iter().find(|(_, weights)| weights.keys().any(leads));
            let alias = function.aliases.iter().find(|(_, to)| leads(to)).map(|(alias, _)| alias);
            if let Some(alias) = alias.or(weighted.map(|(alias, _)| alias)).cloned() {
                return Err(RegistryError::VersionAliased { path, number, alias });
            }
            registry.check_no_destination(&function, Qualifier::Version(number))?;
            function.version_configs.remove(&number);
            let id = function.id;
            let changes = vec![Change::PutFunction(Box::new(function.clone())), Change::RemoveVersion(id, number)];
            let publish = move |catalogue: &mut super::Catalogue| {
                catalogue.put(Arc::new(function));
                catalogue.remove_version(id, number);
            };
            registry.commit(changes, Box::new(publish)).await
        })
        .await
    }
}
