//! What must hold of a chain whatever crashes, checked in every state that can be reached: a small world, a few
//! invocations, and every order of claims, ends, commits, lost answers, crashes, power cuts and cancels.
//!
//! The life of an invocation is the program's own ([`tidemill::model::invocation::Invocation::apply`]); how it is
//! written is what `dispatch` and a store promise one another: what settles an invocation and what follows from it are
//! one group; ids of what follows are derived; a claim is written, not synced, before its attempt starts; what is synced
//! takes along all that was written before. A rule that breaks one of these must be found out, or the search
//! would prove nothing.
//!
//! | file      | decides                                              |
//! | --------- | ---------------------------------------------------- |
//! | `world`   | the state of everything: disk, process, clients      |
//! | `moves`   | what may happen next, and what it leads to           |
//! | `promise` | what must hold in each state and over each move      |
//! | `search`  | every state, breadth first                           |

mod moves;
mod promise;
mod search;
mod world;

use search::{Found, search};
use world::{Rule, World};

/// Fewer would mean that something which may happen does not.
const LEAST_STATES: usize = 10_000;

#[test]
fn no_order_of_crashes_and_lost_answers_breaks_a_promise_about_a_chain() {
    match search(World::start(Rule::Real)) {
        Found::Nothing { states, settled } => {
            crate::told(&format!("specification: {states} states, {settled} of them with everything settled"));
            assert!(states > LEAST_STATES, "{states}");
            assert!(settled > 0);
        }
        Found::Broken { promise, path } => panic!("{promise} after\n{path:#?}"),
    }
}

#[test]
fn settling_in_two_commits_would_lose_a_hop() {
    check(Rule::SettlesInTwoCommits, "leads to nothing");
}

#[test]
fn ids_that_are_drawn_at_random_would_double_a_hop() {
    check(Rule::DrawsIds, "leads to two");
}

#[test]
fn claims_that_are_not_written_would_start_attempts_without_end() {
    check(Rule::ForgetsClaims, "attempts started");
}

#[test]
fn a_claim_that_does_not_look_at_the_age_would_start_an_attempt_too_late() {
    check(Rule::IgnoresAge, "too old");
}

#[test]
fn a_settling_that_is_not_synced_would_change_its_outcome() {
    check(Rule::SettlesUnsynced, "outcome");
}

#[test]
fn an_acceptance_that_is_not_synced_would_be_lost() {
    check(Rule::AcceptsUnsynced, "acknowledged");
}

/// The broken rule must be found to break the promise.
#[track_caller]
fn check(rule: Rule, part: &str) {
    match search(World::start(rule)) {
        Found::Nothing { states, .. } => panic!("{rule:?}: nothing found in {states} states"),
        Found::Broken { promise, path } => assert!(promise.contains(part), "{promise} after\n{path:#?}"),
    }
}
