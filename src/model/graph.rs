//! The graph of what leads to what (functions, queues, topics), and the rule that it has no cycle.
//!
//! Built anew whenever something in it is about to change, under the lock that orders such changes; so it needs no way
//! to remove an edge.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use super::destination::{Destination, Destinations, Outside, OutsideKind};
use super::names::{Edge, FunctionId, FunctionPath, Namespace};

/// A queue, a topic or a trigger by its full name. Shown without the namespace where that is the default one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Named {
    /// Whose it is.
    pub namespace: Namespace,
    /// Its name there.
    pub name: String,
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace != Namespace::default() {
            write!(f, "{}/", self.namespace)?;
        }
        f.write_str(&self.name)
    }
}

/// What edges lead from and to. Functions stand here by their names, since that is how subscriptions know them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Node {
    /// A function.
    Function(FunctionPath),
    /// A queue of the runtime's own.
    Queue(Named),
    /// A topic of the runtime's own.
    Topic(Named),
    /// A timer, by the name of its trigger. Nothing leads to it.
    Timer(Named),
}

impl Node {
    /// Where each destination of a function of the namespace `owner` leads. One that leaves the runtime leads nowhere.
    pub fn of<'a>(
        destinations: &'a Destinations,
        owner: &'a Namespace,
    ) -> impl Iterator<Item = (Edge, Self)> + use<'a> {
        let ways = [(Edge::OnSuccess, &destinations.on_success), (Edge::OnFailure, &destinations.on_failure)];
        ways.into_iter().filter_map(|(edge, destination)| {
            let inside = destinations.terms(edge).connection.is_none();
            let named = |name: &str| Named { namespace: owner.clone(), name: name.to_owned() };
            match destination.as_ref()? {
                Destination::Function(target) => Some((edge, Self::Function(target.path.clone()))),
                Destination::Outside(Outside { kind: OutsideKind::Queue, target }) if inside => {
                    Some((edge, Self::Queue(named(target))))
                }
                Destination::Outside(Outside { kind: OutsideKind::Topic, target }) if inside => {
                    Some((edge, Self::Topic(named(target))))
                }
                Destination::Outside(_) => None,
            }
        })
    }
}

impl Node {
    /// Whose it is.
    pub fn namespace(&self) -> &Namespace {
        match self {
            Self::Function(path) => &path.namespace,
            Self::Queue(named) | Self::Topic(named) | Self::Timer(named) => &named.namespace,
        }
    }
}

/// `resize`, `queue:jobs`, `topic:shop/orders`.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Function(path) => path.fmt(f),
            Self::Queue(named) => write!(f, "queue:{named}"),
            Self::Topic(named) => write!(f, "topic:{named}"),
            Self::Timer(named) => write!(f, "timer:{named}"),
        }
    }
}

/// Whose edges some are: they come and go together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// A function's destinations.
    Function(FunctionId),
    /// A queue's redrive policy, which leads to its dead-letter queue.
    Queue(Named),
    /// A topic's subscriptions.
    Topic(Named),
    /// A trigger, which leads from what it watches to a function. One that is switched off leads there all the same: it
    /// can be switched on.
    Trigger(Named),
}

/// Edges of one owner, as they are kept: from, to.
pub type Edges = Vec<(Node, Node)>;

/// What leads where.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    next: BTreeMap<Node, BTreeSet<Node>>,
}

impl Graph {
    /// Adds the edge `from -> to`, whether or not it closes a cycle.
    pub fn add(&mut self, from: Node, to: Node) {
        self.next.entry(from).or_default().insert(to);
    }

    /// The cycle that an edge `from -> to` closes (or, if it is there already, lies on): the nodes from
    /// `from` back to `from`, the shortest way. `None` when it closes none.
    #[must_use]
    pub fn cycle_with(&self, from: &Node, to: &Node) -> Option<Vec<Node>> {
        let mut cycle = vec![from.clone()];
        cycle.extend(self.path(to, from)?.into_iter().cloned());
        Some(cycle)
    }

    /// The shortest way `from … to`, both included.
    fn path<'a>(&'a self, from: &'a Node, to: &'a Node) -> Option<Vec<&'a Node>> {
        let mut came_from = BTreeMap::from([(from, None)]);
        let mut ahead = VecDeque::from([from]);
        while let Some(here) = ahead.pop_front() {
            if here == to {
                let mut path: Vec<_> = std::iter::successors(Some(to), |node| came_from[node]).collect();
                path.reverse();
                return Some(path);
            }
            for next in self.next.get(here).into_iter().flatten() {
                came_from.entry(next).or_insert_with(|| {
                    ahead.push_back(next);
                    Some(here)
                });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every third is a queue and every third a topic: the rule does not look at what a node is.
    fn id(n: u8) -> Node {
        let named = Named { namespace: Namespace::default(), name: n.to_string() };
        match n % 3 {
            0 => Node::Queue(named),
            1 => Node::Function(FunctionPath { namespace: named.namespace, name: format!("f{n}").parse().unwrap() }),
            _ => Node::Topic(named),
        }
    }

    fn graph(edges: &[(u8, u8)]) -> Graph {
        let mut graph = Graph::default();
        for &(from, to) in edges {
            graph.add(id(from), id(to));
        }
        graph
    }

    #[test]
    fn an_edge_back_closes_a_cycle_and_the_whole_way_is_told() {
        let graph = graph(&[(1, 2), (2, 3)]);
        assert_eq!(graph.cycle_with(&id(3), &id(1)), Some(vec![id(3), id(1), id(2), id(3)]));
        assert_eq!(graph.cycle_with(&id(1), &id(3)), None);
    }

    #[test]
    fn a_function_that_leads_to_itself_is_a_cycle() {
        assert_eq!(graph(&[]).cycle_with(&id(1), &id(1)), Some(vec![id(1), id(1)]));
    }

    #[test]
    fn a_destination_leads_to_a_queue_or_topic_of_the_runtime_and_nowhere_when_it_leaves_it() {
        let outside = |kind, target: &str| Some(Destination::Outside(Outside { kind, target: target.to_owned() }));
        let mut destinations = Destinations {
            on_success: outside(OutsideKind::Queue, "jobs"),
            on_failure: outside(OutsideKind::Topic, "alarms"),
            ..Destinations::default()
        };
        let shop: Namespace = "shop".parse().unwrap();
        let named = |name: &str| Named { namespace: shop.clone(), name: name.to_owned() };
        let both = [(Edge::OnSuccess, Node::Queue(named("jobs"))), (Edge::OnFailure, Node::Topic(named("alarms")))];
        assert_eq!(Node::of(&destinations, &shop).collect::<Vec<_>>(), both);
        destinations.success_terms.connection = Some("cloud".parse().unwrap());
        destinations.on_failure = outside(OutsideKind::Stream, "alarms");
        assert_eq!(Node::of(&destinations, &shop).collect::<Vec<_>>(), []);
    }

    /// Sorts topologically by taking away what has no way in; what is left lies on or behind a cycle.
    fn has_cycle(edges: &[(u8, u8)]) -> bool {
        let mut left = edges.to_vec();
        loop {
            let before = left.len();
            let targets: BTreeSet<_> = left.iter().map(|&(_, to)| to).collect();
            left.retain(|(from, _)| targets.contains(from));
            if left.len() == before {
                return before > 0;
            }
        }
    }

    proptest! {
        #[test]
        fn a_graph_grown_only_by_edges_that_close_no_cycle_has_none(
            edges in prop::collection::vec((0u8..12, 0u8..12), 0..60),
        ) {
            let mut kept = Vec::new();
            for (from, to) in edges {
                let refused = graph(&kept).cycle_with(&id(from), &id(to)).is_some();
                kept.push((from, to));
                prop_assert_eq!(refused, has_cycle(&kept));
                if refused {
                    kept.pop();
                }
            }
        }
    }
}
