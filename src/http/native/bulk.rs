//! `POST /v1/invocations/bulk`: cancel, retry, redrive or purge all that a filter keeps, so much at a time.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::Uri;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::async_config::MAX_JSON_BYTES;
use super::error::code;
use super::openapi::values;
use super::query::{self, bad};
use crate::http::body;
use crate::http::problem::Problem;
use crate::model::bounds::{self, within};
use crate::model::names::Namespace;
use crate::model::status::Status;
use crate::model::time::Timestamp;
use crate::runtime::{self, BulkDone, Runtime, Selection};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    namespace: Option<String>,
}

/// What is to be done with each.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = BulkAction)]
enum Action {
    Cancel,
    Purge,
    Redrive,
    Retry,
}

/// A request as clients write it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BulkRequest)]
pub(super) struct BulkIn {
    action: Action,
    function: Option<String>,
    #[serde(default)]
    #[schema(schema_with = values::statuses)]
    status: Vec<Status>,
    #[serde(default)]
    dead_letter: bool,
    accepted_before: Option<String>,
    accepted_after: Option<String>,
    older_than_s: Option<u64>,
    /// Says that no filter is meant.
    #[serde(default)]
    all: bool,
    #[schema(schema_with = values::bulk_limit)]
    limit: Option<usize>,
    #[serde(default)]
    dry_run: bool,
    cursor: Option<String>,
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BulkAnswer)]
pub(super) struct BulkOut {
    matched: usize,
    done: usize,
    skipped: usize,
    failed_count: usize,
    /// The first of those that could not be changed.
    failed: Vec<FailedOut>,
    /// Where to go on; null when there is no more.
    next: Option<String>,
}

/// One that could not be changed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BulkFailure)]
struct FailedOut {
    id: String,
    code: &'static str,
    detail: String,
}

impl Action {
    const fn meant(self) -> runtime::Action {
        match self {
            Self::Cancel => runtime::Action::Cancel,
            Self::Purge => runtime::Action::Purge,
            Self::Redrive => runtime::Action::Redrive,
            Self::Retry => runtime::Action::Retry,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Purge => "purge",
            Self::Redrive => "redrive",
            Self::Retry => "retry",
        }
    }
}

impl BulkIn {
    fn meant(&self, namespace: Option<Namespace>, now: Timestamp) -> Result<runtime::Bulk, Problem> {
        self.check()?;
        let limit = self.limit.unwrap_or(bounds::MAX_BULK);
        within("limit", limit as u64, &(1..=bounds::MAX_BULK as u64))
            .map_err(|error| bad("bad_range", error.to_string()))?;
        within("older_than_s", self.older_than_s.unwrap_or_default(), &(0..=i64::MAX.unsigned_abs()))
            .map_err(|error| bad("bad_range", error.to_string()))?;
        let older = self.older_than_s.map(|seconds| now.minus(Duration::from_secs(seconds)));
        let function = self.function.as_deref();
        let path = |name| query::path(namespace.as_ref().map(Namespace::as_str), name);
        Ok(runtime::Bulk {
            action: self.action.meant(),
            selection: Selection {
                function: function.map(path).transpose()?,
                statuses: self.status.clone(),
                dead_letters: self.dead_letter,
                accepted_from: time("accepted_after", self.accepted_after.as_deref())?,
                accepted_before: time("accepted_before", self.accepted_before.as_deref())?.or(older),
                namespace,
            },
            limit,
            dry_run: self.dry_run,
            after: self.cursor.as_deref().map(query::cursor).transpose()?,
        })
    }

    /// Refuses what is not meant as it stands.
    fn check(&self) -> Result<(), Problem> {
        let times = [self.accepted_before.is_some(), self.accepted_after.is_some(), self.older_than_s.is_some()];
        let narrowed = self.function.is_some() || !self.status.is_empty() || self.dead_letter || times.contains(&true);
        let action = self.action.as_str();
        if !narrowed && !self.all {
            let detail = format!(
                "say which invocations to {action}: by `function`, `status`, `dead_letter`, `accepted_before`, \
                 `accepted_after` or `older_than_s`; or write `\"all\": true`"
            );
            return Err(bad("no_filter", detail));
        }
        if self.accepted_before.is_some() && self.older_than_s.is_some() {
            let detail = "`accepted_before` and `older_than_s` say the same thing: write one of them";
            return Err(bad("bad_filter", detail.to_owned()));
        }
        match self.status.iter().find(|status| !self.action.meant().applies_to(**status)) {
            Some(status) => {
                let fits = Status::ALL.into_iter().filter(|status| self.action.meant().applies_to(*status));
                let fits = fits.map(Status::as_str).collect::<Vec<_>>().join(", ");
                Err(bad("bad_filter", format!("no {status} invocation can be told to {action}: use {fits}")))
            }
            None => Ok(()),
        }
    }
}

fn time(field: &str, text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    let time = text.map(Timestamp::parse).transpose();
    time.map_err(|error| bad("bad_filter", format!("{field}: {error}")))
}

pub(super) async fn bulk(State(runtime): State<Runtime>, uri: Uri, body: Body) -> Result<Json<BulkOut>, Problem> {
    let which: Which = query::query(&uri)?;
    let namespace = which.namespace.as_deref().map(query::parsed).transpose()?;
    let body = body::read(body, MAX_JSON_BYTES, "request").await?;
    let asked: BulkIn = query::json(&body, "request")?;
    let done = runtime.bulk(asked.meant(namespace, runtime.now())?).await?;
    Ok(Json(rendered(done)))
}

fn rendered(done: BulkDone) -> BulkOut {
    let BulkDone { matched, done, skipped, failed, next } = done;
    let told = failed.iter().take(bounds::MAX_BULK_FAILURES).map(|(id, error)| FailedOut {
        id: id.to_string(),
        code: code(error),
        detail: error.to_string(),
    });
    BulkOut {
        matched,
        done,
        skipped,
        failed_count: failed.len(),
        failed: told.collect(),
        next: next.map(query::cursor_text),
    }
}
