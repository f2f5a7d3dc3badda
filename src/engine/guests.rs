//! The threads guests run on: a tokio runtime apart from the one that serves requests, where runs that are soon done begin
//! and end (`front`).

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use futures::FutureExt as _;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::timeout;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::front::{self, Front};
use super::turns::{Turn, Turns};
use crate::model::bounds;
use crate::tasks::panic_text;

/// The guests' runtime. Dropping it stops whatever still runs.
#[derive(Debug)]
pub(super) struct Guests {
    handle: Handle,
    runtime: Mutex<Option<Runtime>>,
    running: TaskTracker,
    turns: Turns,
    front: Arc<Front>,
}

/// Why nothing came of a run.
#[derive(Debug)]
pub(super) enum Lost {
    /// It panicked, and said this: a fault of ours.
    Panicked(String),
    /// The guests were stopped.
    Stopped,
}

/// Where guests have work done beside them.
#[derive(Clone, Debug)]
pub(super) struct Aside(Handle);

/// Polls between two looks at timers and sockets. A poll of a guest that computes lasts a tick.
const EVENT_INTERVAL: u32 = 4;
/// Every second poll goes to whoever came from outside, if somebody has: a guest that is about to start waits for no
/// more than one tick of a guest that computes, and neither kind keeps the other from going on.
const GLOBAL_QUEUE_INTERVAL: u32 = 2;
/// Threads for what blocks on a guest's behalf.
const MAX_BLOCKING_THREADS: usize = 64;

impl Guests {
    /// Starts as many threads as there are cores; runs may begin in front of them.
    pub(super) fn start(front: Arc<Front>) -> std::io::Result<Self> {
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
            front,
        })
    }

    /// A place among the guests that compute for long.
    pub(super) fn turn(&self) -> Turn {
        self.turns.turn()
    }

    /// Runs `work` on the guests' threads, or as far as it comes right here, where a `turn` of its guest is given and there
    /// is a place in front. It ends early when the engine stops, or when the future is dropped.
    ///
    /// What a guest's run needs is large: boxed at once, it is moved once and not with each step of the way.
    pub(super) fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
        turn: Option<Turn>,
    ) -> impl Future<Output = Result<T, Lost>> {
        let mut work = Box::pin(self.running.track_future(work));
        async move {
            if let Some(turn) = turn
                && let Poll::Ready(ended) = self.begin_in_front(work.as_mut(), &turn)
            {
                return ended;
            }
            Ok(AbortOnDropHandle::new(self.handle.spawn(work)).await?)
        }
    }

    /// The first poll of `work`, if there is a place for it. What the guest asks the system for belongs to the guests.
    ///
    /// It is the only run that is under way: where there are others the guests' threads are awake anyway, and requests
    /// that come meanwhile are better served than kept waiting.
    fn begin_in_front<T>(&self, work: Pin<&mut impl Future<Output = T>>, turn: &Turn) -> Poll<Result<T, Lost>> {
        let may_begin = self.running.len() <= 1 && !self.running.is_closed();
        let Some(_place) = may_begin.then(|| self.front.place()).flatten() else { return Poll::Pending };
        let _entered = self.handle.enter();
        match turn.in_front(|| front::first_poll(work)) {
            Ok(polled) => polled.map(Ok),
            Err(_) if self.running.is_closed() => Poll::Ready(Err(Lost::Stopped)),
            Err(panic) => Poll::Ready(Err(Lost::Panicked(panic_text(&*panic).to_owned()))),
        }
    }

    /// Has `work`, which is guests' own, done on their threads, until it is done or the engine stops.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let work = AssertUnwindSafe(self.running.track_future(work)).catch_unwind();
        drop(self.handle.spawn(Box::pin(async move {
            if let Err(panic) = work.await {
                tracing::error!(panic = panic_text(&*panic), "the engine failed while it ran functions");
            }
        })));
    }

    /// Whether no guest is to run any more.
    pub(super) fn are_stopped(&self) -> bool {
        self.running.is_closed()
    }

    /// A way to have work done beside the guests.
    pub(super) fn aside(&self) -> Aside {
        Aside(self.handle.clone())
    }

    /// Stops every guest, and waits for it as long as [`bounds::GUEST_STOP`].
    pub(super) async fn stop(&self) {
        self.running.close();
        let Some(runtime) = self.take() else { return };
        let stopped = spawn_blocking(move || runtime.shutdown_timeout(bounds::GUEST_STOP)).await.is_ok();
        // Those in front are not waited for by that.
        if !stopped || timeout(bounds::GUEST_STOP, self.running.wait()).await.is_err() {
            tracing::warn!(guests = self.running.len(), "some functions did not stop in time");
        }
    }

    /// Those that run, those included that have been told to stop.
    #[cfg(test)]
    pub(super) fn running(&self) -> TaskTracker {
        self.running.clone()
    }

    /// Where runs begin.
    #[cfg(test)]
    pub(super) fn front(&self) -> &Front {
        &self.front
    }

    fn take(&self) -> Option<Runtime> {
        self.runtime.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Aside {
    /// Has `work` done, until it is done or the guests are stopped.
    pub(super) fn run(&self, work: impl Future<Output = ()> + Send + 'static) {
        drop(self.0.spawn(work));
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

impl From<JoinError> for Lost {
    fn from(error: JoinError) -> Self {
        match error.try_into_panic() {
            Ok(panic) => Self::Panicked(panic_text(&*panic).to_owned()),
            Err(_) => Self::Stopped,
        }
    }
}

/// How many threads can compute at once.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
