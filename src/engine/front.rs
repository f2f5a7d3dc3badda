//! Runs begin in front: on the thread that asks for one, until the guest first waits, or for a tick or two. Nearly all are done
//! by then, and no other thread was woken for them; whatever is not goes on on the guests' own threads.
//!
//! A run does so where no other is under way (`guests`), and never on the last thread in front that is free. A guest leaves
//! when a tick tells it to; where it holds its thread for longer all the same (one instruction may fill a whole memory), another
//! thread is woken: the one that is held may be the one that was looking after the sockets, and nobody would notice.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, SemaphorePermit};

/// The places for runs that begin.
#[derive(Debug)]
pub(super) struct Front {
    /// Whose threads these are; `None` where nobody's were known.
    threads: Option<Handle>,
    places: Semaphore,
    count: usize,
    /// How many have begun.
    begun: AtomicU64,
    /// The same at the last tick.
    begun_then: AtomicU64,
}

/// What a panic brought along.
pub(super) type Panic = Box<dyn Any + Send>;

impl Front {
    /// Places on the threads of the runtime that this is called from.
    pub(super) fn here() -> Self {
        let threads = Handle::try_current().ok();
        let count = threads.as_ref().map_or(0, |threads| threads.metrics().num_workers().saturating_sub(1).max(1));
        let (begun, begun_then) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { threads, places: Semaphore::new(count), count, begun, begun_then }
    }

    /// A place, if one is free.
    pub(super) fn place(&self) -> Option<SemaphorePermit<'_>> {
        let place = self.places.try_acquire().ok()?;
        self.begun.fetch_add(1, Ordering::Relaxed);
        Some(place)
    }

    /// To be called at each tick: has another thread look after the sockets where none has begun since the last one and
    /// some are still at it.
    pub(super) fn tick(&self) {
        let begun = self.begun.load(Ordering::Relaxed);
        let is_held = self.begun_then.swap(begun, Ordering::Relaxed) == begun;
        if is_held
            && self.places.available_permits() < self.count
            && let Some(threads) = &self.threads
        {
            drop(threads.spawn(async {}));
        }
    }

    /// How many have begun.
    #[cfg(test)]
    pub(super) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }
}

/// Polls what has never been polled. Nobody is woken for it: what is not ready has to be polled again, elsewhere.
pub(super) fn first_poll<T>(work: Pin<&mut impl Future<Output = T>>) -> Result<Poll<T>, Panic> {
    catch_unwind(AssertUnwindSafe(|| work.poll(&mut Context::from_waker(Waker::noop()))))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;
    use std::thread;
    use std::time::Duration;

    use tokio::io::AsyncReadExt as _;
    use tokio::net::UnixStream;
    use tokio::sync::oneshot;
    use tokio::time::Instant;

    use super::*;
    use crate::tasks::panic_text;

    fn pair() -> (std::os::unix::net::UnixStream, UnixStream) {
        let (near, far) = UnixStream::pair().unwrap();
        (near.into_std().unwrap(), far)
    }

    fn panicking(why: &str) -> impl Future<Output = ()> {
        std::future::poll_fn(move |_| panic!("on {why}"))
    }

    #[tokio::test]
    async fn there_are_so_many_places_and_a_panic_is_a_value() {
        let front = Front::here();
        let place = front.place().unwrap();
        assert!(front.place().is_none(), "this runtime has one thread");
        drop(place);
        assert!(front.place().is_some());
        let panicked = first_poll(std::pin::pin!(panicking("purpose")));
        assert_eq!(panicked.map_err(|panic| panic_text(&*panic).to_owned()), Err("on purpose".to_owned()));
    }

    #[test]
    fn without_a_runtime_there_is_no_place() {
        assert!(Front::here().place().is_none());
    }

    /// The thread that saw the event which has a guest begin is the one that watches sockets. As long as the guest holds
    /// it, nobody would see the other socket's.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn sockets_are_looked_after_while_a_guest_holds_its_thread() {
        let front = Arc::new(Front::here());
        let (mut to_guest, mut of_guest) = pair();
        let (mut to_other, mut of_other) = pair();
        let (answered, stopped) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (held, is_answered) = (Arc::clone(&front), Arc::clone(&answered));
        let (done, guest_done) = oneshot::channel();
        drop(Handle::current().spawn(async move {
            of_guest.read_u8().await.unwrap();
            let _place = held.place().unwrap();
            to_other.write_all(&[1]).unwrap();
            let give_up = Instant::now() + Duration::from_secs(20);
            while !is_answered.load(Ordering::SeqCst) && Instant::now() < give_up {
                thread::yield_now();
            }
            let _ = done.send(is_answered.load(Ordering::SeqCst));
        }));
        drop(Handle::current().spawn(async move {
            of_other.read_u8().await.unwrap();
            answered.store(true, Ordering::SeqCst);
        }));
        let ticker = thread::spawn({
            let stopped = Arc::clone(&stopped);
            move || {
                while !stopped.load(Ordering::SeqCst) {
                    front.tick();
                    thread::park_timeout(Duration::from_millis(1));
                }
            }
        });
        to_guest.write_all(&[1]).unwrap();
        assert!(guest_done.await.unwrap(), "the other socket's byte was not seen");
        stopped.store(true, Ordering::SeqCst);
        ticker.join().unwrap();
    }
}
