//! The integration tests, as one program: what the parts promise, seen from outside the crate.

mod store;
