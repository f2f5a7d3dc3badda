//! One step in the life of an invocation: load it, move it by one event, commit what follows.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::settle::{self, Payloads};
use super::{Parts, place_of};
use crate::dispatch::line::Place;
use crate::engine::call::{Input, Ran};
use crate::model::function::Version;
use crate::model::invocation::{Event, IllegalTransition, Invocation, PayloadInfo, State};
use crate::model::names::InvocationId;
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
    log: Bytes,
}

/// Does one step and puts the invocation back in line if it is not settled.
pub(super) async fn run(parts: Arc<Parts>, place: Place, task: Task, cut: CancellationToken) {
    let back = match carry_out(&parts, place.id, task, &cut).await {
        Ok(back) => back,
        Err(error) => {
            tracing::error!(invocation = %place.id, %error, "a step did not end; it will be tried again");
            Some(Place { due: parts.needs.clock.now() + STORE_PAUSE, ..place })
        }
    };
    parts.finish(place.id, back);
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
        (State::Queued { due, .. }, Task::Run(_)) if *due > now => return Ok(place_of(&invocation)),
        _ => (),
    }
    let _permit; // held until the end is written
    let event = match (&invocation.state, task) {
        // In line and yet running: the attempt ended with the process, or its end could not be written.
        (State::Running { .. }, _) => Event::Interrupted,
        (_, Task::Cancel) => Event::Cancelled,
        (_, Task::Expire(permit)) => {
            _permit = permit;
            Event::Aged
        }
        (_, Task::Run(slot)) => return attempt(parts, invocation, slot, cut).await,
    };
    invocation.apply(&event, now)?;
    let request = payload(parts, id).await?;
    write(parts, Written { invocation, payloads: Payloads { request, response: Bytes::new() }, log: Bytes::new() })
        .await
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
        parts.line().extend(next.as_ref().and_then(place_of));
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
    let version =
        invocation.target.version.and_then(|number| needs.registry.version(invocation.target.function, number));
    let event = if version.is_some() { Event::Claimed(parts.lease) } else { Event::FunctionRemoved };
    invocation.apply(&event, needs.clock.now())?;
    let request = payload(parts, invocation.id).await?;
    let (Some(version), State::Running { attempt, .. }) = (version, &invocation.state) else {
        let payloads = Payloads { request, response: Bytes::new() };
        return write(parts, Written { invocation, payloads, log: Bytes::new() }).await;
    };

    let claim = Group(vec![Change::PutInvocation(Box::new(invocation.clone()))]);
    needs.store.commit(claim, Durability::Written).await?;
    tracing::debug!(target: "tidemill::ledger", invocation = %invocation.id, attempt, "attempt started");
    let (event, ran) = run_guest(parts, &invocation, &version, slot, request.clone(), cut).await;
    if let Event::Ended(Err(failure)) = &event {
        let (kind, error) = (failure.kind.as_str(), &failure.message);
        tracing::info!(invocation = %invocation.id, function = %invocation.target.path, attempt, kind, error, "attempt failed");
    }
    let succeeded = matches!(event, Event::Ended(Ok(())));
    invocation.apply(&event, needs.clock.now())?;
    let (reply, log) = ran.map_or_else(Default::default, |ran| (ran.end.ok().or(ran.answer), ran.log));
    let reply = reply.unwrap_or_default();
    if succeeded {
        invocation.result = Some(PayloadInfo { bytes: reply.body.len() as u64, content_type: reply.content_type });
    }
    write(parts, Written { invocation, payloads: Payloads { request, response: reply.body }, log }).await
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
    let back = place_of(&invocation);
    let next = settle::next(parts, &invocation, &payloads, parts.needs.clock.now());

    let mut group = Vec::with_capacity(5);
    if !log.is_empty() {
        group.push(Change::PutBlob(id, Part::Log, log));
    }
    if invocation.result.is_some() {
        group.push(Change::PutBlob(id, Part::Result, payloads.response));
    }
    group.push(Change::PutInvocation(Box::new(invocation)));
    let next_place = next.as_ref().and_then(|(next, _)| place_of(next));
    if let Some((next, record)) = next {
        group.push(Change::PutBlob(next.id, Part::Payload, record));
        group.push(Change::PutInvocation(Box::new(next)));
    }
    // Waiting for the next attempt may be forgotten by a power cut: the attempt then counts as interrupted.
    let when = if settled.is_some() { Durability::Synced } else { Durability::Written };
    parts.needs.store.commit(Group(group), when).await?;

    if let Some((outcome, _)) = settled {
        tracing::debug!(target: "tidemill::ledger", invocation = %id, ?outcome, "settled");
        parts.waiters.tell(id);
    }
    parts.line().extend(next_place);
    Ok(back)
}

async fn payload(parts: &Parts, id: InvocationId) -> Result<Bytes, StoreError> {
    Ok(parts.needs.store.blob(id, Part::Payload).await?.unwrap_or_default())
}
