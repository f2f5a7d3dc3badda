//! What a request says besides what the guest wrote: whom it is for, and where it comes from.

use http::header::{HOST, HeaderName};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Request, Uri};
use wasmtime_wasi_http::{Error, WasiBody};

use super::Unsent;
use super::destination::Destination;
use crate::engine::call::Identity;
use crate::engine::host::identity::passed_along;

const CHAIN: HeaderName = HeaderName::from_static("tidemill-chain");
const HOP: HeaderName = HeaderName::from_static("tidemill-hop");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Makes a request ready to be written: `Host` says what was granted, the chain says who asks, and the request line
/// has the path alone.
pub(super) fn prepare(request: &mut Request<WasiBody>, to: &Destination, identity: &Identity) -> Result<(), Unsent> {
    let host = HeaderValue::try_from(to.peer.authority());
    let host = host.map_err(|error| Unsent::new(Error::HttpRequestUriInvalid, error.to_string()))?;
    let headers = request.headers_mut();
    headers.insert(HOST, host);
    set(headers, CHAIN, &passed_along(identity));
    set(headers, HOP, &identity.hop.saturating_add(1).to_string());
    trace(headers, identity.traceparent.as_deref());
    let path = request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from(path);
    Ok(())
}

/// In place of any that the guest wrote.
fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    match HeaderValue::from_str(value) {
        Ok(value) => drop(headers.insert(name, value)),
        Err(_) => drop(headers.remove(name)),
    }
}

/// The guest's own span is kept if it is one of the invocation's trace; otherwise the invocation's stands there.
fn trace(headers: &mut HeaderMap, own: Option<&str>) {
    let mut all = headers.get_all(TRACEPARENT).iter();
    let told = all.next().filter(|_| all.next().is_none()).and_then(|told| trace_id(told.to_str().ok()?));
    match own.and_then(|own| Some((own, trace_id(own)?))) {
        Some((_, id)) if told == Some(id) => (),
        Some((own, _)) => set(headers, TRACEPARENT, own),
        None if told.is_some() => (),
        None => drop(headers.remove(TRACEPARENT)),
    }
}

/// The trace of a W3C `traceparent`, if it is a valid one: version, trace, span and flags, in lower-case hexadecimal.
fn trace_id(text: &str) -> Option<&str> {
    let is_hex = |part: &str, digits: usize| {
        part.len() == digits && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let is_id = |part: &str, digits: usize| is_hex(part, digits) && part.bytes().any(|b| b != b'0');
    let mut parts = text.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let more = parts.next().is_some();
    let version_fits = is_hex(version, 2) && version != "ff" && !(version == "00" && more);
    (version_fits && is_id(trace, 32) && is_id(span, 16) && is_hex(flags, 2)).then_some(trace)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[track_caller]
    fn check(own: Option<&str>, guests: &[&str], expected: &[&str]) {
        let mut headers = HeaderMap::new();
        for value in guests {
            headers.append(TRACEPARENT, value.parse().unwrap());
        }
        trace(&mut headers, own);
        let sent: Vec<_> = headers.get_all(TRACEPARENT).iter().map(|value| value.to_str().unwrap()).collect();
        assert_eq!(sent, expected, "{own:?} {guests:?}");
    }

    #[test]
    fn a_guests_span_is_sent_only_if_it_is_of_the_invocations_trace() {
        let span = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";
        let foreign = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        check(Some(OWN), &[], &[OWN]);
        check(Some(OWN), &[span], &[span]);
        check(Some(OWN), &[foreign], &[OWN]);
        check(Some(OWN), &[span, foreign], &[OWN]);
        check(Some(OWN), &["nonsense"], &[OWN]);
        check(None, &[foreign], &[foreign]);
        check(None, &["nonsense"], &[]);
        check(Some("nonsense"), &[], &[]);
    }

    #[test]
    fn a_traceparent_is_what_the_standard_says() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let of = |version: &str, trace: &str, span: &str, rest: &str| {
            trace_id(&format!("{version}-{trace}-{span}-{rest}")).is_some()
        };
        assert!(of("00", trace, "00f067aa0ba902b7", "01"));
        assert!(of("cc", trace, "00f067aa0ba902b7", "01-what-comes-later"));
        assert!(!of("00", trace, "00f067aa0ba902b7", "01-more"));
        assert!(!of("ff", trace, "00f067aa0ba902b7", "01"));
        assert!(!of("00", &"0".repeat(32), "00f067aa0ba902b7", "01"));
        assert!(!of("00", trace, &"0".repeat(16), "01"));
        assert!(!of("00", &trace.to_uppercase(), "00f067aa0ba902b7", "01"));
        assert!(!of("00", trace, "00f067aa0ba902b7", "1"));
    }
}
