//! Settings of queues and changes of many that cannot be meant are refused with a status, a code and a detail that
//! helps, and change nothing.

use serde_json::{Value, json};

use super::wrong_input::Checked;

#[tokio::test]
async fn settings_of_queues_and_of_the_runtime_out_of_range_are_refused_with_the_field() {
    let checked = Checked::new().await;
    let queue = "/v1/functions/echo/queue";
    let before = checked.server.get(queue).await.json();
    let sent =
        async |config: Value, code, part| checked.sent("PUT", queue, config.to_string(), (400, code, part)).await;
    sent(json!({"concurrency": 0}), "bad_range", "concurrency is 0: use 1 to 100000").await;
    sent(json!({"max_queued": 1_000_000_001}), "bad_range", "max_queued is 1000000001").await;
    sent(json!({"max_queued_bytes": 1_u64 << 51}), "bad_range", "max_queued_bytes is 2251799813685248").await;
    sent(json!({"retention": {"failed": {"age_s": 2_592_001}}}), "bad_range", "retention.failed.age_s is 2592001")
        .await;
    sent(json!({"max_queued": 0}), "bad_range", "max_queued is 0: use 1 to 1000000000").await;
    sent(json!({"max_queued": -1}), "bad_json", "-1").await;
    sent(json!({"max_queue": 1}), "bad_json", "`max_queue`").await;
    sent(json!({"retention": {"lost": {}}}), "bad_json", "`lost`").await;
    sent(json!({"retention": {"failed": {"age": 1}}}), "bad_json", "`age`").await;
    checked.sent("PUT", queue, "", (400, "bad_json", "configuration")).await;
    assert_eq!(checked.server.get(queue).await.json(), before);
    for path in ["queue", "dead-letters"] {
        let nobody = format!("/v1/functions/nobody/{path}");
        checked.sent("GET", &nobody, "", (404, "function_not_found", "`nobody`")).await;
        checked.sent("GET", &format!("/v1/functions/echo/{path}?colour=red"), "", (400, "bad_query", "`colour`")).await;
    }
    checked.sent("POST", "/v1/functions/nobody/queue/pause", "", (404, "function_not_found", "`nobody`")).await;
    let runtime = "/v1/runtime";
    checked.sent("PUT", runtime, r#"{"concurrency": 0}"#, (400, "bad_range", "concurrency is 0: use 1 to 256")).await;
    checked.sent("PUT", runtime, r#"{"concurrency": 257}"#, (400, "bad_range", "concurrency is 257")).await;
    checked.sent("PUT", runtime, r#"{"hop_limit": 1}"#, (400, "bad_json", "`hop_limit`")).await;
    assert_eq!(checked.server.get(runtime).await.json()["concurrency"], 64);
}

#[tokio::test]
async fn a_change_of_many_that_is_not_meant_as_it_stands_is_refused() {
    let checked = Checked::new().await;
    let path = "/v1/invocations/bulk";
    let sent = async |body: Value, code, part| checked.sent("POST", path, body.to_string(), (400, code, part)).await;
    sent(json!({}), "bad_json", "`action`").await;
    sent(json!({"action": "explode", "all": true}), "bad_json", "`explode`").await;
    sent(json!({"action": "purge"}), "no_filter", "say which invocations to purge").await;
    sent(json!({"action": "purge", "limit": 5, "dry_run": true, "status": []}), "no_filter", "\"all\"").await;
    sent(json!({"action": "cancel", "status": ["failed"]}), "bad_filter", "use queued, retrying, running").await;
    sent(json!({"action": "purge", "status": ["queued"]}), "bad_filter", "no queued invocation").await;
    sent(json!({"action": "purge", "status": ["lost"]}), "bad_json", "`lost`").await;
    sent(json!({"action": "redrive", "status": ["succeeded"]}), "bad_filter", "use failed, expired").await;
    sent(json!({"action": "purge", "accepted_before": "noon"}), "bad_filter", "accepted_before: `noon`").await;
    let both = json!({"action": "purge", "accepted_before": "2026-01-01T00:00:00Z", "older_than_s": 1});
    sent(both, "bad_filter", "write one of them").await;
    sent(json!({"action": "purge", "all": true, "limit": 0}), "bad_range", "limit is 0: use 1 to 1000").await;
    sent(json!({"action": "purge", "all": true, "cursor": "x"}), "bad_cursor", "`x`").await;
    sent(json!({"action": "purge", "all": true, "colour": "red"}), "bad_json", "`colour`").await;
    sent(json!({"action": "purge", "function": "9"}), "bad_name", "function name").await;
    let nobody = json!({"action": "purge", "function": "nobody"}).to_string();
    checked.sent("POST", path, nobody, (404, "function_not_found", "`nobody`")).await;
    checked.sent("GET", path, "", (405, "method_not_allowed", "`GET`")).await;
    let id = "0199a3f0-7c1e-7b3a-9d52-6f0c8a1e4b77";
    for verb in ["redrive", "run-now"] {
        let path = format!("/v1/invocations/{id}/{verb}");
        checked.sent("POST", &path, "", (404, "invocation_not_found", id)).await;
        checked.sent("POST", &format!("/v1/invocations/42/{verb}"), "", (400, "bad_name", "42")).await;
    }
    checked.sent("DELETE", &format!("/v1/invocations/{id}"), "", (404, "invocation_not_found", id)).await;
}
