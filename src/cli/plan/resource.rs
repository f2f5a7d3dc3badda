//! What a plan is about: things with a name and settings, each of which one request makes, changes or removes. Here is
//! what they are called, which of them need which, and what leads where.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::model::destination::{DestinationText, Outside, OutsideKind};
use crate::model::graph::{Named, Node};
use crate::model::names::{FunctionPath, Namespace, Qualifier};
use crate::model::reference::FunctionReference;

/// The kinds of things, in the order in which they are made as far as nothing else decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Account,
    /// A role that an account has on something.
    Role,
    Connection,
    Stream,
    Queue,
    Topic,
    /// A function with its asynchronous configuration; a container is one.
    Function,
    /// How much may wait for a function.
    Limits,
    /// Whether a function is invoked at all.
    Switch,
    /// The asynchronous configuration of one version alone.
    VersionConfig,
    Alias,
    Subscription,
    Trigger,
}

impl Kind {
    /// Every kind.
    pub(super) const ALL: [Self; 13] = [
        Self::Account,
        Self::Role,
        Self::Connection,
        Self::Stream,
        Self::Queue,
        Self::Topic,
        Self::Function,
        Self::Limits,
        Self::Switch,
        Self::VersionConfig,
        Self::Alias,
        Self::Subscription,
        Self::Trigger,
    ];

    /// As people read it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Role => "role",
            Self::Connection => "connection",
            Self::Stream => "stream",
            Self::Queue => "queue",
            Self::Topic => "topic",
            Self::Function => "function",
            Self::Limits => "limits",
            Self::Switch => "switch",
            Self::VersionConfig => "async of version",
            Self::Alias => "alias",
            Self::Subscription => "subscription",
            Self::Trigger => "trigger",
        }
    }

    /// Whether it is there as soon as the whole is, and goes only with that.
    pub(super) const fn is_always_there(self) -> bool {
        matches!(self, Self::Limits | Self::Switch)
    }

    /// What it is a part of, and goes with.
    pub(super) const fn whole(self) -> Option<Self> {
        match self {
            Self::Role => Some(Self::Account),
            Self::Limits | Self::Switch | Self::VersionConfig | Self::Alias => Some(Self::Function),
            Self::Subscription => Some(Self::Topic),
            Self::Account
            | Self::Connection
            | Self::Stream
            | Self::Queue
            | Self::Topic
            | Self::Function
            | Self::Trigger => None,
        }
    }
}

/// Which thing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id {
    pub(super) kind: Kind,
    pub(super) namespace: Namespace,
    /// Its name, or that of the whole that it is a part of.
    pub(super) name: String,
    /// Which part of the whole; empty for what is whole.
    pub(super) part: String,
}

impl Id {
    /// A thing that is no part of another.
    pub(super) fn new(kind: Kind, namespace: &Namespace, name: &str) -> Self {
        Self { kind, namespace: namespace.clone(), name: name.to_owned(), part: String::new() }
    }

    /// A part of this.
    pub(super) fn part(&self, kind: Kind, part: &str) -> Self {
        Self { kind, part: part.to_owned(), ..self.clone() }
    }

    /// What this is a part of.
    pub(super) fn whole(&self) -> Option<Self> {
        self.kind.whole().map(|kind| Self { kind, part: String::new(), ..self.clone() })
    }

    /// A function, or what else has its name.
    pub(super) fn of_function(kind: Kind, path: &FunctionPath) -> Self {
        Self::new(kind, &path.namespace, path.name.as_str())
    }

    fn named(&self) -> Named {
        Named { namespace: self.namespace.clone(), name: self.name.clone() }
    }
}

/// `function shop/bill`, `alias prod of function bill`.
impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_str())?;
        if let Some(whole) = self.kind.whole() {
            let space = if self.part.is_empty() { "" } else { " " };
            write!(f, "{space}{} of {}", self.part, whole.as_str())?;
        }
        write!(f, " {}", self.named())
    }
}

/// Things with their settings, as the file has them and with nothing left out.
pub(super) type Resources = BTreeMap<Id, Value>;

/// What has to be there before a thing can be made or changed to these settings.
pub(super) fn needs(id: &Id, settings: &Value) -> Vec<Id> {
    let mut needs: Vec<_> = id.whole().into_iter().collect();
    match id.kind {
        Kind::Function | Kind::VersionConfig => {
            let config = config(id, settings);
            needs.extend(account(id, &config["service_account"]));
            for way in [&config["on_success"], &config["on_failure"]] {
                needs.extend(destination(id, way));
                needs.extend(account(id, &way["service_account"]));
            }
        }
        Kind::Queue => needs.extend(text(&settings["redrive"]["to"]).map(|to| Id::new(Kind::Queue, &id.namespace, to))),
        Kind::Subscription => needs.extend(targets(id, &id.part)),
        Kind::Trigger => {
            needs.extend(text(&settings["function"]).into_iter().flat_map(|name| function(id, name)));
            needs.extend(text(&settings["queue"]).map(|queue| Id::new(Kind::Queue, &id.namespace, queue)));
        }
        Kind::Account
        | Kind::Role
        | Kind::Connection
        | Kind::Stream
        | Kind::Topic
        | Kind::Limits
        | Kind::Switch
        | Kind::Alias => (),
    }
    needs
}

/// What leads where because of a thing.
pub(super) fn edges(id: &Id, settings: &Value) -> Vec<(Node, Node)> {
    match id.kind {
        Kind::Function | Kind::VersionConfig => {
            let Ok(name) = id.name.parse() else { return Vec::new() };
            let from = Node::Function(FunctionPath { namespace: id.namespace.clone(), name });
            let config = config(id, settings);
            let ways = [&config["on_success"], &config["on_failure"]];
            let to = ways.into_iter().filter(|way| way["connection"].is_null()).filter_map(way_to);
            to.filter_map(|to| Some((from.clone(), node(id, to)?))).collect()
        }
        Kind::Queue => {
            let to = text(&settings["redrive"]["to"]);
            let to = to.map(|to| Node::Queue(Named { namespace: id.namespace.clone(), name: to.to_owned() }));
            to.map(|to| (Node::Queue(id.named()), to)).into_iter().collect()
        }
        Kind::Subscription => node(id, &id.part).map(|to| (Node::Topic(id.named()), to)).into_iter().collect(),
        Kind::Trigger => {
            let to = text(&settings["function"]).and_then(|name| node(id, &format!("function:{name}")));
            let from = match text(&settings["queue"]) {
                Some(queue) => Node::Queue(Named { namespace: id.namespace.clone(), name: queue.to_owned() }),
                None => Node::Timer(id.named()),
            };
            to.map(|to| (from, to)).into_iter().collect()
        }
        Kind::Account
        | Kind::Role
        | Kind::Connection
        | Kind::Stream
        | Kind::Topic
        | Kind::Limits
        | Kind::Switch
        | Kind::Alias => Vec::new(),
    }
}

/// The asynchronous configuration in the settings of a function, or of one version.
fn config<'a>(id: &Id, settings: &'a Value) -> &'a Value {
    if id.kind == Kind::Function { &settings["async"] } else { settings }
}

fn text(value: &Value) -> Option<&str> {
    value.as_str()
}

/// Where a destination leads, in either of its forms.
pub(super) fn way_to(way: &Value) -> Option<&str> {
    text(way).or_else(|| text(&way["to"]))
}

fn account(id: &Id, name: &Value) -> Option<Id> {
    text(name).map(|name| Id::new(Kind::Account, &id.namespace, name))
}

fn destination(id: &Id, way: &Value) -> Vec<Id> {
    match text(&way["connection"]) {
        Some(connection) => vec![Id::new(Kind::Connection, &id.namespace, connection)],
        None => way_to(way).map(|to| targets(id, to)).unwrap_or_default(),
    }
}

/// What a destination or an endpoint needs to be there.
fn targets(id: &Id, to: &str) -> Vec<Id> {
    match to.parse() {
        Ok(DestinationText::Outside(Outside { kind, target })) => match kind {
            OutsideKind::Queue => vec![Id::new(Kind::Queue, &id.namespace, &target)],
            OutsideKind::Stream => vec![Id::new(Kind::Stream, &id.namespace, &target)],
            OutsideKind::Topic => vec![Id::new(Kind::Topic, &id.namespace, &target)],
            OutsideKind::Object | OutsideKind::Webhook => Vec::new(),
        },
        Ok(DestinationText::Function { .. }) => {
            to.strip_prefix("function:").map(|name| function(id, name)).unwrap_or_default()
        }
        Err(_) => Vec::new(),
    }
}

/// A function that is named, and the alias where it is named by one.
fn function(id: &Id, name: &str) -> Vec<Id> {
    let Ok(reference) = name.parse::<FunctionReference>() else { return Vec::new() };
    let (path, qualifier) = reference.within(&id.namespace);
    let whole = Id::of_function(Kind::Function, &path);
    let alias = match &qualifier {
        Qualifier::Alias(alias) => Some(whole.part(Kind::Alias, alias.as_str())),
        Qualifier::Latest | Qualifier::Version(_) => None,
    };
    std::iter::once(whole).chain(alias).collect()
}

/// Where a destination or an endpoint leads in the graph; nowhere, where it leaves the runtime.
fn node(id: &Id, to: &str) -> Option<Node> {
    let named = |name: String| Named { namespace: id.namespace.clone(), name };
    match to.parse().ok()? {
        DestinationText::Function { namespace, name, .. } => {
            let namespace = namespace.unwrap_or_else(|| id.namespace.clone());
            Some(Node::Function(FunctionPath { namespace, name }))
        }
        DestinationText::Outside(Outside { kind: OutsideKind::Queue, target }) => Some(Node::Queue(named(target))),
        DestinationText::Outside(Outside { kind: OutsideKind::Topic, target }) => Some(Node::Topic(named(target))),
        DestinationText::Outside(_) => None,
    }
}
