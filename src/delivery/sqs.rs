//! Queues in a service outside that speaks SQS (AWS JSON 1.0, requests signed by Signature Version 4) as destinations.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::Request;
use http::header::{CONTENT_TYPE, HOST};
use lru::LruCache;
use md5::{Digest as _, Md5};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::connections::Signing;
use super::reach::Answer;
use super::xml::shown;
use super::{Connections, Message, NotSent, Reach};
use crate::clock::Clock;
use crate::messaging::queues::{self, Attribute, Outgoing};
use crate::model::connection::{Service, Sqs};
use crate::model::destination::Terms;
use crate::model::names::Namespace;
use crate::outbound::Peer;
use crate::signature::{self, Key, Payload, Scope};

/// Sends records to queues outside.
#[derive(Clone)]
pub struct SqsDelivery {
    connections: Connections,
    reach: Reach,
    clock: Clock,
    /// The URLs of queues that were named without one.
    urls: Arc<Mutex<LruCache<Named, String>>>,
}

/// A queue by its name: where it was looked up, by whom, and how it is called.
type Named = (String, String, String);

/// URLs of queues that are remembered.
const MAX_URLS: NonZeroUsize = NonZeroUsize::new(256).unwrap();
/// What the names of FIFO queues end in, and no others do.
const FIFO: &str = ".fifo";
/// What is answered to a message that cannot be sent, however often it is tried.
const HOPELESS: [&str; 5] = [
    "InvalidAttributeValue",
    "InvalidMessageContents",
    "InvalidParameterValue",
    "MessageTooLong",
    "UnsupportedOperation",
];
/// What is answered for a queue that is not there.
const NO_QUEUE: [&str; 2] = ["QueueDoesNotExist", "NonExistentQueue"];

/// Who asks whom.
struct Client<'a> {
    reach: &'a Reach,
    clock: &'a Clock,
    endpoint: String,
    region: &'a str,
    signing: Signing,
}

/// Why the service said no: its code in front of what it says.
struct Refused {
    code: String,
    told: NotSent,
}

#[derive(Deserialize)]
struct QueueUrl {
    #[serde(rename = "QueueUrl")]
    url: String,
}

#[derive(Deserialize)]
struct Sent {
    #[serde(rename = "MD5OfMessageBody")]
    md5: String,
}

impl SqsDelivery {
    /// Where `connections` lead.
    pub fn new(connections: Connections, reach: Reach, clock: Clock) -> Self {
        Self { connections, reach, clock, urls: Arc::new(Mutex::new(LruCache::new(MAX_URLS))) }
    }

    /// Sends the record to the queue `target`, which is its URL or its name there. Once this returns the service has it.
    pub async fn send(
        &self,
        namespace: &Namespace,
        target: &str,
        terms: &Terms,
        message: &Message,
    ) -> Result<(), NotSent> {
        let name = terms.connection.as_ref().ok_or_else(|| {
            NotSent::never("a queue outside needs the connection that leads there: name it in the destination")
        })?;
        let service = match self.connections.service(namespace, name).await? {
            Service::Sqs(service) => service,
            other @ (Service::Nats(_) | Service::S3(_)) => return Err(Connections::misled(name, &other, "sqs")),
        };
        let signing = self.connections.signing(namespace, name, &service.keys).await?;
        self.send_by(&service, signing, target, message).await.map_err(|failed| failed.in_connection(name))
    }

    async fn send_by(&self, service: &Sqs, signing: Signing, target: &str, message: &Message) -> Result<(), NotSent> {
        let client = Client::new(&self.reach, &self.clock, service, signing);
        let url = self.url(&client, target).await?;
        let Outgoing { body, attributes: told, .. } = message.for_queue();
        let mut request = json!({
            "QueueUrl": url,
            "MessageBody": body,
            "MessageAttributes": attributes(told),
        });
        if url.ends_with(FIFO) {
            // Records have no order to keep, so none waits for another; a repeat is known by its id.
            request["MessageGroupId"] = message.id.to_string().into();
            request["MessageDeduplicationId"] = message.id.to_string().into();
        }
        let sent: Sent = match client.ask("SendMessage", &request).await {
            Ok(sent) => sent,
            Err(refused) => {
                if NO_QUEUE.iter().any(|code| refused.code.ends_with(code)) {
                    self.urls().pop(&client.named(target)); // it may be made again elsewhere
                }
                return Err(refused.told);
            }
        };
        let expected = hex(&Md5::digest(&body));
        if sent.md5.eq_ignore_ascii_case(&expected) {
            return Ok(());
        }
        Err(NotSent::retry(format!(
            "the queue got something else: its MD5 is {}, and not {expected}",
            shown(&sent.md5)
        )))
    }

    /// The URL of a queue, which is asked for where it is named without.
    async fn url(&self, client: &Client<'_>, target: &str) -> Result<String, NotSent> {
        if target.starts_with("https://") || target.starts_with("http://") {
            return Ok(target.to_owned());
        }
        let named = client.named(target);
        if let Some(url) = self.urls().get(&named) {
            return Ok(url.clone());
        }
        let found: QueueUrl =
            client.ask("GetQueueUrl", &json!({ "QueueName": target })).await.map_err(|refused| refused.told)?;
        self.urls().put(named, found.url.clone());
        Ok(found.url)
    }

    fn urls(&self) -> std::sync::MutexGuard<'_, LruCache<Named, String>> {
        self.urls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Client<'a> {
    fn new(reach: &'a Reach, clock: &'a Clock, service: &'a Sqs, signing: Signing) -> Self {
        let endpoint = match &service.endpoint {
            Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
            None => format!("https://sqs.{}.amazonaws.com", service.region),
        };
        Self { reach, clock, endpoint, region: &service.region, signing }
    }

    fn named(&self, queue: &str) -> Named {
        (self.endpoint.clone(), self.signing.id.clone(), queue.to_owned())
    }

    /// Sends a signed request to the endpoint, whatever the URL of the queue says, and reads what answers it.
    async fn ask<T: for<'de> Deserialize<'de>>(&self, operation: &str, request: &Value) -> Result<T, Refused> {
        let unmade = |why: String| Refused { code: String::new(), told: NotSent::retry(why) };
        let body = Bytes::from(request.to_string());
        let request = self.signed(operation, body).map_err(&unmade)?;
        let exchanged = self.reach.exchange(request).await;
        let answer = exchanged.map_err(|told| Refused { code: String::new(), told })?;
        if !answer.is_yes() {
            return Err(refused(&answer));
        }
        serde_json::from_slice(&answer.body).map_err(|error| {
            let said = String::from_utf8_lossy(&answer.body);
            unmade(format!("what answers is no queue service: {error} in `{}`", shown(&said)))
        })
    }
}

impl Client<'_> {
    fn signed(&self, operation: &str, body: Bytes) -> Result<Request<Bytes>, String> {
        let told = |error: &dyn std::fmt::Display| format!("the request cannot be made: {error}");
        let mut request = Request::post(format!("{}/", self.endpoint))
            .header(CONTENT_TYPE, "application/x-amz-json-1.0")
            .header("x-amz-target", format!("AmazonSQS.{operation}"))
            .body(body)
            .map_err(|error| told(&error))?;
        let peer = Peer::of(request.uri()).map_err(|error| told(&error))?;
        let host = peer.authority().parse().map_err(|error| told(&error))?;
        request.headers_mut().insert(HOST, host);
        if let Some(token) = &self.signing.token {
            let token = token.expose().parse().map_err(|error| told(&error))?;
            request.headers_mut().insert("x-amz-security-token", token);
        }
        let signed = signature::Request { method: "POST", path: "/", query: "", headers: request.headers() };
        let scope = Scope { region: self.region, service: "sqs" };
        let key = Key { id: &self.signing.id, secret: self.signing.secret.expose() };
        let added = signature::sigv4(&signed, scope, key, Payload::Bytes(request.body()), self.clock.now());
        request.headers_mut().extend(added.map_err(|error| told(&error))?);
        Ok(request)
    }
}

/// What an answer that is a no means.
fn refused(answer: &Answer) -> Refused {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = |names: [&str; 2]| names.into_iter().find_map(|name| body[name].as_str()).map(shown);
    let kind = text(["__type", "code"]).unwrap_or_default();
    let code = kind.rsplit(['#', '.']).next().unwrap_or_default().to_owned();
    let why = match text(["message", "Message"]) {
        Some(message) => format!("the queue service answers {} {code}: {message}", answer.status),
        None => format!("the queue service answers {} {code}", answer.status).trim_end().to_owned(),
    };
    let told = if HOPELESS.contains(&code.as_str()) || answer.status == 413 {
        NotSent::Never { why }
    } else {
        NotSent::Retry { why, after: answer.retry_after() }
    };
    Refused { code, told }
}

/// Attributes as SQS has them.
fn attributes(of: BTreeMap<String, Attribute>) -> Map<String, Value> {
    let text = |Attribute { kind, value }| match value {
        queues::Value::Text(text) => json!({ "DataType": kind, "StringValue": text }),
        queues::Value::Binary(bytes) => json!({ "DataType": kind, "BinaryValue": BASE64_STANDARD.encode(bytes) }),
    };
    of.into_iter().map(|(name, attribute)| (name, text(attribute))).collect()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // a String takes everything
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::tests::message;
    use crate::model::bounds;

    #[track_caller]
    fn check(body: &str, never: bool, told: &str) {
        let answer = Answer {
            status: 400,
            headers: http::HeaderMap::new(),
            body: body.to_owned().into(),
            received: crate::model::time::Timestamp::default(),
        };
        let refused = refused(&answer).told;
        assert_eq!((matches!(refused, NotSent::Never { .. }), refused.to_string().as_str()), (never, told));
    }

    #[test]
    fn what_can_be_put_right_elsewhere_is_tried_again_and_what_cannot_is_not() {
        let gone = r#"{"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "no such queue"}"#;
        check(gone, false, "the queue service answers 400 QueueDoesNotExist: no such queue");
        let long = r#"{"__type": "com.amazonaws.sqs#InvalidParameterValue", "Message": "too long"}"#;
        check(long, true, "the queue service answers 400 InvalidParameterValue: too long");
        check("<html>", false, "the queue service answers 400");
    }

    #[test]
    fn a_message_has_as_many_attributes_as_a_queue_takes_and_its_id_is_one() {
        let mut sent = message("{}");
        sent.headers = (0..20).map(|n| (format!("ce-x{n}"), "v".to_owned())).collect();
        sent.headers.push(("aws.trace".to_owned(), "v".to_owned()));
        sent.headers.insert(0, ("not a name".to_owned(), "v".to_owned()));
        let attributes = attributes(sent.for_queue().attributes);
        assert_eq!(attributes.len(), bounds::MAX_MESSAGE_ATTRIBUTES);
        assert_eq!(attributes["tidemill-id"]["StringValue"], sent.id.to_string());
        assert_eq!(attributes["ce-x7"], json!({ "DataType": "String", "StringValue": "v" }));
        assert!(!attributes.contains_key("not a name"));
    }
}
