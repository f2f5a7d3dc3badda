//! `secrets`: what functions are entrusted with. Values go in, and never come out.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use reqwest::Method;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::client::Client;
use super::error::Error;
use super::input;
use super::output::{self, Output};
use crate::model::bounds;
use crate::model::names::SecretName;

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum Command {
    /// Set a secret, or replace its value: attempts that start from then on get the new one
    Set {
        /// The secret
        name: SecretName,
        /// The file that holds the value, taken as it is [default: standard input, without the line break at its end]
        #[arg(long, value_name = "FILE")]
        from_file: Option<PathBuf>,
    },
    /// List the secrets: their names, never their values
    List,
    /// Delete a secret; attempts that need it fail from then on
    Delete {
        /// The secret
        name: SecretName,
    },
}

/// A secret as the server shows it.
#[derive(Debug, Deserialize)]
struct Shown {
    name: String,
    created_at: String,
    updated_at: String,
}

impl Command {
    pub(super) async fn run(self, client: &Client, output: Output) -> Result<(), Error> {
        match self {
            Self::Set { name, from_file } => {
                let value = value(from_file.as_deref()).await?;
                let request = client.in_namespace(Method::PUT, &["secrets", name.as_str()]);
                client.send(request.body(value.to_vec())).await?;
                output::note(&format!("set {name}"));
                Ok(())
            }
            Self::List => list(client, output).await,
            Self::Delete { name } => {
                client.send(client.in_namespace(Method::DELETE, &["secrets", name.as_str()])).await?;
                output::note(&format!("deleted {name}"));
                Ok(())
            }
        }
    }
}

/// The value to set. More of it than a secret may have is not read: the server says what is wrong with that.
async fn value(from_file: Option<&Path>) -> Result<Zeroizing<Vec<u8>>, Error> {
    let most = bounds::MAX_SECRET_BYTES + 2; // and a line break
    let Some(path) = from_file else {
        let usage = "the value comes from standard input or a file: `printf %s VALUE | tidemill secrets set NAME`";
        let mut value = Zeroizing::new(input::piped(most, || usage.to_owned()).await?);
        if value.last() == Some(&b'\n') {
            value.pop();
            if value.last() == Some(&b'\r') {
                value.pop();
            }
        }
        return Ok(value);
    };
    let mut value = Zeroizing::new(Vec::new());
    let read = std::fs::File::open(path).and_then(|file| file.take(most as u64 + 1).read_to_end(&mut value));
    read.map(|_| value).map_err(|cause| Error::Unreadable { path: path.to_owned(), cause })
}

async fn list(client: &Client, output: Output) -> Result<(), Error> {
    let request = || client.in_namespace(Method::GET, &["secrets"]);
    let secrets = client.list::<Shown>("secrets", bounds::MAX_SECRETS, request).await?;
    if secrets.value.items.is_empty() && !output.json {
        output::note("no secrets: set one with `tidemill secrets set NAME`");
        return Ok(());
    }
    output.answer(&secrets, |secrets| {
        let rows = secrets.items.iter().map(|it| [it.name.clone(), it.created_at.clone(), it.updated_at.clone()]);
        output::table(["NAME", "CREATED", "UPDATED"], rows)
    })
}
