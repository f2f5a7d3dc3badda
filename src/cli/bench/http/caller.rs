//! One that calls: the same request over one connection that is kept, time after time. It understands as much HTTP as
//! that takes: a status, a length, a body.

use std::net::SocketAddr;

use crate::cli::bench::load::{Client, Work};
use crate::cli::bench::wire::Wire;
use crate::cli::error::Error;

/// What a path answers to the request.
#[derive(Debug)]
pub(super) struct Caller {
    wire: Wire,
    request: Vec<u8>,
}

/// An answer, as far as it matters here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Bytes of head and body.
    pub(super) bytes: usize,
}

impl Caller {
    /// Connects, to POST `payload` to `path` with `headers`, each with its line's end.
    pub(super) async fn connect(server: SocketAddr, path: &str, headers: &str, payload: &[u8]) -> Result<Self, Error> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {server}\r\ncontent-type: application/octet-stream\r\n\
             content-length: {length}\r\n{headers}\r\n",
            length = payload.len()
        );
        Ok(Self { wire: Wire::connect(server).await?, request: [head.as_bytes(), payload].concat() })
    }

    /// Sends the request and reads the answer to its end.
    pub(super) async fn call(&mut self) -> Result<Answer, Error> {
        self.wire.out.extend_from_slice(&self.request);
        self.wire.send().await?;
        let line = self.wire.line().await?;
        let status = std::str::from_utf8(line).ok().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let status = status.ok_or_else(|| odd("an answer has no status"))?;
        let (mut bytes, mut length) = (line.len() + 2, None);
        loop {
            let line = self.wire.line().await?;
            bytes += line.len() + 2;
            if line.is_empty() {
                break;
            }
            length = length.or(content_length(line));
        }
        let length = length.ok_or_else(|| odd("an answer does not say its length"))?;
        self.wire.bytes(length).await?;
        Ok(Answer { status, bytes: bytes + length })
    }
}

impl Client for Caller {
    async fn work(&mut self, _: Work) -> Result<(), Error> {
        match self.call().await? {
            Answer { status: 202, .. } => Ok(()),
            Answer { status, .. } => Err(odd(&format!("the server answers {status} instead of 202"))),
        }
    }
}

fn content_length(line: &[u8]) -> Option<usize> {
    let (name, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
    name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
}

fn odd(what: &str) -> Error {
    Error::Bench(what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_read_from_its_line_only() {
        assert_eq!(content_length(b"Content-Length: 12"), Some(12));
        assert_eq!(content_length(b"content-type: 12"), None);
        assert_eq!(content_length(b"content-length: twelve"), None);
    }
}
