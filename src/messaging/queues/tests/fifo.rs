//! FIFO queues: order within message groups, and no message twice within five minutes.

use super::*;

fn in_group(group: &str, body: &str) -> Outgoing {
    Outgoing { group: Some(group.to_owned()), ..said(body) }
}

async fn world() -> World {
    let world = World::new().await;
    world.make("q.fifo", QueueSettings { content_deduplication: true, ..usual() }).await;
    world
}

#[tokio::test(start_paused = true)]
async fn messages_of_a_group_come_in_order_and_wait_for_those_before_them() {
    let world = world().await;
    let q = path("q.fifo");
    for (group, body) in [("a", "a1"), ("a", "a2"), ("b", "b1"), ("a", "a3")] {
        world.queues.send(&q, in_group(group, body)).await.unwrap();
    }
    let first = world.receive("q.fifo", 2).await;
    let bodies = |all: &[Received]| all.iter().map(|message| message.body.clone()).collect::<Vec<_>>();
    assert_eq!(bodies(&first), ["a1", "a2"]);
    assert!(first[0].sequence < first[1].sequence);
    assert_eq!(world.bodies("q.fifo", 10).await, ["b1"], "a3 waits for those before it");
    world.queues.delete(&q, first[0].receipt).await.unwrap();
    assert_eq!(world.bodies("q.fifo", 10).await, [""; 0]);
    pass(30).await;
    assert_eq!(world.bodies("q.fifo", 10).await, ["a2", "b1", "a3"]);
    let expired = world.queues.delete(&q, first[1].receipt).await;
    assert!(matches!(expired, Err(QueueError::ReceiptExpired)), "{expired:?}");
}

#[tokio::test(start_paused = true)]
async fn a_group_is_free_as_soon_as_what_flies_of_it_is_deleted() {
    let world = world().await;
    let q = path("q.fifo");
    for body in ["1", "2"] {
        world.queues.send(&q, in_group("g", body)).await.unwrap();
    }
    let first = world.receive("q.fifo", 1).await.remove(0);
    let waiting = world.queues.receive(&q, Asked { most: 1, wait_s: Some(20), ..Asked::default() });
    let deleted = async {
        pass(3).await;
        world.queues.delete(&q, first.receipt).await.unwrap();
    };
    let started = tokio::time::Instant::now();
    let (second, ()) = tokio::join!(waiting, deleted);
    assert_eq!((second.unwrap()[0].body.as_str(), started.elapsed().as_secs()), ("2", 3));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_sent_twice_within_five_minutes_is_one_also_when_it_was_deleted_meanwhile() {
    let world = world().await;
    let q = path("q.fifo");
    let first = world.queues.send(&q, in_group("g", "same")).await.unwrap();
    let (one, two) =
        tokio::join!(world.queues.send(&q, in_group("g", "same")), world.queues.send(&q, in_group("other", "same")));
    assert_eq!((one.unwrap(), two.unwrap()), (first.clone(), first.clone()));
    let batch = world.queues.send_all(&q, vec![in_group("g", "new"), in_group("g", "new")]).await.unwrap();
    assert_eq!(batch[0].as_ref().unwrap(), batch[1].as_ref().unwrap());
    let received = world.receive("q.fifo", 10).await;
    assert_eq!(received.len(), 2);
    for message in received {
        world.queues.delete(&q, message.receipt).await.unwrap();
    }
    let world = world.reopened().await;
    assert_eq!(world.queues.send(&q, in_group("g", "same")).await.unwrap(), first);
    let other = Outgoing { deduplication: Some("id".to_owned()), ..in_group("g", "same") };
    assert_ne!(world.queues.send(&q, other).await.unwrap(), first);
    pass(301).await;
    assert_ne!(world.queues.send(&q, in_group("g", "same")).await.unwrap(), first);
    assert_eq!(world.counts("q.fifo").await, (2, 0, 0));
    world.queues.purge(&q).await.unwrap();
    pass(400).await;
    assert_eq!(world.documents().await, 1, "deduplication ids are forgotten");
}

#[tokio::test(start_paused = true)]
async fn a_deduplication_id_that_is_over_is_not_forgotten_while_it_is_sent_again() {
    let world = world().await;
    let q = path("q.fifo");
    world.queues.send(&q, in_group("g", "same")).await.unwrap();
    let documents = world.documents().await;
    pass(310).await; // whoever cleans up comes each minute
    let sending = world.queues.changes_of_send(&q, in_group("g", "same")).await.unwrap();
    assert!(!sending.changes.is_empty(), "its time is over");
    pass(60).await;
    assert_eq!(world.documents().await, documents);
    drop(sending);
    pass(60).await;
    assert_eq!(world.documents().await, documents - 2);
}

#[tokio::test(start_paused = true)]
async fn batches_of_the_same_messages_in_another_order_do_not_wait_for_each_other() {
    let world = world().await;
    let q = path("q.fifo");
    let batch = |bodies: [&str; 2]| world.queues.send_all(&q, bodies.map(|body| in_group("g", body)).into());
    let sending = world.queues.changes_of_send(&q, in_group("g", "a")).await.unwrap();
    let given_up = async {
        pass(1).await; // both have begun
        drop(sending);
    };
    let all = async { tokio::join!(batch(["a", "b"]), batch(["b", "a"]), given_up) };
    let (one, two, ()) = tokio::time::timeout(Duration::from_secs(60), all).await.unwrap();
    let sent = |batch: Result<Vec<_>, QueueError>| batch.unwrap().into_iter().map(Result::unwrap).collect::<Vec<_>>();
    let (one, mut two) = (sent(one), sent(two));
    two.reverse();
    assert_eq!(one, two);
    assert_eq!(world.counts("q.fifo").await, (2, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_fifo_queue_says_what_a_message_lacks_and_a_standard_one_what_it_does_not_do() {
    let world = World::new().await;
    world.make("q.fifo", usual()).await;
    world.make("q", usual()).await;
    let refused = |of: &str, outgoing: Outgoing| {
        let (queues, path) = (world.queues.clone(), path(of));
        async move { told(queues.send(&path, outgoing).await) }
    };
    assert!(refused("q.fifo", said("x")).await.contains("a message group"));
    assert!(refused("q.fifo", in_group("g", "x")).await.contains("a deduplication id"));
    let id = Some("id".to_owned());
    let delayed = Outgoing { delay_s: Some(1), deduplication: id.clone(), ..in_group("g", "x") };
    assert!(refused("q.fifo", delayed).await.contains("for the whole queue"));
    assert!(refused("q", Outgoing { deduplication: id, ..said("x") }).await.contains("`.fifo`"));
    let wrong = QueueSettings { content_deduplication: true, ..usual() };
    assert!(told(world.queues.put(path("other"), wrong, [].into()).await).contains("`.fifo`"));
    let mixed = world.queues.put(path("q"), dead_after("q.fifo", 1), [].into()).await;
    assert!(told(mixed).contains("one of the two keeps order"));
}

#[tokio::test(start_paused = true)]
async fn a_group_that_is_closed_does_not_keep_those_behind_its_backlog() {
    let world = world().await;
    let q = path("q.fifo");
    for n in 0..1_200 {
        world.queues.send(&q, in_group("long", &n.to_string())).await.unwrap();
    }
    world.queues.send(&q, in_group("short", "short")).await.unwrap();
    assert_eq!(world.bodies("q.fifo", 1).await, ["0"]);
    assert_eq!(world.bodies("q.fifo", 10).await, ["short"]);
}
