//! Schemas of the values that the API is full of: names, ids, times, numbers in a range. The ranges are those of
//! [`bounds`], so the document cannot say others than are checked.
//!
//! A setting that may be left out may also be null, here as in the types that read it.

use std::ops::RangeInclusive;

use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, SchemaFormat, SchemaType, Type};

use crate::model::bounds;
use crate::model::destination::Format;
use crate::model::outcome::OutcomeKind;
use crate::model::status::Status;
use crate::model::trigger::{CatchUp, Form};

/// A function, an alias, a store, a secret and what else has a name of its own.
pub(super) const NAME: &str = "^[A-Za-z]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$";
/// The form of the names of functions, which may be in a package.
pub(super) const FUNCTION_NAME: &str =
    "^([A-Za-z]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?\\.)?[A-Za-z]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$";
/// A namespace: it may begin with a digit.
pub(super) const NAMESPACE: &str = "^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$";
/// A message queue.
pub(super) const QUEUE: &str = "^[A-Za-z0-9_-]{1,75}([.]fifo)?$";
/// A length of time.
pub(super) const DURATION: &str = "^[0-9]{1,9}(ms|s|m|h|d)?$";
/// An instant: RFC 3339, or milliseconds since 1970.
pub(super) const INSTANT: &str = "^([0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9:.]+([Zz]|[+-][0-9]{2}:[0-9]{2})|[0-9]{1,15})$";

/// Text of that form.
pub(super) fn text(pattern: &str) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern))
}

/// Any text.
pub(super) fn any_text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// A name.
pub(in crate::http::native) fn name() -> ObjectBuilder {
    text(NAME)
}

/// A bucket of objects.
pub(super) fn bucket() -> ObjectBuilder {
    let form = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*$";
    text(form).min_length(Some(3)).max_length(Some(63))
}

/// An id: a UUID.
pub(in crate::http::native) fn id() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::Custom("uuid".to_owned())))
}

/// A UUID, or null.
pub(in crate::http::native) fn id_or_null() -> ObjectBuilder {
    id().schema_type(nullable(Type::String))
}

/// One of these words.
pub(in crate::http::native) fn one_of<'a>(words: impl IntoIterator<Item = &'a str>) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words))
}

/// A whole number in a range.
pub(super) fn number<N: Copy + Into<u64>>(range: &RangeInclusive<N>) -> ObjectBuilder {
    let (least, most): (u64, u64) = ((*range.start()).into(), (*range.end()).into());
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(utoipa::Number::from(least)))
        .maximum(Some(utoipa::Number::from(most)))
}

/// The same, or null: the default.
fn optional<N: Copy + Into<u64>>(range: &RangeInclusive<N>, description: &str) -> ObjectBuilder {
    number(range).schema_type(nullable(Type::Integer)).description(Some(description))
}

/// Something of that type, or null.
pub(super) fn or_null(schema_type: Type) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(nullable(schema_type))
}

fn nullable(schema_type: Type) -> SchemaType {
    SchemaType::from_iter([schema_type, Type::Null])
}

pub(in crate::http::native) fn boolean() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Boolean)
}

pub(in crate::http::native) fn version() -> ObjectBuilder {
    number(&(1..=u32::MAX)).description(Some("The number of a version"))
}

pub(in crate::http::native) fn memory_bytes() -> ObjectBuilder {
    optional(&bounds::MEMORY_BYTES, "Linear memory of one instance").default(Some(bounds::DEFAULT_MEMORY_BYTES.into()))
}

pub(in crate::http::native) fn timeout_ms() -> ObjectBuilder {
    optional(&bounds::TIMEOUT_MS, "Wall-clock time that one attempt may take")
}

pub(in crate::http::native) fn concurrency() -> ObjectBuilder {
    optional(&bounds::CONCURRENCY, "How many attempts may run at once; the runtime's own limit applies besides")
}

pub(in crate::http::native) fn fuel() -> ObjectBuilder {
    optional(
        &bounds::FUEL,
        "Fuel that one attempt may use up, about one for each instruction; not counted unless given",
    )
}

pub(in crate::http::native) fn reuse() -> ObjectBuilder {
    optional(&bounds::REUSE, "How many invocations one instance may serve, one after the other; unless given, one")
}

pub(in crate::http::native) fn instance_concurrency() -> ObjectBuilder {
    optional(
        &bounds::INSTANCE_CONCURRENCY,
        "How many invocations one instance may serve at once, where it may be used again: for `wasi:http` 0.3; unless given, one",
    )
}

pub(in crate::http::native) fn runtime_concurrency() -> ObjectBuilder {
    number(&bounds::RUNTIME_CONCURRENCY)
}

pub(in crate::http::native) fn max_retries() -> ObjectBuilder {
    optional(&bounds::MAX_RETRIES, "Attempts after the first").default(Some(bounds::DEFAULT_MAX_RETRIES.into()))
}

pub(in crate::http::native) fn max_event_age_s() -> ObjectBuilder {
    optional(&bounds::MAX_EVENT_AGE_S, "Age, from first being due, after which no attempt starts")
        .default(Some(bounds::DEFAULT_MAX_EVENT_AGE.as_secs().into()))
}

pub(in crate::http::native) fn retry_delay_ms() -> ObjectBuilder {
    optional(&bounds::RETRY_DELAY_MS, "Pause before the second attempt; it doubles from there")
}

pub(in crate::http::native) fn retry_delay_max_ms() -> ObjectBuilder {
    optional(&bounds::RETRY_DELAY_MS, "Where the doubling stops")
}

pub(in crate::http::native) fn max_queued() -> ObjectBuilder {
    optional(&bounds::MAX_QUEUED, "Invocations that may wait")
}

pub(in crate::http::native) fn max_queued_bytes() -> ObjectBuilder {
    optional(&bounds::MAX_QUEUED_BYTES, "Bytes of payloads that may wait")
}

pub(in crate::http::native) fn retention_s() -> ObjectBuilder {
    optional(&bounds::RETENTION_S, "For how long")
}

pub(in crate::http::native) fn kept_count() -> ObjectBuilder {
    optional(&bounds::KEPT_COUNT, "How many")
}

pub(in crate::http::native) fn kept_bytes() -> ObjectBuilder {
    optional(&bounds::KEPT_BYTES, "How large in all")
}

pub(in crate::http::native) fn visibility_s() -> ObjectBuilder {
    optional(&bounds::QUEUE_VISIBILITY_S, "Seconds for which a message that was received is hidden from others")
}

pub(in crate::http::native) fn hidden_s() -> ObjectBuilder {
    number(&bounds::QUEUE_VISIBILITY_S)
}

pub(in crate::http::native) fn delay_s() -> ObjectBuilder {
    optional(&bounds::QUEUE_DELAY_S, "Seconds before a message can be received for the first time")
}

pub(in crate::http::native) fn message_retention_s() -> ObjectBuilder {
    optional(&bounds::QUEUE_RETENTION_S, "Seconds for which a message is kept")
}

pub(in crate::http::native) fn wait_s() -> ObjectBuilder {
    optional(&bounds::QUEUE_WAIT_S, "Seconds that a receive waits for a message unless it says itself")
}

pub(in crate::http::native) fn max_message_bytes() -> ObjectBuilder {
    optional(&bounds::QUEUE_MESSAGE_BYTES, "Bytes that a message may have, attributes included")
}

pub(in crate::http::native) fn max_receives() -> ObjectBuilder {
    number(&bounds::QUEUE_MAX_RECEIVES)
}

pub(in crate::http::native) fn stream_retention_s() -> ObjectBuilder {
    optional(&bounds::STREAM_RETENTION_S, "Seconds for which records are kept")
        .default(Some(bounds::DEFAULT_STREAM_RETENTION_S.into()))
}

pub(in crate::http::native) fn stream_bytes() -> ObjectBuilder {
    optional(&bounds::STREAM_BYTES, "Bytes that are kept; past them the oldest records go")
        .default(Some(bounds::DEFAULT_STREAM_BYTES.into()))
}

pub(in crate::http::native) fn give_up_after_s() -> ObjectBuilder {
    optional(&bounds::DELIVERY_BUDGET_S, "Seconds for which each publication is tried")
        .default(Some(bounds::DEFAULT_DELIVERY_BUDGET.as_secs().into()))
}

pub(in crate::http::native) fn subscription_status() -> ObjectBuilder {
    one_of(["confirmed", "pending_confirmation"])
}

pub(in crate::http::native) fn queue() -> ObjectBuilder {
    text(QUEUE)
}

pub(in crate::http::native) fn trigger_batch() -> ObjectBuilder {
    optional(&bounds::TRIGGER_BATCH, "Messages for one invocation at most")
}

pub(in crate::http::native) fn trigger_window_s() -> ObjectBuilder {
    optional(&bounds::TRIGGER_WINDOW_S, "Seconds to wait for a batch to fill")
}

pub(in crate::http::native) fn trigger_concurrency() -> ObjectBuilder {
    optional(&bounds::TRIGGER_CONCURRENCY, "Batches that are under way at once")
}

pub(in crate::http::native) fn form_or_null() -> ObjectBuilder {
    word_or_null(Form::ALL.map(Form::as_str))
}

pub(in crate::http::native) fn catch_up_or_null() -> ObjectBuilder {
    word_or_null(CatchUp::ALL.map(CatchUp::as_str))
}

pub(in crate::http::native) fn audit_result() -> ObjectBuilder {
    one_of(["done", "refused"])
}

pub(in crate::http::native) fn outcomes() -> ArrayBuilder {
    ArrayBuilder::new().items(one_of(OutcomeKind::ALL.map(OutcomeKind::as_str)))
}

pub(in crate::http::native) fn outcome_or_null() -> ObjectBuilder {
    word_or_null(OutcomeKind::ALL.map(OutcomeKind::as_str))
}

/// What of an outcome is sent.
pub(in crate::http::native) fn format() -> ObjectBuilder {
    one_of(Format::ALL.map(Format::as_str)).description(Some(FORMATS))
}

pub(in crate::http::native) fn format_or_null() -> ObjectBuilder {
    word_or_null(Format::ALL.map(Format::as_str)).description(Some(FORMATS))
}

const FORMATS: &str = "What of the outcome is sent, unless told the record. `cloudevent-binary` is for webhooks, and elsewhere as `cloudevent`";

pub(in crate::http::native) fn expires_s() -> ObjectBuilder {
    optional(
        &(1..=bounds::MAX_CREDENTIAL_AGE.as_secs()),
        "Seconds for which it is good; unless told, until it is taken back",
    )
}

/// One of these words, or null.
fn word_or_null<'a>(words: impl IntoIterator<Item = &'a str>) -> ObjectBuilder {
    let words = words.into_iter().map(Some).chain([None]);
    ObjectBuilder::new().schema_type(nullable(Type::String)).enum_values(Some(words))
}

pub(in crate::http::native) fn bulk_limit() -> ObjectBuilder {
    optional(&(1..=bounds::MAX_BULK as u64), "How many to change at most")
}

pub(in crate::http::native) fn status() -> ObjectBuilder {
    one_of(Status::ALL.map(Status::as_str))
}

pub(in crate::http::native) fn statuses() -> ArrayBuilder {
    ArrayBuilder::new().items(status())
}

/// Of what was accepted long ago there may be no record any more.
pub(in crate::http::native) fn status_if_kept() -> ObjectBuilder {
    word_or_null(Status::ALL.map(Status::as_str))
}

pub(in crate::http::native) fn priority() -> ObjectBuilder {
    one_of(["high", "normal", "low"])
}
