//! `--churn`: so many cycles at a constant backlog that whatever grows for ever has grown.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::cases::{KEPT, payload, rate, temporary};
use super::ours::{Ours, Queue};
use super::part::{Started, tell};
use super::watch::{Sample, beside, sample};
use crate::cli::bench::load::{Client, Stop, Work, repeated};
use crate::cli::bench::trend::is_flat;
use crate::cli::error::Error;
use crate::cli::{output, units};
use crate::model::names::InvocationId;

/// How often it is told how things stand.
const PARTS: u64 = 10;

/// A constant backlog.
#[derive(Clone, Copy, Debug)]
pub(super) struct Churn {
    pub(super) cycles: u64,
    pub(super) payload: usize,
    pub(super) clients: usize,
    /// Invocations that each client has in the queue.
    pub(super) live_each: usize,
    /// Settled invocations that stay, with their payloads.
    pub(super) kept: u64,
    pub(super) at_most: Duration,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Run {
    #[arg(long)]
    folder: PathBuf,
    #[arg(long)]
    cycles: u64,
    #[arg(long)]
    payload: usize,
    #[arg(long)]
    clients: usize,
    #[arg(long)]
    live_each: usize,
    #[arg(long)]
    kept: u64,
    #[arg(long, value_parser = units::duration)]
    at_most: Duration,
}

impl Churn {
    /// With small payloads and 1,000 live.
    pub(super) const fn small(cycles: u64, at_most: Duration) -> Self {
        Self { cycles, payload: 256, clients: 250, live_each: 4, kept: KEPT, at_most }
    }

    /// With large ones: a fiftieth of the cycles, 100 live, and the last 100 kept, since a settled invocation keeps
    /// its payload.
    pub(super) const fn large(cycles: u64, at_most: Duration) -> Self {
        Self { cycles: cycles.div_ceil(50), payload: 65_536, clients: 50, live_each: 2, kept: 100, at_most }
    }

    /// Returns what was seen at each tenth, and what that comes to.
    pub(super) async fn run(&self, below: &Path) -> Result<Value, Error> {
        let folder = temporary(below)?;
        let arguments = [
            ("--cycles", self.cycles.to_string()),
            ("--payload", self.payload.to_string()),
            ("--clients", self.clients.to_string()),
            ("--live-each", self.live_each.to_string()),
            ("--kept", self.kept.to_string()),
            ("--at-most", format!("{}ms", self.at_most.as_millis())),
        ];
        let mut churning = Started::new("churn", folder.path(), &arguments)?;
        let mut parts = Vec::new();
        loop {
            let said = churning.told().await?;
            if said.get("max_rss_bytes").is_some() {
                churning.kill().await?;
                return Ok(self.summary(&parts, &said));
            }
            output::note(&format!("{} of {} cycles with {} bytes", said["cycles"], self.cycles, self.payload));
            parts.push(said);
        }
    }

    fn summary(&self, parts: &[Value], end: &Value) -> Value {
        let column = |name: &str| parts.iter().filter_map(|part| part[name].as_u64()).collect::<Vec<_>>();
        json!({
            "churn": self.cycles,
            "payload_bytes": self.payload,
            "clients": self.clients,
            "live": self.clients * self.live_each,
            "kept": self.kept,
            "per_second": end["per_second"],
            "max_rss_bytes": end["max_rss_bytes"],
            "max_disk_bytes": end["max_disk_bytes"],
            "cut_short_by": end["cut_short_by"],
            "last_half_is_flat": { "disk": is_flat(&column("disk_bytes")), "rss": is_flat(&column("rss_bytes")) },
            "tenths": parts,
        })
    }
}

impl Run {
    pub(super) async fn run(self) -> Result<(), Error> {
        let ours = Ours::open(&self.folder, payload(self.payload), self.kept).await?;
        let clients: Vec<_> =
            (0..self.clients).map(|_| Churning { queue: ours.client(), live: VecDeque::new() }).collect();
        let (began, stop) = (Instant::now(), Stop::default());
        let fill = (self.clients * self.live_each) as u64;
        let work = async {
            let mut clients = repeated(clients, Work::Enqueue, fill, &stop).await?;
            let began = Instant::now();
            for part in 1..=PARTS {
                let at = Instant::now();
                let count = self.cycles * part / PARTS - self.cycles * (part - 1) / PARTS;
                clients = repeated(clients, Work::Cycle, count, &stop).await?;
                let now = sample(&self.folder, began.elapsed()).await;
                tell(&part_of(self.cycles * part / PARTS, rate(count, at.elapsed()), &now))?;
                if stop.is_stopped() {
                    break;
                }
            }
            Ok(())
        };
        let ((), seen) = beside(&self.folder, &stop, self.at_most, work).await?;
        let settled = ours.client().counts().settled.iter().sum();
        tell(&json!({
            "per_second": rate(settled, began.elapsed()),
            "max_rss_bytes": seen.max(|sample| sample.rss_bytes),
            "max_disk_bytes": seen.max(|sample| sample.disk_bytes),
            "cut_short_by": seen.cut_short_by,
        }))?;
        ours.close().await
    }
}

fn part_of(cycles: u64, per_second: f64, now: &Sample) -> Value {
    json!({
        "cycles": cycles,
        "per_second": per_second,
        "rss_bytes": now.rss_bytes,
        "disk_bytes": now.disk_bytes,
    })
}

/// Enqueues one and works the one that it enqueued longest ago, so that its share of the backlog stays what it is.
struct Churning {
    queue: Queue,
    live: VecDeque<InvocationId>,
}

impl Client for Churning {
    async fn work(&mut self, work: Work) -> Result<(), Error> {
        self.live.push_back(self.queue.enqueue().await?);
        match self.live.pop_front_if(|_| work == Work::Cycle) {
            Some(oldest) => self.queue.take(oldest).await,
            None => Ok(()),
        }
    }
}
