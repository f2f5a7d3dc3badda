//! Outcomes that are brought to webhooks: what is sent, how it is signed, what is tried again, and what may not be reached.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::{Rfc2822, Rfc3339};

use super::support::{Received, Receiver, Server, hostile, prebuilt, run, run_with, until};

const ALLOWED: [&str; 2] = ["--allow-private-targets", "127.0.0.1"];

async fn server() -> Server {
    Server::with(&[&["--store", "memory"], &ALLOWED[..]].concat()).await
}

/// The keys that webhooks are signed with now, the newest first.
async fn keys(server: &Server) -> Vec<String> {
    let keys = server.get("/v1/webhooks/keys").await.is(200).json();
    keys["keys"].as_array().unwrap().iter().map(|key| key["key"].as_str().unwrap().to_owned()).collect()
}

/// What comes first to `path`.
async fn first(receiver: &Receiver, path: &str) -> Received {
    until(path, async || receiver.seen(path).into_iter().next()).await
}

/// An invocation once nothing of it is on its way, with this said of its delivery.
async fn rests(server: &Server, id: &str, delivery: &str) -> Value {
    until(delivery, async || Some(server.look(id).await).filter(|it| it["delivery"] == delivery)).await
}

fn fields(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[track_caller]
fn check_record(record: &Value, id: &str, invocation: &Value) {
    let expected = ["request_context", "request_payload", "response_context", "response_payload", "timestamp"].into();
    assert_eq!(fields(record), expected);
    let context = json!({
        "request_id": id, "function_urn": "urn:fss:local:default:function:default:echo:1", "condition": "",
        "approximate_invoke_count": 1,
    });
    assert_eq!(record["request_context"], context);
    assert_eq!(record["response_context"], json!({"status_code": 200, "function_error": ""}));
    assert_eq!((&record["timestamp"], &record["request_payload"]), (&invocation["accepted_at"], &json!({"order": 7})));
    assert_eq!(record["response_payload"], json!({"order": 7}));
}

#[tokio::test]
async fn a_success_is_told_in_each_format_and_signed() {
    let (server, receiver) = (server().await, Receiver::start().await);
    server.deploy("echo", prebuilt("echo")).await;
    let mut seen = Vec::new();
    for format in ["record", "payload", "cloudevent", "cloudevent-binary"] {
        let to = json!({"on_success": {"to": receiver.url(&format!("/{format}?a=b")), "format": format}});
        let shown = server.configure("echo", &to).await.is(200).json();
        assert_eq!(shown["on_success"]["to"], to["on_success"]["to"]);
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let headers = [("traceparent", trace), ("content-type", "application/json")];
        let id = server.accept_with("echo", r#"{"order": 7}"#, &headers).await;
        let arrived = first(&receiver, &format!("/{format}?a=b")).await;
        let invocation = rests(&server, &id, "delivered").await;
        assert_eq!((&invocation["status"], &invocation["deliveries"]), (&json!("succeeded"), &json!([])));
        assert_eq!((arrived.header("traceparent"), arrived.header("tidemill-invocation-id")), (trace, id.as_str()));
        assert_eq!(arrived.header("host"), format!("127.0.0.1:{}", receiver.port()));
        assert!(arrived.header("user-agent").starts_with("tidemill/"));
        seen.push((arrived, id, invocation));
    }
    let key = &keys(&server).await[0];
    for (arrived, ..) in &seen {
        assert!(arrived.is_signed_by(key), "{arrived:?}");
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        assert!(now - arrived.header("webhook-timestamp").parse::<u64>().unwrap() < 60);
    }
    let [record, payload, event, binary] = &seen[..] else { panic!("{seen:?}") };
    check_record(&record.0.json(), &record.1, &record.2);
    assert_eq!(record.0.header("content-type"), "application/json");
    assert_eq!(payload.0.body, br#"{"order": 7}"#);

    let (arrived, id, invocation) = event;
    assert_eq!(arrived.header("content-type"), "application/cloudevents+json; charset=utf-8");
    let told = arrived.json();
    check_record(&told["data"], id, invocation);
    assert_eq!((&told["specversion"], &told["type"]), (&json!("1.0"), &json!("tidemill.invocation.succeeded")));
    assert_eq!(told["source"], "urn:fss:local:default:function:default:echo:1");
    assert_eq!((&told["id"], &told["subject"]), (&json!(arrived.header("webhook-id")), &json!(id)));
    assert_eq!((&told["time"], &told["datacontenttype"]), (&invocation["settled_at"], &json!("application/json")));

    let (arrived, id, invocation) = binary;
    check_record(&arrived.json(), id, invocation);
    let header = |name| arrived.header(name);
    assert_eq!((header("content-type"), header("ce-specversion")), ("application/json", "1.0"));
    assert_eq!((header("ce-type"), header("ce-subject")), ("tidemill.invocation.succeeded", id.as_str()));
    assert_eq!(header("ce-source"), "urn:fss:local:default:function:default:echo:1");
    assert_eq!(
        (header("ce-id"), header("ce-time")),
        (header("webhook-id"), invocation["settled_at"].as_str().unwrap())
    );
}

#[tokio::test]
async fn a_failure_is_told_to_its_own_destination_and_to_a_callback_beside_it() {
    let (server, receiver) = (server().await, Receiver::start().await);
    let config = json!({
        "max_retries": 0, "on_success": receiver.url("/success"),
        "on_failure": {"to": receiver.url("/failure"), "format": "payload"},
    });
    server.deploy_with("trap", hostile("trap"), &json!({"async_config": config})).await;
    let callback = receiver.url("/callback");
    let id = server.accept_with("trap", "{}", &[("tidemill-callback-url", &callback)]).await;
    let (failure, called_back) = (first(&receiver, "/failure").await, first(&receiver, "/callback").await);
    rests(&server, &id, "delivered").await;
    for told in [&failure, &called_back] {
        let record = told.json();
        assert_eq!(record["request_context"]["condition"], "RetriesExhausted");
        assert!(record["response_context"]["function_error"].as_str().unwrap().starts_with("trap"), "{record}");
        assert_eq!(told.header("tidemill-outcome"), "failed");
    }
    assert_ne!(failure.header("webhook-id"), called_back.header("webhook-id"));
    assert!(receiver.seen("/success").is_empty());
    let both = (receiver.seen("/failure").len(), receiver.seen("/callback").len());
    assert_eq!(both, (1, 1));

    server.deploy("echo", prebuilt("echo")).await;
    let invoked = ["invoke", "echo", "--data", "x", "--async", "--callback-url", &receiver.url("/alone")];
    let id = run(&server, &invoked).await.exits(0).text();
    assert_eq!(first(&receiver, "/alone").await.json()["request_context"]["request_id"], id.trim());
    let shown = rests(&server, id.trim(), "delivered").await;
    assert_eq!(shown["dead_letter"], false);
}

#[tokio::test]
async fn a_function_is_given_the_bare_result_or_an_event_where_its_format_says_so() {
    let server = Server::in_memory().await;
    server.deploy("describe", prebuilt("describe")).await;
    server.deploy("echo", prebuilt("echo")).await;
    let mut told = Vec::new();
    for format in ["payload", "cloudevent", "cloudevent-binary"] {
        server.configure("echo", &json!({"on_success": {"to": "function:describe", "format": format}})).await.is(200);
        let id = server.accept_with("echo", r#"{"order": 7}"#, &[("content-type", "application/json")]).await;
        let next = server.settled(&id, "succeeded").await["next"]["id"].as_str().unwrap().to_owned();
        let described = server.settled(&next, "succeeded").await["result"]["body"].clone();
        told.push((next, described));
    }
    assert_eq!(told[0].1["payload"], json!({"order": 7}));
    for (next, described) in &told[1..] {
        let event = &described["payload"];
        assert_eq!((&event["id"], &event["data"]["response_payload"]), (&json!(next), &json!({"order": 7})));
        assert_eq!(described["content_type"], "application/cloudevents+json; charset=utf-8");
    }
}

#[tokio::test]
async fn a_receiver_that_is_down_through_two_kills_gets_everything_when_it_is_back_and_delays_nobody() {
    let server = Server::with(&ALLOWED).await;
    let (down, up) = (Receiver::start().await, Receiver::start().await);
    for (name, to) in [("down", &down), ("up", &up)] {
        let settings = json!({"async_config": {"on_success": to.url("/hook")}});
        server.deploy_with(name, prebuilt("echo"), &settings).await;
    }
    let down = down.gone().await;
    let ids_of = |arrived: Vec<Received>| -> BTreeSet<String> {
        arrived.iter().map(|it| it.json()["request_context"]["request_id"].as_str().unwrap().to_owned()).collect()
    };
    let mut expected = BTreeSet::new();
    let mut told = BTreeSet::new();
    let mut server = server;
    for _ in 0..2 {
        for _ in 0..15 {
            expected.insert(server.accept("down", "{}").await);
        }
        for _ in 0..15 {
            told.insert(server.accept("up", "{}").await);
        }
        until("those to the one that is up", async || Some(()).filter(|()| ids_of(up.seen("/hook")) == told)).await;
        until("a failed try", async || {
            let listed = server.get("/v1/deliveries?state=pending&function=down").await.is(200).json();
            let listed = listed["deliveries"].as_array().unwrap().clone();
            listed.iter().any(|it| it["tries"].as_u64() > Some(0) && it["error"].is_string()).then_some(())
        })
        .await;
        server = server.killed().await.restarted_with(&ALLOWED).await;
    }
    let back = down.back();
    until("those to the one that was down", async || Some(()).filter(|()| ids_of(back.seen("/hook")) == expected))
        .await;
    let mut deliveries: BTreeSet<(String, String)> = BTreeSet::new();
    for arrived in back.seen("/hook").into_iter().chain(up.seen("/hook")) {
        let id = arrived.json()["request_context"]["request_id"].as_str().unwrap().to_owned();
        deliveries.insert((id, arrived.header("webhook-id").to_owned()));
    }
    assert_eq!(deliveries.len(), expected.len() + told.len(), "each has one id, however often it came");
    for id in &expected {
        rests(&server, id, "delivered").await;
    }
    let drift = server.get("/metrics").await.text();
    assert!(drift.lines().any(|line| line == "tidemill_deliveries_under_way 0"), "{drift}");
}

#[tokio::test]
async fn private_addresses_are_refused_unless_they_are_allowed() {
    let server = Server::in_memory().await.expecting(&["a delivery is given up"]);
    server.deploy("echo", prebuilt("echo")).await;
    let receiver = Receiver::start().await;
    for address in ["127.0.0.1", "[::1]", "169.254.169.254", "10.0.0.1", "[::ffff:10.0.0.1]"] {
        let url = format!("http://{address}:{}/", receiver.port());
        let refused = server.configure("echo", &json!({ "on_success": url })).await;
        refused.refusal(403, "destination_not_allowed", "--allow-private-targets");
        let request = server.request(reqwest::Method::POST, "/v1/functions/echo/invocations?mode=async");
        let refused = server.send(request.header("tidemill-callback-url", &url)).await;
        refused.refusal(403, "destination_not_allowed", "private address");
    }
    // What a name leads to is known once it is looked up.
    let named = format!("http://localhost:{}/", receiver.port());
    server.configure("echo", &json!({ "on_success": named })).await.is(200);
    let id = server.accept("echo", "{}").await;
    let dead = rests(&server, &id, "dead").await;
    let error = dead["deliveries"][0]["error"].as_str().unwrap();
    assert!(error.contains("--allow-private-targets localhost"), "{error}");
    assert!(receiver.seen("/").is_empty());

    let server = Server::with(&["--store", "memory", "--allow-private-targets", "localhost,10.0.0.0/8"]).await;
    server.deploy_with("echo", prebuilt("echo"), &json!({"async_config": {"on_success": named}})).await;
    let id = server.accept("echo", "{}").await;
    rests(&server, &id, "delivered").await;
    assert_eq!(receiver.seen("/").len(), 1);
}

#[tokio::test]
async fn redirects_are_not_followed_and_a_receiver_that_asks_for_time_gets_it() {
    let (server, receiver) = (server().await, Receiver::start().await);
    server.deploy("echo", prebuilt("echo")).await;
    receiver.answers("/moved", &format!("307 Temporary Redirect\r\nlocation: {}", receiver.url("/elsewhere")));
    receiver.answers("/busy", "503 Service Unavailable\r\nretry-after: 600");
    let mut ids = Vec::new();
    for path in ["/moved", "/busy"] {
        server.configure("echo", &json!({"on_success": receiver.url(path)})).await.is(200);
        ids.push(server.accept("echo", "{}").await);
    }
    let tried = async |id: &str| {
        until("a try", async || {
            let delivery = server.look(id).await["deliveries"][0].clone();
            Some(delivery).filter(|delivery| delivery["tries"].as_u64() > Some(0))
        })
        .await
    };
    let moved = tried(&ids[0]).await;
    assert!(moved["error"].as_str().unwrap().contains("redirects are not followed"), "{moved}");
    let busy = tried(&ids[1]).await;
    let wait = |delivery: &Value| delivery["next_try_at"].as_str().unwrap() > delivery["since"].as_str().unwrap();
    assert!(wait(&busy) && busy["state"] == "pending" && busy["on"] == "destination", "{busy}");
    let since: String = busy["since"].as_str().unwrap().chars().take(16).collect();
    assert!(!busy["next_try_at"].as_str().unwrap().starts_with(&since), "ten minutes later: {busy}");
    assert!(receiver.seen("/elsewhere").is_empty());
    until("another try", async || (receiver.seen("/moved").len() > 1).then_some(())).await;
    let same: BTreeSet<_> = receiver.seen("/moved").iter().map(|it| it.header("webhook-id").to_owned()).collect();
    assert_eq!((same.len(), receiver.seen("/busy").len()), (1, 1));
}

/// A time as HTTP writes it.
fn http_date(at: OffsetDateTime) -> String {
    at.format(&Rfc2822).unwrap().replace("+0000", "GMT")
}

#[tokio::test]
async fn a_receiver_that_names_a_time_is_left_alone_until_then_by_its_own_clock_or_else_by_ours() {
    let (server, receiver) = (server().await, Receiver::start().await);
    server.deploy("echo", prebuilt("echo")).await;
    let tried = async |path: &str, head: &str| {
        receiver.answers(path, &format!("503 Service Unavailable\r\n{head}"));
        server.configure("echo", &json!({"on_success": receiver.url(path)})).await.is(200);
        let asked = OffsetDateTime::now_utc(); // it may have been tried by the time that this is answered
        let id = server.accept("echo", "{}").await;
        let delivery = until("a try", async || {
            let delivery = server.look(&id).await["deliveries"][0].clone();
            Some(delivery).filter(|delivery| delivery["tries"].as_u64() > Some(0))
        });
        let delivery = delivery.await;
        let next = OffsetDateTime::parse(delivery["next_try_at"].as_str().unwrap(), &Rfc3339).unwrap();
        (id, (next - asked).whole_seconds())
    };
    // Years from our clock, ten minutes by its own.
    let theirs = "date: Sun, 22 Nov 2037 05:00:00 GMT\r\nretry-after: Sun, 22 Nov 2037 05:10:00 GMT";
    let (_, pause) = tried("/theirs", theirs).await;
    assert!((600..=700).contains(&pause), "{pause} s");
    let in_half_an_hour = http_date(OffsetDateTime::now_utc() + Duration::from_mins(30));
    let (_, pause) = tried("/ours", &format!("retry-after: {in_half_an_hour}")).await;
    assert!((1_700..=1_860).contains(&pause), "{pause} s");
    // It is tried then, and not before: the first pause alone would be a second at most.
    let (id, _) =
        tried("/soon", "date: Sun, 22 Nov 2037 05:00:00 GMT\r\nretry-after: Sun, 22 Nov 2037 05:00:03 GMT").await;
    receiver.answers("/soon", "204 No Content");
    rests(&server, &id, "delivered").await;
    let sent: Vec<u64> =
        receiver.seen("/soon").iter().map(|it| it.header("webhook-timestamp").parse().unwrap()).collect();
    assert!(sent.len() > 1 && sent.windows(2).all(|pair| pair[1] - pair[0] >= 2), "{sent:?}");
    assert_eq!([receiver.seen("/theirs").len(), receiver.seen("/ours").len()], [1, 1]);
}

#[tokio::test]
async fn what_is_given_up_is_kept_listed_tried_again_and_removed_when_somebody_says_so() {
    let (server, receiver) = (server().await.expecting(&["a delivery is given up"]), Receiver::start().await);
    server.deploy_with("echo", prebuilt("echo"), &json!({"async_config": {"on_success": receiver.url("/gone")}})).await;
    receiver.answers("/gone", "410 Gone");
    let mut ids = Vec::new();
    for _ in 0..3 {
        let id = server.accept("echo", "{}").await;
        let dead = rests(&server, &id, "dead").await;
        assert_eq!((&dead["status"], &dead["deliveries"][0]["tries"]), (&json!("succeeded"), &json!(1)));
        ids.push(id);
    }
    let list = |state: &str| format!("/v1/deliveries?state={state}");
    let listed = server.get(&list("dead")).await.is(200).json();
    let found: Vec<_> = listed["deliveries"].as_array().unwrap().iter().map(|it| it["invocation"].clone()).collect();
    assert_eq!(found, [json!(ids[2]), json!(ids[1]), json!(ids[0])]);
    assert_eq!(listed["deliveries"][0]["error"], "it answered 410: the receiver wants no more");
    assert_eq!(server.get(&list("pending")).await.json()["deliveries"], json!([]));
    server.get(&list("lost")).await.refusal(400, "bad_query", "`lost`");
    let of_another = format!("{}&target={}", list("dead"), receiver.url("/other"));
    assert_eq!(server.get(&of_another).await.json()["deliveries"], json!([]));
    let text = run(&server, &["deliveries", "list", "--state", "dead"]).await.exits(0).text();
    assert!(ids.iter().all(|id| text.contains(id.as_str())) && text.contains("410"), "{text}");

    receiver.answers("/gone", "204 No Content");
    let again = server.post(&format!("/v1/invocations/{}/redeliver", ids[0]), "").await.is(200).json();
    assert_eq!(again["delivery"], "pending");
    rests(&server, &ids[0], "delivered").await;
    let told = server.post(&format!("/v1/invocations/{}/redeliver", ids[0]), "").await;
    told.refusal(409, "nothing_to_redeliver", &ids[0]);
    run(&server, &["deliveries", "purge", &ids[1]]).await.exits(0);
    server.get(&format!("/v1/invocations/{}", ids[1])).await.problem(404, "invocation_not_found");
    let target = receiver.url("/gone");
    let redrive = "/v1/deliveries/redrive";
    server.post(redrive, r#"{"function": "other"}"#).await.refusal(400, "bad_json", "in the query");
    server.post(&format!("{redrive}?state=pending"), "").await.refusal(400, "bad_query", "pending");
    let told = run(&server, &["deliveries", "redrive", "--all", "--target", &target]).await.exits(0).err;
    assert!(told.contains("the deliveries of 1 invocations are tried again, 0 could not be"), "{told}");
    rests(&server, &ids[2], "delivered").await;
    let ids_of: BTreeSet<_> = receiver.seen("/gone").iter().map(|it| it.header("webhook-id").to_owned()).collect();
    assert_eq!((receiver.seen("/gone").len(), ids_of.len()), (5, 3));
}

#[tokio::test]
async fn a_command_that_has_not_all_deliveries_tried_again_says_so_with_its_exit_code() {
    let server = Receiver::start().await;
    let failed = json!([{"id": "7", "code": "disk_full", "detail": "the disk is full"}]);
    let answer = json!({"redriven": 2, "failed": failed, "next_cursor": null});
    server.answers_json("/v1/deliveries/redrive?namespace=default", &answer);
    let told = run_with(&server.url(""), &["deliveries", "redrive", "--all"], b"").await.exits(4).err;
    assert!(told.contains("7: the disk is full") && told.contains("2 invocations are tried again, 1 could"), "{told}");
}

#[tokio::test]
async fn both_keys_sign_while_one_follows_the_other() {
    let (server, receiver) = (server().await, Receiver::start().await);
    server.deploy_with("echo", prebuilt("echo"), &json!({"async_config": {"on_success": receiver.url("/hook")}})).await;
    let old = keys(&server).await;
    let rotated = run(&server, &["webhooks", "rotate", "--overlap", "1h", "--json"]).await.exits(0).json();
    let both = keys(&server).await;
    assert_eq!((both.len(), &both[1], &rotated["keys"][0]["key"]), (2, &old[0], &json!(both[0])));
    server.accept("echo", "{}").await;
    let arrived = first(&receiver, "/hook").await;
    assert!(both.iter().all(|key| arrived.is_signed_by(key)));

    run(&server, &["webhooks", "rotate", "--overlap", "0s"]).await.exits(0);
    let alone = keys(&server).await;
    assert!(alone.len() == 1 && !both.contains(&alone[0]));
    server.accept("echo", "{}").await;
    let second = until("the second", async || receiver.seen("/hook").into_iter().nth(1)).await;
    assert!(second.is_signed_by(&alone[0]) && !both.iter().any(|key| second.is_signed_by(key)));
    let text = run(&server, &["webhooks", "keys"]).await.exits(0).text();
    assert!(text.contains(&alone[0]), "{text}");
    assert!(!both.iter().chain(&alone).any(|key| server.log().contains(key.as_str())), "a key is in the log");
}

#[tokio::test]
async fn what_was_settled_is_delivered_though_its_function_is_gone() {
    let server = Server::with(&ALLOWED).await;
    let receiver = Receiver::start().await;
    server.deploy_with("echo", prebuilt("echo"), &json!({"async_config": {"on_success": receiver.url("/hook")}})).await;
    let gone = receiver.gone().await;
    let id = server.accept("echo", "{}").await;
    server.settled(&id, "succeeded").await;
    server.delete("/v1/functions/echo").await.is(204);
    let back = gone.back();
    assert_eq!(first(&back, "/hook").await.json()["request_context"]["request_id"], json!(id));
}
