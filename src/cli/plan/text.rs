//! A plan as people and programs read it: what is made, changed and removed, setting by setting.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};
use similar::{ChangeTag, TextDiff};

use super::change::{Action, Difference, Step, defaults};
use super::resource::Id;
use crate::cli::output::plain;

/// Settings, one by one: `async.max_retries` and its value.
pub(super) fn flat(settings: &Value) -> BTreeMap<String, Value> {
    let mut lines = BTreeMap::new();
    flatten(String::new(), settings, &mut lines);
    lines
}

fn flatten(key: String, value: &Value, lines: &mut BTreeMap<String, Value>) {
    let Value::Object(members) = value else {
        if !value.is_null() {
            lines.insert(key, value.clone());
        }
        return;
    };
    for (name, value) in members {
        let is_bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
        let name = if is_bare { name.clone() } else { Value::from(name.as_str()).to_string() };
        flatten(if key.is_empty() { name } else { format!("{key}.{name}") }, value, lines);
    }
}

/// `key = value`, each on a line of its own.
fn lines(settings: &BTreeMap<String, Value>) -> Vec<String> {
    settings.iter().map(|(key, value)| plain(&format!("{key} = {value}"))).collect()
}

/// A step as a diff.
pub(super) fn step(step: &Step) -> String {
    match step.action {
        Action::Create => {
            let usual = flat(&defaults(step.id.kind));
            let mut own = flat(&step.after);
            own.retain(|key, value| usual.get(key) != Some(value));
            let told = lines(&own).into_iter().map(|line| format!("\n    + {line}"));
            format!("+ {}{}", step.id, told.collect::<String>())
        }
        Action::Change => {
            let (before, after) = (lines(&flat(&step.before)), lines(&flat(&step.after)));
            let [before, after] = [&before, &after].map(|lines| lines.iter().map(String::as_str).collect::<Vec<_>>());
            let mut text = format!("~ {}", step.id);
            for change in TextDiff::from_slices(&before, &after).iter_all_changes() {
                let sign = match change.tag() {
                    ChangeTag::Equal => continue,
                    ChangeTag::Delete => '-',
                    ChangeTag::Insert => '+',
                };
                let _ = write!(text, "\n    {sign} {}", change.value());
            }
            text
        }
        Action::Remove => format!("- {}", step.id),
    }
}

/// The whole plan for people.
pub(super) fn plan(difference: &Difference) -> String {
    let mut text: String = difference.steps.iter().map(|it| step(it) + "\n").collect();
    let count = |action| difference.steps.iter().filter(|step| step.action == action).count();
    if difference.steps.is_empty() {
        text.push_str("nothing to do\n");
    } else {
        let [made, changed, removed] = [Action::Create, Action::Change, Action::Remove].map(count);
        let _ = writeln!(text, "\n{made} to make, {changed} to change, {removed} to remove");
    }
    text
}

/// What is not in the file, as a note; empty where everything is.
pub(super) fn left(left: &[Id]) -> String {
    if left.is_empty() {
        return String::new();
    }
    let names: Vec<_> = left.iter().map(Id::to_string).collect();
    format!("not in the file, and left as it is without --prune: {}", names.join(", "))
}

/// Steps for programs.
pub(super) fn json_of<'a>(steps: impl IntoIterator<Item = &'a Step>) -> Value {
    steps.into_iter().map(step_json).collect()
}

fn step_json(step: &Step) -> Value {
    let (before, after) = (flat(&step.before), flat(&step.after));
    let keys: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let differing = keys.into_iter().filter(|key| before.get(*key) != after.get(*key));
    let settings = differing.map(|key| json!({ "key": key, "before": before.get(key), "after": after.get(key) }));
    json!({
        "action": step.action.as_str(),
        "kind": step.id.kind.as_str(),
        "namespace": step.id.namespace.as_str(),
        "name": step.id.name,
        "part": Some(&step.id.part).filter(|part| !part.is_empty()),
        "settings": if step.action == Action::Remove { json!([]) } else { settings.collect() },
    })
}
