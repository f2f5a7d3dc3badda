//! From a module's bytes to something ready to run: from the disk, or by compiling.
//!
//! Compiling what somebody sent may take all the time and memory there is, and leaves the compiler slower than it was. So
//! a server has it done by a child process with limits (`child`), as many at once as there are cores; what the child does
//! is in `apart`, and is the same where no such process is to be had.

mod apart;
mod child;
mod draft;
mod under_way;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

pub use apart::{Compiled, Told, compile};
pub(super) use draft::Draft;
use under_way::UnderWay;

use super::build::CodeId;
use super::code::Mapped;
use super::disk::Disk;
use super::engines::{Engines, Made};
use super::entrypoint::Target;
use super::guests::cores;
use super::ready::{Key, Ready};
use super::refused::{LoadError, Refused};
use super::settings::CompilerProgram;
use super::{imports, scan, trap};
use crate::model::entrypoint::{Entrypoint, Wanted};

/// Compiles, at most one module for each core at once. Cheap to clone.
#[derive(Clone)]
pub(super) struct Compiler(Arc<Parts>);

struct Parts {
    engines: Arc<Engines>,
    disk: Option<Disk>,
    program: Option<CompilerProgram>,
    compiling: Arc<Semaphore>,
    compiled: AtomicU64,
    under_way: UnderWay,
}

impl Compiler {
    pub(super) fn new(engines: Arc<Engines>, disk: Option<Disk>, program: Option<CompilerProgram>) -> Self {
        let (compiling, compiled) = (Arc::new(Semaphore::new(cores())), AtomicU64::new(0));
        Self(Arc::new(Parts { engines, disk, program, compiling, compiled, under_way: UnderWay::default() }))
    }

    /// The module from the disk, if its code is there. One that is there was not refused when it was deployed.
    pub(super) async fn recall(&self, id: CodeId, entrypoint: Entrypoint) -> Option<Ready> {
        self.0.disk.as_ref()?;
        let recalled = self.blocking(move |parts| parts.recall(id, Some(&Wanted::Entrypoint(entrypoint))).transpose());
        recalled.await.ok()?
    }

    /// The module, compiled unless its code is on the disk. Dropping the future ends the compilation.
    pub(super) async fn prepare(&self, id: CodeId, module: Bytes, wanted: Option<Wanted>) -> Result<Ready, Refused> {
        let _permit = self.0.compiling.acquire().await.map_err(|closed| failed(&closed))?;
        self.prepared(id, module, wanted).await
    }

    /// The module, compiled from what `module` gives unless its code is on the disk. When the future is dropped the
    /// compilation goes on, and whoever asks next waits for the same one. `keep` is given what comes of it.
    pub(super) async fn see_through(
        &self,
        key: Key,
        module: impl Future<Output = Result<Bytes, String>>,
        keep: impl FnOnce(&Key, &Ready) + Send + 'static,
    ) -> Result<Ready, LoadError> {
        let awaited = if let Some(awaited) = self.0.under_way.find(&key) {
            awaited
        } else {
            let module = module.await.map_err(LoadError::Module)?;
            // Before the task begins: whoever goes away while waiting leaves nothing behind, so there are no more under way
            // than may compile at once.
            let permit = Arc::clone(&self.0.compiling).acquire_owned().await.map_err(|closed| failed(&closed))?;
            let (compiler, kept) = (self.clone(), key.clone());
            let work = async move {
                let _permit = permit;
                let wanted = Wanted::Entrypoint(kept.1.clone());
                let ready = compiler.prepared(kept.0, module, Some(wanted)).await?;
                keep(&kept, &ready);
                Ok(ready)
            };
            self.0.under_way.begin(key, work)
        };
        let stopped = |_| Refused::Failed { detail: "the runtime was stopped while it compiled".to_owned() };
        Ok(awaited.await.map_err(stopped)??)
    }

    /// Ends the compilations that go on by themselves.
    pub(super) async fn stop(&self) {
        self.0.under_way.stop().await;
    }

    async fn prepared(&self, id: CodeId, module: Bytes, wanted: Option<Wanted>) -> Result<Ready, Refused> {
        let asked = wanted.clone();
        if let Some(ready) = self.blocking(move |parts| parts.recall(id, asked.as_ref()).transpose()).await? {
            return Ok(ready);
        }
        let looked_at = module.clone();
        self.blocking(move |parts| parts.look_at(id, &looked_at)).await?;
        let draft = self.compile(id, module).await?;
        self.0.compiled.fetch_add(1, Ordering::Relaxed);
        self.blocking(move |parts| parts.take(id, draft, wanted.as_ref())).await
    }

    /// How many modules were compiled, and not found, since the start.
    pub(super) fn compiled(&self) -> u64 {
        self.0.compiled.load(Ordering::Relaxed)
    }

    /// How many engines there are.
    #[cfg(test)]
    pub(super) fn engines_made(&self) -> usize {
        self.0.engines.count()
    }

    async fn compile(&self, id: CodeId, module: Bytes) -> Result<Draft, Refused> {
        let draft = self.blocking(|parts| Draft::new(parts.disk.as_ref()).map_err(|error| unwritten(&error))).await?;
        if let Some(program) = &self.0.program {
            child::compile(program, id.build, module, draft.file()).await?;
            return Ok(draft);
        }
        self.blocking(move |_| {
            let compiled = compile(&module, id.build)?;
            compiled.write_to(&mut draft.file()).map_err(|error| unwritten(&error))?;
            Ok(draft)
        })
        .await
    }

    /// Runs `work` on a thread that may take its time.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Parts) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        let parts = Arc::clone(&self.0);
        spawn_blocking(move || work(&parts)).await.unwrap_or_else(|panicked| Err(failed(&panicked)))
    }
}

impl Parts {
    fn recall(&self, id: CodeId, wanted: Option<&Wanted>) -> Option<Result<Ready, Refused>> {
        let made = match self.engine(id) {
            Ok(made) => made,
            Err(refused) => return Some(Err(refused)),
        };
        let code = self.disk.as_ref()?.load(&made.wasmtime, id)?;
        Some(choose(made, &code, wanted))
    }

    /// What can be refused before anything is compiled.
    fn look_at(&self, id: CodeId, module: &[u8]) -> Result<(), Refused> {
        let outline = scan::outline(module)?;
        let made = self.engine(id)?;
        imports::refuse_unknown(&made.linkers, &made.wasmtime, &outline)
    }

    /// Maps what was compiled, and keeps it if it can be run.
    fn take(&self, id: CodeId, draft: Draft, wanted: Option<&Wanted>) -> Result<Ready, Refused> {
        let made = self.engine(id)?;
        let code = Mapped::map(&made.wasmtime, &draft.path()).map_err(|error| unmapped(&error))?;
        let ready = choose(made, &code, wanted)?;
        if let (Some(disk), Draft::File(file)) = (&self.disk, draft) {
            disk.keep(&made.wasmtime, id, file);
        }
        Ok(ready)
    }

    /// The engine that runs such code, made now where it is the first.
    fn engine(&self, id: CodeId) -> Result<&Arc<Made>, Refused> {
        if !self.engines.offers(id.build.flavor) {
            return Err(Refused::Experimental);
        }
        self.engines.get(id.build.flavor).map_err(|error| failed(&error))
    }
}

fn choose(made: &Arc<Made>, mapped: &Mapped, wanted: Option<&Wanted>) -> Result<Ready, Refused> {
    Ok(Ready::new(Arc::clone(made), Target::choose(&made.linkers, &mapped.code, wanted)?, mapped.bytes))
}

/// The compiler could not do its part: no fault of the module's, as far as one can tell.
fn failed(error: &dyn std::fmt::Display) -> Refused {
    tracing::error!(%error, "a module could not be compiled");
    Refused::Failed { detail: format!("the compiler failed: {error}") }
}

/// Its code could not be written, or the compiler not be asked for it.
fn unwritten(error: &io::Error) -> Refused {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Refused::NoRoom { detail: error.to_string() },
        _ => failed(error),
    }
}

/// Its code, which is as it should be, could not be mapped.
fn unmapped(error: &wasmtime::Error) -> Refused {
    match trap::of_the_system(error) {
        Some(_) => failed(&trap::told(error)),
        None => Refused::Unsupported { detail: trap::told(error) },
    }
}
