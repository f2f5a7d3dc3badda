//! The Query protocol: parameters in a form, lists numbered in their names, answers in XML. Read into the names of the
//! JSON protocol, and written from them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::http::{Uri, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::error::SqsError;
use super::json::blame;

const NAMESPACE: &str = "http://queue.amazonaws.com/doc/2012-11-05/";
/// Parameters of one request: a batch of ten messages with ten attributes each has some 400.
const MAX_PARAMETERS: usize = 2_000;
/// Names within names: `SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.StringValue` has six.
const MAX_DEPTH: usize = 8;

/// Parameters by the first part of their names, and below by the next.
#[derive(Debug, Default)]
struct Tree {
    value: Option<String>,
    below: BTreeMap<String, Tree>,
}

impl Tree {
    fn put(&mut self, name: &str, value: String) {
        let mut place = self;
        for part in name.split('.') {
            place = place.below.entry(part.to_owned()).or_default();
        }
        place.value = Some(value);
    }

    /// What stands below in the order of the numbers that are its names. Some clients leave the number out where there is
    /// only one: what has none is the first.
    fn list(&self) -> Vec<&Self> {
        let numbered = |(name, tree): (&String, _)| Some((name.parse::<u32>().ok()?, tree));
        let mut list: Vec<_> = self.below.iter().filter_map(numbered).collect();
        list.sort_by_key(|(number, _)| *number);
        let alone = self.value.is_some() || list.len() < self.below.len();
        alone.then_some(self).into_iter().chain(list.into_iter().map(|(_, tree)| tree)).collect()
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.below.get(name)?.value.as_deref()
    }

    fn texts(&self) -> Value {
        self.list().into_iter().filter_map(|tree| tree.value.clone()).collect()
    }

    /// A list of names and values as a map; what is not text goes the way of parameters.
    fn map(&self, name: &str) -> Value {
        let pair = |tree: &&Self| {
            let value = tree.below.get("Value")?;
            let shown = value.value.clone().map_or_else(|| value.parameters(), Value::String);
            Some((tree.text(name)?.to_owned(), shown))
        };
        Value::Object(self.list().iter().filter_map(pair).collect())
    }

    /// The parameters with the names and forms of the JSON protocol.
    fn parameters(&self) -> Value {
        let mut object = Map::new();
        for (name, tree) in &self.below {
            let (name, value) = match name.as_str() {
                "Attribute" => ("Attributes", tree.map("Name")),
                "MessageAttribute" => ("MessageAttributes", tree.map("Name")),
                "MessageSystemAttribute" => ("MessageSystemAttributes", tree.map("Name")),
                "Tag" => ("Tags", tree.map("Key")),
                "AttributeName" => ("AttributeNames", tree.texts()),
                "MessageAttributeName" => ("MessageAttributeNames", tree.texts()),
                "MessageSystemAttributeName" => ("MessageSystemAttributeNames", tree.texts()),
                "TagKey" => ("TagKeys", tree.texts()),
                entries if entries.ends_with("BatchRequestEntry") => {
                    ("Entries", tree.list().into_iter().map(Self::parameters).collect())
                }
                name => match &tree.value {
                    Some(value) => (name, Value::String(value.clone())),
                    None => (name, tree.parameters()),
                },
            };
            object.insert(name.to_owned(), value);
        }
        Value::Object(object)
    }
}

/// The operation and its parameters. A queue may also be named by the path.
pub(super) fn read(uri: &Uri, body: &[u8]) -> Result<(String, Value), SqsError> {
    let mut tree = Tree::default();
    for (count, (name, value)) in form_urlencoded::parse(body).enumerate() {
        if count >= MAX_PARAMETERS || name.split('.').count() > MAX_DEPTH {
            return Err(SqsError::named("MalformedQueryString", "the request has too many parameters"));
        }
        tree.put(&name, value.into_owned());
    }
    let Some(operation) = tree.text("Action").map(str::to_owned) else {
        return Err(SqsError::named("MissingAction", "the request has no Action: it says which operation is meant"));
    };
    if tree.text("QueueUrl").is_none() && uri.path().split('/').filter(|segment| !segment.is_empty()).count() == 2 {
        tree.put("QueueUrl", uri.path().to_owned());
    }
    Ok((operation, tree.parameters()))
}

pub(super) fn answer(operation: &str, output: &Value, id: Uuid) -> Response {
    let mut out = String::from("<?xml version=\"1.0\"?>");
    let _ = write!(out, "<{operation}Response xmlns=\"{NAMESPACE}\">");
    if output.as_object().is_some_and(|members| !members.is_empty()) || returns(operation) {
        let _ = write!(out, "<{operation}Result>");
        members(&mut out, operation, output);
        let _ = write!(out, "</{operation}Result>");
    }
    let _ = write!(out, "<ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata></{operation}Response>");
    ([(header::CONTENT_TYPE, "text/xml")], out).into_response()
}

/// Whether an operation has a result, be it an empty one.
fn returns(operation: &str) -> bool {
    ["Create", "Get", "List", "Receive", "Send"].iter().any(|verb| operation.starts_with(verb))
        || operation.ends_with("Batch")
}

pub(super) fn refusal(error: &SqsError, id: Uuid) -> Response {
    let side = if error.is_senders() { "Sender" } else { "Receiver" };
    let mut out = String::from("<?xml version=\"1.0\"?>");
    let _ = write!(
        out,
        "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>{side}</Type><Code>{}</Code><Message>",
        error.code
    );
    escape(&mut out, &error.message);
    let _ = write!(out, "</Message><Detail/></Error><RequestId>{id}</RequestId></ErrorResponse>");
    let mut response = (error.status, [(header::CONTENT_TYPE, "text/xml")], out).into_response();
    blame(&mut response, error);
    response
}

fn members(out: &mut String, operation: &str, object: &Value) {
    let Some(object) = object.as_object() else { return };
    let entry = format!("{operation}ResultEntry");
    for (name, value) in object {
        match (name.as_str(), value) {
            ("Attributes", Value::Object(map)) => pairs(out, "Attribute", "Name", map),
            ("MessageAttributes", Value::Object(map)) => pairs(out, "MessageAttribute", "Name", map),
            ("Tags", Value::Object(map)) => pairs(out, "Tag", "Key", map),
            ("QueueUrls" | "queueUrls", Value::Array(list)) => each(out, operation, "QueueUrl", list),
            ("Messages", Value::Array(list)) => each(out, operation, "Message", list),
            ("Successful", Value::Array(list)) => each(out, operation, &entry, list),
            ("Failed", Value::Array(list)) => each(out, operation, "BatchResultErrorEntry", list),
            (name, value) => element(out, operation, name, value),
        }
    }
}

fn each(out: &mut String, operation: &str, name: &str, list: &[Value]) {
    for value in list {
        element(out, operation, name, value);
    }
}

fn pairs(out: &mut String, name: &str, key: &str, map: &Map<String, Value>) {
    for (of, value) in map {
        let _ = write!(out, "<{name}><{key}>");
        escape(out, of);
        let _ = write!(out, "</{key}>");
        element(out, "", "Value", value);
        let _ = write!(out, "</{name}>");
    }
}

fn element(out: &mut String, operation: &str, name: &str, value: &Value) {
    let _ = write!(out, "<{name}>");
    match value {
        Value::String(text) => escape(out, text),
        Value::Object(_) => members(out, operation, value),
        other => {
            let _ = write!(out, "{other}");
        }
    }
    let _ = write!(out, "</{name}>");
}

/// Text as it stands in XML. A carriage return would be read as a line feed.
fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#xD;"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbered_parameters_become_lists_and_maps() {
        let body = "Action=SendMessageBatch&Version=2012-11-05&QueueUrl=http%3A%2F%2Fh%2Fdefault%2Fq\
                    &SendMessageBatchRequestEntry.2.Id=b&SendMessageBatchRequestEntry.2.MessageBody=two\
                    &SendMessageBatchRequestEntry.1.Id=a&SendMessageBatchRequestEntry.1.MessageBody=o+ne%26\
                    &SendMessageBatchRequestEntry.1.MessageAttribute.1.Name=n\
                    &SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.DataType=String\
                    &SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.StringValue=v";
        let (operation, input) = read(&"/".parse().unwrap(), body.as_bytes()).unwrap();
        assert_eq!(operation, "SendMessageBatch");
        assert_eq!(input["QueueUrl"], "http://h/default/q");
        assert_eq!(
            input["Entries"],
            json!([
                {"Id": "a", "MessageBody": "o ne&", "MessageAttributes": {"n": {"DataType": "String", "StringValue": "v"}}},
                {"Id": "b", "MessageBody": "two"},
            ])
        );
        let body = "Action=CreateQueue&QueueName=q&Attribute.1.Name=VisibilityTimeout&Attribute.1.Value=7&Tag.1.Key=k&Tag.1.Value=v";
        let (_, input) = read(&"/shop/q".parse().unwrap(), body.as_bytes()).unwrap();
        assert_eq!(input["Attributes"], json!({"VisibilityTimeout": "7"}));
        assert_eq!(input["Tags"], json!({"k": "v"}));
        assert_eq!(input["QueueUrl"], "/shop/q");
        assert_eq!(read(&"/".parse().unwrap(), b"Version=1").unwrap_err().code, "MissingAction");
    }

    #[test]
    fn a_list_without_numbers_has_one_part() {
        let body = "Action=SendMessageBatch&Attribute.Name=VisibilityTimeout&Attribute.Value=7&Tag.Key=k&Tag.Value=v\
                    &AttributeName=All&TagKey=a&TagKey.2=b\
                    &SendMessageBatchRequestEntry.Id=a&SendMessageBatchRequestEntry.MessageBody=one";
        let (_, input) = read(&"/".parse().unwrap(), body.as_bytes()).unwrap();
        assert_eq!(input["Attributes"], json!({"VisibilityTimeout": "7"}));
        assert_eq!(input["Tags"], json!({"k": "v"}));
        assert_eq!(input["AttributeNames"], json!(["All"]));
        assert_eq!(input["TagKeys"], json!(["a", "b"]));
        assert_eq!(input["Entries"], json!([{"Id": "a", "MessageBody": "one"}]));
    }

    #[test]
    fn an_answer_is_written_with_the_names_of_this_protocol() {
        let output = json!({"Messages": [{
            "Body": "<a> & \r\n\"b\"",
            "Attributes": {"SentTimestamp": "1"},
            "MessageAttributes": {"n": {"DataType": "Number", "StringValue": "2"}},
        }]});
        let mut out = String::new();
        members(&mut out, "ReceiveMessage", &output);
        assert_eq!(
            out,
            "<Message><Body>&lt;a&gt; &amp; &#xD;\n&quot;b&quot;</Body>\
             <Attribute><Name>SentTimestamp</Name><Value>1</Value></Attribute>\
             <MessageAttribute><Name>n</Name><Value><DataType>Number</DataType><StringValue>2</StringValue></Value>\
             </MessageAttribute></Message>"
        );
        let mut out = String::new();
        let output = json!({"Successful": [{"Id": "a"}], "Failed": [{"Id": "b", "SenderFault": true}]});
        members(&mut out, "DeleteMessageBatch", &output);
        assert_eq!(
            out,
            "<DeleteMessageBatchResultEntry><Id>a</Id></DeleteMessageBatchResultEntry>\
             <BatchResultErrorEntry><Id>b</Id><SenderFault>true</SenderFault></BatchResultErrorEntry>"
        );
    }
}
