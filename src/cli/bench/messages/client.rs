//! One client: a connection that is kept, and the requests of its case one after the other.

use std::net::SocketAddr;

use serde::Deserialize;

use super::super::caller::exchanged;
use super::super::load::{Client, Work};
use super::super::wire::Wire;
use crate::cli::error::Error;

/// What the queue and the stream are called.
pub(super) const NAME: &str = "bench";

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Appends a record to the stream.
    Append,
    /// Sends a message, receives one, and deletes that.
    Cycle,
    /// Sends a message.
    Send,
}

impl Kind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Append => "stream append",
            Self::Cycle => "send, receive, delete",
            Self::Send => "send",
        }
    }
}

/// A client.
pub(super) struct Messenger {
    server: SocketAddr,
    wire: Wire,
    kind: Kind,
    /// The request that sends or appends, whole.
    first: Vec<u8>,
}

#[derive(Deserialize)]
struct Received {
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    receipt: String,
}

impl Messenger {
    /// Connects; messages are of so many letters.
    pub(super) async fn connect(server: SocketAddr, kind: Kind, payload: usize) -> Result<Self, Error> {
        let data = "x".repeat(payload);
        let (path, body) = match kind {
            Kind::Append => (format!("/v1/streams/{NAME}/records"), format!(r#"{{"records":[{{"data":"{data}"}}]}}"#)),
            Kind::Cycle | Kind::Send => (format!("/v1/queues/{NAME}/messages"), format!(r#"{{"body":"{data}"}}"#)),
        };
        let first = request(server, "POST", &path, &body);
        Ok(Self { server, wire: Wire::connect(server).await?, kind, first })
    }

    /// What is answered to a request; anything but a yes ends the bench.
    async fn asked(&mut self, request: &[u8]) -> Result<Vec<u8>, Error> {
        let (status, body) = exchanged(&mut self.wire, request).await?;
        if (200..300).contains(&status) {
            return Ok(body);
        }
        Err(Error::Bench(format!("the server answers {status}: {}", String::from_utf8_lossy(&body))))
    }
}

impl Client for Messenger {
    async fn work(&mut self, _: Work) -> Result<(), Error> {
        let first = std::mem::take(&mut self.first);
        let sent = self.asked(&first).await;
        self.first = first;
        sent?;
        if self.kind != Kind::Cycle {
            return Ok(());
        }
        let receive = request(self.server, "POST", &format!("/v1/queues/{NAME}/receive?wait_s=20"), "");
        let received: Received = serde_json::from_slice(&self.asked(&receive).await?)
            .map_err(|error| Error::Bench(format!("what was received cannot be read: {error}")))?;
        for Message { receipt } in received.messages {
            let delete = request(self.server, "DELETE", &format!("/v1/queues/{NAME}/messages/{receipt}"), "");
            self.asked(&delete).await?;
        }
        Ok(())
    }
}

fn request(server: SocketAddr, method: &str, path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: {server}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
