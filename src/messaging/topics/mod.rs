//! Topics: what is published on one goes to everybody who is subscribed. A publication is durable when it is acknowledged;
//! from then on each subscription has work of its own, and a task (`lane`) that brings it: tries, pauses, and what is given
//! up in the end, which is kept. A message queue gets it in the very commit of the publication. Knows no function and no
//! HTTP: the ways to endpoints are a trait (`endpoint`).
//!
//! An HTTP address has to confirm that it wants to be subscribed: it is sent a token and an address to visit with it, and
//! nothing else before that. The token is all that whoever visits it shows, so it stays the only one when it has confirmed.

mod endpoint;
mod error;
mod kept;
mod lane;
mod order;
mod publish;
mod queue;
mod subscriptions;
mod upkeep;

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use uuid::Uuid;

use endpoint::MAX_FILTER;
pub use endpoint::{Call, Endpoint, Filter, Reached, Ways};
pub use error::TopicError;
pub use publish::Published;
pub use subscriptions::{DeadPublication, SubscriptionView};

use crate::clock::Clock;
use crate::messaging::blob;
use crate::messaging::queues::Queues;
use crate::model::bounds;
use crate::model::names::{InvocationId, Namespace, TopicName};
use crate::model::outcome::OutcomeKind;
use crate::model::time::Timestamp;
use crate::store::form;
use crate::store::{Change, Durability, Group, Store, StoreError};
use crate::tasks::{OnExit, Tasks};
use kept::{KeptTopic, topic_key};
use lane::Lane;

/// Documents that are gone through or removed at once.
const PAGE: usize = 500;

/// A topic's full name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPath {
    /// Whose it is.
    pub namespace: Namespace,
    /// Its name there.
    pub name: TopicName,
}

impl fmt::Display for TopicPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace != Namespace::default() {
            write!(f, "{}/", self.namespace)?;
        }
        self.name.fmt(f)
    }
}

/// What is published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publication {
    /// What receivers know it by, the same at every try. What has the id of one that was published lately is that one.
    pub id: Uuid,
    /// What it says.
    #[serde(with = "blob")]
    pub body: Bytes,
    /// What that is; empty where nobody said.
    pub content_type: String,
    /// More about it; filters look at them.
    pub attributes: Vec<(String, String)>,
    /// How the invocation ended that it tells of.
    pub outcome: Option<OutcomeKind>,
    /// The invocations that led to it: functions that it goes to are steps of their chain.
    pub chain: Vec<InvocationId>,
}

/// A topic as it stands.
#[derive(Clone, Debug)]
pub struct TopicView {
    /// Which.
    pub path: TopicPath,
    /// When it was made.
    pub created: Timestamp,
    /// Who is subscribed.
    pub subscriptions: Vec<SubscriptionView>,
}

/// The topics of a runtime. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Topics {
    parts: Arc<Parts>,
}

struct Parts {
    store: Arc<dyn Store>,
    clock: Clock,
    tasks: Tasks,
    queues: Queues,
    ways: Arc<dyn Ways>,
    /// What endpoints reach the API under.
    base: String,
    topics: RwLock<BTreeMap<TopicPath, Arc<Topic>>>,
    /// Held over the look at which there are and the commit.
    changing: tokio::sync::Mutex<()>,
    /// What may be sent at once.
    sending: Semaphore,
}

/// One topic.
struct Topic {
    id: Uuid,
    path: TopicPath,
    created: Timestamp,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    lanes: BTreeMap<Uuid, Arc<Lane>>,
    /// The number that was given last.
    last: u64,
    /// Numbers of what is being written: nothing from the least of them on is let go of.
    writing: BTreeSet<u64>,
    /// Ids of what is being written.
    claimed: HashSet<Uuid>,
    /// Ids of the latest publications, the oldest in front.
    recent: VecDeque<Uuid>,
    /// The same, to look one up.
    known: HashSet<Uuid>,
}

impl Topic {
    fn new(id: Uuid, path: TopicPath, created: Timestamp) -> Self {
        Self { id, path, created, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lanes(&self) -> Vec<Arc<Lane>> {
        self.state().lanes.values().cloned().collect()
    }

    /// A number above all that were given, also by processes before: it is made of the time.
    fn next_number(&self, now: Timestamp) -> u64 {
        let mut state = self.state();
        state.last = (state.last + 1).max(now.as_ms() << 16);
        let number = state.last;
        state.writing.insert(number);
        number
    }

    fn written(&self, number: u64) {
        self.state().writing.remove(&number);
    }
}

impl Topics {
    /// The topics in `store`; what is on its way goes on, over `ways` and to `queues`. `base` is what endpoints reach the
    /// API under: `http://HOST:PORT`.
    pub async fn open(
        store: Arc<dyn Store>,
        (clock, tasks): (Clock, Tasks),
        queues: Queues,
        ways: Arc<dyn Ways>,
        base: String,
    ) -> Result<Self, StoreError> {
        let topics = upkeep::load(store.as_ref()).await?;
        let (changing, sending) = (tokio::sync::Mutex::default(), Semaphore::new(bounds::MAX_PUBLICATIONS_SENT));
        let topics = RwLock::new(topics);
        let parts = Arc::new(Parts { store, clock, tasks, queues, ways, base, topics, changing, sending });
        for lane in parts.all().iter().flat_map(|topic| topic.lanes()) {
            parts.start(lane);
        }
        parts.tasks.spawn("topics", OnExit::Shutdown, Arc::clone(&parts).keep_up());
        Ok(Self { parts })
    }

    /// Makes a topic. When this returns it would survive a power cut. Returns whether it is new.
    pub async fn create(&self, path: TopicPath) -> Result<bool, TopicError> {
        let parts = Arc::clone(&self.parts);
        self.see_through(async move { parts.create(path).await }).await
    }

    /// Removes a topic with its subscriptions, and with what is on its way to them.
    pub async fn remove(&self, path: TopicPath) -> Result<(), TopicError> {
        let parts = Arc::clone(&self.parts);
        self.see_through(async move { parts.remove(&path).await }).await
    }

    /// Topics of a namespace in order of their names, from behind `after`, at most `limit`.
    pub fn list(&self, namespace: &Namespace, after: Option<&TopicName>, limit: usize) -> Vec<TopicView> {
        let all = self.parts.all();
        let own = all.iter().filter(|topic| topic.path.namespace == *namespace);
        own.filter(|topic| after.is_none_or(|after| topic.path.name > *after)).take(limit).map(|it| view(it)).collect()
    }

    /// Every topic of every namespace.
    pub fn all(&self) -> Vec<TopicView> {
        self.parts.all().iter().map(|topic| view(topic)).collect()
    }

    /// A topic as it stands.
    pub fn view(&self, path: &TopicPath) -> Result<TopicView, TopicError> {
        Ok(view(&*self.parts.topic(path)?))
    }

    /// Whether there is such a topic.
    pub fn exists(&self, path: &TopicPath) -> bool {
        self.parts.topic(path).is_ok()
    }

    async fn see_through<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, TopicError>> + Send + 'static,
    ) -> Result<T, TopicError> {
        self.parts.tasks.see_through("topic", work).await.ok_or(TopicError::Interrupted)?
    }
}

impl Parts {
    fn all(&self) -> Vec<Arc<Topic>> {
        self.topics.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn topic(&self, path: &TopicPath) -> Result<Arc<Topic>, TopicError> {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        topics.get(path).cloned().ok_or_else(|| TopicError::Unknown(path.clone()))
    }

    fn start(self: &Arc<Self>, lane: Arc<Lane>) {
        self.tasks.spawn("subscription", OnExit::Ignore, lane.run(Arc::clone(self)));
    }

    async fn create(&self, path: TopicPath) -> Result<bool, TopicError> {
        let _changing = self.changing.lock().await;
        let (there, all) = (self.topic(&path).is_ok(), self.all());
        if there {
            return Ok(false);
        }
        let (own, all) = (all.iter().filter(|it| it.path.namespace == path.namespace).count(), all.len());
        if own >= bounds::MAX_TOPICS || all >= bounds::MAX_ALL_TOPICS {
            return Err(TopicError::TooMany { namespace: path.namespace, own, all });
        }
        let (id, created) = (Uuid::new_v4(), self.clock.now());
        let TopicPath { namespace, name } = path.clone();
        let kept = form::encode(&KeptTopic { namespace, name, created });
        let group = Group(vec![Change::PutDocument(topic_key(id), kept)]);
        self.store.commit(group, Durability::Synced).await?;
        let topic = Arc::new(Topic::new(id, path.clone(), created));
        self.topics.write().unwrap_or_else(PoisonError::into_inner).insert(path, topic);
        Ok(true)
    }

    async fn remove(&self, path: &TopicPath) -> Result<(), TopicError> {
        let _changing = self.changing.lock().await;
        let topic = self.topic(path)?;
        let lanes = topic.lanes();
        let mut own = Vec::with_capacity(lanes.len());
        for lane in &lanes {
            own.push(lane.changing.lock().await);
        }
        let keys = lanes.iter().map(|lane| kept::subscription_key(topic.id, lane.id)).chain([topic_key(topic.id)]);
        let group = Group(keys.map(Change::RemoveDocument).collect());
        self.store.commit(group, Durability::Synced).await?;
        self.topics.write().unwrap_or_else(PoisonError::into_inner).remove(path);
        for lane in &lanes {
            lane.close();
        }
        // What this leaves is found at the next start.
        if let Err(error) = self.sweep_topic(&topic, &lanes).await {
            tracing::warn!(topic = %path, %error, "what was on its way from a deleted topic is not removed yet");
        }
        Ok(())
    }
}

fn view(topic: &Topic) -> TopicView {
    let subscriptions = topic.lanes().iter().map(|lane| subscriptions::view(lane)).collect();
    TopicView { path: topic.path.clone(), created: topic.created, subscriptions }
}

#[cfg(test)]
mod tests;
