use super::*;

#[tokio::test]
async fn a_command_reads_its_payload_on_stdin_and_answers_on_stdout() {
    let ran = run(guest("prebuilt/word-count.wasm"), call("one two\nthree")).await;
    assert!(!ran.log.is_empty());
    assert_eq!(body(ran).trim(), r#"{"lines":2,"words":3,"bytes":13}"#);
}

#[tokio::test]
async fn a_command_component_gets_its_arguments_and_environment() {
    let engine = engine();
    let hello = deploy(&engine, guest("prebuilt/hello-command.wasm")).await;
    assert_eq!(body(engine.run(&hello, call("")).await), "hello, world\n");
    let environment = BTreeMap::from([("GREETING".to_owned(), "ahoy".to_owned())]);
    let told = call_under("", |version| {
        version.arguments = vec!["Ada".to_owned()];
        version.environment = environment;
    });
    assert_eq!(body(engine.run(&hello, told).await), "ahoy, Ada\n");
}

#[tokio::test]
async fn a_command_ends_with_the_exit_code_it_gives() {
    let engine = engine();
    let exit = deploy(&engine, guest("hostile/exit.wat")).await;
    let with = |code: &str| call_under("", |version| version.arguments = vec![code.to_owned()]);
    assert!(engine.run(&exit, with("0")).await.end.is_ok());
    let failed = failure(engine.run(&exit, with("3")).await);
    assert_eq!((failed.kind, failed.advice), (FailureKind::ExitCode(3), Advice::Retry));
    let failed = failure(engine.run(&exit, with("65")).await);
    assert_eq!((failed.kind, failed.advice), (FailureKind::ExitCode(65), Advice::GiveUp));
    let failed = failure(engine.run(&exit, with("255")).await);
    assert_eq!((failed.kind, failed.message.as_str()), (FailureKind::ExitCode(255), "exit code 255"));
}

#[tokio::test]
async fn a_command_from_before_wasi_had_versions_runs() {
    let ends_with = |code: u8| {
        from_text(&format!(
            r#"(module
                 (import "wasi_unstable" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
                 (import "wasi_unstable" "proc_exit" (func $exit (param i32)))
                 (memory (export "memory") 1)
                 (data (i32.const 0) "\08\00\00\00\04\00\00\00tide")
                 (func (export "_start")
                   (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 100)))
                   (call $exit (i32.const {code}))))"#,
        ))
    };
    assert_eq!(body(run(ends_with(0), call("")).await), "tide");
    assert_eq!(failure(run(ends_with(126), call("")).await).kind, FailureKind::ExitCode(126));
}

#[tokio::test]
async fn a_failed_commands_message_ends_with_its_last_line_of_stderr() {
    let failed = failure(run(guest("prebuilt/word-count.wasm"), call(&b"\xff\xfe"[..])).await);
    assert_eq!((failed.kind, failed.advice), (FailureKind::ExitCode(65), Advice::GiveUp));
    assert!(failed.message.starts_with("exit code 65: the text is not UTF-8"), "{}", failed.message);
}

#[tokio::test]
async fn a_handler_answers_an_event() {
    assert_eq!(body(run(guest("prebuilt/echo.wasm"), call("tide")).await), "tide");
    assert_eq!(body(run(guest("hostile/echo.wat"), call("mill")).await), "mill");
    assert_eq!(body(run(guest("prebuilt/upper.wasm"), call("tide")).await), "TIDE");
}

#[tokio::test]
async fn a_handler_is_told_everything_about_its_invocation() {
    let told = body(run(guest("prebuilt/describe.wasm"), call("{}")).await);
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let expected = serde_json::json!({
        "id": "0197a0c8-0000-7000-8000-000000000001",
        "function": "guest",
        "version": 3,
        "attempt": 2,
        "content_type": "text/plain",
        "accepted_ms": 1_000,
        "deadline_ms": 31_000,
        "chain": ["first", "second"],
        "hop": 2,
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "attributes": [["colour", "red"]],
        "payload": {},
        "payload_bytes": 2,
    });
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_handler_says_how_it_failed() {
    let engine = engine();
    let flaky = deploy(&engine, guest("prebuilt/flaky.wasm")).await;
    let fails = async |kind: &str| {
        let plan = format!(r#"{{"always": true, "kind": "{kind}", "delay_ms": 2500}}"#);
        let failed = failure(engine.run(&flaky, call(plan)).await);
        assert!(!failed.message.is_empty());
        (failed.kind, failed.advice)
    };
    assert_eq!(fails("retryable").await, (FailureKind::Retryable, Advice::Retry));
    assert_eq!(fails("permanent").await, (FailureKind::Permanent, Advice::GiveUp));
    let pause = Duration::from_millis(2_500);
    assert_eq!(fails("throttled").await, (FailureKind::Throttled, Advice::Postpone(pause)));
    assert_eq!(fails("panic").await, (FailureKind::Trap, Advice::Retry));
}

#[tokio::test]
async fn a_handler_that_panics_is_told_with_where_it_happened() {
    let failed = failure(run(guest("prebuilt/flaky.wasm"), call(r#"{"always": true, "kind": "panic"}"#)).await);
    assert!(failed.message.contains("unreachable"), "{}", failed.message);
    assert!(failed.message.contains("panic"), "{}", failed.message);
}

#[tokio::test]
async fn a_payload_of_megabytes_comes_back_whole() {
    let payload = Bytes::from(vec![7; 6 * 1_024 * 1_024]);
    let ran = run(guest("prebuilt/echo.wasm"), call(payload.clone())).await;
    assert_eq!(ran.end.unwrap().body, payload);
}

#[tokio::test]
async fn a_guest_sleeps_as_long_as_its_payload_says() {
    let before = tokio::time::Instant::now();
    assert!(run(guest("hostile/sleep.wat"), call("120\n")).await.end.unwrap().body.is_empty());
    assert!(before.elapsed() >= Duration::from_millis(120));
}

#[tokio::test]
async fn every_run_gets_a_fresh_instance() {
    let counts = from_text(
        r#"(module
             (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
             (global $runs (mut i32) (i32.const 0))
             (memory (export "memory") 1)
             (func (export "_start")
               (if (i32.or (global.get $runs) (i32.load (i32.const 100))) (then (call $exit (i32.const 9))))
               (global.set $runs (i32.const 1))
               (i32.store (i32.const 100) (i32.const 1))))"#,
    );
    let engine = engine();
    let ready = deploy(&engine, counts).await;
    for _ in 0..50 {
        engine.run(&ready, call("")).await.end.unwrap();
    }
}

#[tokio::test]
async fn a_run_is_measured_also_when_it_is_cut_short() {
    let usage = run(guest("prebuilt/echo.wasm"), call("tide")).await.usage;
    assert_eq!((usage.input_bytes, usage.output_bytes), (4, 4));
    assert!(usage.memory_bytes >= 64 * 1_024 && usage.memory_bytes <= 64 * MIB, "{usage:?}");
    assert!(usage.instantiated_us > 0 && usage.cpu_us > 0, "{usage:?}");

    let limit = Duration::from_millis(100);
    let spun = run(guest("hostile/spin.wat"), call_under("", |version| version.limits.timeout = limit)).await;
    assert_eq!(spun.end.unwrap_err().kind, FailureKind::Timeout);
    assert!(spun.usage.cpu_us > 0 && spun.usage.ran_us + spun.usage.instantiated_us >= 100_000, "{:?}", spun.usage);

    let slept = run(guest("hostile/sleep.wat"), call("120\n")).await.usage;
    assert!(slept.ran_us >= 120_000 && slept.cpu_us < slept.ran_us, "{slept:?}");
}
