//! Functions that are deployed from images of a registry.

use std::fs;

use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::support::{Answer, Server, prebuilt, run, run_with};
use crate::services::{NO_REGISTRY, Registry};
use crate::skipped;

async fn deploy(server: &Server, name: &str, settings: &Value) -> Answer {
    server.send(server.request(Method::PUT, &format!("/v1/functions/{name}")).json(settings)).await
}

fn digest(module: &[u8]) -> String {
    let digits: Vec<_> = Sha256::digest(module).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{}", digits.concat())
}

/// A file in an archive, as containers have them.
fn archive(name: &str, content: &[u8]) -> Vec<u8> {
    let mut head = vec![0; 512];
    head[..name.len()].copy_from_slice(name.as_bytes());
    head[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
    head[156] = b'0';
    head[148..156].fill(b' ');
    let sum: usize = head.iter().map(|byte| usize::from(*byte)).sum();
    head[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    head.extend_from_slice(content);
    head.resize(head.len().div_ceil(512) * 512 + 1_024, 0);
    head
}

#[tokio::test]
async fn an_image_is_deployed_by_its_tag_and_by_its_digest_and_runs() {
    let Some(registry) = Registry::start().await else { return skipped(NO_REGISTRY) };
    let (server, module) = (Server::in_memory().await, prebuilt("describe"));
    let manifest = registry.push_module("shop/describe:1", &module).await;
    let by_tag = format!("oci://{}/shop/describe:1", registry.address);
    let by_digest = format!("oci://{}/shop/describe@{manifest}", registry.address);
    for (name, source) in [("tag", &by_tag), ("digest", &by_digest)] {
        let deployed = deploy(&server, name, &json!({"source": source})).await.is(201).json();
        assert_eq!(deployed["version"]["digest"], digest(&module), "{deployed:#}");
        let expected = json!({"image": source, "digest": manifest});
        assert_eq!(deployed["version"]["source"], expected, "{deployed:#}");
        server.invoke(name, "{}").await.is(200);
    }
    // The same again changes nothing; a tag that has moved does.
    deploy(&server, "tag", &json!({"source": by_tag})).await.is(200);
    let other = prebuilt("echo");
    registry.push_module("shop/describe:1", &other).await;
    let moved = deploy(&server, "tag", &json!({"source": by_tag})).await.is(200).json();
    assert_eq!((&moved["latest"], &moved["version"]["digest"]), (&json!(2), &json!(digest(&other))));

    let told = run(&server, &["deploy", &by_digest, "--name", "typed"]).await.exits(0);
    assert!(told.text().contains("typed is at version 1"), "{}", told.text());
}

#[tokio::test]
async fn older_forms_and_images_of_containers_are_deployed_too() {
    let Some(registry) = Registry::start().await else { return skipped(NO_REGISTRY) };
    let (server, module) = (Server::in_memory().await, prebuilt("describe"));
    let docker = "application/vnd.oci.image.config.v1+json";
    for (name, layer_type, layer) in [
        ("old", "application/vnd.wasm.content.layer.v1+wasm", module.clone()),
        ("bare", "application/octet-stream", module.clone()),
        ("tar", "application/vnd.oci.image.layer.v1.tar", archive("app.wasm", &module)),
    ] {
        registry.push(&format!("{name}:1"), layer_type, &layer, docker).await;
        let source = json!({"source": format!("oci://{}/{name}:1", registry.address)});
        let deployed = deploy(&server, name, &source).await.is(201).json();
        assert_eq!(deployed["version"]["digest"], digest(&module), "{name}");
    }
}

#[tokio::test]
async fn what_is_no_image_of_a_module_is_refused_with_the_reason() {
    let Some(registry) = Registry::start().await else { return skipped(NO_REGISTRY) };
    let (server, address) = (Server::in_memory().await, &registry.address);
    let refused = async |source: &str, status, code, part: &str| {
        let answer = deploy(&server, "f", &json!({"source": source})).await;
        if status == 502 {
            let problem = answer.problem(status, code);
            assert!(problem["detail"].as_str().unwrap().contains(part), "{problem}");
        } else {
            answer.refusal(status, code, part);
        }
    };
    registry.push("text:1", "text/plain", b"#!/bin/sh", "text/plain").await;
    registry.push("broken:1", "application/wasm", b"\0asm\x01\0\0\0\xff\xff", "text/plain").await;
    refused(&format!("oci://{address}/nothing:1"), 422, "image_not_found", "nothing:1").await;
    refused(&format!("oci://{address}/text:2"), 422, "image_not_found", "text:2").await;
    refused(&format!("oci://{address}/text:1"), 422, "image_refused", "no module in its layer").await;
    refused(&format!("oci://{address}/broken:1"), 422, "module_refused", "").await;
    refused("oci://127.0.0.1:1/a:1", 502, "image_unavailable", "127.0.0.1:1").await;
    refused("oci://a:1", 400, "bad_source", "no registry").await;
    refused("oci://169.254.169.254/a:1", 403, "image_not_allowed", "private address").await;
    for (settings, part) in [
        (json!({}), "neither a module nor a `source`"),
        (json!({"source": "oci://a.example/a", "source_user": "u"}), "go together"),
        (json!({"source_user": "u", "source_password": "p"}), "for a `source`"),
    ] {
        deploy(&server, "f", &settings).await.refusal(400, "bad_source", part);
    }
    let both = json!({"source": format!("oci://{address}/text:1")});
    server.deployment("f", prebuilt("describe"), &both).await.refusal(400, "bad_source", "send one of them");
    server.get("/v1/functions/f").await.problem(404, "function_not_found");
}

#[tokio::test]
async fn a_layer_or_a_manifest_that_was_changed_is_not_deployed() {
    let Some(registry) = Registry::start().await else { return skipped(NO_REGISTRY) };
    let (server, module) = (Server::in_memory().await, prebuilt("describe"));
    let manifest = registry.push_module("a:1", &module).await;
    let mut changed = module.clone();
    *changed.last_mut().unwrap() ^= 1;
    let layer = registry.blob(&digest(&module));
    fs::write(&layer, &changed).unwrap();
    let by_tag = json!({"source": format!("oci://{}/a:1", registry.address)});
    let problem = deploy(&server, "f", &by_tag).await.refusal(422, "image_refused", "it was changed");
    let told = problem["detail"].as_str().unwrap();
    assert!(told.contains(&digest(&module)) && told.contains(&digest(&changed)), "{told}");
    fs::write(&layer, &module).unwrap();
    let text = fs::read_to_string(registry.blob(&manifest)).unwrap();
    fs::write(registry.blob(&manifest), format!("{text} ")).unwrap();
    let by_digest = json!({"source": format!("oci://{}/a@{manifest}", registry.address)});
    let answer = deploy(&server, "f", &by_digest).await;
    assert!([422, 502].contains(&answer.status), "{}", answer.text());
    server.get("/v1/functions/f").await.problem(404, "function_not_found");
    fs::write(registry.blob(&manifest), text).unwrap();
    deploy(&server, "f", &by_digest).await.is(201);
}

#[tokio::test]
async fn whoever_knows_the_digest_of_a_module_that_another_has_deployed_does_not_get_it() {
    let Some(registry) = Registry::start().await else { return skipped(NO_REGISTRY) };
    let (server, module) = (Server::in_memory().await, prebuilt("describe"));
    server.deploy("theirs", module.clone()).await;
    registry.push_module("a:1", &module).await;
    fs::remove_file(registry.blob(&digest(&module))).unwrap();
    let source = json!({"source": format!("oci://{}/a:1", registry.address)});
    deploy(&server, "mine", &source).await.refusal(422, "image_not_found", "a:1");
    server.get("/v1/functions/mine").await.problem(404, "function_not_found");
}

#[tokio::test]
async fn a_registry_that_knows_its_users_is_shown_a_secret() {
    let Some(registry) = Registry::with_user().await else { return skipped(NO_REGISTRY) };
    let server = Server::in_memory().await;
    registry.push_module("a:1", &prebuilt("describe")).await;
    let image = format!("oci://{}/a:1", registry.address);
    let nobody = json!({"source": image});
    deploy(&server, "f", &nobody).await.refusal(422, "image_denied", "wants a user and a password");
    let login = json!({"source": image, "source_user": "mill", "source_password": "registry"});
    deploy(&server, "f", &login).await.refusal(404, "secret_not_found", "`registry`");
    run_with(&server.url(""), &["secrets", "set", "registry"], b"wrong-password").await.exits(0);
    let refused = deploy(&server, "f", &login).await.refusal(422, "image_denied", "`mill`");
    assert!(!refused.to_string().contains("wrong-password"), "{refused}");
    run_with(&server.url(""), &["secrets", "set", "registry"], b"right-password").await.exits(0);
    let flags = ["--registry-user", "mill", "--registry-password", "registry"];
    run(&server, &[&["deploy", &image, "--name", "f"], &flags[..]].concat()).await.exits(0);
    server.invoke("f", "{}").await.is(200);
    assert!(!server.log().contains("right-password"), "{}", server.log());
}

#[tokio::test]
async fn a_server_that_asks_who_sends_requests_reaches_registries_here_only_where_it_may() {
    let Some(registry) = Registry::start().await else { return skipped(NO_REGISTRY) };
    registry.push_module("a:1", &prebuilt("describe")).await;
    let source = json!({"source": format!("oci://{}/a:1", registry.address)});
    let server = Server::asking(&[]).await;
    deploy(&server, "f", &source).await.refusal(403, "image_not_allowed", "--allow-private-targets");
    let server = Server::asking(&["--allow-private-targets", "127.0.0.0/8"]).await;
    deploy(&server, "f", &source).await.is(201);
}
