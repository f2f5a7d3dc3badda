use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::engine::seal::{SEAL_BYTES, Seal};
use crate::engine::{Build, compile};

async fn load(engine: &Engine, module: &Bytes) -> Ready {
    let give = module.clone();
    engine.load(digest(module), &Entrypoint::Handler, async move { Ok(give) }).await.unwrap()
}

/// The one file of compiled code.
fn cached(dir: &Path) -> std::path::PathBuf {
    let mut files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let file = files.next().unwrap();
    assert_eq!(files.next(), None);
    file
}

#[tokio::test]
async fn a_hundred_who_ask_for_a_module_at_once_have_it_compiled_once() {
    let (engine, module) = (engine(), guest("prebuilt/echo.wasm"));
    let asked = AtomicU32::new(0);
    let load = || {
        engine.load(digest(&module), &Entrypoint::Handler, async {
            asked.fetch_add(1, Ordering::Relaxed);
            Ok(module.clone())
        })
    };
    for ready in futures::future::join_all((0..100).map(|_| load())).await {
        ready.unwrap();
    }
    assert_eq!((engine.compiled(), asked.into_inner()), (1, 1));
}

#[tokio::test]
async fn a_compilation_goes_on_when_whoever_asked_first_has_gone() {
    let (engine, module) = (engine(), guest("prebuilt/echo.wasm"));
    let give = module.clone();
    let mut first = Box::pin(engine.load(digest(&module), &Entrypoint::Handler, async move { Ok(give) }));
    assert!(futures::poll!(&mut first).is_pending());
    drop(first);
    let not_needed = async { Err("the module was asked for again".to_owned()) };
    engine.load(digest(&module), &Entrypoint::Handler, not_needed).await.unwrap();
    assert_eq!((engine.compiled(), engine.loaded().0), (1, 1));
}

#[tokio::test]
async fn compilations_that_nobody_waits_for_end_with_the_engine() {
    let (engine, module) = (engine(), guest("prebuilt/echo.wasm"));
    let give = module.clone();
    let mut asked = Box::pin(engine.load(digest(&module), &Entrypoint::Handler, async move { Ok(give) }));
    assert!(futures::poll!(&mut asked).is_pending());
    engine.stop().await;
    assert!(asked.await.unwrap_err().to_string().contains("the runtime was stopped while it compiled"));
}

#[tokio::test]
async fn a_module_that_cannot_be_read_is_asked_for_again() {
    let (engine, module) = (engine(), guest("prebuilt/echo.wasm"));
    let failed = engine.load(digest(&module), &Entrypoint::Handler, async { Err("no disk".to_owned()) }).await;
    assert_eq!(failed.unwrap_err().to_string(), "the module cannot be read: no disk");
    load(&engine, &module).await;
}

#[tokio::test]
async fn compiled_code_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let module = guest("prebuilt/echo.wasm");
    let first = Engine::start(&settings(Some(dir.path()))).unwrap();
    deploy(&first, module.clone()).await;
    assert_eq!(first.compiled(), 1);
    drop(first);
    let second = Engine::start(&settings(Some(dir.path()))).unwrap();
    let ready = second.load(digest(&module), &Entrypoint::Handler, async { Err("not needed".to_owned()) }).await;
    assert_eq!(body(second.run(&ready.unwrap(), call("tide")).await), "tide");
    assert_eq!(second.compiled(), 0);
}

#[tokio::test]
async fn damaged_code_is_compiled_again_and_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let module = guest("prebuilt/echo.wasm");
    deploy(&Engine::start(&settings(Some(dir.path()))).unwrap(), module.clone()).await;
    let whole = std::fs::read(cached(dir.path())).unwrap();
    let half = whole[..whole.len() / 2].to_vec();
    for damaged in [vec![], b"nonsense".to_vec(), half, whole[..100].to_vec()] {
        std::fs::write(cached(dir.path()), damaged).unwrap();
        let engine = Engine::start(&settings(Some(dir.path()))).unwrap();
        let ready = load(&engine, &module).await;
        assert_eq!(body(engine.run(&ready, call("tide")).await), "tide");
        assert_eq!(engine.compiled(), 1);
        assert_eq!(std::fs::read(cached(dir.path())).unwrap().len(), whole.len());
    }
}

#[tokio::test]
async fn what_is_refused_is_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    let engine = Engine::start(&settings(Some(dir.path()))).unwrap();
    let module = guest("hostile/missing-import.wat");
    engine.inspect(digest(&module), module, None).await.unwrap_err();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn the_directory_of_compiled_code_is_its_owners_alone() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("new");
    Engine::start(&settings(Some(&dir))).unwrap();
    assert_eq!(std::fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o777)).unwrap();
    let refused = Engine::start(&settings(Some(&dir))).map(|_| ()).unwrap_err();
    assert!(matches!(refused, crate::engine::EngineError::CacheDir { .. }), "{refused}");
}

#[tokio::test]
async fn the_directory_of_compiled_code_may_be_cleared_away_and_without_one_nothing_is_said_against_the_module() {
    let dir = tempfile::tempdir().unwrap();
    let (dir, module) = (dir.path().join("code"), guest("prebuilt/echo.wasm"));
    let engine = Engine::start(&settings(Some(&dir))).unwrap();
    std::fs::remove_dir(&dir).unwrap();
    deploy(&engine, module.clone()).await;
    assert_eq!(std::fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
    std::fs::remove_dir_all(&dir).unwrap();
    std::fs::write(&dir, "something else").unwrap();
    let refused = engine.inspect(digest(&module), module, None).await.unwrap_err();
    assert!(refused.is_ours() && refused.to_string().contains("Not a directory"), "{refused}");
}

#[tokio::test]
async fn what_a_crash_left_half_written_is_removed_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("unfinished-1"), "half").unwrap();
    Engine::start(&settings(Some(dir.path()))).unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

/// An engine that finds `file` where the code of `module` should be.
async fn with_file(module: &Bytes, put: impl FnOnce(&Path)) -> (Engine, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    deploy(&Engine::start(&settings(Some(dir.path()))).unwrap(), module.clone()).await;
    put(&cached(dir.path()));
    (Engine::start(&settings(Some(dir.path()))).unwrap(), dir)
}

#[tokio::test]
async fn code_that_does_not_fit_is_compiled_again_and_not_trusted() {
    let module = guest("prebuilt/echo.wasm");
    let check = async |put: fn(&Path)| {
        let (engine, dir) = with_file(&module, put).await;
        let ready = load(&engine, &module).await;
        assert_eq!(body(engine.run(&ready, call("tide")).await), "tide");
        assert_eq!(engine.compiled(), 1);
        drop(engine);
        let again = Engine::start(&settings(Some(dir.path()))).unwrap();
        load(&again, &module).await;
        assert_eq!(again.compiled(), 0, "it was not replaced");
    };
    // Compiled from another module, and renamed.
    check(|path| {
        let other = compile(&guest("prebuilt/upper.wasm"), Build::default()).unwrap();
        other.write_to(&mut std::fs::File::create(path).unwrap()).unwrap();
    })
    .await;
    // The same module, compiled otherwise.
    check(|path| {
        let other = compile(&guest("prebuilt/echo.wasm"), Build { debug_info: true, ..Build::default() }).unwrap();
        other.write_to(&mut std::fs::File::create(path).unwrap()).unwrap();
    })
    .await;
    // Written by a program with another compiler.
    check(|path| {
        let mut bytes = std::fs::read(path).unwrap();
        let at = bytes.len() - SEAL_BYTES;
        let mut seal = Seal::read(bytes[at..].first_chunk().unwrap()).unwrap();
        seal.settings ^= 1;
        bytes[at..].copy_from_slice(&seal.to_bytes());
        std::fs::write(path, bytes).unwrap();
    })
    .await;
    // Others could have written it.
    for mode in [0o620, 0o602] {
        let (engine, _dir) = with_file(&module, |path| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        })
        .await;
        load(&engine, &module).await;
        assert_eq!(engine.compiled(), 1, "{mode:o}");
    }
    // It leads elsewhere.
    check(|path| {
        let elsewhere = path.with_extension("moved");
        std::fs::rename(path, &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, path).unwrap();
    })
    .await;
}

#[tokio::test]
async fn code_that_was_compiled_elsewhere_by_this_program_is_used() {
    let dir = tempfile::tempdir().unwrap();
    let module = guest("prebuilt/echo.wasm");
    let compiled = compile(&module, Build::default()).unwrap();
    compiled.write_to(&mut std::fs::File::create(dir.path().join(compiled.name())).unwrap()).unwrap();
    let engine = Engine::start(&settings(Some(dir.path()))).unwrap();
    let ready = deploy(&engine, module).await;
    assert_eq!(body(engine.run(&ready, call("tide")).await), "tide");
    assert_eq!(engine.compiled(), 0);
}

/// A command whose result is a number, different from that of every other.
fn numbered(n: usize) -> Bytes {
    from_text(&format!(
        r#"(module
             (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
             (memory (export "memory") 1)
             (data (i32.const 0) "\10\00\00\00\04\00\00\00")
             (data (i32.const 16) "{n:04}")
             (func (export "_start")
               (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#
    ))
}

#[tokio::test]
async fn what_is_not_in_memory_is_mapped_again_without_its_module() {
    let dir = tempfile::tempdir().unwrap();
    let one = compile(&numbered(0), Build::default()).unwrap();
    let mut file = Vec::new();
    one.write_to(&mut file).unwrap();
    let room = 3 * file.len() as u64 + 1_000;
    let engine = Engine::start(&Settings { loaded_code_bytes: room, ..settings(Some(dir.path())) }).unwrap();
    for n in 0..8 {
        deploy(&engine, numbered(n)).await;
        let (count, bytes) = engine.loaded();
        assert!(bytes <= room && count <= 3, "{count} modules with {bytes} bytes");
    }
    for n in (0..8).chain(0..8) {
        let not_needed = async { Err("the module was asked for".to_owned()) };
        let ready = engine.load(digest(&numbered(n)), &Entrypoint::Command, not_needed).await.unwrap();
        assert_eq!(body(engine.run(&ready, call("")).await), format!("{n:04}"));
        assert!(engine.loaded().1 <= room);
    }
    assert_eq!(engine.compiled(), 8);
}

#[tokio::test]
async fn a_module_counts_with_what_its_types_take() {
    let engine = engine();
    deploy(&engine, numbered(0)).await;
    let (_, before) = engine.loaded();
    let part = |n: usize, at: usize| ["i32 ", "i64 ", "f32 ", "f64 "][(n >> (2 * at)) & 3];
    let distinct = |n| format!("(type (func (param {})))", (0..10).map(|at| part(n, at)).collect::<String>());
    let types = (0..10_000).map(distinct).collect::<Vec<_>>().concat();
    deploy(&engine, from_text(&format!(r#"(module {types} (func (export "_start")))"#))).await;
    let (_, after) = engine.loaded();
    assert!(after - before > 10_000 * 1_000, "{before} {after}");
}

#[tokio::test]
async fn code_that_was_put_out_runs_on_where_somebody_has_it() {
    let engine = Engine::start(&Settings { loaded_code_bytes: 1, ..settings(None) }).unwrap();
    let first = deploy(&engine, numbered(1)).await;
    deploy(&engine, numbered(2)).await;
    assert_eq!(engine.loaded().0, 1);
    assert_eq!(body(engine.run(&first, call("")).await), "0001");
}
