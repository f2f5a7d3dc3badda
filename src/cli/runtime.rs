//! `runtime`: the server as a whole, and what of it can be changed while it runs.

use clap::Subcommand;
use reqwest::Method;

use super::client::Client;
use super::error::Error;
use super::figures::Runtime;
use super::output::{self, Output};
use super::units;

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum Command {
    /// Show what the server is doing, its limits and its room on disk
    Show,
    /// Change it until it is started again
    Set {
        /// How many attempts run at once
        #[arg(long, value_name = "N")]
        concurrency: u32,
    },
}

impl Command {
    pub(super) async fn run(self, client: &Client, output: Output) -> Result<(), Error> {
        let request = match self {
            Self::Show => client.request(Method::GET, &["runtime"]),
            Self::Set { concurrency } => {
                let body = serde_json::json!({ "concurrency": concurrency });
                client.request(Method::PUT, &["runtime"]).json(&body)
            }
        };
        output.answer(&client.json(request).await?, text)
    }
}

fn text(runtime: &Runtime) -> String {
    let Runtime { live, store, .. } = runtime;
    output::pairs([
        ("version", runtime.version.clone()),
        ("started", runtime.started_at.clone()),
        ("functions", runtime.functions.to_string()),
        ("concurrency", format!("{}, at most {}", runtime.concurrency, runtime.max_concurrency)),
        ("running", runtime.running.to_string()),
        ("waiting or running", format!("{} ({})", live.count, units::show_size(live.bytes))),
        ("hop limit", runtime.hop_limit.to_string()),
        (
            "on disk",
            format!("{}, {} of it in use", units::show_size(store.disk_bytes), units::show_size(store.live_bytes)),
        ),
        ("room", store.room.clone()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_shown_with_its_load_and_its_limits() {
        let runtime = serde_json::from_value(serde_json::json!({
            "version": "0.1.0", "started_at": "2026-01-01T00:00:00.000Z", "uptime_s": 5, "functions": 3,
            "concurrency": 64, "max_concurrency": 256, "running": 2, "live": {"count": 9, "bytes": 2048}, "hop_limit": 16,
            "store": {"room": "plenty", "disk_bytes": 4096, "live_bytes": 1024},
        }));
        let expected = "\
version             0.1.0
started             2026-01-01T00:00:00.000Z
functions           3
concurrency         64, at most 256
running             2
waiting or running  9 (2 KiB)
hop limit           16
on disk             4 KiB, 1 KiB of it in use
room                plenty";
        assert_eq!(text(&runtime.unwrap()), expected);
    }
}
