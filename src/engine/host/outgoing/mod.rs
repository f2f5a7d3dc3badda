//! Requests of a guest to others: to hosts that its version's grants cover, and to nobody else.
//!
//! A request is admitted by what it says (`destination`), and then by the very address that is connected to
//! ([`crate::outbound`]): a name is resolved once, and nobody resolves it again. Redirects are the guest's to follow,
//! by a request that is looked at like any other. Why a request was not sent stands in the attempt's log; the guest
//! gets the code that WIT has for it.

mod destination;
mod exchange;
mod headers;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, Method, Request, Response, header};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpHooks,
};

use self::destination::Destination;
use crate::engine::call::{Call, Identity};
use crate::engine::output::Capture;
use crate::model::bounds;
use crate::model::function::Version;
use crate::model::grant::Scheme;
use crate::outbound::{self, Cause};
use crate::tls::UnusableAuthority;

/// How long after an attempt's deadline its requests are given up. It is the deadline that ends a guest which waits for
/// one, and not an error that the guest may make something else of.
const AFTERWARDS: Duration = Duration::from_millis(200);
/// What a guest hands over of a body at once.
const CHUNK_BYTES: usize = 64 * 1_024;

/// What the requests of all guests go out by.
pub(in crate::engine) struct Outbound {
    connections: outbound::Outbound,
    /// Requests that may be under way.
    requests: Arc<Semaphore>,
}

impl Outbound {
    /// `authority` is a file of certificates in PEM that are trusted besides the public ones.
    pub(in crate::engine) fn new(authority: Option<&std::path::Path>) -> Result<Self, UnusableAuthority> {
        Ok(Self {
            connections: outbound::Outbound::new(authority)?,
            requests: Arc::new(Semaphore::new(bounds::MAX_OUTBOUND_REQUESTS)),
        })
    }
}

/// The requests of one guest.
pub(super) struct Outgoing(Option<Guest>);

struct Guest {
    outbound: Arc<Outbound>,
    version: Arc<Version>,
    identity: Arc<Identity>,
    log: Capture,
    until: Instant,
    /// Made for the first request; most guests send none.
    requests: Option<Arc<Semaphore>>,
}

/// How long a request may take.
#[derive(Clone, Copy, Debug)]
struct Patience {
    connect: Duration,
    first_byte: Duration,
    between_bytes: Duration,
    /// When it is over, whatever it is doing.
    until: Instant,
}

/// As long as a request has them, it counts as under way.
type Permits = [OwnedSemaphorePermit; 2];

/// Why a request was not sent, or not answered: for the guest, and for whoever reads its log.
#[derive(Debug)]
struct Unsent {
    code: Error,
    why: String,
}

type Transfer = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Result<(Response<WasiBody>, Transfer), Error>;

impl Outgoing {
    /// Of a guest that never runs.
    pub(super) const fn none() -> Self {
        Self(None)
    }

    /// Of a guest that starts now. What is not sent is told in `log`.
    pub(super) fn of(call: &Call, outbound: Arc<Outbound>, log: Capture) -> Self {
        Self(Some(Guest {
            outbound,
            version: Arc::clone(&call.version),
            identity: Arc::clone(&call.identity),
            log,
            until: Instant::now() + call.timeout() + AFTERWARDS,
            requests: None,
        }))
    }

    /// Takes what is new for another run from `next`. What earlier runs have under way still counts.
    pub(super) fn follow(&mut self, mut next: Self) {
        if let (Some(Guest { requests, .. }), Some(next)) = (&mut self.0, &mut next.0) {
            next.requests = requests.take();
        }
        *self = next;
    }

    /// Whether more requests are under way than may just be ending.
    pub(super) fn has_left_many(&self) -> bool {
        let requests = self.0.as_ref().and_then(|guest| guest.requests.as_ref());
        requests.is_some_and(|requests| requests.available_permits() < bounds::MAX_GUEST_REQUESTS / 2)
    }
}

impl Guest {
    fn admit(&mut self, request: &Request<WasiBody>) -> Result<(Destination, Permits), Unsent> {
        if *request.method() == Method::CONNECT {
            return Err(Unsent::new(Error::HttpRequestMethodInvalid, "tunnels are not made here"));
        }
        let destination = Destination::of(request.uri(), &self.version.grants.http)?;
        Ok((destination, self.permits()?))
    }

    fn permits(&mut self) -> Result<Permits, Unsent> {
        let own = self.requests.get_or_insert_with(|| Arc::new(Semaphore::new(bounds::MAX_GUEST_REQUESTS)));
        let take = |from: &Arc<Semaphore>, whose: &str, most: usize| {
            Arc::clone(from).try_acquire_owned().map_err(|_| {
                Unsent::new(Error::ConnectionLimitReached, format!("{whose} has {most} under way, which is the most"))
            })
        };
        Ok([
            take(own, "the function", bounds::MAX_GUEST_REQUESTS)?,
            take(&self.outbound.requests, "the runtime", bounds::MAX_OUTBOUND_REQUESTS)?,
        ])
    }
}

impl Patience {
    fn of(options: Option<RequestOptions>, until: Instant) -> Self {
        let left = until.saturating_duration_since(Instant::now());
        let options = options.unwrap_or_default();
        let within = |asked: Option<Duration>| asked.unwrap_or(left).min(left);
        Self {
            connect: within(options.connect_timeout),
            first_byte: within(options.first_byte_timeout),
            between_bytes: within(options.between_bytes_timeout),
            until,
        }
    }
}

impl Unsent {
    fn new(code: Error, why: impl Into<String>) -> Self {
        Self { code, why: why.into() }
    }
}

/// What WIT has for it.
impl From<outbound::Unsent> for Unsent {
    fn from(outbound::Unsent { cause, why }: outbound::Unsent) -> Self {
        let code = match cause {
            Cause::BrokenOff => Error::HttpResponseIncomplete,
            Cause::Certificate => Error::TlsCertificateError,
            Cause::ConnectionRefused => Error::ConnectionRefused,
            Cause::ConnectionTimeout => Error::ConnectionTimeout,
            Cause::InvalidUri => Error::HttpRequestUriInvalid,
            Cause::LookupTimeout => Error::DnsTimeout,
            Cause::NotAnswered => Error::ConnectionReadTimeout,
            Cause::PrivateAddress => {
                let why = "its address is private: grant it as `private+...` if the function is to reach it";
                return Self::new(Error::DestinationIpProhibited, why);
            }
            Cause::Terminated => Error::ConnectionTerminated,
            Cause::TlsAlert { id, name } => Error::TlsAlertReceived { alert_id: Some(id), alert_message: Some(name) },
            Cause::TlsProtocol => Error::TlsProtocolError,
            Cause::Unavailable => Error::DestinationUnavailable,
            Cause::UnknownName => Error::DnsError { rcode: None, info_code: None },
            Cause::Unroutable => Error::DestinationIpUnroutable,
            Cause::WrongScheme => Error::HttpProtocolError,
        };
        Self::new(code, why)
    }
}

impl WasiHttpHooks for Outgoing {
    /// A function sees the `Host` it was called by; wasmtime would hide it. One that it sets itself is replaced.
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        is_forbidden(name)
    }

    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(is_forbidden)
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK_BYTES
    }

    fn p3_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK_BYTES
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _transfer: Transfer,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let Some(guest) = &mut self.0 else { return Box::new(async { Err(Error::HttpRequestDenied) }) };
        let (admitted, log, identity) = (guest.admit(&request), guest.log.clone(), Arc::clone(&guest.identity));
        let (outbound, patience) = (Arc::clone(&guest.outbound), Patience::of(options, guest.until));
        Box::new(async move {
            let asked = format!("{} {}", request.method(), destination::told(request.uri()));
            let sent = match admitted {
                Ok((to, permits)) => send(&outbound.connections, to, request, &identity, patience, permits).await,
                Err(unsent) => Err(unsent),
            };
            sent.map_err(|Unsent { code, why }| {
                log.note(&format!("tidemill: no answer to {asked}: {why}"));
                code
            })
        })
    }
}

fn is_forbidden(name: &HeaderName) -> bool {
    *name != header::HOST && DEFAULT_FORBIDDEN_HEADERS.contains(name)
}

async fn send(
    connections: &outbound::Outbound,
    to: Destination,
    mut request: Request<WasiBody>,
    identity: &Identity,
    patience: Patience,
    permits: Permits,
) -> Result<(Response<WasiBody>, Transfer), Unsent> {
    headers::prepare(&mut request, &to, identity)?;
    let begun = Instant::now();
    let may_reach = |address| to.private || outbound::is_public(address);
    let stream = connections.connect(&to.peer, may_reach, patience.connect).await?;
    match to.peer.scheme {
        Scheme::Http => exchange::exchange(stream, request, patience, permits).await,
        Scheme::Https => {
            let left = patience.connect.saturating_sub(begun.elapsed());
            let stream = connections.greet(&to.peer, stream, left).await?;
            exchange::exchange(stream, request, patience, permits).await
        }
    }
}
