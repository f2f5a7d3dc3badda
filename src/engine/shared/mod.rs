//! Instances that serve several runs at once: of one version, where it says so and its code can.
//!
//! What is here decides which instance a run is given to, and how it is told what became of it; `serve` is the life of an
//! instance, `work` what it has before it, `inside` knows which runs are in it. An instance is open as long as somebody holds
//! its [`Door`]: while runs are in it [`Sharing`] does, while it rests `rest` does, and when it has been given as many runs as
//! it may serve, nobody does. Each run is held to its time by whoever waits for it, whatever becomes of the instance.

mod inside;
mod serve;
mod work;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::task::AtomicWaker;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

pub(super) use serve::serve;

use super::call::Call;
use super::entrypoint::End;
use super::epoch::Ticking;
use super::guests::cores;
use super::meter::Meter;
use super::output::Capture;
use super::ready::Ready;
use super::rest::{Of, Resting};
use super::run::Ended;

/// A run that is to be served.
pub(super) struct Asked {
    pub(super) call: Call,
    /// Its own log.
    pub(super) log: Capture,
    pub(super) meter: Meter,
    /// When it is over, whatever it is doing.
    pub(super) until: Instant,
    pub(super) ticking: Ticking,
}

/// A run on its way into an instance.
pub(super) struct Ask {
    asked: Asked,
    answer: oneshot::Sender<Answer>,
    caller: Arc<Caller>,
}

/// What became of a run.
pub(super) enum Answer {
    /// It has ended.
    Ended(Box<Ended>),
    /// The instance takes no more runs, and had not begun this one.
    Again(Box<Asked>),
}

/// Whoever waits for a run.
#[derive(Debug, Default)]
struct Caller {
    is_gone: AtomicBool,
    /// Of the run.
    waker: AtomicWaker,
}

/// An answer that is waited for; `None` where the runtime is stopped, or its instance's task has panicked. Dropped before, the
/// run is told that nobody waits.
pub(super) struct Awaited {
    answer: oneshot::Receiver<Answer>,
    caller: Arc<Caller>,
}

/// The way into an instance. When it is dropped the instance ends, as soon as the runs in it have.
pub(super) struct Door {
    asks: mpsc::Sender<Ask>,
    load: Arc<Load>,
    /// Runs that it was given.
    given: u32,
}

/// What an instance is doing.
#[derive(Debug, Default)]
struct Load {
    /// Runs that it has, begun or not.
    held: AtomicU32,
    /// A thread is at it.
    is_polled: AtomicBool,
    /// It has been computing for long, or waits for its turn to.
    is_long: AtomicBool,
}

/// An instance that is to be made and served.
pub(super) struct Opened {
    of: Of,
    load: Arc<Load>,
    asks: mpsc::Receiver<Ask>,
}

/// The instances of one engine that have runs in them and take more.
pub(super) struct Sharing {
    open: Mutex<Vec<Member>>,
    /// How many can compute at once. Asking the system takes longer than a run does.
    cores: usize,
}

struct Member {
    of: Of,
    door: Door,
}

/// Whether a run may share its instance with others.
pub(super) fn may_share(ready: &Ready, call: &Call) -> bool {
    call.version.reuse.is_some() && at_once(call) > 1 && ready.shareable().is_some()
}

/// How many runs may be in an instance at once.
fn at_once(call: &Call) -> u32 {
    call.version.instance_concurrency.map_or(1, std::num::NonZero::get)
}

/// A run on its way, and the answer to it.
pub(super) fn ask(asked: Asked) -> (Ask, Awaited) {
    let (caller, (sender, answer)) = (Arc::<Caller>::default(), oneshot::channel());
    (Ask { asked, answer: sender, caller: Arc::clone(&caller) }, Awaited { answer, caller })
}

/// Where a run is sent.
enum Place {
    Old(Arc<Load>, mpsc::Sender<Ask>),
    New(Opened, mpsc::Sender<Ask>),
}

impl Default for Sharing {
    fn default() -> Self {
        Self { open: Mutex::default(), cores: cores() }
    }
}

impl Sharing {
    /// Gives a run to an instance that has room, or to one at rest. Where there is none, it is given to a new one, which
    /// the caller has to see to ([`serve()`]).
    pub(super) fn give(&self, ready: &Ready, mut ask: Ask, resting: &Resting) -> Option<Opened> {
        loop {
            let (load, asks) = match self.place(ready, &ask.asked.call, resting) {
                Place::Old(load, asks) => (load, asks),
                Place::New(opened, asks) => {
                    let _ = asks.try_send(ask); // it is the first, so there is room, and the receiver is here
                    return Some(opened);
                }
            };
            // Nobody else waits for the lock while this wakes a thread.
            match asks.try_send(ask) {
                Ok(()) => return None,
                Err(unsent) => ask = unsent.into_inner(), // it has just ended
            }
            self.close(&load);
        }
    }

    /// The instance that a run is to be sent to. It stays for that.
    fn place(&self, ready: &Ready, call: &Call, resting: &Resting) -> Place {
        let reuse = call.version.reuse.map_or(1, std::num::NonZero::get);
        let mut open = self.lock();
        if let Some(at) = self.choose(&mut open, ready, call, resting) {
            let door = &mut open[at].door;
            door.load.held.fetch_add(1, Ordering::Relaxed);
            door.given += 1;
            if door.given < reuse {
                return Place::Old(Arc::clone(&door.load), door.asks.clone());
            }
            let Door { asks, load, .. } = open.swap_remove(at).door;
            return Place::Old(load, asks);
        }
        let of = Of::call(ready, call);
        let (asks, receiver) = mpsc::channel(at_once(call) as usize);
        let load = Arc::new(Load { held: AtomicU32::new(1), ..Load::default() });
        if reuse > 1 {
            let door = Door { asks: asks.clone(), load: Arc::clone(&load), given: 1 };
            open.push(Member { of: of.clone(), door });
        }
        Place::New(Opened { of, load, asks: receiver }, asks)
    }

    /// Of those that are open, which a run is given to.
    ///
    /// One that nobody is at: it waits, or is about to look for what has come. If there is none such, one more instance for
    /// each core, and then that which has least to do. Where runs compute for long, one that has any is as if somebody were
    /// at it; where it has been at one for long already, nothing more is given to it.
    fn choose(&self, open: &mut Vec<Member>, ready: &Ready, call: &Call, resting: &Resting) -> Option<usize> {
        let (is_long, most) = (ready.is_long(), at_once(call));
        let (mut all, mut idle, mut busy) = (0, None, None);
        for (at, member) in open.iter().enumerate().filter(|(_, member)| member.of.fits(ready, call)) {
            all += 1;
            let (load, held) = (&member.door.load, member.door.load.held.load(Ordering::Relaxed));
            if held >= most || load.is_long.load(Ordering::Relaxed) {
                continue;
            }
            if held == 0 || !(is_long || load.is_polled.load(Ordering::Relaxed)) {
                idle = idle.max(Some((held, at)));
            } else if busy.is_none_or(|(least, _)| held < least) {
                busy = Some((held, at));
            }
        }
        if let Some((_, at)) = idle.or(busy.filter(|_| all >= self.cores)) {
            return Some(at);
        }
        let door = resting.take_shared(ready, call)?;
        open.push(Member { of: Of::call(ready, call), door });
        Some(open.len() - 1)
    }

    /// Takes an instance out, if no run is on its way to it: to put it to rest.
    fn take_idle(&self, load: &Arc<Load>) -> Option<Member> {
        let mut open = self.lock();
        let at = open.iter().position(|member| Arc::ptr_eq(&member.door.load, load))?;
        (load.held.load(Ordering::Relaxed) == 0).then(|| open.swap_remove(at))
    }

    /// Has an instance get no more runs.
    fn close(&self, load: &Arc<Load>) {
        let gone = {
            let mut open = self.lock();
            let at = open.iter().position(|member| Arc::ptr_eq(&member.door.load, load));
            at.map(|at| open.swap_remove(at))
        };
        drop(gone);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Member>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Caller {
    /// What comes of `work`, or `None` where nobody waits any more before it is done.
    async fn while_it_waits<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => self.poll_gone(context).map(|()| None),
        })
        .await
    }

    /// Whether nobody waits any more; wakes the run when nobody does.
    fn poll_gone(&self, context: &Context<'_>) -> Poll<()> {
        if self.is_gone() {
            return Poll::Ready(());
        }
        self.waker.register(context.waker());
        if self.is_gone() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Acquire)
    }
}

impl Future for Awaited {
    type Output = Option<Answer>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.answer).poll(context).map(Result::ok)
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.caller.is_gone.store(true, Ordering::Release);
        self.caller.waker.wake();
    }
}

impl Answer {
    fn ended(end: End, core_dump: Option<Bytes>) -> Self {
        Self::Ended(Box::new(Ended { end, alive: None, core_dump }))
    }
}

impl Ask {
    /// Sends it back, to be given to another instance.
    fn turn_away(self) {
        let _ = self.answer.send(Answer::Again(Box::new(self.asked))); // or nobody waits any more
    }
}
