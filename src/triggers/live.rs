//! One trigger while the process runs: how far it has come, and the task that watches for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedMutexGuard, oneshot};
use tokio_util::sync::CancellationToken;

use super::{Needs, keeping, queue, timer};
use crate::model::names::InvocationId;
use crate::model::time::Timestamp;
use crate::model::trigger::{Fired, Kind, Progress, Trigger, Trouble};
use crate::store::{Durability, Group};
use crate::tasks::OnExit;

/// A trigger, and what stands about it in memory.
pub(super) struct Live {
    trigger: Trigger,
    progress: Mutex<Progress>,
    /// Held by whoever fires a timer: the task that watches for it, or one who asks for it.
    turn: Arc<tokio::sync::Mutex<()>>,
    task: Mutex<Option<Task>>,
}

/// A task that watches.
struct Task {
    cut: CancellationToken,
    /// Answers, with an error, when the task has ended.
    ended: oneshot::Receiver<()>,
}

/// A trigger as it is now.
#[derive(Clone, Debug)]
pub struct Shown {
    /// What it is.
    pub trigger: Trigger,
    /// How far it has come.
    pub progress: Progress,
    /// When it fires next; `None` unless it is a timer that is enabled.
    pub next: Option<Timestamp>,
}

impl Live {
    pub(super) fn new(trigger: Trigger, progress: Progress) -> Self {
        Self { trigger, progress: Mutex::new(progress), turn: Arc::default(), task: Mutex::default() }
    }

    pub(super) const fn trigger(&self) -> &Trigger {
        &self.trigger
    }

    pub(super) fn progress(&self) -> Progress {
        self.locked().clone()
    }

    pub(super) fn shown(&self, needs: &Needs) -> Shown {
        let progress = self.progress();
        let next = match &self.trigger.kind {
            Kind::Timer(timer) if self.trigger.enabled => timer.schedule.after(progress.through.max(needs.clock.now())),
            Kind::Timer(_) | Kind::Queue(_) => None,
        };
        Shown { trigger: self.trigger.clone(), progress, next }
    }

    /// Waits for the turn to fire a timer.
    pub(super) async fn turn(&self) -> OwnedMutexGuard<()> {
        self.turn.clone().lock_owned().await
    }

    /// Starts the task that watches, if it is enabled.
    pub(super) fn begin(self: &Arc<Self>, needs: &Needs) {
        if !self.trigger.enabled {
            return;
        }
        let (live, of, cut) = (self.clone(), needs.clone(), needs.tasks.stopping().child_token());
        let (tell, ended) = oneshot::channel::<()>();
        *self.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(Task { cut: cut.clone(), ended });
        needs.tasks.spawn("trigger", OnExit::Ignore, async move {
            let _tell = tell; // dropped at the end, whichever that is
            match &live.trigger.kind {
                Kind::Timer(timer) => timer::watch(&live, timer, &of, &cut).await,
                Kind::Queue(source) => queue::watch(&live, source, &of, &cut).await,
            }
        });
    }

    /// Ends the task that watches, and waits until it has: what it was about to accept is accepted by then, or will not be.
    pub(super) async fn end(&self) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Task { cut, ended }) = task {
            cut.cancel();
            drop(ended.await); // an error: nobody ever answers
        }
    }

    /// Takes note of an invocation that was accepted. Times up to `through` have been seen to.
    pub(super) fn fired(&self, invocation: InvocationId, at: Timestamp, through: Option<Timestamp>) {
        let mut progress = self.locked();
        *progress = progress.after_firing(Fired { at, invocation });
        progress.through = through.unwrap_or(progress.through);
    }

    /// Times up to there have been seen to: nothing was to be fired.
    pub(super) fn seen_to(&self, through: Timestamp) {
        let mut progress = self.locked();
        progress.through = progress.through.max(through);
    }

    /// Takes note of why it could not fire. What is new about that is kept, for people who look after a restart.
    pub(super) async fn troubled(&self, message: String, needs: &Needs) {
        if self.note_trouble(message, needs) {
            self.keep(needs).await;
        }
    }

    /// The same where times up to `through` are past because of it. That is kept each time: else they would be fired after
    /// a restart.
    pub(super) async fn let_pass(&self, message: String, through: Timestamp, needs: &Needs) {
        self.seen_to(through);
        self.note_trouble(message, needs);
        self.keep(needs).await;
    }

    /// Returns whether it is new.
    fn note_trouble(&self, message: String, needs: &Needs) -> bool {
        let trouble = Trouble { at: needs.clock.now(), message };
        let before = self.locked().error.replace(trouble.clone());
        let is_new = before.is_none_or(|before| before.message != trouble.message);
        if is_new {
            let (trigger, why) = (&self.trigger, trouble.message);
            tracing::warn!(namespace = %trigger.namespace, trigger = %trigger.name, why, "a trigger could not fire");
        }
        is_new
    }

    async fn keep(&self, needs: &Needs) {
        let group = Group(vec![keeping(self, &self.progress())]);
        if let Err(error) = needs.store.commit(group, Durability::Written).await {
            tracing::debug!(trigger = %self.trigger.name, %error, "that a trigger could not fire is not kept");
        }
    }

    fn locked(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
