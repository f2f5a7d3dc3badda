//! Use cases around functions: deploy, look up, configure, delete, draw.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Error, Runtime};
use crate::access::Caller;
use crate::model::function::{Function, Version, Weights};
use crate::model::graph::{Named, Node};
use crate::model::names::{AliasName, FunctionPath, Namespace, Qualifier, VersionNumber};
use crate::registry::{ConfigText, Deployment, Link, RegistryError, Removal, Subject};

/// A function with one of its versions.
#[derive(Clone, Debug)]
pub struct Described {
    /// The function.
    pub function: Arc<Function>,
    /// The version that was asked for; the latest unless told.
    pub version: Arc<Version>,
}

/// Part of the list of functions.
#[derive(Clone, Debug)]
pub struct FunctionPage {
    /// The functions, in order of name.
    pub functions: Vec<Described>,
    /// Where to go on; `None` at the end.
    pub next: Option<FunctionPath>,
}

/// What leads where.
#[derive(Clone, Debug)]
pub struct GraphView {
    /// Every function, in order of name.
    pub functions: Vec<FunctionPath>,
    /// The queues that an edge leads from or to, in order of name.
    pub queues: BTreeSet<Named>,
    /// The topics of which the same is true.
    pub topics: BTreeSet<Named>,
    /// The timers, in order of name.
    pub timers: BTreeSet<Named>,
    /// Every edge between them.
    pub links: Vec<Link>,
}

impl Runtime {
    /// Deploys a module. Returns the function, and whether it is new.
    pub async fn deploy(
        &self,
        caller: &Caller,
        path: FunctionPath,
        deployment: Deployment,
    ) -> Result<(Described, bool), Error> {
        self.check_deployment(caller, &path, &deployment)?;
        let created = self.parts.registry.deploy(path.clone(), deployment).await?;
        Ok((self.describe(&path, &Qualifier::Latest)?, created))
    }

    /// Deploys a module as a new version whatever the latest is; a configuration that comes with it is that version's own.
    pub async fn deploy_version(
        &self,
        caller: &Caller,
        path: FunctionPath,
        deployment: Deployment,
    ) -> Result<Described, Error> {
        self.check_deployment(caller, &path, &deployment)?;
        let number = self.parts.registry.deploy_version(path.clone(), deployment).await?;
        self.describe(&path, &Qualifier::Version(number))
    }

    /// A function and one of its versions.
    pub fn describe(&self, path: &FunctionPath, qualifier: &Qualifier) -> Result<Described, Error> {
        let (function, version) = self.parts.registry.resolve(path, qualifier)?;
        Ok(Described { function, version })
    }

    /// Functions that the caller may see, in order of name, from behind `after`, at most `limit`.
    pub fn functions(
        &self,
        caller: &Caller,
        namespace: Option<&Namespace>,
        after: Option<&FunctionPath>,
        limit: usize,
    ) -> FunctionPage {
        let sees = |path: &FunctionPath| self.sees(caller, path);
        let deployed = |function: &&Arc<Function>| function.latest.is_some();
        self.parts.registry.read(|catalogue| {
            let mut all = catalogue.functions(namespace, after).filter(|it| sees(&it.path)).filter(deployed);
            let described = |function: &Arc<Function>| {
                let version = catalogue.version(function.id, function.latest?)?.clone();
                Some(Described { function: function.clone(), version })
            };
            let functions: Vec<_> = all.by_ref().filter_map(described).take(limit).collect();
            let last = functions.last().map(|last| last.function.path.clone());
            FunctionPage { next: all.next().and(last), functions }
        })
    }

    /// Every version of a function, the oldest first.
    pub fn versions(&self, path: &FunctionPath) -> Result<Vec<Arc<Version>>, Error> {
        let function = self.parts.registry.function(path)?;
        Ok(self.parts.registry.versions(function.id))
    }

    /// Deletes a function. What waits for it in the queue settles as failed, with `FunctionRemoved`.
    pub async fn delete(&self, path: FunctionPath, force: bool) -> Result<(), Error> {
        let removal = if force { Removal::Forced } else { Removal::Usual };
        self.delete_as(path, removal).await
    }

    /// Deletes a function that has no version. One that has got one meanwhile stays.
    pub async fn delete_unused(&self, path: FunctionPath) -> Result<(), Error> {
        self.delete_as(path, Removal::WithoutVersion).await
    }

    async fn delete_as(&self, path: FunctionPath, removal: Removal) -> Result<(), Error> {
        let runtime = self.clone();
        let deleted = async move {
            if let Some(id) = runtime.parts.registry.delete(path, removal).await? {
                runtime.parts.dispatch.function_removed(id);
            }
            Ok(())
        };
        // Both or neither, also when the caller goes away between them.
        let deleted = self.parts.tasks.see_through("delete", deleted).await;
        deleted.unwrap_or(Err(Error::Registry(RegistryError::Interrupted)))
    }

    /// Points an alias at a version, with weights also at others, or removes it where there is none, which is refused while it
    /// is a destination.
    pub async fn alias(
        &self,
        path: &FunctionPath,
        alias: AliasName,
        to: Option<(VersionNumber, Weights)>,
    ) -> Result<Described, Error> {
        self.parts.registry.alias(path.clone(), alias, to).await?;
        self.describe(path, &Qualifier::Latest)
    }

    /// Sets an asynchronous configuration.
    pub async fn configure(
        &self,
        caller: &Caller,
        path: &FunctionPath,
        subject: Subject,
        text: ConfigText,
    ) -> Result<(), Error> {
        self.check_config(caller, path, &text)?;
        Ok(self.parts.registry.configure(path.clone(), subject, text).await?)
    }

    /// Removes an asynchronous configuration.
    pub async fn remove_config(&self, path: &FunctionPath, subject: Subject) -> Result<(), Error> {
        Ok(self.parts.registry.remove_config(path.clone(), subject).await?)
    }

    /// What leads where, in one namespace or in all: edges that begin or end there.
    pub fn graph(&self, namespace: Option<&Namespace>) -> GraphView {
        let here = |node: &Node| namespace.is_none_or(|namespace| node.namespace() == namespace);
        let (functions, links) = self.parts.registry.read(|catalogue| {
            let functions: Vec<_> = catalogue.functions(namespace, None).map(|it| it.path.clone()).collect();
            let links = catalogue.links().into_iter().filter(|link| here(&link.from) || here(&link.to));
            (functions, links.collect::<Vec<_>>())
        });
        let (mut queues, mut topics, mut timers) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for node in links.iter().flat_map(|link| [&link.from, &link.to]) {
            match node {
                Node::Function(_) => (),
                Node::Queue(named) => drop(queues.insert(named.clone())),
                Node::Topic(named) => drop(topics.insert(named.clone())),
                Node::Timer(named) => drop(timers.insert(named.clone())),
            }
        }
        GraphView { functions, queues, topics, timers, links }
    }
}
