//! One step in the life of an invocation: load it, move it by one event, commit what follows.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::Parts;
use super::deliver::Stand;
use super::settle::Payloads;
use super::turn::{Hold, STORE_PAUSE};
use super::write::{ToWrite, wanted, write};
use crate::engine::call::{Input, Ran, Request};
use crate::model::function::Version;
use crate::model::invocation::{Event, IllegalTransition, Invocation, PayloadInfo, State};
use crate::model::names::InvocationId;
use crate::model::outcome::{Advice, Failure, FailureKind};
use crate::model::place::Place;
use crate::model::time::whole_us;
use crate::model::usage::Usage;
use crate::store::{Change, Durability, Group, Part, StoreError};
use crate::worker::Slot;

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

/// Does one step and lets the invocation go.
pub(super) async fn run(parts: &Arc<Parts>, mut hold: Hold, mut task: Task, cut: CancellationToken) {
    let id = hold.id();
    loop {
        let cancelling = matches!(task, Task::Cancel);
        match carry_out(parts, id, task, &cut).await {
            Ok(Some(place)) => return hold.back(place),
            Ok(None) => return hold.gone(),
            Err(Stuck::Store(error @ StoreError::Damaged { .. })) => {
                tracing::error!(
                    invocation = %id, %error,
                    "an invocation is damaged: it is kept and tried again in an hour; `tidemill store check` tells all \
                     that is wrong, and `tidemill store repair` saves what is left"
                );
                return hold.damaged();
            }
            Err(error) => told(parts, id, &error),
        }
        if !(cancelling || cut.is_cancelled()) || !pause(parts).await {
            return; // it is put aside, not to be looked at again at once
        }
        task = Task::Cancel; // whoever asked for it has been promised it
    }
}

/// Waits before the store is asked again; returns false when the process is to stop.
pub(super) async fn pause(parts: &Parts) -> bool {
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
    parts: &Arc<Parts>,
    id: InvocationId,
    task: Task,
    cut: &CancellationToken,
) -> Result<Option<Place>, Stuck> {
    // Not there: an acceptance that failed, or a record that was removed meanwhile.
    let Some(mut invocation) = parts.needs.store.invocation(id).await? else {
        let mut unsure = parts.unsure(); // over both, so that nobody sees the one without the other
        if let Some((function, bytes)) = unsure.remove(&id) {
            parts.quota.give_back(function, bytes);
        }
        return Ok(None);
    };
    if invocation.outcome().is_some() {
        take_up_next(parts, &invocation).await?;
        return Ok(None);
    }
    let now = parts.needs.clock.now();
    // Taken too early: back in line. Without its version there is nothing to wait for; it settles now.
    if let (State::Queued { due, .. }, Task::Run(_)) = (&invocation.state, &task)
        && *due > now
        && version(parts, &invocation).is_some()
    {
        return Ok(invocation.place());
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
async fn take_up_next(parts: &Arc<Parts>, invocation: &Invocation) -> Result<(), StoreError> {
    parts.waiters.tell(invocation.id);
    parts.deliveries.note(&Stand::all_of(invocation));
    let next = match invocation.leads_to() {
        Some((edge, _)) => parts.needs.store.invocation(invocation.id.next(edge)).await?,
        None => None,
    };
    let _moving = parts.quota.moving(invocation.target.function);
    let _next_moving = next.as_ref().map(|next| parts.quota.moving(next.target.function));
    let counted = parts.unsure().remove(&invocation.id);
    if let Some((function, bytes)) = counted {
        parts.quota.settled(function, bytes, parts.needs.clock.now());
        if let Some(next) = &next {
            parts.quota.add(wanted(next));
        }
    }
    let held = parts.held(); // before the line, and over the look at both: it must not stand in two places
    if let Some(place) = next.as_ref().and_then(Invocation::place)
        && !held.contains_key(&place.id)
    {
        parts.line().insert(place);
    }
    Ok(())
}

/// Claims the invocation, runs it, writes what came of it.
async fn attempt(
    parts: &Arc<Parts>,
    mut invocation: Invocation,
    slot: Slot,
    cut: &CancellationToken,
) -> Result<Option<Place>, Stuck> {
    let needs = &parts.needs;
    let version = version(parts, &invocation);
    let event = if version.is_some() { Event::Claimed(parts.lease) } else { Event::FunctionRemoved };
    let (due, now) = (invocation.place().map(|place| place.due), needs.clock.now());
    let waited = due.map_or(Duration::ZERO, |due| now.since(due));
    invocation.apply(&event, now)?;
    let (Some(version), State::Running { attempt, .. }) = (version, &invocation.state) else {
        return write_without_attempt(parts, invocation).await;
    };

    let (attempt, request) = (*attempt, payload(parts, invocation.id).await?);
    let claim = Group(vec![Change::PutInvocation(Box::new(invocation.clone()))]);
    needs.store.commit(claim, Durability::Written).await?;
    tracing::debug!(target: "tidemill::ledger", invocation = %invocation.id, attempt, "attempt started");
    parts.tallies.count(invocation.target.function, |figures| {
        figures.attempts += 1;
        figures.retries += u64::from(attempt.get() > 1);
    });
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
    if let Some(ran) = &ran {
        invocation.note_usage(Usage { waited_us: whole_us(waited), ..ran.usage });
        parts.tallies.count(invocation.target.function, |figures| figures.add_ended(&ran.usage));
    }
    if let (State::Queued { .. }, Event::Ended(Err(Failure { advice: Advice::Postpone(_), .. }))) =
        (&invocation.state, &event)
    {
        parts.tallies.count(invocation.target.function, |figures| figures.throttled += 1);
    }
    let (reply, log) = ran.map(|ran| (ran.end.ok().or(ran.answer), ran.log)).unzip();
    let reply = reply.flatten().unwrap_or_default();
    if succeeded {
        invocation.result = Some(PayloadInfo { bytes: reply.body.len() as u64, content_type: reply.content_type });
    }
    let payloads = Payloads { request: request.unwrap_or_default(), response: reply.body };
    // An empty log is worth writing where it takes the place of an earlier attempt's.
    let log = log.filter(|log| !log.is_empty() || invocation.attempts.len() > 1);
    Ok(write(parts, ToWrite { invocation, payloads, log }).await?)
}

/// Writes an invocation that has moved without having run.
async fn write_without_attempt(parts: &Arc<Parts>, invocation: Invocation) -> Result<Option<Place>, Stuck> {
    let request = match invocation.leads_to() {
        // What cannot be read must not keep it from settling; it is told, and the record has nothing in its place.
        Some(_) => payload(parts, invocation.id).await?.unwrap_or_default(),
        None => Bytes::new(),
    };
    Ok(write(parts, ToWrite { invocation, payloads: Payloads { request, response: Bytes::new() }, log: None }).await?)
}

/// The version that is to run; `None` once it is gone.
fn version(parts: &Parts, invocation: &Invocation) -> Option<Arc<Version>> {
    parts.needs.registry.version(invocation.target.function, invocation.target.version?)
}

/// Runs the guest until it ends or is cut short, and gives its slot back.
async fn run_guest(
    parts: &Parts,
    invocation: &Invocation,
    version: &Arc<Version>,
    slot: Slot,
    payload: Bytes,
    cut: &CancellationToken,
) -> (Event, Option<Ran>) {
    tokio::select! {
        ran = parts.needs.worker.attempt(&slot, invocation, version, input(invocation, version, payload)) => {
            let end = ran.end.as_ref().map(|_| ()).map_err(Clone::clone);
            (Event::Ended(end), Some(ran))
        }
        () = cut.cancelled() => (Event::Cancelled, None),
        () = parts.give_back.cancelled() => (Event::GivenBack, None),
    }
}

/// What a version is run with: the whole HTTP request, where it is one and the version answers such.
fn input(invocation: &Invocation, version: &Version, payload: Bytes) -> Input {
    let head = invocation.request.head.as_ref().filter(|_| version.answers_requests());
    match head.and_then(|head| Request::again(head, payload.clone())) {
        Some(request) => Input::Request(Box::new(request)),
        None => Input::Payload(payload),
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
