//! Whatever is sent to whichever operation, the answer is the operation's or an error of this dialect, and never a failure
//! of the server.

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use reqwest::Method;
use serde_json::{Value, json};

use super::{PROJECT, create, path, refused};
use crate::process::support::{Answer, Server};

/// Requests of each operation, unless `PROPTEST_CASES` says otherwise.
const CASES: u32 = 25;

/// Every operation: method, path behind the project, and a body that is right.
fn operations() -> Vec<(Method, &'static str, Value)> {
    let config = json!({ "func_name": "test", "runtime": "Custom", "timeout": 30, "handler": "index.handler", "memory_size": 128,
        "strategy_config": { "concurrency": 1 }, "user_data": "{}", "func_vpc": { "vpc_id": "v", "subnet_id": "s" } });
    let mut creation = config.clone();
    creation["package"] = json!("default");
    creation["code_type"] = json!("zip");
    creation["func_code"] = json!({ "file": "AGFzbQ==", "link": "obs://code/a.wasm" });
    let code = json!({ "code_type": "zip", "code_url": "obs://code/a.wasm", "func_code": { "file": "UEsDBA==" } });
    let alias =
        json!({ "name": "prod", "version": "v1", "additional_version_weights": { "v2": 10 }, "description": "d" });
    let target = json!({ "destination": "FunctionGraph", "param": "{\"func_urn\": \"urn\"}" });
    let asynchronous = json!({ "max_async_event_age_in_seconds": 10, "max_async_retry_attempts": 3, "enable_async_status_log": true,
        "destination_config": { "on_success": target, "on_failure": target } });
    let trigger = json!({ "trigger_type_code": "TIMER", "trigger_status": "ACTIVE",
        "event_data": { "name": "t", "schedule_type": "Rate", "schedule": "3d" } });
    vec![
        (Method::POST, "/functions", creation),
        (Method::GET, "/functions", json!({})),
        (Method::DELETE, "/functions/{urn}", json!({})),
        (Method::GET, "/functions/{urn}/config", json!({})),
        (Method::PUT, "/functions/{urn}/config", config),
        (Method::PUT, "/functions/{urn}/config-max-instance", json!({ "max_instance_num": 1 })),
        (Method::GET, "/functions/{urn}/code", json!({})),
        (Method::PUT, "/functions/{urn}/code", code),
        (Method::POST, "/functions/{urn}/versions", json!({ "version": "v1", "description": "d", "digest": "0" })),
        (Method::GET, "/functions/{urn}/versions", json!({})),
        (Method::POST, "/functions/{urn}/aliases", alias.clone()),
        (Method::GET, "/functions/{urn}/aliases", json!({})),
        (Method::GET, "/functions/{urn}/aliases/{name}", json!({})),
        (Method::PUT, "/functions/{urn}/aliases/{name}", alias),
        (Method::DELETE, "/functions/{urn}/aliases/{name}", json!({})),
        (Method::POST, "/functions/{urn}/invocations", json!({ "k": "v" })),
        (Method::POST, "/functions/{urn}/invocations-async", json!({ "k": "v" })),
        (Method::POST, "/functions/{urn}/cancel", json!({ "request_id": "r", "type": "force" })),
        (Method::GET, "/functions/{urn}/async-invocations", json!({})),
        (Method::GET, "/functions/{urn}/active-async-invocations", json!({})),
        (Method::PUT, "/functions/{urn}/async-invoke-config", asynchronous),
        (Method::GET, "/functions/{urn}/async-invoke-config", json!({})),
        (Method::DELETE, "/functions/{urn}/async-invoke-config", json!({})),
        (Method::GET, "/functions/{urn}/async-invoke-configs", json!({})),
        (Method::GET, "/functions/{urn}/slareports/{name}", json!({})),
        (Method::GET, "/functions/{urn}/statistics/{name}", json!({})),
        (Method::GET, "/triggers/{urn}", json!({})),
        (Method::POST, "/triggers/{urn}", trigger),
        (Method::DELETE, "/triggers/{urn}", json!({})),
        (Method::GET, "/triggers/{urn}/TIMER/{name}", json!({})),
        (Method::PUT, "/triggers/{urn}/TIMER/{name}", json!({ "trigger_status": "DISABLED" })),
        (Method::DELETE, "/triggers/{urn}/{name}/{name}", json!({})),
        (Method::GET, "/quotas", json!({})),
        (Method::POST, "/functions/enable-async-status-logs", json!({})),
        (Method::GET, "/functions/async-status-log-detail", json!({})),
    ]
}

/// A request of some operation that may be wrong in its path, its query and its body.
#[derive(Clone, Debug)]
struct Wrong {
    urn: String,
    name: String,
    query: String,
    /// What replaces the body; `None` for the operation's own with one member changed.
    body: Option<Vec<u8>>,
    member: prop::sample::Index,
    value: Value,
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        Just(json!(1e308)),
        Just(json!(u64::MAX)),
        ".{0,40}".prop_map(Value::from),
        select(vec!["", "latest", "!prod", "v1", "-", "0", "{}", "[]", "{\"func_urn\": 1}", "\u{0}"])
            .prop_map(Value::from),
        Just(Value::from("x".repeat(70_000))),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{1,12}", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

fn wrong() -> impl Strategy<Value = Wrong> {
    let full = |name: &str| format!("urn%3Afss%3Alocal%3A{PROJECT}%3Afunction%3Adefault%3A{name}");
    let urns = vec![
        full("test"),
        full("test:latest"),
        full("test:!prod"),
        full("test:%21none"),
        full("test:v1"),
        full("test:99999999999"),
        full("none"),
        full("test:"),
        full("a.b"),
        "urn".to_owned(),
        "%00".to_owned(),
        "%ff".to_owned(),
        "x".repeat(300),
        "urn:fss:local:other:function:default:test".to_owned(),
        "::::::::".to_owned(),
        "%2e%2e".to_owned(),
    ];
    let queries = vec![
        "",
        "marker=-1&maxitems=-1",
        "marker=99999999999999999999999",
        "marker=1&maxitems=0",
        "limit=-1",
        "limit=x",
        "marker=%ff",
        "status=NONE",
        "query_begin_time=soon&query_end_time=",
        "requests=,,,&request_id=%00",
        "&&&=&=",
        "query_begin_time=2026-01-02T03:04:05&query_end_time=2025-01-02T03:04:05",
        "marker=1&marker=2",
        "func_name=%20",
    ];
    let bodies = prop_oneof![
        3 => Just(None),
        1 => values().prop_map(|value| Some(value.to_string().into_bytes())),
        1 => prop::collection::vec(any::<u8>(), 0..60).prop_map(Some),
        1 => select(vec!["", "{", "[]", "null", "{\"a\":", "\u{feff}{}", "[[[[[[[["]).prop_map(|text| Some(text.into())),
    ];
    let names = select(vec!["prod", "none", "60", "-1", "x", "%00", "%ff", "99999999999999999999", "0", "%21prod"]);
    (select(urns), names, select(queries), bodies, any::<prop::sample::Index>(), values()).prop_map(
        |(urn, name, query, body, member, value)| Wrong {
            urn,
            name: name.to_owned(),
            query: query.to_owned(),
            body,
            member,
            value,
        },
    )
}

impl Wrong {
    async fn sent(&self, server: &Server, method: &Method, pattern: &str, right: &Value) -> Answer {
        let path = path(&pattern.replace("{urn}", &self.urn).replace("{name}", &self.name));
        let body = self.body.clone().unwrap_or_else(|| {
            let mut body = right.clone();
            let members = body.as_object_mut().unwrap();
            let names: Vec<_> = members.keys().cloned().chain(["unheard_of".to_owned()]).collect();
            members.insert(self.member.get(&names).clone(), self.value.clone());
            body.to_string().into_bytes()
        });
        server.send(server.request(method.clone(), &format!("{path}?{}", self.query)).body(body)).await
    }
}

#[tokio::test]
async fn whatever_is_sent_to_any_operation_is_answered_or_refused_in_the_form_of_the_dialect() {
    let server = Server::in_memory().await;
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    let mut runner = TestRunner::default();
    for (method, pattern, right) in operations() {
        for _ in 0..cases {
            // One of those before may have deleted it.
            if server.get(&path(&format!("/functions/{}/config", super::urn("test")))).await.status == 404 {
                create(&server, "test", "echo").await;
            }
            let wrong = wrong().new_tree(&mut runner).unwrap().current();
            let answer = wrong.sent(&server, &method, pattern, &right).await;
            let shown = format!("{method} {pattern} {wrong:?}: {} {}", answer.status, answer.text());
            assert!(answer.status < 500, "{shown}");
            if answer.status >= 400 {
                let error = answer.json();
                let code = error["error_code"].as_str().unwrap_or_else(|| panic!("{shown}"));
                assert!(code.len() == 8 && code.starts_with("FSS."), "{shown}");
                assert!(error["error_msg"].as_str().is_some_and(|text| !text.is_empty()), "{shown}");
            }
        }
    }
}

#[tokio::test]
async fn a_path_that_is_none_and_a_urn_that_is_none_are_refused_in_the_form_of_the_dialect() {
    let server = Server::in_memory().await;
    for rest in ["", "/", "/functions/", "/nothing", "/functions/a/b/c/d", "/functions//config"] {
        refused(&server.get(&path(rest)).await, 404, "FSS.0404", "there is nothing at");
    }
    refused(&server.get("/v2/p/other").await, 404, "FSS.0404", "/v2/p/other");
    refused(&server.post(&path("/quotas"), "").await, 404, "FSS.0404", "POST");
    refused(&server.get("/v2/-/fgs/functions").await, 400, "FSS.0400", "`-`");
    refused(&server.get(&path("/functions/test/config")).await, 400, "FSS.1309", "`test`");
    let elsewhere = "/functions/urn:fss:local:other:function:default:test/config";
    refused(&server.get(&path(elsewhere)).await, 400, "FSS.1309", "`other`");
    let long = format!("/functions/urn:fss:local:{PROJECT}:function:default:test:{}/config", "v".repeat(201));
    refused(&server.get(&path(&long)).await, 400, "FSS.1309", "269");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_before_it_is_read_to_its_end() {
    let server = Server::in_memory().await;
    create(&server, "test", "echo").await;
    let large = "x".repeat(300 * 1_024);
    let answer = server.put(&super::of("test", "config"), large).await;
    refused(&answer, 413, "FSS.1201", "262144");
}
