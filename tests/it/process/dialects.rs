//! Which dialect answers where, and that each can be left out.

use reqwest::Method;

use super::support::Server;

/// A dialect, and a request that only it understands: nothing is there for it, and each says so in its own way.
const DIALECTS: [(&str, &str, &str); 4] = [
    ("native", "/v1/functions/no", "function_not_found"),
    ("functiongraph", "/v2/default/fgs/functions/urn:fss:local:default:function:default:no/config", "FSS.1051"),
    ("yandex", "/functions/v1/functions/no", "\"code\":5"),
    ("sqs", "/default/no", "NonExistentQueue"),
];

/// What `dialect` answers to its request.
async fn asked(server: &Server, dialect: &str, path: &str) -> String {
    if dialect == "sqs" {
        let form = "Action=GetQueueAttributes&Version=2012-11-05&QueueUrl=http://127.0.0.1/default/no";
        let request = server.request(Method::POST, path);
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
        return server.send(request).await.text();
    }
    server.get(path).await.text()
}

#[tokio::test]
async fn every_dialect_is_spoken_on_one_port() {
    let server = Server::in_memory().await;
    for (dialect, path, told) in DIALECTS {
        let answer = asked(&server, dialect, path).await;
        assert!(answer.contains(told), "{dialect}: {answer}");
    }
}

#[tokio::test]
async fn a_dialect_that_a_server_is_without_is_not_there_and_the_others_are() {
    for (without, ..) in DIALECTS {
        let server = Server::with(&["--store", "memory", "--without", without]).await;
        for (dialect, path, told) in DIALECTS {
            let answer = asked(&server, dialect, path).await;
            let expected = if dialect == without { format!("--without {without}") } else { told.to_owned() };
            assert!(answer.contains(&expected), "without {without}, {dialect}: {answer}");
        }
        server.get("/healthz").await.is(200);
    }
}

#[tokio::test]
async fn namespaces_of_queues_may_be_called_as_paths_of_other_dialects_begin() {
    let server = Server::in_memory().await;
    let asked = async |path: &str, form: &str| {
        let request = server.request(Method::POST, path).header("content-type", "application/x-www-form-urlencoded");
        server.send(request.body(format!("Version=2012-11-05&{form}"))).await.is(200).text()
    };
    for namespace in ["endpoints-eu", "endpoints", "operations"] {
        let made = asked(&format!("/{namespace}"), "Action=CreateQueue&QueueName=jobs").await;
        assert!(made.contains(&format!("/{namespace}/jobs</QueueUrl>")), "{made}");
        asked(&format!("/{namespace}/jobs"), "Action=SendMessage&MessageBody=hello").await;
    }
    assert!(server.get("/endpoints").await.is(200).text().contains("serverless-functions"));
    assert!(server.get("/operations/no").await.text().contains("\"code\":5"));
    server.get("/endpoints-eu").await.problem(404, "no_such_path");
}
