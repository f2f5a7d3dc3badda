//! Queues: collects messages into batches and starts an invocation with each. A message is removed from its queue in the
//! very commit that accepts its invocation: it is either in the queue or accepted, whenever the process ends. While the
//! function can take no more, its messages are held back here and are not counted as received again.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::batch;
use super::live::Live;
use super::starts::{Acting, NotStarted, Order};
use super::{Needs, keeping};
use crate::messaging::queues::{Asked, QueueError, Received};
use crate::model::bounds;
use crate::model::message_queue::QueuePath;
use crate::model::names::InvocationId;
use crate::model::time::Timestamp;
use crate::model::trigger::{Fired, Source};

/// How long messages are hidden from others while they are in hand, beyond the time that a batch is collected for. After a
/// crash those that were not accepted are seen again so late.
const HOLD: Duration = Duration::from_secs(30);
/// How long one look at a queue waits for messages, in seconds.
const POLL_S: u32 = 20;
/// When what did not succeed is tried again, where nobody says when.
const COME_AGAIN: Duration = Duration::from_secs(5);
/// The shortest and the longest of such pauses: shorter than messages are held.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(15));

/// One trigger at work.
struct Work<'a> {
    live: &'a Live,
    source: &'a Source,
    needs: &'a Needs,
    path: QueuePath,
}

/// What became of a batch.
enum End {
    /// It was accepted, or is gone.
    Done,
    /// Not yet: try again after a pause.
    Later(Duration),
    /// Its messages are better left to the queue.
    LetGo,
}

/// Takes messages until it is cut, as many batches at once as the trigger says.
pub(super) async fn watch(live: &Live, source: &Source, needs: &Needs, cut: &CancellationToken) {
    let path = QueuePath { namespace: live.trigger().namespace.clone(), name: source.queue.clone() };
    let work = Work { live, source, needs, path };
    futures::future::join_all((0..source.concurrency).map(|_| work.run(cut))).await;
}

impl Work<'_> {
    async fn run(&self, cut: &CancellationToken) {
        while !cut.is_cancelled() {
            let mut batch = Vec::new();
            if let Err(error) = self.collect(&mut batch, cut).await {
                self.live.troubled(error.to_string(), self.needs).await;
                self.pause(COME_AGAIN, cut).await;
            }
            self.hand_over(batch, cut).await;
        }
    }

    /// Receives messages until the batch is full, its time is over, or it is cut: then what is being received still comes, so
    /// that it can be given back.
    async fn collect(&self, batch: &mut Vec<Received>, cut: &CancellationToken) -> Result<(), QueueError> {
        let clock = &self.needs.clock;
        let mut until = None::<Timestamp>;
        let is_full = |batch: &[Received]| {
            batch.len() >= self.source.batch_size.into() || bytes(batch) >= bounds::MAX_ASYNC_PAYLOAD_BYTES
        };
        while !is_full(batch) && !cut.is_cancelled() {
            let left = until.map(|until| until.since(clock.now()));
            if left.is_some_and(|left| left.is_zero()) {
                break;
            }
            let wait_s = left.map_or(POLL_S, |left| whole_seconds(left).min(POLL_S));
            let most = usize::from(self.source.batch_size) - batch.len();
            let hidden_s = whole_seconds(self.source.window + HOLD);
            let asked = Asked { most, visibility_s: Some(hidden_s), wait_s: Some(wait_s) };
            let received = self.needs.queues.receive_until(&self.path, asked, cut).await?;
            if !received.is_empty() {
                until.get_or_insert_with(|| clock.now() + self.source.window);
            }
            batch.extend(received);
            if batch.is_empty() && self.needs.tasks.stopping().is_cancelled() {
                break;
            }
        }
        Ok(())
    }

    /// Starts invocations with messages until none is left in hand; when it is cut, they are given back.
    async fn hand_over(&self, mut batch: Vec<Received>, cut: &CancellationToken) {
        let mut held_until = self.needs.clock.now() + HOLD;
        let mut alone = false;
        while !batch.is_empty() {
            if cut.is_cancelled() {
                return self.give_back(&batch, 0).await;
            }
            let most = if alone { 1 } else { batch.len() };
            let (payload, count) = batch::payload(self.live.trigger(), self.source, &batch[..most]);
            match self.start(payload, &batch[..count]).await {
                Ok(End::Done) => drop(batch.drain(..count)),
                // Some of them are gone: one by one it is seen which.
                Err(()) if count > 1 => alone = true,
                Err(()) => drop(batch.remove(0)),
                Ok(End::LetGo) => {
                    self.give_back(&batch, whole_seconds(PAUSES.1)).await;
                    return self.pause(PAUSES.1, cut).await;
                }
                Ok(End::Later(pause)) => {
                    if held_until.since(self.needs.clock.now()) < PAUSES.1 * 2 {
                        self.give_back(&batch, whole_seconds(HOLD + PAUSES.1)).await;
                        held_until = self.needs.clock.now() + HOLD;
                    }
                    self.pause(pause, cut).await;
                }
            }
        }
    }

    /// Starts one invocation with these messages, which are removed with it. `Err` when some of them are not ours any more.
    async fn start(&self, payload: batch::Rendered, messages: &[Received]) -> Result<End, ()> {
        let receipts: Vec<_> = messages.iter().map(|message| message.receipt).collect();
        let removal = match self.needs.queues.removal_of(&self.path, &receipts).await {
            Ok(removal) if removal.count() == messages.len() => removal,
            Ok(_) | Err(QueueError::ReceiptExpired) => return Err(()),
            Err(error) => {
                self.live.troubled(error.to_string(), self.needs).await;
                return Ok(End::LetGo);
            }
        };
        let (trigger, now) = (self.live.trigger(), self.needs.clock.now());
        let ids: Vec<u8> = messages.iter().flat_map(|message| *message.id.as_bytes()).collect();
        let id = InvocationId::of_trigger(trigger.id, &[b"queue:", &ids[..]].concat());
        let progress = self.live.progress().after_firing(Fired { at: now, invocation: id });
        let mut also = removal.changes.clone();
        also.push(keeping(self.live, &progress));
        let mut attributes = vec![
            ("tidemill-trigger".to_owned(), trigger.name.to_string()),
            ("tidemill-queue".to_owned(), self.source.queue.to_string()),
        ];
        if let [only] = messages {
            attributes.push(("tidemill-message-id".to_owned(), only.id.to_string()));
        }
        let batch::Rendered { bytes, content_type } = payload;
        let target = trigger.target.clone();
        let acting = Acting::of(trigger);
        let order = Order { id, target, due: now, payload: bytes, content_type, attributes, also, acting };
        match self.needs.starts.start(order).await {
            Ok(()) => {
                removal.committed();
                self.live.fired(id, now, None);
                Ok(End::Done)
            }
            Err(gone @ NotStarted::Gone(_)) => {
                self.live.troubled(gone.to_string(), self.needs).await;
                Ok(End::LetGo)
            }
            Err(NotStarted::Refused { why, after }) => {
                self.live.troubled(why, self.needs).await;
                Ok(End::Later(after.unwrap_or(COME_AGAIN).clamp(PAUSES.0, PAUSES.1)))
            }
        }
    }

    /// Has messages be seen by others again so many seconds from now. One that is not ours any more needs none of that.
    async fn give_back(&self, batch: &[Received], visibility_s: u32) {
        for message in batch {
            let changed = self.needs.queues.change_visibility(&self.path, message.receipt, visibility_s).await;
            if let Err(error) = changed {
                tracing::debug!(queue = %self.path, message = %message.id, %error, "a message is seen again when its time is over");
            }
        }
    }

    async fn pause(&self, pause: Duration, cut: &CancellationToken) {
        tokio::select! {
            () = cut.cancelled() => (),
            () = self.needs.clock.sleep(pause) => (),
        }
    }
}

fn bytes(batch: &[Received]) -> usize {
    batch.iter().map(|message| message.body.len()).sum()
}

/// `time` in seconds, no shorter than it is.
fn whole_seconds(time: Duration) -> u32 {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    u32::try_from(seconds).unwrap_or(u32::MAX)
}
