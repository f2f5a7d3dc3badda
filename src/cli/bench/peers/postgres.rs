//! PostgreSQL, in its own protocol with prepared statements, each a transaction: an insert, and for a cycle an update of
//! the first row that nobody else has locked, and a delete that inserts the outcome.

use std::net::SocketAddr;

use bytes::Bytes;

use super::{OUTCOME, odd};
use crate::cli::bench::load::{Client, Work};
use crate::cli::bench::wire::Wire;
use crate::cli::error::Error;

const TABLES: &str = "
    DROP TABLE IF EXISTS queue, outcomes;
    CREATE TABLE queue (id bigserial PRIMARY KEY, claimed boolean NOT NULL DEFAULT false, payload bytea NOT NULL);
    ALTER TABLE queue ALTER COLUMN payload SET STORAGE EXTERNAL;
    CREATE INDEX ON queue (id) WHERE NOT claimed;
    CREATE TABLE outcomes (id bigint PRIMARY KEY, result bytea NOT NULL);";
const STATEMENTS: [(&str, &str); 3] = [
    ("enqueue", "INSERT INTO queue (payload) VALUES ($1)"),
    (
        "claim",
        "UPDATE queue SET claimed = true WHERE id = (SELECT id FROM queue WHERE NOT claimed ORDER BY id LIMIT 1 \
         FOR UPDATE SKIP LOCKED) RETURNING id, payload",
    ),
    (
        "complete",
        "WITH gone AS (DELETE FROM queue WHERE id = $1 RETURNING id) INSERT INTO outcomes SELECT id, $2 FROM gone",
    ),
];
/// How often a claim that finds nothing is repeated.
const MAX_CLAIMS: u32 = 1_000;
/// Version 3.0 of the protocol.
const PROTOCOL: i32 = 196_608;

/// One connection.
pub(super) struct Postgres {
    wire: Wire,
    payload: Bytes,
}

impl Postgres {
    /// Makes the tables anew.
    pub(super) async fn prepare(server: SocketAddr) -> Result<(), Error> {
        let mut postgres = Self::open(server, &Bytes::new()).await?;
        message(&mut postgres.wire.out, b'Q', &[TABLES.as_bytes(), b"\0"]);
        postgres.exchange().await.map(drop)
    }

    pub(super) async fn connect(server: SocketAddr, payload: &Bytes) -> Result<Self, Error> {
        let mut postgres = Self::open(server, payload).await?;
        for (name, statement) in STATEMENTS {
            let parts = [name.as_bytes(), b"\0", statement.as_bytes(), b"\0", &0_i16.to_be_bytes()];
            message(&mut postgres.wire.out, b'P', &parts);
        }
        message(&mut postgres.wire.out, b'S', &[]);
        postgres.exchange().await?;
        Ok(postgres)
    }

    /// Connects as the user `postgres`, whom the server trusts.
    async fn open(server: SocketAddr, payload: &Bytes) -> Result<Self, Error> {
        let mut wire = Wire::connect(server).await?;
        let parameters = b"user\0postgres\0database\0postgres\0\0";
        let length = i32::try_from(8 + parameters.len()).expect("it is short");
        wire.out.extend(length.to_be_bytes());
        wire.out.extend(PROTOCOL.to_be_bytes());
        wire.out.extend_from_slice(parameters);
        let mut postgres = Self { wire, payload: payload.clone() };
        postgres.exchange().await?;
        Ok(postgres)
    }

    /// Claims a row. There is one for each client, but the one that is left may be newer than what the statement sees.
    async fn claim(&mut self) -> Result<Bytes, Error> {
        for _ in 0..MAX_CLAIMS {
            if let Some(id) = self.execute("claim", &[]).await?.into_iter().next() {
                return Ok(id);
            }
        }
        Err(odd("postgres", "no row to claim"))
    }

    /// Carries out a statement with binary parameters; returns the columns of its first row.
    async fn execute(&mut self, name: &str, parameters: &[&[u8]]) -> Result<Vec<Bytes>, Error> {
        let count = i16::try_from(parameters.len()).expect("there are few").to_be_bytes();
        let binary = 1_i16.to_be_bytes();
        let mut bind = [&b"\0"[..], name.as_bytes(), b"\0", &binary, &binary, &count].concat();
        for parameter in parameters {
            bind.extend(i32::try_from(parameter.len()).expect("payloads are far smaller").to_be_bytes());
            bind.extend_from_slice(parameter);
        }
        let out = &mut self.wire.out;
        message(out, b'B', &[&bind, &binary, &binary]);
        message(out, b'E', &[b"\0", &0_i32.to_be_bytes()]);
        message(out, b'S', &[]);
        self.exchange().await
    }

    /// Sends what stands ready and reads until the server is ready for more.
    async fn exchange(&mut self) -> Result<Vec<Bytes>, Error> {
        self.wire.send().await?;
        let (mut row, mut error) = (Vec::new(), None::<String>);
        loop {
            let head = match (self.wire.bytes(5).await, &error) {
                (Ok(head), _) => <[u8; 5]>::try_from(head).expect("it is as long as was asked for"),
                (Err(_), Some(said)) => return Err(odd("postgres", said)), // it said why, and hung up
                (Err(lost), None) => return Err(lost),
            };
            let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
            let body = self.wire.bytes(length.saturating_sub(4)).await?;
            match head[0] {
                b'R' if body != [0; 4] => return Err(odd("postgres", "it asks for a password")),
                b'D' => row = columns(body).ok_or_else(|| odd("postgres", "a row that ends too early"))?,
                b'E' => error = Some(String::from_utf8_lossy(body).replace('\0', " ")),
                b'Z' => return error.map_or(Ok(row), |error| Err(odd("postgres", &error))),
                _ => (),
            }
        }
    }
}

impl Client for Postgres {
    async fn work(&mut self, work: Work) -> Result<(), Error> {
        let payload = self.payload.clone();
        self.execute("enqueue", &[&payload]).await?;
        if work == Work::Enqueue {
            return Ok(());
        }
        let id = self.claim().await?;
        self.execute("complete", &[&id, &OUTCOME]).await.map(drop)
    }
}

fn message(out: &mut Vec<u8>, kind: u8, parts: &[&[u8]]) {
    let length: usize = 4 + parts.iter().map(|part| part.len()).sum::<usize>();
    out.push(kind);
    out.extend(u32::try_from(length).expect("payloads are far smaller").to_be_bytes());
    for part in parts {
        out.extend_from_slice(part);
    }
}

/// The columns of a row, none of which is null.
fn columns(body: &[u8]) -> Option<Vec<Bytes>> {
    let (count, mut rest) = body.split_first_chunk::<2>()?;
    let mut columns = Vec::new();
    for _ in 0..u16::from_be_bytes(*count) {
        let (length, behind) = rest.split_first_chunk::<4>()?;
        let (column, behind) = behind.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        columns.push(Bytes::copy_from_slice(column));
        rest = behind;
    }
    Some(columns)
}
