//! `--backlog`: many invocations that wait, the process that accepted them killed, and another that opens what is left.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::cases::{KEPT, payload, rate, temporary};
use super::ours::{Ours, Queue};
use super::part::{Started, tell, wait_for_death};
use super::watch::{beside, sample};
use crate::cli::bench::load::{Client, Stop, Work, repeated};
use crate::cli::error::Error;
use crate::cli::{output, units};
use crate::model::names::InvocationId;
use crate::model::place::Turn;

/// Clients that fill the queue, and those that work it afterwards.
const FILLING: usize = 256;
const WORKING: usize = 16;
/// How many are looked up in line together.
const PAGE: usize = 1_000;

#[derive(Debug, Args)]
pub(in crate::cli) struct Fill {
    #[arg(long)]
    folder: PathBuf,
    #[arg(long)]
    count: u64,
    #[arg(long)]
    payload: usize,
    #[arg(long, value_parser = units::duration)]
    delay: Duration,
    #[arg(long, value_parser = units::duration)]
    at_most: Duration,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Open {
    #[arg(long)]
    folder: PathBuf,
    #[arg(long)]
    payload: usize,
    #[arg(long)]
    cycles: usize,
}

/// What is asked for.
pub(super) struct Backlog {
    pub(super) count: u64,
    pub(super) payload: usize,
    pub(super) delay: Duration,
    pub(super) cycles: usize,
    pub(super) at_most: Duration,
}

impl Backlog {
    /// Fills, kills, opens; returns what was seen, joined.
    pub(super) async fn run(&self, below: &Path) -> Result<Value, Error> {
        let folder = temporary(below)?;
        let ms = |duration: Duration| format!("{}ms", duration.as_millis());
        output::note(&format!("filling the queue with {} invocations", self.count));
        let arguments = [
            ("--count", self.count.to_string()),
            ("--payload", self.payload.to_string()),
            ("--delay", ms(self.delay)),
            ("--at-most", ms(self.at_most)),
        ];
        let mut filling = Started::new("fill", folder.path(), &arguments)?;
        let filled = filling.told().await?;
        filling.kill().await?;
        output::note("it was killed; opening what it left");
        let arguments = [("--payload", self.payload.to_string()), ("--cycles", self.cycles.to_string())];
        let mut opening = Started::new("open", folder.path(), &arguments)?;
        let mut joined = json!({"backlog": self.count, "payload_bytes": self.payload, "delay_s": self.delay.as_secs()});
        let mut said = vec![filled];
        while let Some(more) = opening.next().await? {
            said.push(more);
        }
        for (name, value) in said.into_iter().filter_map(|said| said.as_object().cloned()).flatten() {
            joined[name] = value;
        }
        Ok(joined)
    }
}

impl Fill {
    pub(super) async fn run(self) -> Result<(), Error> {
        let ours = Ours::open(&self.folder, payload(self.payload), KEPT).await?.delayed(self.delay);
        let (began, stop) = (Instant::now(), Stop::default());
        let clients = (0..FILLING).map(|_| ours.client()).collect();
        let filling = repeated(clients, Work::Enqueue, self.count, &stop);
        let (clients, seen) = beside(&self.folder, &stop, self.at_most, filling).await?;
        let (took, filled) = (began.elapsed(), ours.client().counts().live);
        let now = sample(&self.folder, took).await;
        tell(&json!({
            "filled": filled,
            "fill_per_second": rate(filled, took),
            "filled_rss_bytes": now.rss_bytes,
            "filled_max_rss_bytes": seen.max(|sample| sample.rss_bytes),
            "filled_disk_bytes": now.disk_bytes,
            "cut_short_by": seen.cut_short_by,
        }))?;
        wait_for_death().await;
        drop(clients);
        Ok(())
    }
}

impl Open {
    pub(super) async fn run(self) -> Result<(), Error> {
        let began = Instant::now();
        let ours = Ours::open(&self.folder, payload(self.payload), KEPT).await?;
        let opened = began.elapsed();
        let queue = ours.client();
        let unread = |error| Error::Bench(format!("the queue cannot be read: {error}"));
        let live = queue.store().scan().await.map_err(unread)?;
        for lane in &live.lanes {
            queue.store().waiting(*lane, None, 1).await.map_err(unread)?;
        }
        let ready = began.elapsed();
        let now = sample(&self.folder, ready).await;
        let replay_time = queue.store().vitals().replay_time;
        tell(&json!({
            "open_ms": millis(opened),
            "replay_ms": millis(replay_time),
            "ready_ms": millis(ready),
            "opened_live": queue.counts().live,
            "opened_rss_bytes": now.rss_bytes,
            "opened_disk_bytes": now.disk_bytes,
        }))?;
        let waiting = first_in_line(&queue, self.cycles).await?;
        let (began, count) = (Instant::now(), waiting.len() as u64);
        let takers = takers(&queue, waiting);
        drop(repeated(takers, Work::Cycle, count, &Stop::default()).await?);
        let took = began.elapsed();
        let worked = count.min(now_settled(&queue));
        let now = sample(&self.folder, took).await;
        tell(&json!({
            "worked": worked,
            "worked_per_second": rate(worked, took),
            "worked_left": queue.counts().live,
            "worked_rss_bytes": now.rss_bytes,
        }))?;
        drop(queue);
        ours.close().await
    }
}

fn now_settled(queue: &Queue) -> u64 {
    queue.counts().settled.iter().sum()
}

/// The ids of those that stand in front, at most `limit`.
async fn first_in_line(queue: &Queue, limit: usize) -> Result<Vec<InvocationId>, Error> {
    let unread = |error| Error::Bench(format!("the queue cannot be read: {error}"));
    let mut ids = Vec::new();
    for lane in queue.store().scan().await.map_err(unread)?.lanes {
        let mut after: Option<Turn> = None;
        while ids.len() < limit {
            let page = queue.store().waiting(lane, after, PAGE.min(limit - ids.len())).await.map_err(unread)?;
            let Some(last) = page.last() else { break };
            after = Some(last.turn());
            ids.extend(page.iter().map(|place| place.id));
        }
    }
    Ok(ids)
}

/// Takes what waits, one after the other.
struct Taker {
    queue: Queue,
    waiting: Arc<Mutex<std::vec::IntoIter<InvocationId>>>,
}

fn takers(queue: &Queue, waiting: Vec<InvocationId>) -> Vec<Taker> {
    let waiting = Arc::new(Mutex::new(waiting.into_iter()));
    (0..WORKING).map(|_| Taker { queue: queue.clone(), waiting: waiting.clone() }).collect()
}

impl Client for Taker {
    async fn work(&mut self, _: Work) -> Result<(), Error> {
        let next = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
        match next {
            Some(id) => self.queue.take(id).await,
            None => Ok(()),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
