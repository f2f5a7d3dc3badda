//! The only place that starts tasks: each has a name, an owner that waits for it, and a meaning of its end.

use std::any::Any;
use std::future::Future;
use std::time::Duration;

use tokio::runtime::Handle;
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
    /// work that must not be left between a write and what follows from it. `None` when it panicked.
    pub async fn see_through<T: Send + 'static>(
        &self,
        name: &'static str,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = tokio::sync::oneshot::channel();
        self.spawn(name, OnExit::Ignore, async move {
            let _ = answer.send(future.await); // nobody may be waiting any more
        });
        answered.await.ok()
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
    async fn a_task_whose_end_concerns_nobody_ends_alone() {
        let tasks = Tasks::default();
        tasks.spawn("step", OnExit::Ignore, async {});
        assert!(tasks.ended(Duration::from_secs(10)).await);
        assert!(!tasks.stopping().is_cancelled());
    }
}
