use super::*;
use crate::model::entrypoint::Wanted;

async fn inspect(module: Bytes, wanted: Option<Entrypoint>) -> Result<Entrypoint, Refused> {
    engine().inspect(digest(&module), module, wanted.map(Wanted::Entrypoint)).await
}

#[tokio::test]
async fn the_kind_of_a_module_is_found_by_its_exports() {
    for (path, kind) in [
        ("prebuilt/echo.wasm", Entrypoint::Handler),
        ("prebuilt/upper.wasm", Entrypoint::Handler),
        ("hostile/echo.wat", Entrypoint::Handler),
        ("prebuilt/hello-http.wasm", Entrypoint::Http),
        ("prebuilt/hello-command.wasm", Entrypoint::Command),
        ("prebuilt/word-count.wasm", Entrypoint::Command),
        ("hostile/spin.wat", Entrypoint::Command),
    ] {
        assert_eq!(inspect(guest(path), None).await, Ok(kind.clone()), "{path}");
        assert_eq!(inspect(guest(path), Some(kind.clone())).await, Ok(kind), "{path}");
    }
}

#[tokio::test]
async fn a_module_without_an_entrypoint_is_refused_with_its_exports() {
    let refused = inspect(guest("hostile/no-entrypoint.wat"), None).await.unwrap_err();
    let exports = vec!["memory".to_owned(), "answer".to_owned()];
    assert_eq!(refused, Refused::MissingEntrypoint { wanted: None, exports });
    let wanted = Some(Entrypoint::Http);
    let refused = inspect(guest("prebuilt/echo.wasm"), wanted.clone()).await.unwrap_err();
    let exports = vec!["tidemill:function/handler@1.0.0".to_owned()];
    assert_eq!(refused, Refused::MissingEntrypoint { wanted, exports });
}

#[tokio::test]
async fn every_import_that_nothing_provides_is_named() {
    let refused = inspect(guest("hostile/missing-import.wat"), None).await.unwrap_err();
    assert_eq!(refused, Refused::MissingImports { names: vec!["env.does_not_exist".to_owned()] });
    let core = from_text(
        r#"(module
             (import "env" "one" (func))
             (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
             (import "tidemill-fault" "abort" (func))
             (func (export "_start")))"#,
    );
    let names = vec!["env.one".to_owned(), "tidemill-fault.abort".to_owned()];
    assert_eq!(inspect(core, None).await, Err(Refused::MissingImports { names }));
}

#[tokio::test]
async fn every_interface_that_nothing_provides_is_named() {
    let component = from_text(
        r#"(component
             (import "wasi:keyvalue/store@0.2.0" (instance $store
               (export "bucket" (type $bucket (sub resource)))
               (export "open" (func (param "name" string) (result (own $bucket))))))
             (alias export $store "bucket" (type $bucket))
             (import "wasi:keyvalue/atomics@0.2.0" (instance
               (alias outer 1 $bucket (type $outer))
               (export "bucket" (type $of (eq $outer)))
               (export "increment" (func (param "bucket" (borrow $of)) (param "by" u64)))))
             (import "wasi:clocks/monotonic-clock@0.2.0" (instance (export "now" (func (result u64)))))
             (import "log" (func (param "text" string)))
             (core module $guest (func (export "run") (result i32) (i32.const 0)))
             (core instance $instance (instantiate $guest))
             (func $run (result (result)) (canon lift (core func $instance "run")))
             (instance $exported (export "run" (func $run)))
             (export "wasi:cli/run@0.2.3" (instance $exported)))"#,
    );
    let names = ["wasi:keyvalue/store@0.2.0", "wasi:keyvalue/atomics@0.2.0", "log"].map(str::to_owned).to_vec();
    assert_eq!(inspect(component, None).await, Err(Refused::MissingImports { names }));
}

#[tokio::test]
async fn an_export_of_the_right_name_and_the_wrong_type_is_refused_by_name() {
    let check = async |module: &str, name: &str| {
        let refused = inspect(from_text(module), None).await.unwrap_err();
        assert!(matches!(&refused, Refused::WrongSignature { export, .. } if export == name), "{refused}");
    };
    check(r#"(module (func (export "_start") (param i32)))"#, "_start").await;
    check(r#"(module (memory (export "_start") 1))"#, "_start").await;
    let handle = r#"(component
        (core module $guest (func (export "handle") (param i32) (result i32) (local.get 0)))
        (core instance $instance (instantiate $guest))
        (func (export "handle") (param "number" u32) (result u32) (canon lift (core func $instance "handle"))))"#;
    check(handle, "handle").await;
}

#[tokio::test]
async fn what_is_no_module_is_refused_as_malformed() {
    for bytes in [&b""[..], b"hello", b"(module)", b"\0asm\x01\0\0\0\xff"] {
        let refused = inspect(Bytes::from_static(bytes), None).await;
        assert!(matches!(refused, Err(Refused::Malformed { .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn the_means_to_crash_are_there_for_tests_alone() {
    let module = guest("hostile/abort.wat");
    let names = vec!["tidemill-fault.abort".to_owned()];
    assert_eq!(inspect(module.clone(), None).await, Err(Refused::MissingImports { names }));
    let engine = Engine::start(&Settings { fault_injection: true, ..settings(None) }).unwrap();
    assert_eq!(engine.inspect(digest(&module), module, None).await, Ok(Entrypoint::Command));
}

#[tokio::test]
async fn a_module_that_could_never_have_its_memory_is_refused() {
    let module = from_text(r#"(module (memory i64 200000) (func (export "_start")))"#);
    assert!(inspect(module, None).await.is_err());
}
