//! Every state that can be reached, breadth first, so that what breaks a promise is told by its shortest path.

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::rc::Rc;

use super::moves::{self, Move};
use super::promise;
use super::world::World;

/// More than this is a mistake in the world, not a larger proof.
const MAX_STATES: usize = 3_000_000;

/// What was found.
pub(super) enum Found {
    /// No promise is broken in any state.
    Nothing { states: usize, settled: usize },
    /// This one is, after these moves.
    Broken { promise: String, path: Vec<Move> },
}

/// The moves that led to a state, the last first.
struct Path {
    last: Move,
    before: Option<Rc<Path>>,
}

pub(super) fn search(start: World) -> Found {
    let mut seen = HashSet::from([hash(&start)]);
    let mut line = VecDeque::from([(start, None::<Rc<Path>>)]);
    let mut settled = 0;
    while let Some((world, path)) = line.pop_front() {
        settled += usize::from(world.is_settled());
        let next = moves::next(&world);
        if next.is_empty() && !world.is_settled() {
            return broken("it is stuck".to_owned(), path.as_ref());
        }
        for (last, after) in next {
            let found = promise::broken(&after).or_else(|| promise::broken_by(&world, &after));
            if found.is_none() && !seen.insert(hash(&after)) {
                continue;
            }
            let path = Rc::new(Path { last, before: path.clone() });
            if let Some(promise) = found {
                return broken(promise, Some(&path));
            }
            line.push_back((after, Some(path)));
        }
        assert!(seen.len() < MAX_STATES, "there are too many states");
    }
    Found::Nothing { states: seen.len(), settled }
}

fn broken(promise: String, last: Option<&Rc<Path>>) -> Found {
    let mut path: Vec<_> = std::iter::successors(last, |path| path.before.as_ref()).map(|at| at.last.clone()).collect();
    path.reverse();
    Found::Broken { promise, path }
}

/// 128 bits: that two states share them is not going to happen.
fn hash(world: &World) -> (u64, u64) {
    let text = format!("{world:?}");
    let one = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, &text).hash(&mut hasher);
        hasher.finish()
    };
    (one(0), one(1))
}
