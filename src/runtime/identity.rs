//! Use cases around functions that are more than their code: made before there is any, called otherwise, switched off, with a
//! version less.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

use super::{Error, Runtime};
use crate::access::Caller;
use crate::model::access::{Permission, Scope};
use crate::model::function::{Annotations, Function};
use crate::model::names::{AliasName, FunctionId, FunctionName, FunctionPath, Namespace, Qualifier, VersionNumber};
use crate::registry::RegistryError;

impl Runtime {
    /// Makes a function that has no version yet.
    pub async fn create_function(&self, path: FunctionPath, annotations: Annotations) -> Result<Arc<Function>, Error> {
        Ok(self.parts.registry.create(path, annotations).await?)
    }

    /// A function, also one without a version.
    pub fn function(&self, path: &FunctionPath) -> Result<Arc<Function>, Error> {
        Ok(self.parts.registry.function(path)?)
    }

    /// The function with this id, also one without a version; `None` where there is none.
    pub fn function_by_id(&self, id: FunctionId) -> Option<Arc<Function>> {
        self.parts.registry.function_by_id(id)
    }

    /// Functions that the caller may see, those without a version too, in order of name, from behind `after`, at most
    /// `limit`; and where to go on, `None` at the end.
    pub fn all_functions(
        &self,
        caller: &Caller,
        namespace: Option<&Namespace>,
        after: Option<&FunctionPath>,
        limit: usize,
    ) -> (Vec<Arc<Function>>, Option<FunctionPath>) {
        self.parts.registry.read(|catalogue| {
            let mut all = catalogue.functions(namespace, after).filter(|it| self.sees(caller, &it.path));
            let functions: Vec<_> = all.by_ref().take(limit).cloned().collect();
            let last = functions.last().map(|last| last.path.clone());
            (functions, all.next().and(last))
        })
    }

    /// Gives a function another name in its namespace. Refused while something leads to it.
    pub async fn rename_function(&self, path: FunctionPath, name: FunctionName) -> Result<Arc<Function>, Error> {
        Ok(self.parts.registry.rename(path, name).await?)
    }

    /// Has a dialect keep something of a function, in JSON, or nothing more.
    pub async fn annotate_function(
        &self,
        path: &FunctionPath,
        dialect: &'static str,
        text: Option<String>,
    ) -> Result<Arc<Function>, Error> {
        Ok(self.parts.registry.annotate(path, dialect, text).await?)
    }

    /// Refuses invocations of a function from now on and takes nothing from its queue, or does both again.
    pub async fn disable_function(&self, path: &FunctionPath, disabled: bool) -> Result<Arc<Function>, Error> {
        let (runtime, path) = (self.clone(), path.clone());
        let changed = async move {
            let function = runtime.parts.registry.disable(&path, disabled).await?;
            runtime.parts.dispatch.queue_changed(function.id);
            Ok(function)
        };
        // Both or neither, also when the caller goes away between them.
        let changed = self.parts.tasks.see_through("disable", changed).await;
        changed.unwrap_or(Err(Error::Registry(RegistryError::Interrupted)))
    }

    /// Removes a version with those of `aliases` that are on it; what is queued for it settles as failed, with
    /// `FunctionRemoved`. Refused for the latest, while another alias leads to it, and while it or one of them is a destination.
    pub async fn delete_version(
        &self,
        path: FunctionPath,
        number: VersionNumber,
        aliases: BTreeSet<AliasName>,
    ) -> Result<(), Error> {
        Ok(self.parts.registry.delete_version(path, number, aliases).await?)
    }

    /// The bytes of a version's module: to show them, or to deploy them again with other settings.
    pub async fn module(&self, path: &FunctionPath, qualifier: &Qualifier) -> Result<Bytes, Error> {
        let (_, version) = self.parts.registry.resolve(path, qualifier)?;
        Ok(self.parts.registry.module(&version).await?)
    }

    pub(super) fn sees(&self, caller: &Caller, path: &FunctionPath) -> bool {
        let allowed = || self.parts.access.allows(caller, Permission::FunctionsView, &Scope::function(path)).is_ok();
        *caller == Caller::Trusted || allowed()
    }
}
