//! The one thread that writes the index: takes what was committed, window by window, and with it how far it has
//! come; then lets go of the parts of the journal that nothing needs any more.
//!
//! The index never runs ahead of what is durable in the journal.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::time::Instant;

use super::collector::Collector;
use super::committer::Hand;
use super::index_writer::{self, IndexWriter};
use super::state::Sealed;
use super::view::View;
use crate::store::journal::{Position, Pressure, Segments};
use crate::store::sled::IndexError;
use crate::store::{Durability, background};

/// How long a change stands in memory at most before it is applied: nothing but memory and the time to open depends
/// on it, and the longer it is the more comes and goes without reaching the index.
const WINDOW: Duration = Duration::from_secs(1);
/// The same where much of it has settled and is likely to be removed before long.
const LONG_WINDOW: Duration = Duration::from_secs(5);
/// Between two tries after the index failed.
const PAUSE: Duration = Duration::from_secs(1);

/// The thread. Dropping this applies what is left and ends it.
#[derive(Debug)]
pub(super) struct Applier {
    view: View,
    thread: Option<JoinHandle<()>>,
}

/// What runs on the thread.
struct Applying {
    view: View,
    segments: Segments,
    writer: IndexWriter,
    collector: Collector,
    /// Wakes the committer.
    hand: Hand,
}

/// What is to be done next.
enum Next {
    Window(Arc<Sealed>),
    /// Nothing has come, and room is short.
    MakeRoom,
    End,
}

impl Applier {
    pub(super) fn start(view: View, segments: Segments, writer: IndexWriter, hand: Hand) -> io::Result<Self> {
        let mut applying = Applying { view: view.clone(), segments, writer, collector: Collector::default(), hand };
        // What stands in memory is not counted as needed yet, so no further than the index has come.
        if let Ok(applied) = index_writer::applied(&view.index) {
            applying.release(applied);
        }
        let thread = thread::Builder::new().name("store-apply".to_owned()).spawn(move || applying.run())?;
        Ok(Self { view, thread: Some(thread) })
    }
}

impl Drop for Applier {
    fn drop(&mut self) {
        self.view.shared.lock().closing = true;
        self.view.shared.tell();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that writes the index has panicked");
        }
    }
}

impl Applying {
    fn run(mut self) {
        background::stand_back();
        loop {
            match self.next() {
                Next::Window(sealed) if !self.is_applied(&sealed) => return,
                Next::Window(sealed) => self.done(&sealed),
                Next::MakeRoom => (),
                Next::End => return,
            }
            if !self.view.shared.lock().closing {
                self.collector.collect(&self.view, &self.segments, &self.writer.needed, &self.hand);
            }
        }
    }

    /// Writes a window into the index. `false` at the end, when it was not.
    fn is_applied(&mut self, sealed: &Sealed) -> bool {
        if !self.wait_until_durable(sealed.window.end) {
            return false;
        }
        let mut tries = 0;
        while let Err(error) = self.writer.apply(sealed) {
            tries += 1;
            if self.gives_up(&error, tries) {
                return false;
            }
        }
        true
    }

    /// Waits for a window to be worth applying, and takes it; or for nothing to come while there is no room.
    fn next(&self) -> Next {
        let shared = &self.view.shared;
        let since = Instant::now();
        let mut state = shared.lock();
        while !state.closing && !state.current.fills(1) {
            let pressure = self.segments.pressure();
            let is_short = pressure != Pressure::None;
            if is_short && state.current.fills_little_room() {
                break;
            }
            let window = if state.current.is_worth_keeping() && !is_short { LONG_WINDOW } else { WINDOW };
            let patience = window.saturating_sub(since.elapsed());
            if patience.is_zero() && !state.current.is_empty() {
                break;
            }
            // Nothing may be written any more, and so nothing come, before something is given back.
            if patience.is_zero() && pressure == Pressure::Full {
                return Next::MakeRoom;
            }
            state = shared.wait(state, patience.clamp(Duration::from_millis(50), WINDOW));
        }
        if state.current.is_empty() {
            return Next::End;
        }
        let sealed = Arc::new(state.seal());
        state.applying = Some(Arc::clone(&sealed));
        shared.tell();
        Next::Window(sealed)
    }

    /// The committer syncs when somebody asks for it; here is somebody. Returns whether it came to that: a committer
    /// that has ended without syncing failed, and the index must not run ahead of what the disk holds.
    fn wait_until_durable(&self, end: Position) -> bool {
        let mut state = self.view.shared.lock();
        while state.synced < end && !state.closing {
            state.awaited = Some(end);
            drop(state);
            drop(self.hand.submit(Vec::new(), Durability::Synced));
            state = self.view.shared.wait(self.view.shared.lock(), Duration::from_millis(20));
        }
        state.synced >= end
    }

    /// The window is in the index: it need not stand in memory, nor the journal before it be replayed.
    fn done(&mut self, sealed: &Arc<Sealed>) {
        let shared = &self.view.shared;
        let mut state = shared.lock();
        let before = state.applied.replace(Arc::clone(sealed));
        state.applying = None;
        state.stuck = None;
        drop(state);
        shared.tell();
        // Nobody else has it any more, but for a reader that has not looked up yet.
        let spare = before.and_then(Arc::into_inner).and_then(|before| before.window.emptied()); // which takes a while
        shared.lock().spare = spare;
        self.release(sealed.window.end);
    }

    /// Lets go of segments before `applied`, up to where the index has come, that no row points to.
    fn release(&mut self, applied: Position) {
        for (segment, _) in self.segments.list() {
            if segment < applied.segment && self.writer.needed.get(&segment).is_none_or(|bytes| *bytes == 0) {
                self.writer.needed.remove(&segment);
                self.segments.release(segment);
            }
        }
    }

    /// Says why the index takes nothing, waits and opens it again. Returns whether there is no use in that any more.
    fn gives_up(&mut self, error: &IndexError, tries: u32) -> bool {
        let shared = &self.view.shared;
        if tries == 1 {
            tracing::error!(%error, "the index could not be written; what was committed is safe in the journal");
        }
        let mut state = shared.lock();
        state.stuck = Some(error.to_string());
        shared.tell();
        let until = Instant::now() + PAUSE;
        while Instant::now() < until {
            if state.closing {
                return true; // the next start applies it
            }
            state = shared.wait(state, PAUSE);
        }
        drop(state);
        if self.writer.has_room()
            && let Err(error) = self.view.index.reopen()
        {
            tracing::error!(%error, "the index could not be opened again; trying again");
        }
        false
    }
}
