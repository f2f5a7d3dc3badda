//! Operations: changes that somebody asked for and asks about until they are done. What one does is its asker's business; here
//! it is begun, carried to its end, and kept for a while, across restarts too. Knows no HTTP, and reads no message: what an
//! operation brings is bytes with a name.
//!
//! | table       | key                                                | value                            |
//! | ----------- | -------------------------------------------------- | -------------------------------- |
//! | `Operation` | the operation's id, 16 bytes, which tells its time | a format byte and an `Operation` |

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::clock::Clock;
use crate::model::bounds;
use crate::model::names::Namespace;
use crate::model::time::Timestamp;
use crate::store::{Change, DocumentKey, DocumentRange, Durability, Group, Store, StoreError, Table};
use crate::tasks::{OnExit, Tasks, holding_on};

/// The only format so far: `MessagePack`, fields by their places. New fields go to the end, with a default.
const FORMAT: u8 = 1;
/// Operations that are read together at the start.
const PAGE: usize = 500;
/// How long whoever begins an operation waits for its end, before being told to ask for it later.
const PATIENCE: Duration = Duration::from_secs(2);
/// gRPC's number for what was broken off.
const ABORTED: i32 = 10;
/// Its number for a fault of ours.
const INTERNAL: i32 = 13;

/// The identity of an operation; later ones sort behind earlier ones.
pub type OperationId = Uuid;

/// Something in a form that its reader knows by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packed {
    /// What it is.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// How far an operation is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Progress {
    /// It is not done.
    Running,
    /// It is, and this came of it.
    Done(Packed),
    /// It is, and this was wrong.
    Failed(Failed),
}

/// Why an operation did not do what it was to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// gRPC's number for it.
    pub code: i32,
    /// In words.
    pub message: String,
}

/// An operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Which.
    pub id: OperationId,
    /// What it does, in words.
    pub description: String,
    /// When it was begun.
    pub created: Timestamp,
    /// Who began it; empty where nobody is asked.
    pub created_by: String,
    /// When something about it changed.
    pub modified: Timestamp,
    /// Whose it is.
    pub namespace: Namespace,
    /// The id of what it changes.
    pub subject: String,
    /// What it changes, in its asker's form.
    pub metadata: Packed,
    /// How far it is.
    pub progress: Progress,
}

/// An operation that is to be.
#[derive(Clone, Debug)]
pub struct Begun {
    /// What it does, in words.
    pub description: String,
    /// Who begins it.
    pub created_by: String,
    /// Whose it is.
    pub namespace: Namespace,
    /// The id of what it changes.
    pub subject: String,
    /// What it changes, as far as that is known before.
    pub metadata: Packed,
}

/// What came of an operation.
#[derive(Clone, Debug)]
pub struct Ended {
    /// What was changed, where that is known better now.
    pub metadata: Option<Packed>,
    /// The result.
    pub response: Packed,
}

/// The operations of a runtime. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Operations {
    parts: Arc<Parts>,
}

struct Parts {
    store: Arc<dyn Store>,
    clock: Clock,
    tasks: Tasks,
    /// What is kept: the subject of each, in order of time.
    kept: Mutex<BTreeMap<OperationId, String>>,
}

impl Operations {
    /// The operations in `store`. Those that were under way when the process ended are known to have been broken off.
    pub async fn open(store: Arc<dyn Store>, clock: Clock, tasks: Tasks) -> Result<Self, StoreError> {
        let (mut kept, mut broken_off) = (BTreeMap::new(), Vec::new());
        let mut range = DocumentRange::of(Table::Operation, b"");
        loop {
            let page = store.documents(range.clone(), PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            range = range.after(last.key());
            for (_, bytes) in &page {
                let mut operation = decoded(bytes)?;
                kept.insert(operation.id, operation.subject.clone());
                if operation.progress == Progress::Running {
                    operation.modified = clock.now();
                    operation.progress = Progress::Failed(broken());
                    broken_off.push(put(&operation));
                }
            }
        }
        if !broken_off.is_empty() {
            store.commit(Group(broken_off), Durability::Synced).await?;
        }
        Ok(Self { parts: Arc::new(Parts { store, clock, tasks, kept: Mutex::new(kept) }) })
    }

    /// Keeps an operation that is done already.
    pub async fn done(&self, begun: Begun, response: Packed) -> Result<Operation, StoreError> {
        let operation = self.parts.begun(begun, Progress::Done(response));
        self.parts.keep(&operation).await?;
        Ok(operation)
    }

    /// Begins an operation, and carries it to its end whoever goes away meanwhile. Returns it as it is after a moment: done,
    /// or still running.
    pub async fn run(
        &self,
        begun: Begun,
        work: impl Future<Output = Result<Ended, Failed>> + Send + 'static,
    ) -> Result<Operation, StoreError> {
        let parts = Arc::clone(&self.parts);
        let operation = parts.begun(begun, Progress::Running);
        parts.keep(&operation).await?;
        let (answer, mut answered) = oneshot::channel();
        let running = operation.clone();
        let carried = async move {
            let ended = parts.tasks.see_through("operation-work", work).await;
            let mut done = running;
            done.modified = parts.clock.now();
            done.progress = match ended.unwrap_or_else(|| Err(bug())) {
                Ok(Ended { metadata, response }) => {
                    done.metadata = metadata.unwrap_or(done.metadata);
                    Progress::Done(response)
                }
                Err(failed) => Progress::Failed(failed),
            };
            if let Err(error) = parts.put_again(&done).await {
                tracing::error!(%error, operation = %done.id, "the end of an operation could not be kept");
            }
            let _ = answer.send(done); // nobody may be waiting any more
        };
        self.parts.tasks.spawn("operation", OnExit::Ignore, holding_on(carried));
        match tokio::time::timeout(PATIENCE, &mut answered).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(_)) | Err(_) => Ok(operation),
        }
    }

    /// One operation, while it is kept.
    pub async fn get(&self, id: OperationId) -> Result<Option<Operation>, StoreError> {
        let bytes = self.parts.store.document(key(id)).await?;
        bytes.map(|bytes| decoded(&bytes)).transpose()
    }

    /// Operations on `subject` from the newest to the oldest, from behind `after`, at most `limit`.
    pub async fn of(
        &self,
        subject: &str,
        after: Option<OperationId>,
        limit: usize,
    ) -> Result<Vec<Operation>, StoreError> {
        let chosen: Vec<_> = {
            let kept = self.parts.kept();
            let of_subject =
                kept.iter().rev().filter(|(id, of)| *of == subject && after.is_none_or(|after| **id < after));
            of_subject.map(|(id, _)| *id).take(limit).collect()
        };
        let mut operations = Vec::with_capacity(chosen.len());
        for id in chosen {
            operations.extend(self.get(id).await?);
        }
        Ok(operations)
    }
}

impl Parts {
    /// A new operation. Its id is nobody else's from now on.
    fn begun(&self, begun: Begun, progress: Progress) -> Operation {
        let now = self.clock.now();
        let Begun { description, created_by, namespace, subject, metadata } = begun;
        let id = {
            let mut kept = self.kept();
            let id = Clock::place_at(now, kept.last_key_value().map(|(id, _)| *id));
            kept.insert(id, subject.clone());
            id
        };
        Operation { id, description, created: now, created_by, modified: now, namespace, subject, metadata, progress }
    }

    /// Keeps a new operation; those that are too old or too many give way.
    async fn keep(&self, operation: &Operation) -> Result<(), StoreError> {
        let gone: Vec<_> = {
            let kept = self.kept();
            let too_many = kept.len().saturating_sub(bounds::MAX_OPERATIONS);
            let is_old = |id: &OperationId| self.clock.now().since(time(*id)) > bounds::MAX_OPERATION_AGE;
            let gone = kept.keys().enumerate().take_while(|(nth, id)| *nth < too_many || is_old(id));
            gone.map(|(_, id)| *id).filter(|id| *id != operation.id).collect()
        };
        let mut group = vec![put(operation)];
        group.extend(gone.iter().map(|id| Change::RemoveDocument(key(*id))));
        self.store.commit(Group(group), Durability::Synced).await?;
        let mut kept = self.kept();
        for id in gone {
            kept.remove(&id);
        }
        Ok(())
    }

    /// Writes how an operation ended, unless it gave way meanwhile.
    async fn put_again(&self, operation: &Operation) -> Result<(), StoreError> {
        if !self.kept().contains_key(&operation.id) {
            return Ok(());
        }
        self.store.commit(Group(vec![put(operation)]), Durability::Synced).await
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<OperationId, String>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn broken() -> Failed {
    let message = "the server ended while this was under way: look whether it was done, and ask again if it was not";
    Failed { code: ABORTED, message: message.to_owned() }
}

fn bug() -> Failed {
    Failed { code: INTERNAL, message: "the runtime has a bug: its log has more".to_owned() }
}

/// When an operation was begun, as its id tells.
fn time(id: OperationId) -> Timestamp {
    let mut ms = [0; 8];
    ms[2..].copy_from_slice(&id.as_bytes()[..6]);
    Timestamp::from_ms(u64::from_be_bytes(ms))
}

fn key(id: OperationId) -> DocumentKey {
    DocumentKey::new(Table::Operation, id.as_bytes().to_vec())
}

fn put(operation: &Operation) -> Change {
    Change::PutDocument(key(operation.id), encoded(operation))
}

fn encoded(operation: &Operation) -> Bytes {
    let mut bytes = vec![FORMAT];
    let mut serializer = rmp_serde::Serializer::new(&mut bytes);
    operation.serialize(&mut serializer).expect("plain data in memory: neither its form nor the buffer can refuse");
    bytes.into()
}

fn decoded(bytes: &[u8]) -> Result<Operation, StoreError> {
    let damaged = |detail: String| StoreError::Damaged { what: "an operation".to_owned(), detail };
    match bytes.split_first() {
        Some((&FORMAT, body)) => rmp_serde::from_slice(body).map_err(|error| damaged(error.to_string())),
        Some((format, _)) => Err(damaged(format!("it is in format {format}, and this program reads format {FORMAT}"))),
        None => Err(damaged("it is empty".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::MemoryStore;

    struct World {
        store: Arc<MemoryStore>,
        tasks: Tasks,
        operations: Operations,
    }

    async fn world() -> World {
        let (store, tasks) = (Arc::new(MemoryStore::default()), Tasks::default());
        let operations = Operations::open(store.clone(), Clock::system(), tasks.clone()).await.unwrap();
        World { store, tasks, operations }
    }

    fn begun(subject: &str) -> Begun {
        Begun {
            description: "do it".to_owned(),
            created_by: String::new(),
            namespace: Namespace::default(),
            subject: subject.to_owned(),
            metadata: Packed { name: "before".to_owned(), bytes: vec![1] },
        }
    }

    fn packed(name: &str) -> Packed {
        Packed { name: name.to_owned(), bytes: vec![7; 3] }
    }

    #[tokio::test]
    async fn what_ends_soon_is_done_in_the_answer_and_can_be_asked_for_later() {
        let world = world().await;
        let work = async { Ok(Ended { metadata: Some(packed("after")), response: packed("result") }) };
        let operation = world.operations.run(begun("f"), work).await.unwrap();
        assert_eq!((&operation.progress, &operation.metadata), (&Progress::Done(packed("result")), &packed("after")));
        assert_eq!(world.operations.get(operation.id).await.unwrap(), Some(operation));
    }

    #[tokio::test(start_paused = true)]
    async fn what_takes_long_is_running_in_the_answer_and_done_later() {
        let world = world().await;
        let work = async {
            tokio::time::sleep(PATIENCE * 2).await;
            Err(Failed { code: 3, message: "no".to_owned() })
        };
        let operation = world.operations.run(begun("f"), work).await.unwrap();
        assert_eq!(operation.progress, Progress::Running);
        assert_eq!(world.operations.get(operation.id).await.unwrap().unwrap().progress, Progress::Running);
        assert!(world.tasks.ended(PATIENCE * 4).await);
        let done = world.operations.get(operation.id).await.unwrap().unwrap();
        assert!(matches!(&done.progress, Progress::Failed(Failed { code: 3, .. })) && done.modified > done.created);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_restart_breaks_off_says_so_and_what_was_done_is_kept() {
        let world = world().await;
        let done = world.operations.done(begun("f"), packed("result")).await.unwrap();
        let running = world.operations.run(begun("f"), std::future::pending()).await.unwrap();
        let again = Operations::open(world.store.clone(), Clock::system(), Tasks::default()).await.unwrap();
        assert_eq!(again.get(done.id).await.unwrap(), Some(done.clone()));
        let broken = again.get(running.id).await.unwrap().unwrap();
        assert!(matches!(broken.progress, Progress::Failed(Failed { code: ABORTED, .. })), "{broken:?}");
        let listed: Vec<_> = again.of("f", None, 10).await.unwrap().iter().map(|operation| operation.id).collect();
        assert_eq!(listed, [running.id, done.id]);
        assert_eq!(again.of("f", Some(running.id), 10).await.unwrap().len(), 1);
        assert!(again.of("g", None, 10).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_panic_of_the_work_is_the_end_of_the_operation_and_not_silence() {
        let world = world().await;
        let operation = world.operations.run(begun("f"), async { panic!("on purpose") }).await.unwrap();
        assert!(matches!(operation.progress, Progress::Failed(Failed { code: INTERNAL, .. })), "{operation:?}");
    }

    #[tokio::test]
    async fn operations_that_are_begun_at_once_are_different_ones_also_where_the_clock_was_set_back() {
        let world = world().await;
        world.operations.done(begun("f"), packed("result")).await.unwrap();
        let early = Clock::starting_at(Timestamp::from_ms(1_000));
        let again = Operations::open(world.store.clone(), early, Tasks::default()).await.unwrap();
        let [one, other] = [(); 2].map(|()| again.parts.begun(begun("f"), Progress::Running));
        assert!(one.id < other.id, "{one:?} {other:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_give_way_once_they_are_too_old() {
        let world = world().await;
        let old = world.operations.done(begun("f"), packed("result")).await.unwrap();
        tokio::time::advance(bounds::MAX_OPERATION_AGE + Duration::from_secs(1)).await;
        let new = world.operations.done(begun("f"), packed("result")).await.unwrap();
        assert_eq!(world.operations.get(old.id).await.unwrap(), None);
        assert_eq!(world.operations.of("f", None, 10).await.unwrap(), [new]);
    }
}
