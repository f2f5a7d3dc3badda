//! The request that an http function gets, whatever it was invoked by.

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use http_body_util::Full;

use crate::engine::call::{Call, Input};
use crate::engine::host;

/// What a function is called by where the caller named no host.
const HOST: HeaderValue = HeaderValue::from_static("localhost");

/// The caller's own request, or `POST /` with the payload; either way with the headers that tell who it is.
pub(super) fn build(call: &Call) -> Request<Full<Bytes>> {
    let identity = &*call.identity;
    let (method, uri, mut headers, body) = match &call.input {
        Input::Payload(payload) => (Method::POST, Uri::from_static("/"), HeaderMap::new(), payload),
        Input::Request(request) => {
            (request.method.clone(), path_of(&request.uri), request.headers.clone(), &request.body)
        }
    };
    if let (Input::Payload(_), Ok(content_type)) = (&call.input, HeaderValue::from_str(&identity.content_type)) {
        if !content_type.is_empty() {
            headers.insert(header::CONTENT_TYPE, content_type);
        }
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    if headers.get(header::HOST).is_none_or(|host| host.to_str().is_err()) {
        headers.insert(header::HOST, HOST);
    }
    host::headers(identity, &mut headers);
    let mut request = Request::new(Full::new(body.clone()));
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    request
}

/// The host is in the headers; here it would be a second one.
fn path_of(uri: &Uri) -> Uri {
    Uri::from(uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/")))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::asks::Nobody;
    use crate::engine::call::{self, Identity};
    use crate::model::names::Namespace;
    use crate::model::secret::Entrusted;
    use crate::model::time::Timestamp;

    fn call(input: Input) -> Call {
        let identity = Identity {
            invocation: "id".into(),
            namespace: Namespace::default(),
            function: "f".into(),
            version: 2,
            attempt: 1,
            content_type: "text/plain".into(),
            accepted: Timestamp::from_ms(1),
            deadline: Timestamp::from_ms(2),
            chain: vec!["a".into(), "b".into()],
            hop: 2,
            traceparent: None,
            attributes: vec![],
        };
        let version = Arc::new(crate::engine::tests::version());
        let secrets = Entrusted::default();
        Call { input, identity: Arc::new(identity), version, secrets, desk: Arc::new(Nobody) }
    }

    #[test]
    fn a_payload_is_posted_with_its_content_type_and_who_it_is_for() {
        let request = build(&call(Input::Payload(Bytes::from_static(b"hi"))));
        assert_eq!((request.method(), request.uri().path()), (&Method::POST, "/"));
        let headers = request.headers();
        assert_eq!(headers["content-type"], "text/plain");
        assert_eq!(headers["content-length"], "2");
        assert_eq!(headers["tidemill-invocation-id"], "id");
        assert_eq!(headers["tidemill-chain"], "a,b,id");
    }

    #[test]
    fn a_request_keeps_its_host_and_query_and_cannot_say_who_the_function_is() {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("example.com"));
        headers.insert("tidemill-function", HeaderValue::from_static("another"));
        let uri = Uri::from_static("http://elsewhere/a/b?c=d");
        let request = call::Request { method: Method::PUT, uri, headers, body: Bytes::new() };
        let request = build(&call(Input::Request(Box::new(request))));
        assert_eq!(request.uri().to_string(), "/a/b?c=d");
        assert_eq!(request.headers()["host"], "example.com");
        assert_eq!(request.headers()["tidemill-function"], "f");
    }
}
