//! `connections`: the ways to services outside. Their keys are secrets, which are named here and set elsewhere.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::client::Client;
use super::error::Error;
use super::output::{self, Output};
use crate::model::bounds;
use crate::model::names::{ConnectionName, SecretName};

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum Command {
    /// List the connections
    List,
    /// Set a connection, or replace it: what is delivered from then on goes by it
    #[command(subcommand)]
    Set(Set),
    /// Delete a connection; deliveries that need it fail from then on
    Delete {
        /// The connection
        name: ConnectionName,
    },
}

/// What a connection leads to.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum Set {
    /// An object store that speaks S3, for destinations `object:BUCKET/PREFIX`
    ///
    /// Objects with an expiry get the tag `tidemill-expires-days`: have a lifecycle rule of the bucket delete what has
    /// it; the key needs the right to set tags. OBS of Huawei Cloud needs no rule.
    #[command(verbatim_doc_comment)]
    S3 {
        #[command(flatten)]
        of: Signed,
        /// Write the bucket into the path, and not in front of the host
        #[arg(long)]
        path_style: bool,
    },
    /// Message queues that speak SQS, for destinations `queue:NAME` and `queue:https://...`
    Sqs(Signed),
    /// A NATS server with JetStream, for destinations `stream:SUBJECT`
    Nats {
        /// The connection
        name: ConnectionName,
        /// Where the server is: `nats://HOST:PORT`, or `tls://HOST:PORT`
        #[arg(long)]
        url: String,
        /// The user
        #[arg(long, requires = "password_from", conflicts_with = "token_from")]
        user: Option<String>,
        /// The secret that is the password
        #[arg(long, value_name = "SECRET", requires = "user")]
        password_from: Option<SecretName>,
        /// The secret that is a token, in place of user and password
        #[arg(long, value_name = "SECRET")]
        token_from: Option<SecretName>,
    },
}

// What services have that requests are signed for.
#[derive(Debug, Args)]
pub(super) struct Signed {
    /// The connection
    name: ConnectionName,
    /// Where the service is: `https://HOST` [default: that of Amazon in the region]
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// The region that requests are signed for
    #[arg(long, default_value = "us-east-1")]
    region: String,
    /// The name of the access key
    #[arg(long, value_name = "ID")]
    access_key_id: String,
    /// The secret that is the access key
    #[arg(long, value_name = "SECRET")]
    secret_key_from: SecretName,
    /// The secret that is the session token of a temporary key
    #[arg(long, value_name = "SECRET")]
    session_token_from: Option<SecretName>,
}

/// A connection as the server takes it.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Body {
    Nats {
        url: String,
        user: Option<String>,
        password: Option<FromSecret>,
        token: Option<FromSecret>,
    },
    S3 {
        #[serde(flatten)]
        of: SignedBody,
        path_style: bool,
    },
    Sqs(SignedBody),
}

#[derive(Debug, Serialize)]
struct SignedBody {
    endpoint: Option<String>,
    region: String,
    access_key_id: String,
    secret_key: FromSecret,
    session_token: Option<FromSecret>,
}

#[derive(Debug, Serialize)]
struct FromSecret {
    secret: SecretName,
}

/// A connection as the server shows it.
#[derive(Debug, Deserialize)]
struct Shown {
    name: String,
    kind: String,
    url: Option<String>,
    endpoint: Option<String>,
    region: Option<String>,
    updated_at: String,
}

impl Set {
    fn parts(self) -> (ConnectionName, Body) {
        let from = |name: Option<SecretName>| name.map(|secret| FromSecret { secret });
        match self {
            Self::S3 { of, path_style } => {
                let (name, of) = of.parts();
                (name, Body::S3 { of, path_style })
            }
            Self::Sqs(of) => {
                let (name, of) = of.parts();
                (name, Body::Sqs(of))
            }
            Self::Nats { name, url, user, password_from, token_from } => {
                (name, Body::Nats { url, user, password: from(password_from), token: from(token_from) })
            }
        }
    }
}

impl Signed {
    fn parts(self) -> (ConnectionName, SignedBody) {
        let body = SignedBody {
            endpoint: self.endpoint,
            region: self.region,
            access_key_id: self.access_key_id,
            secret_key: FromSecret { secret: self.secret_key_from },
            session_token: self.session_token_from.map(|secret| FromSecret { secret }),
        };
        (self.name, body)
    }
}

impl Command {
    pub(super) async fn run(self, client: &Client, output: Output) -> Result<(), Error> {
        match self {
            Self::List => list(client, output).await,
            Self::Set(set) => {
                let (name, body) = set.parts();
                let request = client.in_namespace(Method::PUT, &["connections", name.as_str()]);
                client.send(request.json(&body)).await?;
                output::note(&format!("set {name}"));
                Ok(())
            }
            Self::Delete { name } => {
                client.send(client.in_namespace(Method::DELETE, &["connections", name.as_str()])).await?;
                output::note(&format!("deleted {name}"));
                Ok(())
            }
        }
    }
}

async fn list(client: &Client, output: Output) -> Result<(), Error> {
    let request = || client.in_namespace(Method::GET, &["connections"]);
    let connections = client.list::<Shown>("connections", bounds::MAX_SERVICES, request).await?;
    if connections.value.items.is_empty() && !output.json {
        output::note("no connections: set one with `tidemill connections set`");
        return Ok(());
    }
    output.answer(&connections, |connections| {
        let rows = connections.items.iter().map(|it| {
            let at = it.url.clone().or_else(|| it.endpoint.clone());
            let at = at.or_else(|| it.region.as_ref().map(|region| format!("Amazon in {region}")));
            [it.name.clone(), it.kind.clone(), output::or_dash(at), it.updated_at.clone()]
        });
        output::table(["NAME", "KIND", "AT", "UPDATED"], rows)
    })
}
