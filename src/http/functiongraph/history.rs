//! `F/async-invocations`, `F/active-async-invocations`: what has become of asynchronous invocations, the newest first.
//!
//! A place in the list is a number, as clients have it: so many matching ones are passed over. New ones come in front
//! meanwhile, so whoever pages says until when.

use serde_json::{Value, json};

use super::Answer;
use super::error::{Code, FssError};
use super::invocations::{code_of, request_id};
use super::json::ok;
use super::kept;
use super::request::Call;
use super::times::seconds;
use crate::model::bounds;
use crate::model::invocation::{Invocation, Mode};
use crate::model::names::{FunctionPath, InvocationId, Qualifier, VersionNumber};
use crate::model::outcome::{FailedFor, Outcome};
use crate::model::status::Status;
use crate::model::time::Timestamp;
use crate::runtime::{Error, Filter};
use crate::store::Cursor;

/// How far back is looked unless told.
const WINDOW: std::time::Duration = std::time::Duration::from_secs(3_600);
/// Entries of a page unless told, and at most.
const PAGE: (u64, u64) = (100, 500);
/// Invocations that one request looks at: past them `count` is what was found until then.
const MAX_LOOKED_AT: usize = 50_000;
/// Invocations that are read at once.
const STRIDE: usize = 500;
/// Requests that can be asked about at once.
const MAX_REQUESTS: usize = 10;
/// The service's number for what was cancelled.
const CANCELLED: u16 = 4208;

/// Which invocations are wanted.
struct Wanted {
    path: FunctionPath,
    /// Only those of this version.
    version: Option<VersionNumber>,
    /// Only those that are here called so.
    status: Option<&'static str>,
    /// Only those that have not ended.
    active: bool,
    begin: Option<Timestamp>,
    end: Option<Timestamp>,
    /// Only these.
    ids: Option<Vec<InvocationId>>,
    marker: u64,
    limit: u64,
}

pub(super) async fn list(call: &Call) -> Answer {
    let ids = call.asked("request_id").map(|id| Ok::<_, FssError>(vec![request_id(id)?])).transpose()?;
    listed(call, wanted(call, ids, false)?).await
}

pub(super) async fn list_active(call: &Call) -> Answer {
    let ids = call.asked("requests").map(|text| {
        let ids: Vec<_> = text.split(',').map(str::trim).filter(|id| !id.is_empty()).collect();
        if ids.len() > MAX_REQUESTS {
            let message = format!("`requests` has {} request IDs: send up to {MAX_REQUESTS}", ids.len());
            return Err(FssError::parameter(message));
        }
        ids.into_iter().map(request_id).collect()
    });
    listed(call, wanted(call, ids.transpose()?, true)?).await
}

fn wanted(call: &Call, ids: Option<Vec<InvocationId>>, active: bool) -> Result<Wanted, FssError> {
    let urn = call.urn()?;
    let version = match kept::qualifier(&call.runtime, urn)? {
        Qualifier::Latest => None, // whoever names the head means the function: it was another version an hour ago
        qualifier => Some(call.runtime.describe(&urn.path, &qualifier)?.version.number),
    };
    let status = call.asked("status").map(|text| {
        let known = ["WAIT", "RUNNING", "SUCCESS", "FAIL", "DISCARD"].into_iter().find(|name| *name == text);
        let shown: String = text.chars().take(60).collect();
        let message = format!("`status` is `{shown}`: send WAIT, RUNNING, SUCCESS, FAIL or DISCARD");
        known.ok_or_else(|| FssError::parameter(message))
    });
    let (begin, end) = (time(call, "query_begin_time")?, time(call, "query_end_time")?);
    let end = end.map(|(end, is_whole_second)| if is_whole_second { end + LAST_OF_SECOND } else { end });
    let begin = match (begin, &ids) {
        (Some((begin, _)), _) => Some(begin),
        (None, Some(_)) => None, // whoever knows an id has no need of a window
        (None, None) => Some(end.unwrap_or_else(|| call.runtime.now()).minus(WINDOW)),
    };
    if let (Some(begin), Some(end)) = (begin, end)
        && begin > end
    {
        let message = "`query_begin_time` is behind `query_end_time`: exchange them";
        return Err(FssError::parameter(message));
    }
    let limit = call.asked_number("limit")?.unwrap_or(PAGE.0);
    if !(1..=PAGE.1).contains(&limit) {
        return Err(FssError::new(Code::QUERY, format!("`limit` is {limit}: send 1 to {}", PAGE.1)));
    }
    let marker = call.asked_number("marker")?.unwrap_or(0);
    let (path, status) = (urn.path.clone(), status.transpose()?);
    Ok(Wanted { path, version, status, active, begin, end, ids, marker, limit })
}

/// A time that is told in seconds means all of its second.
const LAST_OF_SECOND: std::time::Duration = std::time::Duration::from_millis(999);

/// A time of the query, in UTC unless it says otherwise, and whether it is told in whole seconds.
fn time(call: &Call, name: &str) -> Result<Option<(Timestamp, bool)>, FssError> {
    let Some(text) = call.asked(name) else { return Ok(None) };
    let wrong = || {
        let shown: String = text.chars().take(60).collect();
        FssError::parameter(format!("`{name}` is `{shown}`: send a time in UTC such as `2026-11-21T09:00:00`"))
    };
    // A `+` of an offset is a blank in a query.
    let whole = text.trim().replacen(' ', if text.contains('T') { "+" } else { "T" }, 1);
    let is_date = whole.len() >= "2026-11-21T09:00:00".len();
    let has_zone = whole.ends_with(['Z', 'z']) || whole.get(19..).is_some_and(|rest| rest.contains(['+', '-']));
    let whole = if has_zone { whole } else { whole + "Z" };
    let at = Timestamp::parse(&whole).ok().filter(|_| is_date && whole.contains('T')).ok_or_else(wrong)?;
    Ok(Some((at, !whole.contains('.'))))
}

async fn listed(call: &Call, wanted: Wanted) -> Answer {
    let function = call.runtime.function(&wanted.path)?;
    let mut page = Page { skip: wanted.marker, room: wanted.limit, count: 0, entries: Vec::new() };
    if let Some(ids) = &wanted.ids {
        for id in ids {
            match call.runtime.invocation(*id).await {
                Ok(invocation) if invocation.target.function == function.id => page.take(&wanted, &invocation),
                Ok(_) | Err(Error::InvocationUnknown(_)) => (),
                Err(error) => return Err(error.into()),
            }
        }
    } else {
        let newest = InvocationId::from_bytes([0xff; 16]);
        let filter = Filter {
            function: Some(wanted.path.clone()),
            since: wanted.begin,
            after: wanted.end.map(|end| Cursor(end, newest)),
            ..Filter::default()
        };
        walk(call, filter, |invocation| page.take(&wanted, invocation)).await?;
    }
    let next = wanted.marker + page.entries.len() as u64;
    Ok(ok(&json!({ "invocations": page.entries, "count": page.count, "next_marker": next })))
}

/// Shows `each` every invocation that the filter finds, the newest first, within what one request looks at.
pub(super) async fn walk(call: &Call, filter: Filter, mut each: impl FnMut(&Invocation)) -> Result<(), FssError> {
    let (mut filter, mut looked_at) = (Filter { limit: STRIDE, ..filter }, 0);
    while looked_at < MAX_LOOKED_AT {
        let page = call.runtime.list(filter.clone()).await?;
        page.invocations.iter().for_each(&mut each);
        // One that came out short has looked at many of other functions.
        looked_at += if page.invocations.len() < STRIDE { bounds::MAX_SCANNED } else { STRIDE };
        if page.next.is_none() {
            break;
        }
        filter.after = page.next;
    }
    Ok(())
}

/// A page that is being filled.
struct Page {
    skip: u64,
    room: u64,
    count: u64,
    entries: Vec<Value>,
}

impl Page {
    fn take(&mut self, wanted: &Wanted, invocation: &Invocation) {
        if !wanted.keeps(invocation) {
            return;
        }
        self.count += 1;
        if self.skip > 0 {
            self.skip -= 1;
        } else if self.room > 0 {
            self.room -= 1;
            self.entries.push(entry(invocation));
        }
    }
}

impl Wanted {
    fn keeps(&self, invocation: &Invocation) -> bool {
        let status = Status::of(invocation);
        invocation.mode == Mode::Async
            && self.version.is_none_or(|version| invocation.target.version == Some(version))
            && self.status.is_none_or(|name| name == name_of(status))
            && !(self.active && status.is_settled())
            && self.begin.is_none_or(|begin| invocation.accepted >= begin)
            && self.end.is_none_or(|end| invocation.accepted <= end)
    }
}

/// What a status is called here.
const fn name_of(status: Status) -> &'static str {
    match status {
        Status::Queued | Status::Retrying => "WAIT",
        Status::Running => "RUNNING",
        Status::Succeeded => "SUCCESS",
        Status::Failed | Status::Cancelled => "FAIL",
        Status::Expired => "DISCARD",
    }
}

fn entry(invocation: &Invocation) -> Value {
    let (code, message) = error_of(invocation);
    json!({
        "request_id": invocation.id.to_string(),
        "status": name_of(Status::of(invocation)),
        "error_message": message,
        "error_code": code,
        "start_time": seconds(invocation.accepted),
        "end_time": invocation.outcome().map(|(_, at)| seconds(at)),
    })
}

/// Why it gave no result, and a number for that: the status that a caller who waits would get, but for what was cancelled,
/// of which alone the service's own number is known.
fn error_of(invocation: &Invocation) -> (u16, String) {
    let failure = invocation.last_failure();
    let told = |condition: &str| match failure {
        Some(failure) => format!("{condition}: {}: {}", failure.kind.as_str(), failure.message),
        None => condition.to_owned(),
    };
    let Some((outcome, _)) = invocation.outcome() else { return (0, String::new()) };
    match outcome {
        Outcome::Succeeded => (0, String::new()),
        Outcome::Cancelled => (CANCELLED, "function invocation canceled".to_owned()),
        Outcome::Expired => (Code::TIMEOUT.status().as_u16(), told(outcome.condition())),
        Outcome::Failed(FailedFor::FunctionRemoved) => (Code::NOT_FOUND.status().as_u16(), told(outcome.condition())),
        Outcome::Failed(_) => {
            let code = failure.map_or(Code::INTERNAL, code_of);
            (code.status().as_u16(), told(outcome.condition()))
        }
    }
}
