//! What every request passes on its way in and out, whatever its path: pages from elsewhere are turned away, whoever may
//! not is, and a connection ends after a refusal whose request was not read to its end.
//!
//! Not layers of the router, because each of those costs every request an allocation or two and a copy of the routes.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{CONNECTION, EXPECT, HeaderValue};
use axum::response::{IntoResponse, Response};
use http_body::Body as _;
use hyper::body::Incoming;

use super::body::Rest;
use super::dialect::Dialect;
use super::gate::Gate;
use super::origin;
use super::problem::{FAULT_HEADER, Fault, Problem};
use super::room::Room;
use crate::{config, tasks};

/// The routes with what stands in front of them. Cheap to clone.
#[derive(Clone)]
pub struct Front {
    routes: Router,
    gate: Gate,
    /// What bodies take as they arrive.
    bodies: Room,
    /// Names that mean this server.
    hosts: Arc<[String]>,
    /// Dialects that are not spoken.
    without: Arc<[config::Dialect]>,
    over_tls: bool,
}

/// Stands in a request that came over TLS: what is answered with a URL of this server says so.
#[derive(Clone, Copy, Debug)]
pub(super) struct OverTls;

impl Front {
    pub(super) fn new(
        routes: Router,
        gate: Gate,
        bodies: Room,
        hosts: Vec<String>,
        without: Vec<config::Dialect>,
    ) -> Self {
        Self { routes, gate, bodies, hosts: hosts.into(), without: without.into(), over_tls: false }
    }

    /// The same where TLS is spoken.
    pub(super) fn over_tls(self) -> Self {
        Self { over_tls: true, ..self }
    }

    async fn routed(self, request: Request) -> Result<Response, Infallible> {
        match origin::refusal(&request, &self.hosts).or_else(|| self.not_spoken(&request)) {
            Some(refusal) => Ok(refusal.into_response()),
            None => self.gate.pass(self.routes, request).await,
        }
    }

    fn not_spoken(&self, request: &Request) -> Option<Problem> {
        if self.without.is_empty() {
            return None;
        }
        let dialect = Dialect::named(request.method(), request.uri(), request.headers())?;
        self.without.contains(&dialect).then(|| {
            let detail = format!("this server was started with `--without {}`", dialect.as_str());
            Problem::new(StatusCode::NOT_FOUND, "no_such_path", detail)
        })
    }
}

impl hyper::service::Service<hyper::Request<Incoming>> for Front {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, request: hyper::Request<Incoming>) -> Self::Future {
        let front = self.clone();
        Box::pin(async move {
            let mut request = request.map(Body::new);
            if front.over_tls {
                request.extensions_mut().insert(OverTls);
            }
            if request.body().size_hint().upper() == Some(0) {
                return front.routed(request).await;
            }
            let bodies = front.bodies.clone();
            parted_after_refusal(&bodies, request, |request| front.routed(request)).await
        })
    }
}

/// Ends the connection after a request that was refused before its body was read to its end, and says so: a client
/// that is not told sends its next request on a connection that is gone. What it is still sending is taken for a
/// moment, or it would not read the refusal. Whoever was heard out keeps the connection: a client that a full queue
/// turns away comes again, and a new connection each time would be one more burden.
async fn parted_after_refusal<F>(
    bodies: &Room,
    request: Request,
    answer: impl FnOnce(Request) -> F,
) -> Result<Response, Infallible>
where
    F: Future<Output = Result<Response, Infallible>>,
{
    // A client that waits to be told to go on must not be told so by the reading of what nobody wants.
    let waits = request.headers().contains_key(EXPECT);
    let (request, rest) = {
        let (head, body) = request.into_parts();
        let (body, rest) = Rest::of(body, bodies);
        (Request::from_parts(head, body), rest)
    };
    // What is seen through when the client has gone away has its body still.
    let mut response = tasks::holding(rest.taken(), answer(request)).await?;
    let refused = response.headers().get(FAULT_HEADER).is_some_and(|fault| fault == Fault::Caller.as_str());
    if refused && !rest.was_read() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        if !waits {
            rest.drain().await;
        }
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;

    use super::super::body;
    use super::*;
    use crate::tasks::Tasks;

    const LARGE: usize = 64 * 1_024;

    fn large() -> Request {
        Request::new(Body::from(vec![0; LARGE]))
    }

    async fn read(request: Request) -> Result<Response, Infallible> {
        let read = body::read(request.into_body(), LARGE, "module").await;
        Ok(read.map_or_else(IntoResponse::into_response, |_| StatusCode::OK.into_response()))
    }

    #[tokio::test]
    async fn a_body_takes_room_until_what_is_done_with_it_has_ended_also_when_its_client_has_gone() {
        let (room, tasks) = (Room::new(LARGE), Tasks::default());
        let (end, ended) = oneshot::channel::<()>();
        let deployed = async |request: Request| {
            let module = body::read(request.into_body(), LARGE, "module").await.unwrap();
            let compiled = async move { ended.await.map(|()| module.len()) };
            tasks.see_through("deploy", compiled).await;
            Ok(StatusCode::CREATED.into_response())
        };
        let mut call = Box::pin(parted_after_refusal(&room, large(), deployed));
        assert!(futures::poll!(&mut call).is_pending());
        drop(call);
        let status = async || parted_after_refusal(&room, large(), read).await.unwrap().status();
        assert_eq!(status().await, StatusCode::TOO_MANY_REQUESTS);
        end.send(()).unwrap();
        assert!(tasks.ended(Duration::from_secs(10)).await);
        assert_eq!(status().await, StatusCode::OK);
    }
}
