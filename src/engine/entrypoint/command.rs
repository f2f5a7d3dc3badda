//! Programs: the payload is standard input, the result standard output, a failure an exit code. One that answers requests
//! is judged by the status of its response too.

use wasmtime::component::Component;
use wasmtime::{AsContextMut, ExternType, InstancePre, Module, ModuleExport};
use wasmtime_wasi::p2::bindings::CommandPre;

use super::{End, Run, http, link, link_core};
use crate::engine::call::Reply;
use crate::engine::cgi;
use crate::engine::code::Code;
use crate::engine::host::{Host, Linkers};
use crate::engine::meter::Meter;
use crate::engine::refused::Refused;
use crate::engine::trap;
use crate::model::outcome::{Advice, Failure, FailureKind};

/// A program, ready to run.
pub(in crate::engine) enum Command {
    Component(CommandPre<Host>),
    Core { module: InstancePre<Host>, start: ModuleExport },
}

const START: &str = "_start";
/// Found in any version that is compatible with this one.
const RUN: &str = "wasi:cli/run@0.2.0";
/// `EX_DATAERR` of `sysexits.h`: the input is wrong, and will be wrong the next time.
const EX_DATAERR: i32 = 65;

pub(super) fn is_offered_by_core(module: &Module) -> bool {
    module.get_export(START).is_some()
}

pub(super) fn is_offered_by_component(component: &Component) -> bool {
    component.get_export_index(None, RUN).is_some()
}

impl Command {
    pub(super) fn new(linkers: &Linkers, code: &Code) -> Result<Self, Refused> {
        match code {
            Code::Core(module) => {
                let start = module.get_export_index(START).filter(|_| is_program(module));
                let start =
                    start.ok_or_else(|| wrong(START, "it must be a function that takes and returns nothing"))?;
                Ok(Self::Core { module: link_core(linkers, module)?, start })
            }
            Code::Component(component) => CommandPre::new(link(linkers, component)?)
                .map(Self::Component)
                .map_err(|_| wrong(RUN, "it must be the interface of `wasi:cli`, with `run: func() -> result`")),
        }
    }

    pub(super) async fn run(&self, run: Run<'_>) -> wasmtime::Result<End> {
        let code = match self.enter(run.store.as_context_mut(), run.meter).await {
            Ok(code) => code,
            Err(error) => trap::exit_code(&error).ok_or(error)?,
        };
        let ended = ended(&run, code);
        Ok(match (ended, cgi::request(run.call)) {
            (Ok(reply), Some(_)) => http::judge_output(cgi::response(&reply.body)),
            (ended, _) => ended.into(),
        })
    }

    /// Returns what a program that returns would have given as its exit code.
    async fn enter(&self, mut store: wasmtime::StoreContextMut<'_, Host>, meter: &Meter) -> wasmtime::Result<i32> {
        match self {
            Self::Core { module, start } => {
                let instance = module.instantiate_async(&mut store).await?;
                meter.instantiated();
                let start = instance.get_module_export(&mut store, start).and_then(wasmtime::Extern::into_func);
                let start = start.ok_or_else(|| wasmtime::Error::msg("`_start` is no function"))?;
                start.typed::<(), ()>(&store)?.call_async(&mut store, ()).await?;
                Ok(0)
            }
            Self::Component(command) => {
                let command = command.instantiate_async(&mut store).await?;
                meter.instantiated();
                let ended = command.wasi_cli_run().call_run(&mut store).await?;
                Ok(i32::from(ended.is_err()))
            }
        }
    }
}

fn is_program(module: &Module) -> bool {
    let start = module.get_export(START);
    matches!(start, Some(ExternType::Func(ty)) if ty.params().len() == 0 && ty.results().len() == 0)
}

fn wrong(export: &str, expected: &'static str) -> Refused {
    Refused::WrongSignature { export: export.to_owned(), expected }
}

fn ended(run: &Run<'_>, code: i32) -> Result<Reply, Failure> {
    if code == 0 {
        return Ok(Reply { body: run.stdout.take(), ..Reply::default() });
    }
    let message = match run.stderr.last_line() {
        Some(line) => format!("exit code {code}: {line}"),
        None => format!("exit code {code}"),
    };
    if run.meter.withheld().memory {
        return Err(run.circumstances().out_of_memory(&message));
    }
    let advice = if code == EX_DATAERR { Advice::GiveUp } else { Advice::Retry };
    Err(Failure::new(FailureKind::ExitCode(code), message, advice))
}
