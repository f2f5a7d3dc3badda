//! What must hold in each state, and over each move.

use std::collections::BTreeMap;

use tidemill::model::invocation::Invocation;
use tidemill::model::names::InvocationId;

use super::world::{Kept, MAX_RETRIES, World};

/// The promise that a state breaks.
pub(super) fn broken(world: &World) -> Option<String> {
    let kept = world.kept();
    let lost = world.acknowledged.iter().find(|id| !kept.contains_key(id));
    if let Some(id) = lost {
        return Some(format!("{id} was acknowledged, and is gone"));
    }
    let changed = world.told.iter().find(|(id, outcome)| {
        kept.get(id).and_then(Invocation::outcome).map(|(outcome, _)| outcome) != Some(**outcome)
    });
    if let Some((id, outcome)) = changed {
        return Some(format!("the outcome of {id} was {outcome:?}, and is no more"));
    }
    let tired = world.started.iter().find(|(_, started)| **started > 1 + MAX_RETRIES);
    if let Some((id, started)) = tired {
        return Some(format!("{started} attempts started of {id}"));
    }
    if world.late {
        return Some("an attempt started of one that was too old".to_owned());
    }
    [&world.synced, &kept].into_iter().find_map(broken_chain)
}

/// What is wrong with the chain, or with the attempts that are counted.
fn broken_chain(kept: &Kept) -> Option<String> {
    let mut children: BTreeMap<InvocationId, u32> = BTreeMap::new();
    for (id, invocation) in kept {
        let used = invocation.attempts_used();
        if used > 1 + MAX_RETRIES {
            return Some(format!("{id} counts {used} attempts"));
        }
        let Some(parent) = invocation.lineage.chain.last() else { continue };
        *children.entry(*parent).or_default() += 1;
        let to = kept.get(parent).and_then(|cause| cause.leads_to()).map(|(_, to)| to.id);
        if to != Some(invocation.target.function) {
            return Some(format!("{id} follows from {parent}, which does not lead to it"));
        }
    }
    for (id, invocation) in kept {
        match (invocation.leads_to(), children.get(id).copied().unwrap_or_default()) {
            (None, 0) | (Some(_), 1) => (),
            (Some(_), 0) => return Some(format!("{id} has settled and leads to nothing")),
            (_, children) => return Some(format!("{id} leads to two or more: {children}")),
        }
    }
    None
}

/// The promise that a move breaks: what has an outcome on disk keeps it, and nothing on disk goes.
pub(super) fn broken_by(before: &World, after: &World) -> Option<String> {
    before.synced.iter().find_map(|(id, invocation)| {
        let Some(now) = after.synced.get(id) else { return Some(format!("{id} was on disk, and is gone")) };
        let settled = invocation.outcome();
        let changed = settled.is_some() && now.outcome() != settled;
        changed.then(|| format!("the outcome of {id} was {settled:?}, and is {:?}", now.outcome()))
    })
}
