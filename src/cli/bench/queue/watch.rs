//! Memory and disk of this process while it works: looked at again and again beside the load.

use std::path::Path;
use std::time::Duration;

use rustix::process::getpid;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::cli::bench::load::{Stop, as_f64};
use crate::cli::bench::trend::slope;
use crate::cli::bench::{memory, usage};
use crate::cli::error::Error;

/// How often it looks.
const EVERY: Duration = Duration::from_millis(500);
/// Room that is left on the disk for everybody else: below it the load is stopped.
const MIN_FREE_BYTES: u64 = 4 << 30;

/// What was seen at one instant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) at: Duration,
    pub(super) rss_bytes: u64,
    pub(super) disk_bytes: u64,
}

/// What was seen over time.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) samples: Vec<Sample>,
    /// What came to its end before the load did, where something did: the time or the disk.
    pub(super) cut_short_by: Option<&'static str>,
}

/// Looks until `work` is done, and stops it by `stop` when it takes too long or the disk is nearly full.
pub(super) async fn beside<T>(
    folder: &Path,
    stop: &Stop,
    at_most: Duration,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<(T, Seen), Error> {
    let work = async {
        let done = work.await;
        stop.stop();
        done
    };
    let (done, seen) = futures::join!(work, watch(folder, stop, at_most));
    Ok((done?, seen))
}

async fn watch(folder: &Path, stop: &Stop, at_most: Duration) -> Seen {
    let (began, mut seen) = (Instant::now(), Seen::default());
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !stop.is_stopped() {
        ticks.tick().await;
        seen.samples.push(sample(folder, began.elapsed()).await);
        let disk_is_full = usage::free_bytes(folder) < MIN_FREE_BYTES;
        if !stop.is_stopped() && (disk_is_full || began.elapsed() > at_most) {
            seen.cut_short_by = Some(if disk_is_full { "disk" } else { "time" });
            stop.stop();
        }
    }
    seen
}

/// What there is now.
pub(super) async fn sample(folder: &Path, at: Duration) -> Sample {
    let rss_bytes = memory::resident(Some(getpid())).await.unwrap_or_default();
    Sample { at, rss_bytes, disk_bytes: usage::disk_bytes(folder) }
}

impl Seen {
    pub(super) fn max(&self, of: impl Fn(&Sample) -> u64) -> u64 {
        self.samples.iter().map(of).max().unwrap_or_default()
    }

    /// How much memory grows in a second, over the last half: the slope of the line that fits best.
    pub(super) fn rss_slope(&self) -> f64 {
        let half = &self.samples[self.samples.len() / 2..];
        let points = half.iter().map(|sample| (sample.at.as_secs_f64(), as_f64(sample.rss_bytes)));
        slope(&points.collect::<Vec<_>>())
    }
}
