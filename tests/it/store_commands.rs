//! The commands that look after a store, as the real program, on stores made by a server or by the store itself.

use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tidemill::model::function::Version;
use tidemill::model::invocation::{Invocation, State};
use tidemill::model::names::Digest;
use tidemill::store::embedded::{EmbeddedStore, Settings};
use tidemill::store::{Change, Group, IdempotencyKey, KeyUse, Part, Query, Store};

use crate::store::values::{at, commit, done, function, function_id, id, large, live, put, queued, version};

/// What a command said and how it ended.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Said {
    #[track_caller]
    fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        self
    }

    #[track_caller]
    fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.out.contains(part) || self.err.contains(part), "{part:?}: {}{}", self.out, self.err);
        }
        self
    }
}

/// `tidemill store ARGUMENTS --data DATA`.
fn store(arguments: &[&str], data: &Path) -> Said {
    let output =
        Command::new(env!("CARGO_BIN_EXE_tidemill")).arg("store").args(arguments).arg("--data").arg(data).output();
    let Output { status, stdout, stderr } = output.unwrap();
    let [out, err] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    Said { code: status.code(), out, err }
}

/// A folder with a store in it, `data`, and room beside it.
struct Home(TempDir);

impl Home {
    fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn open(&self) -> EmbeddedStore {
        EmbeddedStore::open(&self.data()).unwrap()
    }

    /// What lies beside the store.
    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> = names.map(|name| name.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The segments of the journal, the oldest first.
    fn segments(&self) -> Vec<String> {
        let names = fs::read_dir(self.data().join("journal")).unwrap();
        let names = names.map(|name| name.unwrap().file_name().into_string().unwrap());
        let mut segments: Vec<_> = names.filter(|name| !name.starts_with("spare")).collect();
        segments.sort();
        segments
    }

    /// Flips a byte of the first file in a folder that holds these bytes, and says which file.
    #[track_caller]
    fn flip(&self, folder: &str, bytes: &[u8]) -> String {
        for entry in fs::read_dir(self.data().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let mut held = fs::read(&path).unwrap();
            let place = held.windows(bytes.len()).position(|window| window == bytes);
            if let Some(place) = place {
                held[place] ^= 1;
                fs::write(&path, held).unwrap();
                return path.file_name().unwrap().to_str().unwrap().to_owned();
            }
        }
        panic!("nothing holds them");
    }
}

fn module() -> (Digest, Bytes) {
    let module = large(100);
    (Digest::from_bytes(Sha256::digest(&module).into()), module)
}

fn key() -> (IdempotencyKey, KeyUse) {
    let digest = Digest::from_bytes([3; 32]);
    (IdempotencyKey { function: function_id(1), digest }, KeyUse { id: id(1), request: digest, until: at(200) })
}

fn payload(byte: u8) -> Bytes {
    [b"the payload of ".as_slice(), &[byte]].concat().into()
}

/// A store with a bit of everything, in which things have happened.
async fn home() -> Home {
    let home = Home(TempDir::new().unwrap());
    let store = home.open();
    let (digest, module) = module();
    store.put_module(digest, module).await.unwrap();
    let version = Version { digest, ..version(1) };
    let (key, used) = key();
    let records = [
        Change::PutFunction(Box::new(function(1))),
        Change::PutVersion(function(1).id, Box::new(version)),
        Change::PutKey(key, used),
    ];
    commit(&store, records).await;
    for byte in 1..=9 {
        commit(&store, [put(&queued(byte, byte)), Change::PutBlob(id(byte), Part::Payload, payload(byte))]).await;
    }
    for byte in 1..=5 {
        let parts =
            [Change::PutBlob(id(byte), Part::Result, large(3)), Change::PutBlob(id(byte), Part::Log, large(70_000))];
        commit(&store, parts.into_iter().chain([put(&done(byte, byte))])).await;
    }
    commit(&store, [Change::RemoveInvocation(id(1))]).await;
    home
}

/// All that [`home`] holds is there, but for these.
async fn check_all_is_there(store: &EmbeddedStore, but: &[u8]) {
    let (digest, module) = module();
    let left = |bytes: std::ops::RangeInclusive<u8>| bytes.filter(|byte| !but.contains(byte));
    let mut waiting = live(store).await;
    waiting.sort();
    assert_eq!(waiting, left(6..=9).map(id).collect::<Vec<_>>());
    for byte in left(2..=5) {
        assert_eq!(store.invocation(id(byte)).await.unwrap(), Some(done(byte, byte)));
        assert_eq!(store.blob(id(byte), Part::Log).await.unwrap(), Some(large(70_000)));
    }
    for byte in left(2..=9) {
        assert_eq!(store.blob(id(byte), Part::Payload).await.unwrap(), Some(payload(byte)));
    }
    assert_eq!(store.invocation(id(1)).await.unwrap(), None);
    assert_eq!(store.key(key().0).await.unwrap(), Some(key().1));
    assert_eq!(store.module(digest).await.unwrap(), Some(module));
    let counts = store.counts(function_id(1));
    assert!(counts.is_sound(), "{counts:?}");
    assert_eq!(store.recount().await.unwrap()[&function_id(1)], counts);
}

#[tokio::test]
async fn a_store_in_which_nothing_is_wrong_checks_clean_and_repair_changes_nothing() {
    let home = home().await;
    store(&["check"], &home.data()).exits(0).says(&["1 functions, 8 invocations", "0 found damaged"]);
    let said = store(&["check", "--json"], &home.data()).exits(0);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&said.out).unwrap()["clean"], true);
    store(&["repair"], &home.data()).exits(0).says(&["nothing to repair"]);
    assert_eq!(home.names(), ["data"]);
    check_all_is_there(&home.open(), &[]).await;
}

#[tokio::test]
async fn a_store_that_is_open_is_refused_by_every_command() {
    let home = home().await;
    let open = home.open();
    for arguments in [&["check"][..], &["repair"], &["compact"], &["export", "-"]] {
        store(arguments, &home.data()).exits(4).says(&["another process has it open"]);
    }
    drop(open);
}

#[tokio::test]
async fn a_directory_of_something_else_is_left_as_it_is() {
    let home = Home(TempDir::new().unwrap());
    fs::create_dir(home.data()).unwrap();
    fs::write(home.data().join("notes.txt"), "mine").unwrap();
    for arguments in [&["check"][..], &["repair"], &["compact"], &["export", "-"]] {
        store(arguments, &home.data()).exits(4).says(&["it holds no store"]);
    }
    store(&["import", "-"], &home.data()).exits(4).says(&["something is in it"]);
    assert_eq!(fs::read_dir(home.data()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_flipped_byte_in_a_payload_is_named_and_only_that_invocation_is_lost() {
    let home = home().await;
    let file = home.flip("journal", &payload(7));
    let what = format!("the payload of invocation {}", id(7));
    store(&["check"], &home.data()).exits(5).says(&[&what, &file, "segment"]);
    store(&["compact"], &home.data()).exits(4).says(&["damaged"]);
    store(&["export", "-"], &home.data()).exits(5).says(&["left out", &what]);
    store(&["export", "-", "--skip-damaged"], &home.data()).exits(0);
    store(&["repair"], &home.data()).exits(5).says(&["lost", &what, "--accept-loss"]);
    assert_eq!(home.names(), ["data"]);
    store(&["repair", "--accept-loss"], &home.data()).exits(0).says(&["lost: 1", "data.damaged-1"]);
    assert_eq!(home.names(), ["data", "data.damaged-1"]);
    store(&["check"], &home.data()).exits(0);
    store(&["check"], &home.path("data.damaged-1")).exits(5);
    check_all_is_there(&home.open(), &[7]).await;
}

#[tokio::test]
async fn a_missing_segment_is_named() {
    let home = home().await;
    let segment = home.segments().remove(0);
    fs::remove_file(home.data().join("journal").join(&segment)).unwrap();
    store(&["check"], &home.data()).exits(5).says(&[&segment, "is missing"]);
}

#[tokio::test]
async fn a_missing_module_is_named_and_no_repair_pretends_to_bring_it_back() {
    let home = home().await;
    let (digest, _) = module();
    fs::remove_file(home.data().join("modules").join(format!("{digest}.wasm"))).unwrap();
    store(&["check"], &home.data()).exits(5).says(&[&digest.to_string(), "missing"]);
    store(&["repair"], &home.data()).exits(0).says(&["nothing was changed"]);
}

#[tokio::test]
async fn without_its_index_a_store_is_repaired_with_everything() {
    let home = home().await;
    fs::remove_dir_all(home.data().join("index")).unwrap();
    store(&["check"], &home.data()).exits(5).says(&["index", "is missing"]);
    store(&["repair"], &home.data()).exits(0).says(&["8 invocations", "lost: 0"]);
    store(&["check"], &home.data()).exits(0);
    check_all_is_there(&home.open(), &[]).await;
}

/// A store of small segments, most of which are gone: what was settled and removed long ago left its first change in
/// one that is still needed, and its last one in none.
async fn home_with_gaps() -> Home {
    let home = Home(TempDir::new().unwrap());
    let settings = Settings { segment_bytes: 64 * 1_024, ..Settings::default() };
    let store = EmbeddedStore::open_with(&home.data(), &settings).unwrap();
    commit(&store, [Change::PutFunction(Box::new(function(1)))]).await;
    // Long ago, in one segment: something that is still kept, and something that is not.
    commit(&store, [put(&done(1, 1)), Change::PutBlob(id(1), Part::Log, large(30_000))]).await;
    commit(&store, [put(&queued(2, 1))]).await;
    let much_later = at(0) + Duration::from_secs(48 * 3_600);
    for byte in 100..160 {
        let later = Invocation { accepted: much_later, first_due: much_later, ..done(byte, 0) };
        commit(&store, [put(&later), Change::PutBlob(id(byte), Part::Log, large(50_000))]).await;
        if byte == 110 {
            commit(&store, [put(&done(2, 1))]).await;
            commit(&store, [Change::RemoveInvocation(id(2))]).await;
        }
    }
    let removed = (100..150).map(|byte| Change::RemoveInvocation(id(byte)));
    commit(&store, removed).await;
    let state = State::Queued { due: much_later, attempt: NonZeroU32::MIN };
    let waiting = Invocation { accepted: much_later, first_due: much_later, state, ..queued(3, 0) };
    commit(&store, [put(&waiting)]).await;
    drop(store);
    // What is not needed is given away when the store is opened again, at the latest, by a thread of its own.
    let store = EmbeddedStore::open_with(&home.data(), &settings).unwrap();
    for _ in 0..1_000 {
        if home.segments().len() < 30 {
            drop(store);
            return home;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nothing was given away: {:?}", home.segments());
}

#[tokio::test]
async fn a_repair_without_the_index_brings_nothing_back_that_was_over_long_ago() {
    let home = home_with_gaps().await;
    store(&["check"], &home.data()).exits(0).says(&["12 invocations"]);
    fs::remove_dir_all(home.data().join("index")).unwrap();
    let over = format!("invocation {}: parts of the journal behind it are gone", id(2));
    store(&["repair"], &home.data()).exits(5).says(&[&over]);
    store(&["repair", "--accept-loss"], &home.data()).exits(0).says(&["lost: 1"]);
    store(&["check"], &home.data()).exits(0);
    let open = home.open();
    assert_eq!(live(&open).await, [id(3)]);
    assert_eq!(open.invocation(id(2)).await.unwrap(), None);
    assert_eq!(open.invocation(id(1)).await.unwrap(), Some(done(1, 1)));
    for byte in 150..160 {
        assert_eq!(open.blob(id(byte), Part::Log).await.unwrap(), Some(large(50_000)));
    }
}

#[tokio::test]
async fn what_is_exported_and_imported_and_exported_again_is_the_same() {
    let home = home().await;
    let [first, second] = ["first", "second"].map(|name| home.path(name));
    store(&["export", first.to_str().unwrap()], &home.data()).exits(0);
    let copy = home.path("copy");
    store(&["import", first.to_str().unwrap()], &copy).exits(0).says(&["8 invocations", "0 found damaged"]);
    store(&["export", second.to_str().unwrap()], &copy).exits(0);
    assert_eq!(fs::read_to_string(&first).unwrap(), fs::read_to_string(second).unwrap());
    store(&["import", first.to_str().unwrap()], &copy).exits(4).says(&["something is in it"]);
    assert_eq!(home.names(), ["copy", "data", "first", "second"]);
    check_all_is_there(&EmbeddedStore::open(&copy).unwrap(), &[]).await;
}

#[tokio::test]
async fn an_export_that_was_cut_or_changed_is_refused_and_leaves_nothing() {
    let home = home().await;
    let file = home.path("file");
    store(&["export", file.to_str().unwrap()], &home.data()).exits(0);
    let whole = fs::read_to_string(&file).unwrap();
    let cut = whole.trim_end().rsplit_once('\n').unwrap().0.to_owned() + "\n";
    let changed = whole.replacen("\"hop_limit\":16", "\"hop_limit\":17", 1);
    assert_ne!(changed, whole);
    for (text, complaint) in [(cut, "it is cut"), (changed, "its sum"), (String::new(), "it is cut")] {
        fs::write(&file, text).unwrap();
        store(&["import", file.to_str().unwrap()], &home.path("copy")).exits(5).says(&[complaint]);
        assert_eq!(home.names(), ["data", "file"]);
    }
}

#[tokio::test]
async fn compacting_takes_less_room_and_keeps_everything() {
    let home = home().await;
    let open = home.open();
    for round in 0..12 {
        let churned = Invocation { accepted: at(100), ..queued(50 + round, 100) };
        commit(&open, [put(&churned), Change::PutBlob(churned.id, Part::Result, large(5 << 20))]).await;
        commit(&open, [Change::RemoveInvocation(churned.id)]).await;
    }
    // What was accepted in the rounds was removed before it settled, so it was never accepted.
    drop(open);
    fs::create_dir(home.data().join("cache")).unwrap();
    let said = store(&["compact"], &home.data()).exits(0);
    let line = said.out.lines().last().unwrap().replace(|c: char| !c.is_ascii_digit(), " ");
    let [before, after] = line.split_whitespace().map(|n| n.parse::<u64>().unwrap()).collect::<Vec<_>>()[..] else {
        panic!("{}", said.out)
    };
    assert!(after < before / 2, "{}", said.out);
    assert_eq!(home.names(), ["data"]);
    assert!(home.data().join("cache").is_dir());
    store(&["check"], &home.data()).exits(0);
    check_all_is_there(&home.open(), &[]).await;
}

#[tokio::test]
async fn what_a_compaction_that_was_cut_short_left_is_removed_by_the_next() {
    let home = home().await;
    drop(EmbeddedStore::open(&home.path("data.compacting")).unwrap());
    store(&["compact"], &home.data()).exits(0);
    assert_eq!(home.names(), ["data"]);
    fs::create_dir(home.path("data.compacting")).unwrap();
    fs::write(home.path("data.compacting").join("notes.txt"), "mine").unwrap();
    store(&["compact"], &home.data()).exits(4).says(&["notes.txt"]);
    check_all_is_there(&home.open(), &[]).await;
}

#[tokio::test]
async fn changes_that_the_index_has_not_seen_are_checked_and_exported_and_stay_unseen() {
    let home = home().await;
    // A copy taken while the store is open is what a crash leaves.
    let open = home.open();
    let more = [put(&queued(30, 30)), Change::PutBlob(id(30), Part::Payload, payload(30))];
    commit(&open, more).await;
    drop(open.commit(Group(vec![put(&queued(31, 31))]), tidemill::store::Durability::Synced).await);
    let crashed = home.path("crashed");
    assert!(Command::new("cp").arg("-r").arg(home.data()).arg(&crashed).status().unwrap().success());
    drop(open);
    store(&["check"], &crashed).exits(0).says(&["10 invocations"]);
    store(&["export", "-"], &crashed).exits(0).says(&[&id(31).to_string()]);
    let opened = EmbeddedStore::open(&crashed).unwrap();
    assert_eq!(opened.list(Query { limit: 100, ..Query::default() }).await.unwrap().invocations.len(), 10);
}

#[test]
fn a_server_that_was_killed_leaves_a_store_that_checks_clean() {
    let home = Home(TempDir::new().unwrap());
    let mut server = Command::new(env!("CARGO_BIN_EXE_tidemill"))
        .args(["serve", "--examples", "--listen", "127.0.0.1:0", "--data"])
        .arg(home.data())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(server.stdout.take().unwrap()));
    // The examples are deployed once their commands are printed.
    lines.find(|line| line.as_ref().unwrap().contains("curl")).unwrap().unwrap();
    store(&["check"], &home.data()).exits(4).says(&["another process has it open"]);
    server.kill().unwrap();
    server.wait().unwrap();
    store(&["check"], &home.data()).exits(0).says(&["6 functions"]);
    store(&["compact"], &home.data()).exits(0);
    store(&["check"], &home.data()).exits(0).says(&["6 functions"]);
}
