//! A connection that speaks some protocol: whole lines and whole lengths out of a buffer, whole requests into the
//! socket at once. The clients that measure are written on it by hand, so that they cost as little as they can.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::cli::error::Error;

/// The longest line that is taken for one.
const MAX_LINE: usize = 64 * 1_024;
/// What is read together at least.
const CHUNK: usize = 16 * 1_024;

/// A connection.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    read: Vec<u8>,
    at: usize,
    /// What is to be sent next.
    pub(super) out: Vec<u8>,
}

impl Wire {
    pub(super) async fn connect(address: SocketAddr) -> Result<Self, Error> {
        let failed = |error| Error::Bench(format!("cannot connect to {address}: {error}"));
        let stream = TcpStream::connect(address).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?; // a request is one write, and somebody waits for its answer
        Ok(Self { stream, read: Vec::with_capacity(CHUNK), at: 0, out: Vec::new() })
    }

    /// Sends what stands in `out`.
    pub(super) async fn send(&mut self) -> Result<(), Error> {
        let sent = self.stream.write_all(&self.out).await;
        self.out.clear();
        sent.map_err(|error| lost(&error))
    }

    /// The next line, without its end.
    pub(super) async fn line(&mut self) -> Result<&[u8], Error> {
        let mut searched = 0;
        loop {
            let rest = &self.read[self.at..];
            if let Some(found) = rest[searched..].iter().position(|byte| *byte == b'\n') {
                let (from, end) = (self.at, self.at + searched + found);
                self.at = end + 1;
                return Ok(self.read[from..end].strip_suffix(b"\r").unwrap_or(&self.read[from..end]));
            }
            searched = rest.len();
            if searched > MAX_LINE {
                return Err(Error::Bench("a line has no end".to_owned()));
            }
            self.fill().await?;
        }
    }

    /// The next line, as text.
    pub(super) async fn text(&mut self) -> Result<String, Error> {
        Ok(String::from_utf8_lossy(self.line().await?).into_owned())
    }

    /// The next so many bytes.
    pub(super) async fn bytes(&mut self, count: usize) -> Result<&[u8], Error> {
        while self.read.len() - self.at < count {
            self.fill().await?;
        }
        self.at += count;
        Ok(&self.read[self.at - count..self.at])
    }

    async fn fill(&mut self) -> Result<(), Error> {
        if self.at > 0 {
            self.read.drain(..self.at);
            self.at = 0;
        }
        self.read.reserve(CHUNK);
        match self.stream.read_buf(&mut self.read).await {
            Ok(0) => Err(lost(&"it was closed")),
            Ok(_) => Ok(()),
            Err(error) => Err(lost(&error)),
        }
    }
}

fn lost(cause: &dyn std::fmt::Display) -> Error {
    Error::Bench(format!("the connection was lost: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn lines_and_lengths_are_read_however_they_arrive() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut wire = Wire::connect(listener.local_addr().unwrap()).await.unwrap();
        let (mut peer, _) = listener.accept().await.unwrap();
        let sending = async {
            for piece in ["on", "e\r", "\ntwo\nab", "c\r\n", "three\r\n"] {
                peer.write_all(piece.as_bytes()).await.unwrap();
                tokio::task::yield_now().await;
            }
            drop(peer);
        };
        let reading = async {
            assert_eq!(wire.text().await.unwrap(), "one");
            assert_eq!(wire.line().await.unwrap(), b"two");
            assert_eq!(wire.bytes(5).await.unwrap(), b"abc\r\n");
            assert_eq!(wire.line().await.unwrap(), b"three");
            assert!(wire.line().await.unwrap_err().to_string().contains("it was closed"));
        };
        futures::join!(sending, reading);
    }
}
