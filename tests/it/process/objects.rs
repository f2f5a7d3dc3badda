//! The objects that the server keeps: listed, read and deleted, each namespace its own. How they come is a matter of
//! deliveries; here they are files that are there.

use std::fs;

use serde_json::json;

use super::support::{Server, run};

/// Puts files where the server keeps the objects of a namespace.
fn put(server: &Server, namespace: &str, keys: &[&str]) {
    for key in keys {
        let file = server.folder().join("tidemill-data/objects").join(namespace).join(key);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, format!("content of {key}")).unwrap();
    }
}

async fn keys(server: &Server, path: &str) -> (Vec<String>, Option<String>) {
    let page = server.get(path).await.is(200).json();
    let keys = page["objects"].as_array().unwrap().iter().map(|it| it["key"].as_str().unwrap().to_owned()).collect();
    (keys, page["next_cursor"].as_str().map(str::to_owned))
}

#[tokio::test]
async fn objects_are_listed_in_pages_read_and_deleted() {
    let server = Server::durable().await;
    assert_eq!(server.get("/v1/objects").await.is(200).json(), json!({"buckets": []}));
    put(&server, "default", &["results/shop/2026/a.json", "results/shop/2026/b.txt", "results/c.bin", "others/d"]);
    put(&server, "shop", &["results/of-shop"]);

    let buckets = server.get("/v1/objects").await.is(200).json();
    assert_eq!(buckets["buckets"][1], json!({"namespace": "default", "name": "results"}));
    assert_eq!(keys(&server, "/v1/objects/results").await.0, ["c.bin", "shop/2026/a.json", "shop/2026/b.txt"]);
    assert_eq!(keys(&server, "/v1/objects/results?prefix=shop/2026/b").await.0, ["shop/2026/b.txt"]);
    let (first, next) = keys(&server, "/v1/objects/results?limit=2").await;
    assert_eq!((first.len(), next.as_deref()), (2, Some("shop/2026/a.json")));
    let rest = keys(&server, "/v1/objects/results?limit=2&cursor=shop/2026/a.json").await;
    assert_eq!(rest, (vec!["shop/2026/b.txt".to_owned()], None));
    assert_eq!(keys(&server, "/v1/objects/results?namespace=shop").await.0, ["of-shop"]);
    assert_eq!(keys(&server, "/v1/objects/nothing").await.0, [""; 0]);

    let read = server.get("/v1/objects/results/shop/2026/a.json").await.is(200);
    assert_eq!(read.text(), "content of results/shop/2026/a.json");
    assert_eq!((read.header("content-type"), read.header("x-content-type-options")), ("application/json", "nosniff"));
    assert_eq!(read.header("content-length"), read.body.len().to_string());
    server.delete("/v1/objects/results/shop/2026/a.json").await.is(204);
    let gone = server.delete("/v1/objects/results/shop/2026/a.json").await;
    gone.refusal(404, "object_not_found", "`shop/2026/a.json`");
    for folder in ["shop", "shop/2026", "c.bin/x"] {
        server.get(&format!("/v1/objects/results/{folder}")).await.refusal(404, "object_not_found", folder);
        server.delete(&format!("/v1/objects/results/{folder}")).await.refusal(404, "object_not_found", folder);
    }
    server.get("/v1/objects/results/of-shop").await.refusal(404, "object_not_found", "`of-shop`");
}

#[tokio::test]
async fn no_path_leads_out_of_the_folder_of_objects() {
    let server = Server::durable().await;
    put(&server, "default", &["results/a"]);
    for path in ["results/..%2f..%2fsecret.key", "results/a%00", "results/%2fetc%2fpasswd", "results/a%2f..%2fb"] {
        server.get(&format!("/v1/objects/{path}")).await.refusal(400, "bad_name", "is not the key of an object");
    }
    server.get("/v1/objects/..%2f..").await.refusal(400, "bad_name", "is not the name of a bucket");
    server.get("/v1/objects/Results/a").await.refusal(400, "bad_name", "`Results`");
    server.get("/v1/objects/results?namespace=..").await.refusal(400, "bad_name", "`..`");
    server.delete("/v1/objects/results/a%2f..%2f..%2fb").await.refusal(400, "bad_name", "is not the key");
}

#[tokio::test]
async fn the_command_line_lists_prints_and_deletes_objects() {
    let server = Server::durable().await;
    let none = run(&server, &["objects", "list"]).await.exits(0);
    assert!(none.err.contains("no buckets"), "{}", none.err);
    put(&server, "default", &["results/shop/a.json", "results/b"]);
    assert_eq!(run(&server, &["objects", "list"]).await.exits(0).text(), "NAME\nresults\n");
    let listed = run(&server, &["objects", "list", "results", "--prefix", "shop/"]).await.exits(0).text();
    assert!(listed.contains("shop/a.json") && !listed.contains("\nb "), "{listed}");
    let read = run(&server, &["objects", "get", "results", "shop/a.json"]).await.exits(0);
    assert_eq!(read.text(), "content of results/shop/a.json");
    run(&server, &["objects", "delete", "results", "shop/a.json"]).await.exits(0);
    run(&server, &["objects", "get", "results", "shop/a.json"]).await.exits(4);
    run(&server, &["objects", "get", "results", "../a"]).await.exits(2);
}
