//! Clients that invoke a function and wait, one time after the other, over connections that they keep.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use reqwest::Method;
use tokio::time::Instant;

use crate::cli::bench::latency::{Latency, Samples};
use crate::cli::client::Client;
use crate::cli::error::Error;

/// Clients of the function that is measured.
const CLIENTS: usize = 4;
/// What an invocation that gave a result is counted as.
pub(super) const SUCCEEDED: &str = "succeeded";

/// How often invocations ended in each way.
pub(super) type Counts = BTreeMap<String, u64>;

/// What was measured.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) duration: Duration,
    pub(super) latency: Latency,
    /// Other ends than success.
    pub(super) failures: Counts,
}

/// Invokes `function` from several clients for that long, and measures how long successes take.
pub(super) async fn measured(client: &Client, function: &str, duration: Duration) -> Result<Measured, Error> {
    let began = Instant::now();
    let taken = RefCell::new((Samples::default(), Counts::new()));
    let clients = (0..CLIENTS).map(|_| async {
        while began.elapsed() < duration && !taken.borrow().0.is_full() {
            let sent = Instant::now();
            let end = invoke(client, function).await?;
            let (samples, failures) = &mut *taken.borrow_mut();
            if end == SUCCEEDED {
                samples.add(sent.elapsed());
            } else {
                *failures.entry(end).or_default() += 1;
            }
        }
        Ok(())
    });
    join_all(clients).await.into_iter().collect::<Result<(), Error>>()?;
    let duration = began.elapsed();
    let (samples, failures) = taken.into_inner();
    Ok(Measured { duration, latency: samples.latency(), failures })
}

/// Invokes `function` until then, and counts how the invocations ended.
pub(super) async fn invoking(client: &Client, function: &str, until: Instant) -> Result<Counts, Error> {
    let mut counts = Counts::new();
    while Instant::now() < until {
        *counts.entry(invoke(client, function).await?).or_default() += 1;
    }
    Ok(counts)
}

pub(super) fn add(sum: &mut Counts, counts: Counts) {
    for (end, count) in counts {
        *sum.entry(end).or_default() += count;
    }
}

/// Invokes `function` and waits; returns how that ended: with success, a kind of failure or a code of a refusal.
async fn invoke(client: &Client, function: &str) -> Result<String, Error> {
    let request = client.in_namespace(Method::POST, &["functions", function, "invocations"]).body("tide");
    let response = client.exchange(request).await?;
    if response.status().is_success() {
        response.bytes().await.map_err(|error| client.lost(&error))?;
        return Ok(SUCCEEDED.to_owned());
    }
    match client.refused(response).await {
        Error::Refused(problem) => Ok(problem.kind.unwrap_or(problem.code)),
        error => Err(error),
    }
}
