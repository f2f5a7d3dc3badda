//! What a file wants: each of its tables becomes a thing with settings, in the words in which a server would repeat them.
//! Looks nothing up: neither modules nor what is on a server.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

use serde::Serialize;
use serde_json::{Value, json};
use toml::Spanned;

use super::api::to_api;
use super::file::{
    Account, Asynchronous, Connection, Destination, File, Function, Grants, Named, Queue, Stream, Topic, Trigger,
};
use super::read::{Lines, Wrong, listed, nearest, read};
use super::resource::{Id, Kind, Resources};
use super::triggers;
use crate::messaging::topics::Endpoint;
use crate::model::access::{Role, Scope};
use crate::model::destination::{DestinationText, Format};
use crate::model::entrypoint::{Entrypoint, Wanted};
use crate::model::grant::{DirectoryGrant, FunctionGrant, HttpGrant};
use crate::model::message_queue::QueueName;
use crate::model::names::{
    AccountName, AliasName, ConnectionName, FunctionName, Namespace, Qualifier, SecretName, StoreName, StreamName,
    TopicName, TriggerName, VersionNumber,
};
use crate::oci::{ImageReference, SCHEME};

/// What is wrong with a version that is no number.
const NUMBERS: &str = "versions have numbers, from 1";

/// What a file wants.
#[derive(Debug)]
pub(super) struct Desired {
    /// Namespaces that the file is about.
    pub(super) namespaces: BTreeSet<Namespace>,
    /// The things. The module of a function is not yet in its settings.
    pub(super) resources: Resources,
    /// Where the modules of functions are.
    pub(super) modules: BTreeMap<Id, Module>,
    /// Whether it is about accounts at all.
    pub(super) has_accounts: bool,
}

/// Where a module is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Module {
    /// In a file, named from where the description is.
    File(PathBuf),
    /// In a registry, from where the server pulls it: the user, and the secret that is the password.
    Image { login: Option<(String, String)> },
    /// On the server, in the function that it is of: its digest.
    Stored(String),
}

/// What the text of a file wants; `own` is the namespace that it is read in, where the file names none.
pub(super) fn desired(text: &str, own: Option<&Namespace>) -> Result<Desired, Wrong> {
    let file = read(text)?;
    let lines = Lines(text);
    let home = home(&file, &lines, own)?;
    let empty = Desired {
        namespaces: BTreeSet::from([home.clone()]),
        resources: Resources::new(),
        modules: BTreeMap::new(),
        has_accounts: file.accounts.is_some(),
    };
    let mut reader = Reader { lines, home, desired: empty };
    reader.all(file)?;
    Ok(reader.desired)
}

fn home(file: &File, lines: &Lines<'_>, own: Option<&Namespace>) -> Result<Namespace, Wrong> {
    let Some(written) = &file.namespace else { return Ok(own.cloned().unwrap_or_default()) };
    let wrong = |what| lines.wrong(&written.span(), what);
    let home: Namespace =
        written.get_ref().parse().map_err(|error: <Namespace as FromStr>::Err| wrong(error.to_string()))?;
    match own {
        Some(own) if *own != home => {
            Err(wrong(format!("the file is for the namespace `{home}`, and `{own}` was asked for")))
        }
        _ => Ok(home),
    }
}

/// Goes through the tables of a file.
struct Reader<'a> {
    lines: Lines<'a>,
    home: Namespace,
    desired: Desired,
}

impl Reader<'_> {
    fn all(&mut self, file: File) -> Result<(), Wrong> {
        let File { namespace: _, accounts, connections, streams, queues, topics, functions, containers, triggers } =
            file;
        self.each::<AccountName, _>(Kind::Account, accounts.unwrap_or_default(), Self::account)?;
        self.each::<ConnectionName, _>(Kind::Connection, connections, Self::connection)?;
        self.each::<StreamName, _>(Kind::Stream, streams, |it, id, stream: Stream| it.put(id, &stream))?;
        self.each::<QueueName, _>(Kind::Queue, queues, |all, id, queue| all.queue(id, &queue))?;
        self.each::<TopicName, _>(Kind::Topic, topics, Self::topic)?;
        self.each::<FunctionName, _>(Kind::Function, functions, Self::function)?;
        self.each::<FunctionName, _>(Kind::Function, containers, |it, id, container: Function| {
            let entrypoint = container.entrypoint.clone().or_else(|| Some(Entrypoint::Http.to_string()));
            it.function(id, Function { entrypoint, ..container })
        })?;
        self.each::<TriggerName, _>(Kind::Trigger, triggers, Self::trigger)
    }

    /// Reads each table of a kind; what is wrong with one is told with its line.
    fn each<N: FromStr<Err: Display>, T>(
        &mut self,
        kind: Kind,
        tables: Named<T>,
        read: impl Fn(&mut Self, Id, T) -> Result<(), String>,
    ) -> Result<(), Wrong> {
        for (key, table) in tables {
            let done = self.id::<N>(kind, &key).and_then(|id| {
                let told = id.to_string();
                read(self, id, table).map_err(|what| format!("{told}: {what}"))
            });
            done.map_err(|what| self.lines.wrong(&key.span(), what))?;
        }
        Ok(())
    }

    /// `NAME` or `NAMESPACE/NAME`.
    fn id<N: FromStr<Err: Display>>(&mut self, kind: Kind, key: &Spanned<String>) -> Result<Id, String> {
        let (namespace, name) = match key.get_ref().split_once('/') {
            Some((namespace, name)) => (parsed(namespace)?, name),
            None => (self.home.clone(), key.get_ref().as_str()),
        };
        parsed::<N>(name)?;
        self.desired.namespaces.insert(namespace.clone());
        Ok(Id::new(kind, &namespace, name))
    }

    fn put(&mut self, id: Id, settings: &impl Serialize) -> Result<(), String> {
        let settings = serde_json::to_value(settings).map_err(|error| error.to_string())?;
        to_api(&settings)?; // what has no form there is told before anything is done
        match self.desired.resources.insert(id, settings) {
            None => Ok(()),
            Some(_) => Err("it is in the file twice".to_owned()),
        }
    }

    fn account(&mut self, id: Id, account: Account) -> Result<(), String> {
        for held in account.roles {
            let role: Role = parsed(&held.role)?;
            let on = match &held.on {
                None => Scope::Namespace(id.namespace.clone()),
                Some(on) => Scope::parse(on, &id.namespace).map_err(|error| error.to_string())?,
            };
            self.put(
                id.part(Kind::Role, &format!("{role} on {on}")),
                &json!({ "role": role.as_str(), "on": on.to_string() }),
            )?;
        }
        self.put(id, &json!({}))
    }

    fn connection(&mut self, id: Id, mut connection: Connection) -> Result<(), String> {
        let settings = serde_json::to_value(&connection).map_err(|error| error.to_string())?;
        let (needed, allowed): (&[&str], &[&str]) = match connection.kind.as_str() {
            "nats" => (&["url"], &["user", "password", "token"]),
            "s3" => (&["region", "access_key_id", "secret_key"], &["endpoint", "path_style", "session_token"]),
            "sqs" => (&["region", "access_key_id", "secret_key"], &["endpoint", "session_token"]),
            other => return Err(unknown("kind", other, &["nats", "s3", "sqs"])),
        };
        keys(&settings, &connection.kind, needed, allowed)?;
        for key in ["password", "token", "secret_key", "session_token"] {
            settings[key]["secret"].as_str().map(parsed::<SecretName>).transpose()?;
        }
        if connection.kind == "s3" {
            connection.path_style.get_or_insert(false);
        }
        self.put(id, &connection)
    }

    fn queue(&mut self, id: Id, queue: &Queue) -> Result<(), String> {
        if let Some(redrive) = &queue.redrive {
            parsed::<QueueName>(&redrive.to)?;
        }
        self.put(id, queue)
    }

    fn topic(&mut self, id: Id, topic: Topic) -> Result<(), String> {
        for mut subscription in topic.subscriptions {
            let to = Endpoint::parse(&subscription.to, &id.namespace).map_err(|error| error.to_string())?;
            subscription.to = to.to_string();
            self.put(id.part(Kind::Subscription, &subscription.to), &subscription)?;
        }
        self.put(id, &json!({}))
    }

    fn function(&mut self, id: Id, mut function: Function) -> Result<(), String> {
        let module = match function.module.as_str() {
            "" => return Err("`module` is missing: name a file, or `oci://HOST/NAME:TAG`".to_owned()),
            image if image.starts_with(SCHEME) => {
                function.module = parsed::<ImageReference>(image)?.to_string();
                let login = function.registry.take().map(|login| (login.user, login.password.secret));
                Module::Image { login }
            }
            digest if digest.starts_with("sha256:") => Module::Stored(digest.to_owned()),
            path => Module::File(path.into()),
        };
        if function.registry.is_some() {
            return Err("`registry` is for an image, `oci://...`, and `module` is none".to_owned());
        }
        self.desired.modules.insert(id.clone(), module);
        let wanted = function.entrypoint.as_deref().map(parsed::<Wanted>).transpose()?;
        function.entrypoint = wanted.map(|wanted| wanted.to_string());
        function.grants = grants(&function.grants)?;
        asynchronous(&mut function.asynchronous, &id.namespace)?;
        for (number, mut version) in std::mem::take(&mut function.versions) {
            let number: VersionNumber =
                parsed(&number).map_err(|_| format!("`versions.{number}` is no version: {NUMBERS}"))?;
            asynchronous(&mut version.asynchronous, &id.namespace)?;
            self.put(id.part(Kind::VersionConfig, &number.to_string()), &version.asynchronous)?;
        }
        if let Some(disabled) = function.disabled {
            self.put(id.part(Kind::Switch, ""), &json!({ "disabled": disabled }))?;
        }
        for (alias, to) in &function.aliases {
            parsed::<AliasName>(alias)?;
            let version = to.version.map_or_else(|| json!("latest"), |number| json!(number));
            for other in to.weights.keys() {
                parsed::<VersionNumber>(other)?;
            }
            self.put(id.part(Kind::Alias, alias), &json!({ "version": version, "weights": to.weights }))?;
        }
        self.put(id.part(Kind::Limits, ""), &function.queue)?;
        self.put(id, &function)
    }

    fn trigger(&mut self, id: Id, trigger: Trigger) -> Result<(), String> {
        let settings = serde_json::to_value(&trigger).map_err(|error| error.to_string())?;
        let own: (&[&str], &[&str]) = match trigger.kind.as_str() {
            "timer" => (
                &["function", "cron"],
                &["enabled", "time_zone", "catch_up", "payload", "payload_base64", "content_type"],
            ),
            "queue" => (&["function", "queue"], &["enabled", "batch_size", "batch_window", "concurrency", "format"]),
            other => return Err(unknown("kind", other, &["timer", "queue"])),
        };
        keys(&settings, &trigger.kind, own.0, own.1)?;
        let whole = triggers::whole(trigger, &id.namespace)?;
        self.put(id, &whole)
    }
}

/// Refuses what is missing, and keys that are for other kinds.
fn keys(settings: &Value, kind: &str, needed: &[&str], allowed: &[&str]) -> Result<(), String> {
    let missing = needed.iter().find(|key| settings[**key].as_str() == Some("") || settings[**key].is_null());
    if let Some(key) = missing {
        return Err(format!("`{key}` is missing, which kind `{kind}` needs"));
    }
    let members = settings.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
    let known = || [&["kind"], needed, allowed].concat();
    match members.filter(|key| !known().contains(key)).find(|key| !settings[*key].is_null()) {
        Some(key) => Err(format!("`{key}` is no key of kind `{kind}`: there are {}", listed(&known()))),
        None => Ok(()),
    }
}

fn unknown(key: &str, written: &str, known: &[&str]) -> String {
    let near = nearest(written, known).map(|near| format!("did you mean `{near}`?"));
    format!("`{key}` is `{written}`: {}", near.unwrap_or_else(|| format!("use one of {}", listed(known))))
}

fn parsed<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

/// Makes of an asynchronous configuration what the server would write.
fn asynchronous(config: &mut Asynchronous, namespace: &Namespace) -> Result<(), String> {
    for way in [&mut config.on_success, &mut config.on_failure].into_iter().flatten() {
        destination(way, namespace)?;
    }
    config.service_account.as_deref().map(parsed::<AccountName>).transpose().map(drop)
}

/// A destination as the server would write it in `namespace`.
fn destination(way: &mut Destination, namespace: &Namespace) -> Result<(), String> {
    match parsed(&way.to)? {
        DestinationText::Outside(_) => (),
        DestinationText::Function { namespace: of, name, qualifier } => {
            let of = of.filter(|of| of != namespace).map_or_else(String::new, |of| format!("{of}/"));
            let at = if qualifier == Qualifier::Latest { String::new() } else { format!("@{qualifier}") };
            way.to = format!("function:{of}{name}{at}");
        }
    }
    way.format.as_deref().map(parsed::<Format>).transpose()?;
    way.service_account.as_deref().map(parsed::<AccountName>).transpose()?;
    way.connection.as_deref().map(parsed::<ConnectionName>).transpose()?;
    Ok(())
}

/// Grants as the server would write them.
fn grants(grants: &Grants) -> Result<Grants, String> {
    for secret in grants.secrets.values() {
        parsed::<SecretName>(secret)?;
    }
    Ok(Grants {
        http: all::<HttpGrant>(&grants.http)?,
        directories: all::<DirectoryGrant>(&grants.directories)?,
        key_value: all::<StoreName>(&grants.key_value)?,
        functions: all::<FunctionGrant>(&grants.functions)?,
        secrets: grants.secrets.clone(),
        config: grants.config.clone(),
    })
}

fn all<T: FromStr<Err: Display> + Display>(texts: &[String]) -> Result<Vec<String>, String> {
    texts.iter().map(|text| parsed::<T>(text).map(|grant| grant.to_string())).collect()
}
