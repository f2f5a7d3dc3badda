//! The functions as maps in memory, and the graph of their destinations. No I/O, no locks.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::model::function::{Function, Version};
use crate::model::graph::Graph;
use crate::model::names::{Edge, FunctionId, FunctionPath, Namespace, VersionNumber};

/// Every function with its versions, by id and by name.
#[derive(Clone, Default)]
pub struct Catalogue {
    ids: BTreeMap<FunctionPath, FunctionId>,
    entries: HashMap<FunctionId, Entry>,
}

#[derive(Clone)]
struct Entry {
    function: Arc<Function>,
    versions: BTreeMap<VersionNumber, Arc<Version>>,
}

/// An edge of the graph, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Whose destination it is.
    pub from: FunctionPath,
    /// The destination.
    pub to: FunctionPath,
    /// When it is taken.
    pub edge: Edge,
    /// The version whose own configuration says so; `None` for the function's.
    pub version: Option<VersionNumber>,
}

impl Catalogue {
    /// The catalogue of these functions.
    pub fn of(functions: &[(Function, BTreeMap<VersionNumber, Version>)]) -> Self {
        let mut catalogue = Self::default();
        for (function, versions) in functions {
            catalogue.put(Arc::new(function.clone()));
            for version in versions.values() {
                catalogue.put_version(function.id, Arc::new(version.clone()));
            }
        }
        catalogue
    }

    /// How many functions there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The function with this name.
    pub fn named(&self, path: &FunctionPath) -> Option<&Arc<Function>> {
        self.function(*self.ids.get(path)?)
    }

    /// The function with this id.
    pub fn function(&self, id: FunctionId) -> Option<&Arc<Function>> {
        self.entries.get(&id).map(|entry| &entry.function)
    }

    /// A version of a function.
    pub fn version(&self, id: FunctionId, number: VersionNumber) -> Option<&Arc<Version>> {
        self.entries.get(&id)?.versions.get(&number)
    }

    /// Every version of a function, the oldest first.
    pub fn versions(&self, id: FunctionId) -> impl Iterator<Item = &Arc<Version>> {
        self.entries.get(&id).into_iter().flat_map(|entry| entry.versions.values())
    }

    /// Functions in order of namespace and name, from behind `after`.
    pub fn functions<'a>(
        &'a self,
        namespace: Option<&'a Namespace>,
        after: Option<&'a FunctionPath>,
    ) -> impl Iterator<Item = &'a Arc<Function>> {
        self.ids
            .iter()
            .filter(move |(path, _)| after.is_none_or(|after| *path > after))
            .filter(move |(path, _)| namespace.is_none_or(|namespace| path.namespace == *namespace))
            .filter_map(|(_, id)| self.function(*id))
    }

    /// The graph of all destinations, without those of `except`.
    pub fn graph_without(&self, except: FunctionId) -> Graph {
        let mut graph = Graph::default();
        for entry in self.entries.values().filter(|entry| entry.function.id != except) {
            for (_, target) in entry.function.configs().flat_map(|config| config.destinations.functions()) {
                graph.add(entry.function.id, target.id);
            }
        }
        graph
    }

    /// The functions that have `id` as a destination.
    pub fn leading_to(&self, id: FunctionId) -> Vec<FunctionPath> {
        let leads = |function: &Function| {
            function.configs().flat_map(|config| config.destinations.functions()).any(|(_, target)| target.id == id)
        };
        let mut paths: Vec<_> =
            self.functions(None, None).filter(|f| f.id != id && leads(f)).map(|f| f.path.clone()).collect();
        paths.dedup();
        paths
    }

    /// Every edge, in order of names.
    pub fn links(&self) -> Vec<Link> {
        let mut links = Vec::new();
        for function in self.functions(None, None) {
            let own = function.async_config.iter().map(|config| (None, config));
            let configs = own.chain(function.version_configs.iter().map(|(number, config)| (Some(*number), config)));
            for (version, config) in configs {
                // A deleted function is no place to go, though one of its name may be there again.
                let there = config.destinations.functions().filter(|(_, target)| self.entries.contains_key(&target.id));
                links.extend(there.map(|(edge, target)| Link {
                    from: function.path.clone(),
                    to: target.path.clone(),
                    edge,
                    version,
                }));
            }
        }
        links
    }

    /// Puts a function in place of the one with its id.
    pub fn put(&mut self, function: Arc<Function>) {
        self.ids.insert(function.path.clone(), function.id);
        match self.entries.get_mut(&function.id) {
            Some(entry) => entry.function = function,
            None => {
                self.entries.insert(function.id, Entry { function, versions: BTreeMap::new() });
            }
        }
    }

    /// Adds a version to a function that is there.
    pub fn put_version(&mut self, id: FunctionId, version: Arc<Version>) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.versions.insert(version.number, version);
        }
    }

    /// Removes a function and its versions.
    pub fn remove(&mut self, id: FunctionId) {
        if let Some(entry) = self.entries.remove(&id) {
            self.ids.remove(&entry.function.path);
        }
    }
}
