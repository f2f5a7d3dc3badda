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
//! | `copy`   | a copy of a folder that others write to              |

mod action;
mod agree;
mod copy;
mod model;

use std::future::Future;
use std::path::Path;

use proptest::collection::vec;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use tempfile::TempDir;
use tidemill::store::embedded::EmbeddedStore;
use tidemill::store::memory::MemoryStore;
use tidemill::store::{Change, Durability, Group, Store};

use super::values;
use action::{Action, Step};
use model::Model;

/// Sequences unless `PROPTEST_CASES` says otherwise, and steps of the longest.
const CASES: u32 = 10;
const MAX_STEPS: usize = 50;

#[test]
fn a_store_in_memory_is_what_the_model_says_after_every_sequence_of_changes() {
    check(|| Home { folder: None, keeps_all: true });
}

#[test]
fn an_embedded_store_is_what_the_model_says_after_every_sequence_of_changes_and_crashes() {
    let keeps_all = keeps_keys_and_counts();
    check(|| Home { folder: Some(TempDir::new().unwrap()), keeps_all });
}

/// Where a store lives.
struct Home {
    /// `None` for one in memory, which is never opened again.
    folder: Option<TempDir>,
    /// Whether keys and counts are there when it is opened again.
    keeps_all: bool,
}

impl Home {
    fn open(&self) -> Box<dyn Store> {
        match &self.folder {
            None => Box::new(MemoryStore::default()),
            Some(folder) => open(folder.path()),
        }
    }
}

fn open(folder: &Path) -> Box<dyn Store> {
    Box::new(EmbeddedStore::open(folder).unwrap())
}

/// A store and what it must hold.
struct World {
    home: Home,
    store: Option<Box<dyn Store>>,
    model: Model,
}

fn check(home: impl Fn() -> Home) {
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { Config::default().cases } else { CASES };
    // Whatever a sequence did is told when it fails; files beside the sources are not wanted.
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let sequences = vec(action::strategy(), 1..MAX_STEPS);
    let ran = TestRunner::new(config).run(&sequences, |actions| {
        let mut world = World { home: home(), store: None, model: Model::default() };
        within_runtime(async {
            world.store = Some(world.home.open());
            for action in &actions {
                world.step(action).await.map_err(|why| TestCaseError::fail(format!("{why} after {action:?}")))?;
            }
            world.all_agree().await.map_err(TestCaseError::fail)
        })
    });
    if let Err(found) = ran {
        panic!("{found}");
    }
}

fn within_runtime<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap().block_on(future)
}

impl World {
    async fn step(&mut self, action: &Action) -> Result<(), String> {
        match action.step(&mut self.model) {
            Step::Commit(groups) => self.commit(groups, action).await,
            Step::Read => agree::one(self.store().as_ref(), &self.model, action).await,
            Step::Reopen => self.reopen().await,
            Step::Crash => self.crash().await,
        }
    }

    fn store(&self) -> &Box<dyn Store> {
        self.store.as_ref().unwrap()
    }

    /// Hands all groups over, and then waits for their answers.
    async fn commit(&mut self, groups: Vec<Vec<Change>>, action: &Action) -> Result<(), String> {
        let mut answers = Vec::new();
        for group in groups {
            group.iter().for_each(|change| self.model.apply(change));
            let when = if action.salt % 2 == 0 { Durability::Synced } else { Durability::Written };
            answers.push(self.store.as_ref().unwrap().commit(Group(group), when));
        }
        for answer in answers {
            answer.await.map_err(|error| error.to_string())?;
        }
        agree::one(self.store().as_ref(), &self.model, action).await
    }

    async fn reopen(&mut self) -> Result<(), String> {
        if self.home.folder.is_none() {
            return Ok(());
        }
        self.store = None;
        self.store = Some(self.home.open());
        if !self.home.keeps_all {
            self.model.forget_keys_and_counts();
        }
        self.all_agree().await
    }

    /// Opens a copy of the folder as it is; the store goes on with the original.
    async fn crash(&mut self) -> Result<(), String> {
        let Some(folder) = &self.home.folder else { return Ok(()) };
        let copy = TempDir::new().unwrap();
        copy::copy(folder.path(), copy.path()).unwrap();
        let left = open(copy.path());
        let mut model = self.model.clone();
        if !self.home.keeps_all {
            model.forget_keys_and_counts();
        }
        agree::all(left.as_ref(), &model).await.map_err(|why| format!("what a crash left: {why}"))
    }

    async fn all_agree(&self) -> Result<(), String> {
        agree::all(self.store().as_ref(), &self.model).await
    }
}

/// Whether an embedded store that is opened again still has keys, and counts of what was removed. One that has not is
/// compared without them, and that is said; where everything must be tested it is a failure.
fn keeps_keys_and_counts() -> bool {
    let folder = TempDir::new().unwrap();
    let keeps = within_runtime(async {
        let (key, used) = model::key(1, values::id(1), values::at(1));
        values::commit(open(folder.path()).as_ref(), [Change::PutKey(key, used)]).await;
        open(folder.path()).key(key).await.unwrap().is_some()
    });
    if !keeps {
        crate::skipped("keys and counts across a reopening: the embedded store does not keep them");
    }
    keeps
}
