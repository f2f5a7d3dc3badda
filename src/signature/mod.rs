//! Signed requests: AWS Signature Version 4, which SQS and S3 clients speak, and `SDK-HMAC-SHA256`, which FunctionGraph
//! clients do. Both make a canonical text of a request and an HMAC of that; here both are made for requests of our own
//! (`sign`) and checked on those of others (`claim`). Pure: keys, bodies and the time are arguments, and whose key it is
//! and what its owner may do is [`crate::access`]' business.
//!
//! A signature says who made a request and that it is what was made; sent again within [`CLOCK_SKEW`] it still is. So what
//! must happen once needs an idempotency key besides, and what others must not read needs TLS.

mod canonical;
mod claim;
mod sign;

pub(crate) mod fuzz;

pub(crate) use canonical::escaped;
pub use claim::{CLOCK_SKEW, Claim, SignatureError};
pub use sign::{Added, Scope, sdk_hmac, sigv4};

use http::HeaderMap;
use sha2::{Digest as _, Sha256};

/// A request as it is sent.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `GET`.
    pub method: &'a str,
    /// The path as it stands in the request line, escapes included, without the query.
    pub path: &'a str,
    /// The query likewise, without the question mark.
    pub query: &'a str,
    /// The headers, `Host` included.
    pub headers: &'a HeaderMap,
}

/// A key that requests are signed with.
#[derive(Clone, Copy)]
pub struct Key<'a> {
    /// What it is found by; it stands in every request.
    pub id: &'a str,
    /// What nobody else knows.
    pub secret: &'a str,
}

/// The body of a request, as far as its signature is concerned.
#[derive(Clone, Copy, Debug)]
pub enum Payload<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// It is left out: for what is too large to be read twice, over TLS.
    Unsigned,
}

/// What stands for a body that is left out.
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// The name of Signature Version 4, as it begins a signature and what is signed.
const SIGV4: &str = "AWS4-HMAC-SHA256";
/// The name of the other scheme.
const SDK_HMAC: &str = "SDK-HMAC-SHA256";

/// Where the time stands in either.
const X_AMZ_DATE: &str = "x-amz-date";
const X_SDK_DATE: &str = "x-sdk-date";
/// Where the digest of the body stands in either.
const X_AMZ_CONTENT_SHA256: &str = "x-amz-content-sha256";
const X_SDK_CONTENT_SHA256: &str = "x-sdk-content-sha256";

impl Payload<'_> {
    fn digest(&self) -> String {
        match self {
            Self::Bytes(bytes) => hex(&Sha256::digest(bytes)),
            Self::Unsigned => UNSIGNED_PAYLOAD.to_owned(),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // a String takes everything
        text
    })
}

#[cfg(test)]
mod tests;
