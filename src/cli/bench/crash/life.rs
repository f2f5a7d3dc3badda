//! One life of the server: a process, what it writes into the ledger until its end, and how it ends.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::ChildStderr;

use super::ledger::Ledger;
use crate::cli::bench::child::Child;
use crate::cli::client::Client;
use crate::cli::error::Error;
use crate::tasks::{OnExit, Tasks};

/// How the server is started besides where: it lets guests abort it, tells what it does, and when asked to stop
/// does so soon enough to cut attempts short.
const ARGUMENTS: [&str; 7] =
    ["--fault-injection", "--drain", "50ms", "--log", "error,tidemill::ledger=debug", "--log-format", "json"];
/// The last lines of a process are there when it has ended.
const LAST_LINES: Duration = Duration::from_secs(10);

/// How a life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli::bench) enum Death {
    /// A function took the process down.
    Aborted,
    /// It was killed.
    Killed,
    /// Its machine lost power, as far as its files can tell: attempts of its last instant may be forgotten.
    PowerCut,
    /// It was asked to stop, and may have given attempts back.
    Stopped,
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Aborted => "was aborted by a function",
            Self::Killed => "was killed",
            Self::PowerCut => "lost power",
            Self::Stopped => "was stopped",
        })
    }
}

/// The ledger, as those that write into it and those that read it share it.
#[derive(Clone, Debug, Default)]
pub(in crate::cli::bench) struct SharedLedger(Arc<Mutex<Ledger>>);

impl SharedLedger {
    pub(in crate::cli::bench) fn open(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A process of the server.
#[derive(Debug)]
pub(in crate::cli::bench) struct Life {
    child: Child,
    reading: Tasks,
    asked_to_stop: bool,
}

impl Life {
    /// Starts the server on `data`; it is its life of that number.
    pub(in crate::cli::bench) fn start(data: &Path, number: usize, ledger: &SharedLedger) -> Result<Self, Error> {
        Self::start_with(data, number, ledger, &[])
    }

    /// The same with more in its `environment`.
    pub(in crate::cli::bench) fn start_with(
        data: &Path,
        number: usize,
        ledger: &SharedLedger,
        environment: &[(&str, OsString)],
    ) -> Result<Self, Error> {
        let mut child = Child::spawn_with(data, &ARGUMENTS, environment, Stdio::piped())?;
        let reading = Tasks::default();
        if let Some(errors) = child.take_errors() {
            reading.spawn("ledger", OnExit::Ignore, read(errors, number, ledger.clone()));
        }
        Ok(Self { child, reading, asked_to_stop: false })
    }

    /// Waits until it listens, and returns a client that talks to it; `None` when it ended before.
    pub(in crate::cli::bench) async fn listening(&mut self) -> Result<Option<Client>, Error> {
        self.child.listening().await
    }

    pub(in crate::cli::bench) fn kill(&mut self) -> Result<(), Error> {
        self.child.kill()
    }

    pub(in crate::cli::bench) fn stop(&mut self) -> Result<(), Error> {
        self.asked_to_stop = true;
        self.child.terminate()
    }

    /// Waits for its end and for the last of its lines.
    pub(in crate::cli::bench) async fn ended(&mut self) -> Result<Death, Error> {
        let status = self.child.ended().await?;
        if !self.reading.ended(LAST_LINES).await {
            return Err(Error::Bench("the server has ended, but its log has not".to_owned()));
        }
        self.death(status)
    }

    fn death(&self, status: ExitStatus) -> Result<Death, Error> {
        let signal = status.signal();
        if signal == Some(Signal::ABORT.as_raw()) {
            Ok(if self.asked_to_stop { Death::Stopped } else { Death::Aborted })
        } else if self.asked_to_stop {
            match (status.success(), signal) {
                (true, _) | (false, Some(_)) => Ok(Death::Stopped),
                (false, None) => Err(Error::Bench(format!("the server was asked to stop, and failed: {status}"))),
            }
        } else if signal == Some(Signal::KILL.as_raw()) {
            Ok(Death::Killed)
        } else {
            Err(Error::Bench(format!("the server ended though nobody asked it to: {status}")))
        }
    }
}

async fn read(errors: ChildStderr, number: usize, ledger: SharedLedger) {
    let mut errors = BufReader::new(errors);
    let mut line = Vec::new();
    while let Ok(1..) = errors.read_until(b'\n', &mut line).await {
        ledger.open().read(number, String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
}
