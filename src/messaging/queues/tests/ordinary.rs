//! Standard queues: what is sent, hidden, deleted, delayed, redriven, counted and limited.

use super::*;
use crate::messaging::queues::Receipt;
use uuid::Uuid;

#[tokio::test(start_paused = true)]
async fn a_message_that_was_received_is_hidden_and_comes_back_unless_it_is_deleted() {
    let world = World::new().await;
    world.make("q", usual()).await;
    world.send("q", "one").await;
    assert_eq!(world.counts("q").await, (1, 0, 0));
    let first = world.receive("q", 10).await.remove(0);
    assert_eq!((first.body.as_str(), first.receives), ("one", 1));
    assert_eq!(world.counts("q").await, (0, 1, 0));
    pass(29).await;
    assert_eq!(world.bodies("q", 10).await, [""; 0]);
    pass(1).await;
    let second = world.receive("q", 10).await.remove(0);
    assert_eq!((second.id, second.receives, second.first_received), (first.id, 2, first.first_received));
    // Who had it before cannot take it from who has it now.
    world.queues.delete(&path("q"), first.receipt).await.unwrap();
    assert_eq!(world.counts("q").await, (0, 1, 0));
    world.queues.delete(&path("q"), second.receipt).await.unwrap();
    world.queues.delete(&path("q"), second.receipt).await.unwrap();
    assert_eq!(world.counts("q").await, (0, 0, 0));
    assert_eq!(world.documents().await, 1, "but for the queue's own count nothing is left");
}

#[tokio::test(start_paused = true)]
async fn the_time_for_which_a_message_is_hidden_can_be_changed_up_to_twelve_hours() {
    let world = World::new().await;
    world.make("q", usual()).await;
    world.send("q", "one").await;
    let receipt = world.receive("q", 1).await[0].receipt;
    pass(20).await;
    world.queues.change_visibility(&path("q"), receipt, 100).await.unwrap();
    pass(99).await;
    assert_eq!(world.bodies("q", 1).await, [""; 0]);
    let long = world.queues.change_visibility(&path("q"), receipt, 43_200).await;
    assert_eq!(told(long), "visibility_s is 43200: use 0 to 43081");
    world.queues.change_visibility(&path("q"), receipt, 0).await.unwrap();
    assert!(matches!(world.queues.change_visibility(&path("q"), receipt, 5).await, Err(QueueError::NotInFlight)));
    assert_eq!(world.bodies("q", 1).await, ["one"]);
}

#[tokio::test(start_paused = true)]
async fn a_receive_waits_for_what_is_sent_for_delays_and_for_what_comes_back() {
    let world = World::new().await;
    world.make("q", QueueSettings { wait_s: 20, visibility_s: 5, ..usual() }).await;
    let started = tokio::time::Instant::now();
    let sent = async {
        pass(7).await;
        world.send("q", "late").await;
    };
    let (received, ()) = tokio::join!(world.bodies("q", 10), sent);
    assert_eq!((received, started.elapsed().as_secs()), (vec!["late".to_owned()], 7));
    assert_eq!(world.bodies("q", 1).await, ["late"]);
    assert_eq!(started.elapsed().as_secs(), 12, "it came back");
    world.queues.send(&path("q"), Outgoing { delay_s: Some(3), ..said("delayed") }).await.unwrap();
    assert_eq!(world.counts("q").await, (0, 1, 1));
    assert_eq!(world.bodies("q", 1).await, ["delayed"]);
    assert_eq!(started.elapsed().as_secs(), 15);
    let asked = Asked { most: 1, wait_s: Some(1), ..Asked::default() };
    assert_eq!(world.queues.receive(&path("q"), asked).await.unwrap(), []);
    assert_eq!(started.elapsed().as_secs(), 16);
}

#[tokio::test(start_paused = true)]
async fn what_is_received_too_often_goes_to_the_dead_letter_queue_with_its_id_and_its_past() {
    let world = World::new().await;
    world.make("dead", usual()).await;
    world.make("q", dead_after("dead", 2)).await;
    world.send("q", "poison").await;
    let first = world.receive("q", 1).await.remove(0);
    for _ in 0..2 {
        pass(31).await;
        world.bodies("q", 1).await;
    }
    assert_eq!((world.counts("q").await, world.counts("dead").await), ((0, 0, 0), (1, 0, 0)));
    let dead = world.receive("dead", 1).await.remove(0);
    assert_eq!((dead.id, dead.receives, dead.sent), (first.id, 3, first.sent));
    assert_eq!(dead.came_from.as_deref(), Some("default/q"));
    world.queues.delete(&path("dead"), dead.receipt).await.unwrap();
    assert_eq!(world.documents().await, 2);
    assert_eq!(world.queues.sources_of(&path("dead")).unwrap(), [path("q")]);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_deletes_is_removed_when_its_retention_ends() {
    let world = World::new().await;
    world.make("q", QueueSettings { retention_s: 120, ..usual() }).await;
    world.send("q", "left").await;
    world.send("q", "received").await;
    world.receive("q", 1).await;
    pass(121).await;
    assert_eq!(world.bodies("q", 10).await, [""; 0], "also before anybody has cleaned up");
    pass(61).await;
    assert_eq!((world.counts("q").await, world.documents().await), ((0, 0, 0), 1));
}

#[tokio::test(start_paused = true)]
async fn a_purge_empties_a_queue_and_a_deleted_queue_leaves_nothing() {
    let world = World::new().await;
    world.make("q", usual()).await;
    for n in 0..450 {
        world.send("q", &n.to_string()).await;
    }
    let received = world.receive("q", 100).await;
    world.queues.purge(&path("q")).await.unwrap();
    assert_eq!((world.counts("q").await, world.documents().await), ((0, 0, 0), 1));
    world.queues.delete(&path("q"), received[0].receipt).await.unwrap();
    world.send("q", "after").await;
    assert_eq!(world.bodies("q", 1).await, ["after"]);
    let q = path("q");
    let waiting = world.queues.receive(&q, Asked { most: 1, wait_s: Some(20), ..Asked::default() });
    let deleted = async {
        pass(1).await;
        world.queues.delete_queue(path("q")).await.unwrap();
    };
    let (waited, ()) = tokio::join!(waiting, deleted);
    assert_eq!(told(waited), "there is no queue `q`");
    pass(1).await;
    assert_eq!(world.documents().await, 0);
    world.make("q", usual()).await;
    assert_eq!(told(world.queues.delete(&path("q"), received[0].receipt).await).split(' ').next_back(), Some("queue"));
}

#[tokio::test(start_paused = true)]
async fn a_queue_is_not_deleted_between_what_a_receive_looks_at_and_what_it_takes() {
    let world = World::new().await;
    world.make("q", usual()).await;
    let queue = world.queues.counted(&path("q")).await.unwrap();
    let receiving = queue.taking.lock().await;
    let look = async {
        pass(1).await;
        let is_there = world.queues.describe(&path("q")).is_ok();
        drop(receiving);
        is_there
    };
    let (deleted, is_there) = tokio::join!(world.queues.delete_queue(path("q")), look);
    deleted.unwrap();
    assert!(is_there, "what is taken now would be counted for ever");
    assert_eq!(
        told(world.queues.receive(&path("q"), Asked { most: 1, ..Asked::default() }).await),
        "there is no queue `q`"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_a_deleted_queue_goes_at_the_next_start() {
    let world = World::new().await;
    world.make("kept", usual()).await;
    world.make("q", usual()).await;
    world.send("kept", "one").await;
    world.send("q", "two").await;
    let key = super::super::keys::queue(&path("q"));
    let group = crate::store::Group(vec![crate::store::Change::RemoveDocument(key)]);
    world.store.commit(group, crate::store::Durability::Synced).await.unwrap();
    let world = world.reopened().await;
    pass(1).await;
    assert_eq!(world.documents().await, 3);
    assert_eq!(world.bodies("kept", 1).await, ["one"]);
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_id_its_sender_chose_is_there_once_as_long_as_it_is_there() {
    let world = World::new().await;
    world.make("q", usual()).await;
    let named = || Outgoing { id: Some(Uuid::from_u128(7)), ..said("one") };
    let all = world.queues.send_all(&path("q"), vec![named(), named(), said("other")]).await.unwrap();
    assert_eq!(all[0].as_ref().unwrap(), all[1].as_ref().unwrap());
    let q = path("q");
    let (one, two) = tokio::join!(world.queues.send(&q, named()), world.queues.send(&q, named()));
    assert_eq!(one.unwrap(), two.unwrap());
    assert_eq!(world.counts("q").await, (2, 0, 0));
    let received = world.receive("q", 10).await;
    world.queues.send(&path("q"), named()).await.unwrap();
    assert_eq!(world.counts("q").await, (0, 2, 0));
    for message in received {
        world.queues.delete(&path("q"), message.receipt).await.unwrap();
    }
    assert_eq!(world.documents().await, 1);
    world.queues.send(&path("q"), named()).await.unwrap();
    assert_eq!(world.counts("q").await, (1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn an_id_that_a_sender_chose_is_free_again_when_a_receive_finds_its_message_too_old() {
    let world = World::new().await;
    world.make("q", QueueSettings { retention_s: 100, ..usual() }).await;
    let named = || Outgoing { id: Some(Uuid::from_u128(7)), ..said("one") };
    world.queues.send(&path("q"), named()).await.unwrap();
    pass(110).await; // whoever cleans up was there at 60 and comes at 120
    assert_eq!(world.bodies("q", 1).await, [""; 0]);
    assert_eq!(world.documents().await, 1, "but for the queue's own count nothing is left");
    world.queues.send(&path("q"), named()).await.unwrap();
    assert_eq!(world.counts("q").await, (1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_receive_that_is_cut_waits_no_longer_and_loses_nothing_that_it_has_taken() {
    let world = World::new().await;
    world.make("q", usual()).await;
    let cut = tokio_util::sync::CancellationToken::new();
    let asked = Asked { most: 1, wait_s: Some(20), ..Asked::default() };
    let (begun, (q, queues)) = (world.clock.now(), (path("q"), &world.queues));
    let (received, ()) = tokio::join!(queues.receive_until(&q, asked, &cut), async { cut.cancel() });
    assert_eq!((received.unwrap().len(), world.clock.now()), (0, begun));
    world.send("q", "one").await;
    assert_eq!(queues.receive_until(&q, asked, &cut).await.unwrap().len(), 1, "it has been taken when it is looked at");
}

#[tokio::test(start_paused = true)]
async fn what_others_commit_takes_effect_with_their_commit_or_not_at_all() {
    use crate::store::{Durability, Group};
    let world = World::new().await;
    world.make("q", usual()).await;
    let dropped = world.queues.changes_of_send(&path("q"), said("dropped")).await.unwrap();
    drop(dropped);
    assert_eq!(world.queues.figures(&path("q")).await.unwrap().bytes, 0);
    let send = world.queues.changes_of_send(&path("q"), said("sent")).await.unwrap();
    world.store.commit(Group(send.changes.clone()), Durability::Synced).await.unwrap();
    send.committed();
    let receipt = world.receive("q", 1).await[0].receipt;
    drop(world.queues.removal_of(&path("q"), &[receipt]).await.unwrap());
    assert_eq!(world.counts("q").await, (0, 1, 0));
    let removal = world.queues.removal_of(&path("q"), &[receipt, receipt]).await.unwrap();
    assert_eq!(removal.count(), 1);
    pass(31).await;
    assert_eq!(world.bodies("q", 1).await, [""; 0], "it is in somebody's hands");
    world.store.commit(Group(removal.changes.clone()), Durability::Synced).await.unwrap();
    removal.committed();
    assert_eq!((world.counts("q").await, world.documents().await), ((0, 0, 0), 1));
    assert_eq!(world.queues.removal_of(&path("q"), &[receipt]).await.unwrap().changes.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn deletions_of_the_same_messages_in_another_order_do_not_wait_for_each_other() {
    let world = World::new().await;
    world.make("q", usual()).await;
    world.send("q", "one").await;
    world.send("q", "two").await;
    let received = world.receive("q", 2).await;
    let (one, two) = (received[0].receipt, received[1].receipt);
    let q = path("q");
    let removing = world.queues.removal_of(&q, &[one]).await.unwrap();
    let given_up = async {
        pass(1).await; // both have begun
        drop(removing);
    };
    let delete = |receipts: [Receipt; 2]| world.queues.delete_all(&q, receipts.into());
    let all = async { tokio::join!(delete([one, two]), delete([two, one]), given_up) };
    let (first, second, ()) = tokio::time::timeout(Duration::from_secs(60), all).await.unwrap();
    assert!(first.unwrap().into_iter().chain(second.unwrap()).all(|deleted| deleted.is_ok()));
    assert_eq!((world.counts("q").await, world.documents().await), ((0, 0, 0), 1));
}

#[tokio::test(start_paused = true)]
async fn queues_messages_bytes_and_flights_have_their_limits() {
    let limits = Limits { messages: 3, bytes: 10, namespace_messages: 4, in_flight: 2, queues: 2, ..Limits::default() };
    let world = World::with(limits).await;
    world.make("a", usual()).await;
    world.make("b", usual()).await;
    assert!(told(world.queues.put(path("c"), usual(), [].into()).await).contains("the limit is 2"));
    for body in ["1", "2", "3"] {
        world.send("a", body).await;
    }
    let refused = |of: &str, body: &str| {
        let (queues, path, body) = (world.queues.clone(), path(of), said(body));
        async move { told(queues.send(&path, body).await) }
    };
    assert_eq!(
        refused("a", "4").await,
        "the queue `a` holds 3 messages, and the limit is 3: receive and delete some, or purge"
    );
    assert!(refused("b", "01234567890").await.contains("bytes of messages, and the limit is 10"));
    world.send("b", "4").await;
    assert!(refused("b", "5").await.contains("the namespace `default` holds 4 messages"));
    assert_eq!(world.bodies("a", 10).await, ["1", "2"]);
    let over = world.queues.receive(&path("a"), Asked { most: 1, ..Asked::default() }).await;
    assert!(matches!(over, Err(QueueError::InFlight { there: 2, .. })), "{over:?}");
    pass(30).await;
    assert_eq!(world.bodies("a", 10).await.len(), 2, "those that came back can be received again");
    world.queues.purge(&path("a")).await.unwrap();
    world.send("b", "5").await;
}

#[tokio::test(start_paused = true)]
async fn a_new_process_finds_what_was_sent_and_what_flies() {
    let world = World::new().await;
    world.make("q", usual()).await;
    for body in ["one", "two", "three"] {
        world.send("q", body).await;
    }
    let flies = world.receive("q", 1).await.remove(0);
    world.queues.send(&path("q"), Outgoing { delay_s: Some(100), ..said("delayed") }).await.unwrap();
    let world = world.reopened().await;
    assert_eq!(world.counts("q").await, (2, 1, 1));
    assert_eq!(world.queues.figures(&path("q")).await.unwrap().bytes, 18);
    assert_eq!(world.bodies("q", 10).await, ["two", "three"]);
    world.queues.change_visibility(&path("q"), flies.receipt, 0).await.unwrap();
    let again = world.receive("q", 10).await.remove(0);
    assert_eq!((again.body.as_str(), again.receives), ("one", 2));
    world.queues.delete(&path("q"), again.receipt).await.unwrap();
    pass(100).await;
    assert_eq!(world.bodies("q", 10).await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_queue_of_other_settings_is_in_the_way_and_one_of_the_same_is_not() {
    let world = World::new().await;
    let create = |seconds: Option<u32>| {
        let edit = move |settings: &mut QueueSettings| {
            settings.visibility_s = seconds.unwrap_or(settings.visibility_s);
        };
        world.queues.create(path("q"), edit, [].into())
    };
    assert!(create(Some(7)).await.unwrap());
    assert!(!create(Some(7)).await.unwrap());
    assert!(!create(None).await.unwrap());
    assert!(told(create(Some(8)).await).contains("its visibility differs"));
    let to_itself = world.queues.put(path("q"), dead_after("q", 1), [].into()).await;
    assert!(told(to_itself).contains("it is that queue itself"));
    let to_none = world.queues.put(path("q"), dead_after("nowhere", 1), [].into()).await;
    assert!(told(to_none).contains("there is no such queue"));
}
