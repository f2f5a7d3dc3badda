//! One that asks: the same request over one connection that is kept, time after time, and each answer is compared with
//! the one that it should be, so that nothing is measured that is wrong. It reads whole lengths and chunks, for some of
//! those that are measured beside ours send chunks.

use std::net::SocketAddr;

use bytes::Bytes;

use crate::cli::bench::load::{Client, Work};
use crate::cli::bench::wire::Wire;
use crate::cli::error::Error;

/// What is asked, and what is to be answered.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) server: SocketAddr,
    pub(super) path: String,
    pub(super) content_type: &'static str,
    pub(super) body: Bytes,
    pub(super) answer: Bytes,
}

/// A connection, and what is sent over it.
#[derive(Debug)]
pub(super) struct Asker {
    wire: Wire,
    request: Vec<u8>,
    expected: Bytes,
    /// The body of the last answer.
    body: Vec<u8>,
}

/// Characters of a wrong answer that are repeated.
const MAX_EXCERPT: usize = 300;

impl Asker {
    pub(super) async fn connect(question: &Question) -> Result<Self, Error> {
        let Question { server, path, content_type, body, answer } = question;
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {server}\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n"
        );
        let (wire, request) = (Wire::connect(*server).await?, [head.as_bytes(), body].concat());
        Ok(Self { wire, request, expected: answer.clone(), body: Vec::new() })
    }

    /// Asks, and returns the status of the answer, whatever it is.
    pub(super) async fn ask(&mut self) -> Result<u16, Error> {
        self.wire.out.extend_from_slice(&self.request);
        self.wire.send().await?;
        let status = status(self.wire.line().await?)?;
        let mut length = None;
        loop {
            match self.wire.line().await? {
                [] => break,
                line => length = length.or(told(line)?),
            }
        }
        self.body.clear();
        match length.ok_or_else(|| odd("an answer does not say its length"))? {
            Length::Whole(length) => self.body.extend_from_slice(self.wire.bytes(length).await?),
            Length::Chunks => self.chunks().await?,
        }
        Ok(status)
    }

    /// Asks, and holds the answer against the one that it should be.
    pub(super) async fn check(&mut self) -> Result<(), Error> {
        let status = self.ask().await?;
        if status == 200 && self.body == self.expected {
            return Ok(());
        }
        let excerpt = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_EXCERPT)]).into_owned();
        let (seen, expected) = (excerpt(&self.body), excerpt(&self.expected));
        Err(Error::Broken(format!("the answer is {status} `{seen}` instead of 200 `{expected}`")))
    }

    async fn chunks(&mut self) -> Result<(), Error> {
        loop {
            let line = self.wire.line().await?;
            let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
            let length = std::str::from_utf8(digits).ok().and_then(|text| usize::from_str_radix(text.trim(), 16).ok());
            match length.ok_or_else(|| odd("a chunk has no length"))? {
                0 => break,
                length => self.body.extend_from_slice(self.wire.bytes(length).await?),
            }
            self.wire.line().await?; // the end of the chunk
        }
        while !self.wire.line().await?.is_empty() {} // trailers
        Ok(())
    }
}

impl Client for Asker {
    async fn work(&mut self, _: Work) -> Result<(), Error> {
        self.check().await
    }
}

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Whole(usize),
    Chunks,
}

fn status(line: &[u8]) -> Result<u16, Error> {
    let digits = line.get(9..12).filter(|_| line.starts_with(b"HTTP/1."));
    let status = digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    status.ok_or_else(|| odd("an answer has no status"))
}

/// What a line of the head says of the body's length, if anything. Most lines are done with after one byte.
fn told(line: &[u8]) -> Result<Option<Length>, Error> {
    let value = |name: &str| {
        let (named, value) = line.split_at_checked(name.len())?;
        named.eq_ignore_ascii_case(name.as_bytes()).then(|| value.trim_ascii())
    };
    match line.first() {
        Some(b'c' | b'C') => {
            let Some(digits) = value("content-length:") else { return Ok(None) };
            let length = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
            length.map(|length| Some(Length::Whole(length))).ok_or_else(|| odd("an answer's length is no number"))
        }
        Some(b't' | b'T') => {
            let chunked = value("transfer-encoding:").is_some_and(|value| value.eq_ignore_ascii_case(b"chunked"));
            Ok(chunked.then_some(Length::Chunks))
        }
        _ => Ok(None),
    }
}

fn odd(what: &str) -> Error {
    Error::Bench(what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::{TcpListener, TcpStream};

    async fn connected(answer: &'static str) -> (Asker, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = listener.local_addr().unwrap();
        let (body, answer) = (Bytes::from_static(b"ebb"), Bytes::from_static(answer.as_bytes()));
        let question = Question { server, path: "/a".to_owned(), content_type: "text/plain", body, answer };
        let asker = Asker::connect(&question).await.unwrap();
        (asker, listener.accept().await.unwrap().0)
    }

    #[tokio::test]
    async fn answers_are_read_by_their_length_or_in_chunks_one_after_the_other() {
        let (mut asker, mut peer) = connected("flood").await;
        let whole = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nx: y\r\n\r\nflood";
        let chunks =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nfl\r\n3;a=b\r\nood\r\n0\r\nt: u\r\n\r\n";
        peer.write_all([whole, chunks, whole].concat().as_bytes()).await.unwrap();
        for _ in 0..3 {
            asker.check().await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_wrong_answer_is_told_with_the_right_one() {
        let (mut asker, mut peer) = connected("flood").await;
        let wrong = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nblood";
        let refused = "HTTP/1.1 429 Too Many Requests\r\ncontent-length: 5\r\n\r\nflood";
        peer.write_all([wrong, refused].concat().as_bytes()).await.unwrap();
        let told = asker.check().await.unwrap_err().to_string();
        assert_eq!(told, "the answer is 200 `blood` instead of 200 `flood`");
        assert!(asker.check().await.unwrap_err().to_string().contains("is 429 `flood`"));
    }

    #[test]
    fn a_head_that_says_nothing_of_a_length_is_not_taken_for_one_that_does() {
        assert_eq!(told(b"Content-Type: 5").unwrap(), None);
        assert_eq!(told(b"c").unwrap(), None);
        assert_eq!(told(b"CONTENT-LENGTH:7").unwrap(), Some(Length::Whole(7)));
        assert!(told(b"content-length: seven").is_err() && status(b"HTTP/1.1").is_err());
    }
}
