//! The threads guests run on: a tokio runtime apart from the one that serves requests.

use std::future::Future;
use std::sync::Mutex;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::model::bounds;

/// The guests' runtime. Dropping it stops whatever still runs.
#[derive(Debug)]
pub(super) struct Guests {
    handle: Handle,
    runtime: Mutex<Option<Runtime>>,
    running: TaskTracker,
    stopping: CancellationToken,
}

/// Polls between two looks at timers and other threads' wake-ups. A poll of a guest that computes lasts a tick.
const EVENT_INTERVAL: u32 = 8;
/// Threads for what blocks on a guest's behalf.
const MAX_BLOCKING_THREADS: usize = 64;

impl Guests {
    /// Starts as many threads as there are cores.
    pub(super) fn start() -> std::io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(cores())
            .max_blocking_threads(MAX_BLOCKING_THREADS)
            .event_interval(EVENT_INTERVAL)
            .thread_name("guest")
            .enable_all()
            .build()?;
        Ok(Self {
            handle: runtime.handle().clone(),
            runtime: Mutex::new(Some(runtime)),
            running: TaskTracker::new(),
            stopping: CancellationToken::new(),
        })
    }

    /// Runs `work` on the guests' threads. It ends early, with nothing, when the engine stops, and without an answer
    /// when the handle is dropped.
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> AbortOnDropHandle<Option<T>> {
        let stopping = self.stopping.clone();
        let work = async move { stopping.run_until_cancelled_owned(work).await };
        AbortOnDropHandle::new(self.running.spawn_on(work, &self.handle))
    }

    /// Stops every guest, and waits for it as long as [`bounds::GUEST_STOP`].
    pub(super) async fn stop(&self) {
        self.stopping.cancel();
        self.running.close();
        if tokio::time::timeout(bounds::GUEST_STOP, self.running.wait()).await.is_err() {
            tracing::warn!(guests = self.running.len(), "some functions did not stop in time");
        }
        self.shut_down();
    }

    /// Those that run, those included that have been told to stop.
    #[cfg(test)]
    pub(super) fn running(&self) -> TaskTracker {
        self.running.clone()
    }

    /// Does not wait: a runtime must not be waited for where async code runs.
    fn shut_down(&self) {
        let runtime = self.runtime.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(runtime) = runtime {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Guests {
    fn drop(&mut self) {
        self.stopping.cancel();
        self.shut_down();
    }
}

/// How many threads can compute at once.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
