//! What is on a server, as a file that would make it so. Leaves out what is as usual, and what is secret: secrets have
//! names only.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::change::defaults;
use super::present::Present;
use super::resource::{Id, Kind};
use crate::cli::error::Error;
use crate::model::names::Namespace;

/// The file, with modules where `modules` says they are, and by their digests otherwise.
pub(super) fn document(
    namespace: &Namespace,
    present: &Present,
    modules: &BTreeMap<Id, PathBuf>,
) -> Result<toml::Table, Error> {
    let mut tables: Map<String, Value> = Map::new();
    for (id, settings) in &present.resources {
        let whole = id.whole().unwrap_or_else(|| id.clone());
        let mut settings = lean(settings, &defaults(id.kind));
        if let Some(path) = modules.get(id) {
            settings.insert("module".to_owned(), path.display().to_string().into());
        }
        let tables = table(&mut tables, place(whole.kind));
        put(table(tables, &whole.name), id, settings);
    }
    let mut document = toml::Table::new();
    document.insert("namespace".to_owned(), namespace.to_string().into());
    for (kind, things) in tables {
        let things = toml::Value::try_from(things).map_err(|error| Error::Usage(error.to_string()))?;
        document.insert(kind, things);
    }
    Ok(document)
}

/// Puts the settings of a thing into the table of the whole that it is, or is a part of.
fn put(whole: &mut Map<String, Value>, id: &Id, settings: Map<String, Value>) {
    let list = |whole: &mut Map<String, Value>, key: &str, settings| {
        let there = whole.entry(key).or_insert_with(|| Value::Array(Vec::new()));
        if let Some(there) = there.as_array_mut() {
            there.push(Value::Object(settings));
        }
    };
    match id.kind {
        Kind::Role => list(whole, "roles", settings),
        Kind::Subscription => list(whole, "subscriptions", settings),
        Kind::Limits if settings.is_empty() => (),
        Kind::VersionConfig => {
            let version = table(table(whole, "versions"), &id.part);
            version.insert("async".to_owned(), Value::Object(settings));
        }
        Kind::Limits => drop(whole.insert("queue".to_owned(), Value::Object(settings))),
        Kind::Alias => {
            let version = settings.get("version").cloned().unwrap_or_default();
            let alias = if settings.contains_key("weights") { Value::Object(settings) } else { version };
            table(whole, "aliases").insert(id.part.clone(), alias);
        }
        _ => whole.extend(settings),
    }
}

/// The members of a table within another, made where there is none.
fn table<'a>(within: &'a mut Map<String, Value>, key: &str) -> &'a mut Map<String, Value> {
    let entry = within.entry(key).or_insert_with(|| Value::Object(Map::new()));
    if !entry.is_object() {
        *entry = Value::Object(Map::new());
    }
    entry.as_object_mut().expect("it has just been made one")
}

/// What of the settings is not as usual.
fn lean(settings: &Value, usual: &Value) -> Map<String, Value> {
    let mut own = Map::new();
    for (key, value) in settings.as_object().into_iter().flatten() {
        let usual = usual.get(key).unwrap_or(&Value::Null);
        match value {
            Value::Object(members) if usual.is_object() => {
                let members = lean(&Value::Object(members.clone()), usual);
                if !members.is_empty() {
                    own.insert(key.clone(), Value::Object(members));
                }
            }
            _ if value == usual || value.is_null() => (),
            _ => drop(own.insert(key.clone(), value.clone())),
        }
    }
    own
}

/// Where the file has things of a kind.
const fn place(kind: Kind) -> &'static str {
    match kind {
        Kind::Account | Kind::Role => "accounts",
        Kind::Connection => "connections",
        Kind::Stream => "streams",
        Kind::Queue => "queues",
        Kind::Topic | Kind::Subscription => "topics",
        Kind::Function | Kind::Limits | Kind::Switch | Kind::VersionConfig | Kind::Alias => "functions",
        Kind::Trigger => "triggers",
    }
}

/// What the file of a module is called: one for each function.
pub(super) fn module_name(folder: &Path, id: &Id) -> PathBuf {
    folder.join(format!("{}.wasm", id.name))
}
