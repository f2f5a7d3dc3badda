//! Every state that can be reached, breadth first, so that what breaks a promise is told by its shortest path.

use std::collections::{HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::rc::Rc;

use tidemill::model::invocation::{Invocation, State};
use tidemill::model::time::Timestamp;

use super::moves::{self, Move};
use super::promise;
use super::world::{Hand, World};

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
    let one = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        salt.hash(&mut hasher);
        feed(world, &mut hasher);
        hasher.finish()
    };
    (one(0), one(1))
}

/// What of a state has a bearing on what may happen next: times only as far as they lie ahead, and of what has settled
/// only how.
fn feed(world: &World, hasher: &mut DefaultHasher) {
    let World { synced, unsynced, line, hands, left, acknowledged, told, started, drawn, .. } = world;
    (line, left, acknowledged, told, started, drawn, synced.len(), unsynced.len(), hands.len()).hash(hasher);
    for invocation in synced.values() {
        feed_one(world, invocation, hasher);
    }
    for group in unsynced {
        feed_group(world, group, hasher);
    }
    for (id, hand) in hands {
        id.hash(hasher);
        match hand {
            Hand::Running => 0u8.hash(hasher),
            Hand::Unsure(group) => feed_group(world, group, hasher),
        }
    }
}

fn feed_group(world: &World, group: &[Invocation], hasher: &mut DefaultHasher) {
    group.len().hash(hasher);
    for invocation in group {
        feed_one(world, invocation, hasher);
    }
}

fn feed_one(world: &World, invocation: &Invocation, hasher: &mut DefaultHasher) {
    let ahead = |time: Timestamp| (time.as_ms() + 1).saturating_sub(world.now);
    (invocation.id, invocation.target.function, invocation.attempts_used()).hash(hasher);
    match &invocation.state {
        State::Queued { due, .. } => (1u8, ahead(*due).max(1), ahead(invocation.expires())).hash(hasher),
        State::Running { .. } => (2u8, ahead(invocation.expires())).hash(hasher),
        State::Delivering { outcome, .. } | State::Done { outcome, .. } => (3u8, outcome).hash(hasher),
    }
}
