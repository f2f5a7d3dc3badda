//! An object in a service that speaks S3. When it is deleted is that service's business: it is told by a tag, which a
//! lifecycle rule of the bucket can go by, and by the header that Huawei's OBS has for it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request};
use http_body_util::BodyExt as _;
use object_store::aws::AmazonS3Builder;
use object_store::client::{
    ClientOptions, HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use object_store::path::Path;
use object_store::{Attribute, Attributes, ObjectStore as _, PutOptions, RetryConfig, TagSet};

use crate::delivery::connections::Signing;
use crate::delivery::reach::{Answer, Reach};
use crate::delivery::{Message, NotSent, xml};
use crate::model::connection;
use crate::model::object::{BucketName, ObjectKey};

/// After how many days an object may go, for a lifecycle rule to filter by.
const TAG: &str = "tidemill-expires-days";
/// The same for OBS, which counts from the last change and deletes the object itself.
const OBS_EXPIRES: HeaderName = HeaderName::from_static("x-obs-expires");
/// What is answered to an object that cannot be put, however often it is tried.
const HOPELESS: [&str; 5] =
    ["EntityTooLarge", "InvalidBucketName", "InvalidTag", "KeyTooLongError", "MetadataTooLarge"];

/// Puts the content of `message` under `key`.
pub(super) async fn put(
    reach: &Reach,
    service: &connection::S3,
    signing: Signing,
    bucket: &BucketName,
    key: &ObjectKey,
    expires_days: u16,
    message: &Message,
) -> Result<(), NotSent> {
    let told = Told::default();
    let expires = (expires_days > 0).then(|| HeaderValue::from(expires_days));
    let wire = Wire { reach: reach.clone(), expires, told: told.clone() };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket.as_str())
        .with_region(&service.region)
        .with_access_key_id(signing.id)
        .with_secret_access_key(signing.secret.expose())
        .with_virtual_hosted_style_request(!service.path_style)
        .with_allow_http(true)
        .with_http_connector(wire)
        // A delivery is tried again by who knows all of them.
        .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() });
    if let Some(token) = &signing.token {
        builder = builder.with_token(token.expose());
    }
    if let Some(endpoint) = &service.endpoint {
        builder = builder.with_endpoint(of_bucket(endpoint, bucket, service.path_style));
    }
    let store = builder.build().map_err(|error| NotSent::retry(error.to_string()))?;
    let path = Path::parse(key.as_str()).map_err(|error| NotSent::never(error.to_string()))?;
    match store.put_opts(&path, message.body.clone().into(), options(expires_days, message)).await {
        Ok(_) => Ok(()),
        Err(error) => Err(told.failure().unwrap_or_else(|| NotSent::retry(error.to_string()))),
    }
}

fn options(expires_days: u16, message: &Message) -> PutOptions {
    let mut attributes = Attributes::new();
    // A function may have said anything: what no header can be is not told.
    let content_type = &message.content_type;
    if !content_type.is_empty() && HeaderValue::from_str(content_type).is_ok() {
        attributes.insert(Attribute::ContentType, content_type.clone().into());
    }
    attributes.insert(Attribute::Metadata("tidemill-id".into()), message.id.to_string().into());
    let mut tags = TagSet::default();
    if expires_days > 0 {
        tags.push(TAG, &expires_days.to_string());
    }
    PutOptions { attributes, tags, ..PutOptions::default() }
}

/// Where the bucket is asked for.
fn of_bucket(endpoint: &str, bucket: &BucketName, path_style: bool) -> String {
    let endpoint = endpoint.trim_end_matches('/');
    match endpoint.split_once("://") {
        Some((scheme, host)) if !path_style => format!("{scheme}://{bucket}.{host}"),
        _ => endpoint.to_owned(),
    }
}

/// What came back last, if it was no success.
#[derive(Clone, Debug, Default)]
struct Told(Arc<Mutex<Option<NotSent>>>);

impl Told {
    fn note(&self, failure: Option<NotSent>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }

    fn failure(&self) -> Option<NotSent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What an answer that is a no means.
fn refused(answer: &Answer) -> NotSent {
    let body = String::from_utf8_lossy(&answer.body);
    let (code, message) = (xml::text_of(&body, "Code"), xml::text_of(&body, "Message"));
    let code = code.unwrap_or_default();
    let why = match message {
        Some(message) => format!("the object store answers {} {code}: {message}", answer.status),
        None => format!("the object store answers {} {code}", answer.status).trim_end().to_owned(),
    };
    if HOPELESS.contains(&code.as_str()) || answer.status == 413 {
        return NotSent::Never { why };
    }
    NotSent::Retry { why, after: answer.retry_after() }
}

/// Carries the requests of `object_store`, which has no word in whom it reaches.
#[derive(Clone)]
struct Wire {
    reach: Reach,
    expires: Option<HeaderValue>,
    told: Told,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("expires", &self.expires).finish_non_exhaustive()
    }
}

impl HttpConnector for Wire {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

impl HttpService for Wire {
    fn call<'a, 'b>(
        &'a self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(self.carry(request))
    }
}

impl Wire {
    async fn carry(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (mut parts, body) = request.into_parts();
        let body: Bytes = body.collect().await?.to_bytes();
        if let Some(expires) = &self.expires {
            // Not among what is signed, which S3 asks of its own headers only.
            parts.headers.insert(OBS_EXPIRES, expires.clone());
        }
        match self.reach.exchange(Request::from_parts(parts, body)).await {
            Ok(answer) => {
                self.told.note((!answer.is_yes()).then(|| refused(&answer)));
                let mut response = HttpResponse::new(answer.body.into());
                *response.headers_mut() = answer.headers;
                *response.status_mut() = answer.status.try_into().unwrap_or_default();
                Ok(response)
            }
            Err(failure) => {
                self.told.note(Some(failure.clone()));
                Err(HttpError::new(HttpErrorKind::Connect, failure))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, code: &str, never: bool) {
        let body = format!("<Error><Code>{code}</Code><Message>no &amp; no</Message></Error>").into();
        let refused = refused(&Answer {
            status,
            headers: http::HeaderMap::new(),
            body,
            received: crate::model::time::Timestamp::default(),
        });
        assert_eq!(matches!(refused, NotSent::Never { .. }), never, "{refused}");
        assert_eq!(refused.to_string(), format!("the object store answers {status} {code}: no & no"));
    }

    #[test]
    fn what_can_be_put_right_elsewhere_is_tried_again_and_what_cannot_is_not() {
        check(403, "SignatureDoesNotMatch", false);
        check(404, "NoSuchBucket", false);
        check(503, "SlowDown", false);
        check(400, "EntityTooLarge", true);
        check(400, "KeyTooLongError", true);
    }

    #[test]
    fn the_bucket_stands_in_front_of_the_host_or_in_the_path() {
        let bucket = "results".parse().unwrap();
        assert_eq!(of_bucket("https://obs.example:443/", &bucket, false), "https://results.obs.example:443");
        assert_eq!(of_bucket("https://obs.example/", &bucket, true), "https://obs.example");
    }
}
