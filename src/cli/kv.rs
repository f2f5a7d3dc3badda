//! `kv`: the key-value stores that functions keep things in.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use reqwest::Method;
use serde::Deserialize;

use super::api::Answer;
use super::client::Client;
use super::error::Error;
use super::input;
use super::output::{self, Output};
use super::units;
use crate::model::bounds;
use crate::model::names::StoreName;

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum Command {
    /// List the stores: there is one as soon as it has a key
    List,
    /// List the keys of a store, in no order that has a meaning
    Keys {
        /// The store
        store: StoreName,
        /// How many at most
        #[arg(long, value_name = "N", default_value_t = 1_000)]
        limit: usize,
    },
    /// Print the value under a key as it is
    Get(Of),
    /// Set the value under a key
    Set {
        #[command(flatten)]
        of: Of,
        /// The file that holds the value [default: standard input]
        #[arg(long, value_name = "FILE")]
        from_file: Option<PathBuf>,
    },
    /// Delete a key with its value
    Delete(Of),
}

// Which pair.
#[derive(Debug, Args)]
pub(super) struct Of {
    /// The store
    store: StoreName,
    /// The key
    key: String,
}

#[derive(Debug, Deserialize)]
struct Stores {
    stores: Vec<Store>,
}

#[derive(Debug, Deserialize)]
struct Store {
    name: String,
}

/// A key as the server lists it.
#[derive(Debug, Deserialize)]
struct Key {
    key: String,
    bytes: u64,
}

impl Of {
    fn path(&self) -> [&str; 3] {
        ["key-value", self.store.as_str(), &self.key]
    }
}

impl Command {
    pub(super) async fn run(self, client: &Client, output: Output) -> Result<(), Error> {
        match self {
            Self::List => {
                let stores: Answer<Stores> = client.json(client.in_namespace(Method::GET, &["key-value"])).await?;
                if stores.value.stores.is_empty() && !output.json {
                    output::note(
                        "no key-value stores: functions make them by setting a key, as `tidemill kv set` does",
                    );
                    return Ok(());
                }
                output.answer(&stores, |stores| {
                    output::table(["NAME"], stores.stores.iter().map(|store| [store.name.clone()]))
                })
            }
            Self::Keys { store, limit } => {
                let request = || client.in_namespace(Method::GET, &["key-value", store.as_str()]);
                let keys = client.list::<Key>("keys", limit.max(1), request).await?;
                if keys.value.has_more && !output.json {
                    output::note(&format!("there are more: show them with `--limit {}`", limit.saturating_mul(10)));
                }
                output.answer(&keys, |keys| {
                    let rows = keys.items.iter().map(|key| [output::plain(&key.key), units::show_size(key.bytes)]);
                    output::table(["KEY", "SIZE"], rows)
                })
            }
            Self::Get(of) => {
                let response = client.send(client.in_namespace(Method::GET, &of.path())).await?;
                output::bytes(&response.bytes().await.map_err(|error| client.lost(&error))?)
            }
            Self::Set { of, from_file } => {
                let value = value(from_file.as_deref()).await?;
                client.send(client.in_namespace(Method::PUT, &of.path()).body(value)).await?;
                output::note(&format!("set {} in {}", output::plain(&of.key), of.store));
                Ok(())
            }
            Self::Delete(of) => {
                client.send(client.in_namespace(Method::DELETE, &of.path())).await?;
                output::note(&format!("deleted {} in {}", output::plain(&of.key), of.store));
                Ok(())
            }
        }
    }
}

/// The value to set. More of it than a value may have is not read: the server says what is wrong with that.
async fn value(from_file: Option<&Path>) -> Result<Vec<u8>, Error> {
    let most = bounds::MAX_PAIR_VALUE_BYTES;
    let Some(path) = from_file else {
        let usage = "the value comes from standard input or a file: `printf %s VALUE | tidemill kv set STORE KEY`";
        return input::piped(most, || usage.to_owned()).await;
    };
    input::file(path, most).await
}
