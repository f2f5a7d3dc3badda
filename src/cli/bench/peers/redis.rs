//! Redis, as a stream with one group of consumers: `XADD`, and for a cycle `XREADGROUP` and a `MULTI` of `XACK`, `XDEL`
//! and the outcome besides. With `appendfsync always` each of the three is answered when it is on the disk.

use std::net::SocketAddr;

use bytes::Bytes;

use super::{OUTCOME, odd, parsed};
use crate::cli::bench::load::{Client, Work};
use crate::cli::bench::wire::Wire;
use crate::cli::error::Error;

/// Outcomes that all clients together keep: the keys are used in circles.
const KEPT: usize = 20_000;
const GROUP: &str = "g";

/// One connection.
pub(super) struct Redis {
    wire: Wire,
    payload: Bytes,
    stream: &'static str,
    /// Which of all clients it is, and how many there are.
    place: (usize, usize),
    done: usize,
}

/// A value, as far as it matters here: texts in their order, however deep they lie.
type Texts = Vec<Option<Vec<u8>>>;

impl Redis {
    /// Forgets what was there and makes the stream and its group.
    pub(super) async fn prepare(server: SocketAddr, work: Work) -> Result<(), Error> {
        let mut wire = Wire::connect(server).await?;
        let stream = work.as_str();
        request(&mut wire.out, &[b"DEL", stream.as_bytes()]);
        request(&mut wire.out, &[b"XGROUP", b"CREATE", stream.as_bytes(), GROUP.as_bytes(), b"0", b"MKSTREAM"]);
        wire.send().await?;
        answer(&mut wire).await?;
        answer(&mut wire).await.map(drop)
    }

    pub(super) async fn connect(
        server: SocketAddr,
        work: Work,
        payload: &Bytes,
        place: (usize, usize),
    ) -> Result<Self, Error> {
        let wire = Wire::connect(server).await?;
        Ok(Self { wire, payload: payload.clone(), stream: work.as_str(), place, done: 0 })
    }

    /// The key of the next outcome.
    fn outcome(&mut self) -> String {
        let (client, clients) = self.place;
        self.done = (self.done + 1) % (KEPT / clients).max(1);
        format!("o:{client}:{}", self.done)
    }
}

impl Client for Redis {
    async fn work(&mut self, work: Work) -> Result<(), Error> {
        let stream = self.stream.as_bytes();
        request(&mut self.wire.out, &[b"XADD", stream, b"*", b"p", &self.payload]);
        self.wire.send().await?;
        answer(&mut self.wire).await?;
        if work == Work::Enqueue {
            return Ok(());
        }
        let group = GROUP.as_bytes();
        request(
            &mut self.wire.out,
            &[b"XREADGROUP", b"GROUP", group, b"c", b"COUNT", b"1", b"BLOCK", b"0", b"STREAMS", stream, b">"],
        );
        self.wire.send().await?;
        // [[stream, [[id, [field, payload]]]]]
        let read = answer(&mut self.wire).await?;
        let Some(Some(id)) = read.get(1) else { return Err(odd("redis", "an entry without an id")) };
        let key = self.outcome();
        let out = &mut self.wire.out;
        request(out, &[b"MULTI"]);
        request(out, &[b"XACK", stream, group, id]);
        request(out, &[b"XDEL", stream, id]);
        request(out, &[b"SET", key.as_bytes(), &OUTCOME]);
        request(out, &[b"EXEC"]);
        self.wire.send().await?;
        for _ in 0..5 {
            answer(&mut self.wire).await?;
        }
        Ok(())
    }
}

fn request(out: &mut Vec<u8>, words: &[&[u8]]) {
    out.extend(format!("*{}\r\n", words.len()).bytes());
    for word in words {
        out.extend(format!("${}\r\n", word.len()).bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

/// The next value; an error in it is an error of ours.
async fn answer(wire: &mut Wire) -> Result<Texts, Error> {
    let (mut texts, mut left) = (Texts::new(), 1_usize);
    while left > 0 {
        left -= 1;
        let line = wire.text().await?;
        let (kind, rest) = line.split_at_checked(1).ok_or_else(|| odd("redis", "an empty line"))?;
        match kind {
            "+" | ":" => texts.push(Some(rest.as_bytes().to_vec())),
            "$" | "*" if rest == "-1" => texts.push(None),
            "$" => {
                let length: usize = parsed("redis", rest)?;
                let text = wire.bytes(length + 2).await?;
                texts.push(Some(text[..length].to_vec()));
            }
            "*" => left += parsed::<usize>("redis", rest)?,
            _ => return Err(odd("redis", &line)),
        }
    }
    Ok(texts)
}
