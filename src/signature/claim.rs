//! A signature that came with a request: whose key it names, and whether it is right. In this order, for the body need not
//! be read for what was signed by nobody, or long ago.

use std::time::Duration;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use time::PrimitiveDateTime;

use super::canonical::{self, PathRule};
use super::sign::{BASIC, mac, sigv4_mac};
use super::{
    Request, SDK_HMAC, SIGV4, UNSIGNED_PAYLOAD, X_AMZ_CONTENT_SHA256, X_AMZ_DATE, X_SDK_CONTENT_SHA256, X_SDK_DATE, hex,
};
use crate::model::time::Timestamp;

/// How far the clocks of both sides may be apart, and for how long a signed request is good.
pub const CLOCK_SKEW: Duration = Duration::from_secs(15 * 60);

/// Why a signature is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// It says that the body is something else.
    #[error("the body is not the one that was signed: its SHA-256 is not what `{0}` says")]
    Body(&'static str),
    /// A header that was signed did not come.
    #[error("the header `{0}` was signed, and is not there or no text")]
    HeaderUnknown(String),
    /// It cannot be read.
    #[error("the signature cannot be read: {0}")]
    Malformed(String),
    /// `Host` is not among what is signed, so the request may have been made for somebody else.
    #[error("`host` is not among the signed headers: it has to be")]
    NoHost,
    /// It is too old, or from the future.
    #[error("the request was signed for {signed}, and it is {now} here: the two may be {} minutes apart", CLOCK_SKEW.as_secs() / 60)]
    Time {
        /// The time in it.
        signed: Timestamp,
        /// The time here.
        now: Timestamp,
    },
    /// It was made with another secret, or of another request.
    #[error(
        "the signature is not that of this request and this key: check the secret, and whether anything on the way changes requests"
    )]
    Wrong,
}

/// What a request says of its signature.
#[derive(Clone, Debug)]
pub struct Claim {
    scheme: Scheme,
    key_id: String,
    /// The time as it was signed.
    date: String,
    signed: Vec<String>,
    signature: String,
}

#[derive(Clone, Debug)]
enum Scheme {
    /// With day, region, service and `aws4_request`.
    SigV4 {
        within: String,
    },
    SdkHmac,
}

impl Claim {
    /// The signature in the headers; `None` where there is none of the known schemes.
    pub fn of(headers: &HeaderMap) -> Result<Option<Self>, SignatureError> {
        let Some(Ok(text)) = headers.get(AUTHORIZATION).map(|value| value.to_str()) else { return Ok(None) };
        if let Some(fields) = text.strip_prefix(SIGV4).and_then(|rest| rest.strip_prefix(' ')) {
            Self::sigv4(headers, fields).map(Some)
        } else if let Some(fields) = text.strip_prefix(SDK_HMAC).and_then(|rest| rest.strip_prefix(' ')) {
            Self::sdk_hmac(headers, fields).map(Some)
        } else {
            Ok(None)
        }
    }

    fn sigv4(headers: &HeaderMap, fields: &str) -> Result<Self, SignatureError> {
        let credential = field(fields, "Credential")?;
        let (key_id, within) = credential.split_once('/').ok_or_else(|| malformed("`Credential` has no scope"))?;
        let date = header(headers, X_AMZ_DATE)?;
        let of_key = within.split('/').collect::<Vec<_>>();
        let fits = of_key.len() == 4 && of_key[3] == "aws4_request" && date.get(..8) == Some(of_key[0]);
        if !fits {
            return Err(malformed(
                "the scope in `Credential` is not DAY/REGION/SERVICE/aws4_request with the day of `X-Amz-Date`",
            ));
        }
        Self::read(Scheme::SigV4 { within: within.to_owned() }, key_id, date, fields)
    }

    fn sdk_hmac(headers: &HeaderMap, fields: &str) -> Result<Self, SignatureError> {
        Self::read(Scheme::SdkHmac, field(fields, "Access")?, header(headers, X_SDK_DATE)?, fields)
    }

    fn read(scheme: Scheme, key_id: &str, date: &str, fields: &str) -> Result<Self, SignatureError> {
        let signed: Vec<_> = field(fields, "SignedHeaders")?.split(';').map(str::to_ascii_lowercase).collect();
        if !signed.iter().any(|name| name == "host") {
            return Err(SignatureError::NoHost);
        }
        let signature = field(fields, "Signature")?.to_owned();
        Ok(Self { scheme, key_id: key_id.to_owned(), date: date.to_owned(), signed, signature })
    }

    /// What the key is found by.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Whether it was made now, give or take [`CLOCK_SKEW`].
    pub fn check_time(&self, now: Timestamp) -> Result<(), SignatureError> {
        let at = PrimitiveDateTime::parse(&self.date, BASIC).ok();
        let at = at.and_then(|at| u64::try_from(at.assume_utc().unix_timestamp()).ok());
        let at = at.ok_or_else(|| malformed("its date is not written as `20260102T030405Z`"))?;
        let signed = Timestamp::from_ms(at.saturating_mul(1_000));
        let apart = now.since(signed).max(signed.since(now));
        if apart <= CLOCK_SKEW { Ok(()) } else { Err(SignatureError::Time { signed, now }) }
    }

    /// Whether the body has to be known to verify it.
    pub fn covers_body(&self, headers: &HeaderMap) -> bool {
        headers.get(self.digest_header()).is_none_or(|value| value.as_bytes() != UNSIGNED_PAYLOAD.as_bytes())
    }

    /// Whether it is the signature of this request with this secret. Takes as long for any wrong one.
    pub fn verify(&self, request: &Request<'_>, secret: &str, body: &[u8]) -> Result<(), SignatureError> {
        let body = self.body_digest(request.headers, body)?;
        let signed: Vec<_> = self.signed.iter().map(String::as_str).collect();
        let (rule, date) = (self.rule(), &self.date);
        let digest = canonical::digest(request, rule, &signed, &body);
        let digest = digest.map_err(|name| SignatureError::HeaderUnknown(name.to_owned()))?;
        let expected = match &self.scheme {
            Scheme::SigV4 { within } => sigv4_mac(secret, within, &format!("{SIGV4}\n{date}\n{within}\n{digest}")),
            Scheme::SdkHmac => mac(secret.as_bytes(), &format!("{SDK_HMAC}\n{date}\n{digest}")),
        };
        let is_right = hex(&expected).as_bytes().ct_eq(self.signature.as_bytes());
        if is_right.into() { Ok(()) } else { Err(SignatureError::Wrong) }
    }

    fn rule(&self) -> PathRule {
        match &self.scheme {
            Scheme::SigV4 { within } => PathRule::of_service(within.split('/').nth(2).unwrap_or_default()),
            Scheme::SdkHmac => PathRule::EndingInSlash,
        }
    }

    const fn digest_header(&self) -> &'static str {
        match self.scheme {
            Scheme::SigV4 { .. } => X_AMZ_CONTENT_SHA256,
            Scheme::SdkHmac => X_SDK_CONTENT_SHA256,
        }
    }

    /// What stands for the body in what was signed: its digest, unless the request says that it was left out.
    fn body_digest(&self, headers: &HeaderMap, body: &[u8]) -> Result<String, SignatureError> {
        let name = self.digest_header();
        if headers.contains_key(name) && !self.signed.iter().any(|signed| signed == name) {
            return Err(malformed(&format!("`{name}` is sent and not signed")));
        }
        if !self.covers_body(headers) {
            return Ok(UNSIGNED_PAYLOAD.to_owned());
        }
        let digest = hex(&Sha256::digest(body));
        match headers.get(name) {
            Some(told) if !told.as_bytes().eq_ignore_ascii_case(digest.as_bytes()) => Err(SignatureError::Body(name)),
            Some(_) | None => Ok(digest),
        }
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, SignatureError> {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.ok_or_else(|| malformed(&format!("there is no header `{name}` with its date")))
}

/// The value of `name=value` in a list with commas.
fn field<'a>(fields: &'a str, name: &str) -> Result<&'a str, SignatureError> {
    let mut pairs = fields.split(',').filter_map(|pair| pair.trim().split_once('='));
    let found = pairs.find_map(|(its, value)| (its == name).then_some(value));
    found.filter(|value| !value.is_empty()).ok_or_else(|| malformed(&format!("there is no `{name}=` in it")))
}

fn malformed(detail: &str) -> SignatureError {
    SignatureError::Malformed(detail.to_owned())
}
