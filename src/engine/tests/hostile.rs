use super::*;

fn within(timeout: Duration) -> Call {
    call_under("", |version| version.limits.timeout = timeout)
}

const SHORT: Duration = Duration::from_millis(100);

/// Waits until no guest runs, a good deal shorter than guests here may run.
async fn ended(running: tokio_util::task::TaskTracker) {
    running.close();
    tokio::time::timeout(SHORT * 100, running.wait()).await.expect("guests go on");
}

#[tokio::test]
async fn a_guest_that_never_ends_is_stopped_at_its_deadline() {
    let engine = engine();
    let spin = deploy(&engine, guest("hostile/spin.wat")).await;
    let before = tokio::time::Instant::now();
    let failed = failure(engine.run(&spin, within(SHORT)).await);
    let took = before.elapsed();
    assert_eq!((failed.kind, failed.advice), (FailureKind::Timeout, Advice::Retry));
    assert_eq!(failed.message, "the function ran longer than its time limit of 100ms");
    assert!(took >= SHORT && took < SHORT * 20, "{took:?}");
}

#[tokio::test]
async fn the_epoch_alone_stops_a_guest_at_its_deadline_too() {
    let engine = engine();
    let spin = deploy(&engine, guest("hostile/spin.wat")).await;
    let ran = tokio::time::timeout(SHORT * 100, engine.run_unwatched(&spin, within(SHORT))).await;
    assert_eq!(failure(ran.unwrap()).kind, FailureKind::Timeout);
}

#[tokio::test]
async fn a_guest_that_takes_all_memory_is_out_of_memory() {
    let failed = failure(run(guest("hostile/grow.wat"), call("")).await);
    assert_eq!((failed.kind, failed.advice), (FailureKind::OutOfMemory, Advice::Retry));
    assert!(failed.message.contains("its limit of 67108864 bytes"), "{}", failed.message);
}

#[tokio::test]
async fn a_guest_that_is_refused_memory_and_goes_on_is_stopped_at_its_deadline() {
    assert_eq!(failure(run(guest("hostile/forever-grow.wat"), within(SHORT * 5)).await).kind, FailureKind::Timeout);
}

#[tokio::test]
async fn a_guest_that_is_refused_memory_and_exits_is_out_of_memory() {
    let module = from_text(
        r#"(module
             (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
             (memory (export "memory") 1)
             (func (export "_start")
               (if (i32.eq (memory.grow (i32.const 2000)) (i32.const -1)) (then (call $exit (i32.const 1))))))"#,
    );
    assert_eq!(failure(run(module, call("")).await).kind, FailureKind::OutOfMemory);
}

#[tokio::test]
async fn a_guest_that_is_refused_memory_and_copes_has_succeeded() {
    let module = from_text(r#"(module (memory 1) (func (export "_start") (drop (memory.grow (i32.const 2000)))))"#);
    assert!(run(module, call("")).await.end.is_ok());
}

#[tokio::test]
async fn a_guest_that_begins_with_more_memory_than_it_may_have_is_out_of_memory() {
    let module = from_text(r#"(module (memory 2000) (func (export "_start")))"#);
    assert_eq!(failure(run(module, call("")).await).kind, FailureKind::OutOfMemory);
}

#[tokio::test]
async fn all_memories_of_a_guest_count_together() {
    let module = from_text(r#"(module (memory 600) (memory 600) (func (export "_start")))"#);
    assert_eq!(failure(run(module, call("")).await).kind, FailureKind::OutOfMemory);
}

#[tokio::test]
async fn a_trap_is_told_with_where_it_happened() {
    let failed = failure(run(guest("hostile/trap.wat"), call("")).await);
    assert_eq!((failed.kind, failed.advice), (FailureKind::Trap, Advice::Retry));
    assert!(failed.message.starts_with("wasm trap: wasm `unreachable` instruction executed\n  at "), "{failed:?}");
    let failed = failure(run(guest("hostile/divide.wat"), call("")).await);
    assert_eq!(failed.kind, FailureKind::Trap);
    assert!(failed.message.starts_with("wasm trap: integer divide by zero\n  at "), "{failed:?}");
}

#[tokio::test]
async fn calls_without_end_overflow_the_guests_stack_alone() {
    let failed = failure(run(guest("hostile/recurse.wat"), call("")).await);
    assert_eq!(failed.kind, FailureKind::StackOverflow);
    assert!(failed.message.starts_with("the calls nest too deep\n  at "), "{failed:?}");
}

#[tokio::test]
async fn a_flood_of_stdout_is_a_result_that_is_too_large() {
    let failed = failure(run(guest("hostile/flood.wat"), call("")).await);
    assert_eq!(failed.kind, FailureKind::ResponseTooLarge);
}

#[tokio::test]
async fn a_flood_of_stderr_is_cut_and_the_guest_succeeds() {
    let ran = run(guest("hostile/flood-stderr.wat"), call("")).await;
    ran.end.unwrap();
    assert!(ran.log.len() < crate::model::bounds::MAX_LOG_BYTES + 100);
    assert!(ran.log.ends_with(b" more bytes were written and dropped)\n"));
}

#[tokio::test]
async fn a_result_of_a_handler_that_is_too_large_is_refused() {
    let payload = vec![0; crate::model::bounds::MAX_RESULT_BYTES + 1];
    let failed = failure(run(guest("prebuilt/echo.wasm"), call(payload)).await);
    assert_eq!(failed.kind, FailureKind::ResponseTooLarge);
}

#[tokio::test]
async fn a_result_that_is_too_large_to_copy_is_refused_as_well() {
    let payload = vec![0; crate::model::bounds::MAX_GUEST_COPY_BYTES + 1];
    let failed = failure(
        run(guest("prebuilt/echo.wasm"), call_under(payload, |version| version.limits.memory_bytes = 512 * MIB)).await,
    );
    assert_eq!(failed.kind, FailureKind::ResponseTooLarge, "{}", failed.message);
}

#[tokio::test]
async fn a_table_that_may_not_grow_is_told_when_the_guest_then_fails() {
    let module = from_text(
        r#"(module (table 1 funcref)
             (func (export "_start")
               (if (i32.eq (table.grow (ref.null func) (i32.const 1000)) (i32.const -1)) (then unreachable))))"#,
    );
    run(module.clone(), call("")).await.end.unwrap();
    let failed = failure(run(module, call_under("", |version| version.limits.space.table_elements = 1_000)).await);
    assert_eq!(failed.kind, FailureKind::TableTooLarge);
    assert!(failed.message.starts_with("the function asked for a table of more than 1000 elements"), "{failed:?}");
}

#[tokio::test]
async fn a_guest_that_takes_all_elements_that_any_table_may_have_is_told_what_it_lacked() {
    let failed = failure(run(guest("hostile/table.wat"), call("")).await);
    assert_eq!(failed.kind, FailureKind::TableTooLarge, "{}", failed.message);
}

#[tokio::test]
async fn resources_that_are_never_closed_come_to_their_bound() {
    let module = from_text(
        r#"(component $C
             (import "wasi:io/streams@0.2.0" (instance $streams (export "output-stream" (type (sub resource)))))
             (alias export $streams "output-stream" (type $stream))
             (import "wasi:cli/stdout@0.2.0" (instance $stdout
               (alias outer $C $stream (type $stream))
               (export "get-stdout" (func (result (own $stream))))))
             (core func $get (canon lower (func $stdout "get-stdout")))
             (core module $m
               (import "" "get" (func $get (result i32)))
               (func (export "run") (result i32) (loop $again (drop (call $get)) (br $again)) unreachable))
             (core instance $i (instantiate $m (with "" (instance (export "get" (func $get))))))
             (func $run (result (result)) (canon lift (core func $i "run")))
             (instance $cli (export "run" (func $run)))
             (export "wasi:cli/run@0.2.0" (instance $cli)))"#,
    );
    for most in [50, 1_000] {
        let call = call_under("", |version| version.limits.space.handles = most);
        let failed = failure(run(module.clone(), call).await);
        assert_eq!(failed.kind, FailureKind::TooManyHandles, "{failed:?}");
        assert!(failed.message.starts_with(&format!("the function holds more open resources than the {most} it may")));
    }
}

#[tokio::test]
async fn a_guest_is_linked_from_no_more_instances_than_its_version_allows() {
    let module = from_text(
        r#"(component
             (core module $m (func (export "run") (result i32) (i32.const 0)))
             (core instance $a (instantiate $m))
             (core instance $b (instantiate $m))
             (core instance $c (instantiate $m))
             (func $run (result (result)) (canon lift (core func $c "run")))
             (instance $cli (export "run" (func $run)))
             (export "wasi:cli/run@0.2.0" (instance $cli)))"#,
    );
    run(module.clone(), call_under("", |version| version.limits.space.instances = 3)).await.end.unwrap();
    let failed = failure(run(module, call_under("", |version| version.limits.space.instances = 2)).await);
    assert_eq!(failed.kind, FailureKind::TooManyInstances);
    assert_eq!(failed.message, "the function is linked from more than the 2 core instances it may");
}

#[tokio::test]
async fn garbage_counts_as_memory() {
    let module = from_text(
        r#"(module
             (type $bytes (array i8))
             (func (export "_start") (loop $again
               (drop (array.new_default $bytes (i32.const 1000000)))
               (br $again))))"#,
    );
    let failed = failure(run(module, call("")).await);
    assert_eq!(failed.kind, FailureKind::OutOfMemory, "{}", failed.message);
}

#[tokio::test]
async fn others_are_answered_while_many_guests_spin() {
    let engine = engine();
    let spin = deploy(&engine, guest("hostile/spin.wat")).await;
    let echo = deploy(&engine, guest("prebuilt/echo.wasm")).await;
    let spinners = futures::future::join_all((0..8).map(|_| engine.run(&spin, call(""))));
    let echoes = async {
        for _ in 0..20 {
            assert_eq!(body(engine.run(&echo, call("tide")).await), "tide");
        }
    };
    tokio::select! {
        _ = spinners => panic!("the spinners have used up a minute"),
        () = echoes => (),
    }
}

#[tokio::test]
async fn dropping_a_run_stops_its_guest() {
    let engine = engine();
    let spin = deploy(&engine, guest("hostile/spin.wat")).await;
    for _ in 0..5 {
        let started = tokio::time::timeout(Duration::from_millis(5), engine.run(&spin, call(""))).await;
        assert!(started.is_err());
    }
    ended(engine.guests_tracker()).await;
}

#[tokio::test]
async fn runs_that_were_dropped_leave_no_slot_behind() {
    let engine = engine();
    let spin = deploy(&engine, guest("hostile/spin.wat")).await;
    let echo = deploy(&engine, guest("prebuilt/echo.wasm")).await;
    for _ in 0..200 {
        let run = tokio::time::timeout(Duration::from_millis(2), engine.run(&spin, call("")));
        assert!(run.await.is_err());
    }
    ended(engine.guests_tracker()).await;
    for ran in futures::future::join_all((0..16).map(|_| engine.run(&echo, call("tide")))).await {
        assert_eq!(body(ran), "tide");
    }
}

#[tokio::test]
async fn dropping_the_engine_ends_guests_that_lag() {
    let engine = engine();
    let spin = deploy(&engine, guest("hostile/spin.wat")).await;
    for _ in 0..8 {
        drop(tokio::time::timeout(Duration::from_millis(2), engine.run(&spin, call(""))).await);
    }
    let running = engine.guests_tracker();
    drop(engine);
    ended(running).await;
}

#[tokio::test]
async fn stopping_the_engine_ends_its_guests() {
    let engine = engine();
    let spin = deploy(&engine, guest("hostile/spin.wat")).await;
    let stop = async {
        while engine.guests_running() == 0 {
            tokio::task::yield_now().await;
        }
        engine.stop().await;
    };
    let (ran, ()) = tokio::join!(engine.run(&spin, call("")), stop);
    assert_eq!(failure(ran).kind, FailureKind::Interrupted);
    assert_eq!(failure(engine.run(&spin, call("")).await).kind, FailureKind::Interrupted);
}

#[tokio::test]
async fn work_without_room_is_turned_away_and_not_counted() {
    let engine = Engine::start(&Settings { concurrency: 1, ..settings(None) }).unwrap();
    let spin = deploy(&engine, guest("hostile/spin.wat")).await;
    let all = futures::future::join_all((0..50).map(|_| engine.run(&spin, within(Duration::from_secs(3))))).await;
    let (mut turned_away, mut timed_out) = (0, 0);
    for ran in all {
        let failed = failure(ran);
        match failed.kind {
            FailureKind::Load => {
                assert_eq!(failed.advice, Advice::Postpone(crate::model::bounds::NO_ROOM_DELAY), "{failed:?}");
                turned_away += 1;
            }
            FailureKind::Timeout => timed_out += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(turned_away > 0 && timed_out > 0, "{turned_away} {timed_out}");
}
