//! Tidemill: a WebAssembly function runtime with durable asynchronous invocation.
//!
//! Reading order is declaration order: each module may use those above it, never those below
//! (`tests/it/layers.rs` holds that).

pub mod model;

pub mod clock;
pub mod config;
pub mod tasks;
pub mod telemetry;
pub mod tls;

pub mod store;

pub mod key_value;
pub mod vault;

pub mod core_dumps;

pub mod signature;

pub mod outbound;

pub mod oci;

pub mod access;
pub mod operations;

pub mod engine;

pub mod registry;
pub mod worker;

pub mod messaging;

pub mod delivery;

pub mod triggers;

pub mod dispatch;

pub mod runtime;

pub mod http;

pub mod examples;
pub mod serve;

pub mod cli;
