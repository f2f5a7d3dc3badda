//! The recorder: compiled when it is needed, and loaded into the server by the environment of its process.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::cli::error::Error;

const SOURCE: &str = include_str!("recorder.c");
const COMPILE: [&str; 5] = ["-O2", "-U_FORTIFY_SOURCE", "-shared", "-fPIC", "-o"];
/// The longest record of one run; it ends there, and so do the cuts.
const MAX_RECORD_BYTES: u64 = 2 << 30;

/// The compiled recorder.
#[derive(Debug)]
pub(super) struct Recorder {
    library: PathBuf,
    break_sync: bool,
}

impl Recorder {
    /// Compiles it into `folder`. With `break_sync` it makes `fdatasync` do nothing.
    pub(super) async fn compile(folder: &Path, break_sync: bool) -> Result<Self, Error> {
        let (source, library) = (folder.join("recorder.c"), folder.join("recorder.so"));
        fs::write(&source, SOURCE).map_err(|error| failed(&error))?;
        let mut cc = Command::new("cc");
        let cc = cc.args(COMPILE).args([&library, &source]).args(["-ldl", "-lpthread"]);
        let output = cc.stdin(Stdio::null()).output().await.map_err(|error| {
            Error::Bench(format!("a power cut needs a C compiler, to record what the server writes: `cc`: {error}"))
        })?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(Error::Bench(format!("the recorder of what the server writes did not compile: {said}")));
        }
        Ok(Self { library, break_sync })
    }

    /// The environment in which a server writes into `record` what it does in `folder`.
    pub(super) fn environment(&self, folder: &Path, record: &Path) -> Vec<(&'static str, OsString)> {
        let mut environment = vec![
            ("LD_PRELOAD", self.library.clone().into_os_string()),
            ("TIDEMILL_RECORD_ROOT", folder.into()),
            ("TIDEMILL_RECORD_FILE", record.into()),
            ("TIDEMILL_RECORD_LIMIT", MAX_RECORD_BYTES.to_string().into()),
        ];
        if self.break_sync {
            environment.push(("TIDEMILL_RECORD_BREAK_SYNC", "1".into()));
        }
        environment
    }
}

fn failed(error: &std::io::Error) -> Error {
    Error::Bench(format!("the recorder of what the server writes could not be written: {error}"))
}
