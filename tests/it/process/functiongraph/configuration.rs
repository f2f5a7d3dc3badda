//! Functions are configured, and switched off and on.

use serde_json::{Value, json};

use super::{create, create_with, encoded, invoked, native, of, refused};
use crate::process::support::{Server, prebuilt};

fn change(changes: &Value) -> String {
    let mut body = json!({ "func_name": "test", "runtime": "Custom", "timeout": 60, "handler": "index.handler", "memory_size": 256 });
    for (name, value) in changes.as_object().unwrap() {
        body[name] = value.clone();
    }
    body.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    body.to_string()
}

#[tokio::test]
async fn a_change_makes_a_new_head_of_the_same_code_and_leaves_what_it_does_not_say() {
    let server = Server::in_memory().await;
    let sent = json!({ "description": "first", "user_data": "{\"GREETING\": \"ahoy\"}", "xrole": "agency" });
    let made = create_with(&server, "test", &prebuilt("hello-command"), &sent).await;
    let changed = server.put(&of("test", "config"), change(&json!({ "description": "second" }))).await.is(200).json();
    assert_eq!((&changed["timeout"], &changed["memory_size"], &changed["cpu"]), (&60.into(), &256.into(), &200.into()));
    assert_eq!((&changed["description"], &changed["xrole"]), (&"second".into(), &"agency".into()));
    assert_eq!((&changed["digest"], &changed["user_data"]), (&made["digest"], &made["user_data"]));
    assert_eq!((&changed["version"], &changed["func_id"]), (&"latest".into(), &made["func_id"]));
    assert!(invoked(&server, "test", "Ada").await.is(200).text().starts_with("ahoy"));
    let shown = server.get(&native("test", "")).await.is(200).json();
    assert_eq!((&shown["latest"], &shown["version"]["timeout_ms"]), (&2.into(), &60_000.into()));

    let changed = server.put(&of("test", "config"), change(&json!({ "user_data": "" }))).await.is(200).json();
    assert_eq!(changed["user_data"], "");
    assert!(!invoked(&server, "test", "Ada").await.is(200).text().starts_with("ahoy"));
    // The same again is no change.
    server.put(&of("test", "config"), change(&json!({ "user_data": "" }))).await.is(200);
    assert_eq!(server.get(&native("test", "")).await.is(200).json()["latest"], 3);
}

#[tokio::test]
async fn variables_that_a_change_does_not_say_stay_in_the_environment() {
    let server = Server::in_memory().await;
    let sent = json!({ "user_data": "{\"A\": \"1\"}", "encrypted_user_data": "{\"S\": \"secret\"}" });
    create_with(&server, "test", &prebuilt("hello-command"), &sent).await;
    let environment = async |changes: Value| {
        server.put(&of("test", "config"), change(&changes)).await.is(200);
        server.get(&native("test", "")).await.is(200).json()["version"]["environment"].clone()
    };
    assert_eq!(environment(json!({ "user_data": "{\"A\": \"2\"}" })).await, json!({ "A": "2", "S": "secret" }));
    assert_eq!(environment(json!({ "encrypted_user_data": "" })).await, json!({ "A": "2" }));
    // Together they are not too many either.
    let twenty: serde_json::Map<_, _> = (0..20).map(|n| (format!("N{n}"), "v".into())).collect();
    let change = change(&json!({ "encrypted_user_data": Value::Object(twenty).to_string() }));
    refused(&server.put(&of("test", "config"), change).await, 400, "FSS.1017", "21");
}

#[tokio::test]
async fn of_a_change_of_the_code_and_one_of_the_configuration_at_once_neither_takes_back_the_other() {
    let server = Server::in_memory().await;
    create(&server, "test", "echo").await;
    for round in 0..20 {
        let module = prebuilt(if round % 2 == 0 { "upper" } else { "echo" });
        let code = json!({ "code_type": "inline", "func_code": { "file": encoded(&module) } }).to_string();
        let description = format!("round {round}");
        let config = change(&json!({ "description": description }));
        let (code_path, config_path) = (of("test", "code"), of("test", "config"));
        let (code, config) = tokio::join!(server.put(&code_path, code), server.put(&config_path, config));
        code.is(200);
        config.is(200);
        let (shown, file) =
            (server.get(&config_path).await.is(200).json(), server.get(&code_path).await.is(200).json());
        assert!(file["func_code"]["file"] == encoded(&module), "round {round}");
        assert_eq!(shown["description"], description.as_str(), "round {round}");
    }
}

#[tokio::test]
async fn what_a_configuration_cannot_be_is_refused_and_changes_nothing() {
    let server = Server::in_memory().await;
    let made = create(&server, "test", "echo").await;
    for (changes, code, part) in [
        (json!({ "func_name": null }), "FSS.1002", "`func_name`"),
        (json!({ "func_name": "other" }), "FSS.1002", "`other`"),
        (json!({ "runtime": null }), "FSS.1005", "`runtime`"),
        (json!({ "timeout": null }), "FSS.1008", "`timeout`"),
        (json!({ "handler": null }), "FSS.1003", "`handler`"),
        (json!({ "memory_size": null }), "FSS.1007", "`memory_size`"),
        (json!({ "timeout": 259_201 }), "FSS.1008", "259201"),
        (json!({ "strategy_config": { "concurrency": -2 } }), "FSS.0400", "strategy_config.concurrency"),
        (json!({ "strategy_config": 1 }), "FSS.0400", "`strategy_config`"),
    ] {
        refused(&server.put(&of("test", "config"), change(&changes)).await, 400, code, part);
    }
    refused(&server.put(&of("test", "config"), "[]").await, 406, "FSS.0406", "an array");
    refused(&server.put(&of("none", "config"), change(&json!({}))).await, 404, "FSS.1051", "function 'none' not exist");
    let version = of("test", "config").replace(":latest", ":v1");
    refused(&server.put(&version, change(&json!({}))).await, 400, "FSS.0400", "only `latest` can be changed");
    assert_eq!(server.get(&of("test", "config")).await.is(200).json(), made);
}

#[tokio::test]
async fn no_instances_disable_a_function_and_any_number_enables_it_again() {
    let server = Server::in_memory().await;
    create(&server, "test", "echo").await;
    let set = async |number: i64| {
        let body = json!({ "max_instance_num": number }).to_string();
        server.put(&of("test", "config-max-instance"), body).await.is(200).json()["strategy_config"]["concurrency"]
            .clone()
    };
    assert_eq!(set(5).await, 5);
    let queue = server.get(&native("test", "/queue")).await.is(200).json();
    assert_eq!(queue["config"]["concurrency"], 5, "{queue}");
    assert_eq!(set(0).await, 0);
    invoked(&server, "test", "x").await.refusal(429, "function_disabled", "test");
    assert_eq!(set(-1).await, -1);
    assert_eq!(invoked(&server, "test", "x").await.is(200).text(), "x");
    for (body, part) in
        [("{}", "`max_instance_num`"), (r#"{"max_instance_num": -2}"#, "-2"), (r#"{"max_instance_num": "1"}"#, "`1`")]
    {
        refused(&server.put(&of("test", "config-max-instance"), body).await, 400, "FSS.0400", part);
    }
    let missing = server.put(&of("none", "config-max-instance"), r#"{"max_instance_num": 1}"#).await;
    refused(&missing, 404, "FSS.1051", "function 'none' not exist");
}
