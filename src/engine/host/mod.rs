//! What a guest finds around it. Nothing, unless it was granted: no directories, no network, no inherited
//! environment; a clock, random numbers, its arguments and its input.

mod config;
mod directories;
mod exit;
mod fault;
mod identity;
mod invoke;
mod inward;
mod keyvalue;
mod logging;
mod outgoing;
mod outward;

use std::sync::Arc;

use bytes::Bytes;
use wasmtime::component::ResourceTable;
use wasmtime::{Engine, ResourceLimiter};
use wasmtime_wasi::p1::{self, WasiP1Ctx};
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView, p0};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};
use wasmtime_wasi_io::IoView;

pub use directories::RefusedDirectory;
pub(super) use identity::headers;
pub(super) use outward::Outward;

use inward::Inward;

use super::build::Flavor;
use super::call::{Call, Identity};
use super::cgi;
use super::limits::Limits;
use super::meter::Meter;
use super::output::Capture;
use crate::model::function::Version;
use crate::model::secret::Entrusted;
use crate::model::{bounds, function};

/// What a guest's store holds.
pub(super) struct Host {
    /// What a component holds here: requests, streams, files.
    table: ResourceTable,
    /// A component's. Made when it is first asked for: most guests never do, and it costs more than many run.
    wasi: Option<Box<WasiCtx>>,
    /// A core module's, which has a table of its own. Made likewise.
    wasi_0_1: Option<Box<WasiP1Ctx>>,
    surroundings: Option<Surroundings>,
    handles: usize,
    http: WasiHttpCtx,
    outgoing: outgoing::Outgoing,
    inward: Option<Inward>,
    config: config::Config,
    log: Option<Capture>,
    limits: Limits,
}

/// What the surroundings of one run are made of.
struct Surroundings {
    identity: Arc<Identity>,
    version: Arc<Version>,
    secrets: Entrusted,
    stdio: Stdio,
    /// What a program finds of a request that it is to answer.
    request: Vec<(String, String)>,
    /// Those with its directories, where it has any.
    directories: Option<WasiCtxBuilder>,
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
    pub(super) async fn new(
        call: &Call,
        stdio: Stdio,
        meter: Meter,
        outward: &Arc<Outward>,
    ) -> Result<Self, RefusedDirectory> {
        let directories = directories::shown(outward, call).await?;
        let log = stdio.stderr.clone();
        let (identity, version) = (Arc::clone(&call.identity), Arc::clone(&call.version));
        let (secrets, request) = (call.secrets.clone(), cgi::request(call).map(cgi::variables).unwrap_or_default());
        let surroundings = Surroundings { identity, version, secrets, stdio, request, directories };
        Ok(Self {
            outgoing: outgoing::Outgoing::of(call, Arc::clone(&outward.outbound), log.clone()),
            inward: Some(Inward::of(call)),
            config: config::Config::of(&call.version),
            log: Some(log),
            ..Self::of(Some(surroundings), &call.version.limits, meter)
        })
    }

    /// Surroundings that nothing runs in, for looking at a module.
    pub(super) fn empty() -> Self {
        let nothing = function::Limits { memory_bytes: 0, ..function::Limits::default() };
        Self::of(None, &nothing, Meter::begin())
    }

    fn of(surroundings: Option<Surroundings>, limits: &function::Limits, meter: Meter) -> Self {
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(bounds::MAX_HEAD_BYTES);
        let handles = usize::try_from(limits.space.handles).unwrap_or(usize::MAX);
        let (outgoing, config) = (outgoing::Outgoing::none(), config::Config::none());
        let limits = Limits::new(limits, meter);
        let (wasi, wasi_0_1, table) = (None, None, table(handles));
        Self { table, wasi, wasi_0_1, surroundings, handles, http, outgoing, inward: None, config, log: None, limits }
    }

    /// What a core module has of WASI.
    fn wasi_0_1(&mut self) -> &mut WasiP1Ctx {
        let (surroundings, handles) = (&mut self.surroundings, self.handles);
        self.wasi_0_1.get_or_insert_with(|| {
            let mut wasi = around(surroundings.take()).build_p1();
            wasi.ctx().table.set_max_capacity(handles);
            Box::new(wasi)
        })
    }

    /// Takes what is new for another run in the same instance from `next`: who the guest is, where it may go, what it is
    /// measured by. What the guest holds it keeps.
    pub(super) fn follow(&mut self, next: Self) {
        let Self { surroundings, outgoing, inward, config, log, limits, .. } = next;
        self.limits.follow(limits);
        self.outgoing.follow(outgoing);
        (self.inward, self.config, self.log) = (inward, config, log);
        self.wasi = None;
        match &mut self.wasi_0_1 {
            Some(wasi) => *wasi.ctx().ctx = around(surroundings).build(),
            None => self.surroundings = surroundings,
        }
    }

    /// Linear memory that the guest has.
    pub(super) const fn memory_bytes(&self) -> u64 {
        self.limits.used()
    }

    /// Whether the guest has taken so much that another run had better find a fresh instance.
    pub(super) const fn is_nearly_used_up(&self) -> bool {
        self.limits.is_nearly_used_up()
    }

    /// Whether a guest that has ended left so many requests under way that another run had better find a fresh instance.
    pub(super) fn has_left_many_requests(&self) -> bool {
        self.outgoing.has_left_many()
    }

    /// Drops all that the guest holds here.
    pub(super) fn let_go(&mut self) {
        (self.wasi, self.wasi_0_1, self.table) = (None, None, table(self.handles));
    }

    /// The limits on its allocations.
    pub(super) fn limiter(&mut self) -> &mut dyn ResourceLimiter {
        &mut self.limits
    }
}

fn table(handles: usize) -> ResourceTable {
    let mut table = ResourceTable::new();
    table.set_max_capacity(handles);
    table
}

fn around(surroundings: Option<Surroundings>) -> WasiCtxBuilder {
    let mut wasi = WasiCtxBuilder::new();
    if let Some(Surroundings { identity, version, secrets, stdio, request, directories }) = surroundings {
        wasi = directories.unwrap_or(wasi);
        wasi.arg(&identity.function)
            .args(&version.arguments)
            .envs(&identity::environment(&identity, &version, &secrets, request))
            .stdin(MemoryInputPipe::new(stdio.stdin))
            .stdout(stdio.stdout)
            .stderr(stdio.stderr);
    }
    wasi.allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .socket_addr_check(|_, _| Box::pin(async { false }));
    wasi
}

impl WasiView for Host {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let Self { wasi, surroundings, table, .. } = self;
        let ctx = wasi.get_or_insert_with(|| Box::new(around(surroundings.take()).build()));
        WasiCtxView { ctx, table }
    }
}

impl IoView for Host {
    fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }
}

impl WasiHttpView for Host {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let Self { table, http, outgoing, .. } = self;
        WasiHttpCtxView { hooks: outgoing, table, ctx: http }
    }
}

/// What imports are resolved with, built once.
pub(super) struct Linkers {
    pub(super) core: wasmtime::Linker<Host>,
    pub(super) component: wasmtime::component::Linker<Host>,
}

impl Linkers {
    /// WASI 0.1 for core modules, 0.2 with `wasi:http`, `wasi:config` and `wasi:logging` for components, and the means to
    /// crash where a test asks. WASI 0.3 only where guests do several things at once.
    ///
    /// Core modules from before 2020 know WASI as `wasi_unstable`: older names for the same surroundings.
    pub(super) fn new(engine: &Engine, flavor: Flavor, fault_injection: bool) -> wasmtime::Result<Self> {
        let mut core = wasmtime::Linker::new(engine);
        p1::add_to_linker_async(&mut core, Host::wasi_0_1)?;
        p0::add_to_linker_async(&mut core, Host::wasi_0_1)?;
        exit::add_to_linker(&mut core)?;
        if fault_injection {
            fault::add_to_linker(&mut core)?;
        }
        let mut component = wasmtime::component::Linker::new(engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut component)?;
        // Once more: those that came with the others make a whole environment for each stream that is read.
        component.allow_shadowing(true);
        wasmtime_wasi_io::add_to_linker_async(&mut component)?;
        component.allow_shadowing(false);
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut component)?;
        config::add_to_linker(&mut component)?;
        logging::add_to_linker(&mut component)?;
        invoke::add_to_linker(&mut component)?;
        keyvalue::add_to_linker(&mut component)?;
        if flavor.concurrent {
            wasmtime_wasi::p3::add_to_linker(&mut component)?;
            wasmtime_wasi_http::p3::add_to_linker(&mut component)?;
        }
        Ok(Self { core, component })
    }
}
