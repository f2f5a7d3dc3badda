//! The door of REST: a request in proto3 JSON becomes the gRPC call that it stands for, and its answer JSON again. The
//! services know nothing of it.

use std::iter;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use bytes::{BufMut as _, Bytes, BytesMut};
use form_urlencoded::parse;
use http_body_util::BodyExt as _;
use prost::Message as _;
use prost_reflect::{DynamicMessage, Kind, MessageDescriptor};
use serde::de::value::MapDeserializer;
use serde_json::{Map, Value, json};
use tonic::body::Body;
use tonic::{Code, Status};

use super::asked::Asked;
use super::fields::{self, field_of};
use super::routes::{Found, Route, find};
use super::services::{Services, check_known};
use super::status;
use super::{invoke, urls};
use crate::access::Caller;
use crate::http::body;
use crate::http::problem::Problem;

/// What paths of the API begin with: these segments, whatever stands behind them.
const PREFIXES: [&str; 5] = ["/functions/v1", "/containers/v1", "/operations", "/endpoints", "/iam/v1"];
/// In front of a message in gRPC: whether it is compressed, and its length.
const FRAME_HEAD: usize = 5;

/// Whether a path is one of the API.
pub(in crate::http) fn is_meant(uri: &Uri) -> bool {
    let behind = PREFIXES.iter().find_map(|prefix| uri.path().strip_prefix(prefix));
    behind.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The refusal of a request whose sender is not let in.
pub(in crate::http) fn refusal(uri: &Uri, problem: &Problem) -> Response {
    if urls::is_url(uri.path()) { invoke::refusal(problem) } else { refused(&status::of_problem(problem)) }
}

/// Answers a request of the API, or one to a function's own URL.
pub(in crate::http) async fn answer(services: &Services, request: Request) -> Response {
    let request = match urls::answer(services.runtime(), request).await {
        Ok(response) => return response,
        Err(request) => request,
    };
    let answered = handled(services, request).await;
    answered.map_or_else(|status| refused(&status), |json| (StatusCode::OK, axum::Json(json)).into_response())
}

async fn handled(services: &Services, request: Request) -> Result<Value, Status> {
    let (head, body) = request.into_parts();
    let (route, from_path) = match find(&head.method, head.uri.path()) {
        Found::Call(route, from_path) => (route, from_path),
        Found::OtherMethods(others) => {
            let (method, path) = (&head.method, head.uri.path());
            return Err(Status::unimplemented(format!(
                "{method} cannot be used on `{path}`: use {}",
                others.join(", ")
            )));
        }
        Found::Nothing => return Err(Status::not_found(format!("there is nothing at `{}`", head.uri.path()))),
    };
    let caller = sent_by(services, head.extensions.get::<Caller>());
    check_known(&caller, &route.path())?; // before anything is read
    let descriptor = route.call.input();
    let most = fields::most(&descriptor);
    let body = body::read(body, most, "request").await.map_err(|problem| status::of_problem(&problem))?;
    let message = message(route, &descriptor, from_path, head.uri.query(), body)?;
    let asked = Asked::new(caller, host(&head.headers));
    let answer = services.call(framed(route, &message)?, asked).await;
    let bytes = unframed(answer).await?;
    shown(route.call.output(), bytes)
}

/// Who sends it, as the gate has found out.
fn sent_by(services: &Services, caller: Option<&Caller>) -> Caller {
    let unasked = if services.asks() { Caller::Nobody } else { Caller::Trusted };
    caller.cloned().unwrap_or(unasked)
}

/// The host that the client reached us under, without its port.
fn host(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let port = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    port.map_or(host, |(host, _)| host).to_owned()
}

/// The request as a message: what the path says, and the body or the query.
fn message(
    route: &Route,
    descriptor: &MessageDescriptor,
    from_path: Vec<(String, String)>,
    query: Option<&str>,
    body: Bytes,
) -> Result<DynamicMessage, Status> {
    let mut fields = match route.method {
        Method::POST | Method::PATCH => {
            if let Some(query) = query.filter(|query| !query.is_empty()) {
                let told: String = query.chars().take(100).collect();
                return Err(Status::invalid_argument(format!("`?{told}`: this method takes its fields in the body")));
            }
            fields::read(descriptor, &body)?
        }
        _ => of_query(descriptor, query.unwrap_or_default())?,
    };
    drop(body); // it may be large, and is in the fields
    for (name, value) in from_path {
        let Some(field) = descriptor.get_field_by_name(&name) else { continue };
        let written = fields.remove(field.json_name()).or_else(|| fields.remove(field.name()));
        if written.is_some_and(|written| written != value.as_str()) {
            return Err(status::invalid(&name, format!("the path says `{value}`, and the request something else")));
        }
        fields.insert(name, Value::String(value));
    }
    of_json(descriptor, &Value::Object(fields))
}

/// Fields from a query, each in the form that JSON has for it.
fn of_query(descriptor: &MessageDescriptor, query: &str) -> Result<Map<String, Value>, Status> {
    let mut fields = Map::new();
    for (name, text) in parse(query.as_bytes()) {
        let Some(field) = field_of(descriptor, &name) else { return Err(no_field(&name)) };
        let value = match field.kind() {
            Kind::Bool => serde_json::from_str(&text).unwrap_or(Value::String(text.into_owned())),
            _ => Value::String(text.into_owned()),
        };
        if field.is_list() {
            if let Value::Array(list) = fields.entry(field.name()).or_insert_with(|| json!([])) {
                list.push(value);
            }
        } else if fields.insert(field.name().to_owned(), value).is_some() {
            return Err(status::invalid(field.name(), "is there more than once"));
        }
    }
    Ok(fields)
}

fn no_field(name: &str) -> Status {
    let told: String = name.chars().take(100).collect();
    status::invalid(&told, "there is no such field")
}

/// A message from JSON.
pub(super) fn of_json(descriptor: &MessageDescriptor, json: &Value) -> Result<DynamicMessage, Status> {
    DynamicMessage::deserialize(descriptor.clone(), json).map_err(|error| {
        let (field, why) = blamed(descriptor, json, "").unwrap_or_else(|| (String::from("request"), error.to_string()));
        status::invalid(&field, why)
    })
}

/// The field that cannot be read, and why.
fn blamed(descriptor: &MessageDescriptor, json: &Value, prefix: &str) -> Option<(String, String)> {
    for (name, value) in json.as_object()? {
        let told: String = name.chars().take(100).collect();
        let Some(field) = field_of(descriptor, name) else {
            return Some((format!("{prefix}{told}"), "there is no such field".to_owned()));
        };
        let alone = MapDeserializer::<_, serde_json::Error>::new(iter::once((name.as_str(), value)));
        let Err(error) = DynamicMessage::deserialize(descriptor.clone(), alone) else { continue };
        let path = format!("{prefix}{}", field.name());
        let Kind::Message(inner) = field.kind() else { return Some((path, error.to_string())) };
        let deeper = match value {
            Value::Array(items) if field.is_list() => {
                let mut items = items.iter().enumerate();
                items.find_map(|(nth, item)| blamed(&inner, item, &format!("{path}[{nth}].")))
            }
            value if !field.is_map() => blamed(&inner, value, &format!("{path}.")),
            _ => None,
        };
        return Some(deeper.unwrap_or((path, error.to_string())));
    }
    None
}

fn framed(route: &Route, message: &DynamicMessage) -> Result<http::Request<Body>, Status> {
    let length = message.encoded_len();
    let mut frame = BytesMut::with_capacity(FRAME_HEAD + length);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(length).map_err(|_| Status::invalid_argument("the request is too large"))?);
    message.encode(&mut frame).map_err(|error| Status::internal(error.to_string()))?;
    let body = Body::new(http_body_util::Full::new(frame.freeze()));
    http::Request::post(route.path())
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .body(body)
        .map_err(|error| Status::internal(error.to_string()))
}

/// The message in an answer.
async fn unframed(answer: http::Response<Body>) -> Result<Bytes, Status> {
    let (head, body) = answer.into_parts();
    failure(&head.headers)?;
    let collected = body.collect().await?;
    if let Some(trailers) = collected.trailers() {
        failure(trailers)?;
    }
    let bytes = collected.to_bytes();
    if bytes.len() < FRAME_HEAD {
        return Err(Status::internal("the service gave no answer"));
    }
    Ok(bytes.slice(FRAME_HEAD..))
}

fn failure(headers: &HeaderMap) -> Result<(), Status> {
    match Status::from_header_map(headers) {
        Some(status) if status.code() != Code::Ok => Err(status),
        _ => Ok(()),
    }
}

fn shown(descriptor: MessageDescriptor, bytes: Bytes) -> Result<Value, Status> {
    let message = DynamicMessage::decode(descriptor, bytes).map_err(|error| Status::internal(error.to_string()))?;
    serde_json::to_value(&message).map_err(|error| Status::internal(error.to_string()))
}

fn refused(status: &Status) -> Response {
    let body = json!({ "code": status.code() as i32, "message": status.message(), "details": [] });
    let mut response = (status::http(status.code()), axum::Json(body)).into_response();
    if response.status() == StatusCode::TOO_MANY_REQUESTS {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    crate::http::problem::mark_fault(&mut response);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::yandex::proto::POOL;

    #[track_caller]
    fn check(message: &str, json: &Value, complaint: &str) {
        let descriptor = POOL.get_message_by_name(message).unwrap();
        let told = of_json(&descriptor, json).err().map(|status| status.message().to_owned()).unwrap_or_default();
        assert!(told.starts_with(complaint) && told.is_empty() == complaint.is_empty(), "{told}");
    }

    const VERSION: &str = "yandex.cloud.serverless.functions.v1.CreateFunctionVersionRequest";

    #[test]
    fn json_is_read_in_both_spellings_of_its_names() {
        check(VERSION, &json!({ "functionId": "f", "resources": { "memory": "1" } }), "");
        check(VERSION, &json!({ "function_id": "f", "executionTimeout": "3.5s" }), "");
    }

    #[test]
    fn what_cannot_be_read_is_told_with_the_field() {
        check(VERSION, &json!({ "functionID": "f" }), "functionID: there is no such field");
        check(VERSION, &json!({ "resources": { "memory": "much" } }), "resources.memory: ");
        check(VERSION, &json!({ "resources": { "ram": 1 } }), "resources.ram: there is no such field");
        check(VERSION, &json!({ "secrets": [{}, { "id": 1 }] }), "secrets[1].id: ");
        check(VERSION, &json!({ "executionTimeout": "soon" }), "execution_timeout: ");
        check(VERSION, &json!({ "content": "*" }), "content: ");
        check(VERSION, &json!({ "environment": { "A": 1 } }), "environment: ");
    }

    #[test]
    fn a_query_gives_fields_and_nothing_else() {
        let descriptor = POOL.get_message_by_name("yandex.cloud.serverless.functions.v1.ListFunctionsRequest").unwrap();
        let read = |query: &str| of_query(&descriptor, query).map(Value::Object).map_err(|it| it.message().to_owned());
        assert_eq!(read("folderId=b1g&pageSize=2"), Ok(json!({ "folder_id": "b1g", "page_size": "2" })));
        assert_eq!(read("folder=b1g"), Err("folder: there is no such field".to_owned()));
        assert_eq!(read("folderId=a&folder_id=b"), Err("folder_id: is there more than once".to_owned()));
    }
}
