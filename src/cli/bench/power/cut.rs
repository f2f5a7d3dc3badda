//! What became of a disk after a cut: a server opens it, works until everything has settled, and is audited.

use std::path::Path;
use std::time::Duration;

use reqwest::Method;
use tokio::time::{Instant, sleep, timeout};

use super::run::Before;
use crate::cli::api::Accepted;
use crate::cli::bench::crash::audit::{self, Findings};
use crate::cli::bench::crash::driver::Driven;
use crate::cli::bench::crash::keys::{self, Keys, Used};
use crate::cli::bench::crash::life::{Life, SharedLedger};
use crate::cli::bench::crash::load::FUNCTIONS;
use crate::cli::bench::deployed::Deployed;
use crate::cli::client::Client;
use crate::cli::error::Error;

/// Pause between two looks for what has not settled.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Time for everything to settle.
const SETTLE_PATIENCE: Duration = Duration::from_secs(60);
/// Time for the server to stop when asked to.
const STOP_PATIENCE: Duration = Duration::from_secs(20);

/// What was found after one cut.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) acknowledged: usize,
    pub(super) findings: Findings,
    /// Functions that were deployed and are gone.
    pub(super) undeployed: Vec<&'static str>,
    /// Why the server did not open it.
    pub(super) unopenable: Option<String>,
}

impl Verdict {
    pub(super) fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.undeployed.is_empty() && self.unopenable.is_none()
    }

    /// Each thing that was found, in a line.
    pub(super) fn lines(&self) -> Vec<String> {
        let unopenable = self.unopenable.iter().map(|why| format!("unopenable: {why}"));
        let undeployed = self.undeployed.iter().map(|name| format!("lost: function {name}, which was deployed"));
        let kinds = self.findings.kinds();
        let found =
            kinds.iter().flat_map(|(what, all)| all.iter().map(move |(id, why)| format!("{what}: {id}: {why}")));
        unopenable.chain(undeployed).chain(found).collect()
    }
}

/// Opens what is in `data` and checks it against what was promised before the cut.
pub(super) async fn check(data: &Path, before: Before) -> Result<Verdict, Error> {
    let Before { mut driven, mut keys, deployed } = before;
    let acknowledged = driven.acknowledged.len();
    let ledger = SharedLedger::default();
    let mut life = Life::start(data, driven.deaths.len(), &ledger)?;
    let Some(client) = life.listening().await? else {
        // It says why in its log, whose end comes with its own; a failed start is no death that a life knows.
        let _ = life.ended().await;
        let said = ledger.open().take_other();
        let why = said.into_iter().find(|line| line.contains("error")).unwrap_or_else(|| "it says nothing".to_owned());
        return Ok(Verdict { acknowledged, unopenable: Some(why), ..Verdict::default() });
    };
    let undeployed = if deployed { missing(&client).await? } else { Vec::new() };
    driven.records.look(&client, None).await?;
    driven.records.find_unfounded();
    send_again(&client, &mut keys).await?;
    driven.broken_keys = keys.broken;
    settle(&client, &mut driven).await?;
    life.stop()?;
    let death = timeout(STOP_PATIENCE, life.ended()).await;
    driven.deaths.push(death.map_err(|_| Error::Bench("the server does not stop".to_owned()))??);
    for (id, entries) in std::mem::take(&mut *ledger.open()).entries() {
        for entry in entries {
            driven.ledger.enter(id, *entry);
        }
    }
    Ok(Verdict { acknowledged, findings: audit::audit(&driven), undeployed, unopenable: None })
}

/// Looks until everything has settled, or until it is clear that it will not.
async fn settle(client: &Client, driven: &mut Driven) -> Result<(), Error> {
    let until = Instant::now() + SETTLE_PATIENCE;
    driven.records.look(client, None).await?;
    while driven.records.live().is_some() && Instant::now() < until {
        sleep(LOOK_AGAIN).await;
        driven.records.look(client, None).await?;
    }
    Ok(())
}

/// Sends again what was sent under a key: that is to lead to the same invocation.
async fn send_again(client: &Client, keys: &mut Keys) -> Result<(), Error> {
    for Used { key, sent, .. } in keys.used.clone() {
        let request = keys::with(sent.request(client), Some(&key));
        match client.json::<Accepted>(request).await {
            Ok(accepted) => keys.answered(key, sent, accepted.value.id),
            Err(Error::Refused(_)) => (), // its function is gone, which is told elsewhere
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The functions that are not there.
async fn missing(client: &Client) -> Result<Vec<&'static str>, Error> {
    let mut missing = Vec::new();
    for Deployed { name, .. } in &FUNCTIONS {
        let answer = client.exchange(client.in_namespace(Method::GET, &["functions", name])).await?;
        if answer.status().as_u16() == 404 {
            missing.push(*name);
        }
    }
    Ok(missing)
}
