//! Requests and answers as plain values: the one place that handles the resources of `wasi:http`.

use std::io::{self, Read, Write};

use serde_json::Value;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

pub struct Request {
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, Value)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn read(request: &IncomingRequest) -> Result<Self, String> {
        Ok(Self {
            method: request.method(),
            target: request.path_with_query().unwrap_or_else(|| "/".to_owned()),
            headers: request.headers().entries().into_iter().map(readable).collect(),
            body: read_body(request).map_err(|error| format!("cannot read the body: {error}"))?,
        })
    }

    pub fn content_type(&self) -> String {
        let said = self.headers.iter().find(|(name, _)| name == "content-type");
        said.and_then(|(_, value)| value.as_str()).unwrap_or("application/octet-stream").to_owned()
    }
}

fn readable((name, value): (String, Vec<u8>)) -> (String, Value) {
    (name.to_ascii_lowercase(), String::from_utf8_lossy(&value).into())
}

fn read_body(request: &IncomingRequest) -> io::Result<Vec<u8>> {
    let gone = |()| io::Error::other("it was taken before");
    let body = request.consume().map_err(gone)?;
    let mut bytes = Vec::new();
    // The stream is a child of the body and is dropped before it.
    body.stream().map_err(gone)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

pub fn name_of(method: &Method) -> &str {
    match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Connect => "CONNECT",
        Method::Options => "OPTIONS",
        Method::Trace => "TRACE",
        Method::Patch => "PATCH",
        Method::Other(name) => name,
    }
}

pub struct Answer {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Answer {
    pub fn new(status: u16, content_type: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.into().into_bytes())];
        Self { status, headers, body: body.into() }
    }

    /// One line of text.
    pub fn text(status: u16, line: impl Into<String>) -> Self {
        Self::new(status, "text/plain; charset=utf-8", line.into() + "\n")
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub fn write(self, out: ResponseOutparam) {
        match self.head() {
            Ok((response, body)) => {
                ResponseOutparam::set(out, Ok(response));
                // All that can fail from here on is that the caller has gone away, and nobody is left to be told.
                let _ = send(body, &self.body);
            }
            Err(message) => ResponseOutparam::set(out, Err(ErrorCode::InternalError(Some(message)))),
        }
    }

    fn head(&self) -> Result<(OutgoingResponse, OutgoingBody), String> {
        let headers = Fields::from_list(&self.headers).map_err(|error| format!("refused headers: {error}"))?;
        let response = OutgoingResponse::new(headers);
        response.set_status_code(self.status).map_err(|()| format!("refused status {}", self.status))?;
        let body = response.body().map_err(|()| "the answer's body was taken before".to_owned())?;
        Ok((response, body))
    }
}

fn send(body: OutgoingBody, bytes: &[u8]) -> io::Result<()> {
    let mut stream = body.write().map_err(|()| io::Error::other("the body's stream was taken before"))?;
    stream.write_all(bytes)?;
    Write::flush(&mut stream)?;
    // The stream is a child of the body and has to go first.
    drop(stream);
    OutgoingBody::finish(body, None).map_err(io::Error::other)
}
