//! Counts what the committer does, for whoever asks how the store is.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::store::Vitals;

/// Counts since the store was opened.
#[derive(Debug, Default)]
pub(super) struct Tally {
    commits: AtomicU64,
    gathered: AtomicU64,
    writes: AtomicU64,
    syncs: AtomicU64,
    commit_us: AtomicU64,
    buckets: [AtomicU64; 12],
}

impl Tally {
    /// A gathering of so many groups went to the disk.
    pub(super) fn wrote(&self, groups: usize) {
        if groups > 0 {
            self.gathered.fetch_add(groups as u64, Ordering::Relaxed);
            self.writes.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn synced(&self) {
        self.syncs.fetch_add(1, Ordering::Relaxed);
    }

    /// A commit was carried out, so long after it was handed over.
    pub(super) fn committed(&self, after: Duration) {
        let ms = after.as_secs_f64() * 1_000.0;
        let bucket = Vitals::COMMIT_BOUNDS_MS.iter().position(|bound| ms <= *bound);
        self.buckets[bucket.unwrap_or(Vitals::COMMIT_BOUNDS_MS.len())].fetch_add(1, Ordering::Relaxed);
        self.commit_us.fetch_add(u64::try_from(after.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.commits.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn fill(&self, vitals: &mut Vitals) {
        let read = |number: &AtomicU64| number.load(Ordering::Relaxed);
        vitals.commits = read(&self.commits);
        vitals.gathered = read(&self.gathered);
        vitals.writes = read(&self.writes);
        vitals.syncs = read(&self.syncs);
        vitals.commit_time = Duration::from_micros(read(&self.commit_us));
        vitals.commit_buckets = self.buckets.each_ref().map(read);
    }
}
