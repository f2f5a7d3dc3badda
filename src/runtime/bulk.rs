//! Use cases over dead letters and over many invocations: redrive, purge, and each of the changes to all that a
//! filter keeps, so much at a time.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use futures::StreamExt as _;
use tokio::sync::Semaphore;

use super::{Accepted, Error, Filter, Runtime};
use crate::model::bounds;
use crate::model::invocation::{Invocation, Mode, State};
use crate::model::names::{FunctionPath, InvocationId, Namespace};
use crate::model::status::Status;
use crate::model::time::Timestamp;
use crate::store::{Change, Cursor, Durability, Group};

/// Invocations that one call changes at the same time: their commits share syncs.
const AT_ONCE: usize = 64;

/// Calls that change many at the same time: with [`AT_ONCE`] each, well below [`bounds::MAX_WAITING_COMMITS`].
const MANY_AT_ONCE: usize = 4;

/// What is to be done to many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Stop what is not settled.
    Cancel,
    /// Remove what is settled.
    Purge,
    /// Put a new invocation in the place of a dead letter.
    Redrive,
    /// Accept a new invocation with the payload of a settled one.
    Retry,
}

/// Which invocations are meant. Each part that is given narrows it.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Those of the functions of this namespace.
    pub namespace: Option<Namespace>,
    /// Those of this function.
    pub function: Option<FunctionPath>,
    /// Those that stand in one of these states; all that the action applies to where there is none.
    pub statuses: Vec<Status>,
    /// Dead letters only.
    pub dead_letters: bool,
    /// Those accepted then or later.
    pub accepted_from: Option<Timestamp>,
    /// Those accepted before this.
    pub accepted_before: Option<Timestamp>,
}

/// A change of many invocations, the newest first.
#[derive(Clone, Debug)]
pub struct Bulk {
    /// What is to be done.
    pub action: Action,
    /// To which.
    pub selection: Selection,
    /// To how many at most.
    pub limit: usize,
    /// Change nothing, and say what would be done.
    pub dry_run: bool,
    /// From behind this place.
    pub after: Option<Cursor>,
}

/// What was done.
#[derive(Debug, Default)]
pub struct BulkDone {
    /// How many the selection has kept: what was done, skipped and failed together.
    pub matched: usize,
    /// How many were changed, or would have been.
    pub done: usize,
    /// How many it does not apply to: they moved on meanwhile, or were synchronous and have no payload to repeat.
    pub skipped: usize,
    /// Those that could not be changed, and why.
    pub failed: Vec<(InvocationId, Error)>,
    /// Where to go on; `None` when all have been looked at.
    pub next: Option<Cursor>,
}

/// What became of one of many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Did {
    Done,
    Skipped,
}

impl Action {
    /// Whether it can be done to an invocation in that state.
    pub const fn applies_to(self, status: Status) -> bool {
        match self {
            Self::Cancel => !status.is_settled(),
            Self::Purge | Self::Retry => status.is_settled(),
            Self::Redrive => matches!(status, Status::Failed | Status::Expired),
        }
    }
}

/// Whose turn it is to change many, or to redrive.
#[derive(Debug)]
pub struct Turns {
    /// Calls that change many at the same time; the others wait, so that they take no room from single requests.
    many: Semaphore,
    /// Dead letters that are being redriven: each is redriven once, whoever else asks.
    redriving: Mutex<HashSet<InvocationId>>,
}

impl Default for Turns {
    fn default() -> Self {
        Self { many: Semaphore::new(MANY_AT_ONCE), redriving: Mutex::default() }
    }
}

/// A dead letter's turn.
struct Turn<'a>(&'a Turns, InvocationId);

impl Turns {
    fn redrive(&self, id: InvocationId) -> Option<Turn<'_>> {
        let new = self.redriving.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        new.then_some(Turn(self, id))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.redriving.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

impl Runtime {
    /// Accepts a new invocation in the place of a dead letter, whose record is removed by the same commit.
    pub async fn redrive(&self, id: InvocationId) -> Result<Accepted, Error> {
        let runtime = self.clone();
        let redriven = async move {
            let _turn = runtime.parts.turns.redrive(id).ok_or(Error::NotADeadLetter(id))?;
            let letter = runtime.invocation(id).await?;
            if !letter.is_dead_letter() || !is_done(&letter) {
                return Err(Error::NotADeadLetter(id));
            }
            runtime.repeat(letter, Some(id)).await
        };
        // It keeps its turn until it is through, also when the caller goes away.
        let redriven = self.parts.tasks.see_through("redrive", redriven).await;
        redriven.unwrap_or(Err(Error::Interrupted))
    }

    /// Removes a settled invocation with all that is kept of it.
    pub async fn purge(&self, id: InvocationId) -> Result<(), Error> {
        if !is_done(&self.invocation(id).await?) {
            return Err(Error::NotSettled(id));
        }
        self.remove(id).await
    }

    /// Changes what a selection keeps, up to a limit, or says what would be changed. Looks at no more than
    /// [`bounds::MAX_SCANNED`] records or so: the caller goes on from where it ended.
    pub async fn bulk(&self, bulk: Bulk) -> Result<BulkDone, Error> {
        let _turn = self.parts.turns.many.acquire().await; // it is never closed
        let page = self.list(bulk.filter()).await?;
        let mut total = BulkDone { matched: page.invocations.len(), next: page.next, ..BulkDone::default() };
        let each = page.invocations.into_iter().map(|invocation| async {
            let id = invocation.id;
            (id, self.change_one(bulk.action, invocation, bulk.dry_run).await)
        });
        let mut ended = futures::stream::iter(each).buffer_unordered(AT_ONCE);
        while let Some((id, did)) = ended.next().await {
            match did {
                Ok(Did::Done) => total.done += 1,
                // Somebody else was quicker.
                Ok(Did::Skipped)
                | Err(Error::AlreadySettled { .. } | Error::InvocationUnknown(_) | Error::NotADeadLetter(_)) => {
                    total.skipped += 1;
                }
                Err(error) => total.failed.push((id, error)),
            }
        }
        Ok(total)
    }

    async fn change_one(&self, action: Action, invocation: Invocation, dry_run: bool) -> Result<Did, Error> {
        let id = invocation.id;
        match action {
            Action::Cancel if dry_run => (),
            Action::Cancel => drop(self.cancel(id).await?),
            Action::Purge if !is_done(&invocation) => return Ok(Did::Skipped),
            Action::Purge if dry_run => (),
            Action::Purge => self.remove(id).await?,
            Action::Redrive | Action::Retry if invocation.mode == Mode::Sync => return Ok(Did::Skipped),
            Action::Redrive | Action::Retry if dry_run => drop(self.present(&invocation)?),
            Action::Redrive => drop(self.redrive(id).await?),
            Action::Retry => drop(self.retry(id).await?),
        }
        Ok(Did::Done)
    }

    async fn remove(&self, id: InvocationId) -> Result<(), Error> {
        let group = Group(vec![Change::RemoveInvocation(id)]);
        Ok(self.parts.store.commit(group, Durability::Synced).await?)
    }
}

impl Bulk {
    fn filter(&self) -> Filter {
        let Selection { namespace, function, statuses, dead_letters, accepted_from, accepted_before } =
            self.selection.clone();
        let statuses = if statuses.is_empty() { Status::ALL.to_vec() } else { statuses };
        // The list goes from the newest to the oldest, so what is too new lies before its start.
        let start = accepted_before.map(|before| Cursor(before, InvocationId::from_bytes([0; 16])));
        Filter {
            namespace,
            function,
            statuses: statuses.into_iter().filter(|status| self.action.applies_to(*status)).collect(),
            dead_letters: dead_letters || self.action == Action::Redrive,
            deliveries: None,
            since: accepted_from,
            after: [self.after, start].into_iter().flatten().min(),
            limit: self.limit.min(bounds::MAX_BULK),
        }
    }
}

/// Settled, with nothing of it still on its way out.
fn is_done(invocation: &Invocation) -> bool {
    matches!(invocation.state, State::Done { .. })
}
