//! Components of WASI 0.3, which run where somebody has said so.

use super::*;
use crate::engine::{Outside, look_at};
use crate::model::function::Space;

fn engine_with_0_3() -> Engine {
    Engine::start(&Settings { wasi_0_3: true, ..settings(None) }).unwrap()
}

/// A version of a module as a deployment would make it.
async fn version_of(module: &Bytes) -> Version {
    let Outside { wasi_0_3, .. } = look_at(module.clone()).await;
    Version { wasi_0_3, ..version() }
}

#[tokio::test]
async fn an_http_function_of_0_3_answers_like_any_other() {
    let (engine, module) = (engine_with_0_3(), guest("bench/http-0.3.wat"));
    let version = version_of(&module).await;
    let ready = deploy_for(&engine, module, &version).await;
    assert_eq!(ready.entrypoint(), Entrypoint::Http);
    for _ in 0..3 {
        let call = Call { version: Arc::new(version.clone()), ..call("tide") };
        let reply = engine.run(&ready, call).await.end.unwrap();
        assert!(reply.head.as_ref().unwrap().0.is_success());
        assert_eq!(reply.body, "hello from tidemill");
    }
    assert_eq!(ready.engine().resting.count(), 0);
}

#[tokio::test]
async fn one_instance_of_0_3_serves_many_invocations_where_its_version_says_so() {
    let engine = engine_with_0_3();
    for (path, payload, expected) in
        [("bench/http-0.3.wat", "", "hello from tidemill"), ("async/echo.wat", "tide", "tide")]
    {
        let module = guest(path);
        let version = Arc::new(Version { reuse: NonZeroU32::new(5), ..version_of(&module).await });
        let ready = deploy_for(&engine, module, &version).await;
        let before = ready.engine().resting.count();
        for run in 1..=6 {
            let call = Call { version: Arc::clone(&version), ..call(payload) };
            assert_eq!(body(engine.run(&ready, call).await), expected);
            let rests = usize::from(run != 5);
            assert_eq!(ready.engine().resting.count(), before + rests, "{path}, {run}");
        }
    }
}

#[tokio::test]
async fn an_asynchronous_handler_waits_for_two_things_at_once() {
    let (engine, module) = (engine_with_0_3(), guest("async/echo.wat"));
    let version = version_of(&module).await;
    let ready = deploy_for(&engine, module, &version).await;
    assert_eq!(ready.entrypoint(), Entrypoint::Handler);
    let ran = engine.run(&ready, Call { version: Arc::new(version), ..call("tide") }).await;
    assert!((200_000..390_000).contains(&ran.usage.ran_us), "{:?}", ran.usage);
    assert_eq!(body(ran), "tide");
}

#[tokio::test]
async fn a_guest_of_0_3_that_waits_too_long_or_never_ends_is_stopped_in_time() {
    let engine = engine_with_0_3();
    let limited = |version: Version| Version {
        limits: Limits { timeout: Duration::from_millis(100), ..version.limits },
        ..version
    };
    let spins = from_text(
        r#"(component
             (core module $m (func (export "f") (result i32) (loop $again (br $again)) (i32.const 0))
                             (func (export "b") (param i32 i32 i32) (result i32) (i32.const 0)))
             (core instance $i (instantiate $m))
             (func (export "spin") async
               (canon lift (core func $i "f") async (callback (core func $i "b")))))"#,
    );
    for (module, payload) in [(guest("async/echo.wat"), "tide"), (spins, "null")] {
        let version = limited(version_of(&module).await);
        let ready = deploy_for(&engine, module, &version).await;
        let call = Call { version: Arc::new(version), ..call(payload) };
        assert_eq!(failure(engine.run(&ready, call.clone()).await).kind, FailureKind::Timeout);
        if payload == "null" {
            // What computes is stopped by the epoch also where nobody watches from outside.
            assert_eq!(failure(engine.run_unwatched(&ready, call).await).kind, FailureKind::Timeout);
        }
    }
}

#[tokio::test]
async fn an_asynchronous_function_is_called_with_json() {
    let (engine, module) = (
        engine_with_0_3(),
        from_text(
            r#"(component
             (core func $return (canon task.return (result u32)))
             (core module $m
               (import "" "return" (func $return (param i32)))
               (func (export "f") (param i32 i32) (result i32)
                 (call $return (i32.add (local.get 0) (local.get 1)))
                 (i32.const 0))
               (func (export "b") (param i32 i32 i32) (result i32) (unreachable)))
             (core instance $i (instantiate $m (with "" (instance (export "return" (func $return))))))
             (func (export "add") async (param "a" u32) (param "b" u32) (result u32)
               (canon lift (core func $i "f") async (callback (core func $i "b")))))"#,
        ),
    );
    let version = version_of(&module).await;
    let ready = deploy_for(&engine, module, &version).await;
    let call = Call { version: Arc::new(version), ..call("[2, 40]") };
    assert_eq!(body(engine.run(&ready, call).await), "42");
}

#[tokio::test]
async fn without_the_flag_such_a_component_is_refused_with_the_flag_named() {
    let (engine, module) = (engine(), guest("bench/http-0.3.wat"));
    let code = CodeId { digest: digest(&module), ..CodeId::of(&version_of(&module).await) };
    let refused = engine.inspect(code, module, None).await.unwrap_err();
    assert_eq!(refused, Refused::Experimental);
    assert!(refused.to_string().contains("`tidemill serve --wasi-0.3`"), "{refused}");
    assert_eq!(engine.engines_made(), 1);
}

#[tokio::test]
async fn whoever_asks_for_nothing_of_it_runs_in_the_usual_engine_beside_it() {
    let engine = engine_with_0_3();
    let ready = deploy(&engine, guest("prebuilt/hello-http.wasm")).await;
    assert_eq!(body(engine.run(&ready, call("tide")).await), "tide");
    assert_eq!(engine.engines_made(), 1);
}

#[tokio::test]
async fn a_command_of_0_3_gets_the_payload_and_all_that_it_writes_is_its_result() {
    let (engine, module) = (engine_with_0_3(), guest("async/cat.wat"));
    let version = version_of(&module).await;
    assert!(version.wasi_0_3);
    let ready = deploy_for(&engine, module, &version).await;
    assert_eq!(ready.entrypoint(), Entrypoint::Command);
    // More than any buffer on the way takes at once.
    for payload in [String::new(), "tide".to_owned(), "x".repeat(300_000)] {
        let call = Call { version: Arc::new(version.clone()), ..call(payload.clone()) };
        assert_eq!(body(engine.run(&ready, call).await), payload);
    }
}

#[tokio::test]
async fn a_command_of_0_3_that_writes_more_than_it_may_fails_as_one_of_0_2_does() {
    let (engine, module) = (engine_with_0_3(), guest("async/cat.wat"));
    let version = version_of(&module).await;
    let space = Space { result_bytes: 1_000, ..Space::default() };
    let version = Version { limits: Limits { space, ..version.limits }, ..version };
    let ready = deploy_for(&engine, module, &version).await;
    let call = Call { version: Arc::new(version), ..call("x".repeat(5_000)) };
    assert_eq!(failure(engine.run(&ready, call).await).kind, FailureKind::ResponseTooLarge);
}
