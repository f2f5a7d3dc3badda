//! Draws a graph of functions, queues and topics as text: trees from what nothing leads to, or DOT. Pure.
//!
//! What stands below a function is drawn once. Where the function comes again, or its tree would be too deep
//! for the screen, it stands with a word about where to look.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;

use super::api::{Edge, Graph, On, path};

/// Steps that are drawn to the right; the rest of a longer chain gets a tree of its own.
const MAX_DEPTH: usize = 16;

/// Ways out of one function, successes first.
type Ways<'a> = BTreeSet<(On, Option<u32>, &'a str)>;

struct Trees<'a> {
    ways: BTreeMap<&'a str, Ways<'a>>,
    /// Functions whose ways out have been drawn.
    drawn: BTreeSet<&'a str>,
    /// Functions that were too deep, in order.
    postponed: VecDeque<&'a str>,
    text: String,
}

/// `graph` as trees.
pub(super) fn trees(graph: &Graph) -> String {
    let names = names(graph);
    let targets: BTreeSet<_> = graph.edges.iter().map(|edge| edge.to.as_str()).collect();
    let mut trees =
        Trees { ways: ways(graph), drawn: BTreeSet::new(), postponed: VecDeque::new(), text: String::new() };
    for name in names.iter().filter(|name| !targets.contains(name.as_str())) {
        trees.root(name);
        while let Some(name) = trees.postponed.pop_front() {
            trees.root(name);
        }
    }
    // A server keeps its graph free of cycles; if one has a cycle all the same, it must be seen.
    for name in &names {
        if trees.ways.contains_key(name.as_str()) {
            trees.root(name);
        }
    }
    trees.text
}

fn ways(graph: &Graph) -> BTreeMap<&str, Ways<'_>> {
    let mut ways = BTreeMap::<_, Ways<'_>>::new();
    for edge in &graph.edges {
        ways.entry(edge.from.as_str()).or_default().insert((edge.on, edge.version, edge.to.as_str()));
    }
    ways
}

/// All functions, and what only an edge tells of: queues, topics, and functions of another namespace.
fn names(graph: &Graph) -> BTreeSet<String> {
    let nodes = graph.functions.iter().map(|node| path(&node.namespace, &node.name));
    nodes.chain(graph.edges.iter().flat_map(|edge| [edge.from.clone(), edge.to.clone()])).collect()
}

impl<'a> Trees<'a> {
    fn root(&mut self, name: &'a str) {
        if self.drawn.contains(name) {
            return;
        }
        self.text.push_str(name);
        self.text.push('\n');
        self.below(name, "", 1);
    }

    /// Draws what stands below `name`, each line behind `indent`.
    fn below(&mut self, name: &'a str, indent: &str, depth: usize) {
        self.drawn.insert(name);
        let ways = self.ways.get(name).cloned().unwrap_or_default();
        let last = ways.len();
        for (number, (on, version, to)) in (1..).zip(ways) {
            let (branch, trunk) = if number == last { ('└', ' ') } else { ('├', '│') };
            let label = label(on, version);
            let word = self.word(to, depth);
            let _ = writeln!(self.text, "{indent}{branch}─ {label} ─> {to}{word}");
            if word.is_empty() && self.ways.contains_key(to) {
                let room = " ".repeat(label.chars().count() + "─  ─> ".chars().count());
                self.below(to, &format!("{indent}{trunk}{room}"), depth + 1);
            }
        }
    }

    /// Where to look for what stands below `name`; empty where it is drawn right here.
    fn word(&mut self, name: &'a str, depth: usize) -> &'static str {
        if !self.ways.contains_key(name) {
            ""
        } else if self.drawn.contains(name) {
            " (above)"
        } else if depth >= MAX_DEPTH {
            self.postponed.push_back(name);
            " (below)"
        } else {
            ""
        }
    }
}

fn label(on: On, version: Option<u32>) -> String {
    version.map_or_else(|| on.to_string(), |version| format!("{on} of version {version}"))
}

/// `graph` for Graphviz.
pub(super) fn dot(graph: &Graph) -> String {
    let mut text = "digraph tidemill {\n  rankdir=LR;\n  node [shape=box];\n".to_owned();
    for name in names(graph) {
        let _ = writeln!(text, "  {};", quoted(&name));
    }
    for Edge { from, to, on, version } in &graph.edges {
        let style = match on {
            On::Success | On::Trigger | On::Subscription => "",
            On::Failure | On::Redrive => ", style=dashed, color=red",
        };
        let (from, to, label) = (quoted(from), quoted(to), quoted(&label(*on, *version)));
        let _ = writeln!(text, "  {from} -> {to} [label={label}{style}];");
    }
    text.push_str("}\n");
    text
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::api::Node;

    const S: On = On::Success;
    const F: On = On::Failure;

    fn graph(functions: &[&str], edges: &[(&str, On, &str)]) -> Graph {
        let node = |name: &&str| Node { namespace: "default".to_owned(), name: (*name).to_owned() };
        let edge =
            |&(from, on, to): &(&str, On, &str)| Edge { from: from.to_owned(), to: to.to_owned(), on, version: None };
        Graph { functions: functions.iter().map(node).collect(), edges: edges.iter().map(edge).collect() }
    }

    #[track_caller]
    fn check(functions: &[&str], edges: &[(&str, On, &str)], expected: &str) {
        assert_eq!(trees(&graph(functions, edges)), expected);
    }

    #[test]
    fn a_graph_is_drawn_as_trees_from_what_nothing_leads_to() {
        check(
            &["alarm", "c", "b", "a", "lonely"],
            &[("a", F, "alarm"), ("a", S, "b"), ("b", S, "c")],
            "\
a
├─ on success ─> b
│                └─ on success ─> c
└─ on failure ─> alarm
lonely
",
        );
    }

    #[test]
    fn what_stands_below_a_shared_function_is_drawn_once() {
        check(
            &[],
            &[("a", S, "c"), ("a", F, "c"), ("b", S, "c"), ("c", S, "d"), ("b", F, "d")],
            "\
a
├─ on success ─> c
│                └─ on success ─> d
└─ on failure ─> c (above)
b
├─ on success ─> c (above)
└─ on failure ─> d
",
        );
    }

    #[test]
    fn a_way_of_one_version_only_says_so() {
        let mut graph = graph(&["a", "b"], &[("a", S, "b"), ("b", S, "c")]);
        graph.edges[0].version = Some(12);
        let expected = "\
a
└─ on success of version 12 ─> b
                               └─ on success ─> c
";
        assert_eq!(trees(&graph), expected);
    }

    #[test]
    fn queues_and_topics_stand_among_the_functions() {
        check(
            &["b"],
            &[("queue:jobs", On::Trigger, "b"), ("queue:jobs", On::Redrive, "queue:dead"), ("a", S, "queue:jobs")],
            "\
a
└─ on success ─> queue:jobs
                 ├─ triggers ─> b
                 └─ dead letters to ─> queue:dead
",
        );
    }

    #[test]
    fn a_cycle_that_should_not_be_there_is_drawn_all_the_same() {
        check(
            &["a", "b"],
            &[("a", S, "b"), ("b", S, "a")],
            "\
a
└─ on success ─> b
                 └─ on success ─> a (above)
",
        );
    }

    #[test]
    fn a_long_chain_goes_on_in_a_tree_of_its_own() {
        let names: Vec<_> = (0..40).map(|n| format!("f{n:02}")).collect();
        let edges: Vec<_> = names.windows(2).map(|pair| (pair[0].as_str(), S, pair[1].as_str())).collect();
        let text = trees(&graph(&[], &edges));
        assert_eq!(text.matches(" (below)").count(), 2);
        assert_eq!(text.lines().filter(|line| line.starts_with('f')).collect::<Vec<_>>(), ["f00", "f16", "f32"]);
        assert!(names.iter().all(|name| text.contains(name.as_str())));
    }

    #[test]
    fn a_graph_for_graphviz_has_failures_dashed() {
        let mut graph = graph(&["a", "b"], &[("a", S, "shop/b"), ("a", F, "b")]);
        graph.functions[0].namespace = "default".to_owned();
        let expected = "\
digraph tidemill {
  rankdir=LR;
  node [shape=box];
  \"a\";
  \"b\";
  \"shop/b\";
  \"a\" -> \"shop/b\" [label=\"on success\"];
  \"a\" -> \"b\" [label=\"on failure\", style=dashed, color=red];
}
";
        assert_eq!(dot(&graph), expected);
    }
}
