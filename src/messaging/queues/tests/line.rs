//! Receives in line: what one turn gives to whom.

use tokio::sync::oneshot::Receiver;

use super::*;
use crate::messaging::queues::line::{Answer, Waiting};

/// Receives that came at once and that nobody has served so far.
async fn in_line(world: &World, name: &str, all: &[(usize, u64)]) -> Vec<Receiver<Answer>> {
    let queue = world.queues.counted(&path(name)).await.unwrap();
    let (waiting, answers): (Vec<_>, Vec<_>) =
        all.iter().map(|(most, seconds)| Waiting::new(*most, Duration::from_secs(*seconds))).unzip();
    queue.line().extend(waiting);
    answers
}

async fn turn(world: &World, name: &str) {
    world.queues.parts.take_turn(&world.queues.counted(&path(name)).await.unwrap()).await;
}

/// What was answered: the bodies, or what was refused; `None` where nothing was so far.
fn answered(answer: &mut Receiver<Answer>) -> Option<String> {
    let bodies = |messages: Vec<Received>| messages.into_iter().map(|it| it.body).collect::<Vec<_>>().join(" ");
    let turn = answer.try_recv().ok()?;
    Some(turn.map_or_else(|error| error.to_string(), |turn| bodies(turn.messages)))
}

fn all_answered(answers: &mut [Receiver<Answer>]) -> Vec<String> {
    answers.iter_mut().filter_map(answered).collect()
}

#[tokio::test(start_paused = true)]
async fn a_turn_serves_all_who_stand_in_line_each_as_it_asked() {
    let world = World::new().await;
    world.make("q", usual()).await;
    for body in ["1", "2", "3", "4"] {
        world.send("q", body).await;
    }
    let mut answers = in_line(&world, "q", &[(2, 10), (1, 20), (5, 10), (1, 10)]).await;
    turn(&world, "q").await;
    assert_eq!(all_answered(&mut answers), ["1 2", "3", "4", ""]);
    pass(10).await;
    assert_eq!(world.bodies("q", 10).await, ["1", "2", "4"], "the third is hidden for longer");
}

#[tokio::test(start_paused = true)]
async fn what_is_hidden_for_no_time_is_given_to_one_of_a_turn_alone() {
    let world = World::new().await;
    world.make("q", usual()).await;
    world.send("q", "one").await;
    let mut answers = in_line(&world, "q", &[(1, 0), (1, 0)]).await;
    turn(&world, "q").await;
    assert_eq!(all_answered(&mut answers), ["one", ""]);
    assert_eq!(world.bodies("q", 1).await, ["one"]);
}

#[tokio::test(start_paused = true)]
async fn whoever_has_left_the_line_receives_nothing() {
    let world = World::new().await;
    world.make("q", usual()).await;
    world.send("q", "one").await;
    let mut answers = in_line(&world, "q", &[(1, 10), (1, 10)]).await;
    answers.remove(0);
    turn(&world, "q").await;
    assert_eq!(all_answered(&mut answers), ["one"]);
}

#[tokio::test(start_paused = true)]
async fn a_fifo_queue_serves_one_at_a_time_and_the_next_finds_its_group_closed() {
    let world = World::new().await;
    world.make("q.fifo", QueueSettings { content_deduplication: true, ..usual() }).await;
    for (body, group) in [("a1", "a"), ("a2", "a"), ("b1", "b")] {
        let outgoing = Outgoing { group: Some(group.to_owned()), ..said(body) };
        world.queues.send(&path("q.fifo"), outgoing).await.unwrap();
    }
    let mut answers = in_line(&world, "q.fifo", &[(1, 10), (2, 10)]).await;
    turn(&world, "q.fifo").await;
    assert_eq!(all_answered(&mut answers), ["a1"]);
    turn(&world, "q.fifo").await;
    assert_eq!(all_answered(&mut answers), ["b1"]);
}

#[tokio::test(start_paused = true)]
async fn those_for_whom_too_much_may_fly_already_are_told_as_if_they_had_come_later() {
    let world = World::with(Limits { in_flight: 2, ..Limits::default() }).await;
    world.make("q", usual()).await;
    for body in ["1", "2", "3"] {
        world.send("q", body).await;
    }
    let mut answers = in_line(&world, "q", &[(1, 10), (1, 10), (1, 10)]).await;
    turn(&world, "q").await;
    let all = all_answered(&mut answers);
    assert_eq!(all[..2], ["1", "2"]);
    assert!(all[2].contains("which is the limit"), "{all:?}");
}

#[tokio::test(start_paused = true)]
async fn a_turn_gives_so_many_bytes_and_leaves_the_rest_of_the_line_to_the_next() {
    let world = World::new().await;
    world.make("q", usual()).await;
    let large = "x".repeat(262_144);
    for _ in 0..20 {
        world.send("q", &large).await;
    }
    let mut answers = in_line(&world, "q", &[(1, 10); 20]).await;
    turn(&world, "q").await;
    assert_eq!(all_answered(&mut answers), vec![large.clone(); 17], "4 MiB, and the one that goes over it");
    turn(&world, "q").await;
    assert_eq!(all_answered(&mut answers), vec![large; 3]);
}
