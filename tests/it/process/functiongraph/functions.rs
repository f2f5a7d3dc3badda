//! Functions are made, listed and deleted, and are the same in both dialects.

use std::io::{Cursor, Write as _};

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha512};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::{PROJECT, create, create_with, creation, encoded, invoked, native, of, path, refused, urn};
use crate::process::support::{Server, prebuilt};

/// What clients of the service find in every function that they list.
const ALWAYS: [&str; 17] = [
    "func_urn",
    "func_name",
    "domain_id",
    "namespace",
    "project_name",
    "package",
    "runtime",
    "timeout",
    "handler",
    "memory_size",
    "cpu",
    "code_type",
    "code_size",
    "digest",
    "version",
    "image_name",
    "last_modified",
];

#[tokio::test]
async fn a_function_that_is_made_here_is_shown_run_and_deleted_in_both_dialects() {
    let server = Server::in_memory().await;
    let module = prebuilt("echo");
    let made = create(&server, "test", "echo").await;
    for field in ALWAYS {
        assert!(!made[field].is_null(), "{field} is missing in {made}");
    }
    let digest = format!("{:x}", Sha512::digest(&module));
    assert_eq!(made["func_urn"], format!("{}:latest", urn("test")));
    assert_eq!(
        (&made["func_name"], &made["package"], &made["namespace"]),
        (&"test".into(), &"default".into(), &PROJECT.into())
    );
    assert_eq!((&made["runtime"], &made["timeout"], &made["memory_size"]), (&"Custom".into(), &30.into(), &128.into()));
    assert_eq!(
        (&made["code_size"], &made["digest"], &made["version"]),
        (&module.len().into(), &digest.into(), &"latest".into())
    );
    assert_eq!(made["strategy_config"], json!({ "concurrency": -1, "concurrent_num": 1 }));
    assert!(made["last_modified"].as_str().unwrap().ends_with('Z'), "{made}");
    assert_eq!(server.get(&of("test", "config")).await.is(200).json(), made);

    let shown = server.get(&native("test", "")).await.is(200).json();
    assert_eq!(shown["id"], made["func_id"]);
    assert_eq!(shown["version"]["memory_bytes"], 128 * 1_024 * 1_024);
    assert_eq!(shown["version"]["timeout_ms"], 30_000);
    assert_eq!(invoked(&server, "test", "ebb").await.is(200).text(), "ebb");

    let again = server.post(&path("/functions"), creation("test", &module, &json!({})).to_string()).await;
    refused(&again, 409, "FSS.1061", "'test'");
    let deleted = server.delete(&path(&format!("/functions/{}", urn("test")))).await.is(204);
    assert_eq!(deleted.text(), "");
    server.get(&native("test", "")).await.refusal(404, "function_not_found", "test");
    let gone = server.get(&of("test", "config")).await;
    refused(&gone, 404, "FSS.1051", "function 'test' not exist");
    create(&server, "test", "echo").await;
}

#[tokio::test]
async fn a_urn_means_the_same_escaped_with_any_region_and_without_a_version() {
    let server = Server::in_memory().await;
    let made = create(&server, "test", "echo").await;
    let urn = format!("urn:fss:xxxxxxxxxxx:{PROJECT}:function:default:test");
    for urn in
        [urn.clone(), format!("{urn}:latest"), urn.replace(':', "%3A"), format!("{urn}:latest").replace(':', "%3a")]
    {
        assert_eq!(server.get(&path(&format!("/functions/{urn}/config"))).await.is(200).json(), made, "{urn}");
    }
}

#[tokio::test]
async fn what_the_runtime_has_no_use_for_is_returned_as_it_was_sent_also_after_a_restart() {
    let server = Server::durable().await;
    let sent = json!({
        "description": "über die Flut", "xrole": "agency", "app_xrole": "app", "gpu_memory": 1_024, "gpu_type": "nvidia-t4",
        "func_vpc": { "vpc_id": "v", "subnet_id": "s", "security_groups": ["a"] },
        "mount_config": { "mount_user": { "user_id": -1, "user_group_id": -1 }, "func_mounts": [] },
        "initializer_handler": "index.init", "initializer_timeout": 10, "pre_stop_handler": "index.stop",
        "pre_stop_timeout": 5, "depend_version_list": ["d"], "enterprise_project_id": "e", "type": "v2",
        "log_config": { "group_id": "g" }, "network_controller": { "disable_public_network": true },
        "is_stateful_function": true, "enable_dynamic_memory": false, "tags": [{ "key": "k", "value": "v" }],
        "user_data": "{\"GREETING\": \"ahoy\"}",
    });
    let made = create_with(&server, "kept", &prebuilt("hello-command"), &sent).await;
    for (name, value) in sent.as_object().unwrap() {
        assert_eq!(&made[name], value, "{name}");
    }
    let server = server.killed().await.restarted().await;
    assert_eq!(server.get(&of("kept", "config")).await.is(200).json(), made);
    // And what is of use is used.
    assert!(invoked(&server, "kept", "Ada").await.is(200).text().starts_with("ahoy"));
}

#[tokio::test]
async fn functions_are_listed_in_pages_by_package_and_by_part_of_their_name() {
    let server = Server::in_memory().await;
    for (name, package) in [("tide", "default"), ("ebb", "default"), ("tide", "shop"), ("low-tide", "shop")] {
        create_with(&server, name, &prebuilt("echo"), &json!({ "package": package })).await;
    }
    let urns = async |query: &str| {
        let page = server.get(&path(&format!("/functions?{query}"))).await.is(200).json();
        let functions = page["functions"].as_array().unwrap().iter();
        let short = |it: &Value| it["func_urn"].as_str().unwrap().split(":function:").nth(1).unwrap().to_owned();
        (
            functions.map(short).collect::<Vec<_>>(),
            page["next_marker"].as_u64().unwrap(),
            page["count"].as_u64().unwrap(),
        )
    };
    let (all, next, count) = urns("").await;
    assert_eq!(all, ["default:ebb:latest", "shop:low-tide:latest", "shop:tide:latest", "default:tide:latest"]);
    assert_eq!((next, count), (4, 4));
    assert_eq!(urns("package_name=shop").await.0.len(), 2);
    assert_eq!(urns("func_name=tide&package_name=default").await.0, ["default:tide:latest"]);
    assert_eq!(urns("func_name=tide").await.2, 3);
    assert_eq!(urns("marker=1&maxitems=2").await, (all[1..3].to_vec(), 3, 4));
    assert_eq!(urns("marker=9").await, (vec![], 4, 4));
    assert_eq!(urns("maxitems=0").await.0.len(), 4);
    assert_eq!(urns("maxitems=1000&marker=").await.0.len(), 4);
    for wrong in ["maxitems=-1", "marker=-1", "marker=x", "maxitems=1.5"] {
        refused(
            &server.get(&path(&format!("/functions?{wrong}"))).await,
            400,
            "FSS.1001",
            wrong.split_once('=').unwrap().1,
        );
    }
    let item = server.get(&path("/functions?maxitems=1")).await.is(200).json();
    for field in ALWAYS {
        assert!(!item["functions"][0][field].is_null(), "{field}");
    }
    // A function in a package is called so natively.
    assert_eq!(invoked(&server, "shop.tide", "x").await.is(200).text(), "x");
}

#[tokio::test]
async fn a_function_that_was_deployed_natively_is_shown_with_what_it_comes_nearest_to_and_can_be_changed() {
    let server = Server::in_memory().await;
    let settings = json!({ "timeout_ms": 2_500, "memory_bytes": 64 * 1_024 * 1_024, "environment": { "A": "b" } });
    let form = reqwest::multipart::Form::new()
        .part("settings", reqwest::multipart::Part::text(settings.to_string()))
        .part("module", reqwest::multipart::Part::bytes(prebuilt("word-count")));
    let request = server.request(reqwest::Method::PUT, &native("words", "")).multipart(form);
    server.send(request).await.is(201);

    let shown = server.get(&of("words", "config")).await.is(200).json();
    assert_eq!(
        (&shown["timeout"], &shown["memory_size"], &shown["handler"]),
        (&3.into(), &64.into(), &"index.command".into())
    );
    assert_eq!((&shown["runtime"], &shown["user_data"]), (&"Custom".into(), &"{\"A\":\"b\"}".into()));
    assert_eq!(server.get(&path("/functions")).await.is(200).json()["functions"][0]["func_name"], "words");

    let change = json!({ "func_name": "words", "runtime": "http", "timeout": 5, "handler": "index.command", "memory_size": 256 });
    let changed = server.put(&of("words", "config"), change.to_string()).await.is(200).json();
    assert_eq!((&changed["timeout"], &changed["runtime"]), (&5.into(), &"http".into()));
    let native = server.get(&native("words", "")).await.is(200).json();
    assert_eq!((&native["latest"], &native["version"]["timeout_ms"]), (&2.into(), &5_000.into()));
    assert_eq!(native["version"]["environment"], json!({ "A": "b" }));
    assert!(invoked(&server, "words", "one two").await.is(200).text().contains('2'));
}

/// A zip of these files.
fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[tokio::test]
async fn code_comes_as_a_module_in_a_zip_or_from_a_bucket() {
    let server = Server::durable().await;
    let (echo, upper) = (prebuilt("echo"), prebuilt("upper"));
    let zip = zipped(&[("readme.txt", b"..."), ("echo.wasm", &echo), ("upper.wasm", &upper)]);
    let changes = json!({ "code_type": "zip", "code_filename": "both.zip", "handler": "upper.handler" });
    let made = create_with(&server, "zipped", &zip, &changes).await;
    assert_eq!((&made["code_type"], &made["code_filename"]), (&"zip".into(), &"both.zip".into()));
    assert_eq!(made["code_size"], upper.len());
    assert_eq!(invoked(&server, "zipped", "ebb").await.is(200).text(), "EBB");

    let folder = server.folder().join("tidemill-data/objects").join(PROJECT).join("code/v1");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("echo.wasm"), &echo).unwrap();
    let url = "https://code.obs.cn-north-1.myhuaweicloud.com/v1/echo.wasm";
    let changes = json!({ "code_type": "obs", "code_url": url, "func_code": null });
    let made = create_with(&server, "fetched", &[], &changes).await;
    assert_eq!((&made["code_url"], &made["code_type"]), (&url.into(), &"obs".into()));
    assert_eq!(invoked(&server, "fetched", "ebb").await.is(200).text(), "ebb");
    let changes = json!({ "code_type": "obs", "code_url": "obs://code/v2/echo.wasm", "func_code": null });
    let answer = server.post(&path("/functions"), creation("missing", &[], &changes).to_string()).await;
    refused(&answer, 404, "FSS.0404", "v2/echo.wasm");
}

#[tokio::test]
async fn a_handler_names_the_entrypoint_of_a_module_that_has_several() {
    let server = Server::in_memory().await;
    let module = wat::parse_str(
        r#"(module (memory (export "memory") 1)
            (func (export "alloc") (param i32) (result i32) i32.const 0)
            (func (export "one") (param i32 i32) (result i64) (i64.const 0x0000_0000_0000_0001))
            (func (export "two") (param i32 i32) (result i64) (i64.const 0x0000_0000_0000_0002)))"#,
    );
    let module = module.unwrap();
    for (entry, length) in [("one", 1), ("two", 2)] {
        let changes = json!({ "handler": format!("index.{entry}") });
        create_with(&server, entry, &module, &changes).await;
        assert_eq!(invoked(&server, entry, "x").await.is(200).body.len(), length);
    }
    let answer = server
        .post(&path("/functions"), creation("three", &module, &json!({ "handler": "index.three" })).to_string())
        .await;
    refused(&answer, 400, "FSS.1003", "`one`, `two`");
    // Of a module with one, any name will do.
    let changes = json!({ "handler": "com.example.Main.run", "runtime": "Java11" });
    create_with(&server, "only", &prebuilt("hello-command"), &changes).await;
    assert!(invoked(&server, "only", "Ada").await.is(200).text().contains("Ada"));
    // What is refused leaves nothing behind.
    refused(&server.get(&of("three", "config")).await, 404, "FSS.1051", "'three'");
}

#[tokio::test]
async fn what_a_function_cannot_be_is_refused_with_the_code_of_the_field() {
    let server = Server::in_memory().await;
    let module = prebuilt("echo");
    let file = |bytes: &[u8]| json!({ "func_code": { "file": encoded(bytes) } });
    let many: Map<_, _> = (0..21).map(|n| (format!("N{n}"), "v".into())).collect();
    let large = json!({ "A": "b".repeat(4_100) }).to_string();
    for (changes, status, code, part) in [
        (json!({ "func_name": null }), 400, "FSS.1002", "`func_name`"),
        (json!({ "func_name": "9lives" }), 400, "FSS.1002", "`9lives`"),
        (json!({ "func_name": "a".repeat(61) }), 400, "FSS.1002", "61"),
        (json!({ "func_name": "a.b" }), 400, "FSS.1002", "`a.b`"),
        (json!({ "func_name": 5 }), 400, "FSS.1002", "`5`"),
        (json!({ "package": null }), 400, "FSS.1004", "`package`"),
        (json!({ "package": "a b" }), 400, "FSS.1004", "`a b`"),
        (json!({ "runtime": "Perl5" }), 400, "FSS.1005", "`Perl5`"),
        (json!({ "handler": "index" }), 400, "FSS.1003", "`index`"),
        (json!({ "timeout": 2 }), 400, "FSS.1008", "2"),
        (json!({ "timeout": "soon" }), 400, "FSS.1008", "`soon`"),
        (json!({ "memory_size": 100 }), 400, "FSS.1007", "100"),
        (json!({ "code_type": null }), 400, "FSS.1006", "`code_type`"),
        (json!({ "code_type": "tar" }), 400, "FSS.1006", "`tar`"),
        (json!({ "code_type": "Custom-Image-Swr" }), 400, "FSS.1006", "images"),
        (json!({ "code_type": "obs" }), 400, "FSS.1010", "`code_url`"),
        (json!({ "code_type": "obs", "code_url": "nowhere" }), 400, "FSS.1010", "`nowhere`"),
        (json!({ "func_code": null }), 400, "FSS.1012", "func_code.file"),
        (json!({ "func_code": "text" }), 400, "FSS.1011", "func_code"),
        (json!({ "func_code": { "file": "%%%" } }), 400, "FSS.1011", "base64"),
        (file(b"def handler(event, context): pass"), 400, "FSS.1011", "no WebAssembly"),
        (file(b"\0asm\x01\0\0\0broken"), 400, "FSS.1011", "not a valid WebAssembly"),
        (json!({ "code_type": "zip", "func_code": { "file": encoded(b"PK no zip") } }), 400, "FSS.1013", "zip"),
        (json!({ "user_data": "A=b" }), 400, "FSS.1009", "user_data"),
        (json!({ "user_data": "{\"A=\": \"b\"}" }), 400, "FSS.1009", "A="),
        (json!({ "user_data": Value::Object(many).to_string() }), 400, "FSS.1017", "21"),
        (json!({ "user_data": large }), 400, "FSS.1018", "4096"),
        (json!({ "description": "d".repeat(513) }), 400, "FSS.1019", "513"),
        (json!({ "initializer_handler": "x" }), 400, "FSS.1404", "`x`"),
        (json!({ "initializer_timeout": 301 }), 400, "FSS.1405", "301"),
        (json!({ "func_vpc": { "vpc_id": "v" } }), 400, "FSS.0400", "func_vpc.subnet_id"),
        (json!({ "tags": "t".repeat(200_000) }), 400, "FSS.0400", "65536"),
    ] {
        let body = creation("new", &module, &changes).to_string();
        let answer = server.post(&path("/functions"), body).await;
        refused(&answer, status, code, part);
    }
    for body in ["", "[]", "{", "null", "\"text\""] {
        refused(&server.post(&path("/functions"), body).await, 406, "FSS.0406", "");
    }
    assert_eq!(server.get(&path("/functions")).await.is(200).json()["count"], 0);
}

#[tokio::test]
async fn what_leads_to_a_function_keeps_it_but_its_own_triggers_go_with_it() {
    let server = Server::in_memory().await;
    create(&server, "first", "echo").await;
    create(&server, "second", "echo").await;
    let config = json!({ "on_success": format!("function:{PROJECT}/second") }).to_string();
    server.put(&native("first", "/async-config"), config).await.is(200);
    let timer = json!({ "kind": "timer", "function": "first", "cron": "0 0 1 1 *" }).to_string();
    server.put(&format!("/v1/triggers/yearly?namespace={PROJECT}"), timer).await.is(201);

    let function = |name: &str| path(&format!("/functions/{}", urn(name)));
    refused(&server.delete(&function("second")).await, 409, "FSS.0409", "first");
    refused(&server.delete(&format!("{}:latest", function("first"))).await, 400, "FSS.0400", "`latest`");
    server.delete(&function("first")).await.is(204);
    server.get(&format!("/v1/triggers/yearly?namespace={PROJECT}")).await.is(404);
    server.delete(&function("second")).await.is(204);
    refused(&server.delete(&function("second")).await, 404, "FSS.1051", "function 'second' not exist");
}

#[tokio::test]
async fn a_project_is_told_what_it_has_and_may_have() {
    let server = Server::in_memory().await;
    create(&server, "one", "echo").await;
    let quotas = server.get(&path("/quotas")).await.is(200).json();
    let functions = json!({ "quota": 400, "used": 1, "type": "fgs_func_num", "unit": "" });
    assert_eq!(quotas["quotas"]["resources"][0], functions, "{quotas}");
    assert_eq!(server.post(&path("/functions/enable-async-status-logs"), "").await.is(200).text(), "");
    let log = server.get(&path("/functions/async-status-log-detail")).await.is(200).json();
    for name in ["group_name", "group_id", "stream_id", "stream_name"] {
        assert!(!log[name].as_str().unwrap().is_empty(), "{log}");
    }
}
