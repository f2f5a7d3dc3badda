//! The commands that look after a store, as the real program, on stores made by a server or by the store itself.

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tidemill::model::function::Version;
use tidemill::model::invocation::Invocation;
use tidemill::store::embedded::EmbeddedStore;
use tidemill::store::{Change, Durability, Group, Part, Query, Store};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::store::values::{at, commit, crash, done, function_id, id, large, live, put, queued, version};
use support::{Home, check_all_is_there, home, home_with_gaps, module, payload, store};

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
async fn a_store_without_a_segment_that_it_needs_is_not_opened_and_repaired_without_what_was_there() {
    let home = home_with_gaps().await;
    let segment = home.segments().remove(0); // with the invocations of long ago
    let number = segment.strip_suffix(".seg").unwrap().trim_start_matches('0');
    fs::remove_file(home.data().join("journal").join(&segment)).unwrap();
    let refused = EmbeddedStore::open(&home.data()).unwrap_err().to_string();
    for part in [&format!("segment {number} of"), &segment, "is missing", "store check", "store repair"] {
        assert!(refused.contains(part), "{part}: {refused}");
    }
    store(&["check"], &home.data()).exits(5).says(&[&segment, "is missing"]);
    store(&["repair"], &home.data()).exits(5).says(&[&format!("invocation {}", id(1)), "--accept-loss"]);
    store(&["repair", "--accept-loss"], &home.data()).exits(0);
    store(&["check"], &home.data()).exits(0);
    let open = home.open();
    assert_eq!(open.invocation(id(1)).await.unwrap(), None);
    for byte in 150..160 {
        assert_eq!(open.blob(id(byte), Part::Log).await.unwrap(), Some(large(50_000)));
    }
}

#[tokio::test]
async fn a_missing_module_is_named_and_no_repair_pretends_to_bring_it_back() {
    let home = home().await;
    let (digest, _) = module();
    fs::remove_file(home.data().join("modules").join(format!("{digest}.wasm"))).unwrap();
    store(&["check"], &home.data()).exits(5).says(&[&digest.to_string(), "missing"]);
    store(&["repair"], &home.data()).exits(0).says(&["nothing was changed"]);
    // What is left of it can be moved all the same.
    let file = home.path("file");
    store(&["export", file.to_str().unwrap(), "--skip-damaged"], &home.data()).exits(0).says(&["left out"]);
    let imported = store(&["import", file.to_str().unwrap()], &home.path("copy")).exits(0);
    imported.says(&["not in the export", &digest.to_string(), "1 functions, 8 invocations"]);
}

#[tokio::test]
async fn a_store_with_many_large_versions_is_compacted_exported_and_imported() {
    let home = home().await;
    let open = home.open();
    let (digest, _) = module();
    for n in 2..=320 {
        let environment = [("LARGE".to_owned(), "x".repeat(60_000))].into();
        let version = Version { digest, environment, ..version(n) };
        commit(&open, [Change::PutVersion(function_id(1), Box::new(version))]).await;
    }
    drop(open);
    store(&["compact"], &home.data()).exits(0);
    let file = home.path("file");
    store(&["export", file.to_str().unwrap()], &home.data()).exits(0);
    store(&["import", file.to_str().unwrap()], &home.path("copy")).exits(0);
    let copy = EmbeddedStore::open(&home.path("copy")).unwrap();
    assert_eq!(copy.scan().await.unwrap().functions[0].1.len(), 320);
    check_all_is_there(&copy, &[]).await;
}

#[tokio::test]
async fn a_store_is_imported_to_where_a_link_leads() {
    let home = home().await;
    let file = home.path("file");
    store(&["export", file.to_str().unwrap()], &home.data()).exits(0);
    fs::create_dir(home.path("real")).unwrap();
    std::os::unix::fs::symlink("real", home.path("link")).unwrap();
    store(&["import", file.to_str().unwrap()], &home.path("link")).exits(0);
    assert_eq!(home.names(), ["data", "file", "link", "real"]);
    check_all_is_there(&EmbeddedStore::open(&home.path("real")).unwrap(), &[]).await;
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
async fn an_export_that_cannot_be_written_is_not_told_as_a_fault_of_the_store() {
    let home = home().await;
    let exported = |to: Stdio| {
        let mut export = Command::new(env!("CARGO_BIN_EXE_tidemill"));
        export.args(["store", "export", "-", "--data"]).arg(home.data()).stdout(to).stderr(Stdio::piped());
        let output = export.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, told) = exported(fs::File::options().write(true).open("/dev/full").unwrap().into());
    assert!(code == Some(2) && told.contains("cannot write the answer: No space left"), "{code:?} {told}");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert_eq!(exported(writer.into()), (Some(0), String::new()));
}

#[tokio::test]
async fn programs_are_told_what_was_compacted_exported_imported_and_repaired() {
    let home = home().await;
    let told = |arguments: &[&str], data: &Path| -> serde_json::Value {
        serde_json::from_str(&store(&[arguments, &["--json"]].concat(), data).exits(0).out).unwrap()
    };
    let file = home.path("file");
    let file = file.to_str().unwrap();
    assert_eq!(told(&["export", file], &home.data())["skipped"], 0);
    assert_eq!(told(&["import", file], &home.path("copy"))["invocations"], 8);
    assert!(told(&["compact"], &home.data())["bytes_after"].is_u64());
    assert_eq!(told(&["repair"], &home.data())["changed"], false);
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
        let complaints = ["file is no whole export", complaint];
        store(&["import", file.to_str().unwrap()], &home.path("copy")).exits(5).says(&complaints);
        assert_eq!(home.names(), ["data", "file"]);
    }
}

#[tokio::test]
async fn compacting_takes_less_room_and_keeps_everything() {
    let home = home().await;
    let open = home.open();
    for round in 0..12 {
        let churned = Invocation { accepted: at(100), ..done(50 + round, 100) };
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
async fn what_else_is_in_the_folder_goes_where_the_store_goes() {
    let home = home().await;
    let token = |data: &Path| fs::read_to_string(data.join("admin.token")).ok();
    fs::write(home.data().join("admin.token"), "secret").unwrap();
    let object = |data: &Path| fs::read_to_string(data.join("objects/default/results/2026/a.json")).ok();
    let folder = home.data().join("objects/default/results/2026");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("a.json"), "kept").unwrap();
    store(&["compact"], &home.data()).exits(0);
    assert_eq!(home.names(), ["data"]);
    assert_eq!((object(&home.data()).as_deref(), token(&home.data()).as_deref()), (Some("kept"), Some("secret")));
    fs::remove_dir_all(home.data().join("index")).unwrap();
    store(&["repair"], &home.data()).exits(0).says(&["lost: 0"]);
    assert_eq!(object(&home.data()).as_deref(), Some("kept"));
    assert_eq!(object(&home.path("data.damaged-1")).as_deref(), Some("kept"));
    assert_eq!(token(&home.data()).as_deref(), Some("secret"));
    check_all_is_there(&home.open(), &[]).await;
}

#[tokio::test]
async fn changes_that_the_index_has_not_seen_are_checked_and_exported_and_stay_unseen() {
    let home = home().await;
    let open = home.open();
    let more = [put(&queued(30, 30)), Change::PutBlob(id(30), Part::Payload, payload(30))];
    commit(&open, more).await;
    drop(open.commit(Group(vec![put(&queued(31, 31))]), Durability::Synced).await);
    let crashed = home.path("crashed");
    crash(&home.data(), &crashed);
    drop(open);
    store(&["check"], &crashed).exits(0).says(&["10 invocations"]);
    store(&["export", "-"], &crashed).exits(0).says(&[&id(31).to_string()]);
    let opened = EmbeddedStore::open(&crashed).unwrap();
    assert_eq!(opened.list(Query { limit: 100, ..Query::default() }).await.unwrap().invocations.len(), 10);
}

#[tokio::test]
async fn a_server_that_was_killed_leaves_a_store_that_checks_clean() {
    let home = Home(TempDir::new().unwrap());
    let mut server = tokio::process::Command::new(env!("CARGO_BIN_EXE_tidemill"))
        .args(["serve", "--examples", "--listen", "127.0.0.1:0", "--data"])
        .arg(home.data())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    // The examples are deployed once their commands are printed.
    let printed = async { while !lines.next_line().await.unwrap().expect("it runs").contains("curl") {} };
    tokio::time::timeout(Duration::from_secs(180), printed).await.expect("the examples are printed");
    store(&["check"], &home.data()).exits(4).says(&["another process has it open"]);
    server.kill().await.unwrap();
    store(&["check"], &home.data()).exits(0).says(&["6 functions"]);
    store(&["compact"], &home.data()).exits(0);
    store(&["check"], &home.data()).exits(0).says(&["6 functions"]);
}
