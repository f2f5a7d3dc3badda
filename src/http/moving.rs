//! A stream whose other end has to take what is written. A write that waits for longer than it may fails, and with it the
//! connection: whoever asks and never reads keeps neither. Nothing that is only read, or only quiet, is concerned. How little
//! a slow reader may take follows from how much the system holds of what is written (`bounds::MAX_UNSENT_BYTES`).

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::model::bounds;

/// Such a stream.
pub(super) struct Moving<S> {
    stream: S,
    /// Has the stream throw away what nobody takes, or the system would keep on trying to send it.
    give_up: fn(&S),
    /// When the write that waits has waited for too long. Made for the first that does, and kept for others.
    end: Option<Pin<Box<Sleep>>>,
    /// Whether one waits.
    waits: bool,
}

impl<S> Moving<S> {
    pub(super) const fn new(stream: S, give_up: fn(&S)) -> Self {
        Self { stream, give_up, end: None, waits: false }
    }

    /// What became of a write, if it need not wait on.
    fn written(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.waits = false; // some of it was taken: a slow reader is no silent one
            return written;
        }
        let end = Instant::now() + bounds::WRITE_TIMEOUT;
        let sleep = self.end.get_or_insert_with(|| Box::pin(sleep_until(end)));
        if !self.waits {
            self.waits = true;
            sleep.as_mut().reset(end);
        }
        ready!(sleep.as_mut().poll(context));
        (self.give_up)(&self.stream);
        let seconds = bounds::WRITE_TIMEOUT.as_secs();
        let why = format!("the other end took nothing of what was written for {seconds} s");
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, why)))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Moving<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Moving<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.written(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_write_of_which_nothing_is_taken_fails_and_a_quiet_stream_does_not() {
        let (ours, theirs) = duplex(16);
        let mut ours = Moving::new(ours, |_| ());
        ours.write_all(&[0; 16]).await.unwrap();
        sleep(2 * bounds::WRITE_TIMEOUT).await;
        let begun = Instant::now();
        assert_eq!(ours.write_all(&[0]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() >= bounds::WRITE_TIMEOUT);
        drop(theirs);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_a_little_now_and_then_gets_everything() {
        let (ours, mut theirs) = duplex(16);
        let mut ours = Moving::new(ours, |_| ());
        let read = async {
            for _ in 0..64 {
                sleep(bounds::WRITE_TIMEOUT * 9 / 10).await;
                theirs.read_u8().await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(ours.write_all(&[0; 64]), read);
        written.unwrap();
    }
}
