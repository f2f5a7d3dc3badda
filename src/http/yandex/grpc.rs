//! The door of gRPC: HTTP/2 on a port of its own. Who calls is in the metadata; the rest is the services' business.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::Status;
use tonic::body::Body;

use super::asked::Asked;
use super::services::Services;
use crate::access::Caller;
use crate::http::body::{Late, Paced, Rest, cause};
use crate::http::listener::{Ending, Protocol, Serves};
use crate::http::room::{NoRoom, Room};
use crate::model::bounds;
use crate::runtime::Runtime;
use crate::tasks::{OnExit, Tasks, holding};

/// Calls of one connection that are under way at once.
const MAX_CALLS: u32 = 64;
/// A connection on which nothing is heard for this long is asked whether anybody is there,
const ASK_AFTER: Duration = Duration::from_secs(30);
/// and ended when no answer comes for this long.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// What stands in front of a token.
const BEARER: &str = "Bearer ";

/// What answers calls. Cheap to clone.
#[derive(Clone)]
pub struct Grpc {
    runtime: Runtime,
    services: Services,
    /// What messages take as they arrive.
    bodies: Room,
    tasks: Tasks,
}

impl Grpc {
    pub(in crate::http) fn new(runtime: Runtime, services: Services, bodies: &Room, tasks: Tasks) -> Self {
        Self { runtime, services, bodies: bodies.among(MAX_CALLS as usize), tasks }
    }

    async fn answer(self, request: Request<Incoming>) -> Response<Body> {
        let authority = request.uri().authority().map(|authority| authority.host().to_owned());
        let host = authority.unwrap_or_else(|| "localhost".to_owned());
        let caller = match self.caller(request.headers()) {
            Ok(caller) => caller,
            Err(status) => return status.into_http(),
        };
        let (head, body) = request.into_parts();
        // Whatever a message is made into takes its room until the call is answered and what it began has ended.
        let (body, rest) = Rest::of(axum::body::Body::new(body), &self.bodies);
        let body = Body::new(Paced::new(body).map_err(unread));
        let answered = self.services.call(Request::from_parts(head, body), Asked::new(caller, host));
        holding(rest.taken(), answered).await
    }

    /// Who calls, by the metadata.
    fn caller(&self, headers: &HeaderMap) -> Result<Caller, Status> {
        if !self.runtime.authenticates() {
            return Ok(Caller::Trusted);
        }
        let mut shown = headers.get_all(AUTHORIZATION).iter();
        let Some(first) = shown.next() else { return Ok(Caller::Nobody) };
        if shown.next().is_some() {
            return Err(Status::unauthenticated("there are several `authorization` values in the metadata"));
        }
        let text = first.to_str().unwrap_or_default();
        if !text.get(..BEARER.len()).is_some_and(|scheme| scheme.eq_ignore_ascii_case(BEARER)) {
            return Err(Status::unauthenticated("`authorization` is no bearer token: send `Bearer TOKEN`"));
        }
        let who = self.runtime.access().bearer(text[BEARER.len()..].trim());
        who.map(Caller::Account).map_err(|refused| Status::unauthenticated(refused.to_string()))
    }
}

/// Why a message did not arrive, as whoever decodes it tells its sender.
fn unread(error: axum::Error) -> Box<dyn std::error::Error + Send + Sync> {
    if let Some(no_room) = cause::<NoRoom>(&error) {
        return Status::resource_exhausted(no_room).into();
    }
    if let Some(late) = cause::<Late>(&error) {
        return Status::deadline_exceeded(format!("the message {late}")).into();
    }
    error.into_inner()
}

impl hyper::service::Service<Request<Incoming>> for Grpc {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let grpc = self.clone();
        Box::pin(async move { Ok(grpc.answer(request).await) })
    }
}

/// Starts what a connection needs started where all is started.
#[derive(Clone)]
struct Starts(Tasks);

impl<F> hyper::rt::Executor<F> for Starts
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        self.0.spawn("grpc-call", OnExit::Ignore, future);
    }
}

impl Serves for Grpc {
    const PROTOCOL: Protocol = Protocol::Http2;

    async fn connection(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, ending: Ending) {
        let served = http2::Builder::new(Starts(self.tasks.clone()))
            .timer(TokioTimer::new())
            .keep_alive_interval(ASK_AFTER)
            .keep_alive_timeout(ANSWER_WITHIN)
            .max_concurrent_streams(MAX_CALLS)
            .max_header_list_size(u32::try_from(bounds::MAX_HEAD_BYTES).unwrap_or(u32::MAX))
            .serve_connection(TokioIo::new(stream), self);
        if let Err(error) = ending.seen(served, http2::Connection::graceful_shutdown).await {
            tracing::debug!(%error, "a connection of gRPC ended early");
        }
    }
}
