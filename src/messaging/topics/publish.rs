//! Publishing: one commit with the publication, work for each subscription that wants it, and the messages of queues.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

use super::kept::{Dead, Lot, Work};
use super::lane::{Lane, less};
use super::{Endpoint, Parts, Publication, State, Topic, TopicError, TopicPath, Topics, queue};
use crate::messaging::queues::PendingSend;
use crate::model::bounds;
use crate::model::time::Timestamp;
use crate::store::form;
use crate::store::{Change, Durability, Group, StoreError};

/// Ids of publications that a topic remembers, so that what is published again goes to nobody twice.
const RECENT: usize = 4_096;

/// What became of a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its id.
    pub id: Uuid,
    /// How many subscriptions it goes to; none where it was published before.
    pub subscriptions: usize,
}

/// What a publication comes to.
#[derive(Default)]
struct Plan {
    changes: Vec<Change>,
    /// To whom there is work.
    working: Vec<Arc<Lane>>,
    /// For whom it is given up at once.
    given_up: Vec<Arc<Lane>>,
    enqueued: Vec<PendingSend>,
}

/// What is being written, and no more when this is dropped.
struct Writing {
    topic: Arc<Topic>,
    number: u64,
    id: Uuid,
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.topic.written(self.number);
        self.topic.state().claimed.remove(&self.id);
    }
}

impl State {
    fn remember(&mut self, id: Uuid) {
        self.recent.push_back(id);
        self.known.insert(id);
        if self.recent.len() > RECENT
            && let Some(old) = self.recent.pop_front()
        {
            self.known.remove(&old);
        }
    }
}

impl Topics {
    /// Publishes. When this returns, it would survive a power cut, and goes to everybody who is subscribed and confirmed
    /// now and whose filter wants it.
    pub async fn publish(&self, path: &TopicPath, publication: Publication) -> Result<Published, TopicError> {
        check(&publication)?;
        let (parts, topic) = (Arc::clone(&self.parts), self.parts.topic(path)?);
        self.see_through(async move { parts.publish(topic, publication).await }).await
    }
}

impl Parts {
    async fn publish(&self, topic: Arc<Topic>, publication: Publication) -> Result<Published, TopicError> {
        let id = publication.id;
        {
            let mut state = topic.state();
            if state.known.contains(&id) {
                return Ok(Published { id, subscriptions: 0 });
            }
            if !state.claimed.insert(id) {
                return Err(TopicError::Busy(id));
            }
        }
        let now = self.clock.now();
        let writing = Writing { number: topic.next_number(now), topic: Arc::clone(&topic), id };
        let plan = self.plan(&topic, &publication, writing.number, now).await?;
        let Plan { changes, working, given_up, enqueued } = plan;
        let subscriptions = working.len() + given_up.len() + enqueued.len();
        // Counted before it is there: a lane may bring it before this goes on.
        count(&working, &given_up, |counter| {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        if !changes.is_empty()
            && let Err(refused) = self.store.commit(Group(changes), Durability::Synced).await
        {
            count(&working, &given_up, |counter| less(counter, 1));
            return Err(refused.into());
        }
        topic.state().remember(id);
        drop(writing);
        enqueued.into_iter().for_each(PendingSend::committed);
        for lane in working {
            lane.wake();
        }
        Ok(Published { id, subscriptions })
    }

    /// What is to be written for everybody who wants it.
    async fn plan(
        &self,
        topic: &Topic,
        publication: &Publication,
        number: u64,
        now: Timestamp,
    ) -> Result<Plan, TopicError> {
        let (mut plan, mut lanes) = (Plan::default(), topic.lanes());
        // Another topic may send the same to the same queues meanwhile: where each held a queue's message that the other
        // waits for, both would wait for ever.
        lanes.sort_by_cached_key(|lane| lane.kept().to.queue().map(str::to_owned));
        for lane in lanes {
            let (is_wanted, to) = {
                let kept = lane.kept();
                (kept.confirmation.is_none() && kept.filter.wants(publication), kept.to.clone())
            };
            if !is_wanted {
                continue;
            }
            let mut work = Work::new(now);
            if let Endpoint::Queue(queue) = &to {
                match queue::changes(&self.queues, &topic.path, queue, publication).await {
                    Ok(mut sending) => {
                        plan.changes.append(&mut sending.changes);
                        plan.enqueued.push(sending);
                        continue;
                    }
                    // It is tried like any other then, and delays nobody else.
                    Err(not_sent) => work.error = Some(not_sent.to_string()),
                }
            }
            if lane.pending.load(Ordering::Relaxed) < bounds::MAX_PENDING_PUBLICATIONS {
                plan.changes.extend(lane.put_work(number, &work));
                plan.working.push(lane);
            } else if lane.dead.load(Ordering::Relaxed) < bounds::MAX_DEAD_PUBLICATIONS {
                work.error = Some("too much was on its way to the endpoint already".to_owned());
                let dead = Dead { publication: publication.clone(), work, given_up: now };
                plan.changes.push(Change::PutDocument(lane.dead().key(number), form::encode(&dead)));
                plan.given_up.push(lane);
            } else {
                return Err(TopicError::Full { topic: topic.path.clone(), id: lane.id });
            }
        }
        if !plan.working.is_empty() {
            let body = form::encode(publication);
            plan.changes.push(Change::PutDocument(Lot::bodies(topic.id).key(number), body));
        }
        Ok(plan)
    }

    /// Publishes what was given up to its subscription once more.
    pub(super) async fn send_again(
        &self,
        topic: &Arc<Topic>,
        lane: &Lane,
        old: u64,
        dead: Dead,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let writing = Writing { number: topic.next_number(now), topic: Arc::clone(topic), id: Uuid::new_v4() };
        let body = form::encode(&dead.publication);
        let [work, place] = lane.put_work(writing.number, &Work::new(now));
        let group = Group(vec![
            Change::RemoveDocument(lane.dead().key(old)),
            Change::PutDocument(Lot::bodies(topic.id).key(writing.number), body),
            work,
            place,
        ]);
        lane.pending.fetch_add(1, Ordering::Relaxed);
        if let Err(refused) = self.store.commit(group, Durability::Synced).await {
            less(&lane.pending, 1);
            return Err(refused);
        }
        less(&lane.dead, 1);
        lane.wake();
        Ok(())
    }
}

/// Counts what a publication brings.
fn count(working: &[Arc<Lane>], given_up: &[Arc<Lane>], by: impl Fn(&AtomicU64)) {
    for lane in working {
        by(&lane.pending);
    }
    for lane in given_up {
        by(&lane.dead);
    }
}

fn check(publication: &Publication) -> Result<(), TopicError> {
    let Publication { body, content_type, attributes, .. } = publication;
    if body.len() > bounds::MAX_PUBLICATION_BYTES {
        return Err(TopicError::Data(body.len()));
    }
    let bytes = attributes.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() + content_type.len();
    let count = attributes.len();
    if count > bounds::MAX_RECORD_ATTRIBUTES || bytes > bounds::MAX_RECORD_ATTRIBUTE_BYTES {
        return Err(TopicError::Attributes { count, bytes });
    }
    Ok(())
}
