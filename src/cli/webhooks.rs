//! `webhooks`: the keys that a namespace's webhooks are signed with.

use std::time::Duration;

use clap::Subcommand;
use reqwest::Method;
use serde::Deserialize;

use super::client::Client;
use super::error::Error;
use super::output::{self, Output};
use super::units;
use crate::model::time::whole_ms;

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum Command {
    /// Show the keys that sign now, the newest first, for whoever checks the signatures; the first is made when it is
    /// asked for
    Keys,
    /// Make a new key; the one before signs beside it until receivers have changed
    Rotate {
        /// How long it does; `0s` for a key that has got into wrong hands
        #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = units::duration)]
        overlap: Duration,
    },
}

#[derive(Debug, Deserialize)]
struct Keys {
    keys: Vec<SigningKey>,
}

#[derive(Debug, Deserialize)]
struct SigningKey {
    key: String,
    created_at: String,
    signs_until: Option<String>,
}

impl Command {
    pub(super) async fn run(self, client: &Client, output: Output) -> Result<(), Error> {
        let request = match self {
            Self::Keys => client.in_namespace(Method::GET, &["webhooks", "keys"]),
            Self::Rotate { overlap } => {
                let overlap = units::show_duration(whole_ms(overlap));
                client.in_namespace(Method::POST, &["webhooks", "keys", "rotate"]).query(&[("overlap", overlap)])
            }
        };
        output.answer(&client.json::<Keys>(request).await?, |keys| {
            let rows = keys.keys.iter();
            let rows = rows.map(|it| [it.key.clone(), it.created_at.clone(), output::or_dash(it.signs_until.clone())]);
            output::table(["KEY", "CREATED", "SIGNS UNTIL"], rows)
        })
    }
}
