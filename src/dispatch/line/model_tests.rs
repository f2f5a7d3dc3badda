//! The line against a sorted map that holds everything: whatever happens between the beginning, the reading and the
//! delivery of a refill, nothing is lost, doubled, taken early, or taken while it is in somebody's hands.

use std::ops::Bound;

use proptest::prelude::*;

use super::*;
use crate::model::names::VersionNumber;
use crate::model::place::{Priority, Turn};

/// What a store and those who have something in their hands know.
#[derive(Default)]
struct World {
    line: Line,
    now: u64,
    store: BTreeMap<InvocationId, Place>,
    /// In somebody's hands; where it will stand when it is released.
    held: BTreeMap<InvocationId, (Lane, Option<Place>)>,
    /// Refills that have begun, with what was read of them, if that is done.
    refills: Vec<(Refill, Option<Vec<Place>>)>,
    next_id: u32,
    settled: usize,
}

#[derive(Clone, Copy, Debug)]
enum Action {
    /// Something new comes, is written, and is said to be in line.
    Accept {
        lane: u8,
        due: u8,
    },
    /// The same, but only begun: in somebody's hands, written or not yet.
    BeginAccept {
        lane: u8,
        due: u8,
        written: bool,
    },
    Take,
    /// Somebody takes one wherever it stands: to cancel it, or to make it run now.
    Pick {
        which: u8,
    },
    /// What somebody has in hands is written: settled, or to stand elsewhere.
    Write {
        which: u8,
        due: Option<u8>,
    },
    /// What somebody has in hands is let go.
    Release {
        which: u8,
    },
    BeginRefill,
    Read {
        which: u8,
    },
    Deliver {
        which: u8,
        fails: bool,
    },
    Pass {
        ms: u8,
    },
    Pause {
        lane: u8,
        paused: bool,
    },
    TakeExpired,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        6 => (0u8..4, 0u8..60).prop_map(|(lane, due)| Action::Accept { lane, due }),
        2 => (0u8..4, 0u8..60, any::<bool>())
            .prop_map(|(lane, due, written)| Action::BeginAccept { lane, due, written }),
        6 => Just(Action::Take),
        2 => any::<u8>().prop_map(|which| Action::Pick { which }),
        4 => (any::<u8>(), prop::option::of(0u8..60)).prop_map(|(which, due)| Action::Write { which, due }),
        5 => any::<u8>().prop_map(|which| Action::Release { which }),
        4 => Just(Action::BeginRefill),
        4 => any::<u8>().prop_map(|which| Action::Read { which }),
        4 => (any::<u8>(), prop::bool::weighted(0.1)).prop_map(|(which, fails)| Action::Deliver { which, fails }),
        2 => (0u8..20).prop_map(|ms| Action::Pass { ms }),
        1 => (0u8..4, any::<bool>()).prop_map(|(lane, paused)| Action::Pause { lane, paused }),
        1 => Just(Action::TakeExpired),
    ]
}

fn lane(n: u8) -> Lane {
    let function = FunctionId::new(Timestamp::from_ms(0), [n / 2; 10]);
    let priority = if n.is_multiple_of(2) { Priority::Normal } else { Priority::High };
    Lane { function, version: VersionNumber::new(1), priority }
}

impl World {
    fn new() -> Self {
        let windows = Windows { total: 8, least: 2, most: 4 };
        Self { line: Line { windows, ..Line::default() }, ..Self::default() }
    }

    fn make(&mut self, n: u8, due: u8) -> Place {
        self.next_id += 1;
        let mut bytes = [0; 10];
        bytes[6..].copy_from_slice(&self.next_id.to_be_bytes());
        let (id, due) = (InvocationId::new(Timestamp::from_ms(0), bytes), self.now + 1 + u64::from(due));
        Place { id, lane: lane(n), due: Timestamp::from_ms(due), expires: Timestamp::from_ms(due + 200) }
    }

    fn held_at(&self, which: u8) -> Option<InvocationId> {
        self.held.keys().nth(usize::from(which) % self.held.len().max(1)).copied()
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Accept { lane, due } => {
                let place = self.make(lane, due);
                self.store.insert(place.id, place);
                self.line.insert(place);
            }
            Action::BeginAccept { lane, due, written } => {
                let place = self.make(lane, due);
                self.held.insert(place.id, (place.lane, written.then_some(place)));
                self.store.extend(written.then_some((place.id, place)));
            }
            Action::Take => self.take(),
            Action::Pick { which } => self.pick(which),
            Action::Write { which, due } => self.write(which, due),
            Action::Release { which } => {
                if let Some(id) = self.held_at(which)
                    && let Some((lane, back)) = self.held.remove(&id)
                {
                    self.line.release(id, lane, back);
                }
            }
            Action::BeginRefill => self.refills.extend(self.line.begin_refill().map(|refill| (refill, None))),
            Action::Read { which } => self.read(which),
            Action::Deliver { which, fails } => self.deliver(which, fails),
            Action::Pass { ms } => self.now += u64::from(ms),
            Action::Pause { lane: n, paused } => self.line.pause(lane(n).function, paused),
            Action::TakeExpired => {
                if let Some(place) = self.line.take_expired(Timestamp::from_ms(self.now)) {
                    assert!(place.expires.as_ms() < self.now);
                    self.hold(place);
                }
            }
        }
    }

    fn hold(&mut self, place: Place) {
        assert_eq!(self.store.get(&place.id), Some(&place), "what is in line is what is kept");
        let before = self.held.insert(place.id, (place.lane, Some(place)));
        assert!(before.is_none(), "it was in somebody's hands");
    }

    fn take(&mut self) {
        let Some((place, ())) = self.line.take(Timestamp::from_ms(self.now), |_| Ok(())) else { return };
        assert!(place.due.as_ms() <= self.now, "early");
        let waiting =
            self.store.values().filter(|other| other.lane == place.lane && !self.held.contains_key(&other.id));
        assert_eq!(waiting.map(Place::turn).min(), Some(place.turn()), "the first of its lane");
        self.hold(place);
    }

    fn pick(&mut self, which: u8) {
        let free: Vec<_> = self.store.values().filter(|place| !self.held.contains_key(&place.id)).copied().collect();
        if let Some(place) = free.get(usize::from(which) % free.len().max(1)) {
            let found = self.line.remove(place.id);
            assert!(found.is_none_or(|found| found == *place));
            self.hold(*place);
        }
    }

    fn write(&mut self, which: u8, due: Option<u8>) {
        let Some(id) = self.held_at(which) else { return };
        let Some(mut place) = self.store.get(&id).copied() else { return };
        if let Some(due) = due {
            place.due = Timestamp::from_ms((self.now + u64::from(due)).max(1));
            self.store.insert(id, place);
        } else {
            self.store.remove(&id);
            self.settled += 1;
        }
        self.held.insert(id, (place.lane, due.map(|_| place)));
    }

    fn read(&mut self, which: u8) {
        let count = self.refills.len().max(1);
        let store = &self.store;
        if let Some((refill, read)) = self.refills.get_mut(usize::from(which) % count) {
            let turns: BTreeMap<Turn, Place> =
                store.values().filter(|place| place.lane == refill.lane).map(|place| (place.turn(), *place)).collect();
            let behind = turns.range((Bound::Excluded(refill.after), Bound::Unbounded));
            *read = Some(behind.map(|(_, place)| *place).take(refill.limit).collect());
        }
    }

    fn deliver(&mut self, which: u8, fails: bool) {
        if self.refills.is_empty() {
            return;
        }
        let index = usize::from(which) % self.refills.len();
        if self.refills[index].1.is_some() || fails {
            let (refill, read) = self.refills.swap_remove(index);
            let held = &self.held;
            self.line.finish_refill(refill.lane, read.filter(|_| !fails), |id| held.contains_key(&id));
        }
    }

    /// What is kept is in somebody's hands, in memory as it is kept, or behind its lane's horizon.
    fn check(&self) {
        for place in self.line.places.values() {
            assert_eq!(self.store.get(&place.id), Some(place), "in memory as it is kept");
            assert!(!self.held.contains_key(&place.id), "in line and in somebody's hands");
        }
        for place in self.store.values().filter(|place| !self.held.contains_key(&place.id)) {
            let behind = || {
                let row = self.line.rows.get(&place.lane)?;
                row.horizon.filter(|horizon| place.turn() > *horizon)
            };
            assert!(self.line.contains(place.id) || behind().is_some(), "lost: {place:?}");
        }
    }

    /// Lets everything end, and takes all that is left.
    fn drain(&mut self) {
        self.now += 1_000;
        (0..4).for_each(|n| self.line.pause(lane(n).function, false));
        for _ in 0..10_000 {
            (0..self.refills.len()).for_each(|_| {
                self.read(0);
                self.deliver(0, false);
            });
            self.act(Action::BeginRefill);
            self.act(Action::Take);
            self.act(Action::Write { which: 0, due: None });
            self.act(Action::Release { which: 0 });
            self.check();
            if self.store.is_empty() && self.held.is_empty() && self.refills.is_empty() && self.line.rows.is_empty() {
                break;
            }
        }
        assert!(self.store.is_empty() && self.held.is_empty());
        let line = &self.line;
        assert!(
            line.rows.is_empty() && line.functions.is_empty() && line.sleeping.is_empty() && line.expiry.is_empty()
        );
        assert!(line.places.is_empty() && line.refilling.is_empty() && line.order.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn nothing_is_lost_doubled_early_or_in_two_hands_whatever_happens_during_a_refill(
        actions in prop::collection::vec(action(), 0..150),
    ) {
        let mut world = World::new();
        for action in actions {
            world.act(action);
            world.check();
            let kept = world.store.len();
            prop_assert!(world.line.len() <= 4 * (4 + 4) + world.held.len(), "{kept}");
        }
        world.drain();
    }
}
