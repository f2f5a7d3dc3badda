//! What the embedded store promises besides: about its directory, its files, and damage.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tidemill::model::function::Version;
use tidemill::model::invocation::Invocation;
use tidemill::model::names::Digest;
use tidemill::store::embedded::{EmbeddedStore, Settings};
use tidemill::store::{Change, Durability, Group, Part, Store, StoreError};

use super::values::{commit, crash, done, function, function_id, id, large, live, put, queued, version};

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
async fn what_the_index_has_not_seen_is_kept_through_crash_after_crash() {
    let home = TempDir::new().unwrap();
    let mut dir = home.path().join("0");
    for life in 1..=5 {
        let store = EmbeddedStore::open(&dir).unwrap();
        for earlier in 1..life {
            assert_eq!(store.invocation(id(earlier)).await.unwrap(), Some(queued(earlier, earlier)), "in life {life}");
        }
        commit(&store, [put(&queued(life, life))]).await;
        let left = home.path().join(life.to_string());
        crash(&dir, &left);
        dir = left;
    }
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
async fn a_newer_format_is_refused_with_both_versions_named() {
    let dir = TempDir::new().unwrap();
    drop(EmbeddedStore::open(dir.path()).unwrap());
    fs::write(dir.path().join("FORMAT"), "tidemill-store 7\n").unwrap();
    refused(dir.path(), &["format 7", "reads format 2"]);
    fs::write(dir.path().join("FORMAT"), "something else").unwrap();
    refused(dir.path(), &["`something else`", "tidemill-store 2"]);
}

#[tokio::test]
async fn a_foreign_directory_is_refused_and_left_as_it_was() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("thesis.txt"), "mine").unwrap();
    refused(dir.path(), &["something else", "thesis.txt"]);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);

    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("journal")).unwrap();
    fs::write(dir.path().join("journal/table.sql"), "mine").unwrap();
    refused(dir.path(), &["table.sql"]);
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
    for path in ["", "modules", "journal", "index"] {
        assert_eq!(fs::metadata(data.join(path)).unwrap().permissions().mode() & 0o777, 0o700, "{path}");
    }
    assert_eq!(fs::read_to_string(data.join("FORMAT")).unwrap(), "tidemill-store 2\n");
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
async fn a_lost_or_damaged_store_is_refused_and_never_taken_for_an_empty_one() {
    for (folder, says) in [("index", "index"), ("journal", "journal")] {
        let dir = TempDir::new().unwrap();
        let store = EmbeddedStore::open(dir.path()).unwrap();
        commit(&store, (0..100).map(|n| put(&queued(n, n)))).await;
        drop(store);
        let folder = dir.path().join(folder);
        let aside = dir.path().join("cache"); // which is none of the store's
        fs::rename(&folder, &aside).unwrap();
        refused(dir.path(), &[says, "missing"]);
        fs::create_dir(&folder).unwrap();
        refused(dir.path(), &[says]);
        fs::remove_dir_all(&folder).unwrap();
        fs::rename(&aside, &folder).unwrap();
        let store = EmbeddedStore::open(dir.path()).unwrap();
        assert_eq!(live(&store).await.len(), 100);
    }
}

#[tokio::test]
async fn a_segment_that_is_missing_or_damaged_is_named() {
    let dir = TempDir::new().unwrap();
    let store = EmbeddedStore::open(dir.path()).unwrap();
    commit(&store, [put(&queued(1, 1)), Change::PutBlob(id(1), Part::Payload, large(100_000))]).await;
    drop(store);
    let segment = segments(dir.path()).remove(0);
    let whole = fs::read(&segment).unwrap();
    let mut damaged_bytes = whole.clone();
    damaged_bytes[50_000] ^= 1;
    fs::write(&segment, &damaged_bytes).unwrap();
    let store = EmbeddedStore::open(dir.path()).unwrap();
    damaged(store.blob(id(1), Part::Payload).await, &["payload of invocation 01010101-"]);
    assert_eq!(store.invocation(id(1)).await.unwrap(), Some(queued(1, 1)), "the rest is there");
    drop(store);
    fs::remove_file(&segment).unwrap();
    match EmbeddedStore::open(dir.path()) {
        Err(error) => contains(&error.to_string(), &["missing"]),
        Ok(store) => damaged(store.invocation(id(1)).await, &["invocation 01010101-"]),
    }
}

#[tokio::test]
async fn a_store_that_works_for_long_takes_no_more_disk_than_what_it_keeps() {
    let dir = TempDir::new().unwrap();
    let settings = Settings { segment_bytes: 1 << 20, ..Settings::default() };
    let store = EmbeddedStore::open_with(dir.path(), &settings).unwrap();
    let kept = (200..250u8).map(|n| [put(&queued(n, n)), Change::PutBlob(id(n), Part::Payload, large(2_000))]);
    commit(&store, kept.flatten()).await;
    for round in 0..200u32 {
        let n = u8::try_from(round % 100).unwrap();
        let payload = Change::PutBlob(id(n), Part::Payload, large(300_000));
        commit(&store, [put(&queued(n, n)), payload]).await;
        commit(&store, [put(&done(n, n)), Change::PutBlob(id(n), Part::Result, large(1_000))]).await;
        if round >= 20 {
            commit(&store, [Change::RemoveInvocation(id(u8::try_from((round - 20) % 100).unwrap()))]).await;
        }
    }
    // Applying and letting go happen behind the commits.
    let let_go = async {
        while store.vitals().unapplied > 0 || segments(dir.path()).len() > 20 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(180), let_go).await.expect("what is not needed is let go of");
    drop(store);
    let store = EmbeddedStore::open_with(dir.path(), &settings).unwrap();
    assert_eq!(live(&store).await, (200..250).map(id).collect::<Vec<_>>());
    for n in 200..250 {
        assert_eq!(store.blob(id(n), Part::Payload).await.unwrap(), Some(large(2_000)));
    }
    assert_eq!(store.counts(function_id(1)), store.recount().await.unwrap()[&function_id(1)]);
}

#[tokio::test]
async fn a_damaged_module_is_named_in_the_error() {
    let dir = TempDir::new().unwrap();
    let store = EmbeddedStore::open(dir.path()).unwrap();
    let module = large(1_000);
    let digest = Digest::from_bytes(Sha256::digest(&module).into());
    store.put_module(digest, module.clone()).await.unwrap();
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

/// The segments of the journal, the oldest first, without the spares.
fn segments(dir: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(dir.join("journal")).unwrap().map(|entry| entry.unwrap().path());
    let is_segment = |path: &PathBuf| !path.file_name().unwrap().to_string_lossy().starts_with("spare");
    let mut segments: Vec<_> = files.filter(is_segment).collect();
    segments.sort();
    segments
}

#[tokio::test]
async fn the_counts_of_functions_that_are_gone_become_one_when_the_store_is_opened() {
    let dir = TempDir::new().unwrap();
    let of = |n: u8| [Change::PutFunction(Box::new(function(n))), put(&invocation_of(n, queued(n, n)))];
    let store = EmbeddedStore::open(dir.path()).unwrap();
    for n in 1..=4 {
        commit(&store, of(n)).await;
        commit(&store, [put(&invocation_of(n, done(n, n)))]).await;
    }
    commit(&store, [1, 2, 4].map(|n| Change::RemoveInvocation(id(n)))).await;
    commit(&store, [1, 2, 3].map(|n| Change::RemoveFunction(function_id(n)))).await;
    let known = store.all_counts();
    drop(store);
    drop(EmbeddedStore::open(dir.path()).unwrap()); // all is in the index now

    let store = EmbeddedStore::open(dir.path()).unwrap();
    let counts = store.all_counts();
    // Of the third something is kept, and the fourth is there.
    let (all_deleted, [third, fourth]) = (counts.iter().next().unwrap(), [3, 4].map(function_id));
    assert_eq!(counts.keys().skip(1).copied().collect::<BTreeSet<_>>(), [third, fourth].into());
    assert_eq!(
        (all_deleted.1.accepted, all_deleted.1.settled.iter().sum::<u64>(), all_deleted.1.is_sound()),
        (2, 2, true)
    );
    assert_eq!([counts[&third], counts[&fourth]], [known[&third], known[&fourth]]);
    assert_eq!(store.recount().await.unwrap(), counts);
}

fn invocation_of(function: u8, mut invocation: Invocation) -> Invocation {
    invocation.target.function = function_id(function);
    invocation
}
