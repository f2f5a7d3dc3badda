//! What the embedded store promises besides: about its directory, its files, and damage.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tidemill::model::bounds;
use tidemill::model::function::Version;
use tidemill::model::names::Digest;
use tidemill::store::embedded::EmbeddedStore;
use tidemill::store::{Change, Durability, Group, Part, Query, Store, StoreError};

use super::values::{NOTHING, at, commit, done, function, id, large, listed, live, put, queued, settled, version};

#[tokio::test]
async fn an_embedded_store_that_is_opened_again_holds_the_same() {
    let dir = TempDir::new().unwrap();
    let module = large(100);
    let digest = Digest::from_bytes(Sha256::digest(&module).into());
    let store = EmbeddedStore::open(dir.path()).unwrap();
    let blobs = [(Part::Payload, large(10)), (Part::Result, large(5 << 20))];
    let puts = blobs.iter().map(|(part, bytes)| Change::PutBlob(id(1), *part, bytes.clone()));
    let version = Version { digest, ..version(1) };
    let versions = BTreeMap::from([(version.number, version.clone())]);
    let records = [
        put(&queued(1, 1)),
        put(&done(2, 2)),
        Change::PutFunction(Box::new(function(1))),
        Change::PutVersion(function(1).id, Box::new(version)),
    ];
    commit(&store, records.into_iter().chain(puts)).await;
    store.put_module(digest, module.clone()).await.unwrap();
    // Handed over and not waited for: dropping the store carries it out.
    drop(store.commit(Group(vec![put(&queued(3, 3))]), Durability::Written));
    drop(store);

    let store = EmbeddedStore::open(dir.path()).unwrap();
    assert_eq!(live(&store).await, [id(1), id(3)]);
    assert_eq!(store.scan().await.unwrap().functions, [(function(1), versions)]);
    assert_eq!(store.invocation(id(2)).await.unwrap(), Some(done(2, 2)));
    for (part, bytes) in blobs {
        assert_eq!(store.blob(id(1), part).await.unwrap(), Some(bytes));
    }
    assert_eq!(store.module(digest).await.unwrap(), Some(module));
}

#[tokio::test]
async fn a_module_that_no_version_needs_is_gone_at_the_next_start() {
    let dir = TempDir::new().unwrap();
    let store = EmbeddedStore::open(dir.path()).unwrap();
    let module = large(100);
    let digest = Digest::from_bytes(Sha256::digest(&module).into());
    store.put_module(digest, module).await.unwrap();
    drop(store);
    let store = EmbeddedStore::open(dir.path()).unwrap();
    assert_eq!(store.module(digest).await.unwrap(), None);
}

#[tokio::test]
async fn large_bytes_are_files_that_go_with_their_invocation() {
    let dir = TempDir::new().unwrap();
    let store = EmbeddedStore::open(dir.path()).unwrap();
    let blobs = Part::ALL.map(|part| Change::PutBlob(id(1), part, large(5 << 20)));
    commit(&store, [put(&queued(1, 1))].into_iter().chain(blobs)).await;
    assert_eq!(payload_files(dir.path()), 3);
    commit(&store, [Change::PutBlob(id(1), Part::Log, large(1 << 20))]).await;
    assert_eq!(payload_files(dir.path()), 3);
    commit(&store, [Change::RemoveInvocation(id(1))]).await;
    assert_eq!(payload_files(dir.path()), 0);
}

#[tokio::test]
async fn nothing_of_ours_ever_enters_sleds_own_unsynced_files() {
    let dir = TempDir::new().unwrap();
    let store = EmbeddedStore::open(dir.path()).unwrap();
    // Neighbours of the largest size that stays inline, written over and over so that pages are rewritten whole.
    for round in 0..6u8 {
        for base in (0..240u8).step_by(30) {
            let blobs = (base..base + 30)
                .map(|n| Change::PutBlob(id(n), Part::Payload, large(bounds::MAX_INLINE_BYTES - usize::from(round))));
            commit(&store, blobs).await;
        }
        commit(&store, (0..240u8).filter(|n| n % 7 == round).map(|n| Change::RemoveInvocation(id(n)))).await;
    }
    let unsynced = fs::read_dir(dir.path().join("db/blobs")).unwrap().count();
    assert_eq!(unsynced, 0);
    assert_eq!(payload_files(dir.path()), 0);
}

#[tokio::test]
async fn files_that_a_crash_left_are_swept_and_others_stay() {
    let dir = TempDir::new().unwrap();
    let store = EmbeddedStore::open(dir.path()).unwrap();
    commit(&store, [put(&queued(1, 1)), Change::PutBlob(id(1), Part::Payload, large(1 << 20))]).await;
    drop(store);
    let folder = dir.path().join("payloads/00");
    let kept = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    // As if a commit had been cut short behind the writing of its file.
    let name = kept.file_name().unwrap().to_str().unwrap();
    let orphans = [name.replace("p-01", "p-02"), format!("{}f", &name[..name.len() - 1])];
    for orphan in &orphans {
        fs::write(folder.join(orphan), b"x").unwrap();
    }
    fs::write(folder.join("a-note-of-somebody"), b"x").unwrap();
    fs::write(dir.path().join("modules/.new-cut-short"), b"x").unwrap();

    let store = EmbeddedStore::open(dir.path()).unwrap();
    let gone = || orphans.iter().all(|orphan| !folder.join(orphan).exists());
    while !gone() {
        tokio::task::yield_now().await;
    }
    assert_eq!(store.blob(id(1), Part::Payload).await.unwrap(), Some(large(1 << 20)));
    assert_eq!(payload_files(dir.path()), 2);
    assert_eq!(fs::read_dir(dir.path().join("modules")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_newer_format_is_refused_with_both_versions_named() {
    let dir = TempDir::new().unwrap();
    drop(EmbeddedStore::open(dir.path()).unwrap());
    fs::write(dir.path().join("FORMAT"), "tidemill-store 7\n").unwrap();
    refused(dir.path(), &["format 7", "reads format 1"]);
    fs::write(dir.path().join("FORMAT"), "something else").unwrap();
    refused(dir.path(), &["`something else`", "tidemill-store 1"]);
}

#[tokio::test]
async fn a_newer_database_is_refused_with_both_versions_named() {
    let dir = TempDir::new().unwrap();
    drop(EmbeddedStore::open(dir.path()).unwrap());
    directly(dir.path(), |db| drop(db.insert(b"mformat", &7u32.to_be_bytes()).unwrap()));
    refused(dir.path(), &["format 7", "reads format 1"]);
}

#[tokio::test]
async fn a_foreign_directory_is_refused_and_left_as_it_was() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("thesis.txt"), "mine").unwrap();
    refused(dir.path(), &["something else", "thesis.txt"]);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);

    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("db")).unwrap();
    fs::write(dir.path().join("db/table.sql"), "mine").unwrap();
    refused(dir.path(), &["something else", "table.sql"]);
}

#[tokio::test]
async fn another_programs_database_is_refused() {
    let dir = TempDir::new().unwrap();
    directly(dir.path(), |db| drop(db.insert(b"key", b"value").unwrap()));
    refused(dir.path(), &["another program's"]);
}

#[tokio::test]
async fn a_directory_that_only_others_of_ours_have_used_is_taken() {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("cache")).unwrap();
    fs::create_dir(dir.path().join("lost+found")).unwrap();
    EmbeddedStore::open(dir.path()).unwrap();
}

#[tokio::test]
async fn a_missing_directory_is_created_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = TempDir::new().unwrap();
    let data = dir.path().join("a/b");
    EmbeddedStore::open(&data).unwrap();
    for path in ["", "modules", "payloads", "db"] {
        assert_eq!(fs::metadata(data.join(path)).unwrap().permissions().mode() & 0o777, 0o700, "{path}");
    }
    assert_eq!(fs::read_to_string(data.join("FORMAT")).unwrap(), "tidemill-store 1\n");
}

#[tokio::test]
async fn a_store_that_is_open_is_refused_to_others_with_a_sentence() {
    let dir = TempDir::new().unwrap();
    let store = EmbeddedStore::open(dir.path()).unwrap();
    refused(dir.path(), &["another process has it open"]);
    drop(store);
    EmbeddedStore::open(dir.path()).unwrap();
}

#[tokio::test]
async fn a_creation_that_was_cut_short_is_gone_on_with() {
    let dir = TempDir::new().unwrap();
    drop(EmbeddedStore::open(dir.path()).unwrap());
    fs::remove_file(dir.path().join("FORMAT")).unwrap();
    drop(EmbeddedStore::open(dir.path()).unwrap());
    fs::write(dir.path().join("FORMAT"), "").unwrap();
    drop(EmbeddedStore::open(dir.path()).unwrap());
    assert!(dir.path().join("FORMAT").metadata().unwrap().len() > 0);
}

#[tokio::test]
async fn a_lost_or_damaged_database_is_refused_and_never_taken_for_an_empty_one() {
    let dir = TempDir::new().unwrap();
    let store = EmbeddedStore::open(dir.path()).unwrap();
    commit(&store, (0..100).map(|n| put(&queued(n, n)))).await;
    drop(store);
    let db = dir.path().join("db");
    let file = db.join("db");
    let whole = fs::read(&file).unwrap();

    fs::write(&file, b"").unwrap();
    refused(dir.path(), &["its database"]);
    fs::write(&file, vec![0xa5; whole.len()]).unwrap();
    refused(dir.path(), &["its database"]);
    fs::write(&file, &whole).unwrap();
    fs::write(db.join("conf"), vec![0xa5; 64]).unwrap();
    refused(dir.path(), &["its database"]);
    fs::remove_dir_all(&db).unwrap();
    refused(dir.path(), &["its database", "missing"]);
}

#[tokio::test]
async fn a_database_over_which_sled_panics_is_refused_with_a_sentence() {
    let dir = TempDir::new().unwrap();
    drop(EmbeddedStore::open(dir.path()).unwrap());
    // What a power cut does to values that are too large for sled, and why none of ours is given to it.
    directly(dir.path(), |db| {
        drop(db.insert(b"x", vec![7; 1 << 20]).unwrap());
        db.flush().unwrap();
        for n in 0..5_000u32 {
            drop(db.insert(n.to_be_bytes(), vec![7; 500]).unwrap());
        }
    });
    for entry in fs::read_dir(dir.path().join("db")).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with("snap.") {
            fs::remove_file(path).unwrap();
        }
    }
    for blob in fs::read_dir(dir.path().join("db/blobs")).unwrap() {
        fs::write(blob.unwrap().path(), b"torn").unwrap();
    }
    refused(dir.path(), &["its database"]);
}

#[tokio::test]
async fn a_damaged_record_is_named_in_the_error() {
    let dir = TempDir::new().unwrap();
    let store = EmbeddedStore::open(dir.path()).unwrap();
    commit(&store, [put(&queued(1, 1)), put(&done(2, 2)), Change::PutFunction(Box::new(function(1)))]).await;
    drop(store);
    directly(dir.path(), |db| {
        drop(db.insert([&b"q"[..], &[1; 16]].concat(), b"\x00\x01garbage").unwrap());
        drop(db.insert([&b"d"[..], &[2; 16]].concat(), b"\x00\x09newer").unwrap());
    });
    let store = EmbeddedStore::open(dir.path()).unwrap();
    damaged(store.invocation(id(1)).await, &["invocation 01010101-"]);
    damaged(store.scan().await, &["invocation 01010101-"]);
    damaged(store.invocation(id(2)).await, &["invocation 02020202-", "format 9", "format 1"]);
    damaged(store.list(Query { limit: 10, ..Query::default() }).await, &["invocation 02020202-"]);

    // Retention gets rid of it all the same, and its place in the list goes with it.
    commit(&store, [Change::RemoveInvocation(id(1)), Change::RemoveInvocation(id(2))]).await;
    assert_eq!(listed(&store, Query { limit: 10, ..Query::default() }).await, NOTHING);
    assert_eq!(settled(&store, at(100), 10).await, []);
}

#[tokio::test]
async fn damaged_bytes_and_modules_are_named_in_the_error() {
    let dir = TempDir::new().unwrap();
    let store = EmbeddedStore::open(dir.path()).unwrap();
    let module = large(1_000);
    let digest = Digest::from_bytes(Sha256::digest(&module).into());
    store.put_module(digest, module.clone()).await.unwrap();
    commit(&store, [put(&queued(1, 1)), Change::PutBlob(id(1), Part::Payload, large(1 << 20))]).await;

    let file = fs::read_dir(dir.path().join("payloads/00")).unwrap().next().unwrap().unwrap().path();
    fs::write(&file, b"short").unwrap();
    damaged(store.blob(id(1), Part::Payload).await, &["payload of invocation 01010101-", "5 bytes"]);
    fs::remove_file(&file).unwrap();
    damaged(store.blob(id(1), Part::Payload).await, &["payload of invocation 01010101-", "missing"]);

    fs::write(dir.path().join(format!("modules/{digest}.wasm")), b"other").unwrap();
    damaged(store.module(digest).await, &[&format!("module {digest}"), "deploy it again"]);
    store.put_module(digest, module.clone()).await.unwrap();
    assert_eq!(store.module(digest).await.unwrap(), Some(module));
}

#[track_caller]
fn refused(dir: &Path, parts: &[&str]) {
    let error = EmbeddedStore::open(dir).expect_err("it is not to be opened");
    assert!(matches!(error, StoreError::Open { .. }), "{error:?}");
    contains(&error.to_string(), parts);
}

#[track_caller]
fn damaged<T>(answer: Result<T, StoreError>, parts: &[&str]) {
    let error = answer.err().expect("it is damaged");
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
    contains(&error.to_string(), parts);
}

#[track_caller]
fn contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` in `{text}`");
    }
}

/// Works on the database of a store that is closed.
fn directly(dir: &Path, work: impl FnOnce(&::sled::Db)) {
    let db = ::sled::open(dir.join("db")).unwrap();
    work(&db);
    db.flush().unwrap();
}

fn payload_files(dir: &Path) -> usize {
    let folders = fs::read_dir(dir.join("payloads")).unwrap();
    folders.map(|folder| fs::read_dir(folder.unwrap().path()).unwrap().count()).sum()
}
