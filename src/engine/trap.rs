//! The one reader of wasmtime's errors: what each of them means for a guest, in our words.

use wasmtime::component::ResourceTableError;
use wasmtime::{Error, PoolConcurrencyLimitError, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use super::meter::Withheld;
use super::output::TooLarge;
use crate::model::bounds;
use crate::model::function::Limits;
use crate::model::outcome::{Advice, Failure, FailureKind};

/// The guest has used up its time; raised at a tick of the epoch.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the time limit is reached")]
pub(super) struct TimedOut;

/// What is known of a run besides the error that ended it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances {
    pub(super) limits: Limits,
    pub(super) refused: Withheld,
}

impl Circumstances {
    /// What an error means that ended a guest.
    pub(super) fn explain(self, error: &Error) -> Failure {
        if error.is::<TimedOut>() {
            return self.timed_out();
        }
        if let Some(too_large) = error.downcast_ref::<TooLarge>() {
            return Failure::retry(FailureKind::ResponseTooLarge, too_large.to_string());
        }
        if let Some(full) = error.downcast_ref::<PoolConcurrencyLimitError>() {
            return no_room(full);
        }
        let space = self.limits.space;
        if error.is::<ResourceTableError>() || error.to_string().contains(TOO_MANY_HANDLES) {
            let what = format!("the function holds more open resources than the {} it may", space.handles);
            return Failure::retry(FailureKind::TooManyHandles, with_backtrace(&what, error));
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => self.timed_out(),
            Some(Trap::OutOfFuel) => self.out_of_fuel(error),
            _ if self.refused.memory => self.out_of_memory(&with_backtrace(&reason(error), error)),
            _ if self.refused.table => {
                let (most, what) = (space.table_elements, with_backtrace(&reason(error), error));
                let what =
                    format!("the function asked for a table of more than {most} elements, and then failed: {what}");
                Failure::retry(FailureKind::TableTooLarge, what)
            }
            Some(Trap::StackOverflow) => {
                Failure::retry(FailureKind::StackOverflow, with_backtrace("the calls nest too deep", error))
            }
            Some(trap) => Failure::retry(FailureKind::Trap, with_backtrace(&trap.to_string(), error)),
            None if error.is::<WasmBacktrace>() => {
                Failure::retry(FailureKind::Trap, with_backtrace(&reason(error), error))
            }
            None if error.to_string().starts_with(TOO_MUCH_COPIED) => {
                let bound = usize::try_from(space.result_bytes).unwrap_or(usize::MAX);
                Failure::retry(FailureKind::ResponseTooLarge, TooLarge(bound).to_string())
            }
            None if error.to_string().starts_with(TOO_MANY_INSTANCES) => {
                let what =
                    format!("the function is linked from more than the {} core instances it may", space.instances);
                Failure::retry(FailureKind::TooManyInstances, what)
            }
            None => Failure::retry(FailureKind::Load, reason(error)),
        }
    }

    /// The guest has used up its time.
    pub(super) fn timed_out(self) -> Failure {
        Failure::retry(
            FailureKind::Timeout,
            format!("the function ran longer than its time limit of {:?}", self.limits.timeout),
        )
    }

    fn out_of_fuel(self, error: &Error) -> Failure {
        let fuel = self.limits.fuel.unwrap_or_default();
        let what = format!("the function executed more than the {fuel} instructions it may");
        Failure::retry(FailureKind::OutOfFuel, with_backtrace(&what, error))
    }

    /// The guest was refused memory and then failed as `what` says.
    pub(super) fn out_of_memory(self, what: &str) -> Failure {
        let limit = self.limits.memory_bytes;
        let message =
            format!("the function asked for more memory than its limit of {limit} bytes, and then failed: {what}");
        Failure::retry(FailureKind::OutOfMemory, message)
    }
}

/// The exit code, if the guest ended by one.
pub(super) fn exit_code(error: &Error) -> Option<i32> {
    error.downcast_ref::<I32Exit>().map(|exit| exit.0)
}

/// The import that a linker found missing, as its message has it in the first pair of backquotes.
///
/// wasmtime gives no other access to it. Who asks copes with `None`, and a test tells when it comes to that.
pub(super) fn missing_import(error: &Error) -> Option<String> {
    let text = error.to_string();
    let (before, rest) = text.split_once('`')?;
    let (name, _) = rest.split_once('`')?;
    before.starts_with("component imports").then(|| name.to_owned())
}

/// All that wasmtime says about something that concerns no running guest: a compilation, a file.
pub(super) fn told(error: &Error) -> String {
    let mut text = format!("{error:#}");
    text.truncate(text.floor_char_boundary(bounds::MAX_MESSAGE_BYTES));
    text
}

fn no_room(full: &PoolConcurrencyLimitError) -> Failure {
    let message = format!("there is no room for another instance now: {full}");
    Failure::new(FailureKind::Load, message, Advice::Postpone(bounds::NO_ROOM_DELAY))
}

/// The causes, outermost first, without the backtrace.
fn reason(error: &Error) -> String {
    let causes: Vec<_> = error.chain().map(ToString::to_string).filter(|text| !text.starts_with(BACKTRACE)).collect();
    causes.join(": ")
}

/// How wasmtime says that a component has too many handles, and that there are too many core instances. Those errors have
/// no types of their own either.
const TOO_MANY_HANDLES: &str = "store handle limit exceeded";
const TOO_MANY_INSTANCES: &str = "resource limit exceeded: instance count";

/// How wasmtime says that a guest passed more than [`bounds::MAX_GUEST_COPY_BYTES`]; the type of that error is its own.
/// Without a backtrace it was the guest's result.
const TOO_MUCH_COPIED: &str = "too much data is being copied";

/// Frames of a backtrace that are shown, and how much of each.
const FRAMES: usize = 10;
const FRAME_BYTES: usize = 120;
/// How the text of a [`WasmBacktrace`] begins. Its frames are read from that text, because only there are the
/// names of functions demangled.
const BACKTRACE: &str = "error while executing at wasm backtrace";

fn with_backtrace(what: &str, error: &Error) -> String {
    let text = error.downcast_ref::<WasmBacktrace>().map(ToString::to_string).unwrap_or_default();
    let names = text.lines().filter_map(|line| line.split_once(" - ")).map(|(_, name)| name.trim());
    let frames = names.take(FRAMES).map(|name| format!("\n  at {}", &name[..name.floor_char_boundary(FRAME_BYTES)]));
    std::iter::once(what.to_owned()).chain(frames).collect()
}
