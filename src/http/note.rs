//! What the audit log is told of a change that is under way: who asked for it, and what became of it. One whose client goes
//! away may have been made: it is noted as such.

use axum::http::StatusCode;

use super::dialect::Named;
use crate::access::Caller;
use crate::runtime::Runtime;

/// A change of which nothing is written down yet.
pub(super) struct Note {
    runtime: Runtime,
    /// Who, and what; `None` once it is noted.
    entry: Option<(String, Named)>,
}

/// The status of what nobody waited for.
const CLIENT_GONE: u16 = 499;

impl Note {
    pub(super) fn new(runtime: &Runtime, caller: &Caller, change: Named) -> Self {
        Self { runtime: runtime.clone(), entry: Some((sender(caller), change)) }
    }

    pub(super) async fn answered(mut self, status: StatusCode) {
        if let Some((who, Named { action, on })) = self.entry.take() {
            let noted = self.runtime.access().audit().note(who, action, on, status.as_u16()).await;
            if let Err(error) = noted {
                tracing::warn!(%error, "a change could not be noted in the audit log");
            }
        }
    }

    pub(super) fn forgotten(mut self) {
        self.entry = None;
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        if let Some((who, Named { action, on })) = self.entry.take() {
            self.runtime.note_behind(who, action, on, CLIENT_GONE);
        }
    }
}

/// Whom the audit log names.
fn sender(caller: &Caller) -> String {
    match caller {
        Caller::Account(who) => format!("{}/{}", who.namespace, who.name),
        Caller::Nobody | Caller::Trusted => String::new(),
    }
}
