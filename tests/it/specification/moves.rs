//! What may happen next, and what it leads to.

use std::collections::BTreeMap;

use tidemill::model::invocation::{Event, Invocation, Lease, State};
use tidemill::model::names::InvocationId;
use tidemill::model::outcome::{Failure, FailureKind};
use uuid::Uuid;

use super::world::{Group, Hand, Kept, Rule, World, following, root};

/// Something that happens, in words.
pub(super) type Move = String;

/// Everything that may happen next.
pub(super) fn next(world: &World) -> Vec<(Move, World)> {
    let mut all = Vec::new();
    if world.synced.is_empty() && world.unsynced.is_empty() {
        accept(world, &mut all);
    }
    for (id, invocation) in world.kept() {
        if invocation.outcome().is_none() {
            live(world, &invocation, &mut all);
        }
        if let Some(Hand::Unsure(group)) = world.hands.get(&id) {
            unsure(world, id, group, &mut all);
        }
    }
    if world.left.crashes > 0 {
        crash(world, &mut all);
    }
    // Once everything that lives is too old, more time changes nothing.
    let is_young = |invocation: &Invocation| invocation.outcome().is_none() && invocation.expires() >= world.time();
    if world.kept().values().any(is_young) {
        all.push(("time passes".to_owned(), World { now: world.now + 1, ..world.clone() }));
    }
    all
}

fn accept(world: &World, all: &mut Vec<(Move, World)>) {
    let group = vec![root(world.time())];
    let id = group[0].id;
    if world.rule == Rule::AcceptsUnsynced {
        let mut told = world.clone();
        told.unsynced.push(group);
        told.line.insert(id);
        told.acknowledged.insert(id);
        return all.push(("it is accepted".to_owned(), told));
    }
    for (how, mut after) in committed(world, &group) {
        if how == Answer::Done {
            after.acknowledged.insert(id);
        }
        after.line.insert(id);
        all.push((format!("it is accepted: {how:?}"), after));
    }
}

/// What may happen to one that has not settled.
fn live(world: &World, invocation: &Invocation, all: &mut Vec<(Move, World)>) {
    let (id, now) = (invocation.id, world.time());
    let name = invocation.target.function.as_bytes()[0];
    if !world.line.contains(&id) {
        return; // whoever wrote it does not know that it did, or it is in the hands of its cause
    }
    match (&invocation.state, world.hands.get(&id)) {
        (State::Queued { due, .. }, None) => {
            if now >= *due {
                claim(world, invocation, all);
            }
            if now > invocation.expires() {
                moved(world, invocation, &Event::Aged, all);
            }
        }
        (_, Some(Hand::Running)) => ended(world, invocation, all),
        (State::Running { .. }, None) => moved(world, invocation, &Event::Interrupted, all),
        _ => (),
    }
    let is_free = !matches!(world.hands.get(&id), Some(Hand::Unsure(_)));
    if world.left.cancels > 0 && is_free {
        let mut cancelling = world.clone();
        cancelling.left.cancels -= 1;
        cancelling.hands.remove(&id);
        let before = all.len();
        moved(&cancelling, invocation, &Event::Cancelled, all);
        all[before..].iter_mut().for_each(|(what, _)| *what = format!("{name} is cancelled: {what}"));
    }
}

/// Its attempt ends.
fn ended(world: &World, invocation: &Invocation, all: &mut Vec<(Move, World)>) {
    let (mut after, mut running) = (world.clone(), invocation.clone());
    after.hands.remove(&invocation.id);
    if matches!(running.state, State::Queued { .. }) {
        running.apply(&Event::Claimed(lease()), world.time()).unwrap(); // nobody but the process knows that it runs
    }
    if matches!(running.state, State::Running { .. }) {
        moved(&after, &running, &Event::Ended(Ok(())), all);
        moved(&after, &running, &failed(), all);
    }
}

/// Its attempt starts, unless it turns out to be too old.
fn claim(world: &World, invocation: &Invocation, all: &mut Vec<(Move, World)>) {
    let ignoring = world.rule == Rule::IgnoresAge;
    let now = if ignoring { world.time().min(invocation.expires()) } else { world.time() };
    let mut claimed = invocation.clone();
    claimed.apply(&Event::Claimed(lease()), now).unwrap();
    if claimed.outcome().is_some() {
        return settle(world, &claimed, all);
    }
    let mut after = world.clone();
    if world.rule != Rule::ForgetsClaims {
        after.unsynced.push(vec![claimed.clone()]);
    }
    after.hands.insert(claimed.id, Hand::Running);
    *after.started.entry(claimed.id).or_default() += 1;
    after.late = world.time() > invocation.expires();
    all.push((format!("{} starts", claimed.target.function.as_bytes()[0]), after));
}

/// Something happened to it, and that is written.
fn moved(world: &World, invocation: &Invocation, event: &Event, all: &mut Vec<(Move, World)>) {
    let mut invocation = invocation.clone();
    invocation.apply(event, world.time()).unwrap();
    if invocation.outcome().is_some() {
        return settle(world, &invocation, all);
    }
    let mut after = world.clone();
    after.unsynced.push(vec![invocation.clone()]);
    all.push((format!("{} waits again", invocation.target.function.as_bytes()[0]), after));
}

/// Its outcome is written, with what follows from it.
fn settle(world: &World, invocation: &Invocation, all: &mut Vec<(Move, World)>) {
    let mut world = world.clone();
    let group = settling(&mut world, invocation);
    let (outcome, _) = invocation.outcome().unwrap();
    let what = format!("{} settles as {outcome:?}", invocation.target.function.as_bytes()[0]);
    if world.rule == Rule::SettlesUnsynced {
        world.unsynced.push(group.clone());
        done(&mut world, &group);
        return all.push((what, world));
    }
    if world.rule == Rule::SettlesInTwoCommits && group.len() > 1 {
        let (_, half) = committed(&world, &group[..1]).swap_remove(0);
        all.push((format!("{what}: the first half"), half));
    }
    for (how, mut after) in committed(&world, &group) {
        match how {
            Answer::Done => done(&mut after, &group),
            _ => drop(after.hands.insert(invocation.id, Hand::Unsure(group.clone()))),
        }
        all.push((format!("{what}: {how:?}"), after));
    }
}

fn settling(world: &mut World, invocation: &Invocation) -> Group {
    let Some((edge, to)) = invocation.leads_to() else { return vec![invocation.clone()] };
    let mut id = invocation.id.next(edge);
    if world.rule == Rule::DrawsIds {
        world.drawn += 1;
        id = InvocationId::from_bytes([0xd0 + world.drawn; 16]);
    }
    vec![invocation.clone(), following(invocation, id, to.id, world.time())]
}

/// The process knows that it was written.
fn done(world: &mut World, group: &[Invocation]) {
    world.hands.remove(&group[0].id);
    world.line.remove(&group[0].id);
    world.told.insert(group[0].id, group[0].outcome().unwrap().0);
    world.line.extend(group[1..].iter().map(|next| next.id));
}

/// It does not know whether it was. It looks, or it writes the same again.
fn unsure(world: &World, id: InvocationId, group: &Group, all: &mut Vec<(Move, World)>) {
    let mut looking = world.clone();
    looking.hands.remove(&id);
    let found = world.get(id).filter(|found| found.outcome().is_some());
    if let Some(found) = found {
        looking.line.remove(&id);
        if let Some((edge, _)) = found.leads_to() {
            looking.line.insert(id.next(edge));
        }
    }
    all.push(("it looks what was written".to_owned(), looking));
    let mut again = world.clone();
    let mut group = group.clone();
    if world.rule == Rule::DrawsIds {
        group = settling(&mut again, &group[0]);
    }
    again.synced = again.kept().into_iter().chain(group.iter().map(|one| (one.id, one.clone()))).collect();
    again.unsynced.clear();
    done(&mut again, &group);
    all.push(("it writes the same again".to_owned(), again));
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Done,
    /// The answer is lost; it was written.
    LostButSynced,
    /// The answer is lost; the kernel has it.
    LostButWritten,
    /// The answer is lost, and so is the group.
    Lost,
}

/// What becomes of a group that is to be synced.
fn committed(world: &World, group: &[Invocation]) -> Vec<(Answer, World)> {
    let mut written = world.clone();
    written.unsynced.push(group.to_vec());
    let mut synced = written.clone();
    synced.sync();
    let mut all = vec![(Answer::Done, synced.clone())];
    if world.left.lost_answers > 0 {
        for (answer, mut after) in
            [(Answer::LostButSynced, synced), (Answer::LostButWritten, written), (Answer::Lost, world.clone())]
        {
            after.left.lost_answers -= 1;
            all.push((answer, after));
        }
    }
    all
}

/// The process dies: what the kernel has is there. The power fails: of what was not synced, the first so many groups
/// are there. What is found is in line again.
fn crash(world: &World, all: &mut Vec<(Move, World)>) {
    for survived in 0..=world.unsynced.len() {
        let what = if survived == world.unsynced.len() { "the process dies" } else { "the power fails" };
        let mut after = world.clone();
        after.left.crashes -= 1;
        after.unsynced.truncate(survived);
        after.sync();
        forgive(world, &mut after);
        after.hands.clear();
        after.late = false;
        let is_live = |(_, invocation): &(&InvocationId, &Invocation)| invocation.outcome().is_none();
        after.line = after.synced.iter().filter(is_live).map(|(id, _)| *id).collect();
        all.push((what.to_owned(), after));
    }
}

/// Attempts that the disk forgot do not count, and it is the power that made it forget them.
fn forgive(before: &World, after: &mut World) {
    if before.rule == Rule::ForgetsClaims {
        return;
    }
    let used = |kept: &Kept| -> BTreeMap<InvocationId, u32> {
        kept.iter().map(|(id, invocation)| (*id, invocation.attempts_used())).collect()
    };
    let (then, now) = (used(&before.kept()), used(&after.synced));
    for (id, used) in then {
        let forgotten = used - now.get(&id).copied().unwrap_or_default().min(used);
        if let Some(started) = after.started.get_mut(&id) {
            *started = started.saturating_sub(forgotten);
        }
    }
}

fn failed() -> Event {
    Event::Ended(Err(Failure::retry(FailureKind::Trap, "x")))
}

fn lease() -> Lease {
    Lease { owner: Uuid::from_bytes([1; 16]) }
}
