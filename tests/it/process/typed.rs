//! Typed and raw functions: JSON by the function's own signature, and bytes as they are.

use std::fs;

use serde_json::{Value, json};

use super::support::{Server, attempts, run};

/// A shop, written by hand: `total` adds up an order, `wrap` returns bytes between brackets or refuses, `ship` returns the
/// way that it is told.
fn shop() -> Vec<u8> {
    wat::parse_str(include_str!("../../../guests/typed/shop.wat")).unwrap()
}

/// A raw function that answers with its payload.
fn raw_echo() -> Vec<u8> {
    let text = r#"(module
        (memory (export "memory") 17)
        (func (export "alloc") (param i32) (result i32) (i32.const 1024))
        (func (export "echo") (param $ptr i32) (param $len i32) (result i64)
          (i64.or (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32)) (i64.extend_i32_u (local.get $len)))))"#;
    wat::parse_str(text).unwrap()
}

async fn with(function: &str) -> Server {
    let server = Server::in_memory().await;
    deploy(&server, function).await;
    server
}

async fn deploy(server: &Server, function: &str) {
    let settings = json!({ "entrypoint": format!("tidemill:shop/counter#{function}") });
    let deployed = server.deploy_with(function, shop(), &settings).await;
    assert_eq!(deployed["version"]["entrypoint"], format!("typed:tidemill:shop/counter@1.2.0#{function}"));
}

const ORDER: &str = r#"{"customer": "Ada", "items": [
    {"name": "tea", "quantity": 2, "unit-price": 450}, {"name": "cup", "quantity": 1, "unit-price": "9007199254740993"}]}"#;

#[tokio::test]
async fn a_function_is_called_by_its_signature() {
    let server = with("total").await;
    for payload in [ORDER.to_owned(), format!("[{ORDER}]"), format!(r#"{{"order": {ORDER}}}"#)] {
        let answer = server.invoke("total", payload).await.is(200);
        assert_eq!((answer.header("content-type"), &*answer.text()), ("application/json", r#""9007199254741893""#));
    }
    let small = ORDER.replace(r#""9007199254740993""#, "1");
    assert_eq!(server.invoke("total", small.clone()).await.is(200).text(), "901");
    let id = server.accept("total", small.clone()).await;
    assert_eq!(server.settled(&id, "succeeded").await["result"]["body"], 901);
    assert_eq!(server.post("/fn/total", small).await.is(200).text(), "901");
}

#[tokio::test]
async fn a_payload_that_does_not_fit_is_refused_with_the_path_and_leaves_nothing_behind() {
    let server = with("total").await;
    let wrong = ORDER.replace("450", "-450");
    let check = async |path: &str, payload: &str, place: &str, part: &str| {
        let refusal = server.post(path, payload.to_owned()).await.refusal(400, "payload_misfit", part);
        assert_eq!(refusal["pointer"], place, "{refusal}");
        assert_eq!(server.listed("").await, [""; 0]);
    };
    for path in ["/v1/functions/total/invocations", "/v1/functions/total/invocations?mode=async", "/fn/total"] {
        check(path, &wrong, "/items/0/unit-price", "at `/items/0/unit-price`: invalid value: integer `-450`").await;
        check(path, "{}", "", "the field `customer: string` is missing").await;
        check(path, "hello", "", "line 1 column 1").await;
        check(path, r#"{"order": 7}"#, "/order", "expected an object with `customer`, `items`").await;
    }
    // Large ones are read elsewhere, and refused alike.
    let large = ORDER.replace("Ada", &"x".repeat(500_000)).replace("450", "-450");
    check("/v1/functions/total/invocations?mode=async", &large, "/items/0/unit-price", "`-450`").await;
    let queue = server.get("/v1/functions/total/queue").await.is(200).json();
    assert_eq!((&queue["accepted"], &queue["live"]["count"]), (&json!(0), &json!(0)), "{queue}");
}

#[tokio::test]
async fn bytes_are_base64_and_an_err_is_a_failure() {
    let server = with("wrap").await;
    assert_eq!(server.invoke("wrap", r#""dGlkZQ==""#).await.is(200).text(), r#""W3RpZGVd""#);
    assert_eq!(server.invoke("wrap", r#"{"bytes": [116]}"#).await.is(200).text(), r#""W3Rd""#);
    let failed = server.invoke("wrap", r#""""#).await.problem(502, "function_failed");
    assert_eq!((&failed["kind"], &failed["fault"]), (&json!("retryable"), &json!("function")), "{failed}");
    assert!(failed["detail"].as_str().unwrap().ends_with(r#"retryable: "nothing to wrap""#), "{failed}");
    server.configure("wrap", &json!({"max_retries": 1, "retry_delay_ms": 1})).await.is(200);
    let failed = server.settled(&server.accept("wrap", r#"[""]"#).await, "failed").await;
    assert_eq!(attempts(&failed), [(1, "retryable"), (2, "retryable")]);
}

#[tokio::test]
async fn variants_options_flags_and_records_come_out_as_they_went_in() {
    let server = with("ship").await;
    for way in [
        r#"{"by":"pick-up","insured":null,"marks":[]}"#,
        r#"{"by":{"post":["Quay 1",7]},"insured":12.5,"marks":["fragile","heavy"]}"#,
        r#"{"by":{"courier":"night"},"insured":"NaN","marks":["heavy"]}"#,
    ] {
        assert_eq!(server.invoke("ship", way).await.is(200).text(), way);
    }
    let shorter = server.invoke("ship", r#"{"way": {"marks": ["heavy", "fragile"], "by": "pick-up"}}"#).await.is(200);
    assert_eq!(shorter.text(), r#"{"by":"pick-up","insured":null,"marks":["fragile","heavy"]}"#);
    let refusal = server.invoke("ship", r#"{"by": {"courier": "noon"}, "marks": []}"#).await;
    let refusal = refusal.refusal(400, "payload_misfit", r#"string "noon", expected one of "day", "night""#);
    assert_eq!(refusal["pointer"], "/by/courier");
}

#[tokio::test]
async fn a_payload_that_does_not_fit_is_told_to_people_as_the_server_says_it() {
    let server = with("total").await;
    let refused = run(&server, &["invoke", "total", "--data", r#"{"order": 7}"#]).await.exits(4);
    let told =
        "error: the payload does not fit the function at `/order`: invalid type: integer `7`, expected an object";
    assert!(refused.err.starts_with(told) && refused.err.contains("(payload_misfit)"), "{}", refused.err);
}

#[tokio::test]
async fn a_record_of_another_function_that_does_not_fit_fails_for_good() {
    let server = with("total").await;
    deploy(&server, "wrap").await;
    let config = json!({"max_retries": 3, "retry_delay_ms": 1, "on_success": "function:total"});
    server.configure("wrap", &config).await.is(200);
    let first = server.settled(&server.accept("wrap", r#""dGlkZQ==""#).await, "succeeded").await;
    let next = super::support::until("the next in the chain", async || {
        let listed = server.get("/v1/invocations?function=total").await.is(200).json();
        listed["invocations"].get(0).map(|next| next["id"].as_str().unwrap().to_owned())
    })
    .await;
    let next = server.settled(&next, "failed").await;
    assert_eq!((attempts(&next), &next["condition"]), (vec![(1, "permanent")], &json!("PermanentFailure")), "{first}");
    let message = next["attempts"][0]["error"]["message"].as_str().unwrap();
    assert!(message.contains("there is no field"), "{message}");
}

#[tokio::test]
async fn what_a_function_takes_and_gives_is_told_as_a_schema() {
    let server = with("total").await;
    let schema = server.get("/v1/functions/total/schema?qualifier=1").await.is(200).json();
    assert_eq!(schema["entrypoint"], "typed:tidemill:shop/counter@1.2.0#total");
    let signature = "total: func(order: record { customer: string, items: list<record { name: string, quantity: u32, \
                     unit-price: u64 }> }) -> u64";
    assert_eq!(schema["signature"], signature);
    let input = jsonschema::draft202012::new(&schema["input"]).unwrap();
    let order: Value = serde_json::from_str(ORDER).unwrap();
    for fits in [order.clone(), json!([order]), json!({ "order": order })] {
        assert!(input.is_valid(&fits), "{fits}");
    }
    for not in [json!({}), json!([]), json!([order, order]), json!({"order": order, "more": 1})] {
        assert!(!input.is_valid(&not), "{not}");
    }
    assert!(jsonschema::draft202012::new(&schema["output"]).unwrap().is_valid(&json!(7)));

    let shown = run(&server, &["functions", "show", "total"]).await.exits(0).text();
    assert!(shown.contains(signature) && shown.contains("typed:tidemill:shop/counter@1.2.0#total"), "{shown}");
    let told = run(&server, &["functions", "schema", "total"]).await.exits(0).text();
    assert!(told.starts_with(signature) && told.contains(r#""unit-price": {"#), "{told}");
    let json = run(&server, &["--json", "functions", "schema", "total"]).await.exits(0).json();
    assert_eq!(json, schema);

    server.deploy("echo", super::support::prebuilt("echo")).await;
    server.get("/v1/functions/echo/schema").await.refusal(404, "no_schema", "its entrypoint is `handler`");
    server.get("/v1/functions/nobody/schema").await.refusal(404, "function_not_found", "`nobody`");
    server.get("/v1/functions/total/schema?qualifier=9").await.refusal(404, "version_not_found", "`9`");
}

#[tokio::test]
async fn of_several_functions_one_is_named() {
    let server = Server::in_memory().await;
    let refusal = server.put("/v1/functions/shop", shop()).await;
    refusal.refusal(422, "module_refused", "name one of `tidemill:shop/counter@1.2.0#total`, ");
    let module = server.folder().join("shop.wasm");
    fs::write(&module, shop()).unwrap();
    let module = module.to_str().unwrap();
    let deploy = ["deploy", module, "--name", "ship", "--entrypoint", "tidemill:shop/counter#ship"];
    let told = run(&server, &deploy).await.exits(0).text();
    assert!(told.contains("typed:tidemill:shop/counter@1.2.0#ship"), "{told}");
    let listed = run(&server, &["functions", "list"]).await.exits(0).text();
    assert!(listed.contains("typed:tidemill:shop/counter@1.2.0#ship"), "{listed}");
}

#[tokio::test]
async fn typed_and_raw_functions_are_there_after_a_restart() {
    let server = Server::durable().await;
    deploy(&server, "total").await;
    server.deploy("raw", raw_echo()).await;
    let before = server.get("/v1/functions/total/schema").await.is(200).json();
    let server = server.terminated().await.restarted().await;
    assert_eq!(server.invoke("raw", "tide").await.is(200).text(), "tide");
    server.invoke("total", "7").await.refusal(400, "payload_misfit", "integer `7`");
    assert_eq!(server.get("/v1/functions/total/schema").await.is(200).json(), before);
    assert_eq!(server.get("/v1/functions/raw").await.is(200).json()["version"]["entrypoint"], "raw:echo");
}

#[tokio::test]
async fn a_raw_function_gets_bytes_and_gives_bytes() {
    let server = Server::in_memory().await;
    let deployed = server.deploy("raw", raw_echo()).await;
    assert_eq!(deployed["version"]["entrypoint"], "raw:echo");
    let payload = vec![0xfe; 1 << 20];
    assert_eq!(server.invoke("raw", payload.clone()).await.is(200).body, payload);
    assert_eq!(server.invoke("raw", "").await.is(200).body, "");
    let id = server.accept("raw", "not json").await;
    server.settled(&id, "succeeded").await;
    assert_eq!(server.get(&format!("/v1/invocations/{id}/result")).await.is(200).text(), "not json");
    let too_large = server.invoke("raw", vec![0; 2 << 20]).await.problem(502, "function_failed");
    assert_eq!(too_large["kind"], "trap");
    assert!(too_large["detail"].as_str().unwrap().contains("outside its memory of 1114112 bytes"), "{too_large}");
    server.get("/v1/functions/raw/schema").await.refusal(404, "no_schema", "`raw:echo`");
}
