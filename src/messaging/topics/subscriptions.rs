//! Subscribing, confirming and ending a subscription; and what could not be brought to one.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::kept::{self, Confirmation, Dead, KeptSubscription, Work, subscription_key};
use super::lane::{Lane, less};
use super::{Endpoint, Filter, PAGE, Parts, Publication, Topic, TopicError, TopicPath, Topics, queue};
use crate::model::bounds::{self, within};
use crate::model::names::Digest;
use crate::model::time::Timestamp;
use crate::outbound::NotSent;
use crate::store::{Change, DocumentRange, Durability, Group};

/// A subscription as it stands.
#[derive(Clone, Debug)]
pub struct SubscriptionView {
    /// Its id.
    pub id: Uuid,
    /// Who gets what is published.
    pub to: Endpoint,
    /// What of it.
    pub filter: Filter,
    /// How long one publication is tried, in seconds.
    pub give_up_after_s: u64,
    /// When it was made.
    pub created: Timestamp,
    /// Whether it gets anything yet.
    pub is_confirmed: bool,
    /// What came of asking it to confirm, where that failed.
    pub error: Option<String>,
    /// Publications on their way to it.
    pub pending: u64,
    /// Publications that were given up.
    pub dead: u64,
}

/// A publication that was given up.
#[derive(Clone, Debug)]
pub struct DeadPublication {
    /// Where it stands among the others.
    pub number: u64,
    /// What was published.
    pub publication: Publication,
    /// When.
    pub since: Timestamp,
    /// When it was given up.
    pub given_up: Timestamp,
    /// How often it was tried.
    pub tries: u32,
    /// What came of the last try.
    pub error: String,
}

/// What is to be subscribed, and how.
struct Wanted {
    to: Endpoint,
    filter: Filter,
    give_up_after_s: u64,
}

fn digest(token: &str) -> Digest {
    Digest::from_bytes(Sha256::digest(token).into())
}

pub(super) fn view(lane: &Lane) -> SubscriptionView {
    let kept = lane.kept();
    SubscriptionView {
        id: lane.id,
        to: kept.to.clone(),
        filter: kept.filter.clone(),
        give_up_after_s: kept.give_up_after_s,
        created: kept.created,
        is_confirmed: kept.confirmation.is_none(),
        error: kept.confirmation.as_ref().and_then(|it| it.work.error.clone()),
        pending: lane.pending.load(Ordering::Relaxed),
        dead: lane.dead.load(Ordering::Relaxed),
    }
}

impl Topics {
    /// Subscribes an endpoint. Each has one subscription of a topic: subscribing it again changes what it gets, and asks it
    /// once more to confirm where it has not. Returns whether it is new.
    pub async fn subscribe(
        &self,
        path: &TopicPath,
        to: Endpoint,
        filter: Filter,
        give_up_after_s: Option<u64>,
    ) -> Result<(SubscriptionView, bool), TopicError> {
        let give_up_after_s = give_up_after_s.unwrap_or(bounds::DEFAULT_DELIVERY_BUDGET.as_secs());
        within("give_up_after_s", give_up_after_s, &bounds::DELIVERY_BUDGET_S)?;
        filter.check()?;
        match &to {
            Endpoint::Queue(name) => {
                let queue = queue::path(&path.namespace, name).map_err(TopicError::Refused)?;
                let there = self.parts.queues.describe(&queue);
                there.map_err(|error| TopicError::Refused(NotSent::never(error.to_string())))?;
            }
            Endpoint::Function(_) | Endpoint::Web(_) => {
                self.parts.ways.check(&path.namespace, &to).await.map_err(TopicError::Refused)?;
            }
        }
        let (parts, path) = (Arc::clone(&self.parts), path.clone());
        let wanted = Wanted { to, filter, give_up_after_s };
        self.see_through(async move { parts.subscribe(&path, wanted).await }).await
    }

    /// Confirms a subscription with the token that its endpoint was sent; with the same it may be confirmed again. Whoever has
    /// nothing but a token is told nothing else.
    pub async fn confirm(&self, path: &TopicPath, id: Uuid, token: String) -> Result<(), TopicError> {
        let (parts, lane) = (Arc::clone(&self.parts), self.lane(path, id)?);
        self.see_through(async move { parts.confirm(&lane, &token).await }).await
    }

    /// Ends a subscription; what is on its way to it goes nowhere.
    pub async fn unsubscribe(&self, path: &TopicPath, id: Uuid) -> Result<(), TopicError> {
        self.lane(path, id)?;
        let (parts, topic) = (Arc::clone(&self.parts), self.parts.topic(path)?);
        self.see_through(async move { parts.unsubscribe(&topic, id, |_| true).await.map(drop) }).await
    }

    /// A subscription as it stands.
    pub fn subscription(&self, path: &TopicPath, id: Uuid) -> Result<SubscriptionView, TopicError> {
        Ok(view(&*self.lane(path, id)?))
    }

    /// What was given up, the oldest first, from behind the number `after`, at most `limit`.
    pub async fn dead(
        &self,
        path: &TopicPath,
        id: Uuid,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<DeadPublication>, TopicError> {
        let lane = self.lane(path, id)?;
        let mut range = lane.dead().range();
        if let Some(after) = after {
            range = range.after(lane.dead().key(after).key());
        }
        let found = self.parts.store.documents(range, limit).await?;
        let read = found.into_iter().filter_map(|(key, bytes)| Some((kept::number(&key)?, bytes)));
        read.map(|(number, bytes)| {
            let Dead { publication, work: Work { since, tries, error, .. }, given_up } = kept::decode(&bytes, path)?;
            let error = error.unwrap_or_default();
            Ok(DeadPublication { number, publication, since, given_up, tries, error })
        })
        .collect()
    }

    /// Sends what was given up once more, the oldest first, up to a thousand. Returns how many there were.
    pub async fn redrive(&self, path: &TopicPath, id: Uuid) -> Result<usize, TopicError> {
        let (parts, lane, topic) = (Arc::clone(&self.parts), self.lane(path, id)?, self.parts.topic(path)?);
        self.see_through(async move { parts.redrive(&topic, &lane).await }).await
    }

    /// Removes what was given up.
    pub async fn purge(&self, path: &TopicPath, id: Uuid) -> Result<(), TopicError> {
        let (parts, lane) = (Arc::clone(&self.parts), self.lane(path, id)?);
        self.see_through(async move {
            let _changing = lane.changing.lock().await;
            let removed = parts.sweep(&lane.dead()).await?;
            less(&lane.dead, removed);
            Ok(())
        })
        .await
    }

    fn lane(&self, path: &TopicPath, id: Uuid) -> Result<Arc<Lane>, TopicError> {
        let lane = self.parts.topic(path)?.state().lanes.get(&id).cloned();
        lane.ok_or_else(|| TopicError::SubscriptionUnknown { topic: path.clone(), id })
    }
}

impl Parts {
    async fn subscribe(
        self: &Arc<Self>,
        path: &TopicPath,
        wanted: Wanted,
    ) -> Result<(SubscriptionView, bool), TopicError> {
        let _changing = self.changing.lock().await;
        let topic = self.topic(path)?;
        let lanes = topic.lanes();
        let there = lanes.iter().find(|lane| lane.kept().to.shortest(&path.namespace) == wanted.to);
        let is_new = there.is_none();
        let lane = match there {
            Some(lane) => Arc::clone(lane),
            None => self.new_lane(&topic, lanes.len(), &wanted)?,
        };
        let _own = lane.changing.lock().await;
        let mut kept = lane.kept().clone();
        (kept.filter, kept.give_up_after_s) = (wanted.filter, wanted.give_up_after_s);
        if (is_new && matches!(kept.to, Endpoint::Web(_))) || kept.confirmation.is_some() {
            kept.confirmation = Some(self.question());
        }
        self.store.commit(Group(vec![lane.put(&kept)]), Durability::Synced).await?;
        *lane.kept() = kept;
        if is_new {
            topic.state().lanes.insert(lane.id, Arc::clone(&lane));
            self.start(Arc::clone(&lane));
        }
        lane.wake();
        Ok((view(&lane), is_new))
    }

    fn new_lane(&self, topic: &Topic, own: usize, wanted: &Wanted) -> Result<Arc<Lane>, TopicError> {
        let all = self.all().iter().map(|topic| topic.state().lanes.len()).sum();
        if own >= bounds::MAX_SUBSCRIPTIONS || all >= bounds::MAX_ALL_SUBSCRIPTIONS {
            return Err(TopicError::TooManySubscriptions { topic: topic.path.clone(), own, all });
        }
        let Wanted { to, filter, give_up_after_s } = wanted;
        let (to, filter, give_up_after_s) = (to.clone(), filter.clone(), *give_up_after_s);
        let created = self.clock.now();
        let kept = KeptSubscription { to, filter, give_up_after_s, created, confirmation: None, confirmed_by: None };
        Ok(Arc::new(Lane::new(topic.id, topic.path.clone(), Uuid::new_v4(), kept)))
    }

    /// A question that only the endpoint can answer: the token is random.
    fn question(&self) -> Confirmation {
        let now = self.clock.now();
        let token = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        Confirmation { token, until: now + bounds::CONFIRMATION, is_sent: false, work: Work::new(now) }
    }

    async fn confirm(&self, lane: &Lane, token: &str) -> Result<(), TopicError> {
        let _changing = lane.changing.lock().await;
        if lane.is_closed() {
            return Err(TopicError::SubscriptionUnknown { topic: lane.path.clone(), id: lane.id });
        }
        let (mut kept, now) = (lane.kept().clone(), self.clock.now());
        let shown = digest(token);
        let is_shown = |expected: Digest| bool::from(expected.as_bytes().ct_eq(shown.as_bytes()));
        match kept.confirmation.take() {
            Some(asked) if asked.until > now && is_shown(digest(&asked.token)) => kept.confirmed_by = Some(shown),
            None if kept.confirmed_by.is_some_and(is_shown) => return Ok(()),
            _ => return Err(TopicError::Token(lane.id)),
        }
        self.store.commit(Group(vec![lane.put(&kept)]), Durability::Synced).await?;
        *lane.kept() = kept;
        lane.wake();
        Ok(())
    }

    /// Ends a subscription, if it is one that `may` end as it stands, and says whether it did.
    pub(super) async fn unsubscribe(
        &self,
        topic: &Topic,
        id: Uuid,
        may: impl FnOnce(&KeptSubscription) -> bool,
    ) -> Result<bool, TopicError> {
        let _changing = self.changing.lock().await;
        let Some(lane) = topic.state().lanes.get(&id).cloned() else { return Ok(false) };
        let _own = lane.changing.lock().await;
        if !may(&lane.kept()) {
            return Ok(false);
        }
        let group = Group(vec![Change::RemoveDocument(subscription_key(topic.id, id))]);
        self.store.commit(group, Durability::Synced).await?;
        topic.state().lanes.remove(&id);
        lane.close();
        for lot in lane.lots() {
            // What this leaves is found at the next start.
            if let Err(error) = self.sweep(&lot).await {
                tracing::warn!(topic = %topic.path, subscription = %id, %error, "what was on its way is not removed yet");
            }
        }
        Ok(true)
    }

    async fn redrive(&self, topic: &Arc<Topic>, lane: &Lane) -> Result<usize, TopicError> {
        let _changing = lane.changing.lock().await;
        let (mut done, last) = (0, topic.state().last);
        // What is given up again meanwhile has a higher number, and is not sent for ever.
        let range = DocumentRange { to: Some(lane.dead().key(last + 1).key().to_vec()), ..lane.dead().range() };
        for _ in 0..2 {
            let page = self.store.documents(range.clone(), PAGE).await?;
            for (key, bytes) in page {
                if lane.pending.load(Ordering::Relaxed) >= bounds::MAX_PENDING_PUBLICATIONS {
                    return Ok(done);
                }
                let Some(number) = kept::number(&key) else { continue };
                self.send_again(topic, lane, number, kept::decode(&bytes, &topic.path)?).await?;
                done += 1;
            }
        }
        Ok(done)
    }
}
