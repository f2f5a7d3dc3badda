//! Requests that are signed with a key, over a socket: those of both schemes are taken, and what is wrong with others is
//! told.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tidemill::clock::Clock;
use tidemill::model::time::Timestamp;
use tidemill::signature::{Key, Payload, Request, Scope, sdk_hmac, sigv4};

use super::account;
use crate::process::support::{Answer, Server, prebuilt};

/// The ways to sign.
#[derive(Clone, Copy, Debug)]
enum Scheme {
    SigV4,
    SdkHmac,
}

const SCHEMES: [Scheme; 2] = [Scheme::SigV4, Scheme::SdkHmac];

/// What is signed, and what is then sent.
struct Sending<'a> {
    scheme: Scheme,
    key: Key<'a>,
    at: Timestamp,
    payload: Payload<'a>,
    path: &'a str,
    body: &'static str,
}

impl<'a> Sending<'a> {
    fn of(scheme: Scheme, key: Key<'a>) -> Self {
        let at = Clock::system().now();
        let path = "/v1/functions/f/invocations";
        Self { scheme, key, at, payload: Payload::Bytes(b"hello"), path, body: "hello" }
    }

    async fn sent(self, server: &Server) -> Answer {
        let Self { scheme, key, at, payload, path, body } = self;
        let mut headers = reqwest::header::HeaderMap::new();
        headers.insert("host", server.address().parse().unwrap());
        headers.insert("content-type", "text/plain".parse().unwrap());
        let request = Request { method: "POST", path: "/v1/functions/f/invocations", query: "", headers: &headers };
        let added = match scheme {
            Scheme::SigV4 => sigv4(&request, Scope { region: "local", service: "tidemill" }, key, payload, at),
            Scheme::SdkHmac => sdk_hmac(&request, key, payload, at),
        };
        headers.extend(added.unwrap());
        let request = server.request_with(Method::POST, path, None).headers(headers);
        server.send(request.body(body)).await
    }
}

async fn key(server: &Server) -> (String, String) {
    account(server, "signer", &[("functions.invoker", "function:f")]).await;
    let made = server.post("/v1/accounts/signer/keys", "").await.is(201).json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&made["id"]), text(&made["secret"]))
}

#[tokio::test]
async fn a_signed_request_is_its_keys_accounts() {
    let server = Server::asking(&[]).await;
    server.deploy("f", prebuilt("echo")).await;
    let (id, secret) = key(&server).await;
    let key = Key { id: &id, secret: &secret };
    for scheme in SCHEMES {
        assert_eq!(Sending::of(scheme, key).sent(&server).await.is(200).text(), "hello");
        let unsigned = Sending { payload: Payload::Unsigned, body: "anything", ..Sending::of(scheme, key) };
        assert_eq!(unsigned.sent(&server).await.is(200).text(), "anything");
    }
    super::revoke(&server, "signer", "functions.invoker", "function:f").await;
    for scheme in SCHEMES {
        let refused = Sending::of(scheme, key).sent(&server).await;
        refused.refusal(
            403,
            "access_denied",
            "the service account `default/signer` lacks the role `functions.invoker`",
        );
    }
    server.delete(&format!("/v1/accounts/signer/keys/{id}")).await.is(204);
    Sending::of(Scheme::SigV4, key).sent(&server).await.refusal(401, "unauthenticated", "no such token or key");
}

#[tokio::test]
async fn a_signature_that_is_wrong_old_of_an_unknown_key_or_of_something_else_is_refused_with_the_reason() {
    let server = Server::asking(&[]).await;
    server.deploy("f", prebuilt("echo")).await;
    let (id, secret) = key(&server).await;
    let key = Key { id: &id, secret: &secret };
    for scheme in SCHEMES {
        let ok = || Sending::of(scheme, key);
        let wrong_secret = Sending { key: Key { secret: "wrong", ..key }, ..ok() };
        let unknown_key = Sending { key: Key { id: "TMAKAAAAAAAAAAAAAAAA", ..key }, ..ok() };
        let old = Sending { at: ok().at.minus(Duration::from_secs(16 * 60)), ..ok() };
        let early = Sending { at: ok().at + Duration::from_secs(16 * 60), ..ok() };
        let other_body = Sending { body: "other", ..ok() };
        let other_path = Sending { path: "/v1/functions/f/invocations?mode=async", ..ok() };
        for (sending, part) in [
            (wrong_secret, "not that of this request and this key"),
            (unknown_key, "no such token or key"),
            (old, "15 minutes apart"),
            (early, "15 minutes apart"),
            (other_body, "not that of this request and this key"),
            (other_path, "not that of this request and this key"),
        ] {
            let refused = sending.sent(&server).await;
            let problem = refused.refusal(401, "unauthenticated", part);
            assert!(!problem.to_string().contains(&secret), "{problem}");
        }
    }
}

/// Sends an operation of SQS in its JSON protocol, signed for that service.
async fn sqs(server: &Server, key: Key<'_>, operation: &str, input: &Value) -> Answer {
    let mut headers = reqwest::header::HeaderMap::new();
    headers.insert("host", server.address().parse().unwrap());
    headers.insert("content-type", "application/x-amz-json-1.0".parse().unwrap());
    headers.insert("x-amz-target", format!("AmazonSQS.{operation}").parse().unwrap());
    let body = input.to_string();
    let request = Request { method: "POST", path: "/", query: "", headers: &headers };
    let scope = Scope { region: "us-east-1", service: "sqs" };
    let added = sigv4(&request, scope, key, Payload::Bytes(body.as_bytes()), Clock::system().now()).unwrap();
    headers.extend(added);
    server.send(server.request_with(Method::POST, "/", None).headers(headers).body(body)).await
}

#[tokio::test]
async fn clients_of_sqs_sign_with_a_key_and_may_what_its_account_may() {
    let server = Server::asking(&[]).await;
    let mut keys = Vec::new();
    for (name, role) in [("writer", "queues.writer"), ("reader", "queues.reader")] {
        account(&server, name, &[(role, "namespace:default")]).await;
        let made = server.post(&format!("/v1/accounts/{name}/keys"), "").await.is(201).json();
        keys.push((made["id"].as_str().unwrap().to_owned(), made["secret"].as_str().unwrap().to_owned()));
    }
    let [writer, reader] = [&keys[0], &keys[1]].map(|(id, secret)| Key { id, secret });
    let named = serde_json::json!({"QueueName": "jobs"});
    server.put("/v1/queues/dead", "").await.is(201);
    let denied = |answer: &Answer| {
        assert_eq!(answer.status, 403, "{}", answer.text());
        assert_eq!(answer.json()["__type"], "com.amazonaws.sqs#AccessDeniedException", "{}", answer.text());
        assert!(answer.json()["message"].as_str().unwrap().contains("lacks the role"), "{}", answer.text());
    };
    denied(&sqs(&server, reader, "CreateQueue", &named).await);
    let url = sqs(&server, writer, "CreateQueue", &named).await.is(200).json()["QueueUrl"].clone();
    let message = serde_json::json!({"QueueUrl": url, "MessageBody": "hello"});
    denied(&sqs(&server, reader, "SendMessage", &message).await);
    sqs(&server, writer, "SendMessage", &message).await.is(200);
    let of = serde_json::json!({"QueueUrl": url});
    denied(&sqs(&server, writer, "ReceiveMessage", &of).await);
    // Whoever may make one queue alone does not reach another by way of a redrive policy.
    account(&server, "maker", &[("queues.writer", "queue:own")]).await;
    let made = server.post("/v1/accounts/maker/keys", "").await.is(201).json();
    let maker = Key { id: made["id"].as_str().unwrap(), secret: made["secret"].as_str().unwrap() };
    let policy = r#"{"deadLetterTargetArn":"arn:aws:sqs:local:default:dead","maxReceiveCount":1}"#;
    let redriving = serde_json::json!({"QueueName": "own", "Attributes": {"RedrivePolicy": policy}});
    denied(&sqs(&server, maker, "CreateQueue", &redriving).await);
    super::grant(&server, "maker", "queues.writer", "queue:dead").await.is(200);
    sqs(&server, maker, "CreateQueue", &redriving).await.is(200);
    // The same in the native API: to make one, and not to change it.
    let token = server.post("/v1/accounts/maker/tokens", "").await.is(201).json()["token"].as_str().unwrap().to_owned();
    let put = async |settings: &'static str| {
        let request = server.request_with(Method::PUT, "/v1/queues/own", Some(&token));
        server.send(request.body(settings)).await
    };
    put(r#"{"visibility_s": 7}"#).await.problem(409, "queue_exists");
    server.delete("/v1/queues/own").await.is(204);
    put(r#"{"visibility_s": 7}"#).await.is(201);
    put(r#"{"visibility_s": 7}"#).await.is(200);
    put("{}").await.problem(409, "queue_exists");
    put(r#"{"visibility_s": 7, "tags": {"team": "mill"}}"#).await.problem(409, "queue_exists");
    denied(&sqs(&server, writer, "DeleteQueue", &of).await);
    let received = sqs(&server, reader, "ReceiveMessage", &of).await.is(200).json();
    assert_eq!(received["Messages"][0]["Body"], "hello");
    let wrong = sqs(&server, Key { secret: "wrong", ..writer }, "SendMessage", &message).await;
    assert_eq!((wrong.status, &wrong.json()["__type"]), (403, &"com.amazonaws.sqs#SignatureDoesNotMatch".into()));
}

#[tokio::test]
async fn changes_of_queues_over_sqs_are_logged_with_who_made_them_and_messages_are_not() {
    let server = Server::asking(&[]).await;
    account(&server, "maker", &[("queues.writer", "namespace:default")]).await;
    let made = server.post("/v1/accounts/maker/keys", "").await.is(201).json();
    let maker = Key { id: made["id"].as_str().unwrap(), secret: made["secret"].as_str().unwrap() };
    let url =
        sqs(&server, maker, "CreateQueue", &json!({"QueueName": "jobs"})).await.is(200).json()["QueueUrl"].clone();
    sqs(&server, maker, "SendMessage", &json!({"QueueUrl": url, "MessageBody": "hello"})).await.is(200);
    sqs(&server, maker, "ListQueues", &json!({})).await.is(200);
    sqs(&server, maker, "PurgeQueue", &json!({"QueueUrl": url})).await.is(403);
    let log = server.get("/v1/audit").await.is(200).json();
    let told = |it: &Value| format!("{} {} {} {}", it["who"], it["action"], it["on"], it["status"]).replace('"', "");
    let told: Vec<_> = log["entries"].as_array().unwrap().iter().take(3).map(told).collect();
    assert_eq!(
        told,
        [
            "default/maker AmazonSQS.PurgeQueue jobs 403",
            "default/maker AmazonSQS.CreateQueue jobs 200",
            "default/admin POST /v1/accounts/{name}/keys accounts/maker/keys 201",
        ]
    );
}
