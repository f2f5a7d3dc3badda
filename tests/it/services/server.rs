//! Servers of others as children of a test.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;

/// How long one may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that runs until this is dropped.
pub(super) struct Server {
    child: Child,
    pub(super) folder: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Server {
    /// Starts it; what it says goes to `log` in its folder.
    pub(super) fn start(program: &Path, arguments: &[&str]) -> Self {
        Self::start_in(TempDir::new().unwrap(), program, arguments)
    }

    pub(super) fn start_in(folder: TempDir, program: &Path, arguments: &[&str]) -> Self {
        let log = File::create(folder.path().join("log")).unwrap();
        let child = Command::new(program)
            .args(arguments)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child, folder }
    }

    /// Ends it without warning; its folder is still there.
    pub(super) fn killed(mut self) -> TempDir {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::mem::replace(&mut self.folder, TempDir::new().unwrap())
    }

    /// What it has said, once `find` finds something in it.
    pub(super) async fn said<T>(&self, find: impl Fn(&str) -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap();
            if let Some(found) = find(&log) {
                return found;
            }
            assert!(Instant::now() < end, "the server did not start:\n{log}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A program on the PATH, where root has its own too, or among what was fetched for tests.
pub(super) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/services/bin");
    let places = std::env::split_paths(&path).chain([fetched, "/usr/sbin".into()]);
    places.map(|place| place.join(name)).find(|file| file.is_file())
}
