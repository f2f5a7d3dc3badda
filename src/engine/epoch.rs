//! The ticker: a thread that moves wasmtime's epoch on, which is when a guest is looked at and lets others run.
//!
//! It keeps to absolute instants, so a late tick is not a longer one, and it sleeps once no guest has run for a while, so
//! an idle process does not wake.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use crate::model::bounds;

/// Time between two ticks. Guests that compute share a core in slices of this length.
const TICK: Duration = Duration::from_millis(1);

/// Ticks that are let go by without a guest before the thread sleeps: where one comes soon after the other, none of them has
/// to wake it.
const LINGER_TICKS: u32 = 20;

/// Ticks while a guest runs; stops its thread when dropped.
#[derive(Debug)]
pub(super) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    waker: Thread,
}

/// As long as it lives, the epoch moves on.
#[derive(Debug)]
pub(super) struct Ticking(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    running: AtomicUsize,
    asleep: AtomicBool,
    stopping: AtomicBool,
}

impl Ticker {
    /// Starts the thread; `tick` is called about every millisecond while there is a [`Ticking`].
    pub(super) fn start(tick: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let thread = thread::Builder::new().name("epoch".to_owned()).spawn(move || of_thread.run(&tick))?;
        Ok(Self { shared, waker: thread.thread().clone(), thread: Some(thread) })
    }

    /// Keeps the epoch moving until the value is dropped.
    pub(super) fn ticking(&self) -> Ticking {
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        if self.shared.asleep.swap(false, Ordering::SeqCst) {
            self.waker.unpark();
        }
        Ticking(Arc::clone(&self.shared))
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The thread goes on while guests run, so that those which are told to stop get to know of it.
impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.waker.unpark();
        if let Some(thread) = self.thread.take() {
            drop(thread.join()); // it cannot panic unless wasmtime does, and then has said so itself
        }
    }
}

impl Shared {
    fn run(&self, tick: &impl Fn()) {
        let mut next = now();
        let mut give_up = None;
        let mut idle_ticks = LINGER_TICKS; // nobody has run yet
        loop {
            let stopping = self.stopping.load(Ordering::SeqCst);
            if stopping && *give_up.get_or_insert_with(|| now() + bounds::GUEST_STOP) <= now() {
                return;
            }
            let is_idle = self.running.load(Ordering::SeqCst) == 0;
            if is_idle && stopping {
                return;
            }
            idle_ticks = if is_idle { idle_ticks + 1 } else { 0 };
            if idle_ticks > LINGER_TICKS {
                self.sleep();
                (next, idle_ticks) = (now(), 0);
                continue;
            }
            if !is_idle {
                tick();
            }
            next = wait_until(next + TICK);
        }
    }

    /// Sleeps until a guest runs or the ticker stops. `asleep` is set before `running` is looked at again and read
    /// after it is changed, so one of the two sides always sees the other.
    fn sleep(&self) {
        self.asleep.store(true, Ordering::SeqCst);
        while self.asleep.load(Ordering::SeqCst) {
            if self.running.load(Ordering::SeqCst) > 0 || self.stopping.load(Ordering::SeqCst) {
                self.asleep.store(false, Ordering::SeqCst);
                return;
            }
            thread::park();
        }
    }
}

/// Waits until `due`; returns when that tick was due, or now if it is long past.
fn wait_until(due: Instant) -> Instant {
    loop {
        let now = now();
        if now >= due {
            return if now > due + TICK { now } else { due };
        }
        thread::park_timeout(due - now);
    }
}

#[expect(clippy::disallowed_methods, reason = "guests are bound by real time, also where a test has stopped tokio's")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{SyncSender, sync_channel};

    use super::*;

    fn ticker() -> (Ticker, std::sync::mpsc::Receiver<()>) {
        let (ticks, seen): (SyncSender<()>, _) = sync_channel(1_000);
        (Ticker::start(move || _ = ticks.try_send(())).unwrap(), seen)
    }

    #[test]
    fn the_epoch_moves_while_a_guest_runs_and_again_for_the_next() {
        let (ticker, seen) = ticker();
        for _ in 0..20 {
            let ticking = ticker.ticking();
            for _ in 0..3 {
                seen.recv_timeout(Duration::from_secs(10)).unwrap();
            }
            drop(ticking);
        }
    }

    #[test]
    fn the_ticker_sleeps_when_no_guest_runs() {
        let (ticker, seen) = ticker();
        drop(ticker.ticking());
        while !ticker.shared.asleep.load(Ordering::SeqCst) {
            thread::yield_now();
        }
        while seen.try_recv().is_ok() {}
        assert!(seen.recv_timeout(20 * TICK).is_err());
    }

    #[test]
    fn dropping_the_ticker_ends_its_thread() {
        let (ticker, seen) = ticker();
        drop(ticker);
        assert_eq!(seen.iter().count(), 0);
    }
}
