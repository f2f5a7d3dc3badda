use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

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
async fn what_a_crash_left_half_written_is_removed_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("unfinished-1"), "half").unwrap();
    Engine::start(&settings(Some(dir.path()))).unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
