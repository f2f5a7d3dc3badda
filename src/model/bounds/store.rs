//! What may wait in the queue, and what the store holds of it in memory and on disk.

use std::num::NonZeroUsize;
use std::ops::RangeInclusive;

use super::{GIB, MIB};

// The queue: what may wait, and what of it is in memory.

/// Invocations that may wait, in all, unless told. They are on disk; memory does not grow with them.
pub const DEFAULT_MAX_QUEUED: u64 = 10_000_000;
/// Range of every limit on how many may wait.
pub const MAX_QUEUED: RangeInclusive<u64> = 1..=1_000_000_000;
/// Bytes of payloads that may wait, in all, unless told.
pub const DEFAULT_MAX_QUEUED_BYTES: u64 = 64 * GIB;
/// Range of every limit on bytes of payloads that wait.
pub const MAX_QUEUED_BYTES: RangeInclusive<u64> = 1..=1_024 * 1_024 * GIB;
/// What somebody is told to wait whose invocation was refused for want of room in the queue.
pub const QUEUE_RETRY_AFTER_S: RangeInclusive<u64> = 1..=60;
/// Range of `--time-scale`: an hour in a tenth of a second.
pub const TIME_SCALE: RangeInclusive<u32> = 1..=36_000;

/// Places in line that are in memory, of all lanes together: each costs about 300 bytes. The rest of a backlog is in
/// the store alone.
pub const MAX_PLACES: usize = 200_000;
/// Places of one lane in memory: its share of [`MAX_PLACES`], within this.
pub const LANE_PLACES: RangeInclusive<usize> = 16..=4_096;
/// Lanes of which more is being read at once.
pub const MAX_REFILLS: usize = 8;
/// Invocations that could not be worked on, because they could not be read or written, and wait for the next try. When
/// it is so many the fault is not theirs, and nothing is taken until then.
pub const MAX_ASIDE: usize = 1_024;
/// Invocations that are known to be damaged and do not count among those: each costs about 200 bytes.
pub const MAX_DAMAGED: usize = 100_000;

// The store: commits, disk, journal and index.

/// Changes and bytes that one commit takes together; the rest waits for the next.
pub const MAX_GROUP_CHANGES: usize = 1_024;
/// Bytes that one commit takes together. A single group may be larger; it then is committed alone.
pub const MAX_GROUP_BYTES: usize = 8 * 1_024 * 1_024;
/// Groups that wait for the committer; past it a commit is refused. Every caller waits for its answer, so
/// [`MAX_CONNECTIONS`](super::MAX_CONNECTIONS) and [`RUNTIME_CONCURRENCY`](super::RUNTIME_CONCURRENCY) together stay below it.
pub const MAX_WAITING_COMMITS: usize = 16_384;
/// Bytes of the groups that wait for the committer; past it a commit is refused, unless nothing else waits. They stay in
/// memory until they are written: this is some seconds of a slow disk, and a quarter of what a small machine has.
pub const MAX_WAITING_COMMIT_BYTES: usize = 256 * 1_024 * 1_024;
/// Segments that are kept ready for what must be written when the disk is full: one for what settles accepted work,
/// one that only removals may take, and one that only copies may take by which others come free.
pub const RESERVE_SEGMENTS: usize = 3;
/// Bytes that a store needs: the segment being written, those in reserve, and some that are applied or given back.
pub const MIN_DISK_BYTES: u64 = 96 * MIB;
/// Free bytes on the disk below which no new work is taken: others need some, and the index needs room to shrink in.
pub const MIN_FREE_BYTES: u64 = 256 * MIB;
/// Changes that stand in memory before they are written into the index, about 400 bytes each; twice as many while
/// those before them are being written, and then commits wait. What is settled does not count here.
pub const MAX_WINDOW_CHANGES: usize = 24_576;
/// The same with what is settled, which is worth keeping longer: retention removes it again, and what comes and goes in
/// memory is never written. Just below where the table of them would grow to twice its size.
pub const MAX_WINDOW_ENTRIES: usize = 57_000;
/// Segments of the journal that one window begins at most; twice as many while those before them are being written. None
/// of them can be used again before it is in the index, so large payloads would take gigabytes in a second otherwise.
pub const MAX_WINDOW_SEGMENTS: usize = 2;
/// The same for a window with many small invocations that have settled.
pub const MAX_LONG_WINDOW_SEGMENTS: usize = 6;
/// So many settled invocations make a window worth keeping for longer.
pub const MANY_SETTLED: usize = 4_096;
/// Memory that the embedded database uses for its pages.
pub const STORE_CACHE_BYTES: u64 = 32 * MIB;

/// Bytes of one segment of the journal: large enough that taking the next one is rare, small enough that writing
/// it in advance takes a fraction of a second.
pub const SEGMENT_BYTES: u32 = 16 * 1_024 * 1_024;
/// Segments that are prepared for a time of many writes, those kept for a full disk included.
pub const MAX_SPARE_SEGMENTS: usize = 8;
/// Segments that came free and are kept for a time of many writes, with those that are prepared: a window gives back as many
/// as it began.
pub const MAX_KEPT_SEGMENTS: usize = 16;
/// What was written to the journal last and is kept in memory: most payloads are read within a second, and this
/// is a second of some twenty thousand of the usual size.
pub const JOURNAL_TAIL_BYTES: usize = 16 * 1_024 * 1_024;
/// Files of the journal that are open for reading; each is a descriptor.
pub const MAX_OPEN_SEGMENTS: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// Steps that go on at once while the disk has no room but the reserve: each can take some 7 MB of it when it ends (a
/// result, a log, a record that goes on), and holds as much in memory until it may.
pub const MAX_STEPS_IN_RESERVE: usize = 8;
