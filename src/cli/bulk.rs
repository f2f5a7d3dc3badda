//! `invocations cancel`, `retry`, `redrive` and `purge` of many: the server does so much at a time, and is asked
//! again until it has seen them all.

use std::fmt::Write as _;

use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::api::Answer;
use super::client::Client;
use super::error::Error;
use super::filter::{Extent, Filter, Span};
use super::output::{self, Output};
use crate::clock::Clock;
use crate::model::names::FunctionName;
use crate::model::status::Status;
use crate::model::time::Timestamp;

/// Failures that are shown; there may be as many as there are invocations.
const MAX_SHOWN: usize = 100;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Action {
    /// Stop what is not settled.
    Cancel,
    /// Invoke again with the payload of a settled one.
    Retry,
    /// Put a new invocation in the place of a dead letter.
    Redrive,
    /// Remove the record of a settled one.
    Purge,
}

impl Action {
    /// What has been done when it has.
    const fn past(self) -> &'static str {
        match self {
            Self::Cancel => "cancelled",
            Self::Retry => "retried",
            Self::Redrive => "redriven",
            Self::Purge => "purged",
        }
    }
}

/// A request as the API reads it.
#[derive(Debug, Serialize)]
struct Body<'a> {
    action: Action,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<&'a FunctionName>,
    #[serde(skip_serializing_if = "<[Status]>::is_empty")]
    status: &'a [Status],
    dead_letter: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_after: Option<String>,
    all: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    dry_run: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// What one call has done.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Total {
    matched: u64,
    done: u64,
    skipped: u64,
    failed_count: u64,
    failed: Vec<NotDone>,
    next: Option<String>,
}

/// One that could not be done.
#[derive(Debug, Serialize, Deserialize)]
struct NotDone {
    id: String,
    code: String,
    detail: String,
}

impl Total {
    fn add(&mut self, other: Self) {
        self.matched += other.matched;
        self.done += other.done;
        self.skipped += other.skipped;
        self.failed_count += other.failed_count;
        self.failed.extend(other.failed);
        self.failed.truncate(MAX_SHOWN);
        self.next = other.next;
    }
}

/// Does it to all of them and says how many there were.
pub(super) async fn run(
    client: &Client,
    output: Output,
    action: Action,
    filter: &Filter,
    extent: &Extent,
    span: &Span,
) -> Result<(), Error> {
    let now = Clock::system().now(); // what is accepted while this goes on is not older than it
    let mut total = Total::default();
    loop {
        let left = extent.limit.map(|limit| limit.saturating_sub(total.matched));
        let body = filter.body(action, now, left.map(|left| left.min(1_000)), extent.dry_run, total.next.take());
        let request = span.request(client, Method::POST, &["invocations", "bulk"])?.json(&body);
        let answer: Result<Answer<Total>, Error> = client.json(request).await;
        // What was done before is told also where the server says no in the middle of it.
        if answer.is_err() && total.matched > 0 {
            output::note(&summary(action, &total, extent.dry_run));
        }
        total.add(answer?.value);
        if total.next.is_none() || extent.limit.is_some_and(|limit| total.matched >= limit) {
            break;
        }
        if output::is_watched() {
            output::status(&summary(action, &total, extent.dry_run));
        }
    }
    if output::is_watched() {
        output::status("");
    }
    if output.json {
        output::line(&serde_json::json!(total).to_string())?;
    } else {
        output::line(&text(action, &total, extent.dry_run))?;
    }
    if total.failed_count > 0 { Err(Error::NotAll { failed: total.failed_count }) } else { Ok(()) }
}

impl Filter {
    fn body(
        &self,
        action: Action,
        now: Timestamp,
        limit: Option<u64>,
        dry_run: bool,
        cursor: Option<String>,
    ) -> Body<'_> {
        Body {
            action,
            function: self.function.as_ref(),
            status: &self.status,
            dead_letter: self.dead_letters,
            accepted_before: self.before(now).map(|at| at.to_string()),
            accepted_after: self.from(now).map(|at| at.to_string()),
            all: self.all,
            limit,
            dry_run,
            cursor,
        }
    }
}

fn summary(action: Action, total: &Total, dry_run: bool) -> String {
    let verb = if dry_run { "would be " } else { "" };
    let mut text = format!("{verb}{}: {} of {} that match", action.past(), total.done, total.matched);
    if total.skipped > 0 {
        let _ = write!(text, ", {} skipped", total.skipped);
    }
    if total.failed_count > 0 {
        let _ = write!(text, ", {} failed", total.failed_count);
    }
    text
}

fn text(action: Action, total: &Total, dry_run: bool) -> String {
    let summary = summary(action, total, dry_run);
    if total.failed.is_empty() {
        return summary;
    }
    let rows = total.failed.iter().map(|failed| [failed.id.clone(), failed.code.clone(), failed.detail.clone()]);
    format!("{summary}\n\n{}", output::table(["ID", "CODE", "DETAIL"], rows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use serde_json::json;

    #[derive(Parser)]
    struct Typed {
        #[command(flatten)]
        filter: Filter,
        #[command(flatten)]
        extent: Extent,
    }

    fn typed(text: &str) -> Result<Typed, clap::Error> {
        Typed::try_parse_from(std::iter::once("test").chain(text.split_whitespace()))
    }

    #[test]
    fn only_what_was_asked_for_is_sent_with_the_times_that_are_meant() {
        let typed = typed("--function a --status failed --status expired --older-than 1s --dry-run").unwrap();
        let now = Timestamp::from_ms(2_000);
        let body = typed.filter.body(Action::Purge, now, None, typed.extent.dry_run, None);
        let expected = json!({
            "action": "purge", "function": "a", "status": ["failed", "expired"], "dead_letter": false,
            "accepted_before": "1970-01-01T00:00:01.000Z", "all": false, "dry_run": true,
        });
        assert_eq!(serde_json::to_value(body).unwrap(), expected);
    }

    #[test]
    fn what_was_done_is_told_with_what_was_not() {
        let failed =
            vec![NotDone { id: "7".into(), code: "function_not_found".into(), detail: "there is none".into() }];
        let mut total = Total { matched: 4, done: 3, skipped: 1, ..Total::default() };
        assert_eq!(text(Action::Cancel, &total, false), "cancelled: 3 of 4 that match, 1 skipped");
        total.add(Total { matched: 1, failed_count: 1, failed, ..Total::default() });
        let expected = "\
would be redriven: 3 of 5 that match, 1 skipped, 1 failed

ID  CODE                DETAIL
7   function_not_found  there is none";
        assert_eq!(text(Action::Redrive, &total, true), expected);
    }
}
