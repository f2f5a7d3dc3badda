//! Instances that serve several runs: of one version, one after the other, and only after runs that ended by themselves.

use super::*;

/// Counts its runs in memory and says on stderr which one this is. A payload that begins with `!` makes it trap, one that
/// begins with `~` makes it run for ever, and one that begins with `+` makes it take 40 MiB.
fn counter() -> Bytes {
    from_text(
        r#"(module
             (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
             (memory (export "memory") 1)
             (global $runs (mut i32) (i32.const 48))
             (func (export "alloc") (param i32) (result i32) (i32.const 1024))
             (func (export "count") (param $at i32) (param i32) (result i64) (local $first i32)
               (local.set $first (i32.load8_u (local.get $at)))
               (global.set $runs (i32.add (global.get $runs) (i32.const 1)))
               (i32.store8 (i32.const 64) (global.get $runs))
               (i32.store (i32.const 0) (i32.const 64))
               (i32.store (i32.const 4) (i32.const 1))
               (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
               (if (i32.eq (local.get $first) (i32.const 33)) (then (unreachable)))
               (if (i32.eq (local.get $first) (i32.const 126)) (then (loop $again (br $again))))
               (if (i32.eq (local.get $first) (i32.const 43)) (then (drop (memory.grow (i32.const 640)))))
               (i64.or (i64.shl (i64.const 64) (i64.const 32)) (i64.const 1))))"#,
    )
}

fn reusing(most: u32) -> Version {
    Version { reuse: NonZeroU32::new(most), ..version() }
}

fn call_of(version: &Arc<Version>, payload: &'static str) -> Call {
    Call { version: Arc::clone(version), ..call(payload) }
}

/// What the counter says, after each of these payloads.
async fn counts(engine: &Engine, ready: &Ready, version: &Arc<Version>, payloads: &[&'static str]) -> Vec<String> {
    let mut counts = Vec::new();
    for payload in payloads {
        let ran = engine.run(ready, call_of(version, payload)).await;
        let log = String::from_utf8(ran.log.to_vec()).unwrap();
        counts.push(match ran.end {
            Ok(reply) => {
                assert_eq!(reply.body, log, "each run has the log that it wrote");
                log
            }
            Err(failure) => failure.kind.as_str().to_owned(),
        });
    }
    counts
}

#[tokio::test]
async fn an_instance_serves_as_many_runs_as_its_version_says_and_without_that_one() {
    let engine = engine();
    let ready = deploy(&engine, counter()).await;
    let (fresh, thrice) = (Arc::new(version()), Arc::new(reusing(3)));
    assert_eq!(counts(&engine, &ready, &fresh, &["", "", ""]).await, ["1", "1", "1"]);
    assert_eq!(counts(&engine, &ready, &thrice, &["", "", "", "", ""]).await, ["1", "2", "3", "1", "2"]);
    assert_eq!(counts(&engine, &ready, &Arc::new(reusing(1)), &["", ""]).await, ["1", "1"]);
}

#[tokio::test]
async fn versions_do_not_share_instances_even_where_they_are_alike() {
    let engine = engine();
    let ready = deploy(&engine, counter()).await;
    let (one, other) = (Arc::new(reusing(10)), Arc::new(reusing(10)));
    assert_eq!(counts(&engine, &ready, &one, &["", ""]).await, ["1", "2"]);
    assert_eq!(counts(&engine, &ready, &other, &[""]).await, ["1"]);
    assert_eq!(counts(&engine, &ready, &one, &[""]).await, ["3"]);
}

#[tokio::test]
async fn what_trapped_or_was_stopped_is_never_used_again() {
    let engine = engine();
    let ready = deploy(&engine, counter()).await;
    let limits = Limits { timeout: Duration::from_millis(200), ..version().limits };
    let version = Arc::new(Version { limits, ..reusing(10) });
    let seen = counts(&engine, &ready, &version, &["", "", "!", "", "~", ""]).await;
    assert_eq!(seen, ["1", "2", "trap", "1", "timeout", "1"]);
}

#[tokio::test]
async fn one_that_has_taken_most_of_its_memory_is_not_used_again_and_each_run_tells_what_there_is() {
    let engine = engine();
    let ready = deploy(&engine, counter()).await;
    let version = Arc::new(Version { limits: Limits { memory_bytes: 48 * MIB, ..version().limits }, ..reusing(10) });
    assert_eq!(counts(&engine, &ready, &version, &["", "", "+", ""]).await, ["1", "2", "3", "1"]);
    let roomy = Arc::new(reusing(10));
    assert_eq!(counts(&engine, &ready, &roomy, &["+", ""]).await, ["1", "2"]);
    let ran = engine.run(&ready, call_of(&roomy, "")).await;
    assert_eq!(ran.usage.memory_bytes, 41 * MIB - 15 * 64 * 1_024, "{:?}", ran.usage);
}

#[tokio::test]
async fn fuel_is_counted_for_each_run_by_itself() {
    let engine = engine();
    let version = Arc::new(Version { limits: Limits { fuel: Some(10_000), ..version().limits }, ..reusing(10) });
    let ready = deploy_for(&engine, counter(), &version).await;
    let mut used = Vec::new();
    for _ in 0..3 {
        used.push(engine.run(&ready, call_of(&version, "")).await.usage.fuel.unwrap());
    }
    assert!(used[0] > 0 && used.iter().all(|fuel| *fuel == used[0]), "{used:?}");
}

#[tokio::test]
async fn instances_at_rest_are_few_and_go_after_a_while() {
    let settings = Settings { rest: Duration::from_millis(200), concurrency: 16, ..settings(None) };
    let engine = Engine::start(&settings).unwrap();
    let ready = deploy(&engine, counter()).await;
    let resting = || ready.engine().resting.count();
    let versions: Vec<_> = (0..8).map(|_| Arc::new(reusing(10))).collect();
    for version in &versions {
        counts(&engine, &ready, version, &[""]).await;
    }
    assert_eq!(resting(), 3, "an eighth of the pool");
    assert_eq!(counts(&engine, &ready, &versions[0], &[""]).await, ["1"], "the oldest made room");
    while resting() > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(counts(&engine, &ready, &versions[7], &["", ""]).await, ["1", "2"]);
    assert_eq!(resting(), 1);
    engine.stop().await;
    assert_eq!(resting(), 0);
}

#[tokio::test]
async fn handlers_typed_functions_and_http_functions_can_be_entered_again_and_commands_cannot() {
    let engine = engine();
    let version = Arc::new(reusing(10));
    let check = async |module: &str, payload: &'static str, rests: usize| {
        let ready = deploy(&engine, guest(module)).await;
        let before = ready.engine().resting.count();
        let mut bodies = Vec::new();
        for _ in 0..3 {
            bodies.push(engine.run(&ready, call_of(&version, payload)).await.end.unwrap().body);
            assert_eq!(ready.engine().resting.count(), before + rests, "{module}");
        }
        assert!(bodies.iter().all(|body| *body == bodies[0]), "{module}: {bodies:?}");
    };
    check("hostile/echo.wat", "tide", 1).await;
    check("prebuilt/hello-http.wasm", "", 1).await;
    check("prebuilt/bench/typed.wasm", r#"{"text":"tide"}"#, 1).await;
    check("prebuilt/hello-command.wasm", "tide", 0).await;
}

#[tokio::test]
async fn an_instance_that_serves_again_is_told_who_it_is_now() {
    let engine = engine();
    let ready = deploy(&engine, guest("prebuilt/hello-http.wasm")).await;
    let version = Arc::new(reusing(10));
    for invocation in ["one", "two", "three"] {
        let identity = Identity { invocation: invocation.to_owned(), ..(*call("").identity).clone() };
        let request = Request {
            method: Method::POST,
            uri: "/echo".parse().unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::from(format!("payload {invocation}")),
        };
        let input = Input::Request(Box::new(request));
        let call = Call { input, identity: Arc::new(identity), ..call_of(&version, "") };
        let told = body(engine.run(&ready, call).await);
        let id = format!(r#""tidemill-invocation-id":"{invocation}""#);
        assert!(told.contains(&id) && told.contains(&format!("payload {invocation}")), "{told}");
        assert_eq!(ready.engine().resting.count(), 1);
    }
}

#[tokio::test]
async fn a_failure_that_a_guest_tells_itself_costs_no_instance() {
    let engine = engine();
    let ready = deploy(&engine, guest("prebuilt/hello-http.wasm")).await;
    let version = Arc::new(reusing(10));
    let request = Request {
        method: Method::GET,
        uri: "/status/503".parse().unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::new(),
    };
    let call = Call { input: Input::Request(Box::new(request)), ..call_of(&version, "") };
    let ran = engine.run(&ready, call).await;
    assert_eq!(ran.end.unwrap_err().kind, FailureKind::HttpStatus(503));
    assert_eq!(ready.engine().resting.count(), 1, "it has said all it had to say");
}
