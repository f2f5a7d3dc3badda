//! The one reader of wasmtime's errors: what each of them means for a guest, in our words.

use std::fmt::{self, Write as _};
use std::io;

use rustix::io::Errno;
use wasmtime::component::ResourceTableError;
use wasmtime::{Error, PoolConcurrencyLimitError, Trap, WasmBacktrace, WasmCoreDump};
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

/// Those that ran in it have all gone away; raised at a tick of the epoch.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("nobody waits for it any more")]
pub(super) struct Unwanted;

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
        if error.is::<ResourceTableError>() || causes(error).any(|cause| cause.ends_with(TOO_MANY_HANDLES)) {
            let what = format!("the function holds more open resources than the {} it may", space.handles);
            return Failure::retry(FailureKind::TooManyHandles, with_backtrace(&what, error));
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => self.timed_out(),
            Some(Trap::OutOfFuel) => {
                let most = self.limits.fuel.unwrap_or_default();
                let what = format!("the function used up its limit of {most} fuel");
                Failure::retry(FailureKind::OutOfFuel, with_backtrace(&what, error))
            }
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

    /// The guest was refused memory and then failed as `what` says.
    pub(super) fn out_of_memory(self, what: &str) -> Failure {
        let limit = self.limits.memory_bytes;
        let message =
            format!("the function asked for more memory than its limit of {limit} bytes, and then failed: {what}");
        Failure::retry(FailureKind::OutOfMemory, message)
    }
}

/// Whether a store knows what fuel was used up when a guest ended so. Compiled code counts for itself and tells the store
/// at each call and each return: where it is cut short in between, the count is lost.
pub(super) fn leaves_fuel_counted(error: &Error) -> bool {
    match error.downcast_ref::<Trap>() {
        Some(trap) => *trap == Trap::OutOfFuel,
        None => !error.is::<TimedOut>(),
    }
}

/// What the guest was when it trapped, where its engine makes a note of that.
pub(super) fn core_dump(error: &Error) -> Option<&WasmCoreDump> {
    error.downcast_ref()
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

/// What the system refused, where that is what an error comes of: memory, a file.
pub(super) fn of_the_system(error: &Error) -> Option<io::ErrorKind> {
    error.chain().find_map(|cause| match cause.downcast_ref::<Errno>() {
        Some(refused) => Some(refused.kind()),
        None => cause.downcast_ref().map(io::Error::kind),
    })
}

/// All that wasmtime says about something that concerns no running guest: a compilation, a file.
pub(super) fn told(error: &Error) -> String {
    Cut::text(format_args!("{error:#}"), bounds::MAX_MESSAGE_BYTES)
}

fn no_room(full: &PoolConcurrencyLimitError) -> Failure {
    let message = format!("there is no room for another instance now: {full}");
    Failure::new(FailureKind::Load, message, Advice::Postpone(bounds::NO_ROOM_DELAY))
}

/// The causes, outermost first, without the backtrace.
fn reason(error: &Error) -> String {
    causes(error).collect::<Vec<_>>().join(": ")
}

fn causes(error: &Error) -> impl Iterator<Item = String> {
    let texts = error.chain().map(|cause| Cut::text(format_args!("{cause}"), bounds::MAX_MESSAGE_BYTES));
    texts.filter(|text| !text.starts_with(BACKTRACE) && !text.starts_with(CORE_DUMP))
}

/// How wasmtime says that a component has too many handles, and that there are too many core instances. Those errors have
/// no types of their own either.
const TOO_MANY_HANDLES: &str = "store handle limit exceeded";
const TOO_MANY_INSTANCES: &str = "resource limit exceeded: instance count";

/// How wasmtime says that a guest passed more than [`bounds::MAX_GUEST_COPY_BYTES`]; the type of that error is its own.
/// Without a backtrace it was the guest's result.
const TOO_MUCH_COPIED: &str = "too much data is being copied";

/// How much is shown of a function's name, from its start, and of a file's, to its end.
const NAME_BYTES: usize = 120;
/// How much of a backtrace is looked at: names are the module's to choose, so their length is not.
const BACKTRACE_BYTES: usize = 16 * 1_024;
/// How the text of a core dump begins.
const CORE_DUMP: &str = "wasm coredump generated";
/// How the text of a [`WasmBacktrace`] begins. Its frames are read from that text, because only there are the
/// names of functions demangled.
const BACKTRACE: &str = "error while executing at wasm backtrace";

/// `what`, and a line for each frame; with the file and the line where the module's debug information was kept.
fn with_backtrace(what: &str, error: &Error) -> String {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return what.to_owned() };
    let mut told = what.to_owned();
    let mut frames = 0;
    for line in Cut::text(format_args!("{backtrace}"), BACKTRACE_BYTES).lines() {
        if let Some((_, name)) = line.split_once(" - ") {
            frames += 1;
            if frames > bounds::MAX_FRAMES.get() {
                break; // a frame of the stack can be several of the source
            }
            let name = without_hash(name.trim());
            told.push_str("\n  at ");
            told.push_str(&name[..name.floor_char_boundary(NAME_BYTES)]);
        } else if let Some(place) = line.trim_start().strip_prefix("at ").filter(|_| frames > 0) {
            let start = place.ceil_char_boundary(place.len().saturating_sub(NAME_BYTES));
            let _ = write!(told, " ({})", &place[start..]); // a `String` takes it
        }
    }
    told
}

/// A name of Rust's without the hash at its end.
fn without_hash(name: &str) -> &str {
    let is_hash = |end: &str| end.len() == 16 && end.bytes().all(|byte| byte.is_ascii_hexdigit());
    name.rsplit_once("::h").filter(|(_, end)| is_hash(end)).map_or(name, |(name, _)| name)
}

/// The beginning of a text that may be long: no more of it is made.
struct Cut {
    text: String,
    most: usize,
}

impl Cut {
    fn text(long: fmt::Arguments<'_>, most: usize) -> String {
        let mut cut = Self { text: String::new(), most };
        let _ = cut.write_fmt(long); // it ends in an error where it is cut
        cut.text
    }
}

impl fmt::Write for Cut {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = self.most - self.text.len();
        self.text.push_str(&more[..more.floor_char_boundary(room)]);
        if more.len() > room { Err(fmt::Error) } else { Ok(()) }
    }
}
