//! Whatever is sent to whatever operation, the answer is one of the dialect's, and never that the server has failed.

use reqwest::Method;
use serde_json::json;

use super::{PROJECT, create, path, urn};
use crate::process::support::{Server, prebuilt};

/// Every operation, below the project; `{}` is a URN.
const OPERATIONS: &[(&str, &str)] = &[
    ("POST", "functions"),
    ("GET", "functions"),
    ("POST", "functions/enable-async-status-logs"),
    ("GET", "functions/async-status-log-detail"),
    ("DELETE", "functions/{}"),
    ("GET", "functions/{}/config"),
    ("PUT", "functions/{}/config"),
    ("PUT", "functions/{}/config-max-instance"),
    ("GET", "functions/{}/code"),
    ("PUT", "functions/{}/code"),
    ("POST", "functions/{}/versions"),
    ("GET", "functions/{}/versions"),
    ("POST", "functions/{}/aliases"),
    ("GET", "functions/{}/aliases"),
    ("GET", "functions/{}/aliases/prod"),
    ("PUT", "functions/{}/aliases/prod"),
    ("DELETE", "functions/{}/aliases/prod"),
    ("POST", "functions/{}/invocations"),
    ("POST", "functions/{}/invocations-async"),
    ("POST", "functions/{}/cancel"),
    ("GET", "functions/{}/async-invocations"),
    ("GET", "functions/{}/active-async-invocations"),
    ("PUT", "functions/{}/async-invoke-config"),
    ("GET", "functions/{}/async-invoke-config"),
    ("DELETE", "functions/{}/async-invoke-config"),
    ("GET", "functions/{}/async-invoke-configs"),
    ("GET", "functions/{}/slareports/5"),
    ("GET", "functions/{}/statistics/x"),
    ("GET", "triggers/{}"),
    ("POST", "triggers/{}"),
    ("DELETE", "triggers/{}"),
    ("GET", "triggers/{}/TIMER/7"),
    ("PUT", "triggers/{}/TIMER/7"),
    ("DELETE", "triggers/{}/TIMER/7"),
    ("GET", "quotas"),
];

fn bodies() -> Vec<Vec<u8>> {
    let deep = "[".repeat(20_000).into_bytes();
    let odd = json!({
        "func_name": {}, "package": 7, "runtime": [], "timeout": "x", "handler": null, "memory_size": -1, "version": {},
        "name": [], "code_type": 1, "func_code": "x", "max_instance_num": "1", "request_id": [], "destination_config": 1,
        "trigger_type_code": {}, "event_data": 3, "trigger_status": 4, "additional_version_weights": [1],
    });
    let mut all: Vec<Vec<u8>> =
        ["", "{", "null", "[]", "7", "\"text\"", "{\"a\":\"\\ud800\"}"].map(|text| text.as_bytes().to_vec()).into();
    all.extend([deep, vec![0xff, 0x00], odd.to_string().into_bytes()]);
    all
}

#[tokio::test]
async fn wrong_input_to_any_operation_is_refused_in_the_dialects_own_form() {
    let server = Server::in_memory().await;
    let long = urn(&"f".repeat(300), "");
    let urns = [urn("f", ":latest"), urn("f", ":9"), urn("f", ":!none"), "f".to_owned(), "%F0%9F".to_owned(), long];
    for (method, pattern) in OPERATIONS {
        for urn in urns.iter().filter(|urn| pattern.contains("{}") || *urn == &urns[0]) {
            for body in bodies() {
                create_if_gone(&server).await;
                let method: Method = method.parse().unwrap();
                let path = path(&pattern.replace("{}", urn));
                let query = "?marker=%ff&limit=x&status=%00&maxitems=-5";
                let sent = server.request(method.clone(), &format!("{path}{query}")).body(body.clone());
                let answer = server.send(sent).await;
                assert!(answer.status < 500, "{method} {path} {}: {}", String::from_utf8_lossy(&body), answer.text());
                if answer.status >= 400 {
                    let error = answer.json();
                    let code = error["error_code"].as_str().unwrap();
                    assert!(code.starts_with("FSS.") && error["error_msg"].is_string(), "{error}");
                }
            }
        }
    }
    for path in ["/v2/", "/v2/p", "/v2/p/fgs", "/v2/-/fgs/functions", "/v2/p/other/x", "/v2/p/fgs/functions/"] {
        let answer = server.get(path).await;
        assert!((400..500).contains(&answer.status), "{path}: {}", answer.text());
        assert!(answer.json()["error_code"].is_string(), "{path}");
    }
}

/// Some of what is sent is right by chance, and deletes the function.
async fn create_if_gone(server: &Server) {
    let known = server.get(&format!("/v1/functions/f?namespace={PROJECT}")).await.status == 200;
    if !known {
        create(server, "f", &prebuilt("echo")).await;
    }
}
