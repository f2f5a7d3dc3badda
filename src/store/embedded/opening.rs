//! Opening a store: what is there, whether it belongs together, and what the index has not seen yet.

use std::path::Path;
use std::sync::Arc;

use tokio::time::Instant;

use super::applier::Applier;
use super::committer::Committer;
use super::index_writer::{IndexWriter, Opened};
use super::layout::Layout;
use super::modules::Modules;
use super::op;
use super::state::Shared;
use super::view::View;
use super::vitals::Tally;
use super::{EmbeddedStore, Readable, Settings};
use crate::model::bounds;
use crate::store::StoreError;
use crate::store::journal::{self, Disk as _, FileSystem, Group, Journal, JournalError, Known, Position};
use crate::store::sled::{Changes, Index, IndexError};

/// Opens a store, or creates one.
pub(super) fn open(data_dir: &Path, settings: &Settings) -> Result<EmbeddedStore, StoreError> {
    let mut layout = Layout::open(data_dir)?;
    let index = Index::open(&layout.index(), settings.cache_bytes, layout.is_whole());
    let index = Arc::new(index.map_err(|error| layout.refused(error.to_string()))?);
    let unread = |error: IndexError| layout.refused(error.to_string());
    let mut opened = Opened::read(&index).map_err(unread)?;
    opened.fold_deleted(&index).map_err(unread)?;
    let Opened { applied, applying, newest, counts, needed } = opened;
    // A window is written into the index once it is durable in the journal, and a segment is given away once the index
    // points to nothing in it.
    let known = Known { applied, reached: applying, needed: needed.keys().copied().collect() };

    let dir = data_dir.to_owned();
    let mut replay = Replay {
        shared: Shared::new(applied.unwrap_or(Position::START), newest, counts),
        writer: IndexWriter {
            index: Arc::clone(&index),
            needed,
            min_free_bytes: 0, // what was begun before is ended, also where the disk is nearly full
            free_bytes: Box::new(move || FileSystem.free_bytes(&dir).unwrap_or(u64::MAX)),
            changes: Changes::default(),
        },
        applying,
    };
    let started = Instant::now();
    let of_journal = journal::Settings {
        segment_bytes: settings.segment_bytes,
        reserve: bounds::RESERVE_SEGMENTS,
        max_bytes: settings.max_journal_bytes,
        min_free_bytes: settings.min_free_bytes,
    };
    let journal = Journal::open(&layout.journal(), Arc::new(FileSystem), of_journal, &known, &mut |end, group| {
        replay.take_in(end, group)
    });
    let journal = journal.map_err(|error| layout.refused(with_advice(&error)))?;
    let replay_time = started.elapsed();
    if !layout.is_whole() {
        layout.complete().map_err(|error| layout.refused(error.to_string()))?;
    }
    let modules = Modules::open(layout.modules()).map_err(|error| layout.refused(error.to_string()))?;
    start(layout, index, journal, replay, modules, settings.min_free_bytes / 4, replay_time)
}

/// Why the journal was refused, and what there is to do besides.
fn with_advice(error: &JournalError) -> String {
    match error {
        JournalError::Damaged { .. } | JournalError::Beyond { .. } | JournalError::Missing { .. } => format!(
            "{error}. `tidemill store check` tells all that is wrong, and `tidemill store repair` saves what is left"
        ),
        _ => error.to_string(),
    }
}

fn start(
    layout: Layout,
    index: Arc<Index>,
    journal: Journal,
    replay: Replay,
    modules: Modules,
    min_free_bytes: u64,
    replay_time: std::time::Duration,
) -> Result<EmbeddedStore, StoreError> {
    let failed = |error: std::io::Error| layout.refused(error.to_string());
    let Replay { shared, writer, .. } = replay;
    let writer = IndexWriter { min_free_bytes, ..writer };
    shared.lock().synced = journal.synced();
    let view = View { shared: Arc::new(shared), index, reader: journal.reader() };
    // A version that cannot be read may need any of them.
    if let Ok(needed) = view.modules() {
        modules.keep_only(&needed).map_err(failed)?;
    }
    let (segments, tally) = (journal.segments(), Arc::new(Tally::default()));
    let committer = Committer::start(journal, view.clone(), Arc::clone(&tally)).map_err(failed)?;
    let applier = Applier::start(view.clone(), segments.clone(), writer, committer.hand()).map_err(failed)?;
    let shared = Arc::new(Readable { view, modules, _lock: layout.into_lock() });
    Ok(EmbeddedStore { committer, _applier: applier, segments, tally, replay_time, shared })
}

/// Takes in what the index has not seen.
struct Replay {
    shared: Shared,
    writer: IndexWriter,
    /// The end of the window that was being written into the index: it is written again as it was.
    applying: Option<Position>,
}

impl Replay {
    fn take_in(&mut self, end: Position, group: Group<'_>) -> Result<(), JournalError> {
        let refused = |detail: &str| JournalError::Refused { end, detail: detail.to_owned() };
        let mut state = self.shared.lock();
        for frame in group.frames() {
            let ops = op::read_all(frame.bytes())
                .ok_or_else(|| refused("it holds something that this program does not write"))?;
            state.take_in(ops, end);
        }
        // Before the end of the window that was cut short nothing else may be written.
        let whole = match self.applying {
            Some(applying) => end >= applying,
            None => state.current.fills(1),
        };
        if !whole {
            return Ok(());
        }
        self.applying = None;
        let sealed = state.seal();
        drop(state);
        self.writer.apply(&sealed).map_err(|error| refused(&error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::care::{Repair, check, repair};
    use super::super::index_writer::{APPLYING, applied};
    use super::*;
    use crate::model::names::{Digest, FunctionId, InvocationId};
    use crate::model::time::Timestamp;
    use crate::store::{Change, Durability, IdempotencyKey, KeyUse, Store};

    /// A store with something in it, whose index says that it was being written up to a place behind the journal.
    async fn ahead_of_its_journal(data: &Path) {
        let store = EmbeddedStore::open(data).unwrap();
        let digest = Digest::from_bytes([3; 32]);
        let key = IdempotencyKey { function: FunctionId::from_bytes([1; 16]), digest };
        let used = KeyUse { id: InvocationId::from_bytes([1; 16]), request: digest, until: Timestamp::from_ms(9) };
        let group = crate::store::Group(vec![Change::PutKey(key, used)]);
        store.commit(group, Durability::Synced).await.unwrap();
        drop(store);
        let index = Index::open(&data.join("index"), bounds::STORE_CACHE_BYTES, true).unwrap();
        let (mark, behind) = (applied(&index).unwrap(), Position { segment: 99, offset: 512 });
        index
            .apply(&Changes::default(), &mark.to_bytes(), &[(APPLYING.to_vec(), Some(behind.to_bytes().to_vec()))])
            .unwrap();
    }

    #[test]
    fn an_index_that_is_ahead_of_the_journal_is_refused_and_repaired_from_the_journal() {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        tokio::runtime::Runtime::new().unwrap().block_on(ahead_of_its_journal(&data));
        let names =
            || fs::read_dir(data.join("journal")).unwrap().map(|it| it.unwrap().file_name()).collect::<Vec<_>>();
        let before = names();
        for _ in 0..2 {
            let refused = EmbeddedStore::open(&data).unwrap_err().to_string();
            for part in ["offset 512 of segment 99", "its end is missing", "store check", "store repair"] {
                assert!(refused.contains(part), "{part}: {refused}");
            }
        }
        assert_eq!(names(), before);
        assert!(check(&data, &mut |_| ()).unwrap().findings > 0);
        let repaired = repair(&data, false, &mut |_| (), &mut |_| ()).unwrap();
        assert!(matches!(repaired, Repair::WouldLose(1)), "{repaired:?}");
        repair(&data, true, &mut |_| (), &mut |_| ()).unwrap();
        assert_eq!(check(&data, &mut |_| ()).unwrap().findings, 0);
        EmbeddedStore::open(&data).unwrap();
    }
}
