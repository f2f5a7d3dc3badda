//! Lists of functions and invocations, in parts.

use std::collections::BTreeSet;

use serde_json::json;

use super::support::{Server, prebuilt};

#[tokio::test]
async fn invocations_are_listed_by_function_status_and_time_the_newest_first() {
    let server = Server::durable().await;
    server.deploy("echo", prebuilt("echo")).await;
    server.deploy_with("flaky", prebuilt("flaky"), &json!({"async_config": {"max_retries": 0}})).await;
    let fine = server.accept("echo", "").await;
    let failed = server.accept("flaky", r#"{"always": true}"#).await;
    server.settled(&fine, "succeeded").await;
    let since = server.settled(&failed, "failed").await["settled_at"].take();
    let waiting = server.accept_with("echo", "", &[("tidemill-delay", "1h")]).await;

    assert_eq!(server.listed("").await, [&*waiting, &failed, &fine]);
    assert_eq!(server.listed("function=echo").await, [&*waiting, &fine]);
    assert_eq!(server.listed("status=queued").await, [&*waiting]);
    assert_eq!(server.listed("status=succeeded&function=echo").await, [&*fine]);
    assert_eq!(server.listed("status=failed&function=echo").await, [""; 0]);
    assert_eq!(server.listed("dead_letter=true").await, [&*failed]);
    assert_eq!(server.listed(&format!("since={}", since.as_str().unwrap())).await, [&*waiting]);
    server.get("/v1/invocations?function=nobody").await.refusal(404, "function_not_found", "`nobody`");
}

#[tokio::test]
async fn the_pages_of_a_list_join_without_gaps_and_repeats_while_more_arrive() {
    let server = Server::durable().await;
    server.deploy("echo", prebuilt("echo")).await;
    let mut accepted = BTreeSet::new();
    for _ in 0..23 {
        accepted.insert(server.accept_with("echo", "", &[("tidemill-delay", "1h")]).await);
    }
    let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = server.get(&format!("/v1/invocations?limit=5{cursor}")).await.is(200).json();
        let ids = page["invocations"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned());
        seen.extend(ids);
        pages += 1;
        server.accept_with("echo", "newer than every page", &[("tidemill-delay", "1h")]).await;
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!((pages, seen.len()), (5, 23));
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), accepted);
}

#[tokio::test]
async fn functions_are_listed_by_name_in_pages_that_join() {
    let server = Server::in_memory().await;
    for name in ["e", "c", "a", "d", "b"] {
        server.deploy(name, prebuilt("echo")).await;
    }
    server.put("/v1/functions/z?namespace=shop", prebuilt("echo")).await.is(201);
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("/v1/functions?limit=2{cursor}")).await.is(200).json();
        let found = page["functions"].as_array().unwrap().iter();
        names.extend(found.map(|it| format!("{}/{}", it["namespace"].as_str().unwrap(), it["name"].as_str().unwrap())));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(names, ["default/a", "default/b", "default/c", "default/d", "default/e", "shop/z"]);
    let shop = server.get("/v1/functions?namespace=shop").await.is(200).json();
    assert_eq!(shop["functions"].as_array().unwrap().len(), 1);
}
