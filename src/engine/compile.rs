//! From a module's bytes to something ready to run: from the disk, or by compiling, off the async threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::code::Code;
use super::disk::Disk;
use super::entrypoint::Target;
use super::guests::cores;
use super::host::Linkers;
use super::ready::Ready;
use super::refused::Refused;
use super::{imports, scan};
use crate::model::entrypoint::{Entrypoint, Wanted};
use crate::model::names::Digest;

/// Compiles, at most one module for each core at once. Cheap to clone.
#[derive(Clone)]
pub(super) struct Compiler(Arc<Parts>);

struct Parts {
    wasmtime: wasmtime::Engine,
    linkers: Linkers,
    disk: Option<Disk>,
    compiling: Arc<Semaphore>,
    compiled: AtomicU64,
}

impl Compiler {
    pub(super) fn new(wasmtime: wasmtime::Engine, linkers: Linkers, disk: Option<Disk>) -> Self {
        let compiling = Arc::new(Semaphore::new(cores()));
        Self(Arc::new(Parts { wasmtime, linkers, disk, compiling, compiled: AtomicU64::new(0) }))
    }

    /// The module from the disk, if its code is there. One that is there was not refused when it was deployed.
    pub(super) async fn recall(&self, digest: Digest, entrypoint: Entrypoint) -> Option<Ready> {
        let parts = Arc::clone(&self.0);
        parts.disk.as_ref()?;
        spawn_blocking(move || {
            let code = parts.recall(digest)?;
            Target::choose(&parts.linkers, &code, Some(&Wanted::Entrypoint(entrypoint))).ok().map(Ready::new)
        })
        .await
        .ok()?
    }

    /// The module, compiled unless its code is on the disk.
    ///
    /// A compilation goes on when the future is dropped, and still counts as one; its code is found on the disk then.
    pub(super) async fn prepare(
        &self,
        digest: Digest,
        module: Bytes,
        wanted: Option<Wanted>,
    ) -> Result<Ready, Refused> {
        let parts = Arc::clone(&self.0);
        let failed = |what: String| Refused::Unsupported { detail: format!("the compiler failed: {what}") };
        let permit = Arc::clone(&parts.compiling).acquire_owned().await.map_err(|closed| failed(closed.to_string()))?;
        let work = spawn_blocking(move || {
            let _permit = permit;
            parts.prepare(digest, &module, wanted.as_ref())
        });
        work.await.unwrap_or_else(|panicked| Err(failed(panicked.to_string())))
    }

    /// How many modules were compiled, and not found, since the start.
    pub(super) fn compiled(&self) -> u64 {
        self.0.compiled.load(Ordering::Relaxed)
    }
}

impl Parts {
    fn recall(&self, digest: Digest) -> Option<Code> {
        self.disk.as_ref()?.load(&self.wasmtime, digest)
    }

    fn prepare(&self, digest: Digest, module: &[u8], wanted: Option<&Wanted>) -> Result<Ready, Refused> {
        if let Some(code) = self.recall(digest) {
            return Target::choose(&self.linkers, &code, wanted).map(Ready::new);
        }
        imports::refuse_unknown(&self.linkers, &self.wasmtime, &scan::outline(module)?)?;
        let code = Code::compile(&self.wasmtime, module)?;
        self.compiled.fetch_add(1, Ordering::Relaxed);
        let target = Target::choose(&self.linkers, &code, wanted)?;
        if let Some(disk) = &self.disk {
            disk.save(digest, &code);
        }
        Ok(Ready::new(target))
    }
}
