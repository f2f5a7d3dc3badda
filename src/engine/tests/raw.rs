//! Raw functions, from their exports to their bytes.

use super::*;

/// A module that answers with what it is given, between brackets; with a start that has to have been made.
const ECHO: &str = r#"(module
    (memory (export "memory") 1)
    (global $free (mut i32) (i32.const 0))
    (func (export "_initialize") (global.set $free (i32.const 1024)))
    (func (export "alloc") (param $len i32) (result i32)
      (local $at i32)
      (if (i32.eqz (global.get $free)) (then (unreachable)))
      (local.set $at (i32.add (global.get $free) (i32.const 1)))
      (global.set $free (i32.add (local.get $at) (i32.add (local.get $len) (i32.const 1))))
      (drop (memory.grow (i32.add (i32.shr_u (local.get $len) (i32.const 16)) (i32.const 1))))
      (local.get $at))
    (func (export "echo") (param $ptr i32) (param $len i32) (result i64)
      (i32.store8 (i32.sub (local.get $ptr) (i32.const 1)) (i32.const 91))
      (i32.store8 (i32.add (local.get $ptr) (local.get $len)) (i32.const 93))
      (i64.or
        (i64.shl (i64.extend_i32_u (i32.sub (local.get $ptr) (i32.const 1))) (i64.const 32))
        (i64.extend_i32_u (i32.add (local.get $len) (i32.const 2))))))"#;

/// A module whose `alloc` and `f` return just this.
fn fixed(alloc: u32, result: u64) -> Bytes {
    from_text(&format!(
        r#"(module
             (memory (export "memory") 1)
             (func (export "alloc") (param i32) (result i32) (i32.const {alloc}))
             (func (export "f") (param i32 i32) (result i64) (i64.const {result})))"#
    ))
}

async fn refused(module: &str, wanted: &str) -> String {
    let (module, wanted) = (from_text(module), (!wanted.is_empty()).then(|| wanted.parse().unwrap()));
    engine().inspect(digest(&module), module, wanted).await.unwrap_err().to_string()
}

#[tokio::test]
async fn bytes_go_in_and_come_out() {
    let engine = engine();
    let ready = deploy(&engine, from_text(ECHO)).await;
    assert_eq!(ready.entrypoint().to_string(), "raw:echo");
    for payload in [Bytes::new(), Bytes::from_static(b"tide"), vec![0xff; 5 << 20].into()] {
        let reply = engine.run(&ready, call(payload.clone())).await.end.unwrap();
        assert_eq!(reply.body, [b"[", &payload[..], b"]"].concat());
        assert_eq!(reply.content_type, "");
    }
}

#[tokio::test]
async fn what_points_out_of_the_memory_is_a_trap_that_says_so() {
    let check = async |module: Bytes, message: &str| {
        let failed = failure(run(module, call("tide")).await);
        assert_eq!((failed.kind, failed.advice, &*failed.message), (FailureKind::Trap, Advice::Retry, message));
    };
    let outside = "which is outside its memory of 65536 bytes";
    check(fixed(65_533, 0), &format!("`alloc` put the payload of 4 bytes at 65533, {outside}")).await;
    check(fixed(u32::MAX, 0), &format!("`alloc` put the payload of 4 bytes at 4294967295, {outside}")).await;
    check(fixed(0, 65_536 << 32 | 1), &format!("`f` put its result of 1 bytes at 65536, {outside}")).await;
    let longest = format!("`f` put its result of 4294967295 bytes at 1, {outside}");
    check(fixed(0, 1 << 32 | u64::from(u32::MAX)), &longest).await;
    let reply = run(fixed(0, 65_536 << 32), call("tide")).await.end.unwrap();
    assert_eq!(reply.body, ""); // nothing, at the very end of the memory
}

#[tokio::test]
async fn a_result_over_the_versions_limit_is_too_large() {
    let module = fixed(0, 100);
    let engine = engine();
    let ready = deploy(&engine, module).await;
    let within = |bytes| call_under("", |version| version.limits.space.result_bytes = bytes);
    assert_eq!(engine.run(&ready, within(100)).await.end.unwrap().body.len(), 100);
    assert_eq!(failure(engine.run(&ready, within(99)).await).kind, FailureKind::ResponseTooLarge);
}

#[tokio::test]
async fn a_trap_is_one_and_wasi_is_there() {
    let trap = r#"(module
        (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "alloc") (param i32) (result i32) (i32.const 8))
        (func (export "f") (param i32 i32) (result i64)
          (if (i32.eqz (local.get 1)) (then (unreachable)))
          (drop (call $random (i32.const 64) (i32.const 32)))
          (i64.const 274877906976)))"#;
    let engine = engine();
    let ready = deploy(&engine, from_text(trap)).await;
    assert_eq!(failure(engine.run(&ready, call("")).await).kind, FailureKind::Trap);
    let random = engine.run(&ready, call("x")).await.end.unwrap().body;
    assert_eq!(random.len(), 32);
    assert_ne!(random, engine.run(&ready, call("x")).await.end.unwrap().body);
}

#[tokio::test]
async fn one_function_is_found_and_of_several_one_is_named() {
    let two = ECHO.replace(r#"(func (export "echo")"#, r#"(func (export "other") (export "echo")"#);
    let several = refused(&two, "").await;
    assert!(several.contains("name one of `other`, `echo` as the entrypoint"), "{several}");
    let module = from_text(&two);
    for (wanted, expected) in [("other", "raw:other"), ("raw:echo", "raw:echo")] {
        let found = engine().inspect(digest(&module), module.clone(), Some(wanted.parse().unwrap())).await;
        assert_eq!(found.unwrap().to_string(), expected);
    }
    let missing = refused(ECHO, "nobody").await;
    assert_eq!(missing, "this module exports no function `nobody`; it has `echo`");
    let typed = refused(ECHO, "typed:echo").await;
    assert!(typed.contains("name a function of a core module with `raw:`"), "{typed}");
    let raw = refused("(component)", "raw:echo").await;
    assert!(raw.contains("name a function of a component with `typed:`"), "{raw}");
}

#[tokio::test]
async fn what_is_wrong_with_the_exports_is_said_of_each() {
    let wrong = refused(ECHO, "alloc").await;
    assert!(
        wrong.contains("`alloc` has the wrong type: it must be a function from (ptr: i32, len: i32) to i64"),
        "{wrong}"
    );
    let without = |export: &str| ECHO.replace(&format!(r#"(export "{export}")"#), "");
    let wrong = refused(&without("memory"), "echo").await;
    assert!(wrong.contains("`memory` has the wrong type: a raw function needs this export"), "{wrong}");
    let wrong = refused(&without("alloc"), "echo").await;
    assert!(wrong.contains("`alloc` has the wrong type: a raw function needs this export"), "{wrong}");
    let nothing = refused(&without("alloc"), "").await;
    assert!(nothing.contains("nothing of that can be called"), "{nothing}");
}
