//! The graph of functions and where their outcomes lead, and the rule that it has no cycle.
//!
//! Built anew from the configurations whenever one of them is about to change, under the lock that orders
//! such changes; so it needs no way to remove an edge.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::names::FunctionId;

/// Functions and the functions that their destinations name, over all their configurations.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    next: BTreeMap<FunctionId, BTreeSet<FunctionId>>,
}

impl Graph {
    /// Adds the edge `from -> to`, whether or not it closes a cycle.
    pub fn add(&mut self, from: FunctionId, to: FunctionId) {
        self.next.entry(from).or_default().insert(to);
    }

    /// The cycle that an edge `from -> to` closes (or, if it is there already, lies on): the functions from
    /// `from` back to `from`, the shortest way. `None` when it closes none.
    #[must_use]
    pub fn cycle_with(&self, from: FunctionId, to: FunctionId) -> Option<Vec<FunctionId>> {
        let mut cycle = vec![from];
        cycle.extend(self.path(to, from)?);
        Some(cycle)
    }

    /// The shortest way `from … to`, both included.
    fn path(&self, from: FunctionId, to: FunctionId) -> Option<Vec<FunctionId>> {
        let mut came_from = BTreeMap::from([(from, None)]);
        let mut ahead = VecDeque::from([from]);
        while let Some(here) = ahead.pop_front() {
            if here == to {
                let mut path: Vec<_> = std::iter::successors(Some(to), |node| came_from[node]).collect();
                path.reverse();
                return Some(path);
            }
            for &next in self.next.get(&here).into_iter().flatten() {
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
    use crate::model::time::Timestamp;
    use proptest::prelude::*;

    fn id(n: u8) -> FunctionId {
        FunctionId::new(Timestamp::from_ms(0), [n; 10])
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
        assert_eq!(graph.cycle_with(id(3), id(1)), Some(vec![id(3), id(1), id(2), id(3)]));
        assert_eq!(graph.cycle_with(id(1), id(3)), None);
    }

    #[test]
    fn a_function_that_leads_to_itself_is_a_cycle() {
        assert_eq!(graph(&[]).cycle_with(id(1), id(1)), Some(vec![id(1), id(1)]));
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
                let refused = graph(&kept).cycle_with(id(from), id(to)).is_some();
                kept.push((from, to));
                prop_assert_eq!(refused, has_cycle(&kept));
                if refused {
                    kept.pop();
                }
            }
        }
    }
}
