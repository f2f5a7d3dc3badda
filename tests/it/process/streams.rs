//! Streams: appended to and read over a real socket and the command line, through `kill -9`.

use serde_json::{Value, json};

use super::support::{Server, run};

async fn append(server: &Server, path: &str, records: Value) -> Value {
    server.post(path, json!({ "records": records }).to_string()).await.is(201).json()["places"].take()
}

async fn data(server: &Server, query: &str) -> Vec<String> {
    let read = server.get(&format!("/v1/streams/orders/records?{query}")).await.is(200).json();
    read["records"].as_array().unwrap().iter().map(|it| it["data"].as_str().unwrap().to_owned()).collect()
}

const RECORDS: &str = "/v1/streams/orders/records";

#[tokio::test]
async fn what_was_appended_is_there_after_a_kill_under_its_place_and_places_go_on() {
    let server = Server::durable().await;
    server.put("/v1/streams/orders", "").await.is(201);
    let id = "0199a3f0-7c1e-7b3a-9d52-6f0c8a1e4b77";
    let records = json!([{"data": "a", "key": "k", "attributes": {"x": "y"}, "id": id}, {"data_base64": "/w=="}]);
    assert_eq!(append(&server, RECORDS, records).await, json!([1, 2]));
    let server = server.killed().await.restarted().await;
    assert_eq!(append(&server, RECORDS, json!([{"data": "again", "id": id}, {"data": "c"}])).await, json!([1, 3]));
    let server = server.killed().await.restarted().await;
    let read = server.get(&format!("{RECORDS}?from=1")).await.is(200).json();
    let records = read["records"].as_array().unwrap();
    assert_eq!((records.len(), &read["next"]), (3, &json!(4)));
    assert_eq!(records[0]["attributes"], json!({"x": "y"}));
    assert_eq!((&records[0]["data"], &records[0]["key"], &records[0]["id"]), (&json!("a"), &json!("k"), &json!(id)));
    assert_eq!((&records[1]["data_base64"], &records[2]["data"]), (&json!("/w=="), &json!("c")));
}

#[tokio::test]
async fn a_stream_is_read_from_its_start_its_end_a_place_a_time_and_by_key() {
    let server = Server::in_memory().await;
    server.put("/v1/streams/orders", r#"{"retention_s": 3600, "max_bytes": 10000000}"#).await.is(201);
    let keyed = |n: usize| json!({"data": n.to_string(), "key": if n.is_multiple_of(2) { "even" } else { "odd" }});
    append(&server, RECORDS, (0..6).map(keyed).collect()).await;
    assert_eq!(data(&server, "limit=2").await, ["0", "1"]);
    assert_eq!(data(&server, "from=3&limit=2").await, ["2", "3"]);
    assert_eq!(data(&server, "from=latest").await, [""; 0]);
    assert_eq!(data(&server, "key=odd").await, ["1", "3", "5"]);
    assert_eq!(data(&server, "from=2001-01-01T00:00:00Z&limit=1").await, ["0"]);
    assert_eq!(data(&server, "from=2101-01-01T00:00:00Z").await, [""; 0]);
    // Again and again: the first may come before anybody waits.
    let mut waiting = std::pin::pin!(data(&server, "from=latest&wait=20s"));
    let woken = loop {
        tokio::select! {
            woken = &mut waiting => break woken,
            () = tokio::time::sleep(std::time::Duration::from_millis(200)) => {
                append(&server, RECORDS, json!([{"data": "woken"}])).await;
            }
        }
    };
    assert!(!woken.is_empty() && woken.iter().all(|data| data == "woken"), "{woken:?}");
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_and_a_deleted_stream_is_gone() {
    let server = Server::in_memory().await;
    server.get("/v1/streams/orders").await.refusal(404, "stream_not_found", "there is no stream `orders`");
    server.put("/v1/streams/9", "").await.refusal(400, "bad_name", "`9`");
    server.put("/v1/streams/orders", r#"{"retention_s": 1}"#).await.refusal(400, "bad_range", "retention_s is 1");
    server.put("/v1/streams/orders", "").await.is(201);
    server.put("/v1/streams/orders", r#"{"max_bytes": 2000000}"#).await.is(200);
    server.get(&format!("{RECORDS}?from=soon")).await.refusal(400, "bad_query", "`soon`");
    server.get(&format!("{RECORDS}?from=2")).await.refusal(400, "bad_range", "no place 2 yet");
    let both = r#"{"records": [{"data": "a", "data_base64": "YQ=="}]}"#;
    server.post(RECORDS, both).await.refusal(400, "bad_json", "use one of them");
    server.post(RECORDS, r#"{"records": []}"#).await.refusal(400, "bad_range", "1 to 500 records");
    append(&server, RECORDS, json!([{"data": "a"}])).await;
    assert_eq!(server.get("/v1/streams").await.json()["streams"][0]["records"], 1);
    assert_eq!(server.get("/v1/streams?namespace=shop").await.json()["streams"], json!([]));
    server.delete("/v1/streams/orders").await.is(204);
    server.get(RECORDS).await.refusal(404, "stream_not_found", "orders");
    server.put("/v1/streams/orders", "").await.is(201);
    assert_eq!(data(&server, "").await, [""; 0]);
}

#[tokio::test]
async fn streams_are_worked_with_from_the_command_line() {
    let server = Server::in_memory().await;
    let made =
        run(&server, &["streams", "create", "orders", "--retention", "2h", "--max-bytes", "2MiB"]).await.exits(0);
    assert!(made.text().contains("2h, 2 MiB"), "{}", made.text());
    let appended = ["streams", "append", "orders", "--data", "hello", "--key", "k", "--attribute", "a=b"];
    assert_eq!(run(&server, &appended).await.exits(0).text(), "1\n");
    let read = run(&server, &["streams", "read", "orders"]).await.exits(0);
    assert!(read.text().contains("hello") && read.err.contains("--from 2"), "{}{}", read.text(), read.err);
    let shown = run(&server, &["--json", "streams", "show", "orders"]).await.exits(0).json();
    assert_eq!((&shown["records"], &shown["next"]), (&json!(1), &json!(2)));
    assert!(run(&server, &["streams", "list"]).await.exits(0).text().contains("orders"));
    run(&server, &["streams", "delete", "orders"]).await.exits(0);
    run(&server, &["streams", "read", "orders"]).await.exits(4);
}
