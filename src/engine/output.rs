//! What a guest writes: caught in memory, up to a bound, past which a log is cut and a result is an error.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError};

use crate::model::outcome::Failure;
use crate::model::secret::Entrusted;

/// The guest wrote more than a result may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the result is larger than {0} bytes")]
pub(super) struct TooLarge(pub(super) usize);

/// Something a guest writes to. Cheap to clone; all clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Capture {
    written: Arc<Mutex<Written>>,
    bound: usize,
    past_it: Past,
    /// What gives way in what is shown. A result is shown to nobody.
    secrets: Entrusted,
}

/// What happens past the bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Past {
    /// The rest is dropped, and the guest does not notice.
    Cut,
    /// The guest is stopped.
    Stop,
}

#[derive(Debug, Default)]
struct Written {
    bytes: Vec<u8>,
    dropped: u64,
    /// Those that get what is written, where this is what several runs write to at once.
    readers: Option<Vec<Capture>>,
}

/// How much a guest may hand over at once.
const CHUNK_BYTES: usize = 64 * 1_024;

impl Capture {
    /// A log: cut at so many bytes, without the secrets that it may hold.
    pub(super) fn log(bound: usize, secrets: Entrusted) -> Self {
        Self::new(bound, Past::Cut, secrets)
    }

    /// A result: a guest that writes more than so many bytes is stopped with [`TooLarge`].
    pub(super) fn result(bound: usize) -> Self {
        Self::new(bound, Past::Stop, Entrusted::default())
    }

    /// What several runs write to that are in one instance: each of their logs gets all of it, since nobody can tell who
    /// wrote it. What is written while there is none is dropped.
    pub(super) fn shared(secrets: Entrusted) -> Self {
        let capture = Self::new(0, Past::Cut, secrets);
        capture.written().readers = Some(Vec::new());
        capture
    }

    /// Has a log get what is written here from now on.
    pub(super) fn reaches(&self, log: &Self) {
        self.written().readers.get_or_insert_default().push(log.clone());
    }

    /// Has it get no more.
    pub(super) fn leaves(&self, log: &Self) {
        if let Some(readers) = &mut self.written().readers {
            readers.retain(|reader| !reader.is_same(log));
        }
    }

    fn new(bound: usize, past_it: Past, secrets: Entrusted) -> Self {
        Self { written: Arc::default(), bound, past_it, secrets }
    }

    /// Takes what was written so far, and says on a last line how much was dropped.
    pub(super) fn take(&self) -> Bytes {
        let Written { bytes, dropped, .. } = std::mem::take(&mut *self.written());
        let mut bytes = self.secrets.redacted(bytes, dropped > 0);
        if dropped > 0 {
            bytes.extend_from_slice(format!("\n({dropped} more bytes were written and dropped)\n").as_bytes());
        }
        bytes.into()
    }

    /// Whether more was written than there is room for, by a guest that was told so and went on.
    pub(super) fn overflown(&self) -> Result<(), TooLarge> {
        if self.past_it == Past::Stop && self.written().dropped > 0 { Err(TooLarge(self.bound)) } else { Ok(()) }
    }

    /// A failure, whose message may tell what was written, without the secrets in it.
    pub(super) fn shown(&self, failure: Failure) -> Failure {
        failure.with_message(|message, is_cut| self.secrets.redacted_text(message, is_cut))
    }

    /// Whether both catch the same output.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.written, &other.written)
    }

    /// Adds the end of what `other` caught, up to this one's bound.
    pub(super) fn append_end_of(&self, other: &Self) {
        // Both without secrets before either is cut: the end of one must not stand there for itself.
        let written = self.secrets.redacted(other.take().into(), true);
        let end = &written[written.len().saturating_sub(self.bound)..];
        if !end.is_empty() {
            let mut own = self.written();
            let (caught, is_cut) = (std::mem::take(&mut own.bytes), own.dropped > 0);
            own.bytes = self.secrets.redacted(caught, is_cut);
            own.bytes.extend_from_slice(b"\n(stdout of the failed command:)\n");
            own.bytes.extend_from_slice(end);
        }
    }

    /// The last line that is not blank, without what is around it.
    pub(super) fn last_line(&self) -> Option<String> {
        let written = self.written();
        let shown = self.secrets.redacted(written.bytes.clone(), written.dropped > 0);
        let text = String::from_utf8_lossy(&shown);
        text.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
    }

    /// Adds a line to a log, on a line of its own.
    pub(super) fn note(&self, line: &str) {
        let begun = self.written().bytes.last().is_some_and(|last| *last != b'\n');
        let line = format!("{}{line}\n", if begun { "\n" } else { "" });
        let _ = self.push(line.as_bytes()); // a log is cut, and nobody minds
    }

    fn push(&self, bytes: &[u8]) -> Result<(), TooLarge> {
        let mut written = self.written();
        if let Some(readers) = &written.readers {
            return readers.iter().try_for_each(|reader| reader.push(bytes));
        }
        let room = self.bound.saturating_sub(written.bytes.len());
        let fits = &bytes[..bytes.len().min(room)];
        written.bytes.extend_from_slice(fits);
        let rest = bytes.len() - fits.len();
        written.dropped += u64::try_from(rest).unwrap_or(u64::MAX);
        if rest > 0 && self.past_it == Past::Stop { Err(TooLarge(self.bound)) } else { Ok(()) }
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IsTerminal for Capture {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Capture {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Capture {
    async fn ready(&mut self) {}
}

impl OutputStream for Capture {
    fn write(&mut self, bytes: Bytes) -> Result<(), StreamError> {
        self.push(&bytes).map_err(|too_large| StreamError::Trap(too_large.into()))
    }

    fn flush(&mut self) -> Result<(), StreamError> {
        Ok(())
    }

    fn check_write(&mut self) -> Result<usize, StreamError> {
        Ok(CHUNK_BYTES)
    }
}

impl AsyncWrite for Capture {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Poll::Ready(self.push(bytes).map(|()| bytes.len()).map_err(std::io::Error::other))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::bounds;
    use crate::model::secret::Entrust;

    fn log() -> Capture {
        Capture::log(bounds::MAX_LOG_BYTES, Entrusted::default())
    }

    fn result() -> Capture {
        Capture::result(bounds::MAX_RESULT_BYTES)
    }

    #[test]
    fn a_log_is_cut_at_its_bound_and_says_by_how_much() {
        let mut log = log();
        for _ in 0..3 {
            log.write(Bytes::from(vec![b'x'; bounds::MAX_LOG_BYTES / 2])).unwrap();
        }
        let text = String::from_utf8(log.take().into()).unwrap();
        assert!(text.starts_with(&"x".repeat(bounds::MAX_LOG_BYTES)));
        assert_eq!(text.lines().last(), Some("(32768 more bytes were written and dropped)"));
    }

    #[test]
    fn a_result_past_its_bound_stops_the_guest() {
        let mut result = result();
        result.write(Bytes::from(vec![0; bounds::MAX_RESULT_BYTES])).unwrap();
        let Err(StreamError::Trap(error)) = result.write(Bytes::from_static(b"1")) else { panic!("no trap") };
        assert_eq!(error.downcast_ref(), Some(&TooLarge(bounds::MAX_RESULT_BYTES)));
    }

    #[test]
    fn the_end_of_another_output_can_be_added_even_to_a_full_log() {
        let (mut log, mut result) = (log(), result());
        log.write(Bytes::from(vec![b'x'; bounds::MAX_LOG_BYTES])).unwrap();
        result.write(Bytes::from_static(b"PHP Fatal error")).unwrap();
        log.append_end_of(&result);
        assert!(log.take().ends_with(b"(stdout of the failed command:)\nPHP Fatal error"));
    }

    fn entrusted(value: &str) -> Entrusted {
        let value = value.as_bytes().to_vec().try_into().unwrap();
        Entrusted::new(vec![Entrust { variable: "PASSWORD".to_owned(), name: "database".parse().unwrap(), value }])
    }

    #[test]
    fn a_secret_is_neither_in_a_log_nor_begun_where_the_log_is_cut_nor_ended_in_what_is_added() {
        let mut log = Capture::log(bounds::MAX_LOG_BYTES, entrusted("hunter2hunter3"));
        log.write(Bytes::from_static(b"it is hun")).unwrap();
        log.write(Bytes::from_static(b"ter2hunter3, ")).unwrap();
        log.write(Bytes::from(vec![b'x'; bounds::MAX_LOG_BYTES - 30])).unwrap();
        log.write(Bytes::from_static(b"hunter2hunter3")).unwrap();
        let mut result = result();
        result.write(Bytes::from_static(b"hunter2hunter3")).unwrap();
        result.write(Bytes::from(vec![b'y'; bounds::MAX_LOG_BYTES - 8])).unwrap();
        log.append_end_of(&result);
        let text = String::from_utf8(log.take().into()).unwrap();
        assert!(text.starts_with("it is [secret database], xxx"), "{}", &text[..100]);
        assert!(text.contains("xxx[secret database]\n(stdout"), "{}", &text[bounds::MAX_LOG_BYTES - 40..]);
        assert!(!text.contains("hunt") && !text.contains("ter3"));
    }

    #[test]
    fn the_last_line_is_the_last_that_is_not_blank() {
        let mut log = log();
        assert_eq!(log.last_line(), None);
        log.write(Bytes::from_static(b"one\n  two  \n\n")).unwrap();
        assert_eq!(log.last_line().as_deref(), Some("two"));
    }
}
