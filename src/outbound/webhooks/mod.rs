//! Webhooks: a POST, signed as Standard Webhooks has it, to an address that somebody gave. Tries once; whoever calls
//! tries again.
//!
//! | answer | meaning |
//! | --- | --- |
//! | 2xx | delivered |
//! | 410 | never again |
//! | 429, 503 | again, not before its `Retry-After` |
//! | 3xx, the other 4xx and 5xx, none in time | again: the receiver may be set right meanwhile |

mod keys;
mod signature;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request, Uri};
use http_body_util::Full;
use tokio::sync::Mutex;

pub use keys::SigningKey;
pub use signature::WebhookKey;

use super::{Allowed, Answer, Cause, NotSent, Outbound, Peer, Unsent, retry_after};
use crate::clock::Clock;
use crate::model::bounds;
use crate::model::names::Namespace;
use crate::model::time::Timestamp;
use crate::store::Store;
use crate::tasks::{OnExit, Tasks};
use crate::vault::Vault;

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// Sends webhooks. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Webhooks {
    parts: Arc<Parts>,
}

struct Parts {
    outbound: Arc<Outbound>,
    allowed: Allowed,
    store: Arc<dyn Store>,
    vault: Vault,
    clock: Clock,
    /// Held over the look at a namespace's keys and their change.
    changing: Mutex<()>,
}

/// What is sent.
#[derive(Clone, Debug)]
pub struct Post {
    /// What the receiver knows it by: the same at every try.
    pub id: String,
    /// The body.
    pub body: Bytes,
    /// Its media type; empty where nobody said.
    pub content_type: String,
    /// Headers besides.
    pub headers: Vec<(String, String)>,
}

impl Webhooks {
    /// A sender whose keys are in `store`, sealed by `vault`. `allowed` are the private addresses that it may reach.
    pub fn new(outbound: Arc<Outbound>, allowed: Allowed, store: Arc<dyn Store>, vault: Vault, clock: Clock) -> Self {
        Self { parts: Arc::new(Parts { outbound, allowed, store, vault, clock, changing: Mutex::new(()) }) }
    }

    /// Lets go of connections that nothing is sent over, until the process stops.
    pub fn start(&self, tasks: &Tasks) {
        let (parts, stopping) = (Arc::clone(&self.parts), tasks.stopping().clone());
        tasks.spawn("webhooks", OnExit::Ignore, async move {
            stopping.run_until_cancelled(parts.outbound.kept.let_go()).await;
        });
    }

    /// Whether webhooks may be sent to `url`, as far as it can be told before its name is resolved.
    pub fn admit(&self, url: &str) -> Result<(), NotSent> {
        let peer = Peer::of(&uri(url)?)?;
        if self.parts.allowed.refuses(&peer) { Err(private(&peer)) } else { Ok(()) }
    }

    /// Tries once to bring `post` to `url`, signed with the keys of `namespace`.
    pub async fn post(&self, namespace: &Namespace, url: &str, post: &Post) -> Result<(), NotSent> {
        self.admit(url)?;
        let request = self.request(namespace, uri(url)?, post).await?;
        match self.parts.outbound.send(request, &self.parts.allowed, bounds::DELIVERY_TRY).await {
            Ok(answer) => judged(&answer, self.parts.clock.now()),
            Err(Unsent { cause: Cause::PrivateAddress, .. }) => Err(private(&Peer::of(&uri(url)?)?)),
            Err(unsent) => Err(unsent.into()),
        }
    }

    async fn request(&self, namespace: &Namespace, to: Uri, post: &Post) -> Result<Request<Full<Bytes>>, NotSent> {
        let keys = self.keys(namespace).await.map_err(|error| NotSent::retry(format!("it is not signed: {error}")))?;
        let timestamp = self.parts.clock.now().as_ms() / 1_000;
        let signatures: Vec<_> = keys.iter().map(|it| it.key.sign(&post.id, timestamp, &post.body)).collect();
        let mut headers = HeaderMap::new();
        for (name, value) in &post.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                headers.append(name, value);
            }
        }
        // Whoever made the body may have said what no header can hold; without it the body is still worth having.
        if let Some(said) = HeaderValue::try_from(&post.content_type).ok().filter(|said| !said.is_empty()) {
            headers.insert(CONTENT_TYPE, said);
        }
        let ours = [
            (ID, post.id.clone()),
            (TIMESTAMP, timestamp.to_string()),
            (SIGNATURE, signatures.join(" ")),
            (USER_AGENT, concat!("tidemill/", env!("CARGO_PKG_VERSION")).to_owned()),
        ];
        for (name, value) in ours {
            let value = HeaderValue::try_from(value);
            headers.insert(name, value.map_err(|error| NotSent::never(format!("a header is none: {error}")))?);
        }
        let mut request = Request::post(to).body(Full::new(post.body.clone()));
        if let Ok(request) = &mut request {
            *request.headers_mut() = headers;
        }
        request.map_err(|error| NotSent::never(error.to_string()))
    }
}

fn private(peer: &Peer) -> NotSent {
    let (host, bare) = (&peer.host, peer.bare_host());
    NotSent::never(format!(
        "`{host}` is at a private address: it is reached where the server is started with \
         `--allow-private-targets {bare}`, and nowhere else"
    ))
}

fn uri(url: &str) -> Result<Uri, NotSent> {
    url.parse().map_err(|error| NotSent::never(format!("its address is none: {error}")))
}

/// What an answer means.
fn judged(answer: &Answer, now: Timestamp) -> Result<(), NotSent> {
    let status = answer.status;
    match status {
        200..=299 => Ok(()),
        300..=399 => Err(NotSent::retry(format!("it answered {status}, and redirects are not followed"))),
        410 => Err(NotSent::never("it answered 410: the receiver wants no more")),
        429 | 503 => {
            let why = format!("it answered {status}");
            Err(NotSent::Retry { why, after: retry_after(&answer.headers, now) })
        }
        _ => Err(NotSent::retry(format!("it answered {status}"))),
    }
}

#[cfg(test)]
mod tests;
