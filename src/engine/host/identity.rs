//! How a guest is told who it is: one list, as environment variables and as headers.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::engine::call::Identity;
use crate::model::function::Version;
use crate::model::secret::Entrusted;

/// A command's environment: what its version says, and besides who it is; the latter cannot be overridden.
/// What it finds of a request gives way to what its operator has set: a header must not take the place of a secret.
pub(super) fn environment(
    identity: &Identity,
    version: &Version,
    secrets: &Entrusted,
    request: Vec<(String, String)>,
) -> Vec<(String, String)> {
    let mut environment: BTreeMap<_, _> = request.into_iter().collect();
    environment.extend(version.environment.clone());
    for (variable, value) in secrets.variables() {
        environment.insert(variable.to_owned(), value.to_owned());
    }
    for (name, value) in facts(identity).into_iter().filter(|(name, _)| identity.is_of_one() || OF_ALL.contains(name)) {
        environment.insert(name.to_ascii_uppercase().replace('-', "_"), value);
    }
    if identity.is_of_one() {
        environment.insert("TIDEMILL_CONTENT_TYPE".to_owned(), identity.content_type.clone());
    }
    match &identity.traceparent {
        Some(traceparent) => environment.insert("TRACEPARENT".to_owned(), traceparent.clone()),
        None => environment.remove("TRACEPARENT"),
    };
    environment.into_iter().collect()
}

/// Sets the headers that tell an http function who it is, in place of any of the same names.
pub(in crate::engine) fn headers(identity: &Identity, headers: &mut HeaderMap) {
    let traceparent = identity.traceparent.clone().map(|value| ("traceparent", value));
    for (name, value) in facts(identity).into_iter().chain(traceparent) {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        } else {
            headers.remove(name); // not the caller's either
        }
    }
}

/// The chain as it is to be passed along when calling on: with this invocation at its end, or a circle of functions
/// that call each other would never get longer.
pub(super) fn passed_along(identity: &Identity) -> String {
    identity.chain.iter().chain([&identity.invocation]).map(String::as_str).collect::<Vec<_>>().join(",")
}

/// Those that are the same for all who are in one instance.
const OF_ALL: [&str; 2] = ["tidemill-function", "tidemill-version"];

fn facts(identity: &Identity) -> [(&'static str, String); 7] {
    [
        ("tidemill-invocation-id", identity.invocation.clone()),
        ("tidemill-function", identity.function.clone()),
        ("tidemill-version", identity.version.to_string()),
        ("tidemill-attempt", identity.attempt.to_string()),
        ("tidemill-deadline-ms", identity.deadline.as_ms().to_string()),
        ("tidemill-chain", passed_along(identity)),
        ("tidemill-hop", identity.hop.to_string()),
    ]
}
