//! The command line: what was typed goes in, requests to a server go out, and the answers come back as tables
//! or JSON. Talks to a server over HTTP only; `serve` is the one command that becomes a server itself.
//!
//! Read [`args`] for what can be typed, [`run`] for how it is carried out, and one file for each command.

mod units;

mod api;
mod error;
mod output;

mod client;
mod wait;

mod async_config;
mod completions;
mod deploy;
mod drawing;
mod functions;
mod graph;
mod invocations;
mod invoke;
mod progress;
mod serve;

mod args;
mod run;

pub use error::exit;
pub use run::main;
