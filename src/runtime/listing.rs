//! Which invocations there are: a list in parts, the newest first.

use super::{Error, Runtime, Wanted};
use crate::model::bounds;
use crate::model::invocation::Invocation;
use crate::model::names::{FunctionPath, Namespace};
use crate::model::status::Status;
use crate::model::time::Timestamp;
use crate::store::{Cursor, Query};

/// Which invocations to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only those of functions of this namespace.
    pub namespace: Option<Namespace>,
    /// Only those of this function.
    pub function: Option<FunctionPath>,
    /// Only those in one of these states; in any where there is none.
    pub statuses: Vec<Status>,
    /// Only dead letters.
    pub dead_letters: bool,
    /// Only those with deliveries that are like that.
    pub deliveries: Option<Wanted>,
    /// Only those accepted then or later.
    pub since: Option<Timestamp>,
    /// From behind this place.
    pub after: Option<Cursor>,
    /// How many at most.
    pub limit: usize,
}

/// Part of the list of invocations.
#[derive(Clone, Debug, Default)]
pub struct InvocationPage {
    /// The invocations, the newest first.
    pub invocations: Vec<Invocation>,
    /// Where to go on; `None` at the end. A page may be short and have more behind it.
    pub next: Option<Cursor>,
}

impl Runtime {
    /// Invocations, the newest first.
    pub async fn list(&self, filter: Filter) -> Result<InvocationPage, Error> {
        let function = filter.function.as_ref().map(|path| self.parts.registry.function(path)).transpose()?;
        let mut page = InvocationPage { invocations: Vec::new(), next: filter.after };
        let mut scanned = 0;
        while page.invocations.len() < filter.limit && scanned < bounds::MAX_SCANNED {
            // Where little of what is looked at is wanted, each look goes further.
            let stride = if scanned == 0 { bounds::DEFAULT_PAGE } else { bounds::MAX_SCANNED / 10 };
            let query = Query {
                function: function.as_ref().map(|function| function.id),
                since: filter.since,
                after: page.next,
                limit: stride.max(filter.limit),
            };
            scanned += query.limit;
            let listed = self.parts.store.list(query).await?;
            page.next = listed.next;
            for invocation in listed.invocations.into_iter().filter(|invocation| filter.keeps(invocation)) {
                if page.invocations.len() == filter.limit {
                    page.next = page.invocations.last().map(|last| Cursor(last.accepted, last.id));
                    return Ok(page);
                }
                page.invocations.push(invocation);
            }
            if page.next.is_none() {
                break;
            }
        }
        Ok(page)
    }
}

impl Filter {
    fn keeps(&self, invocation: &Invocation) -> bool {
        (self.statuses.is_empty() || self.statuses.contains(&Status::of(invocation)))
            && self.namespace.as_ref().is_none_or(|namespace| *namespace == invocation.target.path.namespace)
            && (!self.dead_letters || invocation.is_dead_letter())
            && self.deliveries.as_ref().is_none_or(|wanted| !wanted.of(invocation).is_empty())
    }
}
