//! Single asynchronous invocations, one after the other: how long each waited for its start, as its record says, and how
//! long it took until somebody outside could see that it had settled.

use std::time::Duration;

use reqwest::Method;
use tokio::time::Instant;

use crate::cli::api::{Accepted, Answer, Invocation};
use crate::cli::bench::latency::{Latency, Samples};
use crate::cli::client::Client;
use crate::cli::error::Error;
use crate::model::status::Status;
use crate::model::time::Timestamp;

/// One that has not settled by then is not going to: it waits for runs of seconds at most, and its own takes no time.
const PATIENCE_S: u64 = 120;

/// What was measured.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Measured {
    /// From being accepted to the start of the first attempt, in the whole milliseconds of the record.
    pub(super) start: Latency,
    /// From the `202` to an answer that says that it has settled.
    pub(super) settled: Latency,
}

/// Invokes `function` so often.
pub(super) async fn measured(client: &Client, function: &str, times: u32) -> Result<Measured, Error> {
    let (mut start, mut settled) = (Samples::default(), Samples::default());
    for _ in 0..times {
        let invoke = client.in_namespace(Method::POST, &["functions", function, "invocations"]);
        let invoke = invoke.header("prefer", "respond-async").body("tide");
        let accepted: Answer<Accepted> = client.json(invoke).await?;
        let answered = Instant::now();
        let id = accepted.value.id.to_string();
        let look = client.request(Method::GET, &["invocations", &id]).query(&[("wait", format!("{PATIENCE_S}s"))]);
        let record: Answer<Invocation> = client.json(look).await?;
        settled.add(answered.elapsed());
        start.add(delay(&record.value)?);
    }
    Ok(Measured { start: start.latency(), settled: settled.latency() })
}

/// How long one that succeeded had waited.
fn delay(record: &Invocation) -> Result<Duration, Error> {
    if record.status != Status::Succeeded {
        let (id, status) = (&record.id, record.status);
        return Err(Error::Broken(format!("a single invocation is {status} after {PATIENCE_S} s at most: {id}")));
    }
    let time = |text: &str| Timestamp::parse(text).ok();
    let started = record.attempts.first().and_then(|attempt| time(&attempt.started_at));
    let waited = started.zip(time(&record.accepted_at)).map(|(started, accepted)| started.since(accepted));
    waited.ok_or_else(|| Error::Broken(format!("the record of {} does not say when it started", record.id)))
}
