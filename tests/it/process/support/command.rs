//! The program's commands other than `serve`, run to their end.

use std::ffi::OsStr;
use std::process::{Output, Stdio};

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::timeout;

use super::{PATIENCE, Server};

/// What a command gave.
#[derive(Debug)]
pub(in crate::process) struct Finished {
    pub(in crate::process) code: Option<i32>,
    pub(in crate::process) out: Vec<u8>,
    pub(in crate::process) err: String,
}

impl Finished {
    /// Checks the exit code.
    #[track_caller]
    pub(in crate::process) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}{}", self.text(), self.err);
        self
    }

    pub(in crate::process) fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    #[track_caller]
    pub(in crate::process) fn json(&self) -> Value {
        serde_json::from_slice(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

/// Runs a command against `server`, with nothing on standard input.
pub(in crate::process) async fn run(server: &Server, arguments: &[impl AsRef<OsStr>]) -> Finished {
    run_with(&server.url(""), arguments, b"").await
}

/// Runs a command against the server at `url`, with `input` on standard input.
pub(in crate::process) async fn run_with(url: &str, arguments: &[impl AsRef<OsStr>], input: &[u8]) -> Finished {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tidemill"))
        .args(arguments)
        .env("TIDEMILL_SERVER", url)
        .env_remove("TIDEMILL_NAMESPACE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A command that reads nothing may be gone before it is written to.
    drop(stdin.write_all(input).await);
    drop(stdin);
    let output = timeout(PATIENCE, child.wait_with_output()).await.expect("it ends").unwrap();
    Finished {
        code: output.status.code(),
        out: output.stdout,
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs any program to its end, and ends it where it has none.
pub(in crate::process) async fn output(command: &mut Command) -> Output {
    timeout(PATIENCE, command.kill_on_drop(true).output()).await.expect("it ends").unwrap()
}
