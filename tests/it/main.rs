//! The integration tests, as one program: what the parts promise, seen from outside the crate.

#![expect(clippy::unwrap_used, reason = "the whole program is a test; clippy knows only functions marked as one")]

mod crash;
mod layers;
mod process;
mod store;
mod store_commands;
mod third_party;
