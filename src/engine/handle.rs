//! The engine as others hold it: deploy, load, run, stop.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::build::CodeId;
use super::call::{Call, Ran};
use super::compile::Compiler;
use super::disk::Disk;
use super::engines::Engines;
use super::entrypoint::End;
use super::epoch::Ticker;
use super::front::Front;
use super::guests::{Guests, Lost};
use super::host::{Outward, RefusedDirectory};
use super::meter::{Meter, Withheld};
use super::ready::{Ready, Shelf};
use super::refused::{LoadError, Refused};
use super::rest::{self, Alive, Of};
use super::run::{Ended, Output, Watch, circumstances, run};
use super::settings::{EngineError, Settings};
use super::shared::{self, Answer, Asked};
use crate::model::entrypoint::{Entrypoint, Wanted};
use crate::model::grant::Grants;
use crate::model::outcome::{Failure, FailureKind};

/// Compiles modules and runs guests. Cheap to clone; all clones are the same engine.
///
/// When the last clone goes, guests that still run are stopped and the engine's threads end.
#[derive(Clone)]
pub struct Engine(Arc<Parts>);

/// Dropped in this order: the ticker goes on until the guests it reminds are gone.
struct Parts {
    guests: Guests,
    ticker: Ticker,
    engines: Arc<Engines>,
    compiler: Compiler,
    shelf: Arc<Shelf>,
    outward: Arc<Outward>,
}

impl Engine {
    /// Starts an engine and its threads. Runs begin on those of the runtime that it is called from, where it can.
    pub fn start(settings: &Settings) -> Result<Self, EngineError> {
        let outward = Arc::new(Outward::open(&settings.reach)?);
        let engines = Arc::new(Engines::start(settings)?);
        let disk = settings
            .cache_dir
            .as_deref()
            .map(|dir| Disk::open(dir).map_err(|source| EngineError::CacheDir { path: dir.to_owned(), source }));
        let compiler = Compiler::new(Arc::clone(&engines), disk.transpose()?, settings.compiler.clone());
        let shelf = Arc::new(Shelf::new(settings.loaded_code_bytes));
        let front = Arc::new(Front::here());
        let guests = Guests::start(Arc::clone(&front)).map_err(EngineError::Threads)?;
        let all = Arc::clone(&engines);
        let tick = move || {
            all.tick();
            front.tick();
        };
        let ticker = Ticker::start(tick).map_err(EngineError::Threads)?;
        Ok(Self(Arc::new(Parts { guests, ticker, engines, compiler, shelf, outward })))
    }

    /// Deploys: says what in the module is called, and has it ready to run; or says why it cannot be run.
    ///
    /// `code` is the module's digest, and how it is compiled. Compiles for up to minutes, away from the async threads;
    /// dropping the future ends the compilation.
    pub async fn inspect(
        &self,
        code: impl Into<CodeId>,
        module: Bytes,
        wanted: Option<Wanted>,
    ) -> Result<Entrypoint, Refused> {
        let code = code.into();
        let ready = self.0.compiler.prepare(code, module, wanted).await?;
        let entrypoint = ready.entrypoint();
        self.0.shelf.put(&(code, entrypoint.clone()), &ready);
        Ok(entrypoint)
    }

    /// Whether there is all that `grants` name of this machine, and may be granted.
    pub async fn admit(&self, grants: &Grants) -> Result<(), RefusedDirectory> {
        if grants.directories.is_empty() {
            return Ok(());
        }
        let (outward, directories) = (Arc::clone(&self.0.outward), grants.directories.clone());
        let checked = spawn_blocking(move || outward.roots.check(&directories)).await;
        checked.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    /// A module that is ready to run: from memory, from the disk, or compiled from what `module` gives. Of those who
    /// ask for one at once, one loads it. Dropping the future does not end the compilation.
    pub async fn load<F>(&self, code: impl Into<CodeId>, entrypoint: &Entrypoint, module: F) -> Result<Ready, LoadError>
    where
        F: Future<Output = Result<Bytes, String>> + Send,
    {
        let code = code.into();
        let Parts { compiler, shelf, .. } = &*self.0;
        // Boxed: a load is rare, and its large future would be part of that of every run.
        let load = || {
            Box::pin(async {
                if let Some(ready) = compiler.recall(code, entrypoint.clone()).await {
                    return Ok(ready);
                }
                // Put there by whoever compiles it: perhaps nobody waits for it any more.
                let (key, place) = ((code, entrypoint.clone()), Arc::clone(shelf));
                compiler.see_through(key, module, move |key, ready| place.put(key, ready)).await
            })
        };
        shelf.get((code, entrypoint.clone()), load).await
    }

    /// Runs a guest, in a fresh instance unless its version has instances used again and one is at rest. Its misbehaviour is a
    /// failure in the answer, and the answer comes in time also where the guest itself ends a few milliseconds later.
    ///
    /// Dropping the future stops the guest. Not for use where tokio's time is paused: guests live in real time.
    pub async fn run(&self, ready: &Ready, call: Call) -> Ran {
        if shared::may_share(ready, &call) {
            return Box::pin(self.run_shared(ready, call)).await;
        }
        let (timeout, known) = (call.timeout(), circumstances(&call, Withheld::default()));
        let before = ready.engine().resting.take(ready, &call);
        let (watch, input_bytes) = (self.watch(ready, &call, before.as_ref()), call.input.bytes().len());
        let again = call.version.reuse.map(|_| call.clone());
        let Ended { end, alive, core_dump } =
            match tokio::time::timeout(timeout, self.begin(ready, call, watch.clone(), before)).await {
                Ok(Ok(ended)) => ended,
                Ok(Err(lost)) => End::from(Err(nothing(lost))).into(),
                Err(_elapsed) => End::from(Err(known.timed_out())).into(),
            };
        let ran = watch.ran(end, core_dump, input_bytes);
        // Only now: what it has written is taken, and the next run writes to the same place.
        if let (Some(alive), Some(call)) = (alive, again) {
            self.lay_to_rest(alive, ready, &call);
        }
        ran
    }

    /// Runs a guest in an instance that may serve others at the same time.
    async fn run_shared(&self, ready: &Ready, call: Call) -> Ran {
        let (until, known) = (Instant::now() + call.timeout(), circumstances(&call, Withheld::default()));
        let (watch, input_bytes) = (self.watch(ready, &call, None), call.input.bytes().len());
        let Watch { output, meter, .. } = &watch;
        let ticking = self.0.ticker.ticking();
        let asked = Asked { call, log: output.log.clone(), meter: meter.clone(), until, ticking };
        let ended = match tokio::time::timeout_at(until, self.served(ready, asked)).await {
            Ok(Some(ended)) => ended,
            Ok(None) if self.0.guests.are_stopped() => End::from(Err(interrupted())).into(),
            Ok(None) => End::from(Err(broken())).into(),
            Err(_elapsed) => End::from(Err(known.timed_out())).into(),
        };
        watch.ran(ended.end, ended.core_dump, input_bytes)
    }

    /// Has an instance serve what is asked, another one where it ended before it had begun; `None` where the runtime is stopped,
    /// or has failed.
    async fn served(&self, ready: &Ready, mut asked: Asked) -> Option<Ended> {
        let Parts { guests, outward, .. } = &*self.0;
        loop {
            let (ask, answer) = shared::ask(asked);
            if let Some(opened) = ready.engine().sharing.give(ready, ask, &ready.engine().resting) {
                let serving = shared::serve(opened, Arc::clone(outward), guests.turn(), guests.aside());
                guests.spawn(serving);
            }
            match answer.await? {
                Answer::Ended(ended) => return Some(*ended),
                Answer::Again(again) => asked = *again,
            }
        }
    }

    fn watch(&self, ready: &Ready, call: &Call, before: Option<&Alive>) -> Watch {
        let output = before.map_or_else(|| Output::of(ready, call), |alive| alive.output.clone());
        Watch { output, turn: self.0.guests.turn(), meter: Meter::begin() }
    }

    fn lay_to_rest(&self, alive: Alive, ready: &Ready, call: &Call) {
        let engine = ready.engine();
        if engine.resting.put(alive, Of::call(ready, call)) {
            self.0.guests.aside().run(rest::tend(engine));
        }
    }

    /// Sets a guest going, with the epoch moving for as long as it runs.
    fn begin(
        &self,
        ready: &Ready,
        call: Call,
        watch: Watch,
        before: Option<Alive>,
    ) -> impl Future<Output = Result<Ended, Lost>> + use<'_> {
        let Parts { guests, ticker, outward, .. } = &*self.0;
        let turn = may_begin_in_front(ready, &call).then(|| watch.turn.clone());
        let (ticking, outward, ready) = (ticker.ticking(), Arc::clone(outward), ready.clone());
        let work = async move {
            let _ticking = ticking;
            run(ready, call, watch, before, &outward).await
        };
        guests.run(work, turn)
    }

    /// Stops all guests and their threads; runs that have not ended are answered as interrupted.
    pub async fn stop(&self) {
        tokio::join!(self.0.guests.stop(), self.0.compiler.stop());
        self.0.engines.rouse();
    }

    /// How many modules were compiled, and not found in a cache, since the start.
    pub fn compiled(&self) -> u64 {
        self.0.compiler.compiled()
    }
}

#[cfg(test)]
impl Engine {
    /// How many guests run, those included that have been told to stop.
    pub(super) fn guests_running(&self) -> usize {
        self.guests_tracker().len()
    }

    /// How many engines of wasmtime there are.
    pub(super) fn engines_made(&self) -> usize {
        self.0.compiler.engines_made()
    }

    /// How many modules are in memory, and their bytes.
    pub(super) fn loaded(&self) -> (usize, u64) {
        self.0.shelf.size()
    }

    /// A run that nobody watches from outside: what holds it to its time is the epoch alone.
    pub(super) async fn run_unwatched(&self, ready: &Ready, call: Call) -> Ran {
        let (watch, input_bytes) = (self.watch(ready, &call, None), call.input.bytes().len());
        let Ended { end, core_dump, .. } = self.begin(ready, call, watch.clone(), None).await.unwrap();
        watch.ran(end, core_dump, input_bytes)
    }

    /// Where runs begin.
    pub(super) fn front(&self) -> &Front {
        self.0.guests.front()
    }

    /// Outlives the engine.
    pub(super) fn guests_tracker(&self) -> tokio_util::task::TaskTracker {
        self.0.guests.running()
    }
}

impl Drop for Parts {
    /// Instances that rest hold their engine, which holds them: without this neither would ever go.
    fn drop(&mut self) {
        self.engines.rouse();
    }
}

fn interrupted() -> Failure {
    Failure::retry(FailureKind::Interrupted, "the runtime was stopped while the function ran")
}

/// The most that a run may bring and begin in front: copying more takes longer than changing the thread.
const MOST_IN_FRONT: usize = 64 * 1_024;

/// Whether a run is expected to be done at once: its function was, the last time, and nothing large is to be written or read.
pub(super) fn may_begin_in_front(ready: &Ready, call: &Call) -> bool {
    !ready.is_long() && !call.version.core_dump && call.input.bytes().len() <= MOST_IN_FRONT
}

/// What is told where nothing came of a run: our fault, not the guest's; or the engine was stopped.
fn nothing(lost: Lost) -> Failure {
    let Lost::Panicked(panic) = lost else { return interrupted() };
    tracing::error!(panic, "the engine failed while it ran a function");
    broken()
}

fn broken() -> Failure {
    Failure::retry(FailureKind::Interrupted, "the runtime failed while it ran the function; its log says how")
}
