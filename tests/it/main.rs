//! The integration tests, as one program: what the parts promise, seen from outside the crate.

#![expect(clippy::unwrap_used, reason = "the whole program is a test; clippy knows only functions marked as one")]

mod bench;
mod crash;
mod fuzz;
mod layers;
mod power;
mod process;
mod services;
mod specification;
mod store;
mod store_commands;
mod third_party;

/// Says that something is not tested here, which is a failure where everything must be.
fn skipped(what: &str) {
    let everything = std::env::var_os("TIDEMILL_TEST_ALL").is_some_and(|all| all == "1");
    assert!(!everything, "not tested: {what}");
    told(&format!("skipped: {what}"));
}

/// Says something that is worth knowing of a test that succeeds.
fn told(what: &str) {
    use std::io::Write as _;
    #[expect(clippy::explicit_write, reason = "what `eprintln!` writes is shown for failed tests alone")]
    writeln!(std::io::stderr(), "{what}").unwrap();
}
