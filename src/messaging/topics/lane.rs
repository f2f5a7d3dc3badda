//! One subscription: what is on its way to it, tried and tried again, and given up. It has a task of its own, so a dead
//! endpoint delays nobody else. Knows no other subscription.
//!
//! Of what is on its way the few that are due first are looked at. While the endpoint fails, one is tried at a time.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::kept::{self, Confirmation, Dead, KeptSubscription, Lot, Work, subscription_key};
use super::{Call, Endpoint, Parts, Publication, TopicPath, queue};
use crate::clock;
use crate::model::bounds;
use crate::model::time::Timestamp;
use crate::outbound::{NotSent, Post};
use crate::store::form;
use crate::store::{Change, Durability, Group, StoreError};

/// What is sent to one endpoint at once, while it takes it.
const AT_ONCE: usize = 8;
/// When to look again where the store did not do as it was told.
const ASIDE: Duration = Duration::from_secs(5);
/// When to look again where nothing is to be done; whoever brings something wakes the task.
const IDLE: Duration = Duration::from_secs(60);
/// Bytes of an error that are kept.
const MAX_ERROR_BYTES: usize = 500;

/// One subscription.
pub(super) struct Lane {
    pub(super) topic: Uuid,
    pub(super) path: TopicPath,
    pub(super) id: Uuid,
    kept: Mutex<KeptSubscription>,
    /// Held over a change of what is kept, and its commit: by whoever removes it until it is closed. Who holds
    /// [`Parts::changing`] too has taken that before.
    pub(super) changing: tokio::sync::Mutex<()>,
    /// What is on its way.
    pub(super) pending: AtomicU64,
    /// What was given up.
    pub(super) dead: AtomicU64,
    /// Whether the last try failed.
    failing: AtomicBool,
    wake: Notify,
    closed: CancellationToken,
}

impl Lane {
    pub(super) fn new(topic: Uuid, path: TopicPath, id: Uuid, kept: KeptSubscription) -> Self {
        Self {
            topic,
            path,
            id,
            kept: Mutex::new(kept),
            changing: tokio::sync::Mutex::default(),
            pending: AtomicU64::new(0),
            dead: AtomicU64::new(0),
            failing: AtomicBool::new(false),
            wake: Notify::new(),
            closed: CancellationToken::new(),
        }
    }

    pub(super) fn kept(&self) -> MutexGuard<'_, KeptSubscription> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that there is something to do.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Ends its task. It is removed: whoever holds `changing` writes nothing of it any more.
    pub(super) fn close(&self) {
        self.closed.cancel();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.is_cancelled()
    }

    /// Writes what is kept of it anew.
    pub(super) fn put(&self, kept: &KeptSubscription) -> Change {
        Change::PutDocument(subscription_key(self.topic, self.id), form::encode(kept))
    }

    /// Brings what is on its way, until it is closed.
    pub(super) async fn run(self: Arc<Self>, parts: Arc<Parts>) {
        loop {
            let pause = match self.turn(&parts).await {
                Ok(pause) => pause,
                Err(error) => {
                    let (topic, subscription) = (&self.path, self.id);
                    tracing::warn!(%topic, %subscription, %error, "what is on its way could not be read or written");
                    ASIDE
                }
            };
            tokio::select! {
                () = parts.tasks.stopping().cancelled() => return,
                () = self.closed.cancelled() => return,
                () = self.wake.notified() => (),
                () = parts.clock.sleep(pause) => (),
            }
        }
    }

    /// Does what is due, and says when to look again.
    async fn turn(&self, parts: &Parts) -> Result<Duration, StoreError> {
        let confirmation = self.kept().confirmation.clone();
        if let Some(confirmation) = confirmation {
            return self.ask_to_confirm(parts, confirmation).await;
        }
        let now = parts.clock.now();
        let most = if self.failing.load(Ordering::Relaxed) { 1 } else { AT_ONCE };
        let mut first = self.first_work(&*parts.store, most).await?;
        let Some((soonest, _)) = first.first().copied() else { return Ok(IDLE) };
        if soonest > now {
            return Ok(soonest.since(now));
        }
        first.retain(|(due, _)| *due <= now);
        let tries = first.into_iter().map(|(due, number)| self.try_once(parts, number, due));
        for done in futures::future::join_all(tries).await {
            done?;
        }
        Ok(Duration::ZERO)
    }

    /// Tries to bring one publication, whose work was `due`, and writes what came of it.
    async fn try_once(&self, parts: &Parts, number: u64, due: Timestamp) -> Result<(), StoreError> {
        let remove = self.remove_work(number, due);
        let work = self.work_of(&*parts.store, number).await?;
        let is_counted = work.is_some();
        let body = parts.store.document(Lot::bodies(self.topic).key(number)).await?;
        let Some((work, bytes)) = work.zip(body) else {
            // It goes after its work: what has none is what is left of a publication that was brought.
            parts.store.commit(Group(remove.into()), Durability::Written).await?;
            less(&self.pending, is_counted.into());
            return Ok(());
        };
        let publication: Publication = kept::decode(&bytes, &self.path)?;
        let Ok(_permit) = parts.sending.acquire().await else { return Ok(()) };
        let brought = self.bring(parts, &publication, remove.clone()).await;
        if self.is_closed() {
            return Ok(());
        }
        self.failing.store(brought.is_err(), Ordering::Relaxed);
        match brought {
            Ok(None) => {
                parts.store.commit(Group(remove.into()), Durability::Written).await?;
                less(&self.pending, 1);
                Ok(())
            }
            Ok(Some(failed)) => Err(failed),
            Err(not_sent) => self.later(parts, (number, due), (publication, work), not_sent).await,
        }
    }

    /// Brings a publication to the endpoint. A queue takes it in the commit that removes the work; where that one fails it is
    /// the store's failure and no try.
    async fn bring(
        &self,
        parts: &Parts,
        publication: &Publication,
        remove: [Change; 2],
    ) -> Result<Option<StoreError>, NotSent> {
        let (to, namespace) = (self.kept().to.clone(), &self.path.namespace);
        match &to {
            Endpoint::Web(url) => parts.ways.post(namespace, url, self.post(publication)).await?,
            Endpoint::Function(_) => {
                let function = to.function().ok_or_else(|| NotSent::never("its function has no name"))?;
                let key = format!("topic-{}-{}", self.id, publication.id);
                parts.ways.invoke(Call { namespace, function: &function, publication, key }).await?;
            }
            Endpoint::Queue(name) => {
                let mut sending = queue::changes(&parts.queues, &self.path, name, publication).await?;
                let changes = std::mem::take(&mut sending.changes);
                let group = Group(changes.into_iter().chain(remove).collect());
                if let Err(failed) = parts.store.commit(group, Durability::Synced).await {
                    return Ok(Some(failed));
                }
                sending.committed();
            }
        }
        Ok(None)
    }

    /// A publication as a request. What it has of attributes cannot take the place of a header that means something.
    fn post(&self, publication: &Publication) -> Post {
        let attributes = publication.attributes.iter().map(|(name, value)| {
            let is_event = name.starts_with("ce-");
            (if is_event { name.clone() } else { format!("tidemill-attribute-{name}") }, value.clone())
        });
        let outcome = publication.outcome.map(|kind| ("tidemill-outcome".to_owned(), kind.as_str().to_owned()));
        let of = [
            ("tidemill-topic".to_owned(), self.path.to_string()),
            ("tidemill-subscription".to_owned(), self.id.to_string()),
        ];
        Post {
            id: publication.id.to_string(),
            body: publication.body.clone(),
            content_type: publication.content_type.clone(),
            headers: of.into_iter().chain(outcome).chain(attributes).collect(),
        }
    }

    /// Writes when it is tried again, or that it is given up.
    async fn later(
        &self,
        parts: &Parts,
        (number, due): (u64, Timestamp),
        (publication, work): (Publication, Work),
        not_sent: NotSent,
    ) -> Result<(), StoreError> {
        let now = parts.clock.now();
        let budget = Duration::from_secs(self.kept().give_up_after_s);
        let (work, again) = after(&work, now, budget, not_sent);
        let moved = self.move_work(number, due, &work);
        if again || self.dead.load(Ordering::Relaxed) >= bounds::MAX_DEAD_PUBLICATIONS {
            parts.store.commit(Group(moved.into()), Durability::Written).await?;
            return Ok(());
        }
        let (id, error) = (publication.id, work.error.clone().unwrap_or_default());
        let (topic, subscription, tries) = (&self.path, self.id, work.tries);
        let dead = Dead { publication, work, given_up: now };
        let dead = Change::PutDocument(self.dead().key(number), form::encode(&dead));
        let group = Group(self.remove_work(number, due).into_iter().chain([dead]).collect());
        self.dead.fetch_add(1, Ordering::Relaxed);
        if let Err(refused) = parts.store.commit(group, Durability::Synced).await {
            less(&self.dead, 1);
            // Where there is no room for what is given up it is tried on.
            parts.store.commit(Group(moved.into()), Durability::Written).await?;
            return Err(refused);
        }
        tracing::info!(%topic, %subscription, publication = %id, tries, %error, "a publication is given up");
        less(&self.pending, 1);
        Ok(())
    }

    /// Sends the question whether the address wants to be subscribed, where that is due.
    async fn ask_to_confirm(&self, parts: &Parts, confirmation: Confirmation) -> Result<Duration, StoreError> {
        let now = parts.clock.now();
        if confirmation.is_sent || confirmation.until <= now {
            return Ok(IDLE); // who is to remove it looks by himself
        }
        if confirmation.work.due > now {
            return Ok(confirmation.work.due.since(now));
        }
        let url = self.kept().to.to_string();
        let Ok(_permit) = parts.sending.acquire().await else { return Ok(IDLE) };
        let asked = parts.ways.post(&self.path.namespace, &url, self.question(parts, &confirmation)).await;
        let _changing = self.changing.lock().await;
        let mut kept = self.kept().clone();
        // It may be confirmed by now, or another question be due.
        let Some(own) = kept.confirmation.as_mut().filter(|own| own.token == confirmation.token) else {
            return Ok(Duration::ZERO);
        };
        match asked {
            Ok(()) => own.is_sent = true,
            Err(not_sent) => {
                let budget = own.until.since(own.work.since);
                let (work, again) = after(&own.work, parts.clock.now(), budget, not_sent);
                own.work = work;
                own.is_sent = !again; // it is asked no more
            }
        }
        if !self.is_closed() {
            parts.store.commit(Group(vec![self.put(&kept)]), Durability::Written).await?;
            *self.kept() = kept;
        }
        Ok(Duration::ZERO)
    }

    fn question(&self, parts: &Parts, confirmation: &Confirmation) -> Post {
        let (topic, namespace, id) = (&self.path.name, &self.path.namespace, self.id);
        let path = format!("/v1/topics/{topic}/subscriptions/{id}/confirm");
        let query = format!("namespace={namespace}&token={}", confirmation.token);
        let body = serde_json::json!({
            "type": "subscription_confirmation",
            "message": "Somebody wants this address to get what is published on a topic. To confirm it, send a GET or a POST to \
                        confirm_url within the time; to refuse, do nothing.",
            "namespace": namespace.as_str(),
            "topic": topic.as_str(),
            "subscription": id,
            "token": confirmation.token,
            "confirm_url": format!("{}{path}?{query}", parts.base),
            "expires_at": confirmation.until.to_string(),
        });
        Post {
            id: id.to_string(),
            body: Bytes::from(body.to_string()),
            content_type: "application/json".to_owned(),
            headers: vec![("tidemill-subscription".to_owned(), id.to_string())],
        }
    }
}

/// Counts so many less. What is counted is counted before it is written, so it is never less than nothing.
pub(super) fn less(counter: &AtomicU64, removed: u64) {
    let less = |before: u64| Some(before.saturating_sub(removed));
    let _: Result<u64, u64> = counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
}

/// What becomes of work that failed, and whether it is tried again.
fn after(work: &Work, now: Timestamp, budget: Duration, not_sent: NotSent) -> (Work, bool) {
    let (why, asked) = match not_sent {
        NotSent::Never { why } => (why, None),
        NotSent::Retry { why, after } => (why, Some(after.unwrap_or_default().min(bounds::DELIVERY_ASKED_MAX))),
    };
    let tries = work.tries.saturating_add(1);
    let doubled = bounds::DELIVERY_DELAY.saturating_mul(1 << (tries - 1).min(20)).min(bounds::DELIVERY_DELAY_MAX);
    let pause = doubled / 2 + doubled.mul_f64(f64::from(clock::spread()) / f64::from(u16::MAX) / 2.0);
    let due = now + pause.max(asked.unwrap_or_default());
    let mut why = why;
    why.truncate(why.floor_char_boundary(MAX_ERROR_BYTES));
    let again = asked.is_some() && due <= work.since + budget;
    (Work { since: work.since, due, tries, error: Some(why) }, again)
}
