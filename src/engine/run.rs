//! One run: a fresh instance within its limits, and whatever becomes of it as a value.

use bytes::Bytes;
use tokio::time::Instant;
use wasmtime::{Store, UpdateDeadline};

use super::call::{Call, Input, Ran};
use super::entrypoint::{End, Run};
use super::host::{Host, Stdio};
use super::limits::Refusals;
use super::output::Capture;
use super::ready::Ready;
use super::trap::{Circumstances, TimedOut};
use crate::model::bounds;
use crate::model::function::Entrypoint;
use crate::model::secret::Entrusted;

/// Where a guest's output goes. It is caught outside the guest, so that it is there whatever becomes of the guest.
#[derive(Clone, Debug)]
pub(super) struct Output {
    stdout: Capture,
    log: Capture,
}

impl Output {
    /// A command's stdout is its result; everybody else's goes into the log.
    pub(super) fn of(entrypoint: &Entrypoint, secrets: &Entrusted) -> Self {
        let log = Capture::log(secrets.clone());
        let stdout = match entrypoint {
            Entrypoint::Command => Capture::result(),
            Entrypoint::Handler | Entrypoint::Http => log.clone(),
        };
        Self { stdout, log }
    }

    /// What the run is to its caller. A command that failed has no result, and may have said why on stdout.
    pub(super) fn ran(&self, end: End) -> Ran {
        if end.end.is_err() && !self.stdout.is_same(&self.log) {
            self.log.append_end_of(&self.stdout);
        }
        let end_shown = end.end.map_err(|failure| self.log.shown(failure));
        Ran { end: end_shown, answer: end.answer, log: self.log.take() }
    }
}

/// Runs a guest to its end. Dropping the future ends it at its next tick.
pub(super) async fn run(engine: wasmtime::Engine, ready: Ready, call: Call, output: Output) -> End {
    let refused = Refusals::default();
    let store = store(&engine, &ready, &call, &output, &refused);
    let run = Run { store, call: &call, stdout: &output.stdout, stderr: &output.log, refused: &refused };
    match ready.target().run(run).await {
        Ok(end) => end,
        Err(error) => Err(circumstances(&call, refused.any()).explain(&error)).into(),
    }
}

/// What is known of a run beforehand.
pub(super) fn circumstances(call: &Call, refused_memory: bool) -> Circumstances {
    Circumstances { timeout: call.timeout(), memory_bytes: call.memory_bytes(), refused_memory }
}

fn store(engine: &wasmtime::Engine, ready: &Ready, call: &Call, output: &Output, refused: &Refusals) -> Store<Host> {
    let stdin = match (ready.entrypoint(), &call.input) {
        (Entrypoint::Command, Input::Payload(payload)) => payload.clone(),
        (Entrypoint::Command, Input::Request(request)) => request.body.clone(),
        (Entrypoint::Handler | Entrypoint::Http, _) => Bytes::new(),
    };
    let streams = Stdio { stdin, stdout: output.stdout.clone(), stderr: output.log.clone() };
    let mut store = Store::new(engine, Host::new(call, streams, refused.clone()));
    store.limiter(Host::limiter);
    store.set_hostcall_fuel(bounds::MAX_GUEST_COPY_BYTES);
    store.set_max_component_handles(bounds::MAX_GUEST_HANDLES);
    let deadline = Instant::now() + call.timeout();
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |_| {
        if Instant::now() < deadline { Ok(UpdateDeadline::Yield(1)) } else { Err(TimedOut.into()) }
    });
    store
}
