//! `wasi:http` 0.2: the guest sets its response while it runs, and ends when it has sent it.

use std::pin::pin;

use futures::FutureExt as _;
use futures::future::{Either, select};
use tokio::sync::oneshot;
use wasmtime::component::{Component, Resource};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;
use wasmtime_wasi_http::p2::bindings::{Proxy, ProxyPre};
use wasmtime_wasi_http::p2::types::{HostIncomingRequest, HostResponseOutparam};

use super::{Set, request, response};
use crate::engine::entrypoint::{End, Run, Standing, link};
use crate::engine::host::{Host, Linkers};
use crate::engine::meter::Meter;
use crate::engine::refused::Refused;

/// A function of this version, ready to run.
pub(in crate::engine) struct Http02(ProxyPre<Host>);

/// Found in any version that is compatible with this one.
const INTERFACE: &str = "wasi:http/incoming-handler@0.2.0";

pub(super) fn is_offered_by(component: &Component) -> bool {
    component.get_export_index(None, INTERFACE).is_some()
}

pub(super) fn wrong() -> Refused {
    Refused::WrongSignature {
        export: INTERFACE.to_owned(),
        expected: "it must be the interface of `wasi:http`, with `handle: func(request, response-out)`",
    }
}

impl Http02 {
    pub(super) fn new(linkers: &Linkers, component: &Component) -> Result<Self, Refused> {
        ProxyPre::new(link(linkers, component)?).map(Self).map_err(|_| wrong())
    }

    /// The guest and the reader of its response go on together: a guest waits while its body is not read. What the guest
    /// holds ends with it, and with that whatever of the response it never sent; unless it has sent all of it, and may be
    /// entered again.
    pub(super) async fn run(&self, run: Run<'_>) -> wasmtime::Result<End> {
        let Run { store, standing, call, meter, .. } = run;
        let (set, response) = oneshot::channel::<Set>();
        let mut http = store.data_mut().http();
        let request = http.new_incoming_request(Scheme::Http, request::build(call))?;
        let out = http.new_response_outparam(set)?;
        let before = standing.take();
        let mut response = pin!(response::collect(response, call.result_bytes()));
        let (instance, all) = {
            let guest = pin!(self.enter(&mut *store, before, meter, request, out));
            match select(guest, &mut response).await {
                Either::Left((guest, _)) => (guest?, None),
                Either::Right((all, guest)) => {
                    let all = all?; // one that is too large ends the guest
                    (guest.await?, Some(Ok(all)))
                }
            }
        };
        if let Some(all) = all.or_else(|| (&mut response).now_or_never()) {
            *standing = Some(Standing::Http(instance));
            return Ok(response::judge(all?));
        }
        store.data_mut().let_go();
        Ok(response::judge(response.await?))
    }

    async fn enter(
        &self,
        store: &mut wasmtime::Store<Host>,
        before: Option<Standing>,
        meter: &Meter,
        request: Resource<HostIncomingRequest>,
        out: Resource<HostResponseOutparam>,
    ) -> wasmtime::Result<Proxy> {
        let instance = match before {
            Some(Standing::Http(instance)) => instance,
            _ => self.0.instantiate_async(&mut *store).await?,
        };
        meter.instantiated();
        instance.wasi_http_incoming_handler().call_handle(&mut *store, request, out).await?;
        Ok(instance)
    }
}
