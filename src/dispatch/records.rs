//! Records of synchronous invocations: handed over by whoever answered, and written behind the answer's back, many
//! in one commit. A crash may forget the last of them; nobody was promised more.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::Parts;
use crate::model::bounds;
use crate::model::invocation::Invocation;
use crate::store::{Change, Durability, Group, Part};

/// Records that wait to be written; past it whoever answers waits.
pub(super) const MAX_WAITING: usize = 4_096;
/// Records of one commit, and bytes of their logs, about.
const MAX_TOGETHER: usize = 256;
const MAX_BYTES_TOGETHER: usize = 1_024 * 1_024;
/// Between two commits: long enough that many share one when there are many, too short for anybody to notice.
const PAUSE: Duration = Duration::from_millis(2);

/// What is to be kept of one that has ended.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) invocation: Invocation,
    pub(super) log: Bytes,
}

/// Writes what comes until the runtime stops, and then what is left.
pub(super) async fn write_all(parts: Arc<Parts>, mut records: mpsc::Receiver<Record>) {
    let stopping = parts.needs.tasks.stopping().clone();
    let mut taken = Vec::with_capacity(MAX_TOGETHER);
    loop {
        tokio::select! {
            _ = records.recv_many(&mut taken, MAX_TOGETHER) => (),
            () = stopping.cancelled() => {
                records.close(); // whoever comes later writes alone
                while records.recv_many(&mut taken, MAX_TOGETHER).await > 0 {
                    write(&parts, std::mem::take(&mut taken)).await;
                }
                return;
            }
        }
        write(&parts, taken.drain(..)).await;
        let _stopped = tokio::time::timeout(PAUSE, stopping.cancelled()).await;
    }
}

/// Writes some records. That they could not be written is told once for each commit and concerns nobody's answer.
pub(super) async fn write(parts: &Parts, records: impl IntoIterator<Item = Record>) {
    let (mut changes, mut count, mut bytes) = (Vec::new(), 0, 0);
    for Record { invocation, log } in records {
        if bytes + log.len() > MAX_BYTES_TOGETHER || changes.len() + 2 > bounds::MAX_GROUP_CHANGES {
            commit(parts, std::mem::take(&mut changes), std::mem::take(&mut count)).await;
            bytes = 0;
        }
        (count, bytes) = (count + 1, bytes + log.len());
        parts.tallies.count(invocation.target.function, |figures| {
            if let Some((outcome, _)) = invocation.outcome() {
                figures.synchronous[outcome.kind() as usize] += 1;
            }
            let end = invocation.attempts.last().and_then(|attempt| attempt.end.as_ref());
            end.and_then(|end| end.usage.as_ref()).into_iter().for_each(|usage| figures.add_ended(usage));
        });
        let id = invocation.id;
        changes.push(Change::PutInvocation(Box::new(invocation)));
        if !log.is_empty() {
            changes.push(Change::PutBlob(id, Part::Log, log));
        }
    }
    commit(parts, changes, count).await;
}

async fn commit(parts: &Parts, changes: Vec<Change>, count: usize) {
    if changes.is_empty() {
        return;
    }
    match parts.needs.store.commit(Group(changes), Durability::Written).await {
        Ok(()) => (0..count).for_each(|_| parts.one_more_settled()),
        Err(error) => tracing::warn!(count, %error, "records of synchronous invocations were not kept"),
    }
}
