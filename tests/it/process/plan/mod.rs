//! `plan`, `apply` and `export` against a real server.

mod cycles;
mod everything;
mod export;
mod generated;
mod images;
mod steps;
mod versions;

use std::fs;
use std::path::{Path, PathBuf};

use super::support::{Finished, Server, prebuilt_path, run};

/// A folder with a description and the modules that it names.
struct Site {
    folder: tempfile::TempDir,
}

impl Site {
    fn new(description: &str) -> Self {
        let site = Self { folder: tempfile::TempDir::new().unwrap() };
        for guest in ["echo", "upper", "describe", "hello-http", "order-total"] {
            fs::copy(prebuilt_path(guest), site.path(&format!("{guest}.wasm"))).unwrap();
        }
        site.describe(description);
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new(self.folder.path()).join(name)
    }

    fn describe(&self, description: &str) {
        fs::write(self.path("tidemill.toml"), description).unwrap();
    }

    /// Changes a part of the description.
    #[track_caller]
    fn edit(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.path("tidemill.toml")).unwrap();
        assert!(text.contains(from), "{text}");
        self.describe(&text.replacen(from, to, 1));
    }

    /// Runs `plan` or `apply` on the description.
    async fn run(&self, server: &Server, command: &str) -> Finished {
        let file = self.path("tidemill.toml");
        let words = command.split(' ').map(Into::into);
        let words: Vec<std::ffi::OsString> = words.chain(["--file".into(), file.into()]).collect();
        run(server, &words).await
    }

    /// Applies the description, after which there is nothing left to do.
    async fn applied(&self, server: &Server) -> Finished {
        let applied = self.run(server, "apply").await.exits(0);
        let planned = self.run(server, "plan").await;
        assert_eq!((planned.text().as_str(), planned.code), ("nothing to do\n", Some(0)), "{}", planned.err);
        applied
    }
}
