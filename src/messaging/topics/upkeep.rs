//! What is read at the start, and what is removed by and by: publications that everybody has, subscriptions that nobody
//! confirmed, and what is left of deleted ones.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::kept::{self, KeptSubscription, KeptTopic, Lot};
use super::lane::Lane;
use super::{PAGE, Parts, Topic, TopicError, TopicPath};
use crate::store::{Change, DocumentRange, Durability, Group, Store, StoreError, Table};

/// How often it is looked for what can go.
const LOOK: Duration = Duration::from_secs(10);

/// The topics in the store, with their subscriptions and how much is on its way to each.
pub(super) async fn load(store: &dyn Store) -> Result<BTreeMap<TopicPath, Arc<Topic>>, StoreError> {
    let mut topics = BTreeMap::new();
    // A topic stands in front of its subscriptions.
    let mut last: Option<Arc<Topic>> = None;
    let mut range = DocumentRange::of(Table::Topic, &[]);
    loop {
        let page = store.documents(range.clone(), PAGE).await?;
        for (key, bytes) in &page {
            let Some((id, subscription)) = kept::ids(key) else { continue };
            let Some(subscription) = subscription else {
                let what = || format!("the topic {id}");
                let kept: KeptTopic = crate::store::form::decode(bytes, what)?;
                let topic = Arc::new(Topic::new(id, kept.path(), kept.created));
                topics.insert(kept.path(), Arc::clone(&topic));
                last = Some(topic);
                continue;
            };
            let Some(topic) = last.as_ref().filter(|topic| topic.id == id) else { continue };
            let kept: KeptSubscription = kept::decode(bytes, &topic.path)?;
            let lane = Lane::new(id, topic.path.clone(), subscription, kept);
            lane.count(store).await?;
            topic.state().lanes.insert(subscription, Arc::new(lane));
        }
        match page.last() {
            Some((last, _)) if page.len() == PAGE => range = range.after(last.key()),
            _ => return Ok(topics),
        }
    }
}

impl Parts {
    /// Removes everything of a lot, and says how much that was.
    pub(super) async fn sweep(&self, lot: &Lot) -> Result<u64, StoreError> {
        self.sweep_range(lot.range()).await
    }

    async fn sweep_range(&self, range: DocumentRange) -> Result<u64, StoreError> {
        let mut removed = 0;
        loop {
            let keys = self.store.document_keys(range.clone(), PAGE).await?;
            let is_last = keys.len() < PAGE;
            removed += keys.len() as u64;
            let group = Group(keys.into_iter().map(Change::RemoveDocument).collect());
            if !group.0.is_empty() {
                self.store.commit(group, Durability::Written).await?;
            }
            if is_last {
                return Ok(removed);
            }
        }
    }

    /// Removes what was published on a topic that is gone.
    pub(super) async fn sweep_topic(&self, topic: &Topic, lanes: &[Arc<Lane>]) -> Result<(), StoreError> {
        for lot in lanes.iter().flat_map(|lane| lane.lots()).chain([Lot::bodies(topic.id)]) {
            self.sweep(&lot).await?;
        }
        Ok(())
    }

    /// Removes what is left of topics and subscriptions that were deleted when the process ended.
    async fn sweep_orphans(&self) -> Result<(), StoreError> {
        let mut range = DocumentRange::of(Table::Publication, &[]);
        while let Some(lot) = self.store.document_keys(range.clone(), 1).await?.first().and_then(Lot::of) {
            // Looked up after the key was seen: a subscription is known before it has anything.
            let topics = self.all();
            let known: Vec<_> =
                topics.iter().map(|topic| (topic.id, topic.state().lanes.keys().copied().collect())).collect();
            if !lot.is_of(&known) {
                self.sweep(&lot).await?;
            }
            let Some(next) = lot.range().to else { break };
            range.from = next;
        }
        Ok(())
    }

    /// Lets go of what is over, for ever.
    pub(super) async fn keep_up(self: Arc<Self>) {
        if let Err(error) = self.sweep_orphans().await {
            tracing::warn!(%error, "what is left of deleted subscriptions is not removed until the next start");
        }
        loop {
            for topic in self.all() {
                if let Err(error) = self.let_go(&topic).await {
                    tracing::warn!(topic = %topic.path, %error, "what is over on a topic is not removed: it is tried again");
                }
            }
            tokio::select! {
                () = self.tasks.stopping().cancelled() => return,
                () = self.clock.sleep(LOOK) => (),
            }
        }
    }

    async fn let_go(&self, topic: &Topic) -> Result<(), TopicError> {
        let now = self.clock.now();
        for lane in topic.lanes() {
            let is_over = lane.kept().is_over(now);
            // By the time it may be removed it may have been asked to confirm again.
            if is_over && self.unsubscribe(topic, lane.id, |kept| kept.is_over(now)).await? {
                tracing::info!(topic = %topic.path, subscription = %lane.id, "a subscription was not confirmed in time");
            }
        }
        Ok(self.forget_brought(topic).await?)
    }

    /// Removes the publications before the oldest that is on its way to anybody. What is being written meanwhile has higher
    /// numbers than what is looked at: those are taken first.
    async fn forget_brought(&self, topic: &Topic) -> Result<(), StoreError> {
        let bodies = Lot::bodies(topic.id);
        let Some(oldest) = self.store.document_keys(bodies.range(), 1).await?.first().and_then(kept::number) else {
            return Ok(());
        };
        // What is taken after this has a higher number than all that is there.
        let mut first = {
            let mut state = topic.state();
            state.last = state.last.max(self.clock.now().as_ms() << 16);
            state.writing.first().copied().unwrap_or(state.last + 1)
        };
        for lane in topic.lanes() {
            first = first.min(lane.oldest(&*self.store).await?.unwrap_or(first));
        }
        if oldest < first {
            let over = DocumentRange { to: Some(bodies.key(first).key().to_vec()), ..bodies.range() };
            self.sweep_range(over).await?;
        }
        Ok(())
    }
}
