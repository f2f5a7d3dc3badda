//! A request on its way out, and what comes back.

use std::io::{Read, Write};

use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions,
    Scheme,
};

use crate::Errand;

/// A request whose head is under way, and whose body is still to be written.
pub struct Begun {
    response: FutureIncomingResponse,
    body: OutgoingBody,
}

/// A request that is under way.
pub struct Sent(FutureIncomingResponse);

/// What came back.
pub struct Received {
    pub status: u16,
    pub content_type: String,
    pub location: Option<String>,
    pub body: Vec<u8>,
}

impl Begun {
    /// Sends the request's head.
    pub fn of(errand: &Errand) -> Result<Self, String> {
        let request = head(errand)?;
        let body = request.body().map_err(|()| "the request has no body".to_owned())?;
        let options = RequestOptions::new();
        let nanoseconds = errand.first_byte_ms.map(|ms| ms * 1_000_000);
        options.set_first_byte_timeout(nanoseconds).map_err(|()| "no timeout can be set".to_owned())?;
        let response = outgoing_handler::handle(request, Some(options)).map_err(named)?;
        Ok(Self { response, body })
    }

    /// Sends the request's body.
    pub fn ended(self, errand: &Errand) -> Result<Sent, String> {
        write(self.body, errand.body.as_bytes())?;
        Ok(Sent(self.response))
    }
}

impl Sent {
    /// Waits for the response and reads it.
    pub fn received(self) -> Result<Received, String> {
        self.0.subscribe().block();
        let response = self.0.get().ok_or("there is no response yet")?.map_err(|()| "it was taken before")?;
        read(&response.map_err(named)?)
    }
}

fn head(errand: &Errand) -> Result<OutgoingRequest, String> {
    let (scheme, rest) = errand.url.split_once("://").ok_or_else(|| format!("{} is no URL", errand.url))?;
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, "/"),
    };
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    let method = match errand.method.as_str() {
        "GET" => Method::Get,
        "POST" => Method::Post,
        other => Method::Other(other.to_owned()),
    };
    let headers: Vec<_> = errand.headers.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    let headers = Fields::from_list(&headers).map_err(|error| format!("refused headers: {error}"))?;
    let request = OutgoingRequest::new(headers);
    let refused = |what: &str| format!("refused {what} of {}", errand.url);
    request.set_method(&method).map_err(|()| refused("method"))?;
    request.set_scheme(Some(&scheme)).map_err(|()| refused("scheme"))?;
    request.set_authority(Some(authority)).map_err(|()| refused("authority"))?;
    request.set_path_with_query(Some(path)).map_err(|()| refused("path"))?;
    Ok(request)
}

/// A request that was turned away takes no body: that is told by its response.
fn write(body: OutgoingBody, bytes: &[u8]) -> Result<(), String> {
    let mut stream = body.write().map_err(|()| "the body's stream was taken before".to_owned())?;
    let written = stream.write_all(bytes).and_then(|()| Write::flush(&mut stream));
    drop(stream); // a child of the body, which goes after it
    if written.is_ok() {
        let _ = OutgoingBody::finish(body, None);
    }
    Ok(())
}

fn read(response: &IncomingResponse) -> Result<Received, String> {
    let headers = response.headers();
    let header = |name: &str| {
        let value = headers.get(name).into_iter().next()?;
        Some(String::from_utf8_lossy(&value).into_owned())
    };
    let content_type = header("content-type").unwrap_or_default();
    let location = header("location");
    let body = response.consume().map_err(|()| "the body was taken before".to_owned())?;
    let mut bytes = Vec::new();
    let stream = body.stream().map_err(|()| "the body's stream was taken before".to_owned())?;
    { stream }.read_to_end(&mut bytes).map_err(|error| format!("the body broke off: {error}"))?;
    Ok(Received { status: response.status(), content_type, location, body: bytes })
}

/// The error as WIT names it, more or less: `HttpRequestDenied`, `ConnectionRefused`.
fn named(error: ErrorCode) -> String {
    format!("{error:?}").trim_start_matches("ErrorCode::").to_owned()
}
