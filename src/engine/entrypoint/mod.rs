//! What in a module is called: which kinds there are, which one a module is, and the run of each.

mod command;
mod handler;
mod http;

use wasmtime::component::{Component, InstancePre};
use wasmtime::{Module, Store};

use super::call::{Call, Reply};
use super::code::Code;
use super::host::{Host, Linkers};
use super::meter::Meter;
use super::output::Capture;
use super::refused::Refused;
use super::trap::Circumstances;
use super::{imports, trap};
use crate::model::function::Entrypoint;
use crate::model::outcome::Failure;

/// A module with its imports resolved and its entrypoint found, so that a run looks nothing up by name.
pub(super) enum Target {
    Command(command::Command),
    Handler(handler::Handler),
    Http(http::Http),
}

/// One run as a target sees it.
pub(super) struct Run<'a> {
    pub(super) store: Store<Host>,
    pub(super) call: &'a Call,
    pub(super) stdout: &'a Capture,
    pub(super) stderr: &'a Capture,
    pub(super) meter: &'a Meter,
}

/// How a run ended, if not by an error of wasmtime's.
pub(super) struct End {
    pub(super) end: Result<Reply, Failure>,
    pub(super) answer: Option<Reply>,
}

impl Target {
    /// The kind that was asked for, or else the first that the module offers.
    pub(super) fn choose(linkers: &Linkers, code: &Code, wanted: Option<&Entrypoint>) -> Result<Self, Refused> {
        let chosen = match wanted {
            Some(wanted) => Some(wanted).filter(|wanted| offers(code, wanted)),
            None => Entrypoint::ALL.iter().find(|kind| offers(code, kind)),
        };
        let missing = || Refused::MissingEntrypoint { wanted: wanted.cloned(), exports: code.exports() };
        match chosen.ok_or_else(missing)? {
            Entrypoint::Command => command::Command::new(linkers, code).map(Self::Command),
            Entrypoint::Handler => handler::Handler::new(linkers, code).map(Self::Handler),
            Entrypoint::Http => http::Http::new(linkers, code).map(Self::Http),
        }
    }

    /// Its kind.
    pub(super) const fn entrypoint(&self) -> Entrypoint {
        match self {
            Self::Command(_) => Entrypoint::Command,
            Self::Handler(_) => Entrypoint::Handler,
            Self::Http(_) => Entrypoint::Http,
        }
    }

    /// Runs it in a fresh instance.
    pub(super) async fn run(&self, run: Run<'_>) -> wasmtime::Result<End> {
        match self {
            Self::Command(command) => command.run(run).await,
            Self::Handler(handler) => handler.run(run).await,
            Self::Http(http) => http.run(run).await,
        }
    }
}

impl Run<'_> {
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
        (Entrypoint::Handler | Entrypoint::Http, Code::Core(_)) => false,
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
