//! The functions as maps in memory, and the graph of their destinations. No I/O, no locks.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::model::function::{AsyncConfig, Function, Version};
use crate::model::graph::{Edges, Graph, Node, Owner};
use crate::model::names::{Edge, FunctionId, FunctionPath, Namespace, Qualifier, VersionNumber};

/// Every function with its versions, by id and by name.
#[derive(Clone, Default)]
pub struct Catalogue {
    ids: BTreeMap<FunctionPath, FunctionId>,
    entries: HashMap<FunctionId, Entry>,
    /// Edges that are no function's.
    others: BTreeMap<Owner, Edges>,
}

#[derive(Clone)]
struct Entry {
    function: Arc<Function>,
    versions: BTreeMap<VersionNumber, Arc<Version>>,
}

/// An edge of the graph, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// What leads on.
    pub from: Node,
    /// Where to.
    pub to: Node,
    /// When, and by what.
    pub way: Way,
    /// The version whose own configuration says so; `None` for the function's, and for what is no function.
    pub version: Option<VersionNumber>,
}

/// When an edge is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// The function's outcome goes there.
    Outcome(Edge),
    /// A message that was received too often goes there.
    Redrive,
    /// What is published goes there.
    Subscription,
    /// The trigger of this name invokes it.
    Trigger(String),
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

    /// The graph of all edges, without those of `except`.
    pub fn graph_without(&self, except: &Owner) -> Graph {
        let mut graph = Graph::default();
        for function in self.entries.values().map(|entry| &entry.function) {
            if *except != Owner::Function(function.id) {
                for (_, to) in function.configs().flat_map(|config| self.ways_of(function, config)) {
                    graph.add(Node::Function(function.path.clone()), to);
                }
            }
        }
        for (_, edges) in self.others.iter().filter(|(owner, _)| *owner != except) {
            for (from, to) in edges {
                graph.add(from.clone(), to.clone());
            }
        }
        graph
    }

    /// What leads to the function `id`, for people: functions, and `trigger:NAME` and the like.
    pub fn leading_to(&self, id: FunctionId) -> Vec<String> {
        let Some(node) = self.function(id).map(|function| Node::Function(function.path.clone())) else {
            return Vec::new();
        };
        let leads = |function: &Function| {
            function.configs().flat_map(|config| self.ways_of(function, config)).any(|(_, to)| to == node)
        };
        let functions = self.functions(None, None).filter(|function| function.id != id && leads(function));
        let functions = functions.map(|function| function.path.to_string());
        let others = self.others.iter().filter(|(_, edges)| edges.iter().any(|(_, to)| *to == node));
        functions.chain(others.map(|(owner, _)| self.owner_name(owner))).collect()
    }

    /// The functions that have `qualifier` of the function `id` as a destination, for people.
    pub fn leading_to_qualifier(&self, id: FunctionId, qualifier: &Qualifier) -> Vec<String> {
        let names = |config: &AsyncConfig| {
            config.destinations.functions().any(|(_, target)| target.id == id && target.qualifier == *qualifier)
        };
        let functions = self.functions(None, None).filter(|function| function.configs().any(names));
        functions.map(|function| function.path.to_string()).collect()
    }

    /// Every edge, those of functions in order of names and then the others.
    pub fn links(&self) -> Vec<Link> {
        let mut links = Vec::new();
        for function in self.functions(None, None) {
            let own = function.async_config.iter().map(|config| (None, config));
            let configs = own.chain(function.version_configs.iter().map(|(number, config)| (Some(*number), config)));
            for (version, config) in configs {
                let from = || Node::Function(function.path.clone());
                let ways = self.ways_of(function, config);
                links.extend(ways.map(|(edge, to)| Link { from: from(), to, way: Way::Outcome(edge), version }));
            }
        }
        for (way, edges) in self.others.iter().filter_map(|(owner, edges)| Some((way_of(owner)?, edges))) {
            let there = |node: &Node| match node {
                Node::Function(path) => self.ids.contains_key(path),
                Node::Queue(_) | Node::Topic(_) | Node::Timer(_) => true,
            };
            let edges = edges.iter().filter(|(from, to)| there(from) && there(to)).cloned();
            links.extend(edges.map(|(from, to)| Link { from, to, way: way.clone(), version: None }));
        }
        links
    }

    /// Where a function's outcomes go by one of its configurations. A deleted function is no place to go, though one of its
    /// name may be there again.
    fn ways_of<'a>(
        &'a self,
        function: &'a Function,
        config: &'a AsyncConfig,
    ) -> impl Iterator<Item = (Edge, Node)> + use<'a> {
        let there = |edge: Edge| {
            let mut functions = config.destinations.functions();
            functions.all(|(of, target)| of != edge || self.entries.contains_key(&target.id))
        };
        Node::of(&config.destinations, &function.path.namespace).filter(move |(edge, _)| there(*edge))
    }

    fn owner_name(&self, owner: &Owner) -> String {
        match owner {
            Owner::Function(id) => self.function(*id).map_or_else(|| id.to_string(), |it| it.path.to_string()),
            Owner::Queue(named) => format!("queue:{named}"),
            Owner::Topic(named) => format!("topic:{named}"),
            Owner::Trigger(named) => format!("trigger:{named}"),
        }
    }

    /// The first cycle that `owner` would close with these edges in place of those that it has.
    pub fn cycle(&self, owner: &Owner, edges: &Edges) -> Option<Vec<Node>> {
        let mut graph = self.graph_without(owner);
        for (from, to) in edges {
            if let Some(cycle) = graph.cycle_with(from, to) {
                return Some(cycle);
            }
            graph.add(from.clone(), to.clone());
        }
        None
    }

    /// Puts edges that are no function's in place of those that `owner` has.
    pub fn put_edges(&mut self, owner: Owner, edges: Edges) {
        if edges.is_empty() {
            self.others.remove(&owner);
        } else {
            self.others.insert(owner, edges);
        }
    }

    /// Puts a function in place of the one with its id, which may have had another name.
    pub fn put(&mut self, function: Arc<Function>) {
        self.ids.insert(function.path.clone(), function.id);
        match self.entries.get_mut(&function.id) {
            Some(entry) => {
                if entry.function.path != function.path {
                    self.ids.remove(&entry.function.path);
                }
                entry.function = function;
            }
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

    /// Removes a version.
    pub fn remove_version(&mut self, id: FunctionId, number: VersionNumber) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.versions.remove(&number);
        }
    }

    /// Removes a function and its versions.
    pub fn remove(&mut self, id: FunctionId) {
        if let Some(entry) = self.entries.remove(&id) {
            self.ids.remove(&entry.function.path);
        }
    }
}

/// How the edges of what is no function are taken.
fn way_of(owner: &Owner) -> Option<Way> {
    match owner {
        Owner::Function(_) => None,
        Owner::Queue(_) => Some(Way::Redrive),
        Owner::Topic(_) => Some(Way::Subscription),
        Owner::Trigger(named) => Some(Way::Trigger(named.name.clone())),
    }
}
