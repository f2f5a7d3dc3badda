//! The embedded store when its journal may not grow any more: what makes room is always taken, so that nothing stays
//! full for good.

use std::time::Duration;

use tempfile::TempDir;
use tidemill::model::invocation::Invocation;
use tidemill::store::embedded::{EmbeddedStore, Settings};
use tidemill::store::{Change, Durability, Group, Part, Room, Store, StoreError};

use super::values::{commit, done, function_id, id, large, live, put, queued};

const SEGMENT_BYTES: u32 = 64 * 1_024;
const SEGMENTS: u64 = 12;
const PAYLOAD_BYTES: usize = 6_000;

/// A store of twelve small segments.
fn small(dir: &TempDir) -> EmbeddedStore {
    let max_journal_bytes = SEGMENTS * u64::from(SEGMENT_BYTES);
    let settings =
        Settings { segment_bytes: SEGMENT_BYTES, max_journal_bytes, min_free_bytes: 0, ..Settings::default() };
    EmbeddedStore::open_with(dir.path(), &settings).unwrap()
}

/// Whether the store took it, or had no room for it.
async fn takes(store: &EmbeddedStore, changes: impl IntoIterator<Item = Change>) -> bool {
    match store.commit(Group(changes.into_iter().collect()), Durability::Synced).await {
        Ok(()) => true,
        Err(StoreError::Full(_)) => false,
        Err(error) => panic!("{error}"),
    }
}

/// Accepts from `first` on until there is no room; returns the first that was not accepted.
async fn fill(store: &EmbeddedStore, first: u8) -> u8 {
    fill_with(queued, store, first).await
}

/// The same with such invocations.
async fn fill_with(invocation: fn(u8, u8) -> Invocation, store: &EmbeddedStore, first: u8) -> u8 {
    for n in first..u8::MAX {
        let payload = Change::PutBlob(id(n), Part::Payload, large(PAYLOAD_BYTES));
        if !takes(store, [put(&invocation(n, n)), payload]).await {
            return n;
        }
    }
    panic!("there is no end to the disk");
}

async fn settles(store: &EmbeddedStore, n: u8) -> bool {
    takes(store, [put(&done(n, n)), Change::PutBlob(id(n), Part::Result, large(PAYLOAD_BYTES))]).await
}

/// Asks until it is so.
async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    for _ in 0..600 {
        if so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("waited in vain for {what}");
}

/// Removes what has settled and settles what then has room, until all that was accepted has; returns the first that
/// was not removed.
async fn settle_the_rest(store: &EmbeddedStore, mut settled: u8, accepted: u8) -> u8 {
    let mut removed = 0;
    let all_settled = async || {
        // What copies took comes back with the next window; until then there may be no room to remove either.
        if !takes(store, (removed..settled).map(|n| Change::RemoveInvocation(id(n)))).await {
            return false;
        }
        removed = settled;
        while settled < accepted && settles(store, settled).await {
            settled += 1;
        }
        settled == accepted
    };
    until("all that was accepted to settle", all_settled).await;
    removed
}

#[tokio::test]
async fn what_settles_leaves_room_for_the_removals_that_make_more_of_it() {
    let dir = TempDir::new().unwrap();
    let store = small(&dir);
    let accepted = fill(&store, 0).await;
    assert!(accepted > 40, "{accepted}");
    let mut settled = 0;
    while settles(&store, settled).await {
        settled += 1;
    }
    assert!(settled > 5 && settled < accepted, "{settled} of {accepted}");
    // Small ones too, down to the last sector that they may have.
    while takes(&store, [put(&queued(settled, settled))]).await {}
    // Where a segment is just being given up, that takes another for a moment.
    until("the reserve to be whole", async || store.room() == Room::ReserveOnly).await;

    let removed = settle_the_rest(&store, settled, accepted).await;
    commit(&store, (removed..accepted).map(|n| Change::RemoveInvocation(id(n)))).await;
    until("room for new work", async || store.room() == Room::Plenty && takes(&store, [put(&queued(255, 0))]).await)
        .await;
    drop(store);
    let store = small(&dir);
    assert_eq!(live(&store).await, [id(255)]);
    assert_eq!(store.counts(function_id(1)), store.recount().await.unwrap()[&function_id(1)]);
}

#[tokio::test]
async fn segments_that_are_half_needed_come_free_while_room_is_short() {
    let dir = TempDir::new().unwrap();
    let store = small(&dir);
    let accepted = fill_with(done, &store, 0).await;
    let removed = (0..accepted).filter(|n| n % 2 == 0);
    commit(&store, removed.map(|n| Change::RemoveInvocation(id(n)))).await;
    let mut end = accepted;
    let half_of_it_is_used = async || {
        end = fill(&store, end).await;
        end - accepted >= accepted / 4
    };
    until("new work in the room of what was removed", half_of_it_is_used).await;
    for n in (0..accepted).filter(|n| n % 2 == 1) {
        assert_eq!(store.blob(id(n), Part::Payload).await.unwrap(), Some(large(PAYLOAD_BYTES)), "{n}");
    }
    drop(store);
    assert_eq!(live(&small(&dir)).await.len(), usize::from(end - accepted));
}

#[tokio::test]
async fn a_full_store_that_is_opened_again_and_again_still_has_room_to_remove() {
    let dir = TempDir::new().unwrap();
    let mut store = small(&dir);
    let accepted = fill(&store, 0).await;
    let mut settled = 0;
    // Each time a segment is begun, however little is in the one before.
    for _ in 0..8 {
        while settled < accepted && settles(&store, settled).await {
            settled += 1;
        }
        assert!(settled > 0);
        drop(store);
        store = small(&dir);
    }
    settle_the_rest(&store, settled, accepted).await;
}
