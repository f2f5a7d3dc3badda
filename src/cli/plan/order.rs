//! In which order the steps of a plan can be taken, and whether they can be at all: what is needed is made first, what
//! nothing needs any more goes last, and at no moment is there a cycle.

use std::collections::BTreeMap;

use serde_json::Value;

use super::change::{Action, Step};
use super::resource::{Id, edges, needs};
use crate::model::graph::{Graph, Named, Node};
use crate::model::names::Namespace;

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

    /// Those of both.
    pub(super) fn extend(&mut self, other: Self) {
        for (edge, times) in other.0 {
            *self.0.entry(edge).or_default() += times;
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
        edges(&step.id, &step.before).iter().for_each(|edge| self.remove(edge));
        edges(&step.id, &step.after).into_iter().for_each(|edge| self.add(edge));
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
        "function" => Some(Node::Function(crate::model::names::FunctionPath { namespace, name: name.parse().ok()? })),
        "queue" => Some(Node::Queue(named(namespace))),
        "topic" => Some(Node::Topic(named(namespace))),
        "timer" => Some(Node::Timer(named(namespace))),
        _ => None,
    }
}

/// The cycle that there would be if all steps were taken.
pub(super) fn cycle(steps: &[Step], mut there: Edges) -> Option<Vec<Node>> {
    steps.iter().for_each(|step| there.take(step));
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
    let is_waited_for = |id: &Id| *id != step.id && pending.iter().any(|other| other.id == *id || held(&other.id, id));
    if needed.iter().any(is_waited_for) {
        return false;
    }
    let mut then = there.clone();
    then.take(step);
    then.cycle_of(step).is_none()
}

/// Whether `part` is a role of the account `id`: whoever acts for an account needs its roles.
fn held(part: &Id, id: &Id) -> bool {
    part.kind == super::resource::Kind::Role && part.whole().as_ref() == Some(id)
}

/// Whether none of these needs the thing now.
fn is_needless<'a>(id: &Id, mut others: impl Iterator<Item = &'a Step>) -> bool {
    others.all(|other| other.id == *id || !needs(&other.id, &other.before).contains(id))
}
