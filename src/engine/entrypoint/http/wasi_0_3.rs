//! `wasi:http` 0.3: the guest returns its response, and goes on until it has sent it. A run ends when both are done, as it
//! does with 0.2; in an instance that serves several at once it ends when the response is whole.

use std::future::Future;
use std::pin::Pin;

use http::header::HOST;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Uri};
use wasmtime::Store;
use wasmtime::component::{Accessor, Component, GuestTaskId};
use wasmtime_wasi_http::WasiHttpView as _;
use wasmtime_wasi_http::p3::Request as Given;
use wasmtime_wasi_http::p3::bindings::{Service, ServicePre};

use super::response::Collected;
use super::{request, response};
use crate::engine::call::Call;
use crate::engine::entrypoint::{End, Run, Standing, done, link};
use crate::engine::host::{Host, Linkers};
use crate::engine::refused::Refused;

/// A function of this version, ready to run.
pub(in crate::engine) struct Http03(ServicePre<Host>);

/// Found in any version that is compatible with this one.
const INTERFACE: &str = "wasi:http/handler@0.3.0";

pub(super) fn is_offered_by(component: &Component) -> bool {
    component.get_export_index(None, INTERFACE).is_some()
}

impl Http03 {
    pub(super) fn new(linkers: &Linkers, component: &Component) -> Result<Self, Refused> {
        let wrong = |_| Refused::WrongSignature {
            export: INTERFACE.to_owned(),
            expected: "it must be the interface of `wasi:http`, with `handle: async func(request) -> result<response, error-code>`",
        };
        ServicePre::new(link(linkers, component)?).map(Self).map_err(wrong)
    }

    /// An instance that may be entered.
    pub(in crate::engine) async fn instantiate(&self, store: &mut Store<Host>) -> wasmtime::Result<Service> {
        self.0.instantiate_async(store).await
    }

    pub(super) async fn run(&self, run: Run<'_>) -> wasmtime::Result<End> {
        let Run { store, standing, call, meter, .. } = run;
        let instance = match standing.take() {
            Some(Standing::Service(instance)) => instance,
            _ => self.instantiate(&mut *store).await?,
        };
        meter.instantiated();
        let (request, most) = (addressed(request::build(call)), call.result_bytes());
        let (request, received) = Given::from_http(store.data_mut().http().hooks, request);
        let entered = store.run_concurrent(async |guest| {
            let collected = match instance.handle(guest, request).await? {
                Ok(answer) => {
                    let answer = guest.with(|store| answer.into_http(store, received))?;
                    response::whole(answer, most).await?
                }
                Err(code) => Collected::error(&code),
            };
            done(guest).await;
            Ok::<_, wasmtime::Error>(collected)
        });
        let collected = entered.await??;
        *standing = Some(Standing::Service(instance));
        Ok(response::judge(collected))
    }
}

/// Ends when the guest has received its request.
type Received = Pin<Box<dyn Future<Output = Result<(), wasmtime_wasi_http::Error>> + Send>>;

/// Sets a request going in an instance that may serve others at the same time. Returns what it is called there, and what
/// ends when its response is whole: an error is one of the instance, and an error within ends no more than this request.
pub(in crate::engine) fn begin<'a>(
    guest: &'a Accessor<Host>,
    instance: &'a Service,
    call: &Call,
) -> wasmtime::Result<(GuestTaskId, impl Future<Output = wasmtime::Result<wasmtime::Result<End>>> + Send + use<'a>)> {
    let (request, most) = (addressed(request::build(call)), call.result_bytes());
    let handle = instance.wasi_http_handler().func_handle();
    let (call, received) = guest.with(|mut store| {
        let http = store.data_mut().http();
        let (request, received) = Given::from_http(http.hooks, request);
        let (request, received) = (http.table.push(request)?, Box::pin(received) as Received);
        Ok::<_, wasmtime::Error>((handle.start_call_concurrent(store, (request,))?, received))
    })?;
    let task = call.task();
    let ends = async move {
        let (answer,) = handle.finish_call_concurrent(guest, call).await?;
        let answer = match answer {
            Ok(answer) => answer,
            Err(code) => return Ok(Ok(response::judge(Collected::error(&code)))),
        };
        let answer = guest.with(|mut store| {
            let answer = store.data_mut().http().table.delete(answer)?;
            Ok::<_, wasmtime::Error>(answer.into_http(store, received))
        })?;
        Ok(match answer {
            Ok(answer) => response::whole(answer, most).await.map(response::judge),
            Err(error) => Err(error),
        })
    };
    Ok((task, ends))
}

/// The request with its address whole: 0.3 reads the authority from there and not from the headers.
fn addressed<B>(mut request: Request<B>) -> Request<B> {
    let host = request.headers().get(HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    if host.is_some() {
        (parts.scheme, parts.authority) = (Some(Scheme::HTTP), host);
    }
    parts.path_and_query.get_or_insert_with(|| PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
    request
}
