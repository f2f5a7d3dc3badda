//! What can be typed, and the only place where the environment is read.

use std::env;
use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use super::address::Server;
use super::client::Token;
use super::compile::Compile;
use super::deploy::Deploy;
use super::error::{Error, exit};
use super::graph::Show;
use super::invoke::Invoke;
use super::new::New;
use super::plan::{Apply, Export, Plan};
use super::serve::Settings;
use super::yc::Yc;
use super::{
    access, async_config, bench, connections, deliveries, functions, invocations, kv, objects, queue, queues, runtime,
    secrets, store, streams, topics, triggers, webhooks,
};
use crate::model::names::Namespace;
use crate::telemetry::LogFormat;

/// A WebAssembly function runtime with durable asynchronous invocation
#[derive(Debug, Parser)]
#[command(name = "tidemill", version, after_help = exit::HELP, disable_help_subcommand = true)]
pub(super) struct Typed {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

// What every command understands.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// The server to talk to [env: `TIDEMILL_SERVER`] [default: `http://127.0.0.1:8090`]
    #[arg(long, global = true, value_name = "URL")]
    server: Option<Server>,
    /// The namespace that is meant [env: `TIDEMILL_NAMESPACE`] [default: default; lists of functions, invocations
    /// and deliveries, and the graph, show all of them]
    #[arg(long, global = true, value_name = "NAME")]
    namespace: Option<Namespace>,
    /// The file that holds a token to show the server [default: the token in `TIDEMILL_TOKEN`]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,
    /// Certificates of authorities, in PEM, to trust besides the public ones
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) ca: Option<PathBuf>,
    /// Print the API's JSON instead of tables
    #[arg(long, global = true)]
    pub(super) json: bool,
}

/// The server where none is named.
const DEFAULT_SERVER: &str = "http://127.0.0.1:8090";

impl Global {
    /// The server to talk to.
    pub(super) fn server(&self) -> Result<Server, Error> {
        let named = named(self.server.as_ref(), "TIDEMILL_SERVER")?;
        named.map_or_else(|| DEFAULT_SERVER.parse(), Ok).map_err(|error| Error::Usage(error.to_string()))
    }

    /// The namespace that was named.
    pub(super) fn namespace(&self) -> Result<Option<Namespace>, Error> {
        named(self.namespace.as_ref(), "TIDEMILL_NAMESPACE")
    }

    /// The token to show.
    pub(super) fn token(&self) -> Result<Option<Token>, Error> {
        match &self.token_file {
            Some(path) => Token::read(path).map(Some),
            None => Ok(variable("TIDEMILL_TOKEN")?.map(Token::new)),
        }
    }
}

/// What was typed, or else what stands in the environment. That is read when it is needed and not by clap: what is wrong
/// with it is nothing to a command that does without.
fn named<T: Clone + FromStr<Err: Display>>(typed: Option<&T>, name: &str) -> Result<Option<T>, Error> {
    if let Some(typed) = typed {
        return Ok(Some(typed.clone()));
    }
    let read = |text: String| text.parse().map_err(|error| Error::Usage(format!("{name}={text} is set: {error}")));
    variable(name)?.map(read).transpose()
}

/// What stands in a variable of the environment. One that is empty counts as one that is not there.
fn variable(name: &str) -> Result<Option<String>, Error> {
    match env::var(name) {
        Ok(text) => Ok(Some(text).filter(|text| !text.is_empty())),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(Error::Usage(format!("the variable {name} holds no text"))),
    }
}

// Whether the server asks who sends a request.
#[derive(Debug, Args)]
pub(super) struct Asking {
    /// Ask who sends a request: each needs a token or a signature of a service account that may do it (`tidemill access`).
    /// At the first start an account `admin` is made, and its token is left in the file `admin.token` in the folder of
    /// --data [env: `TIDEMILL_AUTH=true`]
    #[arg(long, help_heading = "Who may reach it")]
    auth: bool,
}

impl Asking {
    /// Whether it does.
    pub(super) fn is_wanted(&self) -> Result<bool, Error> {
        named(self.auth.then_some(&true), "TIDEMILL_AUTH").map(Option::unwrap_or_default)
    }
}

// What the server logs, and how.
#[derive(Debug, Args)]
pub(super) struct Log {
    /// What to log: a level, or a list such as `info,tidemill::dispatch=debug` [env: `TIDEMILL_LOG`] [default: info]
    #[arg(long = "log", value_name = "FILTER")]
    filter: Option<String>,
    /// How log lines look
    #[arg(
        long = "log-format",
        value_name = "FORMAT",
        default_value = "text",
        value_parser = PossibleValuesParser::new(["text", "json"]).map(|text| log_format(&text))
    )]
    pub(super) format: LogFormat,
}

impl Log {
    /// What to log.
    pub(super) fn filter(&self) -> Result<String, Error> {
        named(self.filter.as_ref(), "TIDEMILL_LOG").map(|filter| filter.unwrap_or_else(|| "info".to_owned()))
    }
}

fn log_format(text: &str) -> LogFormat {
    if text == "json" { LogFormat::Json } else { LogFormat::Text }
}

/// The commands, in the order in which one meets them.
///
/// `defer`, here and at those below: what a command takes is put together when it is the one that was typed. All of it is
/// code that a server would have in its memory for as long as it runs.
///
/// What is put together then comes after a command's own description, so a struct of arguments has none: a doc comment there
/// would take its place. Such a struct has its comment in two slashes.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum Command {
    /// Run a server
    Serve {
        #[command(flatten)]
        settings: Box<Settings>,
        #[command(flatten)]
        asking: Asking,
        #[command(flatten)]
        log: Log,
    },
    /// Make a folder with a function to start from, in Rust, C, JavaScript or Python
    New(New),
    #[command(flatten)]
    Remote(Remote),
    /// Look after the files of a store that no server has open
    #[command(subcommand)]
    Store(store::Command),
    /// Compile a module to native code for servers of this version
    ///
    /// The code runs on machines of this kind, in servers of this very version; one of another version compiles again.
    /// Put into the folder `cache` of a server's data, under the name that it gets when OUT is a folder, it spares that
    /// server the work. It is native code: give a server none that you do not trust.
    Compile(Compile),
    /// Find out what a server withstands, on servers of its own
    #[command(subcommand)]
    Bench(bench::Command),
    /// Print the OpenAPI document of the HTTP API, which a server gives at /openapi.json
    Openapi,
    /// Print the script that completes commands in a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// The commands that talk to a server.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum Remote {
    /// Deploy a module as a function, or as a new version of one
    Deploy(Box<Deploy>),
    /// Show what would change for a server to be as a file describes it
    Plan(Plan),
    /// Make a server what a file describes
    Apply(Apply),
    /// Describe a server in a file, which `apply` reads
    Export(Export),
    /// Invoke a function
    Invoke(Invoke),
    /// List, show, name and delete functions
    #[command(subcommand)]
    Functions(functions::Command),
    /// Retries, age and destinations of a function's asynchronous invocations
    #[command(subcommand)]
    AsyncConfig(async_config::Command),
    /// Show, limit, pause and resume a function's queue
    #[command(subcommand)]
    Queue(queue::Command),
    /// List, show, cancel, retry, redrive and purge invocations
    #[command(subcommand)]
    Invocations(invocations::Command),
    /// List, redrive and purge what is on its way out of the server
    #[command(subcommand)]
    Deliveries(deliveries::Command),
    /// Show and rotate the keys that webhooks are signed with
    #[command(subcommand)]
    Webhooks(webhooks::Command),
    /// Draw which functions lead to which
    Graph(Show),
    /// Invoke functions when a time comes, or with the messages of a queue
    #[command(subcommand)]
    Triggers(triggers::Command),
    /// Make, list and delete message queues; send, receive and delete messages
    #[command(subcommand)]
    Queues(queues::Command),
    /// Set, list and delete what functions are entrusted with
    #[command(subcommand)]
    Secrets(secrets::Command),
    /// List, read and write the key-value stores of functions
    #[command(subcommand)]
    Kv(kv::Command),
    /// Make, append to and read streams
    #[command(subcommand)]
    Streams(streams::Command),
    /// Set, list and delete the ways to services outside
    #[command(subcommand)]
    Connections(connections::Command),
    /// List, read and delete what outcomes were put into buckets here
    #[command(subcommand)]
    Objects(objects::Command),
    /// Make topics, publish on them, and subscribe to them
    #[command(subcommand)]
    Topics(topics::Command),
    /// Who may do what: accounts, roles, tokens and keys, and the log of changes
    #[command(subcommand)]
    Access(access::Command),
    /// Show the server as a whole, and change what runs at once
    #[command(subcommand)]
    Runtime(runtime::Command),
    /// Command lines of Yandex' `yc`, with its flags and what it prints
    Yc(Yc),
}

#[cfg(test)]
#[path = "args_tests.rs"]
mod tests;
