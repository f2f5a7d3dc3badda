//! Work that waits for another try beside work that does not.

use super::*;
use crate::store::{Change, Durability, Group};

const URL: &str = "http://a.example/";

impl Scene {
    /// What was published and is on its way or dead, with what tells of it.
    async fn documents(&self) -> usize {
        self.store.document_keys(DocumentRange::of(Table::Publication, &[]), 10_000).await.unwrap().len()
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_receiver_rejects_keeps_nothing_from_it_however_much_that_is() {
    let scene = scene().await;
    let id = scene.confirmed(URL).await;
    let good = || scene.world.bodies(URL).into_iter().filter(|body| !body.starts_with("bad")).collect::<Vec<_>>();
    for n in 0..200 {
        scene.publish(&format!("bad {n}")).await;
    }
    pass(600).await;
    for n in 0..20 {
        scene.publish(&format!("good {n}")).await;
    }
    pass(5).await;
    assert_eq!(good().len(), 20, "{:?}", good());
    assert_eq!((scene.look(id).pending, scene.look(id).dead), (200, 0));
    assert_eq!(
        scene.documents().await,
        2 * 200 + 220,
        "work with its place, and bodies as long as an older one is needed"
    );

    pass(3_600).await;
    assert_eq!((scene.look(id).pending, scene.look(id).dead), (0, 200));
    pass(20).await;
    assert_eq!(scene.documents().await, 200, "what is dead, and nothing else");
    assert_eq!(scene.topics.redrive(&news(), id).await.unwrap(), 200);
    assert_eq!((scene.look(id).pending, scene.look(id).dead), (200, 0));
    scene.topics.unsubscribe(&news(), id).await.unwrap();
    pass(20).await;
    assert_eq!(scene.documents().await, 0);
}

#[tokio::test(start_paused = true)]
async fn work_from_before_there_was_an_order_is_found_at_the_start() {
    let scene = scene().await;
    let id = scene.confirmed(URL).await;
    scene.world.down.lock().unwrap().insert(URL.to_owned());
    for n in 0..3 {
        scene.publish(&n.to_string()).await;
    }
    pass(30).await;
    let Scene { store, world, tasks, topics, queues } = scene;
    let lane = topics.parts.topic(&news()).unwrap().lanes().remove(0);
    tasks.stop();
    assert!(tasks.ended(Duration::from_secs(10)).await);
    drop((topics, queues));
    let places = store.document_keys(kept::Lot::order(lane.topic, id).range(), 10).await.unwrap();
    assert_eq!(places.len(), 3);
    let group = Group(places.into_iter().map(Change::RemoveDocument).collect());
    store.commit(group, Durability::Synced).await.unwrap();
    world.down.lock().unwrap().clear();
    world.seen.lock().unwrap().clear();

    let scene = scene_on(store, world).await;
    assert_eq!(scene.look(id).pending, 3);
    pass(120).await;
    let mut brought = scene.world.bodies(URL);
    brought.sort();
    assert_eq!(brought, ["0", "1", "2"]);
    assert_eq!((scene.look(id).pending, scene.documents().await), (0, 0));
}
