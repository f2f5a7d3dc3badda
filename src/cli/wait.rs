//! Waits until an invocation is settled, one long look after another.

use std::time::Duration;

use reqwest::Method;
use tokio::time::{Instant, sleep};

use super::api::{Answer, Invocation};
use super::client::Client;
use super::error::Error;
use crate::model::names::InvocationId;

/// One look. Short enough for whatever stands between us and the server.
const LOOK: Duration = Duration::from_secs(30);
/// Between two looks, so that a server which does not wait is not asked without end.
const PAUSE: Duration = Duration::from_millis(100);

/// How long to wait.
#[derive(Clone, Copy, Debug)]
pub(super) enum Patience {
    /// No longer than this.
    AtMost(Duration),
    /// For ever.
    Endless,
}

/// The invocation once it is settled, or as it is when the patience ends.
pub(super) async fn settled(
    client: &Client,
    id: InvocationId,
    patience: Patience,
) -> Result<Answer<Invocation>, Error> {
    let start = Instant::now();
    let left = || match patience {
        Patience::AtMost(patience) => patience.saturating_sub(start.elapsed()),
        Patience::Endless => LOOK,
    };
    loop {
        let seconds = left().min(LOOK).as_millis().div_ceil(1_000);
        let request = client.request(Method::GET, &["invocations", &id.to_string()]);
        let answer: Answer<Invocation> = client.json(request.query(&[("wait", format!("{seconds}s"))])).await?;
        if answer.value.status.is_settled() || left().is_zero() {
            return Ok(answer);
        }
        sleep(PAUSE).await;
    }
}

/// An error where the patience has ended before the invocation was settled.
pub(super) fn check_settled(invocation: &Invocation) -> Result<(), Error> {
    let Invocation { id, status, .. } = invocation;
    if status.is_settled() { Ok(()) } else { Err(Error::NotSettled { id: id.clone(), status: *status }) }
}
