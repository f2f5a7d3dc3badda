//! Versions that are named by their numbers. A server numbers its own: what is written for another names none but the newest
//! ones, and a plan says where a number names a version that there will not be.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::change::Difference;
use super::present::Present;
use super::resource::{Id, Kind, Resources, way_to};
use crate::model::names::{Namespace, Qualifier};
use crate::model::reference::FunctionReference;

/// Makes of what is there what a server can be given that has none of it: the newest version of each function, with the
/// asynchronous configuration that applies to it. What names the newest by its number names it as such from now on; what
/// names another version is left out, and returned in words.
pub(super) fn newest_alone(present: &mut Present) -> Vec<String> {
    for (id, number) in &present.latest {
        let own = present.resources.get(&id.part(Kind::VersionConfig, &number.to_string())).cloned();
        if let (Some(own), Some(settings)) = (own, present.resources.get_mut(id)) {
            settings["async"] = own;
        }
    }
    present.resources.retain(|id, _| id.kind != Kind::VersionConfig);
    let mut newest = Newest { latest: &present.latest, gone: BTreeSet::new(), told: Vec::new() };
    // What is named comes before what names it.
    let (aliases, others): (Resources, Resources) =
        std::mem::take(&mut present.resources).into_iter().partition(|(id, _)| id.kind == Kind::Alias);
    let aliases = newest.all(aliases);
    present.resources = newest.all(others).into_iter().chain(aliases).collect();
    newest.told
}

/// Goes through what is there.
struct Newest<'a> {
    latest: &'a BTreeMap<Id, u64>,
    /// Aliases that are left out.
    gone: BTreeSet<Id>,
    told: Vec<String>,
}

impl Newest<'_> {
    fn all(&mut self, resources: Resources) -> Resources {
        resources.into_iter().filter_map(|(id, settings)| self.one(id, settings)).collect()
    }

    fn one(&mut self, id: Id, mut settings: Value) -> Option<(Id, Value)> {
        match id.kind {
            Kind::Alias => {
                let settings = self.alias(&id, &settings)?;
                Some((id, settings))
            }
            Kind::Function => {
                for key in ["on_success", "on_failure"] {
                    self.way(&id, key, &mut settings["async"][key]);
                }
                Some((id, settings))
            }
            Kind::Subscription => {
                let to = self.told_or(&id.to_string(), &id.namespace, &id.part)?;
                settings["to"] = to.as_str().into();
                Some((id.part(id.kind, &to), settings))
            }
            Kind::Trigger => {
                let function = settings["function"].as_str().unwrap_or_default();
                settings["function"] = self.told_or(&id.to_string(), &id.namespace, function)?.into();
                Some((id, settings))
            }
            _ => Some((id, settings)),
        }
    }

    fn alias(&mut self, id: &Id, settings: &Value) -> Option<Value> {
        let newest = id.whole().and_then(|whole| self.latest.get(&whole).copied());
        if settings["version"].as_u64() != newest {
            self.told.push(format!("{id}: it names version {}, which is not the newest", settings["version"]));
            self.gone.insert(id.clone());
            return None;
        }
        let weights: Vec<_> = settings["weights"].as_object().into_iter().flatten().collect();
        if !weights.is_empty() {
            let told: Vec<_> =
                weights.into_iter().map(|(version, weight)| format!("{weight} % to {version}")).collect();
            self.told.push(format!("the weights of {id}: {}, and all goes to the newest", told.join(", ")));
        }
        Some(json!({ "version": "latest", "weights": {} }))
    }

    /// A destination of `id`.
    fn way(&mut self, id: &Id, key: &str, way: &mut Value) {
        let Some(to) = way_to(way).map(ToOwned::to_owned) else { return };
        match self.told_or(&format!("{key} of {id}"), &id.namespace, &to) {
            Some(to) if way.is_object() => way["to"] = to.into(),
            Some(to) => *way = to.into(),
            None => *way = Value::Null,
        }
    }

    /// What names a function, a destination or a function alone, as it is to be written; told as left out under the name
    /// `what` where it cannot be.
    fn told_or(&mut self, what: &str, own: &Namespace, to: &str) -> Option<String> {
        let (kind, name) = to.strip_prefix("function:").map_or(("", to), |name| ("function:", name));
        let Ok(reference) = name.parse::<FunctionReference>() else { return Some(to.to_owned()) };
        let (path, qualifier) = reference.within(own);
        let whole = Id::of_function(Kind::Function, &path);
        let named = match &qualifier {
            Qualifier::Latest => Some(name),
            Qualifier::Version(number) => {
                let is_newest = self.latest.get(&whole) == Some(&number.get().into());
                name.split_once('@').map(|(name, _)| name).filter(|_| is_newest)
            }
            Qualifier::Alias(alias) => {
                let is_gone = self.gone.contains(&whole.part(Kind::Alias, alias.as_str()));
                Some(name).filter(|_| !is_gone)
            }
        };
        if named.is_none() {
            self.told.push(format!("{what}: it leads to {path}@{qualifier}, which is not written"));
        }
        named.map(|name| format!("{kind}{name}"))
    }
}

/// What is wrong with an alias that names a version that there will not be once all is done.
pub(super) fn missing(desired: &Resources, present: &Present, difference: &Difference) -> Option<String> {
    desired.iter().filter(|(id, _)| id.kind == Kind::Alias).find_map(|(id, settings)| {
        let whole = id.whole()?;
        let mut there = present.versions.get(&whole).cloned().unwrap_or_default();
        if difference.steps.iter().any(|step| step.id == whole && step.deploys()) {
            there.insert(present.latest.get(&whole).map_or(1, |latest| latest + 1));
        }
        let weighted =
            settings["weights"].as_object().into_iter().flatten().filter_map(|(version, _)| version.parse().ok());
        let mut named = settings["version"].as_u64().into_iter().chain(weighted);
        let wrong = named.find(|number| !there.contains(number))?;
        let newest = there.last()?;
        Some(format!(
            "{id} names version {wrong}, which there will not be: the newest will be {newest}; name that, or \"latest\""
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::plan::change::difference;
    use crate::cli::plan::desired::desired;

    /// What is there once `text` is applied, each function at version 3.
    fn present(text: &str) -> Present {
        let mut present = Present { resources: desired(text, None).unwrap().resources, ..Present::default() };
        for id in present.resources.keys().filter(|id| id.kind == Kind::Function) {
            present.latest.insert(id.clone(), 3);
            present.versions.insert(id.clone(), BTreeSet::from([1, 3]));
        }
        present
    }

    #[test]
    fn what_is_for_another_server_names_the_newest_versions_and_tells_what_names_others() {
        let mut present = present(
            "[functions.a]\nmodule = \"a.wasm\"\n\
             aliases = { live = 3, old = 1, part = { version = 3, weights = { 1 = 20 } } }\n\
             [functions.b]\nmodule = \"a.wasm\"\nasync.on_success = \"function:a@3\"\nasync.on_failure = \"function:a@old\"\n\
             [functions.c]\nmodule = \"a.wasm\"\nasync.on_success = { to = \"function:a@1\", format = \"payload\" }\n\
             async.on_failure = \"function:a@live\"\n\
             [topics.t]\nsubscriptions = [{ to = \"function:a@3\" }, { to = \"function:b@2\" }, { to = \"https://a.example\" }]\n\
             [triggers.x]\nkind = \"timer\"\ncron = \"0 3 * * *\"\nfunction = \"a@3\"\n\
             [triggers.y]\nkind = \"timer\"\ncron = \"0 3 * * *\"\nfunction = \"shop/a@3\"\n",
        );
        let told = newest_alone(&mut present);
        let expected = [
            "alias old of function a: it names version 1, which is not the newest",
            "the weights of alias part of function a: 20 % to 1, and all goes to the newest",
            "on_failure of function b: it leads to a@old, which is not written",
            "on_success of function c: it leads to a@1, which is not written",
            "subscription function:b@2 of topic t: it leads to b@2, which is not written",
            "trigger y: it leads to shop/a@3, which is not written",
        ];
        assert_eq!(told, expected);
        let there = |id: &str| &present.resources[present.resources.keys().find(|it| it.to_string() == id).unwrap()];
        for alias in ["live", "part"] {
            let settings = there(&format!("alias {alias} of function a"));
            assert_eq!(*settings, json!({ "version": "latest", "weights": {} }));
        }
        let (b, c) = (&there("function b")["async"], &there("function c")["async"]);
        assert_eq!((&b["on_success"], &b["on_failure"]), (&json!("function:a"), &Value::Null));
        assert_eq!((&c["on_success"], &c["on_failure"]), (&Value::Null, &json!("function:a@live")));
        assert_eq!(there("subscription function:a of topic t")["to"], "function:a");
        assert_eq!(there("trigger x")["function"], "a");
        assert!(present.resources.keys().all(|id| !["old", "function:b@2", "y"].contains(&id.part.as_str())));
    }

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let there = present("[functions.a]\nmodule = \"a.wasm\"\n");
        let wanted = desired(text, None).unwrap().resources;
        let difference = difference(&wanted, &there, false, false);
        assert_eq!(missing(&wanted, &there, &difference).as_deref(), expected, "{text}");
    }

    #[test]
    fn an_alias_names_a_version_that_is_there_or_that_is_about_to_come() {
        let same = "[functions.a]\nmodule = \"a.wasm\"\n";
        check(&format!("{same}aliases = {{ live = 3, old = 1, next = \"latest\" }}\n"), None);
        let gone = "alias live of function a names version 2, which there will not be: the newest will be 3; name that, or \"latest\"";
        check(&format!("{same}aliases.live = 2\n"), Some(gone));
        check(&format!("{same}aliases.live = {{ version = 3, weights = {{ 2 = 5 }} }}\n"), Some(gone));
        let changed = same.replace("a.wasm", "b.wasm");
        check(&format!("{changed}aliases.live = 4\n"), None);
        let later = gone.replace("version 2", "version 5").replace("be 3", "be 4");
        check(&format!("{changed}aliases.live = 5\n"), Some(&later));
        let fresh = later.replace("version 5", "version 3").replace("be 4", "be 1").replace("function a", "function b");
        check("[functions.b]\nmodule = \"a.wasm\"\naliases.live = 3\n", Some(&fresh));
    }
}
