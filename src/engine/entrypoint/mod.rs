//! What in a module is called: which kinds there are, which one a module is, and the run of each.

mod command;
mod handler;
mod http;
mod raw;
mod typed;

use std::future::poll_fn;

use wasmtime::component::{self, Accessor, Component, InstancePre};
use wasmtime::{Module, Store};
use wasmtime_wasi_http::p2::bindings::Proxy;
use wasmtime_wasi_http::p3::bindings::Service;

use super::call::{Call, Reply};
use super::code::Code;
use super::host::{Host, Linkers};
use super::meter::Meter;
use super::output::Capture;
use super::refused::Refused;
use super::trap::Circumstances;
use super::{imports, trap};
use crate::model::entrypoint::{Entrypoint, ExportName, Wanted};
use crate::model::outcome::Failure;

pub(super) use self::http::{Http, Http03, begin};
pub(super) use typed::fuzz as fuzz_typed;
pub use typed::{Misfit, Signature};

/// A module with its imports resolved and its entrypoint found, so that a run looks nothing up by name.
pub(super) enum Target {
    Command(command::Command),
    Handler(handler::Handler),
    Http(Http),
    Typed(typed::Typed),
    Raw(raw::Raw),
}

/// One run as a target sees it.
pub(super) struct Run<'a> {
    pub(super) store: &'a mut Store<Host>,
    /// The instance, where an earlier run has left one. It is taken out, and one that can be entered again is put back.
    pub(super) standing: &'a mut Option<Standing>,
    pub(super) call: &'a Call,
    pub(super) stdout: &'a Capture,
    pub(super) stderr: &'a Capture,
    pub(super) meter: &'a Meter,
}

/// An instance that has been entered and left, and may be entered again.
pub(super) enum Standing {
    Component(component::Instance),
    Core(wasmtime::Instance),
    Http(Proxy),
    Service(Service),
}

/// How a run ended, if not by an error of wasmtime's.
pub(super) struct End {
    pub(super) end: Result<Reply, Failure>,
    pub(super) answer: Option<Reply>,
}

impl Target {
    /// What was asked for; or else the first kind that the module offers, or the only function that it exports.
    pub(super) fn choose(linkers: &Linkers, code: &Code, wanted: Option<&Wanted>) -> Result<Self, Refused> {
        match wanted {
            Some(Wanted::Entrypoint(wanted)) => Self::new(linkers, code, wanted),
            Some(Wanted::Export(name)) => Self::exported(linkers, code, name),
            None => match Entrypoint::ALL.iter().find(|kind| offers(code, kind)) {
                Some(kind) => Self::new(linkers, code, kind),
                None => Self::exported(linkers, code, &only_callable(code)?),
            },
        }
    }

    fn new(linkers: &Linkers, code: &Code, wanted: &Entrypoint) -> Result<Self, Refused> {
        let missing = || Err(Refused::MissingEntrypoint { wanted: Some(wanted.clone()), exports: code.exports() });
        match (wanted, code) {
            (Entrypoint::Typed(name), Code::Component(_)) | (Entrypoint::Raw(name), Code::Core(_)) => {
                Self::exported(linkers, code, name)
            }
            _ if !offers(code, wanted) => missing(),
            (Entrypoint::Command, _) => command::Command::new(linkers, code).map(Self::Command),
            (Entrypoint::Handler, _) => handler::Handler::new(linkers, code).map(Self::Handler),
            (Entrypoint::Http, _) => Http::new(linkers, code).map(Self::Http),
            (Entrypoint::Typed(_) | Entrypoint::Raw(_), _) => missing(),
        }
    }

    /// The exported function of that name.
    fn exported(linkers: &Linkers, code: &Code, name: &ExportName) -> Result<Self, Refused> {
        match code {
            Code::Component(component) => typed::Typed::new(linkers, component, name).map(Self::Typed),
            Code::Core(module) => raw::Raw::new(linkers, module, name).map(Self::Raw),
        }
    }

    /// What it is, all of it.
    pub(super) fn entrypoint(&self) -> Entrypoint {
        match self {
            Self::Command(_) => Entrypoint::Command,
            Self::Handler(_) => Entrypoint::Handler,
            Self::Http(_) => Entrypoint::Http,
            Self::Typed(typed) => Entrypoint::Typed(typed.name().clone()),
            Self::Raw(raw) => Entrypoint::Raw(raw.name().clone()),
        }
    }

    /// What its payload and its result have to be, where it says so itself.
    pub(super) const fn signature(&self) -> Option<&Signature> {
        match self {
            Self::Typed(typed) => Some(typed.signature()),
            Self::Command(_) | Self::Handler(_) | Self::Http(_) | Self::Raw(_) => None,
        }
    }

    /// Runs it, in a fresh instance unless one is standing.
    ///
    /// Each in a box of its own size: unboxed, everybody's run would be as large as the largest, several times over, since
    /// whatever it is handed on through keeps a place for it twice.
    pub(super) async fn run(&self, run: Run<'_>) -> wasmtime::Result<End> {
        match self {
            Self::Command(command) => Box::pin(command.run(run)).await,
            Self::Handler(handler) => Box::pin(handler.run(run)).await,
            Self::Http(http) => Box::pin(http.run(run)).await,
            Self::Typed(typed) => Box::pin(typed.run(run)).await,
            Self::Raw(raw) => Box::pin(raw.run(run)).await,
        }
    }
}

impl Run<'_> {
    /// The instance of a component, ready to be entered.
    async fn component(&mut self, fresh: &InstancePre<Host>) -> wasmtime::Result<component::Instance> {
        let instance = match self.standing.take() {
            Some(Standing::Component(instance)) => instance,
            _ => fresh.instantiate_async(&mut *self.store).await?,
        };
        self.meter.instantiated();
        Ok(instance)
    }

    fn circumstances(&self) -> Circumstances {
        Circumstances { limits: self.call.version.limits, refused: self.meter.withheld() }
    }
}

impl From<Result<Reply, Failure>> for End {
    fn from(end: Result<Reply, Failure>) -> Self {
        Self { end, answer: None }
    }
}

/// Whether a module has the export that makes it one of that kind.
fn offers(code: &Code, kind: &Entrypoint) -> bool {
    match (kind, code) {
        (Entrypoint::Command, Code::Core(module)) => command::is_offered_by_core(module),
        (Entrypoint::Command, Code::Component(component)) => command::is_offered_by_component(component),
        (Entrypoint::Handler, Code::Component(component)) => handler::is_offered_by(component),
        (Entrypoint::Http, Code::Component(component)) => http::is_offered_by(component),
        // Those that have a name are asked for by it.
        (Entrypoint::Handler | Entrypoint::Http, Code::Core(_)) | (Entrypoint::Typed(_) | Entrypoint::Raw(_), _) => {
            false
        }
    }
}

/// The only function that a module exports, where nobody has said which.
fn only_callable(code: &Code) -> Result<ExportName, Refused> {
    let mut callable = match code {
        Code::Component(component) => typed::callable(component),
        Code::Core(module) => raw::callable(module),
    };
    match &*callable {
        [] => Err(Refused::MissingEntrypoint { wanted: None, exports: code.exports() }),
        [only] => only.parse().map_err(|_| Refused::ManyFunctions { callable: std::mem::take(&mut callable) }),
        _ => Err(Refused::ManyFunctions { callable }),
    }
}

/// Resolves a component's imports.
fn link(linkers: &Linkers, component: &Component) -> Result<InstancePre<Host>, Refused> {
    linkers
        .component
        .instantiate_pre(component)
        .map_err(|error| unlinked(imports::missing_from_component(linkers, component), &error))
}

/// Resolves a core module's imports.
fn link_core(linkers: &Linkers, module: &Module) -> Result<wasmtime::InstancePre<Host>, Refused> {
    linkers
        .core
        .instantiate_pre(module)
        .map_err(|error| unlinked(imports::missing_from_core(linkers, module, Host::empty()), &error))
}

fn unlinked(missing: Vec<String>, error: &wasmtime::Error) -> Refused {
    if missing.is_empty() {
        return Refused::Unsupported { detail: trap::told(error) };
    }
    Refused::MissingImports { names: missing }
}

/// Waits until a guest that may do several things at once does nothing any more.
async fn done(guest: &Accessor<Host>) {
    poll_fn(|context| guest.poll_no_interesting_tasks(context)).await;
}
