//! The only place that starts tasks: each has a name, an owner that waits for it, and a meaning of its end.

use std::any::Any;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

/// What it means when a task ends while nobody asked it to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExit {
    /// The process only looks alive without it: shut down, also when it panicked.
    Shutdown,
    /// Its end concerns nobody else.
    Ignore,
}

/// What a panic said.
pub fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("it said nothing")
}

/// What is given back once nobody has it any more.
pub type Held = Arc<dyn Any + Send + Sync>;

tokio::task_local! {
    /// What the work of this task holds.
    static HELD: Option<Held>;
}

/// Does `work` while `held` is held: by its caller, and by all that it leaves behind ([`Tasks::see_through`]), until the
/// last of that has ended.
pub async fn holding<T>(held: Held, work: impl Future<Output = T>) -> T {
    HELD.scope(Some(held), work).await
}

/// `work` that holds what this task holds, wherever it is done.
pub fn holding_on<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    HELD.scope(HELD.try_with(Clone::clone).ok().flatten(), work)
}

/// The tasks of one owner. Cheap to clone; all clones are the same set.
#[derive(Clone, Debug, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stopping: CancellationToken,
}

impl Tasks {
    /// Starts a task. `name` appears in the log when its end is a problem.
    pub fn spawn(&self, name: &'static str, on_exit: OnExit, future: impl Future<Output = ()> + Send + 'static) {
        let guard = (on_exit == OnExit::Shutdown).then(|| ExitGuard { name, stopping: self.stopping.clone() });
        #[expect(clippy::disallowed_methods, reason = "this is the one spawn")]
        tokio::spawn(self.tracker.track_future(async move {
            let _guard = guard;
            future.await;
        }));
    }

    /// Carries `future` to its end and returns what it gave, even when the caller stops waiting half way: for
    /// work that must not be left between a write and what follows from it. It holds what the caller holds ([`holding`]).
    /// `None` when it panicked.
    pub async fn see_through<T: Send + 'static>(
        &self,
        name: &'static str,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let carried = async move {
            let _ = answer.send(future.await); // nobody may be waiting any more
        };
        self.spawn(name, OnExit::Ignore, holding_on(carried));
        answered.await.ok()
    }

    /// Sees a `turn` through that serves a line, for somebody who stands in it and is told by `answered` what came of it. An
    /// earlier turn may serve them: whoever waited for the own one would come back when all in front have, and find the line
    /// empty each time. `None` when the turn panicked, or the one that was to answer.
    pub async fn served<T>(
        &self,
        name: &'static str,
        turn: impl Future<Output = ()> + Send + 'static,
        answered: oneshot::Receiver<T>,
    ) -> Option<T> {
        match select(answered, pin!(self.see_through(name, turn))).await {
            Either::Left((answered, _)) => answered.ok(),
            Either::Right((taken, answered)) => {
                taken?;
                answered.await.ok()
            }
        }
    }

    /// Carries `future` on the threads of `home`, whoever's threads it is waited for on, and ends it when the caller stops
    /// waiting. `None` when it panicked, or was ended with the process.
    pub async fn at<T: Send + 'static>(
        &self,
        home: &Handle,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        AbortOnDropHandle::new(home.spawn(self.tracker.track_future(future))).await.ok()
    }

    /// Cancelled when the process is to stop: because somebody asked, or because a task it needs has ended.
    pub fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    /// Asks all tasks to stop.
    pub fn stop(&self) {
        self.stopping.cancel();
    }

    /// Waits until every task has ended, at most `patience`. Returns whether all have.
    pub async fn ended(&self, patience: Duration) -> bool {
        self.tracker.close();
        tokio::time::timeout(patience, self.tracker.wait()).await.is_ok()
    }
}

/// Stops the process when dropped before the process is stopping; also while a panic unwinds.
struct ExitGuard {
    name: &'static str,
    stopping: CancellationToken,
}

impl Drop for ExitGuard {
    fn drop(&mut self) {
        if !self.stopping.is_cancelled() {
            tracing::error!(task = self.name, "a task that the process cannot do without has ended: shutting down");
            self.stopping.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_the_process_cannot_do_without_takes_it_down_even_by_panicking() {
        let tasks = Tasks::default();
        tasks.spawn("needed", OnExit::Shutdown, async { panic!("on purpose") });
        tasks.stopping().cancelled().await;
    }

    #[tokio::test]
    async fn what_is_held_is_held_until_the_last_that_was_left_behind_has_ended() {
        let (tasks, held) = (Tasks::default(), Arc::new(()));
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let inner = tasks.clone();
        let outer = async move { inner.see_through("inner", ended).await };
        let mut work = Box::pin(holding(held.clone(), tasks.see_through("outer", outer)));
        assert!(futures::poll!(&mut work).is_pending());
        drop(work);
        assert!(Arc::strong_count(&held) > 1, "its caller has gone away, the work has not");
        end.send(()).unwrap();
        assert!(tasks.ended(Duration::from_secs(10)).await);
        assert_eq!(Arc::strong_count(&held), 1);
    }

    #[tokio::test]
    async fn a_task_whose_end_concerns_nobody_ends_alone() {
        let tasks = Tasks::default();
        tasks.spawn("step", OnExit::Ignore, async {});
        assert!(tasks.ended(Duration::from_secs(10)).await);
        assert!(!tasks.stopping().is_cancelled());
    }
}
