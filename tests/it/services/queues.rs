//! Queues of a service that speaks SQS and is not this program.

use serde_json::{Value, json};
use tidemill::clock::Clock;
use tidemill::delivery::SqsDelivery;
use tidemill::model::connection::{Keys, Service, Sqs};
use tidemill::tls;

use super::server::{Server, program};
use super::{World, by, gives_up, message, reach, tries_again};
use crate::skipped;

pub(crate) const NO_MOTO: &str = "there is no `moto_server`: `tests/services/fetch` installs it";

/// A service that runs, and what a test asks of it.
pub(crate) struct Queues {
    _server: Server,
    pub(crate) address: String,
    http: reqwest::Client,
}

impl Queues {
    pub(crate) async fn start() -> Option<Self> {
        let server = Server::start(&program("moto_server")?, &["-H", "127.0.0.1", "-p", "0"]);
        let address =
            server.said(|log| Some(log.split_once("Running on http://")?.1.lines().next()?.trim().to_owned())).await;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::client_config(None).unwrap())
            .no_proxy()
            .build()
            .unwrap();
        Some(Self { _server: server, address, http })
    }

    async fn ask(&self, operation: &str, request: Value) -> Value {
        let answer = self
            .http
            .post(format!("http://{}/", self.address))
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", format!("AmazonSQS.{operation}"))
            .header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AK/20261121/eu-west-1/sqs/aws4_request, SignedHeaders=host, Signature=0",
            )
            .body(request.to_string())
            .send()
            .await
            .unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
        serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default()
    }

    /// Makes a queue and returns its URL.
    pub(crate) async fn create(&self, name: &str, attributes: Value) -> String {
        let made = self.ask("CreateQueue", json!({ "QueueName": name, "Attributes": attributes })).await;
        made["QueueUrl"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn received(&self, url: &str) -> Vec<Value> {
        let request = json!({
            "QueueUrl": url,
            "MaxNumberOfMessages": 10,
            "AttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        });
        self.ask("ReceiveMessage", request).await["Messages"].as_array().cloned().unwrap_or_default()
    }

    fn leads_here(&self) -> Service {
        Service::Sqs(Sqs {
            endpoint: Some(format!("http://{}", self.address)),
            region: "eu-west-1".to_owned(),
            keys: Keys { access_key_id: "AK".to_owned(), secret_key: "sqs-key".parse().unwrap(), session_token: None },
        })
    }
}

async fn connected(queues: &Queues) -> (World, SqsDelivery) {
    let world = World::new();
    world.set_secret("sqs-key", "secret").await;
    world.set("mq", queues.leads_here()).await;
    let delivery = SqsDelivery::new(world.connections.clone(), reach(None), Clock::system());
    (world, delivery)
}

#[tokio::test]
async fn a_record_is_a_message_of_the_queue_that_is_named_or_whose_url_it_is() {
    let Some(queues) = Queues::start().await else { return skipped(NO_MOTO) };
    let (world, delivery) = connected(&queues).await;
    let url = queues.create("outcomes", json!({})).await;
    let sent = message(r#"{"n": "größer"}"#);
    for target in ["outcomes", url.as_str(), "outcomes"] {
        delivery.send(&world.namespace, target, &by("mq"), &sent).await.unwrap();
    }
    let received = queues.received(&url).await;
    assert_eq!(received.len(), 3);
    let first = &received[0];
    assert_eq!(first["Body"], r#"{"n": "größer"}"#);
    let attribute = |name: &str| first["MessageAttributes"][name]["StringValue"].clone();
    assert_eq!(attribute("tidemill-id"), sent.id.to_string());
    assert_eq!((attribute("content-type"), attribute("ce-type")), (json!("application/json"), json!("settled")));

    let sent = message([0xff, 0]);
    delivery.send(&world.namespace, "outcomes", &by("mq"), &sent).await.unwrap();
    let received = queues.received(&url).await;
    assert_eq!(received[0]["Body"], "/wA=");
    assert_eq!(received[0]["MessageAttributes"]["content-encoding"]["StringValue"], "base64");
}

#[tokio::test]
async fn a_fifo_queue_has_a_record_once_however_often_it_is_sent() {
    let Some(queues) = Queues::start().await else { return skipped(NO_MOTO) };
    let (world, delivery) = connected(&queues).await;
    let url = queues.create("outcomes.fifo", json!({ "FifoQueue": "true" })).await;
    let (one, other) = (message("1"), message("2"));
    for sent in [&one, &one, &other, &one] {
        delivery.send(&world.namespace, "outcomes.fifo", &by("mq"), sent).await.unwrap();
    }
    let received = queues.received(&url).await;
    let bodies: Vec<_> = received.iter().map(|message| message["Body"].as_str().unwrap()).collect();
    assert_eq!(bodies, ["1", "2"]);
    assert_eq!(received[0]["Attributes"]["MessageDeduplicationId"], one.id.to_string());
}

#[tokio::test]
async fn what_can_be_put_right_is_tried_again_and_what_no_queue_takes_is_not() {
    let Some(queues) = Queues::start().await else { return skipped(NO_MOTO) };
    let (world, delivery) = connected(&queues).await;
    let send =
        async |target: &str, body: String| delivery.send(&world.namespace, target, &by("mq"), &message(body)).await;
    tries_again(send("outcomes", "x".to_owned()).await, &["the connection `mq`", "QueueDoesNotExist"]);
    let url = queues.create("outcomes", json!({})).await;
    send("outcomes", "x".to_owned()).await.unwrap();
    gives_up(send("outcomes", "x".repeat(2_000_000)).await, &["the connection `mq`", "InvalidParameterValue"]);
    queues.ask("DeleteQueue", json!({ "QueueUrl": url })).await;
    tries_again(send("outcomes", "x".to_owned()).await, &["the connection `mq`"]);
    drop(queues);
    tries_again(send("outcomes", "x".to_owned()).await, &["the connection `mq`", "refused"]);
}
