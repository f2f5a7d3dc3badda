//! Signatures of our own requests, and what both sides compute alike.

use hmac::{Hmac, Mac as _};
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use sha2::Sha256;
use time::OffsetDateTime;
use time::format_description::StaticFormatDescription;
use time::macros::format_description;

use super::canonical::{self, PathRule};
use super::claim::SignatureError;
use super::{
    Key, Payload, Request, SDK_HMAC, SIGV4, X_AMZ_CONTENT_SHA256, X_AMZ_DATE, X_SDK_CONTENT_SHA256, X_SDK_DATE, hex,
};
use crate::model::time::Timestamp;

/// How both schemes write times.
pub(super) const BASIC: StaticFormatDescription = format_description!("[year][month][day]T[hour][minute][second]Z");

/// What a key of Signature Version 4 is derived for.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// `us-east-1`, `ru-central1`; a service of one's own takes what the client is set to.
    pub region: &'a str,
    /// `sqs`, `s3`.
    pub service: &'a str,
}

/// Headers to be added to a request.
pub type Added = Vec<(HeaderName, HeaderValue)>;

/// Signs a request with Signature Version 4: the headers that it has, which must include `Host`, and what is returned, which
/// is to be added to it.
pub fn sigv4(
    request: &Request<'_>,
    scope: Scope<'_>,
    key: Key<'_>,
    payload: Payload<'_>,
    at: Timestamp,
) -> Result<Added, SignatureError> {
    let (date, body) = (basic(at), payload.digest());
    let mut added = vec![(HeaderName::from_static(X_AMZ_DATE), value(&date)?)];
    // S3 always asks for the digest; elsewhere it is told where it is not that of the body.
    if scope.service == "s3" || matches!(payload, Payload::Unsigned) {
        added.push((HeaderName::from_static(X_AMZ_CONTENT_SHA256), value(&body)?));
    }
    let (signed, digest) = canonical(request, &added, PathRule::of_service(scope.service), &body)?;
    let within = format!("{}/{}/{}/aws4_request", &date[..8], scope.region, scope.service);
    let signature = hex(&sigv4_mac(key.secret, &within, &format!("{SIGV4}\n{date}\n{within}\n{digest}")));
    let authorization =
        format!("{SIGV4} Credential={}/{within}, SignedHeaders={signed}, Signature={signature}", key.id);
    added.push((AUTHORIZATION, value(&authorization)?));
    Ok(added)
}

/// Signs a request with `SDK-HMAC-SHA256`: the headers that it has, which must include `Host`, and what is returned, which
/// is to be added to it.
pub fn sdk_hmac(
    request: &Request<'_>,
    key: Key<'_>,
    payload: Payload<'_>,
    at: Timestamp,
) -> Result<Added, SignatureError> {
    let (date, body) = (basic(at), payload.digest());
    let mut added = vec![(HeaderName::from_static(X_SDK_DATE), value(&date)?)];
    if matches!(payload, Payload::Unsigned) {
        added.push((HeaderName::from_static(X_SDK_CONTENT_SHA256), value(&body)?));
    }
    let (signed, digest) = canonical(request, &added, PathRule::EndingInSlash, &body)?;
    let signature = hex(&mac(key.secret.as_bytes(), &format!("{SDK_HMAC}\n{date}\n{digest}")));
    let authorization = format!("{SDK_HMAC} Access={}, SignedHeaders={signed}, Signature={signature}", key.id);
    added.push((AUTHORIZATION, value(&authorization)?));
    Ok(added)
}

/// The names of the headers that are signed, and the digest of the canonical request.
fn canonical(
    request: &Request<'_>,
    added: &Added,
    rule: PathRule,
    body: &str,
) -> Result<(String, String), SignatureError> {
    let mut headers = request.headers.clone();
    headers.extend(added.iter().map(|(name, value)| (name.clone(), value.clone())));
    let mut signed: Vec<_> = headers.keys().map(HeaderName::as_str).filter(|name| !name.contains('_')).collect();
    signed.sort_unstable();
    let whole = Request { headers: &headers, ..*request };
    let digest = canonical::digest(&whole, rule, &signed, body);
    let digest = digest.map_err(|name| SignatureError::HeaderUnknown(name.to_owned()))?;
    Ok((signed.join(";"), digest))
}

/// The HMAC of `text` with the key that is derived from `secret` for `within`: day, region, service and a last word.
pub(super) fn sigv4_mac(secret: &str, within: &str, text: &str) -> [u8; 32] {
    let first = format!("AWS4{secret}").into_bytes();
    let key = within.split('/').fold(first, |key, part| mac(&key, part).to_vec());
    mac(&key, text)
}

pub(super) fn mac(key: &[u8], text: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("an HMAC takes a key of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

fn basic(at: Timestamp) -> String {
    let at = i64::try_from(at.as_ms() / 1_000).ok().and_then(|s| OffsetDateTime::from_unix_timestamp(s).ok());
    // Beyond the year 9999 no signature is taken anyway.
    at.and_then(|at| at.format(BASIC).ok()).unwrap_or_else(|| "99991231T235959Z".to_owned())
}

fn value(text: &str) -> Result<HeaderValue, SignatureError> {
    HeaderValue::from_str(text)
        .map_err(|_| SignatureError::Malformed("a key's id has letters that no header has".into()))
}
