//! Invocations whose records are damaged: kept, told of rarely, and in nobody's way.

use super::faulty::{Fate, Faulty};
use super::*;

/// A world in which so many are damaged, before they are first looked at, and its store.
async fn with_damaged(count: usize) -> (World, Arc<Faulty>, Vec<InvocationId>) {
    let store = Arc::new(Faulty::new(|_| Fate::CarriedOut));
    let world = World::on(store.clone()).await;
    let occupied = world.occupied();
    let mut ids = Vec::new();
    for _ in 0..count {
        ids.push(world.accept_one().await);
    }
    store.damaged.lock().unwrap().clone_from(&ids);
    drop(occupied);
    (world, store, ids)
}

impl Faulty {
    fn met(&self) -> u32 {
        self.damage_met.load(Ordering::SeqCst)
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_is_damaged_is_looked_at_once_an_hour_counted_and_kept() {
    let (world, store, _) = with_damaged(1).await;
    tokio::time::sleep(Duration::from_secs(59 * 60)).await;
    assert_eq!((store.met(), world.dispatch.figures().damaged, world.live()), (1, 1, 1));
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!((store.met(), world.dispatch.figures().damaged, world.live()), (2, 1, 1));
    store.damaged.lock().unwrap().clear();
    tokio::time::sleep(HOUR).await;
    assert_eq!((world.dispatch.figures().damaged, world.live()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn however_many_are_damaged_the_others_go_on() {
    let (world, store, ids) = with_damaged(bounds::MAX_ASIDE + 10).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let (_, after) = world.outcome(world.accept_one().await).await;
    assert!(after < Duration::from_secs(1), "{after:?}");
    assert_eq!((store.met() as usize, world.dispatch.figures().damaged), (ids.len(), ids.len()));
}

#[tokio::test(start_paused = true)]
async fn cancelling_one_that_is_damaged_does_not_go_on_for_ever() {
    let (world, store, ids) = with_damaged(1).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(world.dispatch.cancel(ids[0]).await.unwrap(), CancelAsked::Underway);
    assert!(matches!(world.dispatch.wait(ids[0], HOUR).await, Err(StoreError::Damaged { .. })));
    let met = store.met();
    tokio::time::sleep(Duration::from_secs(30 * 60)).await;
    assert!(store.met() <= met + 1, "{} after {met}", store.met());
    assert_eq!((world.dispatch.figures().damaged, world.live()), (1, 1));
}
