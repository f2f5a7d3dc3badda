//! What a guest finds around it. Nothing, unless it was given: no directories, no network, no inherited
//! environment; a clock, random numbers, its arguments and its input.

mod exit;
mod fault;
mod identity;
mod invoke;
mod inward;
mod keyvalue;
mod outgoing;

use bytes::Bytes;
use wasmtime::component::ResourceTable;
use wasmtime::{Engine, ResourceLimiter};
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{WasiCtxBuilder, WasiCtxView, WasiView, p0};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

pub(super) use identity::headers;

use inward::Inward;

use super::call::Call;
use super::limits::{Limits, Refusals};
use super::output::Capture;
use crate::model::bounds;

/// What a guest's store holds.
pub(super) struct Host {
    wasi: WasiP1Ctx,
    http: WasiHttpCtx,
    outgoing: outgoing::Refuse,
    inward: Option<Inward>,
    limits: Limits,
}

/// Where a guest's input and output go.
#[derive(Debug)]
pub(super) struct Stdio {
    pub(super) stdin: Bytes,
    pub(super) stdout: Capture,
    pub(super) stderr: Capture,
}

impl Host {
    /// The surroundings of one run.
    pub(super) fn new(call: &Call, stdio: Stdio, refused: Refusals) -> Self {
        let mut wasi = WasiCtxBuilder::new();
        wasi.arg(&call.identity.function)
            .args(&call.version.arguments)
            .envs(&identity::environment(call))
            .stdin(MemoryInputPipe::new(stdio.stdin))
            .stdout(stdio.stdout)
            .stderr(stdio.stderr);
        let host = Self::around(&mut wasi, Limits::new(call.memory_bytes(), refused));
        Self { inward: Some(Inward::of(call)), ..host }
    }

    /// Surroundings that nothing runs in, for looking at a module.
    pub(super) fn empty() -> Self {
        Self::around(&mut WasiCtxBuilder::new(), Limits::new(0, Refusals::default()))
    }

    fn around(wasi: &mut WasiCtxBuilder, limits: Limits) -> Self {
        wasi.allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .socket_addr_check(|_, _| Box::pin(async { false }));
        let mut wasi = wasi.build_p1();
        wasi.ctx().table.set_max_capacity(bounds::MAX_GUEST_HANDLES);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(bounds::MAX_HEAD_BYTES);
        Self { wasi, http, outgoing: outgoing::Refuse, inward: None, limits }
    }

    /// The limits on its allocations.
    pub(super) fn limiter(&mut self) -> &mut dyn ResourceLimiter {
        &mut self.limits
    }
}

impl WasiView for Host {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.wasi.ctx()
    }
}

impl WasiHttpView for Host {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let table: &mut ResourceTable = self.wasi.ctx().table;
        WasiHttpCtxView { hooks: &mut self.outgoing, table, ctx: &mut self.http }
    }
}

/// What imports are resolved with, built once.
pub(super) struct Linkers {
    pub(super) core: wasmtime::Linker<Host>,
    pub(super) component: wasmtime::component::Linker<Host>,
}

impl Linkers {
    /// WASI 0.1 for core modules, 0.2 with `wasi:http` for components, and the means to crash where a test asks.
    ///
    /// Core modules from before 2020 know WASI as `wasi_unstable`: older names for the same surroundings.
    pub(super) fn new(engine: &Engine, fault_injection: bool) -> wasmtime::Result<Self> {
        let mut core = wasmtime::Linker::new(engine);
        p1::add_to_linker_async(&mut core, |host: &mut Host| &mut host.wasi)?;
        p0::add_to_linker_async(&mut core, |host: &mut Host| &mut host.wasi)?;
        exit::add_to_linker(&mut core)?;
        if fault_injection {
            fault::add_to_linker(&mut core)?;
        }
        let mut component = wasmtime::component::Linker::new(engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut component)?;
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut component)?;
        invoke::add_to_linker(&mut component)?;
        keyvalue::add_to_linker(&mut component)?;
        Ok(Self { core, component })
    }
}
