//! Runs that begin on the thread that asks for them.

use std::pin::pin;

use futures::poll;
use tokio::runtime::Builder;

use super::*;
use crate::engine::front::Front;
use crate::engine::guests::{Guests, Lost};

/// Tries of what a tick, or a busy machine, may get in the way of.
const TRIES: usize = 1_000;

fn panicking() -> impl Future<Output = ()> + Send {
    std::future::poll_fn(|_| panic!("on purpose"))
}

async fn is_done_at_once(engine: &Engine, ready: &Ready) -> bool {
    let mut run = pin!(engine.run(ready, call("tide")));
    let first = poll!(run.as_mut());
    let is_done = first.is_ready();
    let ran = match first {
        std::task::Poll::Ready(ran) => ran,
        std::task::Poll::Pending => run.await,
    };
    assert_eq!(body(ran), "tide");
    is_done
}

#[tokio::test]
async fn a_guest_that_is_soon_done_is_done_where_it_was_asked_for() {
    let engine = engine();
    let echo = deploy(&engine, guest("hostile/echo.wat")).await;
    let begun = engine.front().begun();
    for _ in 0..TRIES {
        if is_done_at_once(&engine, &echo).await {
            assert!(engine.front().begun() > begun);
            return;
        }
    }
    panic!("none was");
}

#[tokio::test]
async fn where_there_is_no_place_in_front_a_guest_begins_on_the_guests_threads() {
    let engine = engine();
    let echo = deploy(&engine, guest("hostile/echo.wat")).await;
    let _all: Vec<_> = std::iter::from_fn(|| engine.front().place()).collect();
    let begun = engine.front().begun();
    for _ in 0..20 {
        assert_eq!(body(engine.run(&echo, call("tide")).await), "tide");
    }
    assert_eq!(engine.front().begun(), begun);
}

#[tokio::test]
async fn while_another_runs_a_guest_begins_on_the_guests_threads() {
    let engine = engine();
    let (echo, spin) =
        (deploy(&engine, guest("hostile/echo.wat")).await, deploy(&engine, guest("hostile/spin.wat")).await);
    let mut other = Box::pin(engine.run(&spin, call("")));
    assert!(poll!(other.as_mut()).is_pending(), "it never ends");
    let begun = engine.front().begun();
    assert_eq!(body(engine.run(&echo, call("tide")).await), "tide");
    assert_eq!(engine.front().begun(), begun);
    drop(other);
}

#[tokio::test]
async fn a_guest_that_computes_leaves_the_front_and_does_not_come_back() {
    let engine = engine();
    let spin = deploy(&engine, guest("hostile/spin.wat")).await;
    let limited = || call_under("", |version| version.limits.timeout = Duration::from_millis(100));
    let mut run = pin!(engine.run(&spin, limited()));
    assert!(poll!(run.as_mut()).is_pending(), "it returned, long before its time was up");
    assert!(engine.front().place().is_some(), "its place is free again");
    assert_eq!(failure(run.await).kind, FailureKind::Timeout);
    assert!(!crate::engine::handle::may_begin_in_front(&spin, &limited()));
}

#[tokio::test]
async fn a_guest_that_holds_its_thread_without_a_tick_begins_elsewhere_the_next_time() {
    let engine = engine();
    let fill = from_text(
        r#"(module (memory 4000)
             (func (export "_start") (memory.fill (i32.const 0) (i32.const 1) (i32.const 262144000))))"#,
    );
    let (fill, call) = (deploy(&engine, fill).await, call_under("", |version| version.limits.memory_bytes = 512 * MIB));
    engine.run(&fill, call.clone()).await.end.unwrap();
    assert!(!crate::engine::handle::may_begin_in_front(&fill, &call));
}

#[tokio::test]
async fn what_takes_long_for_the_host_does_not_begin_in_front() {
    let engine = engine();
    let echo = deploy(&engine, guest("hostile/echo.wat")).await;
    let may = |call: &Call| crate::engine::handle::may_begin_in_front(&echo, call);
    assert!(may(&call("tide")));
    assert!(!may(&call(vec![0; 1_000_000])));
    assert!(!may(&call_under("", |version| version.core_dump = true)));
}

#[test]
fn what_a_guest_asks_the_system_for_in_front_is_the_guests_own() {
    let full = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (engine, sleep) = full.block_on(async {
        let engine = engine();
        let sleep = deploy(&engine, guest("hostile/sleep.wat")).await;
        (engine, sleep)
    });
    // A runtime without timers of its own.
    let bare = Builder::new_current_thread().build().unwrap();
    bare.block_on(engine.run_unwatched(&sleep, call("5"))).end.unwrap();
}

#[tokio::test]
async fn a_panic_in_front_is_ours_and_leaves_its_place_free() {
    let guests = Guests::start(Arc::new(Front::here())).unwrap();
    for _ in 0..10 {
        let lost = guests.run(panicking(), Some(guests.turn())).await;
        let Err(Lost::Panicked(said)) = lost else { panic!("{lost:?}") };
        assert_eq!(said, "on purpose");
        assert_eq!((guests.running().len(), guests.front().place().is_some()), (0, true));
    }
}

#[tokio::test]
async fn nothing_begins_in_front_of_guests_that_were_stopped() {
    let guests = Guests::start(Arc::new(Front::here())).unwrap();
    guests.stop().await;
    let lost = guests.run(panicking(), Some(guests.turn())).await;
    assert!(matches!(lost, Err(Lost::Stopped)), "{lost:?}");
}
