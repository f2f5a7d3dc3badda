//! What the tests of the real program are made with: a server to start, stop and ask, its answers, guests to
//! deploy, the program's other commands, and a way to wait.

mod answer;
mod certificate;
mod command;
mod guests;
mod peer;
mod receiver;
mod server;

use std::time::Duration;

pub(super) use answer::{Answer, attempts, texts};
pub(super) use certificate::{TLS, certificate};
pub(super) use command::{Finished, output, run, run_with};
pub(super) use guests::{hostile, prebuilt, prebuilt_path, write_hostile};
pub(super) use peer::Peer;
pub(super) use receiver::{Received, Receiver};
pub(super) use server::{Server, Stopped};

/// How long a test waits for something that is going to happen.
const PATIENCE: Duration = Duration::from_secs(180);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// Looks until there is something, and fails the test when there is nothing in time. `what` is waited for.
pub(super) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < end, "waited in vain for {what}");
        tokio::time::sleep(PAUSE).await;
    }
}
