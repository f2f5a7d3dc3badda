//! Runs guests: a module and what it may use go in, a result or a failure comes out.
//!
//! It decides what a module's entrypoint is, keeps compiled code, and holds each run to its memory and its
//! time. It knows no store, no retries and no HTTP connections; whether to run again is for others to decide,
//! and a guest's misbehaviour is a [`call::Ran`] like any other.
//!
//! Guests have threads of their own (`guests`), so that one that computes without end slows down neither the
//! listener nor the store. One that is done at once has no use for them, and begins where it is asked for (`front`). A guest
//! that computes for more than a tick or two (`epoch`) takes turns with its like (`turns`).

pub mod asks;
pub mod call;

mod build;

mod settings;

mod epoch;
mod front;
mod turns;

mod guests;
mod limits;
mod meter;
mod output;
mod refused;
mod trap;

mod host;

mod scan;
mod strip;

mod engines;
mod seal;
mod wants;

mod cgi;
mod code;
mod disk;
mod imports;

mod entrypoint;

mod ready;
mod rest;

mod compile;
mod dump;
mod run;
mod shared;

mod handle;

pub(crate) mod fuzz;

pub use build::{Build, CodeId, Flavor};
pub use compile::{Compiled, Told, compile};
pub use entrypoint::{Misfit, Signature};
pub use handle::Engine;
pub use host::RefusedDirectory;
pub use ready::Ready;
pub use refused::{LoadError, Refused};
pub use settings::{CompilerProgram, EngineError, Reach, Settings};
pub use wants::{Outside, look_at};

#[cfg(test)]
mod tests;
