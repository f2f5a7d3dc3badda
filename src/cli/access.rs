//! `access`: service accounts, their roles, tokens and keys, and the log of changes.

use std::time::Duration;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::api::Answer;
use super::client::Client;
use super::error::Error;
use super::output::{self, Output, or_dash};
use super::units;
use crate::model::access::Role;
use crate::model::names::AccountName;

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum Command {
    /// Make, list and remove service accounts
    #[command(subcommand)]
    Accounts(Accounts),
    /// List the roles that there are, and what each is for
    Roles,
    /// Give an account a role
    Grant(Given),
    /// Take a role from an account: what acts by it is refused from then on
    Revoke(Given),
    /// Make, list and revoke the tokens of an account
    #[command(subcommand)]
    Tokens(Credentials),
    /// Make, list and revoke the keys of an account, which requests are signed with
    #[command(subcommand)]
    Keys(Credentials),
    /// Show what was changed by whom, the latest first
    Audit {
        /// How many at most
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
    },
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum Accounts {
    /// Make an account, without any role
    Create {
        /// The account
        account: AccountName,
    },
    /// List the accounts of the namespace, with their roles
    List,
    /// Remove an account with its roles, tokens and keys
    Delete {
        /// The account
        account: AccountName,
    },
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum Credentials {
    /// Make one, and print it: it is shown this once
    Create {
        /// The account
        account: AccountName,
        /// How long it is good, in whole seconds, such as `90d` [default: until it is revoked]
        #[arg(long, value_name = "DURATION", value_parser = whole_seconds)]
        expires: Option<Duration>,
    },
    /// List them, without what is secret of them
    List {
        /// The account
        account: AccountName,
    },
    /// Revoke one: it is good for nothing from then on
    Revoke {
        /// The account
        account: AccountName,
        /// Its id, as `list` shows it
        id: String,
    },
}

// A role of an account.
#[derive(Debug, Args)]
pub(super) struct Given {
    /// The account; `everyone` stands for whoever shows nothing
    account: AccountName,
    /// The role; `tidemill access roles` lists them
    role: Role,
    /// On what: `everything`, `namespace:NAME`, or `KIND:NAME` such as `function:resize` or `queue:jobs` [default: the
    /// namespace]
    #[arg(long, value_name = "WHAT")]
    on: Option<String>,
}

fn whole_seconds(text: &str) -> Result<Duration, String> {
    let time = units::duration(text).map_err(|error| error.to_string())?;
    let is_good = !time.is_zero() && time.subsec_nanos() == 0;
    is_good
        .then_some(time)
        .ok_or_else(|| format!("`{text}` is no time to be good for: write whole seconds, such as `1s`"))
}

#[derive(Debug, Deserialize)]
struct AccountsOut {
    accounts: Vec<AccountOut>,
}

#[derive(Debug, Deserialize)]
struct AccountOut {
    name: String,
    created_at: String,
    roles: Vec<RoleHeld>,
}

#[derive(Debug, Deserialize)]
struct RoleHeld {
    role: String,
    on: String,
}

#[derive(Debug, Deserialize)]
struct RolesOut {
    roles: Vec<RoleOut>,
}

#[derive(Debug, Deserialize)]
struct RoleOut {
    role: String,
    on: Vec<String>,
    is_for: String,
}

#[derive(Debug, Deserialize)]
struct CredentialsOut {
    #[serde(alias = "tokens", alias = "keys")]
    items: Vec<CredentialOut>,
}

#[derive(Debug, Deserialize)]
struct CredentialOut {
    id: String,
    created_at: String,
    expires_at: Option<String>,
    used_at: Option<String>,
}

#[derive(Debug, Deserialize)]
struct MadeOut {
    id: String,
    token: Option<String>,
    secret: Option<String>,
}

#[derive(Debug, Deserialize)]
struct EntryOut {
    at: String,
    who: String,
    action: String,
    on: String,
    status: u16,
}

/// Which of the two kinds a command is about.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Token,
    Key,
}

impl Kind {
    const fn path(self) -> &'static str {
        match self {
            Self::Token => "tokens",
            Self::Key => "keys",
        }
    }
}

impl Command {
    pub(super) async fn run(self, client: &Client, output: Output) -> Result<(), Error> {
        match self {
            Self::Accounts(command) => command.run(client, output).await,
            Self::Roles => {
                let roles: Answer<RolesOut> = client.json(client.request(Method::GET, &["roles"])).await?;
                output.answer(&roles, |roles| {
                    let rows = roles.roles.iter().map(|it| [it.role.clone(), it.on.join(", "), it.is_for.clone()]);
                    output::table(["ROLE", "ON A", "FOR"], rows)
                })
            }
            Self::Grant(given) => given.send(client, output, Method::POST).await,
            Self::Revoke(given) => given.send(client, output, Method::DELETE).await,
            Self::Tokens(command) => command.run(Kind::Token, client, output).await,
            Self::Keys(command) => command.run(Kind::Key, client, output).await,
            Self::Audit { limit } => audit(limit, client, output).await,
        }
    }
}

impl Accounts {
    async fn run(self, client: &Client, output: Output) -> Result<(), Error> {
        match self {
            Self::Create { account } => {
                let request = client.in_namespace(Method::PUT, &["accounts", account.as_str()]);
                let made: Answer<AccountOut> = client.json(request).await?;
                output::note(&format!("made {account}: give it a role with `tidemill access grant {account} ROLE`"));
                if output.json { output::line(&made.raw) } else { Ok(()) }
            }
            Self::List => {
                let accounts: Answer<AccountsOut> =
                    client.json(client.in_namespace(Method::GET, &["accounts"])).await?;
                if accounts.value.accounts.is_empty() && !output.json {
                    output::note("no service accounts: make one with `tidemill access accounts create NAME`");
                    return Ok(());
                }
                output.answer(&accounts, |accounts| {
                    let rows = accounts.accounts.iter().map(|it| [it.name.clone(), it.roles(), it.created_at.clone()]);
                    output::table(["NAME", "ROLES", "CREATED"], rows)
                })
            }
            Self::Delete { account } => {
                client.send(client.in_namespace(Method::DELETE, &["accounts", account.as_str()])).await?;
                output::note(&format!("removed {account}"));
                Ok(())
            }
        }
    }
}

impl AccountOut {
    fn roles(&self) -> String {
        or_dash(self.roles.iter().map(|it| format!("{} on {}", it.role, it.on)).collect::<Vec<_>>().join(", "))
    }
}

impl Given {
    async fn send(self, client: &Client, output: Output, method: Method) -> Result<(), Error> {
        let Self { account, role, on } = self;
        let request = client.in_namespace(method.clone(), &["accounts", account.as_str(), "roles"]);
        let request = if method == Method::POST {
            request.body(json!({ "role": role.as_str(), "on": on }).to_string())
        } else {
            let on = on.as_ref().map(|on| ("on", on.as_str()));
            request.query(&[("role", role.as_str())]).query(on.as_slice())
        };
        let account: Answer<AccountOut> = client.json(request).await?;
        output.answer(&account, |account| format!("{}: {}", account.name, account.roles()))
    }
}

impl Credentials {
    async fn run(self, kind: Kind, client: &Client, output: Output) -> Result<(), Error> {
        match self {
            Self::Create { account, expires } => {
                let body = json!({ "expires_s": expires.map(|time| time.as_secs()) });
                let request = client.in_namespace(Method::POST, &["accounts", account.as_str(), kind.path()]);
                let made: Answer<MadeOut> = client.json(request.body(body.to_string())).await?;
                if !output.json {
                    output::note("this is shown once: keep it where nobody else reads it");
                }
                output.answer(&made, |made| match (&made.token, &made.secret) {
                    (Some(token), _) => token.clone(),
                    (None, secret) => output::pairs([
                        ("access key id", made.id.clone()),
                        ("secret", secret.clone().unwrap_or_default()),
                    ]),
                })
            }
            Self::List { account } => {
                let request = client.in_namespace(Method::GET, &["accounts", account.as_str(), kind.path()]);
                let listed: Answer<CredentialsOut> = client.json(request).await?;
                if listed.value.items.is_empty() && !output.json {
                    let path = kind.path();
                    output::note(&format!("no {path}: make one with `tidemill access {path} create {account}`"));
                    return Ok(());
                }
                output.answer(&listed, |listed| {
                    let rows = listed.items.iter().map(|it| {
                        let (expires, used) = (or_dash(it.expires_at.clone()), or_dash(it.used_at.clone()));
                        [it.id.clone(), it.created_at.clone(), expires, used]
                    });
                    output::table(["ID", "CREATED", "EXPIRES", "LAST USED"], rows)
                })
            }
            Self::Revoke { account, id } => {
                let path = ["accounts", account.as_str(), kind.path(), &id];
                client.send(client.in_namespace(Method::DELETE, &path)).await?;
                output::note(&format!("revoked {}", output::plain(&id)));
                Ok(())
            }
        }
    }
}

async fn audit(limit: usize, client: &Client, output: Output) -> Result<(), Error> {
    let request = || client.request(Method::GET, &["audit"]);
    let entries = client.list::<EntryOut>("entries", limit.max(1), request).await?;
    output.answer(&entries, |entries| {
        let rows = entries.items.iter().map(|it| {
            let who = or_dash(it.who.clone());
            [it.at.clone(), who, it.action.clone(), it.on.clone(), it.status.to_string()]
        });
        output::table(["AT", "WHO", "ACTION", "ON", "STATUS"], rows)
    })
}
