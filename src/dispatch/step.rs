//! One step in the life of an invocation: load it, move it by one event, commit what follows.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::Parts;
use super::settle::{self, Payloads};
use crate::engine::call::{Input, Ran};
use crate::model::function::Version;
use crate::model::invocation::{Event, IllegalTransition, Invocation, PayloadInfo, State};
use crate::model::names::InvocationId;
use crate::model::outcome::{Failure, FailureKind};
use crate::model::place::Place;
use crate::store::{Change, Durability, Group, Part, StoreError};
use crate::worker::Slot;

/// When a step that the store kept from ending is tried again.
const STORE_PAUSE: Duration = Duration::from_secs(5);

/// What a step is for.
pub(super) enum Task {
    /// Its turn has come.
    Run(Slot),
    /// It grew too old. The permit bounds how many such steps there are at once.
    Expire(OwnedSemaphorePermit),
    /// Somebody asked for it to stop while it waited.
    Cancel,
}

/// Why a step did not end.
#[derive(Debug, thiserror::Error)]
enum Stuck {
    #[error("a bug: {0}")]
    Illegal(#[from] IllegalTransition),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a step wants written.
struct Written {
    invocation: Invocation,
    payloads: Payloads,
    /// What the attempt wrote, where there was one.
    log: Option<Bytes>,
}

/// An invocation in the hands of a step. When the step ends, by a panic too, it is let go.
struct Hold {
    parts: Arc<Parts>,
    id: InvocationId,
    back: Option<Place>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.parts.finish(self.id, self.back.take());
    }
}

/// Does one step and puts the invocation back in line if it is not settled.
pub(super) async fn run(parts: Arc<Parts>, place: Place, mut task: Task, cut: CancellationToken) {
    let mut hold = Hold { parts: parts.clone(), id: place.id, back: Some(later(&parts, place)) };
    hold.back = loop {
        let cancelling = matches!(task, Task::Cancel);
        match carry_out(&parts, place.id, task, &cut).await {
            Ok(back) => break back,
            Err(error) => told(&parts, place.id, &error),
        }
        if !(cancelling || cut.is_cancelled()) || !pause(&parts).await {
            break Some(later(&parts, place));
        }
        task = Task::Cancel; // whoever asked for it has been promised it
    };
}

/// The place of one whose step did not end: not to be looked at again at once, not even for its age.
fn later(parts: &Parts, place: Place) -> Place {
    let at = parts.needs.clock.now() + STORE_PAUSE;
    Place { due: at, expires: place.expires.max(at), ..place }
}

/// Waits before the store is asked again; returns false when the process is to stop.
async fn pause(parts: &Parts) -> bool {
    tokio::select! {
        () = tokio::time::sleep(STORE_PAUSE) => true,
        () = parts.give_back.cancelled() => false,
    }
}

/// Says that a step did not end. A store that takes nothing any more ends the process: what was accepted is kept,
/// and the next start takes it up.
fn told(parts: &Parts, id: InvocationId, error: &Stuck) {
    if parts.needs.tasks.stopping().is_cancelled() {
        return;
    }
    tracing::error!(invocation = %id, %error, "a step did not end; it will be tried again");
    if matches!(error, Stuck::Store(StoreError::Stopped(_))) {
        parts.needs.tasks.stop();
    }
}

async fn carry_out(
    parts: &Parts,
    id: InvocationId,
    task: Task,
    cut: &CancellationToken,
) -> Result<Option<Place>, Stuck> {
    // Not there: an acceptance that failed, or a record that was removed meanwhile.
    let Some(mut invocation) = parts.needs.store.invocation(id).await? else { return Ok(None) };
    if invocation.outcome().is_some() {
        take_up_next(parts, &invocation).await?;
        return Ok(None);
    }
    let now = parts.needs.clock.now();
    match (&invocation.state, &task) {
        // Without its function it has nothing to wait for.
        (State::Queued { due, .. }, Task::Run(_)) if *due > now && version(parts, &invocation).is_some() => {
            return Ok(invocation.place());
        }
        _ => (),
    }
    let _permit; // held until the end is written
    let event = match (&invocation.state, task) {
        (_, Task::Cancel) => Event::Cancelled,
        // In line and yet running: the attempt ended with the process, or its end could not be written.
        (State::Running { .. }, _) => Event::Interrupted,
        (_, Task::Expire(permit)) => {
            _permit = permit;
            Event::Aged
        }
        (_, Task::Run(slot)) => return attempt(parts, invocation, slot, cut).await,
    };
    invocation.apply(&event, now)?;
    write_without_attempt(parts, invocation).await
}

/// Settled, and yet in line: the write that settled it was answered with `unknown` and had taken effect. What it
/// caused then stands in the store and nowhere else.
async fn take_up_next(parts: &Parts, invocation: &Invocation) -> Result<(), StoreError> {
    parts.waiters.tell(invocation.id);
    let Some((edge, _)) = invocation.leads_to() else { return Ok(()) };
    let id = invocation.id.next(edge);
    let next = parts.needs.store.invocation(id).await?;
    let held = parts.held(); // before the line, and over the look at both: it must not stand in two places
    if !held.contains_key(&id) {
        next.as_ref().and_then(Invocation::place).into_iter().for_each(|place| parts.line().insert(place));
    }
    Ok(())
}

/// Claims the invocation, runs it, writes what came of it.
async fn attempt(
    parts: &Parts,
    mut invocation: Invocation,
    slot: Slot,
    cut: &CancellationToken,
) -> Result<Option<Place>, Stuck> {
    let needs = &parts.needs;
    let version = version(parts, &invocation);
    let event = if version.is_some() { Event::Claimed(parts.lease) } else { Event::FunctionRemoved };
    invocation.apply(&event, needs.clock.now())?;
    let (Some(version), State::Running { attempt, .. }) = (version, &invocation.state) else {
        return write_without_attempt(parts, invocation).await;
    };

    let (attempt, request) = (*attempt, payload(parts, invocation.id).await?);
    let claim = Group(vec![Change::PutInvocation(Box::new(invocation.clone()))]);
    needs.store.commit(claim, Durability::Written).await?;
    tracing::debug!(target: "tidemill::ledger", invocation = %invocation.id, attempt, "attempt started");
    let (event, ran) = match &request {
        Ok(request) => run_guest(parts, &invocation, &version, slot, request.clone(), cut).await,
        Err(unreadable) => (Event::Ended(Err(unreadable.clone())), None),
    };
    if let Event::Ended(Err(failure)) = &event {
        let (kind, error) = (failure.kind.as_str(), &failure.message);
        tracing::info!(invocation = %invocation.id, function = %invocation.target.path, attempt, kind, error, "attempt failed");
    }
    let succeeded = matches!(event, Event::Ended(Ok(())));
    invocation.apply(&event, needs.clock.now())?;
    let (reply, log) = ran.map(|ran| (ran.end.ok().or(ran.answer), ran.log)).unzip();
    let reply = reply.flatten().unwrap_or_default();
    if succeeded {
        invocation.result = Some(PayloadInfo { bytes: reply.body.len() as u64, content_type: reply.content_type });
    }
    let payloads = Payloads { request: request.unwrap_or_default(), response: reply.body };
    // An empty log is worth writing where it takes the place of an earlier attempt's.
    let log = log.filter(|log| !log.is_empty() || invocation.attempts.len() > 1);
    write(parts, Written { invocation, payloads, log }).await
}

/// Writes an invocation that has moved without having run.
async fn write_without_attempt(parts: &Parts, invocation: Invocation) -> Result<Option<Place>, Stuck> {
    let request = match invocation.leads_to() {
        // What cannot be read must not keep it from settling; it is told, and the record has nothing in its place.
        Some(_) => payload(parts, invocation.id).await?.unwrap_or_default(),
        None => Bytes::new(),
    };
    write(parts, Written { invocation, payloads: Payloads { request, response: Bytes::new() }, log: None }).await
}

/// The version that is to run; `None` once it is gone.
fn version(parts: &Parts, invocation: &Invocation) -> Option<Arc<Version>> {
    parts.needs.registry.version(invocation.target.function, invocation.target.version?)
}

/// Runs the guest until it ends or is cut short, and gives its slot back.
async fn run_guest(
    parts: &Parts,
    invocation: &Invocation,
    version: &Version,
    slot: Slot,
    payload: Bytes,
    cut: &CancellationToken,
) -> (Event, Option<Ran>) {
    tokio::select! {
        ran = parts.needs.worker.attempt(&slot, invocation, version, Input::Payload(payload)) => {
            let end = ran.end.as_ref().map(|_| ()).map_err(Clone::clone);
            (Event::Ended(end), Some(ran))
        }
        () = cut.cancelled() => (Event::Cancelled, None),
        () = parts.give_back.cancelled() => (Event::GivenBack, None),
    }
}

/// Commits the new state with all that follows from it; returns where the invocation stands in line again.
async fn write(parts: &Parts, written: Written) -> Result<Option<Place>, Stuck> {
    let Written { invocation, payloads, log } = written;
    let id = invocation.id;
    let settled = invocation.outcome();
    let back = invocation.place();
    let next = settle::next(parts, &invocation, &payloads, parts.needs.clock.now());

    let mut group = Vec::with_capacity(5);
    group.extend(log.map(|log| Change::PutBlob(id, Part::Log, log)));
    if invocation.result.is_some() {
        group.push(Change::PutBlob(id, Part::Result, payloads.response));
    }
    group.push(Change::PutInvocation(Box::new(invocation)));
    let next_place = next.as_ref().and_then(|(next, _)| next.place());
    if let Some((next, record)) = next {
        group.push(Change::PutBlob(next.id, Part::Payload, record));
        group.push(Change::PutInvocation(Box::new(next)));
    }
    // Waiting for the next attempt may be forgotten by a power cut: the attempt then counts as interrupted.
    let when = if settled.is_some() { Durability::Synced } else { Durability::Written };
    commit(parts, id, group, when).await?;

    if let Some((outcome, _)) = settled {
        tracing::debug!(target: "tidemill::ledger", invocation = %id, ?outcome, "settled");
        parts.waiters.tell(id);
    }
    next_place.into_iter().for_each(|place| parts.line().insert(place));
    Ok(back)
}

/// Commits, and again after a pause while the store refuses for want of room: what has happened is not forgotten
/// because it cannot be written down yet.
async fn commit(parts: &Parts, id: InvocationId, group: Vec<Change>, when: Durability) -> Result<(), StoreError> {
    loop {
        match parts.needs.store.commit(Group(group.clone()), when).await {
            Err(refused @ (StoreError::Refused(_) | StoreError::Full(_))) => {
                tracing::warn!(invocation = %id, error = %refused, "what has happened could not be written; trying again");
                if !pause(parts).await {
                    return Err(refused);
                }
            }
            end => return end,
        }
    }
}

/// What an invocation brought, or the failure of an attempt that cannot have it.
async fn payload(parts: &Parts, id: InvocationId) -> Result<Result<Bytes, Failure>, StoreError> {
    match parts.needs.store.blob(id, Part::Payload).await {
        Ok(payload) => Ok(Ok(payload.unwrap_or_default())),
        Err(damaged @ StoreError::Damaged { .. }) => {
            tracing::error!(invocation = %id, error = %damaged, "a payload cannot be read");
            Ok(Err(Failure::retry(FailureKind::Load, format!("its payload cannot be read: {damaged}"))))
        }
        Err(error) => Err(error),
    }
}
