//! How invocations are shown: many as a table, one with all that applies to it.

use super::api::{self, Invocation};
use super::output;
use super::units;
use crate::model::place::Priority;

/// One a line.
pub(super) fn table(invocations: &[Invocation]) -> String {
    let header = ["ID", "FUNCTION", "MODE", "STATUS", "ATTEMPTS", "ACCEPTED", "CONDITION"];
    output::table(
        header,
        invocations.iter().map(|invocation| {
            [
                invocation.id.clone(),
                invocation.target(),
                invocation.mode.clone(),
                invocation.status.to_string(),
                invocation.attempts.len().to_string(),
                invocation.accepted_at.clone(),
                output::or_dash(invocation.condition.clone()),
            ]
        }),
    )
}

/// One with its attempts.
pub(super) fn text(invocation: &Invocation) -> String {
    let Invocation { status, condition, .. } = invocation;
    let status = if condition.is_empty() { status.to_string() } else { format!("{status} ({condition})") };
    let next = |next: &api::Next| format!("{} {}: {}", next.on, next.function, next.id);
    let delivery = if invocation.dead_letter { "a dead letter" } else { &invocation.delivery };
    let rows = [
        ("id", Some(invocation.id.clone())),
        ("function", Some(invocation.target())),
        ("mode", Some(invocation.mode.clone())),
        ("status", Some(status)),
        ("accepted", Some(invocation.accepted_at.clone())),
        ("due", invocation.due_at.clone()),
        ("priority", Some(invocation.priority.to_string()).filter(|_| invocation.priority != Priority::default())),
        ("expires", invocation.expires_at.clone().filter(|_| !invocation.status.is_settled())),
        ("settled", invocation.settled_at.clone()),
        ("delivery", Some(delivery.to_owned()).filter(|delivery| delivery != "none")),
        ("hop", Some(invocation.hop.to_string()).filter(|_| !invocation.chain.is_empty())),
        ("chain", Some(invocation.chain.join(" -> "))),
        ("retry of", invocation.retry_of.clone()),
        ("next", invocation.next.as_ref().map(next)),
        ("payload", invocation.payload.as_ref().map(content)),
        ("result", invocation.result.as_ref().map(content)),
    ];
    let rows = rows.into_iter().filter_map(|(name, value)| Some((name, value.filter(|value| !value.is_empty())?)));
    let head = output::pairs(rows);
    if invocation.attempts.is_empty() { head } else { format!("{head}\n\n{}", attempts(&invocation.attempts)) }
}

fn content(content: &api::Content) -> String {
    let size = units::show_size(content.bytes);
    match content.content_type.as_deref() {
        None | Some("") => size,
        Some(kind) => format!("{size}, {kind}"),
    }
}

fn attempts(attempts: &[api::Attempt]) -> String {
    output::table(
        ["ATTEMPT", "STARTED", "TOOK", "NEXT", "ERROR"],
        attempts.iter().map(|attempt| {
            [
                attempt.number.to_string(),
                attempt.started_at.clone(),
                output::or_dash(attempt.duration_ms.map(units::show_elapsed)),
                output::or_dash(attempt.retry_at.clone()),
                output::or_dash(attempt.error.as_ref().map(api::AttemptError::first_line)),
            ]
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn failed() -> Invocation {
        serde_json::from_value(json!({
            "id": "0199a3f0-7c1e-7b3a-9d52-6f0c8a1e4b77", "function": "a", "namespace": "shop", "version": 3,
            "mode": "async", "status": "failed", "condition": "RetriesExhausted", "accepted_at": "2026-01-01T00:00:00.000Z",
            "due_at": null, "expires_at": "2026-01-01T01:00:00.000Z", "settled_at": "2026-01-01T00:00:02.000Z",
            "attempts": [
                {"number": 1, "started_at": "t1", "ended_at": "t1", "duration_ms": 12, "retry_at": "t2",
                 "error": {"kind": "trap", "message": "unreachable\nat main"}},
                {"number": 2, "started_at": "t2", "ended_at": "t2", "duration_ms": 1200, "retry_at": null,
                 "error": {"kind": "trap", "message": "unreachable"}},
            ],
            "delivery": "none", "dead_letter": false, "chain": ["r"], "hop": 1, "retry_of": null,
            "next": {"id": "n", "function": "alarm", "on": "failure"},
            "payload": {"bytes": 2, "content_type": "application/json"}, "result": null,
        }))
        .unwrap()
    }

    #[test]
    fn invocations_are_a_table() {
        let expected = "\
ID                                    FUNCTION  MODE   STATUS  ATTEMPTS  ACCEPTED                  CONDITION
0199a3f0-7c1e-7b3a-9d52-6f0c8a1e4b77  shop/a@3  async  failed  2         2026-01-01T00:00:00.000Z  RetriesExhausted";
        assert_eq!(table(&[failed()]), expected);
    }

    #[test]
    fn an_invocation_is_shown_with_what_applies_to_it_and_its_attempts() {
        let expected = "\
id        0199a3f0-7c1e-7b3a-9d52-6f0c8a1e4b77
function  shop/a@3
mode      async
status    failed (RetriesExhausted)
accepted  2026-01-01T00:00:00.000Z
settled   2026-01-01T00:00:02.000Z
hop       1
chain     r
next      on failure alarm: n
payload   2 B, application/json

ATTEMPT  STARTED  TOOK   NEXT  ERROR
1        t1       12 ms  t2    trap: unreachable
2        t2       1.2 s  -     trap: unreachable";
        assert_eq!(text(&failed()), expected);
    }
}
