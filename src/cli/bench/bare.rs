//! The server that functions are measured against: the same HTTP library with the same settings and as many threads as
//! a server of ours, and behind it nothing but a constant. What lies between the two is the price of a function.

use std::convert::Infallible;
use std::net::Ipv4Addr;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

use super::child::LISTENS;
use crate::cli::error::Error;
use crate::cli::output;
use crate::model::bounds;
use crate::tasks::{OnExit, Tasks};

/// What it answers to everything.
pub(super) const ANSWER: &[u8] = b"hello from tidemill";

/// Listens where there is room, says where, and answers until the process ends.
pub(super) async fn run() -> Result<(), Error> {
    let failed = |error| Error::Bench(format!("the bare server cannot listen: {error}"));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
    output::line(&format!("{LISTENS}http://{}", listener.local_addr().map_err(failed)?))?;
    // The loop is a task like those that it starts: what is polled by the main thread alone has none of the others.
    let tasks = Tasks::default();
    let accepting = accept(listener, tasks.clone());
    tasks.see_through("listener", accepting).await.unwrap_or(Ok(())).map_err(failed)
}

async fn accept(listener: TcpListener, tasks: Tasks) -> std::io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        tasks.spawn("connection", OnExit::Ignore, connection(stream));
    }
}

/// Serves as `http/listener.rs` does.
async fn connection(stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds::READ_TIMEOUT)
        .max_buf_size(bounds::MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service_fn(answer));
    let _ = served.await; // a client that goes away is none of our concern
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut body = request.into_body();
    while let Some(Ok(_)) = body.frame().await {}
    Ok(Response::new(Full::new(Bytes::from_static(ANSWER))))
}
