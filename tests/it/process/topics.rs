//! Topics: an address, a function and a queue that are subscribed, through times when one of them is away and `kill -9`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::support::{Receiver, Server, prebuilt, run, until};

const ALLOWED: [&str; 2] = ["--allow-private-targets", "127.0.0.1"];

async fn subscribe(server: &Server, to: &str) -> Value {
    let made = server.post("/v1/topics/news/subscriptions", json!({ "to": to }).to_string()).await;
    assert!([200, 201].contains(&made.status), "{}", made.text());
    made.json()
}

/// Subscribes an address, and visits what it is sent; that tells no more than it must, and nothing to others.
async fn subscribe_confirmed(server: &Server, receiver: &Receiver, path: &str) -> String {
    let made = subscribe(server, &receiver.url(path)).await;
    assert_eq!(made["status"], "pending_confirmation");
    let question = until("the question", async || receiver.seen(path).pop()).await.json();
    let url = question["confirm_url"].as_str().unwrap();
    let path = url.strip_prefix(&server.url("")).unwrap_or_else(|| panic!("{url} is not at {}", server.url("")));
    let confirmed = json!({"id": made["id"], "topic": "news", "status": "confirmed"});
    for _ in 0..2 {
        assert_eq!(server.get(path).await.is(200).json(), confirmed);
    }
    let id = made["id"].as_str().unwrap();
    server.get(&format!("{path}0")).await.refusal(403, "wrong_token", id);
    id.to_owned()
}

async fn publish(server: &Server, data: &str) -> Value {
    let said = json!({"data": data, "content_type": "text/plain", "attributes": {"n": data}}).to_string();
    server.post("/v1/topics/news/publications", said).await.is(202).json()
}

/// What was published and has come to `path`, the question apart.
fn arrived(receiver: &Receiver, path: &str) -> Vec<String> {
    let texts = receiver.seen(path).into_iter().map(|it| String::from_utf8(it.body).unwrap());
    texts.filter(|text| !text.contains("subscription_confirmation")).collect()
}

#[tokio::test]
async fn an_address_a_function_and_a_queue_get_what_is_published() {
    let (server, receiver) = (Server::with(&ALLOWED).await, Receiver::start().await);
    server.put("/v1/topics/news", "").await.is(201);
    server.put("/v1/topics/news", "").await.is(200);
    server.deploy("echo", prebuilt("echo")).await;
    server.put("/v1/queues/jobs", "{}").await.is(201);
    subscribe(&server, "function:echo").await;
    subscribe(&server, "queue:jobs").await;
    let id = subscribe_confirmed(&server, &receiver, "/hook").await;

    let published = publish(&server, "hello").await;
    assert_eq!(published["subscriptions"], 3);
    let came = until("the webhook", async || receiver.seen("/hook").into_iter().find(|it| it.body == b"hello")).await;
    assert_eq!(came.header("webhook-id"), published["id"].as_str().unwrap());
    assert_eq!((came.header("tidemill-subscription"), came.header("tidemill-attribute-n")), (id.as_str(), "hello"));
    let keys = server.get("/v1/webhooks/keys").await.is(200).json();
    assert!(came.is_signed_by(keys["keys"][0]["key"].as_str().unwrap()), "{keys}");

    let queued = server.post("/v1/queues/jobs/receive", "{}").await.is(200).json();
    assert_eq!(queued["messages"][0]["body"], "hello", "{queued}");
    let invocations = until("the invocation", async || server.listed("function=echo").await.pop()).await;
    server.settled(&invocations, "succeeded").await;
    assert_eq!(server.get(&format!("/v1/invocations/{invocations}/payload")).await.is(200).body, "hello");

    server.delete(&format!("/v1/topics/news/subscriptions/{id}")).await.is(204);
    assert_eq!(publish(&server, "later").await["subscriptions"], 2);
}

#[tokio::test]
async fn an_address_is_sent_to_where_others_reach_the_server() {
    let receiver = Receiver::start().await;
    for (flags, start) in [
        (["--public-url", "https://mill.example"], "https://mill.example/v1/topics/news/"),
        (["--public-host", "mill.example"], "http://mill.example:"),
    ] {
        let server = Server::with(&[&ALLOWED[..], &flags].concat()).await;
        server.put("/v1/topics/news", "").await.is(201);
        let path = format!("/{}", flags[0]);
        subscribe(&server, &receiver.url(&path)).await;
        let question = until("the question", async || receiver.seen(&path).pop()).await.json();
        assert!(question["confirm_url"].as_str().unwrap().starts_with(start), "{question}");
        let by_name = server.request(reqwest::Method::GET, "/healthz").header("host", "mill.example");
        server.send(by_name).await.is(200);
    }
}

#[tokio::test]
async fn an_address_that_is_away_delays_nobody_and_gets_all_of_it_when_it_is_back_through_kills() {
    let (server, receiver) = (Server::with(&ALLOWED).await, Receiver::start().await);
    server.put("/v1/topics/news", "").await.is(201);
    server.put("/v1/queues/jobs", "{}").await.is(201);
    subscribe(&server, "queue:jobs").await;
    subscribe_confirmed(&server, &receiver, "/away").await;
    let other = Receiver::start().await;
    subscribe_confirmed(&server, &other, "/there").await;
    let gone = receiver.gone().await;

    let expected: BTreeSet<_> = (0..10).map(|n| n.to_string()).collect();
    for text in &expected {
        assert_eq!(publish(&server, text).await["subscriptions"], 3);
    }
    until("what the others get", async || (arrived(&other, "/there").len() == 10).then_some(())).await;
    until("what is left", async || (server.get("/v1/topics/news").await.json()["pending"] == 10).then_some(())).await;
    let server = server.killed().await.restarted_with(&ALLOWED).await;
    assert_eq!(publish(&server, "after the kill").await["subscriptions"], 3);
    let server = server.killed().await.restarted_with(&ALLOWED).await;
    let receiver = gone.back();
    let expected: BTreeSet<_> = expected.into_iter().chain(["after the kill".to_owned()]).collect();
    until("what was published meanwhile", async || {
        (arrived(&receiver, "/away").into_iter().collect::<BTreeSet<_>>() == expected).then_some(())
    })
    .await;
    until("the end of it", async || (server.get("/v1/topics/news").await.json()["pending"] == 0).then_some(())).await;
    assert_eq!(server.get("/v1/queues/jobs").await.is(200).json()["visible"], 11);
}

#[tokio::test]
async fn nothing_but_a_question_comes_to_an_address_that_has_not_confirmed_and_private_ones_are_refused() {
    let (server, receiver) = (Server::with(&ALLOWED).await, Receiver::start().await);
    server.put("/v1/topics/news", "").await.is(201);
    let id = subscribe(&server, &receiver.url("/hook")).await["id"].as_str().unwrap().to_owned();
    assert_eq!(publish(&server, "early").await["subscriptions"], 0);
    until("the question", async || receiver.seen("/hook").pop()).await;
    let wrong = format!("/v1/topics/news/subscriptions/{id}/confirm?token=guessed");
    server.post(&wrong, "").await.refusal(403, "wrong_token", &id);
    assert_eq!(publish(&server, "also early").await["subscriptions"], 0);
    assert_eq!(arrived(&receiver, "/hook"), [""; 0]);

    let private = json!({"to": "http://10.0.0.1/"}).to_string();
    let path = "/v1/topics/news/subscriptions";
    server.post(path, private).await.refusal(422, "endpoint_refused", "10.0.0.1");
    server.post(path, r#"{"to": "function:none"}"#).await.refusal(422, "endpoint_refused", "none");
    server.post(path, r#"{"to": "queue:none"}"#).await.refusal(422, "endpoint_refused", "none");
    server.post(path, r#"{"to": "mail:a@b"}"#).await.refusal(400, "bad_endpoint", "`mail:a@b`");
    server.post("/v1/topics/none/publications", "{}").await.refusal(404, "topic_not_found", "`none`");
    let many = json!({"data": "x".repeat(262_145)}).to_string();
    server.post("/v1/topics/news/publications", many).await.refusal(413, "body_too_large", "262144");
}

#[tokio::test]
async fn topics_are_worked_with_from_the_command_line() {
    let (server, receiver) = (Server::with(&ALLOWED).await, Receiver::start().await);
    run(&server, &["topics", "create", "news"]).await.exits(0);
    let to = receiver.url("/hook");
    let made = run(&server, &["topics", "subscribe", "news", &to, "--attribute", "a=b"]).await.exits(0);
    let id = made.text().trim().to_owned();
    let token = until("the question", async || receiver.seen("/hook").pop()).await.json()["token"].take();
    let token = token.as_str().unwrap();
    assert!(!server.log().contains(token), "the token is in the log");
    run(&server, &["topics", "confirm", "news", &id, "--token", "wrong"]).await.exits(4);
    run(&server, &["topics", "confirm", "news", &id, "--token", token]).await.exits(0);
    receiver.answers("/hook", "410 Gone");
    run(&server, &["topics", "publish", "news", "--data", "other", "--attribute", "a=c"]).await.exits(0);
    run(&server, &["topics", "publish", "news", "--data", "mine", "--attribute", "a=b"]).await.exits(0);
    let dead = until("what is given up", async || {
        let dead = run(&server, &["--json", "topics", "dead", "news", &id]).await.exits(0).json();
        (dead["publications"][0]["data"] == "mine").then_some(dead)
    })
    .await;
    assert_eq!(dead["publications"].as_array().unwrap().len(), 1, "{dead}");
    receiver.answers("/hook", "204 No Content");
    run(&server, &["topics", "redrive", "news", &id]).await.exits(0);
    until("what is sent again", async || (arrived(&receiver, "/hook") == ["mine", "mine"]).then_some(())).await;
    assert!(run(&server, &["topics", "show", "news"]).await.exits(0).text().contains("confirmed"));
    assert!(run(&server, &["topics", "list"]).await.exits(0).text().contains("news"));
    run(&server, &["topics", "unsubscribe", "news", &id]).await.exits(0);
    run(&server, &["topics", "delete", "news"]).await.exits(0);
    run(&server, &["topics", "show", "news"]).await.exits(4);
}
