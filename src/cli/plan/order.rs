//! In which order the steps of a plan can be taken, and whether they can be at all: what is needed is made first, what
//! nothing needs any more goes last, and at no moment is there a cycle.

use std::collections::BTreeMap;

use serde_json::Value;

use super::change::{Action, Step};
use super::resource::{Id, Kind, edges, needs};
use crate::model::graph::{Graph, Named, Node};
use crate::model::names::{FunctionPath, Namespace};

/// What leads where, each edge as often as there is a reason for it.
#[derive(Clone, Debug, Default)]
pub(super) struct Edges(BTreeMap<(Node, Node), usize>);

impl Edges {
    /// Those of an answer of `/v1/graph`.
    pub(super) fn read(answer: &Value) -> Self {
        let mut all = Self::default();
        for edge in answer["edges"].as_array().into_iter().flatten() {
            let end = |which: &str| edge[which].as_str().and_then(node);
            if let (Some(from), Some(to)) = (end("from"), end("to")) {
                all.add((from, to));
            }
        }
        all
    }

    /// Those of both. Each answer has an edge as often as there are reasons for it, so one that is in both is not added up:
    /// an edge between two namespaces is in the answer of either.
    pub(super) fn merge(&mut self, other: Self) {
        for (edge, times) in other.0 {
            let there = self.0.entry(edge).or_default();
            *there = times.max(*there);
        }
    }

    fn add(&mut self, edge: (Node, Node)) {
        *self.0.entry(edge).or_default() += 1;
    }

    fn remove(&mut self, edge: &(Node, Node)) {
        if let Some(times) = self.0.get_mut(edge) {
            *times -= 1;
            if *times == 0 {
                self.0.remove(edge);
            }
        }
    }

    /// What is there once a step is done.
    fn take(&mut self, step: &Step) {
        for edge in edges(&step.id, &step.before) {
            self.remove(&edge);
        }
        for edge in edges(&step.id, &step.after) {
            self.add(edge);
        }
    }

    /// The cycle that the edges of a step lie on.
    fn cycle_of(&self, step: &Step) -> Option<Vec<Node>> {
        let own = edges(&step.id, &step.after);
        if own.is_empty() {
            return None;
        }
        let mut graph = Graph::default();
        self.0.keys().cloned().for_each(|(from, to)| graph.add(from, to));
        own.iter().find_map(|(from, to)| graph.cycle_with(from, to))
    }
}

/// `a`, `shop/a`, `queue:shop/jobs`.
fn node(text: &str) -> Option<Node> {
    let (kind, path) = text.split_once(':').unwrap_or(("function", text));
    let (namespace, name) = match path.split_once('/') {
        Some((namespace, name)) => (namespace.parse().ok()?, name),
        None => (Namespace::default(), path),
    };
    let named = |namespace| Named { namespace, name: name.to_owned() };
    match kind {
        "function" => Some(Node::Function(FunctionPath { namespace, name: name.parse().ok()? })),
        "queue" => Some(Node::Queue(named(namespace))),
        "topic" => Some(Node::Topic(named(namespace))),
        "timer" => Some(Node::Timer(named(namespace))),
        _ => None,
    }
}

/// The cycle that there would be if all steps were taken.
pub(super) fn cycle(steps: &[Step], mut there: Edges) -> Option<Vec<Node>> {
    for step in steps {
        there.take(step);
    }
    steps.iter().find_map(|step| there.cycle_of(step))
}

/// The steps, one after the other: each when what it needs is there, and the graph without a cycle all the while. What is
/// needed by none goes last.
pub(super) fn ordered(steps: Vec<Step>, mut there: Edges) -> Vec<Step> {
    let (mut removals, mut pending): (Vec<_>, Vec<_>) =
        steps.into_iter().partition(|step| step.action == Action::Remove);
    pending.sort_by(|a, b| a.id.cmp(&b.id));
    removals.sort_by(|a, b| b.id.cmp(&a.id));
    let mut ordered = Vec::new();
    loop {
        let found = position(&pending, |step| is_possible(step, &pending, &there)).map(|at| pending.remove(at));
        let found = found.or_else(|| {
            position(&removals, |step| is_needless(&step.id, pending.iter().chain(&removals)))
                .map(|at| removals.remove(at))
        });
        let Some(step) = found else { break };
        there.take(&step);
        ordered.push(step);
    }
    // What nothing can order is for the server to refuse.
    ordered.into_iter().chain(pending).chain(removals).collect()
}

fn position(steps: &[Step], is_found: impl Fn(&Step) -> bool) -> Option<usize> {
    steps.iter().position(is_found)
}

/// Whether nothing that a step needs is still to be made, and it closes no cycle.
fn is_possible(step: &Step, pending: &[Step], there: &Edges) -> bool {
    let needed = needs(&step.id, &step.after);
    // Whoever acts for an account needs its roles.
    let roles = |id: &Id| step.id.kind != Kind::Role && pending.iter().any(|other| is_role_of(&other.id, id));
    let is_waited_for = |id: &Id| *id != step.id && (pending.iter().any(|other| other.id == *id) || roles(id));
    if needed.iter().any(is_waited_for) {
        return false;
    }
    let mut then = there.clone();
    then.take(step);
    then.cycle_of(step).is_none()
}

fn is_role_of(role: &Id, account: &Id) -> bool {
    role.kind == Kind::Role && role.whole().as_ref() == Some(account)
}

/// Whether none of these needs the thing now.
fn is_needless<'a>(id: &Id, mut others: impl Iterator<Item = &'a Step>) -> bool {
    others.all(|other| other.id == *id || !needs(&other.id, &other.before).contains(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn id(kind: Kind, name: &str) -> Id {
        Id::new(kind, &Namespace::default(), name)
    }

    /// A function that leads to others on success and on failure.
    fn leading(to: &[&str]) -> Value {
        let way = |at: usize| to.get(at).map(|to| json!(to));
        json!({ "async": { "on_success": way(0), "on_failure": way(1) } })
    }

    fn step(id: Id, before: Value, after: Value) -> Step {
        let action = match (&before, &after) {
            (Value::Null, _) => Action::Create,
            (_, Value::Null) => Action::Remove,
            _ => Action::Change,
        };
        Step { id, action, before, after }
    }

    fn names(steps: &[Step]) -> Vec<String> {
        steps.iter().map(|step| step.id.to_string()).collect()
    }

    #[test]
    fn what_is_needed_is_made_first_and_what_nothing_needs_goes_last() {
        let account = id(Kind::Account, "runner");
        let role = account.part(Kind::Role, "queues.writer on queue:default/jobs");
        let aliased = id(Kind::Function, "z").part(Kind::Alias, "live");
        let mut a = leading(&["function:z@live", "queue:jobs"]);
        a["async"]["service_account"] = json!("runner");
        let steps = vec![
            step(id(Kind::Function, "a"), Value::Null, a),
            step(aliased, Value::Null, json!({"version": 1})),
            step(id(Kind::Function, "z"), Value::Null, leading(&[])),
            step(id(Kind::Queue, "jobs"), Value::Null, json!({"redrive": {"to": "zlast", "max_receives": 1}})),
            step(id(Kind::Queue, "zlast"), Value::Null, json!({})),
            step(id(Kind::Queue, "old"), json!({}), Value::Null),
            step(id(Kind::Function, "o"), leading(&["queue:old"]), Value::Null),
            step(role, Value::Null, json!({})),
            step(account, Value::Null, json!({})),
        ];
        let expected = [
            "account runner",
            "role queues.writer on queue:default/jobs of account runner",
            "queue zlast",
            "queue jobs",
            "function z",
            "alias live of function z",
            "function a",
            "function o",
            "queue old",
        ];
        assert_eq!(names(&ordered(steps, Edges::default())), expected);
    }

    #[test]
    fn an_edge_is_broken_before_the_one_that_would_close_a_cycle_with_it() {
        let (a, b) = (id(Kind::Function, "a"), id(Kind::Function, "b"));
        let there = Edges::read(&json!({"edges": [{"from": "b", "to": "a", "on": "success"}]}));
        let steps =
            vec![step(a, leading(&[]), leading(&["function:b"])), step(b, leading(&["function:a"]), leading(&[]))];
        assert_eq!(cycle(&steps, there.clone()), None);
        assert_eq!(names(&ordered(steps, there)), ["function b", "function a"]);
    }

    #[test]
    fn an_edge_that_two_namespaces_are_asked_for_is_gone_once_it_is_removed() {
        let answer = json!({"edges": [{"from": "n1/a", "to": "n2/b", "on": "success"}]});
        let mut there = Edges::read(&answer);
        there.merge(Edges::read(&answer));
        let function = |namespace: &str, name| Id::new(Kind::Function, &namespace.parse().unwrap(), name);
        let steps = [
            step(function("n1", "a"), leading(&["function:n2/b"]), leading(&[])),
            step(function("n2", "b"), leading(&[]), leading(&["function:n1/a"])),
        ];
        assert_eq!(cycle(&steps, there), None);
    }

    #[test]
    fn a_cycle_is_found_over_what_is_there_and_over_queues_and_topics() {
        let there = Edges::read(&json!({"edges": [
            {"from": "topic:orders", "to": "queue:jobs", "on": "subscription"},
            {"from": "queue:jobs", "to": "a", "on": "trigger", "trigger": "t"},
            {"from": "timer:t", "to": "a", "on": "trigger", "trigger": "t"},
        ]}));
        let steps = [step(id(Kind::Function, "a"), leading(&[]), leading(&["topic:orders"]))];
        let found = cycle(&steps, there).unwrap().iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(found.join(" -> "), "a -> topic:orders -> queue:jobs -> a");
    }

    #[test]
    fn a_destination_that_leaves_the_runtime_leads_nowhere() {
        let mut a = leading(&["queue:jobs"]);
        a["async"]["on_success"] = json!({"to": "queue:jobs", "connection": "cloud"});
        assert_eq!(edges(&id(Kind::Function, "a"), &a), []);
        assert_eq!(needs(&id(Kind::Function, "a"), &a), [id(Kind::Connection, "cloud")]);
    }

    proptest! {
        /// From any graph without a cycle to any other there is a way without one at any moment.
        #[test]
        fn the_graph_has_no_cycle_at_any_moment(
            before in prop::collection::vec((0usize..7, 0usize..7), 0..14),
            after in prop::collection::vec((0usize..7, 0usize..7), 0..14),
            places in Just((0usize..7).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            // Edges lead upwards in one order of the functions now and in another one then, so neither has a cycle.
            let ways = |edges: &[(usize, usize)], place: &dyn Fn(usize) -> usize, of: usize| -> Vec<String> {
                let own = edges.iter().filter(|(from, to)| *from == of && place(*from) < place(*to));
                own.take(2).map(|(_, to)| format!("function:f{to}")).collect()
            };
            let settings = |edges: &[(usize, usize)], place: &dyn Fn(usize) -> usize, of| {
                let ways = ways(edges, place, of);
                leading(&ways.iter().map(String::as_str).collect::<Vec<_>>())
            };
            let steps: Vec<_> = (0..7).map(|of| {
                let (now, then) = (settings(&before, &|at| at, of), settings(&after, &|at| places[at], of));
                step(id(Kind::Function, &format!("f{of}")), now, then)
            }).collect();
            let mut there = Edges::default();
            for step in &steps {
                for edge in edges(&step.id, &step.before) {
                    there.add(edge);
                }
            }
            prop_assert_eq!(cycle(&steps, there.clone()), None);
            let ordered = ordered(steps.clone(), there.clone());
            prop_assert_eq!(ordered.len(), steps.len());
            for step in &ordered {
                there.take(step);
                prop_assert_eq!(there.cycle_of(step), None);
            }
        }
    }
}
