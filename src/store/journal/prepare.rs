//! The thread that prepares segments, so that the writer never waits for more than one write and one sync: it
//! writes new files full of zeros, gives released ones a new number, and removes what is too much. What is to be
//! done, `pool` decides.
//!
//! A file is really written before it is used: a sync of bytes that were only allocated has to change the file
//! system's own records as well, and takes several times as long.
//!
//! Every step is durable before the next begins. So a segment has its header before it has its name, and a
//! released one has lost its name before its header is written over.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::store::background;

use super::disk::DiskFile;
use super::format;
use super::names::Name;
use super::pool::{Ready, Step};
use super::shared::Shared;

/// Bytes of one write of zeros. The kernel keeps a file in pieces as it was written, and whoever writes and syncs a few
/// sectors later pays for the pieces that they lie in.
const PIECE: usize = 16 * 1_024;
/// Bytes that are written between two syncs: the writer's own syncs wait while the disk takes them.
const SYNC_EVERY: usize = 1_024 * 1_024;
/// After so long without a change, segments that were kept for many writes are given back.
const REST: Duration = Duration::from_secs(60);

/// The thread. Dropping this ends it after the step that it is at.
#[derive(Debug)]
pub(super) struct Prepare {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What runs on the thread. Dropping it tells those who wait that nothing will come.
struct Preparer {
    shared: Arc<Shared>,
}

/// What a step gave.
#[derive(Default)]
struct Gain {
    ready: Option<Ready>,
    /// Bytes that the disk has got back.
    freed: u64,
}

/// Why a step was not carried out.
struct Failure {
    reason: String,
    freed: u64,
}

impl Prepare {
    pub(super) fn start(shared: &Arc<Shared>) -> io::Result<Self> {
        let preparer = Preparer { shared: Arc::clone(shared) };
        let thread = thread::Builder::new().name("journal-prepare".to_owned()).spawn(move || preparer.run())?;
        Ok(Self { shared: Arc::clone(shared), thread: Some(thread) })
    }
}

impl Drop for Prepare {
    fn drop(&mut self) {
        self.shared.pool().stop();
        self.shared.changed.notify_all();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that prepares the journal's segments has panicked");
        }
    }
}

impl Drop for Preparer {
    fn drop(&mut self) {
        self.shared.pool().end();
        self.shared.changed.notify_all();
    }
}

impl Preparer {
    fn run(self) {
        background::stand_back();
        loop {
            let step = self.next_step();
            if step == Step::Stop {
                return;
            }
            match self.carry_out(step) {
                Ok(gain) => {
                    if self.shared.pool().done(step, gain.ready, gain.freed) {
                        tracing::info!("segments of the journal can be prepared again");
                    }
                }
                Err(Failure { reason, freed }) => {
                    let news = self.shared.pool().failed(step, reason.clone(), freed);
                    if news {
                        tracing::warn!(%reason, "a segment of the journal could not be prepared or given away; what was accepted is kept");
                    }
                }
            }
            self.shared.changed.notify_all();
        }
    }

    /// Waits until there is something to do.
    fn next_step(&self) -> Step {
        let mut pool = self.shared.pool();
        loop {
            let step = pool.next_step();
            if step != Step::Wait {
                return step;
            }
            self.shared.changed.notify_all();
            let (waited, has_rested) = self.shared.wait_for(pool, REST);
            pool = waited;
            if has_rested {
                pool.rested();
            }
        }
    }

    fn carry_out(&self, step: Step) -> Result<Gain, Failure> {
        let segment_bytes = u64::from(self.shared.settings.segment_bytes);
        match step {
            Step::Number { spare, number } => self.number(spare, number).map_err(|error| {
                let freed = self.discard(&[Name::Spare(spare), Name::Segment(number)]);
                Failure {
                    reason: format!("numbering a segment: {error}"),
                    freed: if freed { segment_bytes } else { 0 },
                }
            }),
            Step::Recycle { segment, keep } => self.recycle(segment, keep),
            Step::Make(number) => self.make(number).map_err(|reason| {
                self.discard(&[Name::Unfinished(number), Name::Spare(number)]);
                Failure { reason, freed: 0 }
            }),
            Step::Remove(spare) => self.remove(Name::Spare(spare)),
            Step::Wait | Step::Stop => Ok(Gain::default()),
        }
    }

    fn number(&self, spare: u32, number: u32) -> io::Result<Gain> {
        let Shared { dir, disk, settings, .. } = &*self.shared;
        let path = Name::Spare(spare).path(dir);
        let file = disk.open(&path)?;
        write_all(&*file, &format::segment_header(number, settings.segment_bytes), 0)?;
        file.sync()?;
        disk.rename(&path, &Name::Segment(number).path(dir))?;
        disk.sync_dir(dir)?;
        Ok(Gain { ready: Some(Ready { number, file }), freed: 0 })
    }

    fn make(&self, number: u32) -> Result<Gain, String> {
        let Shared { dir, disk, settings, .. } = &*self.shared;
        let free = disk.free_bytes(dir).map_err(|error| format!("asking for free bytes: {error}"))?;
        // What must be left for others leaves something for the reserve, by which room is made.
        let is_of_reserve = self.shared.pool().prepared() < settings.reserve;
        let left_free = if is_of_reserve { settings.min_free_bytes / 2 } else { settings.min_free_bytes };
        let least = left_free.saturating_add(u64::from(settings.segment_bytes));
        if free < least {
            return Err(format!("the file system has {free} bytes free, and {least} are needed for another segment"));
        }
        let path = Name::Unfinished(number).path(dir);
        self.fill(&path).map_err(|error| format!("writing a new segment: {error}"))?;
        disk.rename(&path, &Name::Spare(number).path(dir))
            .and_then(|()| disk.sync_dir(dir))
            .map_err(|error| format!("naming a new segment: {error}"))?;
        Ok(Gain::default())
    }

    fn fill(&self, path: &Path) -> io::Result<()> {
        let file = self.shared.disk.create(path)?;
        let end = self.shared.settings.segment_bytes as usize;
        let zeros = vec![0; PIECE.min(end)];
        let mut written = 0;
        while written < end {
            let piece = &zeros[..zeros.len().min(end - written)];
            write_all(&*file, piece, written as u64)?;
            written += piece.len();
            if written.is_multiple_of(SYNC_EVERY) {
                file.sync()?;
            }
        }
        file.sync()
    }

    fn recycle(&self, segment: u32, keep: bool) -> Result<Gain, Failure> {
        let Shared { dir, disk, settings, .. } = &*self.shared;
        let failure = |error: io::Error| Failure { reason: format!("recycling a segment: {error}"), freed: 0 };
        let path = Name::Segment(segment).path(dir);
        let bytes = disk.open(&path).and_then(|file| file.bytes()).map_err(failure)?;
        if !keep || bytes != u64::from(settings.segment_bytes) {
            return self.remove(Name::Segment(segment));
        }
        let spare = Name::Spare(segment);
        disk.rename(&path, &spare.path(dir)).and_then(|()| disk.sync_dir(dir)).map_err(|error| {
            // Whether it has lost its name is not certain, so nothing may be written to it.
            let freed = if self.discard(&[spare]) { bytes } else { 0 };
            Failure { freed, ..failure(error) }
        })?;
        Ok(Gain::default())
    }

    /// Not durable: what comes back is found when the journal is opened.
    fn remove(&self, name: Name) -> Result<Gain, Failure> {
        let failure = |error: io::Error| Failure { reason: format!("removing a segment: {error}"), freed: 0 };
        let path = name.path(&self.shared.dir);
        let bytes = self.shared.disk.open(&path).and_then(|file| file.bytes()).map_err(failure)?;
        self.shared.disk.remove(&path).map_err(failure)?;
        Ok(Gain { ready: None, freed: bytes })
    }

    /// Takes away what a failed step left. Says whether something was there.
    fn discard(&self, names: &[Name]) -> bool {
        names.iter().filter(|name| self.shared.disk.remove(&name.path(&self.shared.dir)).is_ok()).count() > 0
    }
}

/// Writes all of it. What is prepared is nobody's yet, so a short write may simply go on.
fn write_all(file: &dyn DiskFile, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = file.write_at(bytes, offset)?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = &bytes[written..];
        offset += written as u64;
    }
    Ok(())
}
