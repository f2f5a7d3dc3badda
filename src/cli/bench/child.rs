//! A server that this program starts: itself, as a process of its own. Dropping it kills it.
//!
//! Most are Tidemill servers; one is what they are measured against, and says where it listens in the same way.

use std::ffi::{OsStr, OsString};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child as Process, ChildStderr, ChildStdout, Command};

use crate::cli::address::Server;
use crate::cli::client::Client;
use crate::cli::error::Error;

/// A server that does not listen by then is not going to.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// What a server prints in front of its address.
pub(super) const LISTENS: &str = "tidemill listens on ";

/// The process.
#[derive(Debug)]
pub(super) struct Child {
    process: Process,
    stdout: BufReader<ChildStdout>,
}

impl Child {
    /// Starts a server on `data` with some more `arguments`, its log where this process has its own, and returns it once
    /// it listens, with a client that talks to it.
    pub(super) async fn start(data: &Path, arguments: &[&str]) -> Result<(Self, Client), Error> {
        let mut child = Self::spawn(data, arguments, Stdio::inherit())?;
        let ended = || Error::Bench("the server ended before it listened".to_owned());
        let client = child.listening().await?.ok_or_else(ended)?;
        Ok((child, client))
    }

    /// Starts a server on `data` with some more `arguments`, and its log at `errors`.
    pub(super) fn spawn(data: &Path, arguments: &[&str], errors: Stdio) -> Result<Self, Error> {
        Self::spawn_with(data, arguments, &[], errors)
    }

    /// The same with more in its `environment`.
    pub(super) fn spawn_with(
        data: &Path,
        arguments: &[&str],
        environment: &[(&str, OsString)],
        errors: Stdio,
    ) -> Result<Self, Error> {
        let serve = ["serve", "--listen", "127.0.0.1:0", "--data"].map(OsStr::new);
        let arguments = serve.into_iter().chain([data.as_os_str()]).chain(arguments.iter().map(OsStr::new));
        Self::run(arguments, environment, errors)
    }

    /// Starts a server that runs no functions and returns it once it listens, with its address.
    pub(super) async fn start_bare() -> Result<(Self, SocketAddr), Error> {
        let mut child = Self::run(["bench", "bare-http"].map(OsStr::new), &[], Stdio::inherit())?;
        let client = child.listening().await?;
        let client = client.ok_or_else(|| Error::Bench("the bare server ended before it listened".to_owned()))?;
        Ok((child, client.socket()?))
    }

    /// Starts this program with `arguments`.
    fn run<'a>(
        arguments: impl IntoIterator<Item = &'a OsStr>,
        environment: &[(&str, OsString)],
        errors: Stdio,
    ) -> Result<Self, Error> {
        let program = std::env::current_exe().map_err(failed)?;
        let mut process = Command::new(program)
            .args(arguments)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors)
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let stdout = process.stdout.take().ok_or_else(|| failed(io::Error::other("it has no standard output")))?;
        Ok(Self { process, stdout: BufReader::new(stdout) })
    }

    /// Its log, if that was piped and not taken before.
    pub(super) fn take_errors(&mut self) -> Option<ChildStderr> {
        self.process.stderr.take()
    }

    /// Waits until it listens, and returns a client that talks to it; `None` when it ended before.
    pub(super) async fn listening(&mut self) -> Result<Option<Client>, Error> {
        let mut line = String::new();
        let read = tokio::time::timeout(START_PATIENCE, self.stdout.read_line(&mut line)).await;
        if read.map_err(|_| failed(io::Error::other("it does not listen")))?.map_err(failed)? == 0 {
            return Ok(None);
        }
        let address = line.trim_end().strip_prefix(LISTENS).and_then(|address| address.parse::<Server>().ok());
        let address = address.ok_or_else(|| failed(io::Error::other(format!("it says `{}`", line.trim_end()))))?;
        Client::new(address, None).map(Some)
    }

    /// Kills it; it notices nothing.
    pub(super) fn kill(&mut self) -> Result<(), Error> {
        self.process.start_kill().map_err(failed)
    }

    /// Asks it to stop.
    pub(super) fn terminate(&self) -> Result<(), Error> {
        match self.pid() {
            Some(pid) => kill_process(pid, Signal::TERM).map_err(failed),
            None => Ok(()), // it has ended
        }
    }

    /// Waits until it has ended.
    pub(super) async fn ended(&mut self) -> Result<ExitStatus, Error> {
        self.process.wait().await.map_err(failed)
    }

    /// Its number, while it has not been seen to end.
    pub(super) fn pid(&self) -> Option<Pid> {
        self.process.id().and_then(|id| Pid::from_raw(id.cast_signed()))
    }
}

fn failed(cause: impl Into<io::Error>) -> Error {
    Error::Bench(format!("the server cannot be run: {}", cause.into()))
}
