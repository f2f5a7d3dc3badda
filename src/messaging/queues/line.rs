//! Receives stand in line, and a turn serves all that stand there: so those that come at once share one look at the head of
//! the queue and one commit. A FIFO queue serves one at a time, since what it gives of a message group closes that group to
//! the next.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::keys::Number;
use super::queue::Queue;
use super::receive::Served;
use super::{Parts, QueueError, Queues, Received};
use crate::model::bounds;
use crate::model::time::Timestamp;

/// What a turn gave one receive.
pub(super) struct Turn {
    pub(super) messages: Vec<Received>,
    /// When there may be more, as far as is known.
    pub(super) next: Option<Timestamp>,
}

pub(super) type Answer = Result<Turn, QueueError>;

/// A receive in line.
pub(super) struct Waiting {
    /// Messages at most.
    most: usize,
    visibility: Duration,
    answer: oneshot::Sender<Answer>,
}

/// What a turn has for one receive so far.
pub(super) struct Portion {
    waiting: Waiting,
    pub(super) messages: Vec<Received>,
}

impl Waiting {
    /// With where the answer comes.
    pub(super) fn new(most: usize, visibility: Duration) -> (Self, oneshot::Receiver<Answer>) {
        let (answer, answered) = oneshot::channel();
        (Self { most, visibility, answer }, answered)
    }
}

impl Portion {
    /// Messages at most.
    pub(super) const fn most(&self) -> usize {
        self.waiting.most
    }

    /// For how long they are hidden from others.
    pub(super) const fn visibility(&self) -> Duration {
        self.waiting.visibility
    }

    /// How many more it may have.
    pub(super) const fn open(&self) -> usize {
        self.waiting.most.saturating_sub(self.messages.len())
    }

    /// The messages by their numbers.
    pub(super) fn numbers(&self) -> impl Iterator<Item = Number> {
        self.messages.iter().map(|message| message.receipt.number)
    }
}

impl Queues {
    /// Receives what can be received now, together with others who want that.
    pub(super) async fn stand_in_line(
        &self,
        queue: &Arc<Queue>,
        most: usize,
        visibility: Duration,
    ) -> Result<Turn, QueueError> {
        let (waiting, answered) = Waiting::new(most, visibility);
        queue.line().push_back(waiting);
        let (parts, of) = (self.parts.clone(), queue.clone());
        let turn = async move { parts.take_turn(&of).await };
        self.parts.tasks.served("queue", turn, answered).await.ok_or(QueueError::Interrupted)?
    }
}

impl Parts {
    /// Serves the front of the line. As many turns as receives serve all of them: each serves the first at least.
    pub(super) async fn take_turn(self: &Arc<Self>, queue: &Arc<Queue>) {
        let _taking = queue.taking.lock().await;
        let mut portions = front_of_line(queue);
        if portions.is_empty() {
            return; // an earlier turn served it
        }
        let served = self.serve(queue, &mut portions).await;
        let (given, left): (Vec<_>, Vec<_>) = portions.into_iter().partition(|it| !it.messages.is_empty());
        let is_any_given = !given.is_empty();
        for Portion { waiting, messages } in given {
            let _ = waiting.answer.send(Ok(Turn { messages, next: None })); // who asked may have gone away
        }
        if left.is_empty() {
            return;
        }
        let next = match served {
            Ok(Served::Some) => {
                let mut line = queue.line();
                left.into_iter().rev().for_each(|it| line.push_front(it.waiting));
                return;
            }
            Ok(Served::All) => self.next_for_others(queue, is_any_given).await,
            Err(error) => Err(error),
        };
        for Portion { waiting, messages } in left {
            let _ = waiting.answer.send(next.clone().map(|next| Turn { messages, next }));
        }
    }

    /// When there may be something for those who were given nothing.
    async fn next_for_others(&self, queue: &Queue, is_any_given: bool) -> Result<Option<Timestamp>, QueueError> {
        let now = self.clock.now();
        if is_any_given {
            // What the others were given may be all that can fly at once: the next one has to be told.
            self.candidates(queue, &queue.settings(), 1, now).await?;
        }
        Ok(self.next(queue, now).await?)
    }
}

/// The front of the line: as much of it as may ask for no more together than one alone.
fn front_of_line(queue: &Queue) -> Vec<Portion> {
    let mut line = queue.line();
    let (mut portions, mut most): (Vec<Portion>, usize) = (Vec::new(), 0);
    line.retain(|waiting| !waiting.answer.is_closed()); // whoever has gone away receives nothing
    while let Some(next) = line.front() {
        most += next.most;
        if !portions.is_empty() && (queue.is_fifo() || most > bounds::MAX_RECEIVE) {
            break;
        }
        portions.extend(line.pop_front().map(|waiting| Portion { waiting, messages: Vec::new() }));
    }
    portions
}
