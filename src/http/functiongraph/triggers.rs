//! `/triggers/{function_urn}`: what invokes a function by itself. Timers do here what they do in the service; a trigger of
//! another kind has nothing here that could set it off, so it is refused and not kept. Triggers of queues, which are made in
//! the native dialect, are shown as the service's own of message queues.

use serde_json::{Map, Value, json};

use super::Answer;
use super::error::{Code, FssError};
use super::json::{Fields, missing, nothing, ok};
use super::kept;
use super::request::Call;
use super::times::seconds;
use crate::model::names::{Namespace, TriggerName};
use crate::model::reference::FunctionReference;
use crate::model::schedule::Schedule;
use crate::model::trigger::{CatchUp, Kind, Payload, Timer, Trigger};
use crate::triggers::{Shown, Wanted};

/// The kind of trigger that there is here.
const TIMER: &str = "TIMER";
/// What a trigger of a queue is shown as.
const QUEUE: &str = "DMS";
/// Kinds of the service, and why each is none here.
const ELSEWHERE: [(&str, &str); 17] = [
    ("APIC", "a function has an address of its own, `/fn/NAME`"),
    ("APIG", "a function has an address of its own, `/fn/NAME`"),
    ("CTS", "there is no service that traces others"),
    ("DDS", "there is no such database"),
    ("DEDICATEDGATEWAY", "a function has an address of its own, `/fn/NAME`"),
    ("DIS", "no trigger reads a stream"),
    ("DMS", "messages of a queue trigger functions by `PUT /v1/triggers/NAME` with `kind` `queue`"),
    ("EVENTGRID", "there is no such service"),
    ("GAUSSMONGO", "there is no such database"),
    ("IOTDA", "there are no such devices"),
    ("KAFKA", "there is no such broker"),
    ("LTS", "there is no service of logs"),
    ("OBS", "objects that are written tell nobody"),
    ("OPENSOURCEKAFKA", "there is no such broker"),
    ("RABBITMQ", "there is no such broker"),
    ("ROCKETMQ", "there is no such broker"),
    ("SMN", "functions subscribe to a topic by `POST /v1/topics/NAME/subscriptions`"),
];
/// What a schedule of the service has in front where it names its time zone.
const ZONE: &str = "CRON_TZ=";
/// How often at most a fixed rate may be counted in each unit.
const RATES: [(char, u64); 3] = [('m', 60), ('h', 24), ('d', 30)];
/// Bytes of what a user has a timer say.
const MAX_USER_EVENT_BYTES: usize = 2 * 1_024;
/// Triggers that are read at once.
const STRIDE: usize = 500;

pub(super) fn list(call: &Call) -> Answer {
    let all: Vec<Value> = of_function(call)?.iter().map(written).collect();
    Ok(ok(&all))
}

pub(super) async fn create(call: &Call) -> Answer {
    let urn = call.urn()?;
    let sent = call.fields()?;
    let kind = sent.text("trigger_type_code")?.ok_or_else(|| missing(Code::INVALID_PARAMETER, "trigger_type_code"))?;
    check_kind(kind)?;
    let enabled = enabled(&sent)?.unwrap_or(true);
    let data = sent.object("event_data")?.ok_or_else(|| missing(Code::INVALID_PARAMETER, "event_data"))?;
    let (name, timer) = timer(&data)?;
    let qualifier = kept::qualifier(&call.runtime, urn)?;
    let function =
        FunctionReference { namespace: Some(urn.path.namespace.clone()), name: urn.path.name.clone(), qualifier };
    let wanted = Wanted { kind: Kind::Timer(timer), function, enabled };
    Ok(ok(&written(&call.runtime.make_trigger(call.project.clone(), name, wanted).await?)))
}

pub(super) fn show(call: &Call) -> Answer {
    Ok(ok(&written(&the_one(call)?)))
}

/// Switches a trigger on or off, which is all that the service changes of a timer.
pub(super) async fn update(call: &Call) -> Answer {
    let shown = the_one(call)?;
    let sent = call.fields()?;
    if sent.value("event_data").is_some() {
        let message = "`event_data` of a timer cannot be changed: send `trigger_status`, or make another trigger";
        return Err(FssError::parameter(message));
    }
    let enabled = enabled(&sent)?.ok_or_else(|| missing(Code::INVALID_PARAMETER, "trigger_status"))?;
    let Trigger { namespace, name, .. } = shown.trigger;
    Ok(ok(&written(&call.runtime.enable_trigger(namespace, name, enabled).await?)))
}

pub(super) async fn delete(call: &Call) -> Answer {
    let Trigger { namespace, name, .. } = the_one(call)?.trigger;
    call.runtime.delete_trigger(namespace, name).await?;
    Ok(nothing())
}

/// Deletes every trigger of a function.
pub(super) async fn delete_all(call: &Call) -> Answer {
    for shown in of_function(call)? {
        let Trigger { namespace, name, .. } = shown.trigger;
        call.runtime.delete_trigger(namespace, name).await?;
    }
    Ok(nothing())
}

/// The trigger that the path names.
fn the_one(call: &Call) -> Result<Shown, FssError> {
    let (kind, id) = (call.kind(), call.last());
    let found = of_function(call)?.into_iter().find(|shown| shown.trigger.id.to_string() == id);
    let found = found.filter(|shown| code_of(&shown.trigger.kind).eq_ignore_ascii_case(kind));
    let (kind, id) = (kind.chars().take(60).collect::<String>(), id.chars().take(60).collect::<String>());
    let unknown = || FssError::new(Code::NOT_FOUND, format!("the function has no trigger `{id}` of the type `{kind}`"));
    found.ok_or_else(unknown)
}

/// The triggers of the function, in order of their names.
fn of_function(call: &Call) -> Result<Vec<Shown>, FssError> {
    let function = call.runtime.function(&call.urn()?.path)?;
    let namespace: &Namespace = &call.project;
    let (mut found, mut after) = (Vec::new(), None::<TriggerName>);
    loop {
        let page = call.runtime.triggers(namespace, after.as_ref(), STRIDE);
        after = page.last().map(|last| last.trigger.name.clone());
        let is_last = page.len() < STRIDE;
        found.extend(page.into_iter().filter(|shown| shown.trigger.target.id == function.id));
        if is_last {
            return Ok(found);
        }
    }
}

fn check_kind(kind: &str) -> Result<(), FssError> {
    if kind == TIMER {
        return Ok(());
    }
    let shown: String = kind.chars().take(60).collect();
    let known = ELSEWHERE.iter().find(|(name, _)| *name == kind);
    let why = known.map_or("there is no such type", |(_, why)| why);
    Err(FssError::parameter(format!("`trigger_type_code` is `{shown}`: {why}; TIMER is what triggers functions here")))
}

fn enabled(sent: &Fields) -> Result<Option<bool>, FssError> {
    match sent.text("trigger_status")? {
        None | Some("") => Ok(None),
        Some("ACTIVE") => Ok(Some(true)),
        Some("DISABLED") => Ok(Some(false)),
        Some(other) => {
            let other: String = other.chars().take(60).collect();
            Err(FssError::parameter(format!("`trigger_status` is `{other}`: send ACTIVE or DISABLED")))
        }
    }
}

/// The timer that `event_data` describes, and its name.
fn timer(data: &Fields) -> Result<(TriggerName, Timer), FssError> {
    let needed = |name: &str| {
        let text = data.text(name)?.filter(|text| !text.is_empty());
        text.ok_or_else(|| missing(Code::INVALID_PARAMETER, &data.name(name)))
    };
    let name: TriggerName = needed("name")?.parse().map_err(|error| FssError::parameter(format!("{error}")))?;
    let schedule = needed("schedule")?;
    let schedule = match needed("schedule_type")? {
        "Rate" => rate(schedule)?,
        "Cron" => cron(schedule)?,
        other => {
            let other: String = other.chars().take(60).collect();
            let named = data.name("schedule_type");
            return Err(FssError::parameter(format!("`{named}` is `{other}`: send Rate or Cron")));
        }
    };
    let user_event = data.text("user_event")?.unwrap_or_default();
    if user_event.len() > MAX_USER_EVENT_BYTES {
        let (named, bytes) = (data.name("user_event"), user_event.len());
        let message = format!("`{named}` has {bytes} bytes: send up to {MAX_USER_EVENT_BYTES}");
        return Err(FssError::parameter(message));
    }
    let event = json!({
        "version": "v1.0",
        "time": "",
        "trigger_type": TIMER,
        "trigger_name": name.as_str(),
        "user_event": user_event,
    });
    let payload = Payload { bytes: event.to_string().into_bytes(), content_type: "application/json".to_owned() };
    let time_member = Some("time".to_owned());
    Ok((name, Timer { schedule, catch_up: CatchUp::default(), payload: Some(payload), time_member }))
}

/// `3m`, `1h`, `2d`.
fn rate(text: &str) -> Result<Schedule, FssError> {
    let wrong = || {
        let shown: String = text.chars().take(60).collect();
        let message = format!("`schedule` is `{shown}`: send 1m to 60m, 1h to 24h or 1d to 30d for a fixed rate");
        FssError::parameter(message)
    };
    is_rate(text).then_some(()).ok_or_else(wrong)?;
    Schedule::new(&format!("@every {text}"), "UTC").map_err(|_| wrong())
}

fn is_rate(text: &str) -> bool {
    let unit = RATES.iter().find(|(unit, _)| text.ends_with(*unit));
    let count = unit.and_then(|(unit, most)| Some((text.strip_suffix(*unit)?.parse::<u64>().ok()?, *most)));
    count.is_some_and(|(count, most)| (1..=most).contains(&count)) && !text.starts_with('+')
}

/// Six fields with the second in front, or `@every 1h30m`; a time zone may stand before either.
fn cron(text: &str) -> Result<Schedule, FssError> {
    let (zone, expression) = match text.strip_prefix(ZONE) {
        Some(rest) => rest.split_once(' ').unwrap_or((rest, "")),
        None => ("UTC", text),
    };
    Schedule::new(expression, zone).map_err(|error| FssError::parameter(format!("`schedule`: {error}")))
}

/// A trigger as it is answered.
fn written(shown: &Shown) -> Value {
    let Trigger { id, kind, enabled, created, updated, .. } = &shown.trigger;
    json!({
        "trigger_id": id.to_string(),
        "trigger_type_code": code_of(kind),
        "trigger_status": if *enabled { "ACTIVE" } else { "DISABLED" },
        "event_data": event_data(&shown.trigger),
        "created_time": seconds(*created),
        "last_updated_time": seconds(*updated),
    })
}

const fn code_of(kind: &Kind) -> &'static str {
    match kind {
        Kind::Timer(_) => TIMER,
        Kind::Queue(_) => QUEUE,
    }
}

fn event_data(trigger: &Trigger) -> Value {
    let (name, triggerid) = (trigger.name.as_str(), trigger.id.to_string());
    match &trigger.kind {
        Kind::Timer(timer) => {
            let (schedule_type, schedule) = schedule_of(&timer.schedule);
            let user_event = user_event(timer);
            json!({
                "name": name,
                "triggerid": triggerid,
                "schedule_type": schedule_type,
                "schedule": schedule,
                "user_event": user_event,
            })
        }
        Kind::Queue(source) => json!({
            "name": name,
            "triggerid": triggerid,
            "queue_id": source.queue.as_str(),
            "batch_size": source.batch_size,
        }),
    }
}

fn schedule_of(schedule: &Schedule) -> (&'static str, String) {
    match schedule.text().strip_prefix("@every ") {
        Some(period) if is_rate(period) => ("Rate", period.to_owned()),
        _ if schedule.zone() == "UTC" => ("Cron", schedule.text().to_owned()),
        _ => ("Cron", format!("{ZONE}{} {}", schedule.zone(), schedule.text())),
    }
}

/// What a timer that was made here says for its user; nothing of one that was made elsewhere.
fn user_event(timer: &Timer) -> String {
    let payload = timer.payload.as_ref().filter(|_| timer.time_member.is_some());
    let event = payload.and_then(|payload| serde_json::from_slice::<Map<String, Value>>(&payload.bytes).ok());
    let text = event.as_ref().and_then(|event| event.get("user_event")).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}
