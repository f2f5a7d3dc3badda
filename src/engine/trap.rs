//! The one reader of wasmtime's errors: what each of them means for a guest, in our words.

use std::time::Duration;

use wasmtime::{Error, PoolConcurrencyLimitError, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use super::output::TooLarge;
use crate::model::bounds;
use crate::model::outcome::{Advice, Failure, FailureKind};

/// The guest has used up its time; raised at a tick of the epoch.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the time limit is reached")]
pub(super) struct TimedOut;

/// What is known of a run besides the error that ended it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances {
    pub(super) timeout: Duration,
    pub(super) memory_bytes: u64,
    pub(super) refused_memory: bool,
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
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => self.timed_out(),
            _ if self.refused_memory => self.out_of_memory(&with_backtrace(&reason(error), error)),
            Some(Trap::StackOverflow) => {
                Failure::retry(FailureKind::StackOverflow, with_backtrace("the calls nest too deep", error))
            }
            Some(trap) => Failure::retry(FailureKind::Trap, with_backtrace(&trap.to_string(), error)),
            None if error.is::<WasmBacktrace>() => {
                Failure::retry(FailureKind::Trap, with_backtrace(&reason(error), error))
            }
            None if error.to_string().starts_with(TOO_MUCH_COPIED) => {
                Failure::retry(FailureKind::ResponseTooLarge, TooLarge.to_string())
            }
            None => Failure::retry(FailureKind::Load, reason(error)),
        }
    }

    /// The guest has used up its time.
    pub(super) fn timed_out(self) -> Failure {
        Failure::retry(
            FailureKind::Timeout,
            format!("the function ran longer than its time limit of {:?}", self.timeout),
        )
    }

    /// The guest was refused memory and then failed as `what` says.
    pub(super) fn out_of_memory(self, what: &str) -> Failure {
        let limit = self.memory_bytes;
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
