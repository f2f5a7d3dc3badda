//! What follows from an outcome: the next invocation of the chain. Decides nothing about the outcome itself.

use bytes::Bytes;

use super::Parts;
use crate::clock;
use crate::delivery::{self, Known, Rendered};
use crate::model::destination::{Format, FunctionTarget};
use crate::model::function::AsyncConfig;
use crate::model::invocation::{Invocation, Lineage, Mode, PayloadInfo, Policy, Request, State, Target};
use crate::model::names::{Edge, InvocationId};
use crate::model::outcome::Outcome;
use crate::model::time::Timestamp;

/// What a settled invocation brought and gave.
#[derive(Clone, Debug, Default)]
pub(super) struct Payloads {
    /// What it brought.
    pub(super) request: Bytes,
    /// What it gave.
    pub(super) response: Bytes,
}

/// The invocation that `invocation`, which has just settled, causes along its destination, with its payload.
/// Its id is derived, so the same settling causes the same invocation however often it is written.
pub(super) fn next(
    parts: &Parts,
    invocation: &Invocation,
    payloads: &Payloads,
    now: Timestamp,
) -> Option<(Invocation, Bytes)> {
    let (outcome, at) = invocation.outcome()?;
    let (edge, target) = invocation.leads_to()?;
    let format = invocation.policy.config.destinations.terms(edge).format;
    let settled = (outcome, at);
    let Rendered { body, content_type, .. } = rendered(invocation, settled, format, edge, payloads);
    let (target, config) = resolved(parts, target);
    let account = invocation.policy.config.destinations.terms(edge).service_account.clone();
    let invoker = account.map(|account| (invocation.target.path.namespace.clone(), account));
    let payload = PayloadInfo { bytes: body.len() as u64, content_type };
    let next = Invocation {
        id: invocation.id.next(edge),
        target,
        mode: Mode::Async,
        accepted: now,
        first_due: now,
        request: Request {
            payload,
            traceparent: invocation.request.traceparent.clone(),
            attributes: vec![("tidemill-edge".to_owned(), edge.as_str().to_owned())],
            head: None,
        },
        lineage: Lineage { chain: lengthened(invocation), retry_of: None },
        policy: Policy { config, hop_limit: invocation.policy.hop_limit, callback: None, invoker },
        priority: invocation.priority,
        spread: clock::spread(),
        attempts: Vec::new(),
        state: State::Queued { due: now, attempt: std::num::NonZeroU32::MIN },
        result: None,
    };
    Some((next, body))
}

fn rendered(
    invocation: &Invocation,
    settled: (Outcome, Timestamp),
    format: Format,
    edge: Edge,
    payloads: &Payloads,
) -> Rendered {
    let known = |bytes: &Bytes| Known::Whole(bytes.clone());
    let payloads = delivery::Payloads { request: known(&payloads.request), response: known(&payloads.response) };
    delivery::payload(invocation, settled, format, invocation.id.next(edge), &payloads).unwrap_or_else(|error| {
        // A bug of ours must not lose the step: the chain goes on with an empty record, and this says so.
        tracing::error!(invocation = %invocation.id, %error, "the record of an outcome could not be written");
        Rendered { body: Bytes::new(), content_type: String::new(), headers: Vec::new() }
    })
}

/// The function as it is now. One that is gone keeps its name and has no version: its invocation will say so.
fn resolved(parts: &Parts, target: &FunctionTarget) -> (Target, AsyncConfig) {
    let Some((function, version)) = parts.needs.registry.resolve_id_to_run(target.id, &target.qualifier) else {
        let gone = Target { function: target.id, path: target.path.clone(), version: None };
        return (gone, AsyncConfig::default());
    };
    let config = function.config_of(version.number);
    (Target { function: target.id, path: function.path.clone(), version: Some(version.number) }, config)
}

fn lengthened(invocation: &Invocation) -> Vec<InvocationId> {
    let mut chain = invocation.lineage.chain.clone();
    chain.push(invocation.id);
    chain
}
