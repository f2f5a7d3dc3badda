//! The life of one instance that serves several runs at once: a task of its own, which takes runs in, holds them apart as
//! far as that goes, and ends with the last of them, or all of them with it.
//!
//! wasmtime knows no way to end one of several things that a guest does. So an instance in which a run was given up takes no
//! more, lets the others end, and takes what was given up along. One that traps ends all that are in it, and one that
//! computes past its time does: the others are told that they were interrupted, and may be tried again.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::Stream as _;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep_until};
use wasmtime::component::Accessor;
use wasmtime::{AsContextMut as _, Store, UpdateDeadline};
use wasmtime_wasi_http::p3::bindings::Service;

use super::inside::{Entered, Inside};
use super::work::{Left, Work, one, turn_away};
use super::{Answer, Ask, Load, Opened, at_once};
use crate::engine::call::{Call, Input};
use crate::engine::dump;
use crate::engine::entrypoint::begin;
use crate::engine::guests::Aside;
use crate::engine::host::{Host, Outward, Stdio};
use crate::engine::meter::Meter;
use crate::engine::output::Capture;
use crate::engine::rest::{self, Of};
use crate::engine::run;
use crate::engine::trap::{Circumstances, Unwanted};
use crate::engine::turns::Turn;
use crate::model::outcome::{Failure, FailureKind};

/// What belongs to an instance besides its store.
struct Serving {
    of: Of,
    load: Arc<Load>,
    inside: Arc<Inside>,
    /// What all runs in it write to.
    output: Capture,
    /// What is measured of the instance as a whole.
    meter: Meter,
    /// Where those that rest are looked after.
    aside: Aside,
    most: usize,
}

/// Serves runs until there are to be no more, in an instance that is made for the first of them.
pub(in crate::engine) async fn serve(opened: Opened, outward: Arc<Outward>, turn: Turn, aside: Aside) {
    let Opened { of, load, mut asks } = opened;
    let Some(first) = asks.recv().await else { return };
    let inside = Arc::new(Inside::empty(Arc::clone(&load)));
    let (output, meter) = (Capture::shared(first.asked.call.secrets.clone()), Meter::begin());
    let most = usize::try_from(at_once(&first.asked.call)).unwrap_or(usize::MAX);
    let serving = Serving { of, load, inside, output, meter, aside, most };
    let _closes = Closes(&serving);
    serving.output.reaches(&first.asked.log);
    let first = serving.inside.enter(first);
    let instance = of_instance(&first.call);
    let why = match first.caller.while_it_waits(serving.store(&instance, &turn, &outward)).await {
        Some(Ok(mut store)) => serving.live(&mut store, &instance, &mut asks, first, &turn).await,
        Some(Err(refused)) => refused,
        None => interrupted("nobody waited for it any more"),
    };
    serving.of.engine().sharing.close(&serving.load);
    for present in serving.inside.clear() {
        let _ = present.answer.send(Answer::ended(Err(why.clone()).into(), None)); // or nobody waits
    }
    turn_away(&mut asks);
}

impl Serving {
    async fn store(&self, instance: &Call, turn: &Turn, outward: &Arc<Outward>) -> Result<Store<Host>, Failure> {
        let streams = Stdio { stdin: Bytes::new(), stdout: self.output.clone(), stderr: self.output.clone() };
        let host = Host::new(instance, streams, self.meter.clone(), outward).await;
        let host = host.map_err(|refused| Failure::retry(FailureKind::Load, refused.to_string()))?;
        let mut store = run::store(self.of.ready(), instance, host);
        self.hold_to_time(&mut store, turn.clone());
        Ok(store)
    }

    /// Has each tick end the instance if it computes for a run that is past its time, and make it wait for its turn once
    /// it has computed for long.
    fn hold_to_time(&self, store: &mut Store<Host>, turn: Turn) {
        let (inside, ready) = (Arc::clone(&self.inside), self.of.ready().clone());
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(move |mut store| {
            inside.tick(store.async_call_stack().into_iter().flatten())?;
            let is_long = inside.is_long_now();
            if is_long {
                ready.note_long(true);
            }
            if !is_long && !ready.is_long() {
                return Ok(UpdateDeadline::Continue(1));
            }
            inside.yields();
            Ok(UpdateDeadline::YieldCustom(1, Box::pin(turn.clone().next())))
        });
    }

    /// Returns why those did not end that are still in it then.
    async fn live(
        &self,
        store: &mut Store<Host>,
        instance: &Call,
        asks: &mut mpsc::Receiver<Ask>,
        first: Entered,
        turn: &Turn,
    ) -> Failure {
        let ended = {
            let mut work = pin!(turn.keep(self.inside.counted(self.work(store, asks, first))));
            let mut look = None;
            poll_fn(|context| match work.as_mut().poll(context) {
                Poll::Ready(ended) => Poll::Ready(Some(ended)),
                Poll::Pending => self.poll_stuck(&mut look, context).map(|()| None),
            })
            .await
        };
        let Some(Err(error)) = ended else {
            return interrupted("it waited for longer than it may, and nothing else in it could go on");
        };
        let failure = self.circumstances().explain(&error);
        let culprit = {
            let mut context = store.as_context_mut();
            let stack = context.async_call_stack();
            self.inside.culprit(stack.into_iter().flatten())
        };
        let Some(culprit) = culprit.and_then(|key| self.inside.leave(key)) else { return failure };
        let core_dump = dump::of(&error, store, instance, &culprit.log);
        let others = interrupted(&format!("it failed ({})", failure.kind.as_str()));
        let _ = culprit.answer.send(Answer::ended(Err(failure).into(), core_dump)); // or nobody waits
        others
    }

    /// Ready when the instance does not notice that nobody waits for what it does.
    fn poll_stuck(&self, look: &mut Option<Pin<Box<Sleep>>>, context: &mut Context<'_>) -> Poll<()> {
        let Some(due) = self.inside.ends_at() else { return Poll::Pending };
        if Instant::now() >= due {
            return Poll::Ready(());
        }
        let look = look.insert(Box::pin(sleep_until(due)));
        look.as_mut().poll(context)
    }

    async fn work(
        &self,
        store: &mut Store<Host>,
        asks: &mut mpsc::Receiver<Ask>,
        first: Entered,
    ) -> wasmtime::Result<()> {
        let Some(http) = self.of.ready().shareable() else { return Ok(()) }; // which has been looked at before
        // Until the first run has begun nothing else tells that nobody waits: a start function may be in a call of the host.
        let service = first.caller.while_it_waits(http.instantiate(store)).await.ok_or(Unwanted)??;
        let work = Work { asks, ended: Vec::new(), is_closed: false, is_spoilt: false, ticking: None };
        store.run_concurrent(async |guest| self.take(guest, &service, work, first).await).await
    }

    /// Takes runs in and lets them go.
    async fn take(&self, guest: &Accessor<Host>, service: &Service, mut work: Work<'_>, first: Entered) {
        let mut runs = pin!(FuturesUnordered::new());
        runs.extend(self.begin(guest, service, first, &mut work));
        poll_fn(|context| {
            loop {
                while let Poll::Ready(Some(left)) = runs.as_mut().poll_next(context) {
                    work.ended.push(left);
                }
                let before = runs.len();
                while runs.len() < self.most
                    && let Some(ask) = work.next(&self.load, context)
                {
                    self.output.reaches(&ask.asked.log);
                    let entered = self.inside.enter(ask);
                    runs.extend(self.begin(guest, service, entered, &mut work));
                }
                let has_more = runs.len() > before;
                if !has_more && runs.is_empty() {
                    return self.poll_empty(guest, &mut work, context);
                }
                self.answer(guest, &mut work);
                if !has_more {
                    return Poll::Pending;
                }
            }
        })
        .await;
    }

    /// Sets a run going; `None` where that failed, and it is answered with what ended.
    fn begin<'a>(
        &'a self,
        guest: &'a Accessor<Host>,
        service: &'a Service,
        entered: Entered,
        work: &mut Work<'_>,
    ) -> Option<impl Future<Output = Left> + Send + use<'a>> {
        let Entered { key, call, caller, ticking } = entered;
        work.ticking = Some(ticking);
        match begin(guest, service, &call) {
            Ok((task, ends)) => {
                self.inside.begins(key, task);
                Some(one(key, caller, ends))
            }
            Err(error) => {
                work.ended.push(Left { key, caller, end: Some(Err(error)) });
                None
            }
        }
    }

    /// When no run is in it: ready when it is to end. Those that were last are answered when the guest does nothing any
    /// more, so that whatever it still does is done in the time of a run, and in its place.
    fn poll_empty(&self, guest: &Accessor<Host>, work: &mut Work<'_>, context: &mut Context<'_>) -> Poll<()> {
        let is_done = guest.poll_no_interesting_tasks(context).is_ready();
        if !is_done && !work.ended.is_empty() && !work.poll_spoilt(context) {
            return Poll::Pending;
        }
        self.answer(guest, work);
        self.meter.forget_refused();
        if work.is_spoilt || work.is_closed {
            return Poll::Ready(());
        }
        if is_done {
            self.rest(guest, work);
        }
        Poll::Pending
    }

    /// Answers those that have ended.
    fn answer(&self, guest: &Accessor<Host>, work: &mut Work<'_>) {
        if work.ended.is_empty() {
            return;
        }
        self.inside.divide();
        let (memory_bytes, is_used_up) = guest.with(|mut store| {
            let host = store.data_mut();
            (host.memory_bytes(), host.is_nearly_used_up())
        });
        for left in work.ended.drain(..) {
            let Some(present) = self.inside.leave(left.key) else { continue };
            self.output.leaves(&present.log);
            present.meter.has_memory(memory_bytes);
            work.is_spoilt |= left.spoils();
            let end = match left.end {
                Some(Ok(Ok(end))) => end,
                Some(Ok(Err(error)) | Err(error)) => Err(self.circumstances().explain(&error)).into(),
                None => continue,
            };
            let _ = present.answer.send(Answer::ended(end, None)); // or nobody waits any more
        }
        self.of.ready().note_long(self.inside.is_long());
        if (work.is_spoilt || is_used_up) && !work.is_closed {
            work.is_closed = true;
            self.of.engine().sharing.close(&self.load);
            work.turn_away();
        }
    }

    /// Leaves the instance to those who look after what rests, if no run is on its way here.
    fn rest(&self, guest: &Accessor<Host>, work: &mut Work<'_>) {
        let engine = self.of.engine();
        let Some(member) = engine.sharing.take_idle(&self.load) else { return };
        work.ticking = None;
        let memory_bytes = guest.with(|mut store| store.data_mut().memory_bytes());
        if engine.resting.put_shared(member.door, member.of, memory_bytes) {
            self.aside.run(rest::tend(engine));
        }
    }

    fn circumstances(&self) -> Circumstances {
        Circumstances { limits: self.of.version().limits, refused: self.meter.withheld() }
    }
}

/// Closes an instance whatever ends it.
struct Closes<'a>(&'a Serving);

impl Drop for Closes<'_> {
    fn drop(&mut self) {
        self.0.of.engine().sharing.close(&self.0.load);
    }
}

/// What an instance is told of itself: what is the same for all who are in it.
fn of_instance(first: &Call) -> Call {
    let identity = Arc::new(first.identity.of_instance());
    let (version, secrets, desk) = (Arc::clone(&first.version), first.secrets.clone(), Arc::clone(&first.desk));
    Call { input: Input::Payload(Bytes::new()), identity, version, secrets, desk }
}

fn interrupted(why: &str) -> Failure {
    let what = format!("another invocation ended the instance that this one shared with it: {why}");
    Failure::retry(FailureKind::Interrupted, what)
}
