//! The command line: what was typed goes in, requests to a server go out, and the answers come back as tables
//! or JSON. Talks to a server over HTTP only; but `serve` becomes a server itself, `store` works on the files of
//! one that is not running, `compile` is what a server runs to have a module compiled, `new` makes a folder, and `plan`,
//! `apply` and `export` read and write a file that describes a server.
//!
//! `args` is all that can be typed, `run` carries it out, and each command has a file of its own. Here, too,
//! a file uses those declared above it.

mod content;
mod units;
mod variable;

mod api;
mod error;
mod figures;

mod output;

mod address;
mod input;
mod request;

mod client;

mod filter;
mod progress;
mod wait;

mod access;
mod async_config;
mod connections;
mod deliveries;
mod keep;
mod kv;
mod objects;
mod queue;
mod queues;
mod runtime;
mod secrets;
mod streams;
mod topics;
mod webhooks;

mod deploy;
mod functions;
mod invoke;
mod plan;
mod triggers;
mod yc;

mod bulk;
mod drawing;
mod invocation_text;
mod invocations;

mod compile;
mod completions;
mod grants;
mod graph;
mod new;
mod serve;

mod store;

mod bench;

mod args;

mod run;

pub use error::exit;
pub use run::main;
