//! The many invocations of the slow function: what is seen of them in the server's figures.

use std::time::Duration;

use crate::cli::bench::load::Stop;
use crate::cli::bench::metrics::Metrics;
use crate::cli::client::Client;
use crate::cli::error::Error;

/// How often it is looked at what runs.
const EVERY: Duration = Duration::from_millis(100);

/// How many attempts ran at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Running {
    pub(super) least: u64,
    pub(super) most: u64,
}

/// Looks at what runs of `function` until told to stop.
pub(super) async fn watch(client: &Client, function: &str, stop: &Stop) -> Result<Running, Error> {
    let mut seen: Option<Running> = None;
    while !stop.is_stopped() || seen.is_none() {
        let now = of(&Metrics::read(client).await?, "tidemill_attempts_running", function);
        let Running { least, most } = seen.unwrap_or(Running { least: now, most: now });
        seen = Some(Running { least: least.min(now), most: most.max(now) });
        tokio::time::sleep(EVERY).await;
    }
    Ok(seen.unwrap_or_default())
}

/// How many of `function` have not settled.
pub(super) fn live(metrics: &Metrics, function: &str) -> u64 {
    of(metrics, "tidemill_invocations_live", function)
}

/// That the server has accepted as many of `function` as it has said, and no more.
pub(super) fn check_accepted(metrics: &Metrics, function: &str, answered: u64) -> Result<(), Error> {
    match of(metrics, "tidemill_invocations_accepted_total", function) {
        accepted if accepted == answered => Ok(()),
        accepted => Err(Error::Broken(format!("{answered} were answered with 202, and {accepted} were accepted"))),
    }
}

fn of(metrics: &Metrics, family: &str, function: &str) -> u64 {
    metrics.count_with(family, &format!("function=\"{function}\""))
}
