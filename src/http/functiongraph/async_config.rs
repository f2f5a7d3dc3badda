//! `F/async-invoke-config`, `F/async-invoke-configs`: how asynchronous invocations of a function, or of one of its versions,
//! are treated.
//!
//! What the runtime does is in the function's own configuration, whichever dialect has set it. What else was sent is kept and
//! returned: whether states are to be logged, where to, and a destination as it was written, as long as it still means what
//! the configuration has.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Answer;
use super::destinations::{self, Meant, Sent};
use super::error::{Code, FssError};
use super::json::{Fields, nothing, ok};
use super::kept::{self, AsyncKept, Changing, Kept};
use super::request::Call;
use super::times::{with_blank, with_offset};
use super::urn::{LATEST, Urn, Which};
use crate::model::bounds;
use crate::model::destination::{Destination, DestinationText, Terms};
use crate::model::function::{AsyncConfig, Function};
use crate::model::names::{Edge, FunctionPath, Qualifier};
use crate::model::retry::RetryPolicy;
use crate::model::time::Timestamp;
use crate::registry::{ConfigText, Subject};
use crate::runtime::{Error, Runtime};

/// How old an event may get, in seconds.
const MAX_AGE_S: RangeInclusive<i64> = 1..=86_400;
/// How often what failed may be tried again.
const MAX_RETRIES: RangeInclusive<i64> = 0..=3;
/// What the service would log to: kept and returned, for nothing is logged there.
const LOGS: [&str; 4] = ["log_group_id", "log_stream_id", "log_group_name", "log_stream_name"];
/// Configurations of a page unless told, and at most.
const PAGE: (usize, usize) = (10, 100);

/// Which configuration a URN means.
struct About {
    urn: Urn,
    subject: Subject,
}

impl About {
    fn of(call: &Call) -> Result<Self, FssError> {
        let mut urn = call.urn()?.clone();
        if urn.is_alias() {
            let message = format!(
                "`{urn}` is an alias, which takes no asynchronous configuration: send the URN of the function or of a version"
            );
            return Err(FssError::parameter(message));
        }
        let subject = match kept::qualifier(&call.runtime, &urn)? {
            qualifier @ Qualifier::Version(number) => {
                let function = call.runtime.describe(&urn.path, &qualifier)?.function;
                // By its number it is the same: what is kept of it stands under its name.
                urn.which = Which::Version(Kept::of(&call.runtime, &function).fixed_name_of(number));
                Subject::Version(number)
            }
            Qualifier::Latest | Qualifier::Alias(_) => Subject::Function,
        };
        Ok(Self { urn, subject })
    }

    /// What it is called among what is kept.
    fn key(&self) -> &str {
        match &self.urn.which {
            Which::Version(name) => name,
            Which::Whole | Which::Latest | Which::Alias(_) => LATEST,
        }
    }

    fn config<'a>(&self, function: &'a Function) -> Option<&'a AsyncConfig> {
        match self.subject {
            Subject::Function => function.async_config.as_ref(),
            Subject::Version(number) => function.version_configs.get(&number),
        }
    }

    fn none(&self) -> FssError {
        FssError::new(Code::NOT_FOUND, format!("`{}` has no asynchronous configuration: set one first", self.urn))
    }

    /// The configuration as it is answered.
    fn written(&self, runtime: &Runtime, function: &Function) -> Result<Value, FssError> {
        let config = self.config(function).ok_or_else(|| self.none())?;
        let kept = Kept::of(runtime, function).async_configs.remove(self.key());
        Ok(written(runtime, function, &self.urn, config, kept.unwrap_or_default()))
    }
}

pub(super) async fn set(call: &Call) -> Answer {
    let about = About::of(call)?;
    let sent = call.fields()?;
    let (text, mut said) = meant(call, &sent)?;
    let mut changing = Changing::begin(&call.runtime, &about.urn.path).await?;
    let now = call.runtime.now();
    said.created = changing.kept.async_configs.get(about.key()).map_or(now, |before| before.created);
    said.modified = now;
    changing.kept.async_configs.insert(about.key().to_owned(), said);
    changing.fits()?;
    call.runtime.configure(&call.caller, &about.urn.path, about.subject, text).await?;
    changing.save().await?;
    show(call)
}

pub(super) fn show(call: &Call) -> Answer {
    let about = About::of(call)?;
    let function = call.runtime.function(&about.urn.path)?;
    Ok(ok(&about.written(&call.runtime, &function)?))
}

pub(super) async fn delete(call: &Call) -> Answer {
    let about = About::of(call)?;
    let path = &about.urn.path;
    if about.config(&*call.runtime.function(path)?).is_none() {
        return Err(about.none());
    }
    call.runtime.remove_config(path, about.subject).await?;
    kept::change(&call.runtime, path, |_, kept| {
        kept.async_configs.remove(about.key());
        Ok(())
    })
    .await?;
    Ok(nothing())
}

/// All configurations of a function: its own first, then those of versions.
pub(super) fn list(call: &Call) -> Answer {
    let path = &call.urn()?.path;
    let function = call.runtime.function(path)?;
    let number = |name: &str| call.asked_number(name).map(|it| usize::try_from(it.unwrap_or(0)).unwrap_or(usize::MAX));
    let (marker, limit) = (number("marker")?, number("limit")?);
    let limit = if limit == 0 { PAGE.0 } else { limit.min(PAGE.1) };
    let kept = Kept::of(&call.runtime, &function);
    let of_versions = function.version_configs.keys().map(|number| Which::Version(kept.name_of(&function, *number)));
    let own = function.async_config.iter().map(|_| Which::Latest);
    let subjects = own.clone().map(|_| Subject::Function);
    let subjects = subjects.chain(function.version_configs.keys().copied().map(Subject::Version));
    let all: Vec<_> = own.chain(of_versions).zip(subjects).collect();
    let page = all.iter().skip(marker).take(limit).map(|(which, subject)| {
        let about = About { urn: Urn { path: path.clone(), which: which.clone() }, subject: *subject };
        about.written(&call.runtime, &function)
    });
    let page: Vec<Value> = page.collect::<Result<_, _>>()?;
    let info = json!({
        "next_marker": marker.saturating_add(page.len()).min(all.len()),
        "previous_marker": marker.saturating_sub(limit),
        "current_count": page.len(),
    });
    Ok(ok(&json!({ "async_invoke_configs": page, "count": all.len(), "page_info": info })))
}

/// What was sent: what the runtime is to do, and what is kept of the rest.
fn meant(call: &Call, sent: &Fields) -> Result<(ConfigText, AsyncKept), FssError> {
    let age = ranged(sent, "max_async_event_age_in_seconds", &MAX_AGE_S)?;
    let retries = ranged(sent, "max_async_retry_attempts", &MAX_RETRIES)?.and_then(|it| u32::try_from(it).ok());
    let retry = RetryPolicy::new(
        retries.unwrap_or(bounds::DEFAULT_MAX_RETRIES),
        bounds::DEFAULT_RETRY_DELAY,
        bounds::DEFAULT_RETRY_DELAY_MAX,
    );
    let destinations = sent.object("destination_config")?.unwrap_or_default();
    let destination = |name: &str| -> Result<Option<Meant>, FssError> {
        let Some(fields) = destinations.object(name)? else { return Ok(None) };
        destinations::read(&call.runtime, &call.project, &fields)
    };
    let (on_success, success, success_terms) = parted(destination(Edge::OnSuccess.as_str())?);
    let (on_failure, failure, failure_terms) = parted(destination(Edge::OnFailure.as_str())?);
    let mut kept = AsyncKept {
        status_log: sent.boolean("enable_async_status_log")?.unwrap_or_default(),
        on_success,
        on_failure,
        ..AsyncKept::default()
    };
    for name in LOGS {
        if let Some(text) = sent.text(name)? {
            kept.logs.insert(name.to_owned(), text.to_owned());
        }
    }
    let text = ConfigText {
        retry: retry.map_err(|error| FssError::parameter(error.to_string()))?,
        max_event_age: age
            .and_then(|age| u64::try_from(age).ok())
            .map_or(bounds::DEFAULT_MAX_EVENT_AGE, Duration::from_secs),
        on_success: success,
        on_failure: failure,
        success_terms,
        failure_terms,
        service_account: None,
    };
    Ok((text, kept))
}

fn parted(meant: Option<Meant>) -> (Option<Sent>, Option<DestinationText>, Terms) {
    match meant {
        Some((sent, to, terms)) => (Some(sent), Some(to), terms),
        None => (None, None, Terms::default()),
    }
}

fn ranged(sent: &Fields, name: &str, range: &RangeInclusive<i64>) -> Result<Option<i64>, FssError> {
    let value = sent.integer(name)?;
    match value {
        Some(value) if !range.contains(&value) => {
            let message = format!("`{name}` is {value}: send {} to {}", range.start(), range.end());
            Err(FssError::parameter(message))
        }
        _ => Ok(value),
    }
}

fn written(runtime: &Runtime, function: &Function, urn: &Urn, config: &AsyncConfig, kept: AsyncKept) -> Value {
    let owner = &function.path.namespace;
    let mut to = Map::new();
    let destinations = &config.destinations;
    for (edge, destination, sent) in [
        (Edge::OnSuccess, &destinations.on_success, kept.on_success),
        (Edge::OnFailure, &destinations.on_failure, kept.on_failure),
    ] {
        if let Some(destination) = destination {
            let terms = destinations.terms(edge);
            let sent = sent.filter(|sent| still_means(runtime, function, sent, destination, terms));
            let sent = sent.unwrap_or_else(|| destinations::written(runtime, owner, destination, terms));
            to.insert(edge.as_str().to_owned(), json!(sent));
        }
    }
    // A configuration that was set in another dialect has no times of its own.
    let or_of_function = |at: Timestamp| at.max(function.created);
    let mut answer = json!({
        "func_urn": urn.to_string(),
        "max_async_event_age_in_seconds": config.max_event_age.as_secs(),
        "max_async_retry_attempts": config.retry.max_retries(),
        "destination_config": to,
        "created_time": with_offset(or_of_function(kept.created)),
        "last_modified": with_blank(or_of_function(kept.modified)),
        "enable_async_status_log": kept.status_log,
    });
    for (name, text) in kept.logs {
        answer[name] = text.into();
    }
    answer
}

/// Whether a destination that was sent is still the one that the configuration has.
fn still_means(runtime: &Runtime, function: &Function, sent: &Sent, to: &Destination, terms: &Terms) -> bool {
    let mut members = Map::new();
    members.insert("destination".to_owned(), sent.destination.clone().into());
    members.insert("param".to_owned(), sent.param.clone().into());
    let read = destinations::read(runtime, &function.path.namespace, &Fields::from(members));
    let Ok(Some((_, meant, meant_terms))) = read else { return false };
    let same = match (&meant, to) {
        (DestinationText::Outside(meant), Destination::Outside(to)) => meant == to,
        (DestinationText::Function { namespace: Some(namespace), name, qualifier }, Destination::Function(target)) => {
            let path = FunctionPath { namespace: namespace.clone(), name: name.clone() };
            let id: Result<_, Error> = runtime.function(&path).map(|function| function.id);
            id.is_ok_and(|id| id == target.id) && *qualifier == target.qualifier
        }
        _ => false,
    };
    same && meant_terms.expires_days == terms.expires_days
}
