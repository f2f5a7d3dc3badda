//! One run: an instance within its limits, mostly a fresh one, and whatever becomes of it as a value.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::task::yield_now;
use tokio::time::Instant;
use wasmtime::{Store, UpdateDeadline};

use super::call::{Call, Ran};
use super::dump;
use super::entrypoint::{End, Run};
use super::host::{Host, Outward, RefusedDirectory, Stdio};
use super::meter::{Meter, Withheld};
use super::output::Capture;
use super::ready::Ready;
use super::rest::Alive;
use super::trap::{self, Circumstances, TimedOut};
use super::turns::Turn;
use crate::model::bounds;
use crate::model::outcome::{Failure, FailureKind};
use crate::model::usage::Usage;

/// Where a guest's output goes. It is caught outside the guest, so that it is there whatever becomes of the guest.
#[derive(Clone, Debug)]
pub(super) struct Output {
    stdout: Capture,
    pub(super) log: Capture,
}

impl Output {
    /// A command's stdout is its result; everybody else's goes into the log.
    pub(super) fn of(ready: &Ready, call: &Call) -> Self {
        let space = call.version.limits.space;
        let log = Capture::log(size(space.log_bytes), call.secrets.clone());
        let stdout = if ready.is_command() { Capture::result(size(space.result_bytes)) } else { log.clone() };
        Self { stdout, log }
    }

    /// What the run is to its caller. A command that failed has no result, and may have said why on stdout.
    fn ran(&self, end: End, usage: impl FnOnce(usize) -> Usage) -> Ran {
        if end.end.is_err() && !self.stdout.is_same(&self.log) {
            self.log.append_end_of(&self.stdout);
        }
        let given = end.end.as_ref().ok().or(end.answer.as_ref()).map_or(0, |reply| reply.body.len());
        let shown = end.end.map_err(|failure| self.log.shown(failure));
        Ran { end: shown, answer: end.answer, log: self.log.take(), usage: usage(given), core_dump: None }
    }
}

/// What watches a guest from outside, and is there whatever becomes of it.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    pub(super) output: Output,
    pub(super) turn: Turn,
    pub(super) meter: Meter,
}

impl Watch {
    /// What the run is to its caller.
    pub(super) fn ran(&self, end: End, core_dump: Option<Bytes>, input_bytes: usize) -> Ran {
        Ran { core_dump, ..self.output.ran(end, |output_bytes| self.meter.usage(input_bytes, output_bytes)) }
    }
}

/// What is left of a run.
pub(super) struct Ended {
    pub(super) end: End,
    /// Its instance, if that may be used again.
    pub(super) alive: Option<Alive>,
    pub(super) core_dump: Option<Bytes>,
}

impl From<End> for Ended {
    fn from(end: End) -> Self {
        Self { end, alive: None, core_dump: None }
    }
}

/// Runs a guest to its end, in a fresh instance or in one that was at rest. Dropping the future ends it at its next tick.
pub(super) async fn run(
    ready: Ready,
    call: Call,
    watch: Watch,
    before: Option<Alive>,
    outward: &Arc<Outward>,
) -> Ended {
    let Watch { output, turn, meter } = watch;
    let deadline = Instant::now() + call.timeout();
    let failed = |failure: Failure| Ended::from(End::from(Err(failure)));
    let host = match host(&ready, &call, &output, &meter, outward).await {
        Ok(host) => host,
        Err(refused) => return failed(Failure::retry(FailureKind::Load, refused.to_string())),
    };
    let (mut store, mut standing, served) = match before {
        Some(Alive { mut store, standing, served, .. }) => {
            store.data_mut().follow(host);
            (store, Some(standing), served)
        }
        None => (store(&ready, &call, host), None, 0),
    };
    if let Some(fuel) = call.version.limits.fuel
        && let Err(error) = store.set_fuel(fuel)
    {
        return failed(circumstances(&call, Withheld::default()).explain(&error));
    }
    let takes_turns = ready.is_long();
    let ticks = hold_to_time(&mut store, deadline, turn.clone(), ready.clone());
    let (stdout, stderr) = (&output.stdout, &output.log);
    let run = Run { store: &mut store, standing: &mut standing, call: &call, stdout, stderr, meter: &meter };
    let guest = async {
        if takes_turns {
            turn.clone().next().await;
        }
        meter.counted(ready.target().run(run)).await
    };
    let ended = turn.keep(guest).await;
    note_fuel(&store, &call, &meter, &ended);
    let holds = meter.longest_poll() > MOST_HELD;
    if holds || ended.is_ok() {
        ready.note_long(holds || ticks.load(Ordering::Relaxed) > FREE_TICKS);
    }
    match ended {
        Ok(end) => {
            let alive = standing.map(|standing| Alive { store, standing, output, served: served.saturating_add(1) });
            Ended { alive: alive.filter(|alive| may_serve_again(alive, &call)), ..end.into() }
        }
        Err(error) => {
            let core_dump = dump::of(&error, &mut store, &call, &output.log);
            Ended { core_dump, ..failed(circumstances(&call, meter.withheld()).explain(&error)) }
        }
    }
}

fn may_serve_again(alive: &Alive, call: &Call) -> bool {
    let (most, host) = (call.version.reuse.map_or(0, NonZeroU32::get), alive.store.data());
    alive.served < most && !host.is_nearly_used_up() && !host.has_left_many_requests()
}

/// What is known of a run beforehand.
pub(super) fn circumstances(call: &Call, refused: Withheld) -> Circumstances {
    Circumstances { limits: call.version.limits, refused }
}

async fn host(
    ready: &Ready,
    call: &Call,
    output: &Output,
    meter: &Meter,
    outward: &Arc<Outward>,
) -> Result<Host, RefusedDirectory> {
    let stdin = if ready.is_command() { call.input.bytes().clone() } else { Bytes::new() };
    let streams = Stdio { stdin, stdout: output.stdout.clone(), stderr: output.log.clone() };
    Host::new(call, streams, meter.clone(), outward).await
}

/// The store of a fresh instance.
pub(super) fn store(ready: &Ready, call: &Call, host: Host) -> Store<Host> {
    let mut store = Store::new(&ready.engine().wasmtime, host);
    store.limiter(Host::limiter);
    store.set_hostcall_fuel(bounds::MAX_GUEST_COPY_BYTES);
    store.set_max_component_handles(size(call.version.limits.space.handles));
    store
}

/// Notes the fuel that a guest has used up, where that is known exactly.
fn note_fuel<T>(store: &Store<Host>, call: &Call, meter: &Meter, ended: &wasmtime::Result<T>) {
    let Some(most) = call.version.limits.fuel else { return };
    if let Err(error) = ended
        && !trap::leaves_fuel_counted(error)
    {
        return;
    }
    if let Ok(left) = store.get_fuel() {
        meter.has_used_fuel(most.saturating_sub(left));
    }
}

/// Ticks that a guest computes before it takes turns with others that do. One of a function whose last run computed for
/// longer does so from its first instant: many that begin together would keep others waiting for these ticks of each.
pub(super) const FREE_TICKS: u32 = 2;

/// The tick at which a guest leaves the thread that it began on. Not the first, which may come at once: it would send guests
/// elsewhere that are about to be done.
const TICKS_IN_FRONT: u32 = 2;

/// Processor time for which a guest may keep its thread to itself before it counts as one that computes for long: there is
/// no tick within what takes the longest, such as filling all memory by one instruction.
const MOST_HELD: Duration = Duration::from_millis(4);

/// Has each tick end the guest past its deadline, have it leave the thread that it began on, and make it wait for its turn
/// once it has computed for long. Returns the count of its ticks.
fn hold_to_time(store: &mut Store<Host>, deadline: Instant, turn: Turn, ready: Ready) -> Arc<AtomicU32> {
    let takes_turns = ready.is_long();
    let first = if turn.is_in_front() { TICKS_IN_FRONT } else { 1 };
    let ticks = Arc::new(AtomicU32::new(first - 1));
    let count = Arc::clone(&ticks);
    store.set_epoch_deadline(first.into());
    store.epoch_deadline_callback(move |_| {
        if Instant::now() >= deadline {
            return Err(TimedOut.into());
        }
        let is_long = count.fetch_add(1, Ordering::Relaxed) >= FREE_TICKS;
        if is_long {
            ready.note_long(true);
        }
        if turn.is_in_front() {
            return Ok(UpdateDeadline::YieldCustom(1, Box::pin(yield_now())));
        }
        if !is_long && !takes_turns {
            return Ok(UpdateDeadline::Continue(1));
        }
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(turn.clone().next())))
    });
    ticks
}

fn size(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}
