//! How services outside are reached: names are resolved here, addresses that may not be reached are left out, redirects
//! are not followed, and what comes back is bounded in size and time.

use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request};
use reqwest::Url;
use reqwest::redirect::Policy;
use tokio_rustls::rustls::ClientConfig;

use super::NotSent;
use crate::outbound::{Admission, Allowed};
use crate::tls::{self, UnusableAuthority};

/// How long it may take until there is a connection.
pub(super) const CONNECT: Duration = Duration::from_secs(5);
/// How long one exchange may take in all.
const EXCHANGE: Duration = Duration::from_secs(30);
/// Bytes of an answer that are read: they say whether it was taken, or why not.
const MAX_ANSWER: usize = 64 * 1_024;

/// Reaches services outside. Cheap to clone; all clones share connections.
#[derive(Clone)]
pub struct Reach {
    http: reqwest::Client,
    tls: ClientConfig,
    admission: Admission,
}

/// What a service answered.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Reach {
    /// Reaches public addresses, and those that are `allowed`; trusts the authorities in the file `authority` besides the
    /// public ones.
    ///
    /// # Panics
    /// When these settings are none of a client, which is a mistake in here.
    pub fn new(allowed: Allowed, authority: Option<&Path>) -> Result<Self, UnusableAuthority> {
        let tls = tls::client_config(authority)?;
        let admission = Admission::new(allowed);
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls.clone())
            .dns_resolver(Arc::new(admission.clone()))
            .connect_timeout(CONNECT)
            .timeout(EXCHANGE)
            .redirect(Policy::none())
            .no_proxy()
            .user_agent(concat!("tidemill/", env!("CARGO_PKG_VERSION")))
            .build()
            .expect("the settings are the same each time");
        Ok(Self { http, tls, admission })
    }

    /// What TLS is spoken with.
    pub(super) fn tls(&self) -> ClientConfig {
        self.tls.clone()
    }

    /// The addresses of `host` that may be connected to.
    pub(super) async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, NotSent> {
        self.admission.resolve(host, port).await.map_err(|error| NotSent::retry(error.to_string()))
    }

    /// Sends a request and reads the answer.
    pub(super) async fn exchange(&self, request: Request<Bytes>) -> Result<Answer, NotSent> {
        let (parts, body) = request.into_parts();
        let url = parts.uri.to_string();
        let url = Url::parse(&url).map_err(|error| NotSent::never(format!("`{url}` is no address: {error}")))?;
        let host = url.host_str().unwrap_or_default();
        self.admission.admit_literal(host).map_err(|error| NotSent::retry(error.to_string()))?;
        let sent = self.http.request(parts.method, url).headers(parts.headers).body(body).send();
        let mut response = sent.await.map_err(unanswered)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut body = BytesMut::new();
        while let Some(piece) = response.chunk().await.map_err(unanswered)? {
            let room = MAX_ANSWER.saturating_sub(body.len());
            body.extend_from_slice(&piece[..piece.len().min(room)]);
            if room == 0 {
                break; // what says why stands at its beginning
            }
        }
        Ok(Answer { status, headers, body: body.freeze() })
    }
}

impl Answer {
    /// How long to wait before the next try, where the service says so in seconds.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let seconds = self.headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
        Some(Duration::from_secs(seconds))
    }

    /// Whether it was taken.
    pub(super) const fn is_yes(&self) -> bool {
        matches!(self.status, 200..=299)
    }
}

/// Says the innermost cause: what is around it says again that something was sent.
fn unanswered(error: reqwest::Error) -> NotSent {
    let error = error.without_url();
    let mut cause: &dyn Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    NotSent::retry(cause.to_string())
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;
    use crate::delivery::tests::everywhere;

    fn internet() -> Reach {
        Reach::new(Allowed::default(), None).unwrap()
    }

    #[tokio::test]
    async fn what_is_at_a_private_address_is_not_reached_unless_that_is_allowed() {
        for host in ["127.0.0.1", "::1", "[::1]", "169.254.169.254", "10.0.0.1", "::ffff:10.0.0.1", "localhost"] {
            let told = internet().resolve(host, 80).await.unwrap_err().to_string();
            assert!(told.contains("private address"), "{host}: {told}");
            assert!(!everywhere().resolve(host, 80).await.unwrap().is_empty(), "{host}");
        }
    }

    #[tokio::test]
    async fn a_request_to_a_private_address_is_not_sent() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "127.1"] {
            let request = Request::get(format!("http://{host}:{port}/")).body(Bytes::new()).unwrap();
            let told = internet().exchange(request).await.unwrap_err().to_string();
            assert!(told.contains("private address"), "{host}: {told}");
        }
        assert!(timeout(Duration::from_millis(50), listener.accept()).await.is_err(), "somebody came");
    }

    #[tokio::test]
    async fn who_does_not_answer_is_to_be_tried_again_and_the_cause_is_told() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let request = Request::get(format!("http://{address}/")).body(Bytes::new()).unwrap();
        let refused = everywhere().exchange(request).await.unwrap_err();
        assert!(matches!(&refused, NotSent::Retry { why, .. } if why.contains("refused")), "{refused}");
    }
}
