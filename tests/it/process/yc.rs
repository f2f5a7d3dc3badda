//! The command lines of Yandex' documentation with this program's name, against a real server: what they do and what they
//! print, word for word.

use serde_json::{Value, json};

use super::support::{Finished, Server, prebuilt_path, run};

const FOLDER: &str = "b1g681qpemb4";

/// A server that may read the prebuilt guests.
async fn server() -> Server {
    let guests = prebuilt_path("echo").parent().unwrap().to_str().unwrap().to_owned();
    Server::with(&["--store", "memory", "--allow-dir", &guests]).await
}

/// Runs a command line behind `yc serverless`, in the folder of the documents.
async fn yc(server: &Server, line: &str) -> Finished {
    let words = ["yc", "serverless"].into_iter().chain(line.split_whitespace()).chain(["--folder-id", FOLDER]);
    run(server, &words.collect::<Vec<_>>()).await
}

/// What a key on a line of its own is followed by.
#[track_caller]
fn value(text: &str, key: &str) -> String {
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix(&format!("{key}: ")));
    line.unwrap_or_else(|| panic!("no `{key}` in {text}")).to_owned()
}

#[tokio::test]
async fn a_revision_is_deployed_by_its_documented_command_line_and_printed_as_documented() {
    let server = server().await;
    let created = yc(&server, "container create --name test-container").await.exits(0).text();
    let (container, image) = (value(&created, "id"), format!("file://{}", prebuilt_path("hello-http").display()));
    let deploy = format!(
        "container revision deploy \
           --container-name test-container \
           --image {image} \
           --service-account-id ajelprpohp7r \
           --async-service-account-id ajeaim70pe1u"
    );
    let deployed = yc(&server, &deploy).await.exits(0);
    let text = deployed.text();
    let (id, created_at, digest) = (value(&text, "id"), value(&text, "created_at"), value(&text, "image_digest"));
    let expected = format!(
        "\
id: {id}
container_id: {container}
created_at: {created_at}
image:
  image_url: {image}
  image_digest: {digest}
resources:
  memory: \"134217728\"
  cores: \"1\"
  core_fraction: \"100\"
execution_timeout: 3s
concurrency: \"1\"
service_account_id: ajelprpohp7r
status: ACTIVE
log_options:
  folder_id: {FOLDER}
runtime:
  http: {{}}
async_invocation_config:
  service_account_id: ajeaim70pe1u
"
    );
    assert_eq!(text, expected);
    check_done(&deployed);
    assert!(created_at.starts_with('"') && created_at.ends_with("Z\"") && digest.starts_with("sha256:"), "{text}");
    for kind in ["container", "serverless-container"] {
        assert_eq!(yc(&server, &format!("{kind} revision get {id}")).await.exits(0).text(), expected);
    }
    let json = yc(&server, &format!("container revision get {id} --format json")).await.exits(0).json();
    assert_eq!((&json["container_id"], &json["runtime"]), (&json!(container), &json!({"http": {}})));
    yc(&server, &deploy).await.exits(0);
    assert_eq!(value(&yc(&server, &format!("container revision get {id}")).await.text(), "status"), "OBSOLETE");
    let listed = yc(&server, "container revision list --container-name test-container").await.exits(0).text();
    assert_eq!(listed.matches(&format!("container_id: {container}")).count(), 2, "{listed}");
}

#[tokio::test]
async fn containers_are_shown_by_name_and_id_and_what_is_not_there_is_refused() {
    let server = server().await;
    let created = yc(&server, "container create --name test-container --labels team=a").await.exits(0).text();
    let id = value(&created, "id");
    for line in
        ["container get test-container", "container get --name test-container", &format!("container get --id {id}")]
    {
        assert_eq!(yc(&server, line).await.exits(0).text(), created);
    }
    let listed = yc(&server, "container list --format json").await.exits(0).json();
    assert_eq!((listed[0]["id"].clone(), listed[0]["labels"].clone()), (json!(id), json!({"team": "a"})));
    let refused = yc(&server, "container create --name test-container").await.exits(4);
    assert!(refused.err.contains("already_exists"), "{}", refused.err);
    let refused = yc(&server, "container get nobody").await.exits(4);
    assert!(refused.err.contains("no container `nobody`"), "{}", refused.err);
    let refused = yc(&server, "container revision get 0199a3f0-7c1e-7b3a-9d52-6f0c8a1e4b77-1").await.exits(4);
    assert!(refused.err.contains("not_found"), "{}", refused.err);
    let refused =
        yc(&server, &format!("container revision deploy --container-id {id} --image file:///nowhere.wasm")).await;
    assert!(refused.exits(4).err.contains("nowhere.wasm"));
    yc(&server, "container delete test-container").await.exits(0);
    assert_eq!(yc(&server, "container list --format json").await.exits(0).json(), Value::Array(Vec::new()));
}

/// Checks that a command has told how many seconds it took, and nothing else.
#[track_caller]
fn check_done(finished: &Finished) {
    let seconds = finished.err.strip_prefix("done (").and_then(|rest| rest.strip_suffix("s)\n"));
    assert!(seconds.is_some_and(|seconds| seconds.parse::<u64>().is_ok()), "{}", finished.err);
}

/// What YAML says.
#[track_caller]
fn read(finished: &Finished) -> Value {
    serde_norway::from_str(&finished.text()).unwrap()
}

#[tokio::test]
async fn a_version_is_made_by_its_documented_command_line_with_all_its_flags() {
    let server = server().await;
    for queue in ["done", "failed"] {
        server.put(&format!("/v1/queues/{queue}?namespace={FOLDER}"), "").await.is(201);
    }
    for account in ["runner", "invoker", "writer"] {
        server.put(&format!("/v1/accounts/{account}?namespace={FOLDER}"), "").await.is(201);
    }
    for (account, role) in [("invoker", "functions.invoker"), ("writer", "queues.writer")] {
        let role = json!({ "role": role }).to_string();
        server.post(&format!("/v1/accounts/{account}/roles?namespace={FOLDER}"), role).await.is(200);
    }
    let function = read(&yc(&server, "function create --name=my-function").await.exits(0))["id"].clone();
    let first = format!(
        "function version create --function-name=my-function --runtime wasm --entrypoint index.handler \
         --memory 128m --execution-timeout 5s --source-path {} --environment MODE=dry,A=b \
         --service-account-id runner",
        prebuilt_path("echo").display()
    );
    let first = read(&yc(&server, &first).await.exits(0));
    assert_eq!((&first["function_id"], &first["tags"]), (&function, &json!(["$latest"])));
    assert_eq!(first["environment"], json!({"MODE": "dry", "A": "b"}));
    let arn = |queue: &str| format!("yrn:yc:ymq:ru-central1:{FOLDER}:{queue}");
    let second = format!(
        "function version create \
           --function-name=my-function \
           --runtime wasm \
           --entrypoint index.handler \
           --memory 256MB \
           --execution-timeout 10s \
           --source-version-id {} \
           --async-max-retries 2 \
           --async-service-account-id invoker \
           --async-success-ymq-arn {} \
           --async-success-sa-id writer \
           --async-failure-ymq-arn {} \
           --async-failure-sa-id writer",
        first["id"].as_str().unwrap(),
        arn("done"),
        arn("failed")
    );
    let made = yc(&server, &second).await.exits(0);
    let version = read(&made);
    let target = |queue| json!({"ymq_target": {"queue_arn": arn(queue), "service_account_id": "writer"}});
    let expected = json!({
        "retries_count": "2", "success_target": target("done"), "failure_target": target("failed"),
        "service_account_id": "invoker",
    });
    assert_eq!(version["async_invocation_config"], expected);
    assert_eq!((&version["execution_timeout"], &version["resources"]["memory"]), (&json!("10s"), &json!("268435456")));
    assert_eq!((&version["runtime"], &version["entrypoint"]), (&json!("wasm"), &json!("index.handler")));
    let id = version["id"].as_str().unwrap();
    assert_eq!(yc(&server, &format!("function version get {id}")).await.exits(0).text(), made.text());
    let keys: Vec<_> = version.as_object().unwrap().keys().map(String::as_str).take(8).collect();
    let order =
        ["id", "function_id", "created_at", "runtime", "entrypoint", "resources", "execution_timeout", "image_size"];
    assert_eq!(keys, order);

    // What it says is what happens: a result goes to the queue as it is.
    let call = format!("/v1/functions/my-function/invocations?namespace={FOLDER}&mode=async");
    server.post(&call, r#"{"name":"test"}"#).await.is(202);
    let receive = format!("/v1/queues/done/receive?namespace={FOLDER}&wait_s=20");
    let received = server.post(&receive, "").await.is(200).json();
    assert_eq!(received["messages"][0]["body"], r#"{"name":"test"}"#);
}

#[tokio::test]
async fn functions_are_shown_by_name_and_id_and_what_is_wrong_is_refused() {
    let server = server().await;
    let created = yc(&server, "function create --name my-function --description one --labels team=a").await.exits(0);
    let id = read(&created)["id"].as_str().unwrap().to_owned();
    for line in ["function get my-function", "function get --name=my-function", &format!("function get {id}")] {
        assert_eq!(yc(&server, line).await.exits(0).text(), created.text());
    }
    let listed = yc(&server, "function list --format json").await.exits(0).json();
    assert_eq!((&listed[0]["id"], &listed[0]["folder_id"]), (&json!(id), &json!(FOLDER)));
    let version = "function version create --function-name my-function --runtime wasm --entrypoint a.b";
    let refused = yc(&server, &format!("{version} --source-path Cargo.toml")).await.exits(4);
    assert!(refused.err.contains("invalid_argument"), "{}", refused.err);
    let refused = yc(&server, &format!("{version} --source-version-id {id}-7")).await.exits(4);
    assert!(refused.err.contains("not_found") || refused.err.contains("invalid_argument"), "{}", refused.err);
    let refused = yc(&server, &format!("{version} --source-path nowhere.wasm")).await.exits(2);
    assert!(refused.err.contains("nowhere.wasm"), "{}", refused.err);
    let refused = yc(&server, "function get nobody").await.exits(4);
    assert!(refused.err.contains("no function `nobody`"), "{}", refused.err);
    let listed = yc(&server, "function version list --function-name my-function --format json").await.exits(0).json();
    assert_eq!(listed, json!([]));
}

#[tokio::test]
async fn a_tag_is_put_on_a_version_moved_to_another_and_taken_away() {
    let server = server().await;
    yc(&server, "function create --name my-function").await.exits(0);
    let mut ids = Vec::new();
    for guest in ["echo", "upper"] {
        let line = format!(
            "function version create --function-name my-function --runtime wasm --entrypoint a.b --source-path {}",
            prebuilt_path(guest).display()
        );
        ids.push(read(&yc(&server, &line).await.exits(0))["id"].as_str().unwrap().to_owned());
    }
    let by_tag = async |tag: &str| {
        let line = format!("function version get-by-tag --function-name my-function{tag}");
        read(&yc(&server, &line).await.exits(0))["id"].clone()
    };
    assert_eq!(by_tag("").await, ids[1]);
    let tagged = yc(&server, &format!("function version set-tag --id {} --tag stable", ids[0])).await.exits(0);
    assert_eq!(read(&tagged)["tags"], json!(["stable"]));
    check_done(&tagged);
    assert_eq!(by_tag(" --tag stable").await, ids[0]);
    let moved = yc(&server, &format!("function version set-tag {} --tag stable", ids[1])).await.exits(0);
    assert_eq!(read(&moved)["tags"], json!(["$latest", "stable"]));
    assert_eq!(by_tag(" --tag stable").await, ids[1]);
    let refused = yc(&server, &format!("function version remove-tag {} --tag stable", ids[0])).await.exits(4);
    assert!(refused.err.contains("stable"), "{}", refused.err);
    yc(&server, &format!("function version remove-tag --id {} --tag stable", ids[1])).await.exits(0);
    let refused = yc(&server, "function version get-by-tag --function-name my-function --tag stable").await.exits(4);
    assert!(refused.err.contains("not_found"), "{}", refused.err);
    let refused = yc(&server, &format!("function version set-tag {} --tag 1st", ids[0])).await.exits(4);
    assert!(refused.err.contains("invalid_argument"), "{}", refused.err);
}

#[tokio::test]
async fn a_folder_is_zipped_on_its_way_and_the_module_of_the_entrypoint_is_found_in_it() {
    let server = server().await;
    yc(&server, "function create --name my-function").await.exits(0);
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path();
    std::fs::create_dir(path.join("lib")).unwrap();
    std::fs::write(path.join("readme.md"), "nothing to run").unwrap();
    for (guest, name) in [("upper", "lib/other.wasm"), ("echo", "index.wasm")] {
        std::fs::copy(prebuilt_path(guest), path.join(name)).unwrap();
    }
    let create = "function version create --function-name my-function --runtime wasm --entrypoint index.handler";
    yc(&server, &format!("{create} --source-path {}", path.display())).await.exits(0);
    let digest = |guest: &str| {
        use sha2::Digest as _;
        let module = std::fs::read(prebuilt_path(guest)).unwrap();
        let digits: Vec<_> = sha2::Sha256::digest(module).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha256:{}", digits.concat())
    };
    let deployed = async || {
        let path = format!("/v1/functions/my-function?namespace={FOLDER}");
        server.get(&path).await.is(200).json()["version"]["digest"].as_str().unwrap().to_owned()
    };
    assert_eq!(deployed().await, digest("echo"));
    // A module within it, where it is the only one.
    let lib = path.join("lib");
    yc(&server, &format!("{create} --source-path {}/", lib.display())).await.exits(0);
    assert_eq!(deployed().await, digest("upper"));
    std::fs::remove_file(path.join("index.wasm")).unwrap();
    std::fs::remove_file(lib.join("other.wasm")).unwrap();
    let refused = yc(&server, &format!("{create} --source-path {}", path.display())).await.exits(4);
    assert!(refused.err.contains("one file that ends in .wasm"), "{}", refused.err);
}
