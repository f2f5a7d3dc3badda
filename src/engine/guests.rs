//! The threads guests run on: a tokio runtime apart from the one that serves requests.

use std::future::Future;
use std::sync::{Mutex, PoisonError};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::spawn_blocking;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::turns::{Turn, Turns};
use crate::model::bounds;

/// The guests' runtime. Dropping it stops whatever still runs.
#[derive(Debug)]
pub(super) struct Guests {
    handle: Handle,
    runtime: Mutex<Option<Runtime>>,
    running: TaskTracker,
    turns: Turns,
}

/// Polls between two looks at timers and sockets. A poll of a guest that computes lasts a tick.
const EVENT_INTERVAL: u32 = 4;
/// Every second poll goes to whoever came from outside, if somebody has: a guest that is about to start waits for no
/// more than one tick of a guest that computes, and neither kind keeps the other from going on.
const GLOBAL_QUEUE_INTERVAL: u32 = 2;
/// Threads for what blocks on a guest's behalf.
const MAX_BLOCKING_THREADS: usize = 64;

impl Guests {
    /// Starts as many threads as there are cores.
    pub(super) fn start() -> std::io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(cores())
            .max_blocking_threads(MAX_BLOCKING_THREADS)
            .event_interval(EVENT_INTERVAL)
            .global_queue_interval(GLOBAL_QUEUE_INTERVAL)
            .thread_name("guest")
            .enable_all()
            .build()?;
        Ok(Self {
            handle: runtime.handle().clone(),
            runtime: Mutex::new(Some(runtime)),
            running: TaskTracker::new(),
            turns: Turns::new(cores()),
        })
    }

    /// A place among the guests that compute for long.
    pub(super) fn turn(&self) -> Turn {
        self.turns.turn()
    }

    /// Runs `work` on the guests' threads. It ends early when the engine stops, or when the handle is dropped.
    ///
    /// What a guest's run needs is large: boxed at once, it is moved once and not with each step of the way.
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> AbortOnDropHandle<T> {
        let (running, work) = (self.running.token(), Box::pin(work));
        AbortOnDropHandle::new(self.handle.spawn(async move {
            let _running = running;
            work.await
        }))
    }

    /// Has `work` done beside the guests, until it is done or they are stopped.
    pub(super) fn beside(&self, work: impl Future<Output = ()> + Send + 'static) {
        drop(self.handle.spawn(work));
    }

    /// Stops every guest, and waits for it as long as [`bounds::GUEST_STOP`].
    pub(super) async fn stop(&self) {
        self.running.close();
        let Some(runtime) = self.take() else { return };
        let stopped = spawn_blocking(move || runtime.shutdown_timeout(bounds::GUEST_STOP));
        if stopped.await.is_err() || !self.running.is_empty() {
            tracing::warn!(guests = self.running.len(), "some functions did not stop in time");
        }
    }

    /// Those that run, those included that have been told to stop.
    #[cfg(test)]
    pub(super) fn running(&self) -> TaskTracker {
        self.running.clone()
    }

    fn take(&self) -> Option<Runtime> {
        self.runtime.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Guests {
    /// Does not wait: a runtime must not be waited for where async code runs.
    fn drop(&mut self) {
        if let Some(runtime) = self.take() {
            runtime.shutdown_background();
        }
    }
}

/// How many threads can compute at once.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
