//! What has to be true of any request of this dialect: it is refused in its own form, or it is read, and what is answered
//! can be read.

use axum::http::{HeaderMap, HeaderValue, Uri};
use serde_json::Value;
use uuid::Uuid;

use super::input::Input;
use super::{TARGET, json, names, query};

/// Takes the first byte for the protocol, and the rest for the body.
pub(crate) fn request(input: &[u8]) {
    let Some((protocol, body)) = input.split_first() else { return };
    let read = if protocol % 2 == 0 {
        let mut headers = HeaderMap::new();
        headers.insert(TARGET, HeaderValue::from_static("AmazonSQS.SendMessage"));
        json::read(&headers, body)
    } else {
        query::read(&Uri::from_static("/shop/q"), body)
    };
    match read {
        Ok((operation, parameters)) => {
            take(&Input::new(&parameters));
            // A client's own words in both forms of an answer.
            drop(json::answer(&parameters));
            drop(query::answer(&operation, &parameters, Uuid::nil()));
            queue(&parameters);
        }
        Err(error) => {
            assert!(error.is_senders(), "{}", error.message);
            drop((json::refusal(&error), query::refusal(&error, Uuid::nil())));
        }
    }
}

/// Asks for everything that an operation may ask for.
fn take(input: &Input<'_>) {
    const NAMES: [&str; 5] = ["QueueUrl", "MessageBody", "DelaySeconds", "Attributes", "AttributeNames"];
    for name in NAMES {
        drop((input.text(name), input.number(name), input.texts(name), input.map(name)));
    }
    drop((input.attributes("MessageAttributes"), input.attributes("MessageSystemAttributes")));
    for entry in input.entries().unwrap_or_default() {
        drop((entry.required("Id"), entry.attributes("MessageAttributes"), entry.number("DelaySeconds")));
    }
}

/// A queue has one URL and one ARN.
fn queue(parameters: &Value) {
    let Some(text) = parameters.get("QueueUrl").and_then(Value::as_str) else { return };
    if let Ok(path) = names::of_url(text, &crate::model::names::Namespace::default()) {
        let url = names::url("http://h", &path);
        assert_eq!(names::of_url(&url, &path.namespace).ok().as_ref(), Some(&path), "{url}");
        assert_eq!(names::of_arn(&names::arn(&path)).ok().as_ref(), Some(&path), "{url}");
    }
    drop(names::of_arn(text));
}
