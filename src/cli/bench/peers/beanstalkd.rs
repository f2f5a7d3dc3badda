//! beanstalkd, in its own text protocol: `put`, and for a cycle `reserve` and `delete` besides. It keeps no outcome, so
//! its cycle writes less than the others'.

use std::net::SocketAddr;

use bytes::Bytes;

use super::{odd, parsed};
use crate::cli::bench::load::{Client, Work};
use crate::cli::bench::wire::Wire;
use crate::cli::error::Error;

/// One connection.
pub(super) struct Beanstalkd {
    wire: Wire,
    put: Vec<u8>,
}

impl Beanstalkd {
    /// Connects. Each kind of work has a tube of its own, so that cycles do not take what enqueues left.
    pub(super) async fn connect(server: SocketAddr, work: Work, payload: &Bytes) -> Result<Self, Error> {
        let mut wire = Wire::connect(server).await?;
        let tube = work.as_str();
        wire.out.extend(format!("use {tube}\r\nwatch {tube}\r\nignore default\r\n").bytes());
        wire.send().await?;
        expect(&mut wire, "USING ").await?;
        expect(&mut wire, "WATCHING ").await?;
        expect(&mut wire, "WATCHING ").await?;
        let head = format!("put 0 0 120 {}\r\n", payload.len());
        Ok(Self { wire, put: [head.as_bytes(), payload, b"\r\n"].concat() })
    }
}

impl Client for Beanstalkd {
    async fn work(&mut self, work: Work) -> Result<(), Error> {
        let wire = &mut self.wire;
        wire.out.extend_from_slice(&self.put);
        wire.send().await?;
        expect(wire, "INSERTED ").await?;
        if work == Work::Enqueue {
            return Ok(());
        }
        wire.out.extend_from_slice(b"reserve\r\n");
        wire.send().await?;
        let reserved = expect(wire, "RESERVED ").await?;
        let (id, length) = reserved.split_once(' ').ok_or_else(|| odd("beanstalkd", &reserved))?;
        let length: usize = parsed("beanstalkd", length)?;
        wire.bytes(length + 2).await?;
        wire.out.extend(format!("delete {id}\r\n").bytes());
        wire.send().await?;
        expect(wire, "DELETED").await.map(drop)
    }
}

/// What stands behind `start` on the next line.
async fn expect(wire: &mut Wire, start: &str) -> Result<String, Error> {
    let line = wire.text().await?;
    line.strip_prefix(start).map(ToOwned::to_owned).ok_or_else(|| odd("beanstalkd", &line))
}
