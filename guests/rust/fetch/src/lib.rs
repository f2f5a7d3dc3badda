//! An HTTP function that sends the request which its payload names, and answers with what comes back: status, content
//! type, `location` and body. What could not be sent or read is answered with 502 and the error in one line.
//!
//! | member of the payload, which is JSON | meaning |
//! | --- | --- |
//! | `url` | where to; nothing goes out unless the function's version is granted that host |
//! | `method` | `GET` unless told |
//! | `headers` | an object of texts |
//! | `body` | a text |
//! | `again` | `true`: the body is this payload itself, so that one function can have another, or itself, do the same |
//! | `follow` | how many redirects to go after |
//! | `at_once` | so many of the request at the same time, all begun before one ends; the answer is a JSON list of statuses and errors |
//! | `first_byte_ms` | how long to wait for the answer |

mod send;
#[path = "../../hello-http/src/wire.rs"]
#[allow(dead_code)]
mod wire;

use std::collections::BTreeMap;

use send::{Begun, Received, Sent};
use serde::Deserialize;
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};
use wire::{Answer, Request};

#[derive(Deserialize)]
struct Errand {
    url: String,
    #[serde(default = "get")]
    method: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    #[serde(default)]
    again: bool,
    #[serde(default)]
    follow: u32,
    #[serde(default)]
    at_once: u32,
    #[serde(default)]
    first_byte_ms: Option<u64>,
}

fn get() -> String {
    "GET".to_owned()
}

struct Fetch;

wasip2::http::proxy::export!(Fetch);

impl Guest for Fetch {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let answer = Request::read(&request).and_then(|request| run(&request.body));
        answer.unwrap_or_else(|error| Answer::text(400, error)).write(out);
    }
}

fn run(payload: &[u8]) -> Result<Answer, String> {
    let mut errand: Errand = serde_json::from_slice(payload).map_err(|error| format!("the payload: {error}"))?;
    if errand.again {
        errand.body = String::from_utf8_lossy(payload).into_owned();
    }
    if errand.at_once > 0 {
        return Ok(many(&errand));
    }
    Ok(one(&mut errand).map_or_else(|error| Answer::text(502, error), shown))
}

fn one(errand: &mut Errand) -> Result<Received, String> {
    loop {
        let received = Begun::of(errand)?.ended(errand)?.received()?;
        match &received.location {
            Some(location) if errand.follow > 0 => {
                errand.follow -= 1;
                errand.url.clone_from(location);
            }
            _ => return Ok(received),
        }
    }
}

/// All begin before the first one ends, so that none can be answered while another is still to begin.
fn many(errand: &Errand) -> Answer {
    let begun: Vec<_> = (0..errand.at_once).map(|_| Begun::of(errand)).collect();
    let sent: Vec<_> = begun.into_iter().map(|begun| begun.and_then(|begun| begun.ended(errand))).collect();
    let received = sent.into_iter().map(|sent| sent.and_then(Sent::received));
    let told = received.map(|received| received.map_or_else(|error| error, |received| received.status.to_string()));
    Answer::new(200, "application/json", serde_json::Value::from_iter(told).to_string())
}

fn shown(received: Received) -> Answer {
    let Received { status, content_type, location, body } = received;
    let answer = Answer::new(status, content_type, body);
    match location {
        Some(location) => answer.with("location", &location),
        None => answer,
    }
}
