//! What a deployment is doing, on standard error: a line that moves for a person who watches, and for a log
//! a line when a phase takes its time.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt as _};
use tokio::time::{Instant, interval};

use super::output;
use super::units;
use crate::model::time::whole_ms;

const REDRAW: Duration = Duration::from_millis(100);
/// Where nobody watches, a deployment that is done by then says nothing on the way.
const PATIENCE: Duration = Duration::from_secs(1);
const CHUNK: usize = 64 * 1_024;

/// How much of an upload is on its way. Clones count together.
#[derive(Clone, Debug)]
pub(super) struct Upload {
    total: u64,
    sent: Arc<AtomicU64>,
}

/// What is going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Upload,
    Compile,
}

impl Upload {
    pub(super) fn new(total: u64) -> Self {
        Self { total, sent: Arc::default() }
    }

    /// `body` in pieces that are counted as they are taken.
    pub(super) fn counted(
        &self,
        mut body: Bytes,
    ) -> impl Stream<Item = Result<Bytes, std::convert::Infallible>> + use<> {
        let sent = Arc::clone(&self.sent);
        let pieces = std::iter::from_fn(move || {
            let piece = body.split_to(body.len().min(CHUNK));
            (!piece.is_empty()).then_some(piece)
        });
        stream::iter(pieces).map(move |piece| {
            sent.fetch_add(piece.len() as u64, Ordering::Relaxed);
            Ok(piece)
        })
    }

    /// Waits for `request` and tells what it is doing. Returns its answer and how long it took.
    pub(super) async fn watch<T>(&self, request: impl Future<Output = T>) -> (T, Duration) {
        let start = Instant::now();
        let mut redraw = interval(REDRAW);
        let mut shown = None;
        let mut request = std::pin::pin!(request);
        loop {
            tokio::select! {
                done = &mut request => {
                    clear();
                    return (done, start.elapsed());
                }
                _ = redraw.tick() => self.show(start.elapsed(), &mut shown),
            }
        }
    }

    fn show(&self, elapsed: Duration, shown: &mut Option<Phase>) {
        let phase = self.phase();
        if output::is_watched() {
            output::status(&self.line(elapsed));
        } else if elapsed > PATIENCE && *shown != Some(phase) {
            *shown = Some(phase);
            output::note(&self.line(elapsed));
        }
    }

    fn phase(&self) -> Phase {
        if self.sent.load(Ordering::Relaxed) < self.total { Phase::Upload } else { Phase::Compile }
    }

    fn line(&self, elapsed: Duration) -> String {
        let elapsed = units::show_elapsed(whole_ms(elapsed));
        let total = units::show_size(self.total);
        match self.phase() {
            Phase::Upload => {
                let sent = units::show_size(self.sent.load(Ordering::Relaxed));
                format!("uploading: {sent} of {total}, {elapsed}")
            }
            Phase::Compile => format!("compiling {total}, {elapsed}"),
        }
    }
}

fn clear() {
    if output::is_watched() {
        output::status("");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_module_is_uploading_until_its_last_byte_is_taken_and_then_compiling() {
        let module = Bytes::from(vec![7; 2 * CHUNK + 1]);
        let upload = Upload::new(module.len() as u64);
        let mut pieces = std::pin::pin!(upload.counted(module.clone()));
        let mut taken = pieces.next().await.unwrap().unwrap().to_vec();
        assert_eq!(upload.line(Duration::from_millis(1_234)), "uploading: 64 KiB of 128.0 KiB, 1.2 s");
        while let Some(Ok(piece)) = pieces.next().await {
            taken.extend(piece);
        }
        assert_eq!(taken, module);
        assert_eq!(upload.line(Duration::from_secs(2)), "compiling 128.0 KiB, 2.0 s");
    }
}
