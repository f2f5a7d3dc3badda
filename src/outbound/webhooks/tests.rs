//! Keys, and what is sent, without a receiver; `tests/it/process/webhooks.rs` has one.

use std::time::Duration;

use http::header::RETRY_AFTER;

use super::*;
use crate::store::memory::MemoryStore;
use crate::vault::KeySource;

fn webhooks() -> (Webhooks, Arc<MemoryStore>) {
    let (store, clock) = (Arc::new(MemoryStore::default()), Clock::system());
    let vault = Vault::open(store.clone(), clock.clone(), KeySource::Fleeting).unwrap();
    let outbound = Arc::new(Outbound::new(None).unwrap());
    (Webhooks::new(outbound, Allowed::default(), store.clone(), vault, clock), store)
}

fn exposed(keys: &[SigningKey]) -> Vec<String> {
    keys.iter().map(|key| key.key.expose().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn keys_are_a_namespaces_own_and_the_one_before_signs_until_the_overlap_is_over() {
    let (webhooks, _) = webhooks();
    let (one, other) = (Namespace::default(), "other".parse().unwrap());
    let first = exposed(&webhooks.keys(&one).await.unwrap());
    assert_eq!(first.len(), 1);
    assert_eq!(exposed(&webhooks.keys(&one).await.unwrap()), first);
    assert_ne!(exposed(&webhooks.keys(&other).await.unwrap()), first);

    let both = exposed(&webhooks.rotate(&one, Duration::from_secs(60)).await.unwrap());
    assert_eq!((both.len(), &both[1]), (2, &first[0]));
    tokio::time::advance(Duration::from_secs(61)).await;
    assert_eq!(exposed(&webhooks.keys(&one).await.unwrap()), both[..1]);
    let alone = exposed(&webhooks.rotate(&one, Duration::ZERO).await.unwrap());
    assert!(alone.len() == 1 && alone != both[..1]);
    for _ in 0..9 {
        webhooks.rotate(&one, Duration::from_secs(60)).await.unwrap();
    }
    assert_eq!(webhooks.keys(&one).await.unwrap().len(), 4);
}

#[tokio::test]
async fn what_is_kept_of_a_key_is_sealed() {
    let (webhooks, store) = webhooks();
    let key = exposed(&webhooks.keys(&Namespace::default()).await.unwrap()).remove(0);
    let all = crate::store::DocumentRange::of(crate::store::Table::WebhookKey, b"");
    let documents = store.documents(all, 10).await.unwrap();
    assert_eq!(documents.len(), 1);
    assert!(!String::from_utf8_lossy(&documents[0].1).contains(key.trim_start_matches("whsec_")));
}

#[tokio::test]
async fn a_request_has_a_signature_of_each_key_over_the_bytes_that_are_sent() {
    let (webhooks, _) = webhooks();
    let namespace = Namespace::default();
    webhooks.keys(&namespace).await.unwrap();
    let keys = webhooks.rotate(&namespace, Duration::from_secs(60)).await.unwrap();
    let post = Post {
        id: "1".to_owned(),
        body: Bytes::from_static(b"{}"),
        content_type: "application/json".to_owned(),
        headers: vec![("traceparent".to_owned(), "00-1".to_owned()), ("webhook-id".to_owned(), "2".to_owned())],
    };
    let request = webhooks.request(&namespace, "https://a.example/".parse().unwrap(), &post).await.unwrap();
    let header = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
    let timestamp = header("webhook-timestamp").parse().unwrap();
    let signatures: Vec<_> = keys.iter().map(|it| it.key.sign("1", timestamp, b"{}")).collect();
    assert_eq!(header("webhook-signature"), signatures.join(" "));
    assert_eq!((header("webhook-id").as_str(), header("traceparent").as_str()), ("1", "00-1"));
    assert_eq!(request.headers().get_all("webhook-id").iter().count(), 1);
}

#[tokio::test]
async fn a_media_type_that_no_header_can_hold_is_left_out() {
    let (webhooks, _) = webhooks();
    for (content_type, sent) in [("text/plain", Some("text/plain")), ("", None), ("text/\n", None)] {
        let content_type = content_type.to_owned();
        let post = Post { id: "1".into(), body: Bytes::new(), content_type, headers: Vec::new() };
        let made = webhooks.request(&Namespace::default(), "https://a.example/".parse().unwrap(), &post).await;
        let headers = made.unwrap().headers().clone();
        assert_eq!(headers.get("content-type").map(|value| value.to_str().unwrap()), sent, "{post:?}");
    }
}

#[tokio::test]
async fn addresses_that_are_private_are_refused_before_and_after_they_are_looked_up() {
    let (webhooks, _) = webhooks();
    let post = Post { id: "1".into(), body: Bytes::new(), content_type: String::new(), headers: Vec::new() };
    for url in ["http://127.0.0.1:1/", "http://[::1]:1/", "http://169.254.169.254/", "https://10.0.0.1/"] {
        let told = webhooks.post(&Namespace::default(), url, &post).await.unwrap_err();
        assert!(matches!(&told, NotSent::Never { why } if why.contains("--allow-private-targets")), "{told:?}");
    }
    let told = webhooks.post(&Namespace::default(), "http://localhost:1/", &post).await.unwrap_err();
    assert!(matches!(&told, NotSent::Never { why } if why.contains("--allow-private-targets localhost")), "{told:?}");
}

type Judged = Result<(), No>;

/// When it is worth another try: in so many seconds, where the receiver said so.
#[derive(Debug, PartialEq, Eq)]
enum No {
    Never,
    Later,
    After(u64),
}

#[track_caller]
fn check(status: u16, retry_after: Option<&str>, expected: &Judged) {
    let mut headers = HeaderMap::new();
    headers.extend(retry_after.map(|value| (RETRY_AFTER, value.parse().unwrap())));
    let now = Timestamp::parse("2026-11-22T03:00:00Z").unwrap();
    let judged = judged(&Answer { status, headers }, now).map_err(|told| match told {
        NotSent::Never { .. } => No::Never,
        NotSent::Retry { after, .. } => after.map_or(No::Later, |after| No::After(after.as_secs())),
    });
    assert_eq!(&judged, expected, "{status} {retry_after:?}");
}

#[test]
fn what_the_receiver_answers_says_whether_and_when_to_come_again() {
    for status in [200, 204, 299] {
        check(status, None, &Ok(()));
    }
    check(410, None, &Err(No::Never));
    for status in [301, 302, 307, 400, 401, 404, 500, 502] {
        check(status, Some("7"), &Err(No::Later));
    }
    check(429, Some("7"), &Err(No::After(7)));
    check(503, Some("120"), &Err(No::After(120)));
    check(503, Some("Sun, 22 Nov 2026 03:02:00 GMT"), &Err(No::After(120)));
    check(503, Some("soon"), &Err(No::Later));
}
