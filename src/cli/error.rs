//! Why a command did not do what was asked, what could be done about it, and the exit code that says so.

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::api::Problem;
use crate::engine;
use crate::model::status::Status;
use crate::store::StoreError;

/// Exit codes: part of the interface, so they do not change.
pub mod exit {
    /// It is done.
    pub const DONE: u8 = 0;
    /// The function failed, or a bench found a promise broken.
    pub const FUNCTION_FAILED: u8 = 1;
    /// What was typed makes no sense, or this side cannot do its part: read a file, write the answer.
    pub const USAGE: u8 = 2;
    /// The server could not be reached, or the connection to it was lost.
    pub const UNREACHABLE: u8 = 3;
    /// The server said no, or had no outcome in time; it could not be started, or a store not be opened.
    pub const REFUSED: u8 = 4;
    /// A store is damaged.
    pub const DAMAGED: u8 = 5;
    /// `plan` found that something would change. The number is that of [`DAMAGED`], which no plan ends with.
    pub const WOULD_CHANGE: u8 = 5;
    /// Interrupted by Ctrl-C: 128 and the signal's number, as shells have it.
    pub const INTERRUPTED: u8 = 130;

    /// The table for `--help`.
    pub(in crate::cli) const HELP: &str = "\
Exit codes:
  0    done
  1    the function failed, or a bench found a promise broken
  2    usage: an argument makes no sense, or a file cannot be read or written
  3    the server cannot be reached
  4    the server said no, or had no outcome in time; it or a store could not be opened
  5    a store is damaged, or a plan would change something
  130  interrupted";
}

/// Why a command did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// A bench could not be carried out.
    #[error("{0}")]
    Bench(String),
    /// A bench found that the server does not do what it promises.
    #[error("{0}")]
    Broken(String),
    /// A store holds what it should not, or lacks what it should hold.
    #[error("{0}")]
    Damaged(String),
    /// The function ran and did not succeed.
    #[error("the function failed: {message}")]
    FunctionFailed { message: String, invocation: Option<String> },
    /// What a file describes would lead in a circle.
    #[error("nothing was changed: what the file describes leads in a circle: {0}")]
    Cycle(String),
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// The connection broke after it was made.
    #[error("the connection to {server} was lost, so what was asked may or may not have been done: {cause}")]
    Lost { server: String, cause: String },
    /// A step of a plan could not be taken.
    #[error("{id} could not be done, and what comes after it was not tried")]
    NotApplied {
        id: String,
        #[source]
        cause: Box<Error>,
    },
    /// Some of many could not be done.
    #[error("{failed} could not be done")]
    NotAll { failed: u64 },
    /// The time to wait is over and the invocation goes on.
    #[error("invocation {id} is still {status}")]
    NotSettled { id: String, status: Status },
    /// An invocation was accepted, and what becomes of it cannot be asked.
    #[error("invocation {id} was accepted, but what became of it could not be asked")]
    OutOfSight {
        id: String,
        #[source]
        cause: Box<Error>,
    },
    /// The answer cannot be written down.
    #[error("cannot write the answer: {0}")]
    Output(io::Error),
    /// The server said no.
    #[error("{}", refusal(.0))]
    Refused(Box<Problem>),
    /// The server could not start, or ended in an error.
    #[error("the server stopped")]
    Serve(#[source] Box<dyn StdError + Send + Sync>),
    /// A store cannot be opened, read or made.
    #[error(transparent)]
    Store(StoreError),
    /// The connection was made, and nothing came over it.
    #[error(
        "{server} has not answered within {} s, so what was asked may or may not have been done",
        waited.as_secs()
    )]
    Silent { server: String, waited: Duration },
    /// The operating system gives us no way to wait for an answer.
    #[error("cannot wait for answers: {0}")]
    System(io::Error),
    /// What answers is no Tidemill server, or one of another time.
    #[error("{server} gave an answer that this program does not understand: {what}")]
    Unexpected { server: String, what: String },
    /// What was wrong has been told, to a program.
    #[error("the module was refused")]
    Told,
    /// A module cannot be compiled.
    #[error(transparent)]
    Uncompiled(engine::Refused),
    /// No connection.
    #[error("cannot reach {server}: {cause}")]
    Unreachable { server: String, cause: String },
    /// A file that was named cannot be read.
    #[error("cannot read {}: {cause}", path.display())]
    Unreadable { path: PathBuf, cause: io::Error },
    /// A file or folder cannot be made.
    #[error("cannot write {}: {cause}", path.display())]
    Unwritable { path: PathBuf, cause: io::Error },
    /// What was typed makes no sense, in a way that only this command knows.
    #[error("{0}")]
    Usage(String),
    /// A plan is not empty, which it has said.
    #[error("something would change")]
    WouldChange,
}

impl Error {
    /// The exit code.
    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Broken(_) | Self::FunctionFailed { .. } => exit::FUNCTION_FAILED,
            Self::Damaged(_) | Self::Store(StoreError::Damaged { .. }) => exit::DAMAGED,
            Self::Interrupted => exit::INTERRUPTED,
            Self::NotApplied { cause, .. } | Self::OutOfSight { cause, .. } => cause.exit_code(),
            Self::WouldChange => exit::WOULD_CHANGE,
            Self::Lost { .. } | Self::Silent { .. } | Self::Unreachable { .. } => exit::UNREACHABLE,
            Self::Bench(_)
            | Self::Cycle(_)
            | Self::NotAll { .. }
            | Self::NotSettled { .. }
            | Self::Refused(_)
            | Self::Serve(_)
            | Self::Store(_)
            | Self::Told
            | Self::Uncompiled(_)
            | Self::Unexpected { .. } => exit::REFUSED,
            // Whoever reads our output may stop when they have enough, as `head` does.
            Self::Output(cause) if cause.kind() == io::ErrorKind::BrokenPipe => exit::DONE,
            Self::Output(_) | Self::System(_) | Self::Unreadable { .. } | Self::Unwritable { .. } | Self::Usage(_) => {
                exit::USAGE
            }
        }
    }

    /// What to tell the person who asked; `None` where there is nothing to tell.
    pub(super) fn report(&self) -> Option<String> {
        if self.exit_code() == exit::DONE || matches!(self, Self::Interrupted | Self::Told | Self::WouldChange) {
            return None;
        }
        let mut text = format!("error: {self}");
        let mut source = self.source();
        while let Some(cause) = source {
            let _ = write!(text, ": {cause}");
            source = cause.source();
        }
        for hint in self.hints() {
            let _ = write!(text, "\nhint: {hint}");
        }
        // Functions write messages: they may have lines, but not move the cursor.
        Some(text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect())
    }

    /// The same, of a command that does it all the same with `--force`.
    pub(super) fn unless_forced(mut self) -> Self {
        if let Self::Refused(problem) = &mut self {
            problem.has_force = true;
        }
        self
    }

    fn hints(&self) -> Vec<String> {
        match self {
            Self::FunctionFailed { invocation: Some(id), .. } => {
                vec![format!("`tidemill invocations logs {id}` shows what it wrote")]
            }
            Self::NotSettled { id, .. } | Self::OutOfSight { id, .. } => {
                vec![format!("it goes on without you: `tidemill invocations show {id} --wait` waits again")]
            }
            Self::NotApplied { cause, .. } => cause.hints(),
            Self::Refused(problem) => hints_of(problem),
            Self::Unexpected { .. } => vec!["is a Tidemill server of this version at that address?".to_owned()],
            Self::Unreachable { .. } => vec!["is it running? start it with `tidemill serve`".to_owned()],
            Self::Bench(_)
            | Self::Broken(_)
            | Self::Cycle(_)
            | Self::Damaged(_)
            | Self::FunctionFailed { invocation: None, .. }
            | Self::Interrupted
            | Self::Lost { .. }
            | Self::NotAll { .. }
            | Self::Output(_)
            | Self::Serve(_)
            | Self::Silent { .. }
            | Self::Store(_)
            | Self::System(_)
            | Self::Told
            | Self::Uncompiled(_)
            | Self::Unreadable { .. }
            | Self::Unwritable { .. }
            | Self::Usage(_)
            | Self::WouldChange => Vec::new(),
        }
    }
}

fn refusal(problem: &Problem) -> String {
    let mut text = problem.message().to_owned();
    if !problem.code.is_empty() {
        let _ = write!(text, " ({})", problem.code);
    }
    let cycle = problem.path.join(" -> ");
    if !text.contains(&cycle) {
        let _ = write!(text, "\ncycle: {cycle}");
    }
    text
}

fn hints_of(problem: &Problem) -> Vec<String> {
    let mut hints = Vec::new();
    if !problem.used_by.is_empty() {
        let users = problem.used_by.join(", ");
        let force = if problem.has_force { ", or do it all the same with `--force`" } else { "" };
        hints.push(format!("{users} would lose a destination: change that first{force}"));
    }
    if let Some(seconds) = &problem.retry_after {
        hints.push(format!("try again in {seconds} s"));
    }
    if problem.effect.as_deref() == Some("unknown") {
        hints.push("it may have been done all the same: look before you repeat it".to_owned());
    }
    if problem.code == "function_not_found" {
        hints.push("`tidemill functions list` shows what there is".to_owned());
    }
    hints
}

/// The last of the causes of `error`: what the operating system said, without the layers it came through.
pub(super) fn innermost(error: &dyn StdError) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(json: serde_json::Value) -> Error {
        Error::Refused(Box::new(serde_json::from_value(json).unwrap()))
    }

    #[track_caller]
    fn check(error: &Error, code: u8, report: &str) {
        assert_eq!((error.exit_code(), error.report().unwrap_or_default().as_str()), (code, report));
    }

    #[test]
    fn a_server_that_is_not_there_comes_with_the_command_that_starts_it() {
        let error = Error::Unreachable { server: "http://127.0.0.1:8090".into(), cause: "Connection refused".into() };
        let report = "error: cannot reach http://127.0.0.1:8090: Connection refused\n\
                      hint: is it running? start it with `tidemill serve`";
        check(&error, exit::UNREACHABLE, report);
    }

    #[test]
    fn a_refusal_is_told_with_its_detail_and_its_code() {
        let error = problem(serde_json::json!({
            "type": "about:blank", "title": "Not found", "status": 404, "detail": "there is no function `a`",
            "code": "function_not_found", "effect": "none", "fault": "caller",
        }));
        let report = "error: there is no function `a` (function_not_found)\n\
                      hint: `tidemill functions list` shows what there is";
        check(&error, exit::REFUSED, report);
    }

    #[test]
    fn a_cycle_is_spelled_out_once() {
        let cycle = serde_json::json!(["a", "b", "a"]);
        let told = problem(serde_json::json!({"detail": "a cycle: a -> b -> a", "code": "cycle", "path": cycle}));
        check(&told, exit::REFUSED, "error: a cycle: a -> b -> a (cycle)");
        let untold = problem(serde_json::json!({"title": "it would close a cycle", "path": cycle}));
        check(&untold, exit::REFUSED, "error: it would close a cycle\ncycle: a -> b -> a");
    }

    #[test]
    fn who_would_lose_a_destination_and_what_may_have_happened_are_hints() {
        let used = || problem(serde_json::json!({"title": "in use", "used_by": ["a", "b"]}));
        let report = "error: in use\nhint: a, b would lose a destination: change that first";
        check(&used(), exit::REFUSED, report);
        let forced = format!("{report}, or do it all the same with `--force`");
        check(&used().unless_forced(), exit::REFUSED, &forced);
        let unknown = problem(serde_json::json!({"title": "in use", "effect": "unknown"}));
        let report = "error: in use\nhint: it may have been done all the same: look before you repeat it";
        check(&unknown, exit::REFUSED, report);
    }

    #[test]
    fn a_function_that_failed_has_an_exit_code_of_its_own() {
        let error = Error::FunctionFailed { message: "trap: unreachable".into(), invocation: Some("7".into()) };
        let report = "error: the function failed: trap: unreachable\n\
                      hint: `tidemill invocations logs 7` shows what it wrote";
        check(&error, exit::FUNCTION_FAILED, report);
    }

    #[test]
    fn what_a_function_says_of_its_failure_cannot_move_the_cursor() {
        let error = Error::FunctionFailed { message: "boom\x1b[2J\nat main".into(), invocation: None };
        check(&error, exit::FUNCTION_FAILED, "error: the function failed: boom [2J\nat main");
    }

    #[test]
    fn an_invocation_that_was_accepted_is_told_with_why_nobody_knows_what_became_of_it() {
        let cause = Box::new(Error::Lost { server: "http://host".into(), cause: "reset".into() });
        let report = "error: invocation 7 was accepted, but what became of it could not be asked: the connection to \
                      http://host was lost, so what was asked may or may not have been done: reset\n\
                      hint: it goes on without you: `tidemill invocations show 7 --wait` waits again";
        check(&Error::OutOfSight { id: "7".into(), cause }, exit::UNREACHABLE, report);
    }

    #[test]
    fn a_reader_that_has_had_enough_is_no_error() {
        check(&Error::Output(io::ErrorKind::BrokenPipe.into()), exit::DONE, "");
        assert_eq!(Error::Output(io::ErrorKind::StorageFull.into()).exit_code(), exit::USAGE);
    }

    #[test]
    fn ctrl_c_is_130_and_silent() {
        check(&Error::Interrupted, exit::INTERRUPTED, "");
    }

    #[test]
    fn what_stopped_a_server_is_told_with_all_its_causes() {
        let error = Error::Serve(Box::new(io::Error::other("the address is in use")));
        check(&error, exit::REFUSED, "error: the server stopped: the address is in use");
    }

    #[test]
    fn the_help_tells_every_exit_code() {
        for code in [0, 1, 2, 3, 4, 5, 130] {
            assert!(exit::HELP.lines().any(|line| line.split_whitespace().next() == Some(&code.to_string())), "{code}");
        }
    }
}
