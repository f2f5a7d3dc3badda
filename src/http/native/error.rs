//! The runtime's errors as problems of the native dialect. What is told of each stands in [`mod@facts`]; the members that only one
//! kind has are added here.

mod facts;

use crate::access::NotAllowed;
use crate::dispatch::NotAccepted;
use crate::http::problem::{Fault, Problem};
use crate::messaging::queues::QueueError;
use crate::model::access::Role;
use crate::model::graph::Node;
use crate::model::outcome::FailureKind;
use crate::registry::RegistryError;
use crate::runtime::Error;
use crate::store::StoreError;
use crate::triggers::TriggerError;

use facts::facts;

/// The stable code of an error, where it is told without a problem of its own.
pub(super) fn code(error: &Error) -> &'static str {
    facts(error).1
}

impl From<QueueError> for Problem {
    fn from(error: QueueError) -> Self {
        Error::from(error).into()
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let (status, code, effect, fault) = facts(&error);
        match fault {
            // That there is no room, and that it ends, is told by others, once; these are many.
            Fault::Platform if matches!(error, Error::Store(StoreError::Full(_)) | Error::Interrupted) => {
                tracing::debug!(code, %error, "a request was refused");
            }
            Fault::Platform => tracing::error!(code, %error, "a request failed"),
            _ => (),
        }
        let problem = Self::new(status, code, error.to_string()).effect(effect).fault(fault);
        more(&error, problem).retry_after(error.retry_after())
    }
}

/// The cycle that a change would close.
fn cycle(error: &Error) -> Option<&[Node]> {
    let refused = match error {
        Error::Registry(error) | Error::Trigger(TriggerError::Registry(error)) => error,
        Error::MessageQueue(QueueError::Cycle(error)) => error,
        _ => return None,
    };
    if let RegistryError::Cycle(path) = refused { Some(path) } else { None }
}

/// Members that only one kind of problem has.
fn more(error: &Error, problem: Problem) -> Problem {
    if let Some(path) = cycle(error) {
        return problem.with("path", path.iter().map(ToString::to_string).collect::<Vec<_>>());
    }
    match error {
        Error::Denied(denied) | Error::NotAllowed(NotAllowed::Denied(denied)) => {
            let account = format!("{}/{}", denied.namespace, denied.account);
            let role = denied.role.map(Role::as_str);
            problem.with("account", account).with("role", role).with("resource", denied.on.to_string())
        }
        Error::Function { id, failure, .. } => {
            let problem = problem.with("invocation_id", id.to_string()).with("kind", failure.kind.as_str());
            match failure.kind {
                FailureKind::ExitCode(code) => problem.with("exit_code", code),
                _ => problem,
            }
        }
        Error::IdempotencyConflict { id } | Error::NotAccepted(NotAccepted::KeyConflict(id)) => {
            problem.with("invocation_id", id.to_string())
        }
        Error::NotAccepted(
            NotAccepted::FunctionFull(full)
            | NotAccepted::FunctionBytesFull(full)
            | NotAccepted::NamespaceFull(full)
            | NotAccepted::NamespaceBytesFull(full)
            | NotAccepted::RuntimeFull(full)
            | NotAccepted::RuntimeBytesFull(full),
        ) => {
            let oldest = full.oldest.map(|age| age.as_secs_f64());
            problem.with("limit", full.limit).with("queued", full.there).with("oldest_age_s", oldest)
        }
        Error::PayloadMisfit(misfit) => problem.with("pointer", misfit.pointer.as_str()),
        Error::HopLimit { chain, .. } => {
            problem.with("chain", chain.iter().map(ToString::to_string).collect::<Vec<_>>())
        }
        Error::Registry(RegistryError::InUse { used_by, .. } | RegistryError::QualifierInUse { used_by, .. }) => {
            problem.with("used_by", used_by.clone())
        }
        _ => problem,
    }
}
