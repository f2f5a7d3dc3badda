//! Serverless Containers over REST: a container's life, its own URL, and what is refused. What the documents fix is compared
//! word for word; over gRPC the unmodified SDK does the same (`tests/clients/yandex-containers.py`).

use reqwest::Method;
use serde_json::{Value, json};

use super::support::{Answer, Server, prebuilt_path, until};
use crate::services::{NO_REGISTRY, Registry};
use crate::skipped;

const FOLDER: &str = "b1g681qpemb4";
const ASYNC: &str = "X-Ycf-Container-Integration-Type";

/// A server that may read the prebuilt guests.
async fn server() -> Server {
    let guests = prebuilt_path("echo").parent().unwrap().to_str().unwrap().to_owned();
    Server::with(&["--store", "memory", "--allow-dir", &guests]).await
}

fn file(guest: &str) -> String {
    format!("file://{}", prebuilt_path(guest).display())
}

async fn post(server: &Server, path: &str, body: &Value) -> Answer {
    server.send(server.request(Method::POST, path).json(body)).await
}

/// The operation that an answer is, once it is done.
async fn ended(server: &Server, answer: Answer) -> Value {
    let id = answer.is(200).json()["id"].as_str().unwrap().to_owned();
    let path = format!("/operations/{id}");
    until("the operation", async || Some(server.get(&path).await.json()).filter(|it| it["done"] == true)).await
}

/// What came of it.
async fn done(server: &Server, answer: Answer) -> Value {
    let operation = ended(server, answer).await;
    assert_eq!(operation["error"], Value::Null, "{operation:#}");
    operation["response"].clone()
}

async fn created(server: &Server, name: &str) -> String {
    let answer = post(server, "/containers/v1/containers", &json!({"folderId": FOLDER, "name": name})).await;
    done(server, answer).await["id"].as_str().unwrap().to_owned()
}

fn revision(container: &str, image: &str) -> Value {
    json!({"containerId": container, "resources": {"memory": "134217728"}, "imageSpec": {"imageUrl": image}})
}

async fn deployed(server: &Server, revision: &Value) -> Value {
    done(server, post(server, "/containers/v1/revisions:deploy", revision).await).await
}

/// The names in an object, in order.
fn names(object: &Value) -> Vec<&str> {
    let mut names: Vec<_> = object.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn a_revision_is_shown_as_the_documents_have_it() {
    let server = server().await;
    let container = created(&server, "test-container").await;
    let mut asked = revision(&container, &file("hello-http"));
    asked["serviceAccountId"] = json!("ajelprpohp7r");
    asked["asyncInvocationConfig"] = json!({"serviceAccountId": "ajeaim70pe1u"});
    let operation = ended(&server, post(&server, "/containers/v1/revisions:deploy", &asked).await).await;
    let shown = operation["response"].clone();
    let of = "type.googleapis.com/yandex.cloud.serverless.containers.v1.";
    assert_eq!(shown["@type"], format!("{of}Revision"));
    let id = format!("{container}-1");
    let metadata = json!({"@type": format!("{of}DeployContainerRevisionMetadata"), "containerRevisionId": id});
    assert_eq!(operation["metadata"], metadata);
    let digest = shown["image"]["imageDigest"].as_str().unwrap();
    assert!(digest.starts_with("sha256:") && digest.len() == 71, "{digest}");
    let created_at = shown["createdAt"].as_str().unwrap();
    assert!(created_at.ends_with('Z') && created_at.as_bytes()[10] == b'T', "{created_at}");
    // The output of `revision deploy` in the documents, in the names of REST.
    let expected = json!({
        "id": id,
        "containerId": container,
        "createdAt": created_at,
        "image": {"imageUrl": file("hello-http"), "imageDigest": digest},
        "resources": {"memory": "134217728", "cores": "1", "coreFraction": "100"},
        "executionTimeout": "3s",
        "concurrency": "1",
        "serviceAccountId": "ajelprpohp7r",
        "status": "ACTIVE",
        "logOptions": {"folderId": FOLDER},
        "runtime": {"http": {}},
        "asyncInvocationConfig": {"serviceAccountId": "ajeaim70pe1u"},
    });
    assert_eq!(server.get(&format!("/containers/v1/revisions/{id}")).await.is(200).json(), expected);
}

#[tokio::test]
async fn a_container_is_made_shown_listed_changed_and_removed() {
    let server = server().await;
    let body = json!({"folderId": FOLDER, "name": "first", "description": "one", "labels": {"team": "a"}});
    let operation = ended(&server, post(&server, "/containers/v1/containers", &body).await).await;
    let container = operation["response"].clone();
    let id = container["id"].as_str().unwrap();
    assert_eq!(operation["metadata"]["containerId"], id);
    let expected = ["@type", "createdAt", "description", "folderId", "id", "labels", "name", "status", "url"];
    assert_eq!(names(&container), expected);
    assert_eq!(container["url"], format!("{}/{id}/", server.url("")));
    let path = format!("/containers/v1/containers/{id}");
    assert_eq!(server.get(&path).await.is(200).json()["status"], "ACTIVE");
    let nameless = done(&server, post(&server, "/containers/v1/containers", &json!({"folderId": FOLDER})).await).await;
    assert_eq!(nameless["name"], Value::Null, "{nameless:#}");

    let listed = async |query: &str| {
        let page = server.get(&format!("/containers/v1/containers?folderId={FOLDER}{query}")).await.is(200).json();
        let containers = page["containers"].as_array().cloned().unwrap_or_default();
        (containers.len(), page["nextPageToken"].as_str().unwrap_or_default().to_owned())
    };
    let (count, token) = listed("&pageSize=1").await;
    assert_eq!(count, 1);
    assert_eq!(listed(&format!("&pageToken={token}")).await, (1, String::new()));
    assert_eq!(listed("&filter=name%3D%22first%22").await, (1, String::new()));
    assert_eq!(server.get("/containers/v1/containers?folderId=other").await.is(200).json(), json!({}));
    // A container is a function that is no function of Cloud Functions.
    let functions = server.get(&format!("/functions/v1/functions?folderId={FOLDER}")).await;
    assert_eq!(functions.is(200).json(), json!({}));
    server.get(&format!("/functions/v1/functions/{id}")).await.is(404);

    let change = json!({"updateMask": "description,name", "description": "two", "name": "second"});
    let changed = server.send(server.request(Method::PATCH, &path).json(&change)).await;
    let changed = done(&server, changed).await;
    assert_eq!(
        (&changed["name"], &changed["description"], &changed["labels"]["team"]),
        (&json!("second"), &json!("two"), &json!("a"))
    );
    let binding =
        json!({"roleId": "serverless-containers.containerInvoker", "subject": {"id": "allUsers", "type": "system"}});
    done(&server, post(&server, &format!("{path}:setAccessBindings"), &json!({"accessBindings": [binding]})).await)
        .await;
    let bindings = server.get(&format!("{path}:listAccessBindings")).await.is(200).json();
    assert_eq!(bindings["accessBindings"], json!([binding]));
    let delta = json!({"accessBindingDeltas": [{"action": "REMOVE", "accessBinding": binding}]});
    done(&server, post(&server, &format!("{path}:updateAccessBindings"), &delta).await).await;
    assert_eq!(server.get(&format!("{path}:listAccessBindings")).await.is(200).json(), json!({}));
    let operations = server.get(&format!("{path}/operations")).await.is(200).json();
    assert_eq!(operations["operations"].as_array().unwrap().len(), 4, "{operations:#}");

    done(&server, server.delete(&path).await).await;
    server.get(&path).await.is(404);
}

#[tokio::test]
async fn the_revision_that_was_deployed_last_is_active_until_another_is_gone_back_to() {
    let server = server().await;
    let container = created(&server, "con").await;
    for greeting in ["one", "two", "three"] {
        let mut asked = revision(&container, &file("hello-http"));
        asked["imageSpec"]["environment"] = json!({"GREETING": greeting});
        assert_eq!(deployed(&server, &asked).await["status"], "ACTIVE");
    }
    let statuses = async || {
        let listed = server.get(&format!("/containers/v1/revisions?containerId={container}")).await.is(200).json();
        let revisions = listed["revisions"].as_array().unwrap().clone();
        revisions.iter().map(|it| it["status"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(statuses().await, ["ACTIVE", "OBSOLETE", "OBSOLETE"]);
    let rolled_back = async |number: u32| {
        let body = json!({"revisionId": format!("{container}-{number}")});
        done(&server, post(&server, &format!("/containers/v1/containers/{container}:rollback"), &body).await).await
    };
    assert_eq!(rolled_back(1).await["id"], container);
    assert_eq!(statuses().await, ["OBSOLETE", "OBSOLETE", "ACTIVE"]);
    let answer = server.get(&format!("/{container}/echo")).await.is(200).json();
    assert_eq!(answer["headers"]["tidemill-version"], "1");
    rolled_back(3).await;
    assert_eq!(statuses().await, ["ACTIVE", "OBSOLETE", "OBSOLETE"]);
    rolled_back(2).await;
    deployed(&server, &revision(&container, &file("hello-http"))).await;
    assert_eq!(statuses().await, ["ACTIVE", "OBSOLETE", "OBSOLETE", "OBSOLETE"]);
    let page = server.get(&format!("/containers/v1/revisions?folderId={FOLDER}&pageSize=3")).await.is(200).json();
    let token = page["nextPageToken"].as_str().unwrap();
    let rest =
        server.get(&format!("/containers/v1/revisions?folderId={FOLDER}&pageToken={token}")).await.is(200).json();
    assert_eq!(rest["revisions"][0]["id"], format!("{container}-1"));
}

#[tokio::test]
async fn of_changes_of_a_container_at_once_none_takes_back_another() {
    let server = Server::durable().await; // where a change takes long enough for another to come between
    let container = created(&server, "shared").await;
    let path = format!("/containers/v1/containers/{container}");
    let bind = async |nth: usize| {
        let binding =
            json!({"roleId": "viewer", "subject": {"id": format!("account-{nth}"), "type": "serviceAccount"}});
        let deltas = json!({"accessBindingDeltas": [{"action": "ADD", "accessBinding": binding}]});
        done(&server, post(&server, &format!("{path}:updateAccessBindings"), &deltas).await).await;
    };
    let describe = async {
        for description in ["a", "b", "c"] {
            let change = json!({"updateMask": "description", "description": description});
            done(&server, server.send(server.request(Method::PATCH, &path).json(&change)).await).await;
        }
    };
    tokio::join!(futures::future::join_all((0..24).map(bind)), describe);
    let bindings = server.get(&format!("{path}:listAccessBindings")).await.is(200).json();
    assert_eq!(bindings["accessBindings"].as_array().unwrap().len(), 24, "{bindings:#}");
    assert_eq!(server.get(&path).await.is(200).json()["description"], "c");
}

#[tokio::test]
async fn a_container_answers_at_its_own_url_now_or_later() {
    let server = server().await;
    let container = created(&server, "hello").await;
    let url = format!("/{container}/");
    assert_eq!(server.get(&url).await.is(404).json()["errorCode"], 404, "it has no revision");
    deployed(&server, &revision(&container, &file("hello-http"))).await;
    assert_eq!(server.get(&url).await.is(200).text().trim_end(), "hello from tidemill");
    let request = server.request(Method::PATCH, &format!("/{container}/echo/a%20b?c=d")).body("body");
    let seen = server.send(request).await.is(200).json();
    assert_eq!(
        (&seen["method"], &seen["path"], &seen["body"]),
        (&json!("PATCH"), &json!("/echo/a%20b?c=d"), &json!("body"))
    );
    // What a container answers is its answer.
    assert_eq!(server.get(&format!("/{container}/status/503")).await.is(503).text().trim_end(), "status 503");
    server.get(&format!("/{container}/slow?ms=60000")).await.is(504);

    let request = server.request(Method::PUT, &format!("/{container}/echo/later?x=1")).header(ASYNC, "async");
    let accepted = server.send(request.header("tidemill-attribute-a", "b").body("kept")).await.is(202);
    assert_eq!(accepted.text(), "");
    let id = accepted.header("x-request-id").to_owned();
    server.settled(&id, "succeeded").await;
    let seen = server.get(&format!("/v1/invocations/{id}/result")).await.is(200).json();
    assert_eq!(
        (&seen["method"], &seen["path"], &seen["body"]),
        (&json!("PUT"), &json!("/echo/later?x=1"), &json!("kept"))
    );
    assert_eq!(seen["headers"]["tidemill-attribute-a"], "b");
    // Once, whatever comes of it.
    let request = server.request(Method::GET, &format!("/{container}/status/500")).header(ASYNC, "async");
    let id = server.send(request).await.is(202).header("x-request-id").to_owned();
    let failed = server.settled(&id, "failed").await;
    assert_eq!(failed["attempts"].as_array().unwrap().len(), 1, "{failed:#}");

    let request = server.request(Method::GET, &url).header(ASYNC, "later");
    let refused = server.send(request).await.is(400).json();
    assert!(refused["errorMessage"].as_str().unwrap().contains("`later`"), "{refused}");
    server.get(&format!("/{}/", "00000000-0000-7000-8000-000000000000")).await.is(404);
}

#[tokio::test]
async fn a_command_answers_as_cgi_has_it_and_one_that_does_not_is_a_bad_gateway() {
    let server = server().await;
    let container = created(&server, "command").await;
    let mut asked = revision(&container, &file("word-count"));
    asked["imageSpec"]["args"] = json!({"args": ["--top", "1"]});
    let shown = deployed(&server, &asked).await;
    assert_eq!(shown["image"]["args"]["args"], json!(["--top", "1"]));
    let answer = server.post(&format!("/{container}/"), "a b a").await.is(502);
    assert_eq!(
        (answer.header("x-function-error"), names(&answer.json())),
        ("true", vec!["errorMessage", "errorType", "stackTrace"])
    );
    let named = server.get(&format!("/v1/functions/command?namespace={FOLDER}")).await.is(200).json();
    assert_eq!((&named["version"]["cgi"], &named["version"]["arguments"]), (&json!(true), &json!(["--top", "1"])));
}

#[tokio::test]
async fn an_image_of_a_registry_becomes_a_revision() {
    let Some(registry) = Registry::start().await else { return skipped(NO_REGISTRY) };
    let server = server().await;
    let digest = registry.push_module("shop/hello:1", &std::fs::read(prebuilt_path("hello-http")).unwrap()).await;
    let container = created(&server, "hello").await;
    let image = format!("{}/shop/hello:1", registry.address);
    let shown = deployed(&server, &revision(&container, &image)).await;
    assert_eq!(shown["image"], json!({"imageUrl": image, "imageDigest": digest}));
    assert_eq!(server.get(&format!("/{container}/")).await.is(200).text().trim_end(), "hello from tidemill");
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_in_the_form_of_the_service() {
    let server = server().await;
    let container = created(&server, "con").await;
    let refused = |answer: Answer, status: u16, code: i64, part: &str| {
        let error = answer.is(status).json();
        assert_eq!((&error["code"], &error["details"]), (&json!(code), &json!([])), "{error}");
        assert!(error["message"].as_str().unwrap().contains(part), "`{part}` is not in {error}");
    };
    let (all, deploy) = ("/containers/v1/containers", "/containers/v1/revisions:deploy");
    for (path, body, part) in [
        (all, json!({}), "folder_id"),
        (all, json!({"folderId": FOLDER, "name": "Wrong"}), "name"),
        (all, json!({"folderId": "../x"}), "folder_id"),
        (all, json!({"folderId": FOLDER, "names": "x"}), "names"),
        (deploy, json!({"containerId": container}), "resources"),
        (deploy, json!({"containerId": container, "resources": {"memory": "134217728"}}), "image_spec"),
        (
            deploy,
            json!({"containerId": container, "resources": {"memory": "1"}, "imageSpec": {"imageUrl": "a"}}),
            "memory",
        ),
        (deploy, revision(&container, "ubuntu"), "image_spec.image_url"),
        (deploy, revision(&container, "file://relative.wasm"), "--allow-dir"),
    ] {
        let answer = post(&server, path, &body).await;
        if answer.status == 200 {
            let operation = ended(&server, answer).await;
            let message = operation["error"]["message"].as_str().unwrap_or_default();
            assert!(message.contains(part), "{operation:#}");
        } else {
            refused(answer, 400, 3, part);
        }
    }
    let mut many = revision(&container, &file("hello-http"));
    many["concurrency"] = json!("17");
    refused(post(&server, deploy, &many).await, 400, 3, "concurrency");
    many["concurrency"] = json!("1");
    many["executionTimeout"] = json!("3601s");
    refused(post(&server, deploy, &many).await, 400, 3, "execution_timeout");
    let wrong = ended(&server, post(&server, deploy, &revision(&container, &file("echo"))).await).await;
    assert_eq!(wrong["error"]["code"], 3, "a handler answers no requests: {wrong:#}");
    for path in ["/etc/passwd", "/nowhere/a.wasm"] {
        let wrong = ended(&server, post(&server, deploy, &revision(&container, &format!("file://{path}"))).await).await;
        assert_eq!(wrong["error"]["code"], 7, "{wrong:#}");
    }
    refused(post(&server, all, &json!({"folderId": FOLDER, "name": "con"})).await, 409, 6, "con");
    for id in ["nothing", "00000000-0000-7000-8000-000000000000"] {
        refused(server.get(&format!("{all}/{id}")).await, 404, 5, id);
        refused(server.delete(&format!("{all}/{id}")).await, 404, 5, id);
        refused(server.get(&format!("/containers/v1/revisions/{id}-1")).await, 404, 5, id);
        refused(post(&server, deploy, &revision(id, "a.example/a")).await, 404, 5, id);
        let rollback = post(&server, &format!("{all}/{id}:rollback"), &json!({"revisionId": "x"})).await;
        refused(rollback, 404, 5, id);
    }
    let missing = json!({"revisionId": format!("{container}-9")});
    let rollback = post(&server, &format!("{all}/{container}:rollback"), &missing).await;
    refused(rollback, 404, 5, "there is no revision");
    refused(server.get("/containers/v1/revisions").await, 400, 3, "folder_id");
    refused(server.get(&format!("{all}?folderId={FOLDER}&pageSize=-1")).await, 400, 3, "page_size");
    refused(server.get(&format!("{all}?folderId={FOLDER}&pageToken=!")).await, 400, 3, "page_token");
    let change = server.request(Method::PATCH, &format!("{all}/{container}")).json(&json!({"updateMask": "url"}));
    refused(server.send(change).await, 400, 3, "update_mask");
}
