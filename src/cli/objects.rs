//! `objects`: what the server keeps in buckets of its own.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde::Deserialize;

use super::api::Answer;
use super::client::Client;
use super::error::Error;
use super::output::{self, Output};
use super::units;
use crate::model::object::{BucketName, ObjectKey};

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum Command {
    /// List the buckets, or the objects of one
    List {
        /// The bucket [default: list the buckets]
        bucket: Option<BucketName>,
        /// What the keys begin with
        #[arg(long, value_name = "TEXT", requires = "bucket")]
        prefix: Option<String>,
        /// How many objects at most
        #[arg(long, value_name = "N", default_value_t = 1_000, requires = "bucket")]
        limit: usize,
    },
    /// Print the content of an object as it is
    Get(Of),
    /// Delete an object
    Delete(Of),
}

// Which object.
#[derive(Debug, Args)]
pub(super) struct Of {
    /// The bucket
    bucket: BucketName,
    /// The key of the object
    key: ObjectKey,
}

#[derive(Debug, Deserialize)]
struct Buckets {
    buckets: Vec<Bucket>,
}

#[derive(Debug, Deserialize)]
struct Bucket {
    name: String,
}

/// An object as the server lists it.
#[derive(Debug, Deserialize)]
struct Object {
    key: String,
    bytes: u64,
    written_at: String,
    expires_at: Option<String>,
}

impl Of {
    fn path(&self) -> Vec<&str> {
        ["objects", self.bucket.as_str()].into_iter().chain(self.key.as_str().split('/')).collect()
    }
}

impl Command {
    pub(super) async fn run(self, client: &Client, output: Output) -> Result<(), Error> {
        match self {
            Self::List { bucket: None, .. } => buckets(client, output).await,
            Self::List { bucket: Some(bucket), prefix, limit } => {
                let request = || {
                    let request = client.in_namespace(Method::GET, &["objects", bucket.as_str()]);
                    request.query(prefix.as_ref().map(|prefix| ("prefix", prefix)).as_slice())
                };
                let objects = client.list::<Object>("objects", limit.max(1), request).await?;
                if objects.value.has_more && !output.json {
                    output::note(&format!("there are more: show them with `--limit {}`", limit.saturating_mul(10)));
                }
                output.answer(&objects, |objects| {
                    let rows = objects.items.iter().map(|it| {
                        let expires = output::or_dash(it.expires_at.clone());
                        [it.key.clone(), units::show_size(it.bytes), it.written_at.clone(), expires]
                    });
                    output::table(["KEY", "SIZE", "WRITTEN", "EXPIRES"], rows)
                })
            }
            Self::Get(of) => {
                let response = client.send(client.in_namespace(Method::GET, &of.path())).await?;
                output::bytes(&response.bytes().await.map_err(|error| client.lost(&error))?)
            }
            Self::Delete(of) => {
                client.send(client.in_namespace(Method::DELETE, &of.path())).await?;
                output::note(&format!("deleted {} in {}", of.key, of.bucket));
                Ok(())
            }
        }
    }
}

async fn buckets(client: &Client, output: Output) -> Result<(), Error> {
    let buckets: Answer<Buckets> = client.json(client.in_namespace(Method::GET, &["objects"])).await?;
    if buckets.value.buckets.is_empty() && !output.json {
        output::note("no buckets: a destination `object:BUCKET/PREFIX` makes one when something is put there");
        return Ok(());
    }
    output
        .answer(&buckets, |buckets| output::table(["NAME"], buckets.buckets.iter().map(|bucket| [bucket.name.clone()])))
}
