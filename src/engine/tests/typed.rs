//! Typed functions, from their exports to their answers. What JSON each type is, is tested beside the code.

use super::*;

/// Interfaces in three versions and a function at the root, each of which answers with its own number.
const MANY: &str = r#"(component
    (core module $guest
      (func (export "one") (result i32) (i32.const 1))
      (func (export "two") (result i32) (i32.const 2))
      (func (export "ten") (result i32) (i32.const 10))
      (func (export "root") (param i32) (result i32) (local.get 0)))
    (core instance $i (instantiate $guest))
    (func $one (result u32) (canon lift (core func $i "one")))
    (func $two (result u32) (canon lift (core func $i "two")))
    (func $ten (result u32) (canon lift (core func $i "ten")))
    (instance $first (export "number" (func $one)))
    (instance $second (export "number" (func $two)))
    (instance $tenth (export "number" (func $ten)) (export "more" (func $ten)))
    (export "a:b/c@1.2.0" (instance $first))
    (export "a:b/c@2.0.0-rc.1" (instance $second))
    (export "a:b/c@10.0.0" (instance $tenth))
    (func (export "root") (param "n" u32) (result u32) (canon lift (core func $i "root"))))"#;

/// A function that returns a `result`: `ok` of what it gets where that is even, else `err` of it.
const EVEN: &str = r#"(component
    (core module $guest
      (memory (export "memory") 1)
      (func (export "even") (param i32) (result i32)
        (i32.store8 (i32.const 8) (i32.and (local.get 0) (i32.const 1)))
        (i32.store (i32.const 12) (local.get 0))
        (i32.const 8)))
    (core instance $i (instantiate $guest))
    (func (export "even") (param "n" u32) (result (result u32 (error s32)))
      (canon lift (core func $i "even") (memory (core memory $i "memory")))))"#;

async fn inspect(module: &str, wanted: &str) -> Result<String, String> {
    let (module, wanted) = (from_text(module), (!wanted.is_empty()).then(|| wanted.parse().unwrap()));
    let found = engine().inspect(digest(&module), module, wanted).await;
    found.map(|entrypoint| entrypoint.to_string()).map_err(|refused| refused.to_string())
}

#[tokio::test]
async fn a_function_is_found_by_its_interface_with_a_version_or_the_newest() {
    for (wanted, expected) in [
        ("root", "typed:root"),
        ("typed:root", "typed:root"),
        ("a:b/c@1.2.0#number", "typed:a:b/c@1.2.0#number"),
        ("a:b/c@1.1.0#number", "typed:a:b/c@1.1.0#number"), // which 1.2.0 is compatible with
        ("a:b/c#number", "typed:a:b/c@10.0.0#number"),
        ("typed:a:b/c#more", "typed:a:b/c@10.0.0#more"),
    ] {
        assert_eq!(inspect(MANY, wanted).await.as_deref(), Ok(expected), "{wanted}");
    }
    for wanted in ["number", "a:b/c", "a:b/c@3.0.0#number", "a:b/d#number", "a:b/c@1.2.0#more"] {
        let refused = inspect(MANY, wanted).await.unwrap_err();
        assert!(refused.starts_with(&format!("this module exports no function `{wanted}`; it has")), "{refused}");
        assert!(refused.contains("`a:b/c@1.2.0#number`") && refused.contains("`root`"), "{refused}");
    }
    let several = inspect(MANY, "").await.unwrap_err();
    assert!(several.contains("name one of `a:b/c@1.2.0#number`, "), "{several}");
    assert_eq!(inspect(EVEN, "").await.as_deref(), Ok("typed:even"));
}

#[tokio::test]
async fn the_one_that_was_named_is_the_one_that_runs() {
    let (engine, module) = (engine(), from_text(MANY));
    for (wanted, payload, answer) in [
        ("a:b/c@1.1.0#number", "", "1"),
        ("a:b/c#number", "{}", "10"),
        ("root", "7", "7"),
        ("root", r#"{"n": 8}"#, "8"),
    ] {
        let entrypoint = engine.inspect(digest(&module), module.clone(), Some(wanted.parse().unwrap())).await.unwrap();
        let nowhere = async { Err("it is in memory".to_owned()) };
        let ready = engine.load(digest(&module), &entrypoint, nowhere).await.unwrap();
        let reply = engine.run(&ready, call(payload)).await.end.unwrap();
        assert_eq!((&*reply.content_type, &reply.body[..]), ("application/json", answer.as_bytes()), "{wanted}");
    }
}

#[tokio::test]
async fn an_err_is_a_failure_and_a_misfit_a_permanent_one() {
    let engine = engine();
    let even = deploy(&engine, from_text(EVEN)).await;
    assert_eq!(body(engine.run(&even, call("8")).await), "8");
    let failed = failure(engine.run(&even, call("4294967295")).await);
    assert_eq!((failed.kind, failed.advice, &*failed.message), (FailureKind::Retryable, Advice::Retry, "-1"));
    let failed = failure(engine.run(&even, call(r#"{"n": -1}"#)).await);
    assert_eq!((failed.kind, failed.advice), (FailureKind::Permanent, Advice::GiveUp));
    let expected = "the payload does not fit the function at `/n`: invalid value: integer `-1`";
    assert!(failed.message.starts_with(expected), "{failed:?}");
}

#[tokio::test]
async fn a_function_that_json_cannot_call_is_refused_and_what_of_it_is_named() {
    let resource = r#"(component
        (core module $guest (func (export "f") (param i32)))
        (core instance $i (instantiate $guest))
        (type $file' (resource (rep i32)))
        (export $file "file" (type $file'))
        (func (export "f") (param "of" (own $file)) (canon lift (core func $i "f"))))"#;
    let refused = inspect(resource, "f").await.unwrap_err();
    let expected =
        "the function `f` cannot be called with JSON: its parameter `of` holds a resource, which has no form in JSON";
    assert!(refused.contains(expected), "{refused}");
    let deep = format!("{}bool{}", "(option ".repeat(60), ")".repeat(60));
    let deep = EVEN.replace("(result u32 (error s32))", &format!("(result {deep} (error s32))"));
    let refused = inspect(&deep, "").await.unwrap_err();
    assert!(refused.contains("its result has types nested deeper than 50"), "{refused}");
}

#[tokio::test]
async fn an_answer_over_the_versions_limit_is_too_large() {
    let engine = engine();
    let even = deploy(&engine, from_text(EVEN)).await;
    let within = |bytes| call_under("100", |version| version.limits.space.result_bytes = bytes);
    assert_eq!(body(engine.run(&even, within(3)).await), "100");
    assert_eq!(failure(engine.run(&even, within(2)).await).kind, FailureKind::ResponseTooLarge);
}

#[tokio::test]
async fn code_from_the_disk_has_its_signature_again() {
    let dir = tempfile::tempdir().unwrap();
    let module = from_text(MANY);
    let engine = Engine::start(&settings(Some(dir.path()))).unwrap();
    let wanted = Some("a:b/c#number".parse().unwrap());
    let entrypoint = engine.inspect(digest(&module), module.clone(), wanted).await.unwrap();
    drop(engine);
    let engine = Engine::start(&settings(Some(dir.path()))).unwrap();
    let nowhere = async { Err("it is on the disk".to_owned()) };
    let ready = engine.load(digest(&module), &entrypoint, nowhere).await.unwrap();
    assert_eq!(ready.signature().unwrap().to_string(), "number: func() -> u32");
    assert_eq!(engine.compiled(), 0);
    assert_eq!(body(engine.run(&ready, call("")).await), "10");
}

/// A component with one function, whose core code finds what it returns with a pointer at 16.
fn component(params: &str, result: &str, core: &str) -> Bytes {
    from_text(&format!(
        r#"(component
             (core module $guest
               (memory (export "memory") 1)
               (global $free (mut i32) (i32.const 1024))
               (func (export "realloc") (param i32 i32 i32) (param $size i32) (result i32) (local $at i32)
                 (local.set $at (global.get $free))
                 (global.set $free (i32.add (local.get $at) (local.get $size)))
                 (local.get $at))
               (func (export "f") {core}))
             (core instance $i (instantiate $guest))
             (func (export "f") {params} {result}
               (canon lift (core func $i "f") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))"#
    ))
}

#[tokio::test]
async fn every_signature_that_carries_bytes_as_they_are_does() {
    let bytes = r#"(param "a" (list u8))"#;
    let held = "(param $a i32) (param $len i32) (result i32)
        (i32.store8 (i32.const 16) (i32.eqz (local.get $len)))
        (i32.store (i32.const 20) (local.get $a)) (i32.store (i32.const 24) (local.get $len)) (i32.const 16)";
    let last = |params: &str, ptr: &str, len: &str| {
        format!(
            "{params} (result i32)
             (i32.store (i32.const 16) {ptr}) (i32.store (i32.const 20) {len}) (i32.const 16)"
        )
    };
    let first = last("(param $a i32) (param $n i32)", "(local.get $a)", "(local.get $n)");
    let second = last("(param i32 i32) (param $b i32) (param $n i32)", "(local.get $b)", "(local.get $n)");
    let nothing = last("", "(i32.const 0)", "(i32.const 0)");
    let some = held.replace("(i32.eqz (local.get $len))", "(i32.ne (local.get $len) (i32.const 0))");
    let length = "(param i32 i32 i32 i32) (result i32) (local.get 3)";
    let lengths = "(param i32 i32 i32 i32) (result i64) (i64.extend_i32_u (i32.add (local.get 1) (local.get 3)))";
    let is_any = "(param i32 i32) (result i32) (i32.ne (local.get 1) (i32.const 0))";
    let text_and_bytes = r#"(param "a" string) (param "b" (list u8))"#;
    let bytes_and_text = r#"(param "a" (list u8)) (param "b" string)"#;
    let twice = r#"(param "a" (list u8)) (param "b" (list u8))"#;
    let engine = engine();
    for (params, result, core, payload, expected) in [
        (bytes, "", "(param i32 i32)", r#""QUI=""#, Ok("null")),
        (bytes, "(result bool)", is_any, r#""QUI=""#, Ok("true")),
        (text_and_bytes, "(result u32)", length, r#"["x", "QUI="]"#, Ok("2")),
        (twice, "(result u64)", lengths, r#"["QQ==", [1, 2, 3]]"#, Ok("4")),
        (bytes_and_text, "(result string)", &second, r#"{"b": "é", "a": []}"#, Ok(r#""é""#)),
        (r#"(param "a" string)"#, "(result (list u8))", &first, r#""AB""#, Ok(r#""QUI=""#)),
        ("", "(result (list u8))", &nothing, "", Ok(r#""""#)),
        (bytes, "(result (option (list u8)))", &some, r#""QUI=""#, Ok(r#""QUI=""#)),
        (bytes, "(result (option (list u8)))", &some, r#""""#, Ok("null")),
        (bytes, "(result (result (list u8) (error string)))", held, r#""QUI=""#, Ok(r#""QUI=""#)),
        (bytes, "(result (result (list u8) (error string)))", held, r#""""#, Err(r#""""#)),
        (bytes, "(result (result string (error string)))", held, r#""QUI=""#, Ok(r#""AB""#)),
        (bytes, "(result (result (error string)))", held, r#""QUI=""#, Ok("null")),
        (bytes, "(result (result (error string)))", held, r#""""#, Err(r#""""#)),
    ] {
        let ready = deploy(&engine, component(params, result, core)).await;
        let told = engine.run(&ready, call(payload)).await.end;
        let told = told.map(|reply| String::from_utf8(reply.body.into()).unwrap()).map_err(|failure| failure.message);
        assert_eq!(told.as_deref().map_err(|message| &**message), expected, "{params} {result}");
    }
}
