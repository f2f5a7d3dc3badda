//! NATS JetStream, in NATS's text protocol: a publish that waits for its acknowledgement, and for a cycle a pull of one
//! message, the publish of an outcome to a second stream, and an acknowledgement that is itself acknowledged. The last
//! two are not atomic together.

use std::net::SocketAddr;

use bytes::Bytes;
use serde_json::{Value, json};

use super::{OUTCOME, odd, parsed};
use crate::cli::bench::load::{Client, Work};
use crate::cli::bench::wire::Wire;
use crate::cli::error::Error;

/// Outcomes that are kept.
const KEPT: u64 = 20_000;
/// How long a pull waits for a message, in nanoseconds.
const PULL_NS: u64 = 30_000_000_000;

/// One connection, with an inbox of its own.
pub(super) struct Nats {
    wire: Wire,
    payload: Bytes,
    work: Work,
    inbox: String,
}

/// A message that came.
struct Message {
    reply: Option<String>,
    body: Bytes,
    /// It says something about a request instead of being what was asked for.
    is_status: bool,
}

impl Nats {
    /// Makes the streams and the consumer anew.
    pub(super) async fn prepare(server: SocketAddr, work: Work) -> Result<(), Error> {
        let mut nats = Self::connect(server, work, &Bytes::new()).await?;
        let name = work.as_str();
        let stream = |name: &str, retention: &str, most: i64| {
            json!({
                "name": name, "subjects": [name], "storage": "file", "retention": retention,
                "max_msgs": most, "discard": "old", "num_replicas": 1,
            })
        };
        let kept = i64::try_from(KEPT).unwrap_or(i64::MAX);
        for (name, config) in [(name, stream(name, "workqueue", -1)), ("outcomes", stream("outcomes", "limits", kept))]
        {
            nats.ask(&format!("$JS.API.STREAM.DELETE.{name}"), b"").await?; // it need not be there
            nats.ordered(&format!("$JS.API.STREAM.CREATE.{name}"), &config).await?;
        }
        let consumer = json!({
            "stream_name": name,
            "config": { "durable_name": "c", "ack_policy": "explicit", "max_ack_pending": 10_000, "filter_subject": name },
        });
        nats.ordered(&format!("$JS.API.CONSUMER.DURABLE.CREATE.{name}.c"), &consumer).await
    }

    pub(super) async fn connect(server: SocketAddr, work: Work, payload: &Bytes) -> Result<Self, Error> {
        let mut wire = Wire::connect(server).await?;
        let inbox = format!("_INBOX.{}", uuid::Uuid::new_v4().simple());
        wire.out.extend(format!("CONNECT {{\"verbose\":false,\"headers\":true}}\r\nSUB {inbox} 1\r\nPING\r\n").bytes());
        wire.send().await?;
        while wire.line().await? != b"PONG" {}
        Ok(Self { wire, payload: payload.clone(), work, inbox })
    }

    /// Sends a request for a change, and checks that it was made.
    async fn ordered(&mut self, subject: &str, body: &Value) -> Result<(), Error> {
        let answer = self.ask(subject, body.to_string().as_bytes()).await?;
        let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if said.get("error").is_some() { Err(odd("nats", &said.to_string())) } else { Ok(()) }
    }

    /// Publishes to a stream, and returns when that has it.
    async fn publish(&mut self, subject: &str, body: &[u8]) -> Result<(), Error> {
        let answer = self.ask(subject, body).await?;
        let has_it = !answer.is_status && answer.body.windows(6).any(|part| part == b"\"seq\":");
        if has_it { Ok(()) } else { Err(odd("nats", &String::from_utf8_lossy(&answer.body))) }
    }

    async fn ask(&mut self, subject: &str, body: &[u8]) -> Result<Message, Error> {
        self.wire.out.extend(format!("PUB {subject} {} {}\r\n", self.inbox, body.len()).bytes());
        self.wire.out.extend_from_slice(body);
        self.wire.out.extend_from_slice(b"\r\n");
        self.wire.send().await?;
        self.message().await
    }

    /// The next message; what else the server says is answered or passed over.
    async fn message(&mut self) -> Result<Message, Error> {
        loop {
            let line = self.wire.text().await?;
            let words: Vec<_> = line.split(' ').collect();
            let (reply, head, total) = match words[..] {
                ["MSG", _, _, total] => (None, "0", total),
                ["MSG", _, _, reply, total] => (Some(reply.to_owned()), "0", total),
                ["HMSG", _, _, head, total] => (None, head, total),
                ["HMSG", _, _, reply, head, total] => (Some(reply.to_owned()), head, total),
                ["PING"] => {
                    self.wire.out.extend_from_slice(b"PONG\r\n");
                    self.wire.send().await?;
                    continue;
                }
                ["PONG"] | ["INFO", ..] => continue,
                _ => return Err(odd("nats", &line)),
            };
            let (head, total): (usize, usize) = (parsed("nats", head)?, parsed("nats", total)?);
            let bytes = self.wire.bytes(total + 2).await?;
            let is_status = bytes[..head].starts_with(b"NATS/1.0 ");
            return Ok(Message { reply, body: Bytes::copy_from_slice(&bytes[head..total]), is_status });
        }
    }
}

impl Client for Nats {
    async fn work(&mut self, work: Work) -> Result<(), Error> {
        let (subject, payload) = (self.work.as_str(), self.payload.clone());
        self.publish(subject, &payload).await?;
        if work == Work::Enqueue {
            return Ok(());
        }
        let pull = json!({"batch": 1, "expires": PULL_NS}).to_string();
        let pulled = self.ask(&format!("$JS.API.CONSUMER.MSG.NEXT.{subject}.c"), pull.as_bytes()).await?;
        let Some(acknowledge) = pulled.reply.filter(|_| !pulled.is_status) else {
            return Err(odd("nats", "a pull without a message"));
        };
        self.publish("outcomes", &OUTCOME).await?;
        self.ask(&acknowledge, b"+ACK").await.map(drop)
    }
}
