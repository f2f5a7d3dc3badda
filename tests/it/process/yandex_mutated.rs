//! Yandex over REST: requests that are right but for some of their parts, to every path that the services have. Each is answered
//! or refused in the form of the dialect; neither it nor the operation that it begins is ever a fault of the server.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Answer, Server, prebuilt_path, until};

/// Requests to each path, unless `PROPTEST_CASES` says otherwise.
const CASES: u32 = 25;
const FOLDER: &str = "b1gfolder";
/// What gRPC's codes are that a server has to answer for: unknown, internal, data loss.
const FAULTS: [u64; 3] = [2, 13, 15];

/// A path that stands for a call, with a request that is right.
struct Operation {
    method: Method,
    /// With fields in braces.
    path: String,
    /// The members of the body, or of the query.
    right: Value,
}

/// Every path of the services here, from where the server has them too.
fn operations(things: &Things) -> Vec<Operation> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto/yandex/cloud");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let texts = paths.iter().map(|path| fs::read_to_string(path).unwrap());
    let lines: Vec<_> = texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    let rests =
        lines.iter().filter_map(|line| line.trim().strip_prefix("option (tidemill.rest) = \"")?.strip_suffix("\";"));
    let operations = rests.map(|rest| {
        let (method, path) = rest.split_once(' ').unwrap();
        Operation { method: method.parse().unwrap(), path: path.to_owned(), right: things.right(method, path) }
    });
    let operations: Vec<_> = operations.collect();
    assert_eq!(operations.len(), lines.iter().filter(|line| line.contains("(tidemill.rest)")).count());
    operations
}

/// What there is on the server.
struct Things {
    function: String,
    container: String,
    operation: String,
}

impl Things {
    async fn make(server: &Server) -> Self {
        let named = |name: &str| json!({ "folderId": FOLDER, "name": name });
        let made = ended(server, post(server, "/functions/v1/functions", &named("mutated")).await).await;
        let container = ended(server, post(server, "/containers/v1/containers", &named("container")).await).await;
        let id = |made: &Value| made["response"]["id"].as_str().unwrap().to_owned();
        let operation = made["id"].as_str().unwrap().to_owned();
        let things = Self { function: id(&made), container: id(&container), operation };
        for path in ["/functions/v1/versions", "/containers/v1/revisions:deploy"] {
            let deployed = ended(server, post(server, path, &things.right("POST", path)).await).await;
            assert_eq!(deployed["error"], Value::Null, "{deployed:#}");
        }
        things
    }

    /// Whether it is all still there.
    async fn are_there(&self, server: &Server) -> bool {
        let of_function = server.get(&format!("/functions/v1/versions/{}-1", self.function)).await.status;
        let of_container = server.get(&format!("/containers/v1/revisions/{}-1", self.container)).await.status;
        (of_function, of_container) == (200, 200)
    }

    fn right(&self, method: &str, path: &str) -> Value {
        let rest = path.rsplit('/').next().unwrap();
        let verb = rest.rsplit_once(':').map_or(rest, |(_, verb)| verb);
        let is_container = path.starts_with("/containers");
        let described = json!({ "folderId": FOLDER, "name": "other", "description": "d", "labels": { "team": "a" } });
        let binding =
            json!({ "roleId": "functions.functionInvoker", "subject": { "id": "allUsers", "type": "system" } });
        match (method, verb) {
            ("POST", "functions" | "containers") => described,
            ("PATCH", _) => {
                json!({ "updateMask": "name,description,labels", "name": "mutated", "description": "e", "labels": {} })
            }
            ("POST", "versions") => self.version(),
            ("POST", "deploy") => self.revision(),
            ("POST", "rollback") => json!({ "revisionId": format!("{}-1", self.container) }),
            ("POST", "setTag" | "removeTag") => json!({ "tag": "stable" }),
            ("POST", "setAccessBindings") => json!({ "accessBindings": [binding] }),
            ("POST", "updateAccessBindings") => {
                json!({ "accessBindingDeltas": [{ "action": "ADD", "accessBinding": binding }] })
            }
            ("POST", "setScalingPolicy") => {
                json!({ "tag": "$latest", "provisionedInstancesCount": "0", "zoneInstancesLimit": "2", "zoneRequestsLimit": "4" })
            }
            ("POST", "removeScalingPolicy") => json!({ "tag": "$latest" }),
            ("POST", "tokens") => json!({ "yandexPassportOauthToken": "nobody", "jwt": "a.b.c" }),
            ("POST", "createForServiceAccount") => json!({ "serviceAccountId": "runner" }),
            ("POST", "revoke") => json!({ "iamToken": "nobody" }),
            ("GET", "byTag" | "tagHistory") => json!({ "functionId": self.function, "tag": "$latest" }),
            ("GET", "versions") => json!({ "functionId": self.function, "pageSize": "2" }),
            ("GET", "revisions") => json!({ "containerId": self.container, "pageSize": "2" }),
            ("GET", "functions" | "containers") => {
                json!({ "folderId": FOLDER, "pageSize": "1", "filter": "name=\"mutated\"" })
            }
            ("GET", "operations" | "scalingPolicies" | "listAccessBindings") => json!({ "pageSize": "1" }),
            ("GET" | "DELETE" | "POST", _) => {
                assert!(method != "POST", "{path} needs a request that is right (container: {is_container})");
                json!({})
            }
            _ => panic!("{method} {path} needs a request that is right"),
        }
    }

    fn version(&self) -> Value {
        let module = wat::parse_str(r#"(module (memory (export "memory") 1) (func (export "_start")))"#).unwrap();
        json!({
            "functionId": self.function, "runtime": "wasm", "entrypoint": "index.handler", "description": "d",
            "resources": { "memory": "134217728" }, "executionTimeout": "3s", "serviceAccountId": "",
            "content": STANDARD.encode(module), "environment": { "A": "b" }, "tag": ["stable"], "concurrency": "1",
            "namedServiceAccounts": { "a": "b" }, "connectivity": { "networkId": "", "subnetId": [] },
            "logOptions": { "disabled": true, "minLevel": "INFO" }, "tmpfsSize": "0",
            "asyncInvocationConfig": {
                "retriesCount": "1", "successTarget": { "emptyTarget": {} }, "failureTarget": { "emptyTarget": {} },
            },
            "metadataOptions": { "gceHttpEndpoint": "ENABLED" },
        })
    }

    fn revision(&self) -> Value {
        json!({
            "containerId": self.container, "description": "d", "resources": { "memory": "134217728", "cores": "1", "coreFraction": "100" },
            "executionTimeout": "3s", "serviceAccountId": "a", "concurrency": "1", "runtime": { "http": {} },
            "imageSpec": {
                "imageUrl": format!("file://{}", prebuilt_path("hello-http").display()),
                "command": { "command": [] }, "args": { "args": ["a"] }, "environment": { "A": "b" }, "workingDir": "",
            },
            "scalingPolicy": { "zoneInstancesLimit": "1", "zoneRequestsLimit": "2" }, "provisionPolicy": { "minInstances": "0" },
            "connectivity": { "networkId": "", "subnetIds": [] }, "logOptions": { "disabled": true, "folderId": "b1g" },
            "asyncInvocationConfig": { "serviceAccountId": "a" },
        })
    }
}

async fn post(server: &Server, path: &str, body: &Value) -> Answer {
    server.post(path, body.to_string()).await.is(200)
}

/// The operation that an answer is, once it is done; or the answer itself.
async fn ended(server: &Server, answer: Answer) -> Value {
    let begun = answer.json();
    let id = begun["id"].as_str().filter(|_| begun["metadata"].is_object());
    let Some(path) = id.map(|id| format!("/operations/{id}")) else { return begun };
    until("the operation", async || Some(server.get(&path).await.is(200).json()).filter(|it| it["done"] == true)).await
}

/// What is done to a request.
#[derive(Clone, Debug)]
struct Mutation {
    /// In place of each field of the path; `None` leaves it right.
    id: Option<&'static str>,
    changes: Vec<(Index, Change)>,
    /// In place of the whole body, or behind the query.
    raw: Option<Vec<u8>>,
    query: &'static str,
}

/// What is done to some part of a body.
#[derive(Clone, Debug)]
enum Change {
    Replaced(Value),
    Removed,
    InAList,
    Renamed(String),
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i64>().prop_map(|number| number.to_string().into()),
        any::<f64>().prop_map(|number| json!(number)),
        Just(json!(1e308)),
        Just(json!(u64::MAX)),
        ".{0,40}".prop_map(Value::from),
        select(vec![
            "",
            "$latest",
            "stable",
            "-",
            "0",
            "{}",
            "\u{0}",
            "3.9999999999999s",
            "-1s",
            "99999999999999999999s",
            "AGFzbQ==",
            "UEsDBA==",
            "file:///dev/zero",
            "file://../..",
            "oci://a:1",
            "../x",
            "name,,",
            "yrn:yc:ymq:ru-central1:x:q",
            "\u{fffd}"
        ])
        .prop_map(Value::from),
        Just(Value::from("x".repeat(70_000))),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-zA-Z_]{1,12}", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let ids =
        vec!["x", "%00", "%ff", "%F0%9F", "0199a3f0-7c1e-7b3a-9d52-6f0c8a1e4b77", "-1", "$latest", "a%2Fb", "%20"];
    let long: &'static str = Box::leak("x".repeat(300).into_boxed_str());
    let id = prop_oneof![3 => Just(None), 1 => select([ids, vec![long]].concat()).prop_map(Some)];
    let change = prop_oneof![
        4 => values().prop_map(Change::Replaced),
        1 => Just(Change::Removed),
        1 => Just(Change::InAList),
        1 => "[a-zA-Z_.]{0,9}".prop_map(Change::Renamed),
    ];
    let raw = prop_oneof![
        8 => Just(None),
        1 => values().prop_map(|value| Some(value.to_string().into_bytes())),
        1 => prop::collection::vec(any::<u8>(), 0..60).prop_map(Some),
        1 => select(vec!["", "{", "[]", "null", "{\"a\":", "\u{feff}{}", "[[[[[[[["]).prop_map(|text| Some(text.into())),
    ];
    let queries = vec![
        "",
        "",
        "",
        "pageSize=-1",
        "pageSize=99999999999999999999",
        "pageToken=%ff",
        "filter=%00",
        "filter=name%3D",
        "&&&=&=",
        "pageSize=1&pageSize=2",
        "force=perhaps",
        "folderId=%20",
    ];
    (id, prop::collection::vec((any::<Index>(), change), 0..3), raw, select(queries))
        .prop_map(|(id, changes, raw, query)| Mutation { id, changes, raw, query })
}

/// Every part of a value, the whole first.
fn parts(value: &Value) -> Vec<String> {
    let members: Vec<_> = match value {
        Value::Object(members) => members.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(at, item)| (at.to_string(), item)).collect(),
        _ => Vec::new(),
    };
    let deeper =
        members.iter().flat_map(|(key, value)| parts(value).into_iter().map(move |part| format!("/{key}{part}")));
    std::iter::once(String::new()).chain(deeper).collect()
}

impl Change {
    /// Makes the change to a part of a value.
    fn make(&self, whole: &mut Value, at: Index) {
        let parts = parts(whole);
        let part = at.get(&parts);
        let (outer, key) = part.rsplit_once('/').unwrap_or_default();
        match self {
            Self::Replaced(value) => *whole.pointer_mut(part).unwrap() = value.clone(),
            Self::InAList => {
                let place = whole.pointer_mut(part).unwrap();
                *place = json!([place.clone()]);
            }
            Self::Removed | Self::Renamed(_) => {
                let Some(members) = whole.pointer_mut(outer).and_then(Value::as_object_mut) else { return };
                let removed = members.remove(key);
                if let (Self::Renamed(name), Some(removed)) = (self, removed) {
                    members.insert(name.clone(), removed);
                }
            }
        }
    }
}

impl Operation {
    async fn sent(&self, server: &Server, things: &Things, mutation: &Mutation) -> Answer {
        let is_read = self.method == Method::GET || self.method == Method::DELETE;
        let mut fields = self.right.clone();
        mutation.changes.iter().for_each(|(at, change)| change.make(&mut fields, *at));
        let path = format!("{}?{}", self.path_with(things, mutation.id), mutation.query);
        let path = path.trim_end_matches('?');
        let request = server.request(self.method.clone(), path);
        let request = match &mutation.raw {
            Some(raw) => request.body(raw.clone()),
            None if is_read => request.query(&pairs(&fields)),
            None => request.body(fields.to_string()),
        };
        server.send(request).await
    }

    fn path_with(&self, things: &Things, id: Option<&str>) -> String {
        let (function, container) = (things.function.as_str(), things.container.as_str());
        let (version, revision) = (format!("{function}-1"), format!("{container}-1"));
        let of_resource = if self.path.starts_with("/containers") { container } else { function };
        let fields = [
            ("{function_id}", function),
            ("{container_id}", container),
            ("{resource_id}", of_resource),
            ("{function_version_id}", version.as_str()),
            ("{container_revision_id}", revision.as_str()),
            ("{operation_id}", things.operation.as_str()),
            ("{api_endpoint_id}", "iam"),
        ];
        let path =
            fields.iter().fold(self.path.clone(), |path, (field, right)| path.replace(field, id.unwrap_or(right)));
        assert!(!path.contains('{'), "{path}: nothing is known of its field");
        path
    }
}

/// The members of an object as a query has them.
fn pairs(fields: &Value) -> Vec<(String, String)> {
    // No client could send an address that is longer than this one would be.
    let text = |value: &Value| -> String {
        value.as_str().map_or_else(|| value.to_string(), str::to_owned).chars().take(2_000).collect()
    };
    fields.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), text(value))).collect()
}

#[tokio::test]
async fn a_request_with_wrong_parts_is_answered_or_refused_in_the_dialects_form_and_is_no_fault_of_the_server() {
    let guests = prebuilt_path("echo").parent().unwrap().to_str().unwrap().to_owned();
    let server = Server::with(&["--store", "memory", "--allow-dir", &guests]).await;
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    // The same requests each time.
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &[11; 32]));
    let mut things = Things::make(&server).await;
    let (mut answered, mut refused) = (0, 0);
    let all = operations(&things);
    for at in 0..all.len() {
        for _ in 0..cases {
            // One of those before may have removed or renamed something.
            if !things.are_there(&server).await {
                for path in [
                    format!("/functions/v1/functions/{}", things.function),
                    format!("/containers/v1/containers/{}", things.container),
                ] {
                    let gone = server.delete(&path).await;
                    assert!([200, 404].contains(&gone.status), "{}", gone.text());
                    ended(&server, gone).await;
                }
                things = Things::make(&server).await;
            }
            let operation = &operations(&things)[at];
            let mutation = mutation().new_tree(&mut runner).unwrap().current();
            let answer = operation.sent(&server, &things, &mutation).await;
            let (method, path) = (&operation.method, &operation.path);
            let shown = format!("{method} {path} {mutation:?}: {} {}", answer.status, answer.text());
            assert!(answer.status < 500, "{shown}");
            if answer.status == 200 {
                let operation = ended(&server, answer).await;
                let code = operation["error"]["code"].as_u64();
                assert!(code.is_none_or(|code| !FAULTS.contains(&code)), "{shown}: {operation:#}");
                answered += 1;
            } else {
                let error = answer.json();
                assert!(error["code"].as_u64().is_some_and(|code| code > 0 && !FAULTS.contains(&code)), "{shown}");
                assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "{shown}");
                refused += 1;
            }
        }
    }
    // Neither half of it is empty: the requests come close enough to right ones, and are wrong often enough.
    assert!(answered > all.len() && refused > all.len(), "{answered} answered, {refused} refused");
}
