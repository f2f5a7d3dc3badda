//! The state of everything: what is on disk and what only the kernel has, what the process has in hand, and what
//! clients were told.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::time::Duration;

use tidemill::model::destination::{Destination, FunctionTarget};
use tidemill::model::function::AsyncConfig;
use tidemill::model::invocation::{Invocation, Lineage, Mode, PayloadInfo, Policy, Request, State, Target};
use tidemill::model::names::{FunctionId, FunctionPath, InvocationId, Qualifier};
use tidemill::model::outcome::Outcome;
use tidemill::model::place::Priority;
use tidemill::model::retry::RetryPolicy;
use tidemill::model::time::Timestamp;

/// Attempts after the first.
pub(super) const MAX_RETRIES: u32 = 1;
/// Milliseconds after which nothing starts any more.
const MAX_AGE_MS: u64 = 2;
/// Milliseconds before the second attempt, doubled: half of it is jitter, and there is none here.
const RETRY_DELAY_MS: u64 = 2;

/// How things are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Rule {
    /// As they are.
    Real,
    /// The outcome first, then what follows from it.
    SettlesInTwoCommits,
    /// What follows has an id of its own.
    DrawsIds,
    /// Attempts start and nothing is written.
    ForgetsClaims,
    /// Attempts start however old the invocation is.
    IgnoresAge,
    /// Outcomes are told once the kernel has them.
    SettlesUnsynced,
    /// Acceptances are told once the kernel has them.
    AcceptsUnsynced,
}

/// Invocations by id.
pub(super) type Kept = BTreeMap<InvocationId, Invocation>;
/// Invocations that are written together or not at all.
pub(super) type Group = Vec<Invocation>;

/// What the process is doing with an invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hand {
    /// Its attempt runs.
    Running,
    /// This was handed over, and whether it was written is not known.
    Unsure(Group),
}

/// How often what is not in the program's power may still happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Mishaps {
    pub(super) crashes: u8,
    pub(super) lost_answers: u8,
    pub(super) cancels: u8,
}

/// The state of everything.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) rule: Rule,
    pub(super) now: u64,
    /// What survives everything.
    pub(super) synced: Kept,
    /// What was written since, group by group: it survives the process.
    pub(super) unsynced: Vec<Group>,
    /// What the process is going to look at.
    pub(super) line: BTreeSet<InvocationId>,
    pub(super) hands: BTreeMap<InvocationId, Hand>,
    pub(super) left: Mishaps,
    /// What clients were told: accepted, and outcomes.
    pub(super) acknowledged: BTreeSet<InvocationId>,
    pub(super) told: BTreeMap<InvocationId, Outcome>,
    /// Attempts that started, less those that a power cut made the disk forget.
    pub(super) started: BTreeMap<InvocationId, u32>,
    /// The last attempt that started did so too late.
    pub(super) late: bool,
    /// Ids that were drawn.
    pub(super) drawn: u8,
}

impl World {
    pub(super) fn start(rule: Rule) -> Self {
        Self {
            rule,
            now: 0,
            synced: Kept::new(),
            unsynced: Vec::new(),
            line: BTreeSet::new(),
            hands: BTreeMap::new(),
            left: Mishaps { crashes: 2, lost_answers: 1, cancels: 1 },
            acknowledged: BTreeSet::new(),
            told: BTreeMap::new(),
            started: BTreeMap::new(),
            late: false,
            drawn: 0,
        }
    }

    pub(super) fn time(&self) -> Timestamp {
        Timestamp::from_ms(self.now)
    }

    /// What a process reads.
    pub(super) fn kept(&self) -> Kept {
        let mut kept = self.synced.clone();
        kept.extend(self.unsynced.iter().flatten().map(|invocation| (invocation.id, invocation.clone())));
        kept
    }

    pub(super) fn get(&self, id: InvocationId) -> Option<Invocation> {
        let written = self.unsynced.iter().flatten().rev().find(|invocation| invocation.id == id);
        written.or_else(|| self.synced.get(&id)).cloned()
    }

    pub(super) fn sync(&mut self) {
        self.synced = self.kept();
        self.unsynced.clear();
    }

    pub(super) fn is_settled(&self) -> bool {
        !self.synced.is_empty() && self.kept().values().all(|invocation| invocation.outcome().is_some())
    }
}

/// The invocation from outside, of a function `a` that leads to `b` and then `c`, and to `c` when it fails.
pub(super) fn root(now: Timestamp) -> Invocation {
    invocation(InvocationId::from_bytes([1; 16]), 0, now, Vec::new())
}

/// What follows from `parent`.
pub(super) fn following(parent: &Invocation, id: InvocationId, to: FunctionId, now: Timestamp) -> Invocation {
    let chain = parent.lineage.chain.iter().copied().chain([parent.id]).collect();
    invocation(id, to.as_bytes()[0], now, chain)
}

fn invocation(id: InvocationId, function: u8, now: Timestamp, chain: Vec<InvocationId>) -> Invocation {
    Invocation {
        id,
        target: Target { function: FunctionId::from_bytes([function; 16]), path: path(), version: None },
        mode: Mode::Async,
        accepted: now,
        first_due: now,
        request: Request { payload: PayloadInfo::default(), traceparent: None, attributes: Vec::new(), head: None },
        lineage: Lineage { chain, retry_of: None },
        policy: Policy { config: config(function), hop_limit: 16, callback: None, invoker: None },
        priority: Priority::default(),
        spread: 0,
        attempts: Vec::new(),
        state: State::Queued { due: now, attempt: NonZeroU32::MIN },
        result: None,
    }
}

fn config(function: u8) -> AsyncConfig {
    let delay = Duration::from_millis(RETRY_DELAY_MS);
    let retry = RetryPolicy::new(MAX_RETRIES, delay, delay).unwrap();
    let max_event_age = Duration::from_millis(MAX_AGE_MS);
    let mut config = AsyncConfig { retry, max_event_age, ..AsyncConfig::default() };
    let to = |function: u8| {
        let id = FunctionId::from_bytes([function; 16]);
        Some(Destination::Function(FunctionTarget { id, path: path(), qualifier: Qualifier::Latest }))
    };
    match function {
        0 => (config.destinations.on_success, config.destinations.on_failure) = (to(1), to(2)),
        1 => config.destinations.on_success = to(2),
        _ => (),
    }
    config
}

fn path() -> FunctionPath {
    FunctionPath { namespace: "default".parse().unwrap(), name: "f".parse().unwrap() }
}
