//! An HTTP function: a component that exports `wasi:http/incoming-handler`, with a few routes to try things on.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /` | `hello from tidemill` |
//! | `POST /` | the request's body, with its content type |
//! | any method, `/echo` and below | JSON: method, path with query, the `tidemill-*` headers, body as text |
//! | any method, `/status/NNN` | that status, from 200 to 599; 429 and 503 with `Retry-After: 1` |
//! | any method, `/slow?ms=N` | after N milliseconds by the WASI clock |

mod wire;

use serde_json::json;
use wasip2::{
    clocks::monotonic_clock::subscribe_duration,
    exports::http::incoming_handler::Guest,
    http::types::{IncomingRequest, Method, ResponseOutparam},
};
use wire::{Answer, Request};

struct HelloHttp;

wasip2::http::proxy::export!(HelloHttp);

impl Guest for HelloHttp {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let answer = Request::read(&request).map_or_else(|error| Answer::text(400, error), answer);
        answer.write(out);
    }
}

fn answer(request: Request) -> Answer {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    match (&request.method, path) {
        (Method::Get | Method::Head, "/") => Answer::text(200, "hello from tidemill"),
        (Method::Post, "/") => Answer::new(200, request.content_type(), request.body),
        (_, "/") => Answer::text(405, "only GET and POST are understood here").with("allow", "GET, HEAD, POST"),
        (_, "/slow") => slow(query),
        _ if path == "/echo" || path.starts_with("/echo/") => echo(&request),
        _ => match path.strip_prefix("/status/") {
            Some(code) => status(code),
            None => Answer::text(404, format!("there is nothing at {path}")),
        },
    }
}

fn echo(request: &Request) -> Answer {
    let told = request.headers.iter().filter(|(name, _)| name.starts_with("tidemill-"));
    let echo = json!({
        "method": wire::name_of(&request.method),
        "path": request.target,
        "headers": told.cloned().collect::<serde_json::Map<_, _>>(),
        "body": String::from_utf8_lossy(&request.body),
    });
    Answer::new(200, "application/json", echo.to_string())
}

fn status(code: &str) -> Answer {
    match code.parse() {
        Ok(code @ (204 | 205 | 304)) => Answer::new(code, "text/plain", ""),
        Ok(code @ (429 | 503)) => Answer::text(code, format!("status {code}")).with("retry-after", "1"),
        Ok(code @ 200..=599) => Answer::text(code, format!("status {code}")),
        _ => Answer::text(400, format!("{code} is not a status from 200 to 599")),
    }
}

fn slow(query: &str) -> Answer {
    let asked = query.split('&').find_map(|pair| pair.strip_prefix("ms=")).map(str::parse::<u32>);
    let Some(Ok(milliseconds)) = asked else {
        return Answer::text(400, "say how long to sleep, in milliseconds: /slow?ms=100");
    };
    subscribe_duration(u64::from(milliseconds) * 1_000_000).block();
    Answer::text(200, format!("slept {milliseconds} ms"))
}
