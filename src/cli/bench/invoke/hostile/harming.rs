//! One of the set has its turn, and what came of it is held against what has to.

use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use tokio::time::Instant;

use super::set::{End, FORK, Harm};
use crate::cli::api::{Answer, Invocation};
use crate::cli::bench::deployed;
use crate::cli::bench::invoke::unloaded::copy;
use crate::cli::bench::metrics::Metrics;
use crate::cli::client::Client;
use crate::cli::error::Error;

/// Steps that a chain may have.
pub(super) type Hops = u32;

/// What does not end by then is not going to.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(20);

/// The least that is read of a list of invocations.
#[derive(Debug, Deserialize)]
struct Listed {
    invocations: Vec<Id>,
}

#[derive(Debug, Deserialize)]
struct Id {
    id: String,
}

/// Deploys what is not deployed anew each time.
pub(super) async fn prepare(client: &Client, harm: &Harm) -> Result<(), Error> {
    match harm.end {
        End::Fails(_) | End::Forks => deployed::put(client, harm.name, &harm.settings, harm.module.clone()).await,
        End::Refused(_) | End::Runs => Ok(()),
    }
}

/// Has it once, and returns how long that took. `number` is another one each time.
pub(super) async fn once(client: &Client, harm: &Harm, number: u32, hops: Hops) -> Result<Duration, Error> {
    let began = Instant::now();
    let came = match harm.end {
        End::Refused(part) => refused(client, harm, part).await?,
        End::Fails(_) => failed(client, harm).await?,
        End::Runs => {
            deployed::put(client, harm.name, &harm.settings, copy(&harm.module, number)).await?;
            failed(client, harm).await?
        }
        End::Forks => forked(client, hops).await?,
    };
    let took = began.elapsed();
    hold(harm, &came).map(|()| took)
}

/// Holds the end that came against the one that has to.
fn hold(harm: &Harm, came: &str) -> Result<(), Error> {
    let (name, expected) = (harm.name, harm.end.as_str());
    if came == expected {
        return Ok(());
    }
    Err(Error::Broken(format!("{name}: it ended as `{came}` instead of `{expected}`")))
}

/// The code of the refusal of a module, if it says `part`.
async fn refused(client: &Client, harm: &Harm, part: &str) -> Result<String, Error> {
    match deployed::put(client, harm.name, &harm.settings, harm.module.clone()).await {
        Ok(()) => Ok("deployed".to_owned()),
        Err(Error::Refused(problem)) if problem.message().contains(part) => Ok(problem.code),
        Err(Error::Refused(problem)) => Ok(format!("{}: {}", problem.code, problem.message())),
        Err(error) => Err(error),
    }
}

/// Runs it, and returns the kind of its failure; or that it has succeeded.
async fn failed(client: &Client, harm: &Harm) -> Result<String, Error> {
    let request = client.in_namespace(Method::POST, &["functions", harm.name, "invocations"]);
    let response = client.exchange(request).await?;
    if response.status().is_success() {
        return Ok("succeeded".to_owned());
    }
    match client.refused(response).await {
        Error::Refused(problem) if problem.is_functions_fault() => Ok(problem.kind.unwrap_or(problem.code)),
        Error::Refused(problem) => Ok(format!("{}: {}", problem.code, problem.message())),
        error => Err(error),
    }
}

/// Begins with one, and waits until nothing of it lives. Each step of the chain has twice as many as the one before, all of
/// the last step have to fail for being the last, and none of the others.
async fn forked(client: &Client, hops: Hops) -> Result<String, Error> {
    let last = 1_u64 << hops;
    let before = Forked::read(client).await?;
    let request = client.in_namespace(Method::POST, &["functions", FORK, "invocations"]);
    client.send(request.header("prefer", "respond-async")).await?;
    let until = Instant::now() + PATIENCE;
    let now = loop {
        let now = Forked::read(client).await?;
        if now.live == 0 && now.accepted > before.accepted {
            break now;
        }
        if Instant::now() > until {
            return Ok(format!("{} that live after {} s", now.live, PATIENCE.as_secs()));
        }
        tokio::time::sleep(PAUSE).await;
    };
    let (all, failed) = (now.accepted - before.accepted, now.failed - before.failed);
    if (all, failed) != (2 * last - 1, last) {
        return Ok(format!("{all} invocations of which {failed} failed, where {last} of {} had to", 2 * last - 1));
    }
    let told = last_failure(client).await?;
    let is_limit = told.starts_with("permanent: ") && told.contains(&format!("the limit is {hops}:"));
    Ok(if is_limit { End::Forks.as_str().to_owned() } else { told })
}

/// What the record of the invocation that failed last says.
async fn last_failure(client: &Client) -> Result<String, Error> {
    let failed = [("function", FORK), ("status", "failed"), ("limit", "1")];
    let listed: Answer<Listed> = client.json(client.in_namespace(Method::GET, &["invocations"]).query(&failed)).await?;
    let nothing = || Error::Broken(format!("{FORK}: there is no record of one that failed"));
    let Id { id } = listed.value.invocations.into_iter().next().ok_or_else(nothing)?;
    let record: Answer<Invocation> = client.json(client.request(Method::GET, &["invocations", &id])).await?;
    let error = record.value.attempts.into_iter().next().and_then(|attempt| attempt.error).ok_or_else(nothing)?;
    Ok(error.to_string())
}

/// What the server counts of the function that calls itself.
#[derive(Clone, Copy, Debug)]
struct Forked {
    accepted: u64,
    live: u64,
    failed: u64,
}

impl Forked {
    async fn read(client: &Client) -> Result<Self, Error> {
        let (metrics, function) = (Metrics::read(client).await?, format!("function=\"{FORK}\""));
        Ok(Self {
            accepted: metrics.count_with("tidemill_invocations_accepted_total", &function),
            live: metrics.count_with("tidemill_invocations_live", &function),
            failed: metrics.count_with("tidemill_invocations_settled_total", &format!("{function},outcome=\"failed\"")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::error::exit;

    #[test]
    fn another_end_than_its_own_is_a_promise_that_is_broken() {
        for harm in super::super::set::all() {
            hold(&harm, harm.end.as_str()).unwrap();
            let broken = hold(&harm, "trap").unwrap_err();
            assert_eq!(broken.exit_code(), exit::FUNCTION_FAILED);
            assert!(broken.to_string().starts_with(&format!("{}: it ended as `trap` instead of `", harm.name)));
        }
    }
}
