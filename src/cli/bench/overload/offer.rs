//! The open loop: requests are sent when their time has come, however many answers are outstanding, as far as the
//! connections go; and what came back is counted.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::join_all;
use serde_json::Value;
use tokio::time::Instant;

use crate::cli::bench::caller::{Answer, Caller};
use crate::cli::bench::histogram::Histogram;
use crate::cli::bench::load::as_f64;
use crate::cli::error::Error;
use crate::tasks::Tasks;

/// Connections: as many requests as can be outstanding.
const CONNECTIONS: usize = 128;
/// An answer that has not come by then does not come.
const PATIENCE: Duration = Duration::from_secs(60);
/// After an error nothing is sent over that connection for so long.
const AFTER_ERROR: Duration = Duration::from_millis(100);

/// What is sent where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) server: SocketAddr,
    pub(super) function: &'static str,
    pub(super) payload: &'static [u8],
}

/// What was answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// How often each status came.
    pub(super) statuses: BTreeMap<u16, u64>,
    /// How often none came, and why the first time.
    pub(super) errors: u64,
    pub(super) error: Option<String>,
    /// The message of one 429.
    pub(super) refusal: Option<String>,
    /// 429s that do not say when to come again, or name no limit.
    pub(super) unexplained: u64,
    /// Answers after which the server ended the connection.
    pub(super) closed: u64,
    /// How long answers took.
    pub(super) latency: Histogram,
}

/// When each request is to be sent.
struct Pace {
    began: Instant,
    until: Instant,
    per_second: f64,
    next: AtomicU64,
}

/// Sends so many a second for so long, and returns once all are answered.
pub(super) async fn offer(target: Target, per_second: f64, time: Duration) -> Result<Tally, Error> {
    let (tasks, began) = (Tasks::default(), Instant::now());
    let pace = Arc::new(Pace { began, until: began + time, per_second, next: AtomicU64::new(0) });
    let connections = (0..CONNECTIONS).map(|_| tasks.see_through("connection", sending(target, pace.clone())));
    let mut sum = Tally::default();
    for tally in join_all(connections).await {
        sum.merge(tally.ok_or_else(|| Error::Bench("a connection's task panicked".to_owned()))?);
    }
    Ok(sum)
}

/// One connection's share.
async fn sending(target: Target, pace: Arc<Pace>) -> Tally {
    let (mut tally, mut kept) = (Tally::default(), None);
    while let Some(due) = pace.next() {
        tokio::time::sleep_until(due).await;
        let sent = Instant::now();
        let answer = tokio::time::timeout(PATIENCE, call(target, &mut kept)).await;
        match answer.unwrap_or_else(|_| Err(Error::Bench(format!("no answer in {} s", PATIENCE.as_secs())))) {
            Ok(answer) => tally.count(&answer, sent.elapsed()),
            Err(error) => {
                tally.failed(&error);
                kept = None;
                tokio::time::sleep(AFTER_ERROR).await;
            }
        }
    }
    tally
}

async fn call(target: Target, kept: &mut Option<Caller>) -> Result<Answer, Error> {
    let Target { server, function, payload } = target;
    let caller = match kept {
        Some(caller) => caller,
        None => kept.insert(Caller::enqueuing(server, function, payload).await?),
    };
    caller.call().await
}

impl Pace {
    /// When the next is to be sent; `None` once time is up. One that is late is sent at once.
    fn next(&self) -> Option<Instant> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let due = self.began + Duration::from_secs_f64(as_f64(number) / self.per_second);
        (due < self.until && Instant::now() < self.until).then_some(due)
    }
}

impl Tally {
    /// All that were sent and answered.
    pub(super) fn answered(&self) -> u64 {
        self.statuses.values().sum()
    }

    pub(super) fn of(&self, status: u16) -> u64 {
        self.statuses.get(&status).copied().unwrap_or_default()
    }

    /// Answers of other statuses than these.
    pub(super) fn others(&self, than: &[u16]) -> u64 {
        self.statuses.iter().filter(|(status, _)| !than.contains(status)).map(|(_, count)| count).sum()
    }

    fn count(&mut self, answer: &Answer, took: Duration) {
        *self.statuses.entry(answer.status).or_default() += 1;
        self.closed += u64::from(answer.closes);
        self.latency.add(took);
        if answer.status == 429 {
            self.unexplained += u64::from(!is_explained(answer));
            self.refusal.get_or_insert_with(|| message(&answer.refusal).0);
        }
    }

    fn failed(&mut self, error: &Error) {
        self.errors += 1;
        self.error.get_or_insert_with(|| error.to_string());
    }

    fn merge(&mut self, other: Self) {
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        self.errors += other.errors;
        self.error = self.error.take().or(other.error);
        self.refusal = self.refusal.take().or(other.refusal);
        self.unexplained += other.unexplained;
        self.closed += other.closed;
        self.latency.merge(&other.latency);
    }
}

/// Whether it says when to come again, and its message names the limit that its `limit` is.
fn is_explained(answer: &Answer) -> bool {
    let (message, limit) = message(&answer.refusal);
    let named = limit.is_some_and(|limit| message.contains(&format!("the limit is {limit}")));
    answer.retry_after.is_some_and(|seconds| seconds > 0) && named
}

/// The message of a problem, and its limit.
fn message(problem: &[u8]) -> (String, Option<u64>) {
    let problem: Value = serde_json::from_slice(problem).unwrap_or_default();
    (problem["detail"].as_str().unwrap_or_default().to_owned(), problem["limit"].as_u64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(retry_after: Option<u64>, body: &str) -> Answer {
        Answer { status: 429, retry_after, refusal: body.as_bytes().to_vec(), ..Answer::default() }
    }

    #[test]
    fn a_refusal_is_explained_when_it_names_the_limit_and_says_when_to_come_again() {
        let good = r#"{"detail": "the queue holds 5 invocations, and the limit is 5: come again later", "limit": 5}"#;
        let bad = r#"{"detail": "the queue is full", "limit": 5}"#;
        let mut tally = Tally::default();
        for answer in [refused(Some(2), good), refused(None, good), refused(Some(0), good), refused(Some(2), bad)] {
            tally.count(&answer, Duration::ZERO);
        }
        tally.count(&refused(Some(2), "not JSON"), Duration::ZERO);
        assert_eq!((tally.of(429), tally.unexplained, tally.others(&[202, 429])), (5, 4, 0));
        assert!(tally.refusal.is_some_and(|message| message.contains("the limit is 5")));
    }

    #[tokio::test(start_paused = true)]
    async fn requests_are_due_evenly_until_the_time_is_up() {
        let began = Instant::now();
        let until = began + Duration::from_secs(1);
        let pace = Pace { began, until, per_second: 4.0, next: AtomicU64::new(0) };
        let due: Vec<_> = std::iter::from_fn(|| pace.next()).map(|due| due - began).collect();
        assert_eq!(due, [0, 250, 500, 750].map(Duration::from_millis));
        let late = Pace { next: AtomicU64::new(0), ..pace };
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(late.next(), None);
    }
}
