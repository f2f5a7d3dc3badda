//! Triggers: which there are, and the tasks that watch for them. What each starts is accepted by the runtime
//! ([`Starts`]) in the commit that also says how far the trigger has come; so a time or a message is neither left out
//! nor taken twice, whenever the process ends. Knows no HTTP, and nothing of what becomes of an invocation.
//!
//! | file     | decides                                              |
//! | -------- | ---------------------------------------------------- |
//! | `live`   | one trigger: how far it has come, and its task       |
//! | `change` | what is made, changed and deleted, one at a time     |
//! | `timer`  | when a timer fires, and with what                    |
//! | `queue`  | how messages are taken from a queue                  |
//! | `batch`  | what a function is given of them                     |
//! | `kept`   | where triggers are kept, and as what                 |
//! | `starts` | what the runtime is asked to do                      |

mod batch;
mod change;
mod error;
mod kept;
mod live;
mod queue;
mod starts;
mod timer;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

pub use change::Wanted;
pub use error::TriggerError;
pub use live::Shown;
pub use starts::{Acting, NotStarted, Order, Starting, Starts};

use crate::clock::Clock;
use crate::messaging::queues::Queues;
use crate::model::graph::{Edges, Named, Node, Owner};
use crate::model::names::{InvocationId, Namespace, TriggerName};
use crate::model::trigger::{Kind, Trigger};
use crate::registry::Registry;
use crate::store::{Change, Store, StoreError};
use crate::tasks::Tasks;
use live::Live;

/// What triggers work with.
#[derive(Clone)]
pub struct Needs {
    /// Where they are kept.
    pub store: Arc<dyn Store>,
    /// Which functions there are, and what leads where.
    pub registry: Registry,
    /// The time.
    pub clock: Clock,
    /// Owner of what is started here.
    pub tasks: Tasks,
    /// The message queues.
    pub queues: Queues,
    /// Accepts what they start.
    pub starts: Arc<dyn Starts>,
}

/// The triggers of a runtime. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Triggers {
    parts: Arc<Parts>,
}

type Key = (Namespace, TriggerName);

struct Parts {
    needs: Needs,
    all: RwLock<BTreeMap<Key, Arc<Live>>>,
}

/// A firing that somebody asked for.
pub struct ByHand {
    /// What is to be accepted.
    pub order: Order,
    live: Arc<Live>,
    _turn: tokio::sync::OwnedMutexGuard<()>,
}

impl Triggers {
    /// The triggers in the store; their edges are part of the graph from now on. Nothing fires before [`Self::begin`].
    pub async fn open(needs: Needs) -> Result<Self, StoreError> {
        let mut all = BTreeMap::new();
        let now = needs.clock.now();
        for (trigger, progress) in kept::all(&*needs.store, now).await? {
            let progress = progress.seen_at(now);
            needs.registry.adopt(owner(&trigger.namespace, &trigger.name), edges(&trigger));
            let key = (trigger.namespace.clone(), trigger.name.clone());
            all.insert(key, Arc::new(Live::new(trigger, progress)));
        }
        Ok(Self { parts: Arc::new(Parts { needs, all: RwLock::new(all) }) })
    }

    /// Starts watching.
    pub fn begin(&self) {
        for live in self.read(|all| all.values().cloned().collect::<Vec<_>>()) {
            live.begin(&self.parts.needs);
        }
    }

    /// A trigger as it is now.
    pub fn show(&self, namespace: &Namespace, name: &TriggerName) -> Result<Shown, TriggerError> {
        Ok(self.live(namespace, name)?.shown(&self.parts.needs))
    }

    /// Triggers of a namespace in order of their names, from behind `after`, at most `limit`.
    pub fn list(&self, namespace: &Namespace, after: Option<&TriggerName>, limit: usize) -> Vec<Shown> {
        let here = |live: &&Arc<Live>| {
            let trigger = live.trigger();
            trigger.namespace == *namespace && after.is_none_or(|after| trigger.name > *after)
        };
        let found: Vec<_> = self.read(|all| all.values().filter(here).take(limit).cloned().collect());
        found.iter().map(|live| live.shown(&self.parts.needs)).collect()
    }

    /// What a timer would start now, whether or not it is enabled. Accept it, then say so by [`Self::fired_by_hand`].
    pub async fn by_hand(&self, namespace: &Namespace, name: &TriggerName) -> Result<ByHand, TriggerError> {
        let (live, turn) = loop {
            let live = self.live(namespace, name)?;
            let turn = live.turn().await;
            if Arc::ptr_eq(&live, &self.live(namespace, name)?) {
                break (live, turn); // not one that was changed while we waited for it
            }
        };
        let trigger = live.trigger();
        let Kind::Timer(timer) = &trigger.kind else {
            return Err(TriggerError::NotATimer { name: name.clone(), kind: trigger.kind.as_str() });
        };
        let clock = &self.parts.needs.clock;
        let (id, now) = (clock.invocation_id(), clock.now());
        let order = timer::order(&live, timer, &timer::Firing { id, at: now, now, through: None });
        Ok(ByHand { order, live, _turn: turn })
    }

    /// Takes note of a firing that was accepted.
    pub fn fired_by_hand(&self, fired: &ByHand, id: InvocationId) {
        fired.live.fired(id, self.parts.needs.clock.now(), None);
    }

    fn live(&self, namespace: &Namespace, name: &TriggerName) -> Result<Arc<Live>, TriggerError> {
        let unknown = || TriggerError::Unknown { namespace: namespace.clone(), name: name.clone() };
        self.read(|all| all.get(&(namespace.clone(), name.clone())).cloned()).ok_or_else(unknown)
    }

    fn read<T>(&self, look: impl FnOnce(&BTreeMap<Key, Arc<Live>>) -> T) -> T {
        look(&self.parts.all.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whose edges those of a trigger are.
fn owner(namespace: &Namespace, name: &TriggerName) -> Owner {
    Owner::Trigger(Named { namespace: namespace.clone(), name: name.to_string() })
}

/// What leads where because of a trigger.
fn edges(trigger: &Trigger) -> Edges {
    let named = |name: &str| Named { namespace: trigger.namespace.clone(), name: name.to_owned() };
    let watched = match &trigger.kind {
        Kind::Timer(_) => Node::Timer(named(trigger.name.as_str())),
        Kind::Queue(source) => Node::Queue(named(source.queue.as_str())),
    };
    vec![(watched, Node::Function(trigger.target.path.clone()))]
}

/// The commit that keeps how far a trigger has come, as part of another.
fn keeping(live: &Live, progress: &crate::model::trigger::Progress) -> Change {
    kept::put_progress(live.trigger().id, progress)
}

#[cfg(test)]
mod tests;
