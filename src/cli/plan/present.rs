//! What is on a server, in the words of the file. Asks for the kinds of things that a plan is about, and for no others.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::api::settings;
use super::file::{Asynchronous, Connection, Function, Limits, Queue, Stream, Subscription, Trigger};
use super::order::Edges;
use super::resource::{Id, Kind, Resources};
use super::triggers;
use crate::cli::client::Client;
use crate::cli::error::Error;
use crate::cli::request::Request;
use crate::model::names::Namespace;

/// Things of one kind that are read at most: more than a server has.
const MOST: usize = 1_000_000;

const CONNECTION: [&str; 11] = [
    "kind",
    "url",
    "user",
    "password",
    "token",
    "endpoint",
    "region",
    "path_style",
    "access_key_id",
    "secret_key",
    "session_token",
];
const STREAM: [&str; 2] = ["retention", "max_bytes"];
const QUEUE: [&str; 8] =
    ["visibility", "delay", "retention", "wait", "max_message", "redrive", "content_deduplication", "tags"];
const SUBSCRIPTION: [&str; 3] = ["to", "filter", "give_up_after"];
const LIMITS: [&str; 5] = ["paused", "concurrency", "max_queued", "max_queued_bytes", "retention"];
const ASYNC: [&str; 7] =
    ["max_retries", "max_event_age", "retry_delay", "retry_delay_max", "on_success", "on_failure", "service_account"];
const FUNCTION: [&str; 16] = [
    "module",
    "entrypoint",
    "arguments",
    "environment",
    "memory",
    "timeout",
    "concurrency",
    "fuel",
    "reuse",
    "instance_concurrency",
    "debug_info",
    "core_dump",
    "cgi",
    "space",
    "grants",
    "async",
];
const TRIGGER: [&str; 14] = [
    "kind",
    "function",
    "enabled",
    "cron",
    "time_zone",
    "catch_up",
    "payload",
    "payload_base64",
    "content_type",
    "queue",
    "batch_size",
    "batch_window",
    "concurrency",
    "format",
];

/// What is on a server.
#[derive(Debug, Default)]
pub(super) struct Present {
    pub(super) resources: Resources,
    /// The newest version of each function.
    pub(super) latest: BTreeMap<Id, u64>,
    /// The versions of each function that the plan is about.
    pub(super) versions: BTreeMap<Id, BTreeSet<u64>>,
    /// The digest of the module of the newest one.
    pub(super) digests: BTreeMap<Id, String>,
    /// What subscriptions are called on the server.
    pub(super) subscriptions: BTreeMap<Id, String>,
    /// What leads where.
    pub(super) edges: Edges,
}

/// What is asked for.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) namespaces: BTreeSet<Namespace>,
    pub(super) kinds: BTreeSet<Kind>,
    /// The functions whose limits and versions are of interest; `None` for all.
    pub(super) limits: Option<BTreeSet<Id>>,
}

impl Present {
    /// Reads what is wanted from the server.
    pub(super) async fn read(client: &Client, wanted: &Wanted) -> Result<Self, Error> {
        let mut present = Self::default();
        for namespace in &wanted.namespaces {
            let server = Server { client, namespace };
            for kind in &wanted.kinds {
                present.read_kind(&server, *kind, wanted).await?;
            }
        }
        present.edges = graph(client, &wanted.namespaces).await?;
        Ok(present)
    }

    async fn read_kind(&mut self, server: &Server<'_>, kind: Kind, wanted: &Wanted) -> Result<(), Error> {
        match kind {
            Kind::Account => self.accounts(server).await,
            Kind::Connection => self.each::<Connection>(server, kind, "connections", &CONNECTION).await,
            Kind::Stream => self.each::<Stream>(server, kind, "streams", &STREAM).await,
            Kind::Queue => self.each::<Queue>(server, kind, "queues", &QUEUE).await,
            Kind::Topic => self.topics(server).await,
            Kind::Function => self.functions(server, wanted).await,
            Kind::Trigger => self.triggers(server).await,
            // They are read with what they are parts of.
            Kind::Role | Kind::Limits | Kind::Switch | Kind::VersionConfig | Kind::Alias | Kind::Subscription => Ok(()),
        }
    }

    /// Things that are read with their settings in a list.
    async fn each<T>(&mut self, server: &Server<'_>, kind: Kind, list: &str, keys: &[&str]) -> Result<(), Error>
    where
        T: DeserializeOwned + Serialize,
    {
        for answer in server.list(list).await? {
            let id = server.id(kind, &answer)?;
            self.resources.insert(id, server.read::<T>(&answer, keys)?);
        }
        Ok(())
    }

    /// The accounts of a namespace; nothing changes where they may not be seen.
    pub(super) async fn accounts(&mut self, server: &Server<'_>) -> Result<(), Error> {
        let answer = server.get(&["accounts"]).await?;
        for account in answer["accounts"].as_array().into_iter().flatten() {
            let id = server.id(Kind::Account, account)?;
            for held in account["roles"].as_array().into_iter().flatten() {
                let (role, on) = (text(held, "role"), text(held, "on"));
                let part = id.part(Kind::Role, &format!("{role} on {on}"));
                self.resources.insert(part, json!({ "role": role, "on": on }));
            }
            self.resources.insert(id, json!({}));
        }
        Ok(())
    }

    async fn topics(&mut self, server: &Server<'_>) -> Result<(), Error> {
        for topic in server.list("topics").await? {
            let id = server.id(Kind::Topic, &topic)?;
            let whole = server.get(&["topics", &id.name]).await?;
            for subscription in whole["subscriptions"].as_array().into_iter().flatten() {
                let part = id.part(Kind::Subscription, text(subscription, "to"));
                self.subscriptions.insert(part.clone(), text(subscription, "id").to_owned());
                self.resources.insert(part, server.read::<Subscription>(subscription, &SUBSCRIPTION)?);
            }
            self.resources.insert(id, json!({}));
        }
        Ok(())
    }

    async fn functions(&mut self, server: &Server<'_>, wanted: &Wanted) -> Result<(), Error> {
        for function in server.list("functions").await? {
            let id = server.id(Kind::Function, &function)?;
            for (alias, version) in function["aliases"].as_object().into_iter().flatten() {
                let weights = function["weights"].get(alias).cloned().unwrap_or_else(|| json!({}));
                self.resources.insert(id.part(Kind::Alias, alias), json!({ "version": version, "weights": weights }));
            }
            self.digests.insert(id.clone(), text(&function["version"], "digest").to_owned());
            self.latest.insert(id.clone(), function["latest"].as_u64().unwrap_or_default());
            if wanted.limits.as_ref().is_none_or(|wanted| wanted.contains(&id)) {
                let queue = server.get(&["functions", &id.name, "queue"]).await?;
                let limits = server.read::<Limits>(&queue["config"], &LIMITS)?;
                self.resources.insert(id.part(Kind::Limits, ""), limits);
                self.versions(server, &id).await?;
            }
            self.resources.insert(id.part(Kind::Switch, ""), json!({ "disabled": function["disabled"] }));
            self.resources.insert(id, server.function(&function)?);
        }
        Ok(())
    }

    /// The versions, and the configurations that they have of their own.
    async fn versions(&mut self, server: &Server<'_>, id: &Id) -> Result<(), Error> {
        let answer = server.get(&["functions", &id.name, "versions"]).await?;
        for version in answer["versions"].as_array().into_iter().flatten() {
            self.versions.entry(id.clone()).or_default().extend(version["version"].as_u64());
            let config = &version["async_config"];
            if !config.is_null() {
                let config = server.read::<Asynchronous>(config, &ASYNC)?;
                self.resources.insert(id.part(Kind::VersionConfig, &version["version"].to_string()), config);
            }
        }
        Ok(())
    }

    async fn triggers(&mut self, server: &Server<'_>) -> Result<(), Error> {
        for trigger in server.list("triggers").await? {
            let id = server.id(Kind::Trigger, &trigger)?;
            let read =
                settings::<Trigger>(&trigger, &TRIGGER).map_err(|error| server.unexpected(&error.to_string()))?;
            let whole = triggers::whole(read, server.namespace).map_err(|error| server.unexpected(&error))?;
            self.resources.insert(id, serde_json::to_value(whole).unwrap_or_default());
        }
        Ok(())
    }
}

/// A namespace of a server.
pub(super) struct Server<'a> {
    pub(super) client: &'a Client,
    pub(super) namespace: &'a Namespace,
}

impl Server<'_> {
    pub(super) fn request(&self, method: Method, segments: &[&str]) -> Request {
        self.client.request(method, segments).query(&[("namespace", self.namespace.as_str())])
    }

    pub(super) async fn get(&self, segments: &[&str]) -> Result<Value, Error> {
        Ok(self.client.json::<Value>(self.request(Method::GET, segments)).await?.value)
    }

    async fn list(&self, name: &str) -> Result<Vec<Value>, Error> {
        let listed = self.client.list(name, MOST, || self.request(Method::GET, &[name])).await?;
        Ok(listed.value.items)
    }

    fn id(&self, kind: Kind, answer: &Value) -> Result<Id, Error> {
        match answer["name"].as_str() {
            Some(name) => Ok(Id::new(kind, self.namespace, name)),
            None => Err(self.unexpected("a thing in a list has no name")),
        }
    }

    /// The settings in an answer, with nothing left out.
    fn read<T: DeserializeOwned + Serialize>(&self, answer: &Value, keys: &[&str]) -> Result<Value, Error> {
        let read = settings::<T>(answer, keys).and_then(serde_json::to_value);
        read.map_err(|error| self.unexpected(&error.to_string()))
    }

    /// The settings of a function in the answer that shows it.
    fn function(&self, answer: &Value) -> Result<Value, Error> {
        let mut version = answer["version"].clone();
        let mut config = answer["function_config"].clone();
        if let (Some(members), Some(config)) = (version.as_object_mut(), config.as_object_mut()) {
            config.remove("set");
            let image = members.get("source").and_then(|source| source.get("image"));
            let module = image.or_else(|| members.get("digest")).cloned().unwrap_or_default();
            members.insert("module".to_owned(), module);
            members.insert("async_config".to_owned(), Value::Object(config.clone()));
        }
        self.read::<Function>(&version, &FUNCTION)
    }

    pub(super) fn unexpected(&self, what: &str) -> Error {
        self.client.unexpected(what.to_owned())
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// What leads where: everywhere, or where that may not be seen, in the namespaces of the plan.
async fn graph(client: &Client, namespaces: &BTreeSet<Namespace>) -> Result<Edges, Error> {
    match client.json::<Value>(client.request(Method::GET, &["graph"])).await {
        Ok(answer) => return Ok(Edges::read(&answer.value)),
        Err(Error::Refused(problem)) if problem.code == "access_denied" => (),
        Err(error) => return Err(error),
    }
    let mut edges = Edges::default();
    for namespace in namespaces {
        edges.merge(Edges::read(&Server { client, namespace }.get(&["graph"]).await?));
    }
    Ok(edges)
}
