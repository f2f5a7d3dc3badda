//! Triggers: what invokes a function when a time comes, or when something lies in a queue. What they are, and which
//! times a timer fires for; fires nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::bounds::{self, OutOfRange, within};
use super::destination::FunctionTarget;
use super::message_queue::QueueName;
use super::names::{AccountName, InvocationId, Namespace, TriggerId, TriggerName};
use super::schedule::Schedule;
use super::time::Timestamp;

/// A trigger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trigger {
    /// Its identity: ids of what it starts are derived from it.
    pub id: TriggerId,
    /// Whose it is.
    pub namespace: Namespace,
    /// Its name there.
    pub name: TriggerName,
    /// What it watches.
    pub kind: Kind,
    /// What it invokes.
    pub target: FunctionTarget,
    /// Whether it does.
    pub enabled: bool,
    /// When it was first made.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
    /// The service account, of its namespace, that must be allowed to invoke the function, and to take from the queue,
    /// each time it fires; `None` where nobody is asked then.
    #[serde(default)]
    pub service_account: Option<AccountName>,
}

/// What a trigger watches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// The clock.
    Timer(Timer),
    /// A queue.
    Queue(Source),
}

impl Kind {
    /// As in the API.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Timer(_) => "timer",
            Self::Queue(_) => "queue",
        }
    }

    /// The queue that it takes from, if it does.
    #[must_use]
    pub const fn queue(&self) -> Option<&QueueName> {
        match self {
            Self::Timer(_) => None,
            Self::Queue(source) => Some(&source.queue),
        }
    }
}

/// Invokes when a time comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timer {
    /// When.
    pub schedule: Schedule,
    /// What becomes of times that were missed.
    pub catch_up: CatchUp,
    /// What the function is given; `None` for a description of the firing.
    pub payload: Option<Payload>,
    /// The member of that payload, a JSON object then, which tells the time that it fires for.
    #[serde(default)]
    pub time_member: Option<String>,
}

/// What a timer gives its function each time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// The bytes.
    #[serde(with = "bytes_as_bytes")]
    pub bytes: Vec<u8>,
    /// Their media type; empty when nobody said.
    pub content_type: String,
}

impl Payload {
    /// The same with `time` in that member, where there is one to be told in.
    #[must_use]
    pub fn telling(self, member: Option<&str>, time: &str) -> Self {
        let Some(member) = member else { return self };
        let Ok(mut object) = serde_json::from_slice::<serde_json::Map<_, _>>(&self.bytes) else { return self };
        object.insert(member.to_owned(), time.into());
        Self { bytes: serde_json::Value::Object(object).to_string().into_bytes(), ..self }
    }
}

/// Invokes with the messages of a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The queue, in the namespace of the trigger.
    pub queue: QueueName,
    /// Messages of one invocation at most.
    pub batch_size: u16,
    /// How long a batch that is not full waits for more.
    pub window: Duration,
    /// Batches that are collected at once.
    pub concurrency: u16,
    /// What the function is given.
    pub form: Form,
}

/// What a function is given of the messages of a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Form {
    /// A JSON document with the messages and their attributes.
    #[default]
    Batch,
    /// The body of the one message that makes a batch, as it is.
    Body,
}

impl Form {
    /// Every form.
    pub const ALL: [Self; 2] = [Self::Batch, Self::Body];

    /// `batch` or `body`, as in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Body => "body",
        }
    }
}

/// What becomes of times that a timer missed: because the runtime was off, or could take no more work for longer than
/// [`bounds::TIMER_GRACE`]. None that is older than the function's `max_event_age` is fired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CatchUp {
    /// Each of the last [`bounds::MAX_CATCH_UP`] is fired, late, in their order.
    All,
    /// The last one is fired, late, for all of them.
    #[default]
    Latest,
    /// They are left out.
    None,
}

impl CatchUp {
    /// Every rule.
    pub const ALL: [Self; 3] = [Self::All, Self::Latest, Self::None];

    /// `all`, `latest` or `none`, as in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Latest => "latest",
            Self::None => "none",
        }
    }

    /// The times to fire for at `now`, in their order, when all up to `through` have been seen to. Those up to
    /// [`bounds::TIMER_GRACE`] ago are on time, and each of them is fired.
    #[must_use]
    pub fn due(self, schedule: &Schedule, through: Timestamp, now: Timestamp, max_age: Duration) -> Vec<Timestamp> {
        let on_time = through.max(now.minus(bounds::TIMER_GRACE));
        let punctual: Vec<_> = schedule.between(on_time, now).collect();
        let most = match self {
            Self::None => return punctual,
            Self::Latest if !punctual.is_empty() => return punctual, // a newer one stands for those that were missed
            Self::Latest => 1,
            Self::All => bounds::MAX_CATCH_UP,
        };
        let oldest = through.max(now.minus(max_age));
        let mut due = if oldest < on_time { schedule.last_between(oldest, on_time, most) } else { Vec::new() };
        due.extend(punctual);
        due
    }
}

impl Source {
    /// Checks what can be told without looking: numbers, and that a body alone is of one message.
    pub fn check(&self) -> Result<(), InvalidSource> {
        within("batch_size", self.batch_size, &bounds::TRIGGER_BATCH)?;
        within("batch_window_s", self.window.as_secs(), &bounds::TRIGGER_WINDOW_S)?;
        within("concurrency", self.concurrency, &bounds::TRIGGER_CONCURRENCY)?;
        if self.form == Form::Body && self.batch_size != 1 {
            return Err(InvalidSource::Body { batch_size: self.batch_size });
        }
        Ok(())
    }
}

/// Why a trigger cannot take from a queue like that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSource {
    /// A batch has no body of its own.
    #[error("`format` is `body`, and `batch_size` is {batch_size}: only a single message can be handed over as it is")]
    Body {
        /// How many messages a batch would have.
        batch_size: u16,
    },
    /// A number is out of its range.
    #[error(transparent)]
    Range(#[from] OutOfRange),
}

/// How far a trigger has come. Kept in the commit that accepts an invocation, so that none is accepted twice or left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Of a timer: every time up to here has been seen to.
    pub through: Timestamp,
    /// Invocations that were accepted because of it.
    pub fired: u64,
    /// The last of them.
    pub last: Option<Fired>,
    /// What went wrong since then.
    pub error: Option<Trouble>,
}

/// An invocation that a trigger caused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fired {
    /// When.
    pub at: Timestamp,
    /// Which.
    pub invocation: InvocationId,
}

/// Why a trigger did not fire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// When that was last so.
    pub at: Timestamp,
    /// Why.
    pub message: String,
}

impl Progress {
    /// As it is taken up at `now`. What was seen to while the clock was far ahead has yet to come: else the trigger would be
    /// silent until then.
    #[must_use]
    pub fn seen_at(mut self, now: Timestamp) -> Self {
        if self.through > now + bounds::TIMER_GRACE {
            self.through = now;
        }
        self
    }

    /// That of a trigger that begins at `now`: what was before is not its business.
    #[must_use]
    pub const fn beginning(now: Timestamp) -> Self {
        Self { through: now, fired: 0, last: None, error: None }
    }

    /// What it is once it has fired.
    #[must_use]
    pub fn after_firing(&self, fired: Fired) -> Self {
        Self { through: self.through, fired: self.fired + 1, last: Some(fired), error: None }
    }
}

/// Bytes in a record as bytes, and not as so many numbers.
mod bytes_as_bytes {
    use serde::{Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
        }
        deserializer.deserialize_bytes(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(&format!("2026-11-21T{text}Z")).unwrap()
    }

    #[track_caller]
    fn check(rule: CatchUp, through: &str, now: &str, max_age: Duration, expected: &[&str]) {
        let hourly = Schedule::new("0 * * * *", "UTC").unwrap();
        let due = rule.due(&hourly, at(through), at(now), max_age);
        assert_eq!(due, expected.iter().map(|text| at(text)).collect::<Vec<_>>(), "{rule:?}");
    }

    #[test]
    fn a_time_that_has_just_come_is_fired_by_every_rule() {
        for rule in CatchUp::ALL {
            check(rule, "08:00:00", "08:59:59", HOUR, &[]);
            check(rule, "08:00:00", "09:00:00", HOUR, &["09:00:00"]);
            check(rule, "08:00:00", "09:00:09", HOUR, &["09:00:00"]);
            check(rule, "09:00:00", "09:00:09", HOUR, &[]);
        }
    }

    #[test]
    fn a_trigger_that_was_seen_to_far_ahead_goes_on_from_now() {
        let now = at("09:00:00");
        let through = |then: Timestamp| Progress { fired: 3, ..Progress::beginning(then) }.seen_at(now).through;
        assert_eq!(through(now + 24 * HOUR), now);
        for then in [at("08:00:00"), now + bounds::TIMER_GRACE] {
            assert_eq!(through(then), then, "a clock may be set back a little");
        }
    }

    #[test]
    fn of_missed_times_none_one_or_all_are_fired_unless_they_are_too_old() {
        check(CatchUp::None, "03:00:00", "09:30:00", 24 * HOUR, &[]);
        check(CatchUp::Latest, "03:00:00", "09:30:00", 24 * HOUR, &["09:00:00"]);
        check(CatchUp::All, "06:00:00", "09:30:00", 24 * HOUR, &["07:00:00", "08:00:00", "09:00:00"]);
        check(CatchUp::All, "03:00:00", "09:30:00", 2 * HOUR, &["08:00:00", "09:00:00"]);
        check(CatchUp::Latest, "03:00:00", "09:30:00", HOUR / 4, &[]);
        check(CatchUp::Latest, "09:00:00", "09:30:00", HOUR, &[]);
    }

    #[test]
    fn one_that_comes_on_time_stands_for_those_that_were_missed() {
        check(CatchUp::None, "03:00:00", "09:00:05", 24 * HOUR, &["09:00:00"]);
        check(CatchUp::Latest, "03:00:00", "09:00:05", 24 * HOUR, &["09:00:00"]);
        check(CatchUp::All, "07:00:00", "09:00:05", 24 * HOUR, &["08:00:00", "09:00:00"]);
    }

    #[test]
    fn so_many_missed_times_are_fired_and_no_more_however_long_it_was() {
        let secondly = Schedule::new("* * * * * *", "UTC").unwrap();
        let now = at("09:00:00");
        let due = CatchUp::All.due(&secondly, Timestamp::from_ms(0), now, 24 * HOUR);
        let grace = usize::try_from(bounds::TIMER_GRACE.as_secs()).unwrap();
        assert_eq!(due.len(), bounds::MAX_CATCH_UP + grace);
        assert_eq!(due.last(), Some(&now));
        assert!(due.is_sorted());
    }

    #[test]
    fn a_trigger_is_read_back_as_it_was_written() {
        let timer = Kind::Timer(Timer {
            schedule: Schedule::new("30 2 * * *", "Europe/Berlin").unwrap(),
            catch_up: CatchUp::All,
            payload: Some(Payload { bytes: vec![0, 159, 255], content_type: "application/octet-stream".to_owned() }),
            time_member: Some("time".to_owned()),
        });
        let bytes = rmp_serde::to_vec(&timer).unwrap();
        assert_eq!(rmp_serde::from_slice::<Kind>(&bytes).unwrap(), timer);
    }

    #[test]
    fn a_timer_from_before_there_were_members_for_times_is_still_read() {
        let before = (Schedule::new("@hourly", "UTC").unwrap(), CatchUp::Latest, None::<Payload>);
        let timer: Timer = rmp_serde::from_slice(&rmp_serde::to_vec(&before).unwrap()).unwrap();
        assert_eq!((timer.time_member, timer.schedule.text()), (None, "@hourly"));
    }

    #[track_caller]
    fn told(bytes: &[u8], member: Option<&str>, expected: &[u8]) {
        let payload = Payload { bytes: bytes.to_vec(), content_type: String::new() };
        assert_eq!(payload.telling(member, "09:00").bytes, expected);
    }

    #[test]
    fn a_payload_tells_the_time_in_the_member_that_is_for_it() {
        told(br#"{"a":1,"time":""}"#, Some("time"), br#"{"a":1,"time":"09:00"}"#);
        told(br#"{"a":1}"#, Some("time"), br#"{"a":1,"time":"09:00"}"#);
        told(br#"{"a":1}"#, None, br#"{"a":1}"#);
        told(b"[1]", Some("time"), b"[1]");
    }
}
