//! What would have to be done to a server: the difference between what a file wants and what is there.

use serde_json::{Map, Value, json};

use super::file::{Asynchronous, Connection, Function, Limits, Queue, Stream, Subscription, Trigger};
use super::present::Present;
use super::resource::{Id, Kind, Resources};

/// What becomes of a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Create,
    Change,
    Remove,
}

/// One step: a thing that is made, changed or removed by one request.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) id: Id,
    pub(super) action: Action,
    /// Its settings now; null where there is no such thing.
    pub(super) before: Value,
    /// Its settings then; null where it is to go.
    pub(super) after: Value,
}

impl Action {
    /// As programs read it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Change => "change",
            Self::Remove => "remove",
        }
    }
}

impl Step {
    /// Whether a new version of the function comes of it, and not only another configuration.
    pub(super) fn deploys(&self) -> bool {
        let code = |settings: &Value| {
            let members = settings.as_object().into_iter().flatten();
            members.filter(|(key, _)| *key != "async").map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        let (before, after): (Map<_, _>, Map<_, _>) = (code(&self.before), code(&self.after));
        self.id.kind == Kind::Function && self.action != Action::Remove && before != after
    }
}

/// What is to be done, in no order, and what is on the server and not in the file.
#[derive(Debug, Default)]
pub(super) struct Difference {
    pub(super) steps: Vec<Step>,
    pub(super) left: Vec<Id>,
}

/// Compares what is wanted with what is there. With `prune`, what is not wanted is to go; but accounts only where the file is
/// about accounts (`has_accounts`): else who may do what is kept elsewhere.
pub(super) fn difference(desired: &Resources, present: &Present, prune: bool, has_accounts: bool) -> Difference {
    let mut difference = Difference::default();
    for (id, settings) in desired.iter().filter(|(id, _)| id.kind != Kind::Alias) {
        difference.add(id, present.resources.get(id), settings.clone());
    }
    let deployed = |whole: &Id| difference.steps.iter().any(|step| step.id == *whole && step.deploys());
    let aliases: Vec<_> = desired
        .iter()
        .filter(|(id, _)| id.kind == Kind::Alias)
        .map(|(id, settings)| (id, named_version(settings, id, present, deployed)))
        .collect();
    for (id, settings) in aliases {
        difference.add(id, present.resources.get(id), settings);
    }
    let is_whole_wanted = |id: &Id| id.whole().is_none_or(|whole| desired.contains_key(&whole));
    let unwanted = present
        .resources
        .iter()
        .filter(|(id, _)| !id.kind.is_always_there() && !desired.contains_key(*id) && is_whole_wanted(id));
    for (id, settings) in unwanted {
        if prune && (has_accounts || id.kind != Kind::Account) {
            let (before, after) = (settings.clone(), Value::Null);
            difference.steps.push(Step { id: id.clone(), action: Action::Remove, before, after });
        } else {
            difference.left.push(id.clone());
        }
    }
    difference
}

impl Difference {
    fn add(&mut self, id: &Id, present: Option<&Value>, wanted: Value) {
        let usual = defaults(id.kind);
        // The limits of a function are there as soon as it is.
        let present = present.or_else(|| id.kind.is_always_there().then_some(&usual));
        let (action, before) = match present {
            None => (Action::Create, Value::Null),
            Some(before) => (Action::Change, before.clone()),
        };
        let after = agreeing(id.kind, wanted, &before);
        if before != after {
            self.steps.push(Step { id: id.clone(), action, before, after });
        }
    }
}

/// The version that an alias is to name: `latest` is a number, unless a version is about to come.
fn named_version(settings: &Value, id: &Id, present: &Present, deployed: impl Fn(&Id) -> bool) -> Value {
    let Some(whole) = id.whole().filter(|_| settings["version"] == "latest") else { return settings.clone() };
    match present.latest.get(&whole) {
        Some(latest) if !deployed(&whole) => json!({ "version": latest, "weights": settings["weights"] }),
        _ => settings.clone(),
    }
}

/// What is wanted, where it leaves something open that is decided already.
fn agreeing(kind: Kind, mut wanted: Value, before: &Value) -> Value {
    let open = match kind {
        Kind::Function => "entrypoint",
        Kind::Limits => "paused",
        _ => return wanted,
    };
    let is_decided = match kind {
        Kind::Function => {
            let is_same = wanted["module"] == before["module"];
            is_same && meets(wanted[open].as_str(), before[open].as_str().unwrap_or_default())
        }
        _ => wanted[open].is_null() && !before[open].is_null(),
    };
    if let Some(members) = wanted.as_object_mut().filter(|_| is_decided && !before[open].is_null()) {
        members.insert(open.to_owned(), before[open].clone());
    }
    wanted
}

/// Whether what was found in a module is what was asked for: anything, that very entrypoint, or an export of that name.
fn meets(wanted: Option<&str>, found: &str) -> bool {
    let export = ["typed:", "raw:"].iter().find_map(|kind| found.strip_prefix(kind));
    wanted.is_none_or(|wanted| wanted == found || Some(wanted) == export)
}

/// The settings of a thing of which nothing is said.
pub(super) fn defaults(kind: Kind) -> Value {
    let usual = match kind {
        Kind::Connection => serde_json::to_value(Connection::default()),
        Kind::Stream => serde_json::to_value(Stream::default()),
        Kind::Queue => serde_json::to_value(Queue::default()),
        Kind::Function => serde_json::to_value(Function::default()),
        Kind::Limits => serde_json::to_value(Limits { paused: Some(false), ..Limits::default() }),
        Kind::Subscription => serde_json::to_value(Subscription::default()),
        Kind::Trigger => serde_json::to_value(Trigger::default()),
        Kind::Switch => Ok(json!({ "disabled": false })),
        Kind::VersionConfig => serde_json::to_value(Asynchronous::default()),
        Kind::Alias => Ok(json!({ "weights": {} })),
        Kind::Account | Kind::Role | Kind::Topic => Ok(json!({})),
    };
    usual.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::plan::desired::desired;

    /// What is there once `text` is applied, as a server would answer: every entrypoint is decided.
    fn present(text: &str) -> Present {
        let mut present = Present::default();
        for (id, mut settings) in desired(text, None).unwrap().resources {
            if id.kind == Kind::Function {
                present.latest.insert(id.clone(), 4);
                settings["entrypoint"] = json!("typed:add");
            }
            present.resources.insert(id, settings);
        }
        present
    }

    #[track_caller]
    fn check(before: &str, after: &str, prune: bool, expected: &[&str]) -> Difference {
        let wanted = desired(after, None).unwrap();
        let difference = difference(&wanted.resources, &present(before), prune, wanted.has_accounts);
        let told = difference.steps.iter().map(|step| format!("{} {}", step.action.as_str(), step.id));
        assert_eq!(told.collect::<Vec<_>>(), expected);
        difference
    }

    const A: &str = "[functions.a]\nmodule = \"a.wasm\"\n";

    #[test]
    fn what_is_there_as_it_is_wanted_is_left_alone() {
        let all = include_str!("../../../guests/tidemill.toml");
        let wanted = desired(all, None).unwrap();
        let mut there = Present { resources: wanted.resources.clone(), ..Present::default() };
        let aliases = there.resources.iter_mut().filter(|(id, _)| id.kind == Kind::Alias);
        aliases.for_each(|(_, settings)| settings["version"] = json!(1));
        there.latest = wanted.modules.keys().map(|id| (id.clone(), 1)).collect();
        assert_eq!(difference(&wanted.resources, &there, true, true).steps, []);
    }

    #[test]
    fn an_entrypoint_that_the_module_decides_is_no_difference() {
        check(A, A, true, &[]);
        check(A, "[functions.a]\nmodule = \"a.wasm\"\nentrypoint = \"add\"\n", true, &[]);
        check(A, "[functions.a]\nmodule = \"a.wasm\"\nentrypoint = \"sub\"\n", true, &["change function a"]);
    }

    #[test]
    fn a_pause_is_left_to_whoever_paused_unless_it_is_written() {
        let paused = format!("{A}queue.paused = true\n");
        check(&paused, A, false, &[]);
        check(&paused, &format!("{A}queue.paused = false\n"), false, &["change limits of function a"]);
    }

    #[test]
    fn a_function_that_is_new_is_not_paused() {
        check("", A, false, &["create function a"]);
        check("", &format!("{A}queue.paused = false\n"), false, &["create function a"]);
        check("", &format!("{A}queue.paused = true\n"), false, &["create function a", "change limits of function a"]);
    }

    #[test]
    fn latest_is_a_number_unless_a_version_is_about_to_come() {
        let alias = |version: &str| format!("{A}aliases.live = {version}\n");
        check(&alias("4"), &alias("\"latest\""), false, &[]);
        check(&alias("3"), &alias("\"latest\""), false, &["change alias live of function a"]);
        let new = "[functions.a]\nmodule = \"b.wasm\"\naliases.live = \"latest\"\n";
        let difference = check(&alias("4"), new, false, &["change function a", "change alias live of function a"]);
        assert!(difference.steps[0].deploys() && difference.steps[1].after["version"] == "latest");
        let configured = format!("{A}aliases.live = \"latest\"\nasync.max_retries = 7\n");
        let difference = check(&alias("4"), &configured, false, &["change function a"]);
        assert!(!difference.steps[0].deploys());
    }

    #[test]
    fn what_goes_takes_its_parts_along_and_accounts_go_only_where_the_file_has_some() {
        let all = format!(
            "[accounts.x]\nroles = [\"viewer\"]\n[queues.q]\n[topics.t]\nsubscriptions = [{{ to = \"queue:q\" }}]\n{A}aliases.live = 4\n"
        );
        let kept = check(&all, "", false, &[]);
        let left = ["account x", "queue q", "topic t", "function a"].map(str::to_owned);
        assert_eq!(kept.left.iter().map(Id::to_string).collect::<Vec<_>>(), left);
        check(&all, "", true, &["remove queue q", "remove topic t", "remove function a"]);
        let parts = "[accounts.x]\n[queues.q]\n[topics.t]\n[functions.a]\nmodule = \"a.wasm\"\n";
        check(
            &all,
            parts,
            true,
            &[
                "remove role viewer on namespace:default of account x",
                "remove alias live of function a",
                "remove subscription queue:q of topic t",
            ],
        );
    }
}
