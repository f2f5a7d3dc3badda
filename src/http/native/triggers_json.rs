//! How triggers look in JSON.

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::openapi::values;
use super::query::{self, bad};
use crate::http::problem::Problem;
use crate::model::bounds;
use crate::model::destination::Destination;
use crate::model::invocation::PayloadInfo;
use crate::model::schedule::Schedule;
use crate::model::trigger::{CatchUp, Form, Kind, Payload, Source, Timer, Trigger};
use crate::triggers::{Shown, Wanted};

/// A trigger as clients write it.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum TriggerIn {
    Timer(TimerIn),
    Queue(QueueIn),
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct QueueIn {
    function: String,
    enabled: Option<bool>,
    service_account: Option<String>,
    #[schema(schema_with = values::queue)]
    queue: String,
    #[schema(schema_with = values::trigger_batch)]
    batch_size: Option<u16>,
    #[schema(schema_with = values::trigger_window_s)]
    batch_window_s: Option<u64>,
    #[schema(schema_with = values::trigger_concurrency)]
    concurrency: Option<u16>,
    #[schema(schema_with = values::form_or_null)]
    format: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TimerIn {
    function: String,
    enabled: Option<bool>,
    service_account: Option<String>,
    cron: String,
    time_zone: Option<String>,
    #[schema(schema_with = values::catch_up_or_null)]
    catch_up: Option<String>,
    payload: Option<String>,
    payload_base64: Option<String>,
    content_type: Option<String>,
    /// The member of a JSON payload that is to tell the time it fires for.
    time_member: Option<String>,
}

/// What derives would say forbids `kind`, since it is no field of what it chooses between.
impl PartialSchema for TriggerIn {
    fn schema() -> RefOr<Schema> {
        let kinds = [("timer", TimerIn::schema()), ("queue", QueueIn::schema())];
        let one_of = kinds.into_iter().fold(OneOfBuilder::new(), |one_of, (kind, schema)| match schema {
            RefOr::T(Schema::Object(object)) => {
                one_of.item(ObjectBuilder::from(object).property("kind", values::one_of([kind])).required("kind"))
            }
            other => one_of.item(other),
        });
        one_of.into()
    }
}

impl ToSchema for TriggerIn {
    fn name() -> Cow<'static, str> {
        "TriggerSettings".into()
    }
}

impl TriggerIn {
    pub(super) fn meant(self) -> Result<Wanted, Problem> {
        match self {
            Self::Timer(timer) => {
                let (function, enabled) = (query::parsed(&timer.function)?, timer.enabled.unwrap_or(true));
                let service_account = timer.service_account.as_deref().map(query::parsed).transpose()?;
                Ok(Wanted { kind: Kind::Timer(timer.meant()?), function, enabled, service_account })
            }
            Self::Queue(queue) => {
                let (function, enabled) = (query::parsed(&queue.function)?, queue.enabled.unwrap_or(true));
                let service_account = queue.service_account.as_deref().map(query::parsed).transpose()?;
                Ok(Wanted { kind: Kind::Queue(queue.meant()?), function, enabled, service_account })
            }
        }
    }
}

impl QueueIn {
    fn meant(self) -> Result<Source, Problem> {
        let form = one_of("format", self.format.as_deref(), &Form::ALL, Form::as_str)?.unwrap_or_default();
        let usual = if form == Form::Body { 1 } else { bounds::DEFAULT_TRIGGER_BATCH };
        Ok(Source {
            queue: query::parsed(&self.queue)?,
            batch_size: self.batch_size.unwrap_or(usual),
            window: Duration::from_secs(self.batch_window_s.unwrap_or(0)),
            concurrency: self.concurrency.unwrap_or(1),
            form,
        })
    }
}

impl TimerIn {
    fn meant(self) -> Result<Timer, Problem> {
        let zone = self.time_zone.as_deref().unwrap_or("UTC");
        let schedule = Schedule::new(&self.cron, zone).map_err(|error| bad("bad_schedule", error.to_string()))?;
        let rule = self.catch_up.as_deref();
        let catch_up = one_of("catch_up", rule, &CatchUp::ALL, CatchUp::as_str)?.unwrap_or_default();
        let bytes =
            match (self.payload, self.payload_base64) {
                (Some(_), Some(_)) => {
                    return Err(bad(
                        "bad_payload",
                        "`payload` and `payload_base64` are two forms of it: use one".to_owned(),
                    ));
                }
                (Some(text), None) => Some(text.into_bytes()),
                (None, Some(text)) => Some(STANDARD.decode(&text).map_err(|error| {
                    bad("bad_payload", format!("`payload_base64` cannot be read as base64: {error}"))
                })?),
                (None, None) => None,
            };
        let payload = match (bytes, self.content_type) {
            (Some(bytes), content_type) => Some(Payload { bytes, content_type: checked(content_type)? }),
            (None, None) => None,
            (None, Some(_)) => {
                return Err(bad("bad_payload", "`content_type` says what a payload is, and there is none".to_owned()));
            }
        };
        let is_object =
            |it: &Payload| serde_json::from_slice::<serde_json::Map<_, serde_json::Value>>(&it.bytes).is_ok();
        if self.time_member.is_some() && !payload.as_ref().is_some_and(is_object) {
            return Err(bad("bad_payload", "`time_member` is for a payload that is a JSON object".to_owned()));
        }
        Ok(Timer { schedule, catch_up, payload, time_member: self.time_member })
    }
}

/// A media type that can be a header's value.
fn checked(content_type: Option<String>) -> Result<String, Problem> {
    let content_type = content_type.unwrap_or_default();
    if PayloadInfo::takes(&content_type) {
        return Ok(content_type);
    }
    let most = bounds::MAX_CONTENT_TYPE_BYTES;
    Err(bad("bad_payload", format!("`content_type` is a media type in up to {most} visible ASCII characters")))
}

/// One of some words, where one was written.
fn one_of<T: Copy>(
    field: &str,
    text: Option<&str>,
    all: &[T],
    word: fn(T) -> &'static str,
) -> Result<Option<T>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let found = all.iter().copied().find(|it| word(*it) == text);
    let words = || all.iter().map(|it| format!("`{}`", word(*it))).collect::<Vec<_>>().join(", ");
    let unknown = || bad("bad_trigger", format!("`{field}` is `{text}`: use one of {}", words()));
    found.ok_or_else(unknown).map(Some)
}

/// A trigger as it is answered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Trigger)]
pub(super) struct TriggerOut {
    namespace: String,
    name: String,
    /// The function, as it is written in the namespace.
    function: String,
    enabled: bool,
    /// The account that it acts for.
    service_account: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
    fired: u64,
    #[schema(format = DateTime)]
    last_fired_at: Option<String>,
    last_invocation_id: Option<String>,
    last_error: Option<TriggerErrorOut>,
    /// When a timer fires next.
    #[schema(format = DateTime)]
    next_at: Option<String>,
    #[serde(flatten)]
    settings: SettingsOut,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TriggerError)]
struct TriggerErrorOut {
    #[schema(format = DateTime)]
    at: String,
    message: String,
}

/// What a trigger of each kind has besides.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[schema(as = TriggerKind)]
enum SettingsOut {
    Timer {
        cron: String,
        time_zone: String,
        catch_up: &'static str,
        payload: Option<String>,
        payload_base64: Option<String>,
        content_type: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        time_member: Option<String>,
    },
    Queue {
        queue: String,
        batch_size: u16,
        batch_window_s: u64,
        concurrency: u16,
        format: &'static str,
    },
}

impl TriggerOut {
    pub(super) fn of(shown: &Shown) -> Self {
        let Trigger { id: _, namespace, name, kind, target, enabled, created, updated, service_account } =
            &shown.trigger;
        let function = Destination::Function(target.clone()).written_in(namespace);
        let progress = &shown.progress;
        let error = progress.error.as_ref();
        Self {
            namespace: namespace.to_string(),
            name: name.to_string(),
            function: function.trim_start_matches("function:").to_owned(),
            enabled: *enabled,
            service_account: service_account.as_ref().map(ToString::to_string),
            created_at: created.to_string(),
            updated_at: updated.to_string(),
            fired: progress.fired,
            last_fired_at: progress.last.map(|last| last.at.to_string()),
            last_invocation_id: progress.last.map(|last| last.invocation.to_string()),
            last_error: error.map(|it| TriggerErrorOut { at: it.at.to_string(), message: it.message.clone() }),
            next_at: shown.next.map(|next| next.to_string()),
            settings: SettingsOut::of(kind),
        }
    }
}

impl SettingsOut {
    fn of(kind: &Kind) -> Self {
        match kind {
            Kind::Timer(timer) => {
                let text = timer.payload.as_ref().and_then(|payload| std::str::from_utf8(&payload.bytes).ok());
                let bytes = timer.payload.as_ref().filter(|_| text.is_none());
                Self::Timer {
                    cron: timer.schedule.text().to_owned(),
                    time_zone: timer.schedule.zone().to_string(),
                    catch_up: timer.catch_up.as_str(),
                    payload: text.map(ToOwned::to_owned),
                    payload_base64: bytes.map(|payload| STANDARD.encode(&payload.bytes)),
                    content_type: timer.payload.as_ref().map(|payload| payload.content_type.clone()),
                    time_member: timer.time_member.clone(),
                }
            }
            Kind::Queue(source) => Self::Queue {
                queue: source.queue.to_string(),
                batch_size: source.batch_size,
                batch_window_s: source.window.as_secs(),
                concurrency: source.concurrency,
                format: source.form.as_str(),
            },
        }
    }
}
