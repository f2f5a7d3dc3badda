//! A clock that was set back or forth while the server was off: what it finds is from the future, or from long ago.

use std::num::NonZeroU32;
use std::time::Duration;

use tidemill::model::invocation::{Invocation, State};
use tidemill::model::names::InvocationId;
use tidemill::model::time::Timestamp;
use tidemill::store::embedded::EmbeddedStore;
use tidemill::store::{Change, Durability, Group, Store as _};

use super::support::{Server, Stopped, prebuilt};

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test(flavor = "multi_thread")]
async fn after_the_clock_was_set_back_what_waits_can_be_seen_and_cancelled_and_new_work_is_done() {
    let (stopped, template) = stopped_with_one_waiting().await;
    let future = written(&stopped, &template, |now| now + DAY).await;
    let server = stopped.restarted().await;
    assert_eq!(server.look(&future).await["status"], "queued");
    let new = server.accept("echo", "tide").await;
    server.settled(&new, "succeeded").await;
    server.post(&format!("/v1/invocations/{future}/cancel"), "").await.is(200);
    server.settled(&future, "cancelled").await;
    assert_eq!(server.listed("limit=10").await[0], future, "it says that it is the newest");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_clock_was_set_forth_what_waits_has_expired_and_new_work_is_done() {
    let (stopped, template) = stopped_with_one_waiting().await;
    let past = written(&stopped, &template, |now| now.minus(DAY)).await;
    let server = stopped.restarted().await;
    server.settled(&past, "expired").await;
    let new = server.accept("echo", "tide").await;
    server.settled(&new, "succeeded").await;
}

/// A server that has stopped while an invocation waited, and that one.
async fn stopped_with_one_waiting() -> (Stopped, String) {
    let server = Server::durable().await;
    server.deploy("echo", prebuilt("echo")).await;
    let id = server.accept_with("echo", "tide", &[("tidemill-delay", "600s")]).await;
    (server.terminated().await, id)
}

/// Writes an invocation like `template` that was accepted, and due, at another time; returns its id.
async fn written(stopped: &Stopped, template: &str, when: impl Fn(Timestamp) -> Timestamp) -> String {
    let store = EmbeddedStore::open(&stopped.data()).unwrap();
    let template = store.invocation(template.parse().unwrap()).await.unwrap().unwrap();
    let (id, at) = (InvocationId::from_bytes([7; 16]), when(template.accepted));
    let state = State::Queued { due: at, attempt: NonZeroU32::MIN };
    let written = Invocation { id, accepted: at, first_due: at, state, ..template };
    let group = Group(vec![Change::PutInvocation(Box::new(written))]);
    store.commit(group, Durability::Synced).await.unwrap();
    id.to_string()
}
