//! One that calls: the same request over one connection that is kept, time after time. It understands as much HTTP as
//! that takes: a status, a length, a body, when to come again, and whether the connection is to end.

use std::net::SocketAddr;
use std::str::FromStr;

use futures::future::try_join_all;

use super::load::{Client, Stop, Work, repeated};
use super::wire::Wire;
use crate::cli::error::Error;

/// Connections of [`enqueue`], each waiting for its answer: so many share a sync that the disk is not what is waited for.
const CONNECTIONS: u64 = 256;

/// A connection, and what is sent over it.
#[derive(Debug)]
pub(super) struct Caller {
    server: SocketAddr,
    /// `None` where the server has ended it.
    wire: Option<Wire>,
    request: Vec<u8>,
}

/// An answer, as far as it matters here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Bytes of head and body.
    pub(super) bytes: usize,
    /// Seconds.
    pub(super) retry_after: Option<u64>,
    /// Whether the server ends the connection; the next request gets another.
    pub(super) closes: bool,
    /// The body, unless the answer is a yes.
    pub(super) refusal: Vec<u8>,
}

impl Caller {
    /// Connects, to POST `payload` to `path` with `headers`, each with its line's end.
    pub(super) async fn connect(server: SocketAddr, path: &str, headers: &str, payload: &[u8]) -> Result<Self, Error> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {server}\r\ncontent-type: application/octet-stream\r\n\
             content-length: {length}\r\n{headers}\r\n",
            length = payload.len()
        );
        Ok(Self { server, wire: Some(Wire::connect(server).await?), request: [head.as_bytes(), payload].concat() })
    }

    /// Connects, to leave invocations of `function` with `payload` to the queue.
    pub(super) async fn enqueuing(server: SocketAddr, function: &str, payload: &[u8]) -> Result<Self, Error> {
        let path = format!("/v1/functions/{function}/invocations");
        Self::connect(server, &path, "prefer: respond-async\r\n", payload).await
    }

    /// Sends the request and reads the answer to its end.
    pub(super) async fn call(&mut self) -> Result<Answer, Error> {
        let wire = match &mut self.wire {
            Some(wire) => wire,
            ended => ended.insert(Wire::connect(self.server).await?),
        };
        wire.out.extend_from_slice(&self.request);
        wire.send().await?;
        let answer = read(wire).await?;
        if answer.closes {
            self.wire = None;
        }
        Ok(answer)
    }
}

/// Sends a request that is written out, and returns the status and the body of the answer.
pub(super) async fn exchanged(wire: &mut Wire, request: &[u8]) -> Result<(u16, Vec<u8>), Error> {
    wire.out.extend_from_slice(request);
    wire.send().await?;
    let (answer, length) = head(wire).await?;
    Ok((answer.status, wire.bytes(length).await?.to_vec()))
}

/// Reads an answer to its end.
async fn read(wire: &mut Wire) -> Result<Answer, Error> {
    let (mut answer, length) = head(wire).await?;
    let body = wire.bytes(length).await?;
    answer.bytes += length;
    if !(200..300).contains(&answer.status) {
        answer.refusal = body.to_vec();
    }
    Ok(answer)
}

/// Reads an answer up to its body, and says how long that is.
async fn head(wire: &mut Wire) -> Result<(Answer, usize), Error> {
    let line = wire.line().await?;
    let status = std::str::from_utf8(line).ok().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let status = status.ok_or_else(|| odd("an answer has no status"))?;
    let mut answer = Answer { status, bytes: line.len() + 2, ..Answer::default() };
    let mut length = None;
    loop {
        let line = wire.line().await?;
        answer.bytes += line.len() + 2;
        if line.is_empty() {
            break;
        }
        length = length.or_else(|| number(line, "content-length"));
        answer.closes |= is_close(line);
        answer.retry_after = answer.retry_after.or_else(|| number(line, "retry-after"));
    }
    let length = length.or((status == 204).then_some(0));
    Ok((answer, length.ok_or_else(|| odd("an answer does not say its length"))?))
}

impl Client for Caller {
    async fn work(&mut self, _: Work) -> Result<(), Error> {
        match self.call().await? {
            Answer { status: 202, .. } => Ok(()),
            Answer { status, refusal, .. } => {
                let why = String::from_utf8_lossy(&refusal);
                Err(odd(&format!("the server answers {status} instead of 202: {why}")))
            }
        }
    }
}

/// Leaves `count` invocations of `function` with `payload` to the queue, as quickly as the server takes them.
pub(super) async fn enqueue(server: SocketAddr, function: &str, payload: &[u8], count: u64) -> Result<(), Error> {
    let callers = (0..CONNECTIONS.min(count)).map(|_| Caller::enqueuing(server, function, payload));
    repeated(try_join_all(callers).await?, Work::Enqueue, count, &Stop::default()).await.map(drop)
}

/// The number of the header `name`, where the line is that.
fn number<T: FromStr>(line: &[u8], name: &str) -> Option<T> {
    value(line, name)?.parse().ok()
}

fn is_close(line: &[u8]) -> bool {
    value(line, "connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
}

fn value<'a>(line: &'a [u8], name: &str) -> Option<&'a str> {
    let (named, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
    named.eq_ignore_ascii_case(name).then(|| value.trim())
}

fn odd(what: &str) -> Error {
    Error::Bench(what.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    #[test]
    fn a_length_is_read_from_its_line_only() {
        let length = |line: &[u8]| number::<usize>(line, "content-length");
        assert_eq!(length(b"Content-Length: 12"), Some(12));
        assert_eq!(length(b"content-type: 12"), None);
        assert_eq!(length(b"content-length: twelve"), None);
    }

    #[tokio::test]
    async fn a_refusal_is_read_with_its_body_and_the_next_answer_after_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut caller = Caller::connect(listener.local_addr().unwrap(), "/a", "", b"x").await.unwrap();
        let (mut peer, _) = listener.accept().await.unwrap();
        let refusal = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 3\r\ncontent-length: 4\r\n\r\nfull";
        let yes = "HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}";
        peer.write_all([refusal, yes].concat().as_bytes()).await.unwrap();
        let (first, second) = (caller.call().await.unwrap(), caller.call().await.unwrap());
        assert_eq!((first.status, first.retry_after, &first.refusal[..]), (429, Some(3), &b"full"[..]));
        assert_eq!(second, Answer { status: 202, bytes: yes.len(), ..Answer::default() });
    }

    #[tokio::test]
    async fn a_connection_that_the_server_ends_is_made_anew_for_the_next_request() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut caller = Caller::connect(listener.local_addr().unwrap(), "/a", "", b"x").await.unwrap();
        for last in ["Connection: Close\r\n", ""] {
            let answering = async {
                let (mut peer, _) = listener.accept().await.unwrap();
                let answer = format!("HTTP/1.1 202 Accepted\r\n{last}content-length: 0\r\n\r\n");
                peer.write_all(answer.as_bytes()).await.unwrap();
                peer // so that it is not closed before the request is read
            };
            let (_peer, answer) = futures::join!(answering, caller.call());
            assert_eq!(answer.unwrap().closes, !last.is_empty());
        }
    }
}
