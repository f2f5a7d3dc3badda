//! The queue as a state machine: random sequences of what the runtime does to a store, against a model of maps.
//!
//! After each step the store must answer as the model does, and so it must when it is opened again, and when a copy
//! of its folder is opened that was taken without closing it: that is what a crash of the process leaves.
//!
//! | file     | decides                                              |
//! | -------- | ---------------------------------------------------- |
//! | `action` | what is done, drawn at random                        |
//! | `model`  | what the store must then hold: plain maps            |
//! | `agree`  | whether it does: every read, compared with the model |
//! | `broken` | a store that is to be found out                      |
//! | `copy`   | a copy of a folder that others write to              |

mod action;
mod agree;
mod broken;
mod copy;
mod model;

use std::future::Future;
use std::path::Path;

use proptest::collection::vec;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use tempfile::TempDir;
use tidemill::store::embedded::EmbeddedStore;
use tidemill::store::memory::MemoryStore;
use tidemill::store::{Change, Durability, Group, Part, Store};

use action::{Action, Step};
use broken::Broken;
use model::Model;

/// Sequences unless `PROPTEST_CASES` says otherwise: in memory, and on disk, where each commit is waited for.
const CASES: u32 = 60;
const CASES_ON_DISK: u32 = 12;
/// Steps of the longest sequence, and attempts to find a shorter one that fails.
const MAX_STEPS: usize = 50;
const MAX_SHRINKS: u32 = 200;

#[test]
fn a_store_in_memory_is_what_the_model_says_after_every_sequence_of_changes() {
    check(CASES, Home::memory);
}

#[test]
fn an_embedded_store_is_what_the_model_says_after_every_sequence_of_changes_and_crashes() {
    check(CASES_ON_DISK, Home::folder);
}

#[test]
fn a_store_that_leaves_something_out_is_found() {
    found(|change| !matches!(change, Change::RemoveInvocation(_)));
    found(|change| !matches!(change, Change::RemoveKey(_)));
    found(|change| !matches!(change, Change::RemoveSecret(..)));
    found(|change| !matches!(change, Change::RemovePair(..)));
    found(|change| !matches!(change, Change::RemoveDocument(_)));
    found(|change| !matches!(change, Change::PutPair(pair, _) if pair.bytes > 5_000));
    found(|change| !matches!(change, Change::PutBlob(_, Part::Result, _)));
    found(|change| !matches!(change, Change::PutInvocation(next) if !next.lineage.chain.is_empty()));
}

/// A store that carries out only what is `wanted` must be found out.
#[track_caller]
fn found(wanted: fn(&Change) -> bool) {
    let ran = run(CASES, 0, || Home { folder: None, open: Box::new(move |_| Box::new(Broken::new(wanted))) });
    assert!(ran.is_err(), "nothing was found");
}

#[track_caller]
fn check(cases: u32, home: impl Fn() -> Home) {
    if let Err(found) = run(cases, MAX_SHRINKS, home) {
        panic!("{found}");
    }
}

type Open = dyn Fn(&Path) -> Box<dyn Store>;

/// Where a store lives, and how it is opened.
struct Home {
    /// `None` for one that is never opened again.
    folder: Option<TempDir>,
    open: Box<Open>,
}

impl Home {
    fn memory() -> Self {
        Self { folder: None, open: Box::new(|_| Box::new(MemoryStore::default())) }
    }

    fn folder() -> Self {
        Self { folder: Some(TempDir::new().unwrap()), open: Box::new(open) }
    }

    fn open(&self) -> Box<dyn Store> {
        (self.open)(self.folder.as_ref().map_or(Path::new(""), TempDir::path))
    }
}

fn open(folder: &Path) -> Box<dyn Store> {
    Box::new(EmbeddedStore::open(folder).unwrap())
}

fn run(cases: u32, max_shrink_iters: u32, home: impl Fn() -> Home) -> Result<(), String> {
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { Config::default().cases } else { cases };
    // Whatever a sequence did is told when it fails; files beside the sources are not wanted.
    let config = Config { cases, failure_persistence: None, max_shrink_iters, ..Config::default() };
    let sequences = vec(action::strategy(), 1..MAX_STEPS);
    let ran = TestRunner::new(config).run(&sequences, |actions| {
        let home = home();
        within_runtime(async {
            let mut world = World { store: home.open(), home, model: Model::default() };
            for action in &actions {
                let step = world.step(action).await;
                step.map_err(|why| TestCaseError::fail(format!("{why} after {action:?}")))?;
            }
            world.all_agree().await.map_err(TestCaseError::fail)
        })
    });
    ran.map_err(|found| found.to_string())
}

fn within_runtime<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap().block_on(future)
}

/// A store and what it must hold.
struct World {
    home: Home,
    store: Box<dyn Store>,
    model: Model,
}

impl World {
    async fn step(&mut self, action: &Action) -> Result<(), String> {
        match action.step(&mut self.model) {
            Step::Commit(groups) => self.commit(groups, action).await,
            Step::Read => agree::one(self.store.as_ref(), &self.model, action).await,
            Step::Reopen => self.reopen().await,
            Step::Crash => self.crash().await,
        }
    }

    /// Hands all groups over, and then waits for their answers.
    async fn commit(&mut self, groups: Vec<Vec<Change>>, action: &Action) -> Result<(), String> {
        let mut answers = Vec::new();
        for group in groups {
            for change in &group {
                self.model.apply(change);
            }
            let when = if action.salt.is_multiple_of(2) { Durability::Synced } else { Durability::Written };
            answers.push(self.store.commit(Group(group), when));
        }
        for answer in answers {
            answer.await.map_err(|error| error.to_string())?;
        }
        agree::one(self.store.as_ref(), &self.model, action).await
    }

    async fn reopen(&mut self) -> Result<(), String> {
        if self.home.folder.is_none() {
            return Ok(());
        }
        self.store = Box::new(MemoryStore::default()); // the other is closed before it is opened again
        self.store = self.home.open();
        self.all_agree().await
    }

    /// Opens a copy of the folder as it is; the store goes on with the original.
    async fn crash(&mut self) -> Result<(), String> {
        let Some(folder) = &self.home.folder else { return Ok(()) };
        let copy = TempDir::new().unwrap();
        copy::copy(folder.path(), copy.path()).unwrap();
        let left = open(copy.path());
        agree::all(left.as_ref(), &self.model).await.map_err(|why| format!("what a crash left: {why}"))
    }

    async fn all_agree(&self) -> Result<(), String> {
        agree::all(self.store.as_ref(), &self.model).await
    }
}
