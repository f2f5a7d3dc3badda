//! The parameters that operations share: what stands in paths, queries and headers, each with the codes of the
//! refusals that it can meet.

use serde_json::json;
use utoipa::openapi::Required;
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::ObjectBuilder;

use super::values;
use crate::model::bounds;

/// A parameter, and how a value of it can be refused (400).
pub(super) struct Parameter {
    pub(super) built: ParameterBuilder,
    pub(super) refusals: &'static [&'static str],
}

impl Parameter {
    fn new(place: ParameterIn, name: &str, description: &str, schema: ObjectBuilder) -> Self {
        let required = if place == ParameterIn::Path { Required::True } else { Required::False };
        let built = ParameterBuilder::new()
            .name(name)
            .parameter_in(place)
            .required(required)
            .description(Some(description))
            .schema(Some(schema));
        Self { built, refusals: &[] }
    }

    fn refused(self, refusals: &'static [&'static str]) -> Self {
        Self { refusals, ..self }
    }

    fn required(self) -> Self {
        Self { built: self.built.required(Required::True), ..self }
    }

    fn example(self, example: impl Into<serde_json::Value>) -> Self {
        Self { built: self.built.example(Some(example.into())), ..self }
    }
}

/// A segment of the path that is a name.
pub(super) fn name(name: &str, description: &str, example: &str) -> Parameter {
    Parameter::new(ParameterIn::Path, name, description, values::text(values::NAME))
        .refused(&["bad_name", "bad_path"])
        .example(example)
}

/// `{name}` of a function.
pub(super) fn function() -> Parameter {
    Parameter::new(ParameterIn::Path, "name", "The function's name", values::text(values::FUNCTION_NAME))
        .refused(&["bad_name", "bad_path"])
        .example("echo")
}

/// A function's path under `/fn`: a name, or `~NAMESPACE` with the name as the next segment.
pub(super) fn called() -> Parameter {
    let description = "The function's name. Outside the namespace `default`: `~NAMESPACE`, with the name as the next \
                       segment of the path";
    Parameter::new(ParameterIn::Path, "name", description, values::text(values::FUNCTION_NAME))
        .refused(&["bad_name", "bad_path"])
        .example("hello-http")
}

/// What stands behind a function's name.
pub(super) fn behind() -> Parameter {
    let description = "What the function gets as its path, slashes and escapes included";
    Parameter::new(ParameterIn::Path, "path", description, values::any_text()).example("a/b")
}

/// `{id}` of an invocation.
pub(super) fn id() -> Parameter {
    Parameter::new(ParameterIn::Path, "id", "The id of an invocation", values::id()).refused(&["bad_name", "bad_path"])
}

/// `{key}` of a pair.
pub(super) fn key() -> Parameter {
    let schema = values::any_text().min_length(Some(1)).max_length(Some(bounds::MAX_PAIR_KEY_BYTES));
    let description = "The key: text, of which the limit counts the bytes; slashes need not be escaped. `.` and `..` are no \
                       keys";
    Parameter::new(ParameterIn::Path, "key", description, schema)
        .refused(&["bad_range", "bad_path"])
        .example("greeting")
}

/// A message queue. One whose name ends in `.fifo` keeps order.
pub(super) fn queue() -> Parameter {
    let description = "The queue's name: with `.fifo` at its end, it keeps messages in order and takes none twice";
    Parameter::new(ParameterIn::Path, "name", description, values::text(values::QUEUE))
        .refused(&["bad_name", "bad_path"])
        .example("jobs")
}

/// What a message that was received is deleted by.
pub(super) fn receipt() -> Parameter {
    Parameter::new(ParameterIn::Path, "receipt", "What the receive of the message gave", values::any_text())
        .refused(&["bad_receipt", "bad_path"])
}

/// A bucket.
pub(super) fn bucket() -> Parameter {
    Parameter::new(ParameterIn::Path, "bucket", "The bucket's name", values::bucket())
        .refused(&["bad_name", "bad_path"])
        .example("results")
}

/// `{key}` of an object.
pub(super) fn object_key() -> Parameter {
    let description =
        "The object's key: between its slashes, which need not be escaped, letters, digits and `-_.=+@,!()`";
    let schema = values::any_text().min_length(Some(1)).max_length(Some(1_024));
    Parameter::new(ParameterIn::Path, "key", description, schema)
        .refused(&["bad_name", "bad_path"])
        .example("2026/11/21/echo.json")
}

fn query(name: &str, description: &str, schema: ObjectBuilder) -> Parameter {
    Parameter::new(ParameterIn::Query, name, description, schema)
}

/// The namespace that the other names are of.
pub(super) fn namespace() -> Parameter {
    let schema = values::text(values::NAMESPACE).default(Some(json!("default")));
    query("namespace", "The namespace that the names are of", schema).refused(&["bad_name"])
}

/// The namespace of what is listed.
pub(super) fn only_namespace() -> Parameter {
    let description = "Only of this namespace; left out, of all";
    query("namespace", description, values::text(values::NAMESPACE)).refused(&["bad_name"])
}

/// Which version is meant.
pub(super) fn qualifier() -> Parameter {
    let form = "^([1-9][0-9]{0,8}|[A-Za-z]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?)$";
    let description = "The number of a version, an alias, or `latest`, which goes without saying";
    query("qualifier", description, values::text(form)).refused(&["bad_name"])
}

/// How long a page is.
pub(super) fn limit() -> Parameter {
    let range = *bounds::PAGE.start() as u64..=*bounds::PAGE.end() as u64;
    let schema = values::number(&range).default(Some(bounds::DEFAULT_PAGE.into()));
    query("limit", "How many entries a page has at most", schema).refused(&["bad_range"])
}

/// Where a page begins.
pub(super) fn cursor() -> Parameter {
    query("cursor", "Where to go on: `next_cursor` of the page before, as it is", values::any_text())
        .refused(&["bad_cursor"])
}

/// A cursor that is a name, of this form.
pub(super) fn name_cursor(form: &str) -> Parameter {
    query("cursor", "Where to go on: `next_cursor` of the page before, as it is", values::text(form))
        .refused(&["bad_name"])
}

/// The beginning of names.
pub(super) fn prefix() -> Parameter {
    query("prefix", "Only those whose names begin so", values::any_text())
}

/// `{id}` of a subscription.
pub(super) fn subscription() -> Parameter {
    Parameter::new(ParameterIn::Path, "id", "The id of a subscription", values::id()).refused(&["bad_name", "bad_path"])
}

/// What an endpoint confirms with.
pub(super) fn token() -> Parameter {
    query("token", "What the endpoint was sent", values::any_text()).required()
}

/// `{id}` of a token or a key.
pub(super) fn credential() -> Parameter {
    Parameter::new(ParameterIn::Path, "id", "The id of the token or the key", values::any_text()).refused(&["bad_path"])
}

/// Which role is meant.
pub(super) fn of_roles() -> [Parameter; 2] {
    [
        query("role", "The role", values::any_text()).required().refused(&["bad_role"]),
        query("on", "What it is on; left out, the account's namespace", values::any_text()).refused(&["bad_scope"]),
    ]
}

/// Where the reading of a stream begins.
pub(super) fn from() -> Parameter {
    let schema = values::any_text().default(Some(json!("earliest")));
    query("from", "Where to begin: `earliest`, `latest`, a place, or a time as RFC 3339 has it", schema)
}

/// Only records with a key.
pub(super) fn record_key() -> Parameter {
    query("key", "Only those with this key", values::any_text())
}

/// How messages are received.
pub(super) fn of_receives() -> [Parameter; 3] {
    let most = values::number(&(1..=bounds::MAX_RECEIVE as u64)).default(Some(json!(1)));
    let visibility = values::number(&bounds::QUEUE_VISIBILITY_S);
    let wait = values::number(&bounds::QUEUE_WAIT_S);
    [
        query("max_messages", "How many messages at most", most).refused(&["bad_range"]),
        query("visibility_s", "For how long they are hidden from others; left out, as the queue says", visibility)
            .refused(&["bad_range"]),
        query("wait_s", "How long to wait for a message; left out, as the queue says", wait).refused(&["bad_range"]),
    ]
}

/// Only those of a function.
pub(super) fn of_function() -> Parameter {
    query("function", "Only those of this function", values::text(values::FUNCTION_NAME)).refused(&["bad_name"])
}

/// Only deliveries that stand there.
pub(super) fn delivery_state() -> Parameter {
    query("state", "Only those that are still to be tried, or were given up", values::one_of(["pending", "dead"]))
}

/// Only deliveries to somewhere.
pub(super) fn target() -> Parameter {
    query("target", "Only those to this destination, as it is written", values::any_text())
}

/// How long the keys before go on signing.
pub(super) fn overlap() -> Parameter {
    query("overlap", "For how long the keys before go on signing; a day unless said", values::text(values::DURATION))
}

/// Only those with a status.
pub(super) fn status() -> Parameter {
    query("status", "Only those with this status", values::status())
}

/// A yes or no that is no unless said.
pub(super) fn flag(name: &str, description: &str) -> Parameter {
    query(name, description, values::boolean().default(Some(json!(false))))
}

/// Only those since a time.
pub(super) fn since() -> Parameter {
    query("since", "Only those accepted at this time or later", values::text(values::INSTANT))
}

/// How long to wait for the outcome.
pub(super) fn wait() -> Parameter {
    let description = "How long to wait for the outcome before answering with what is known; at most ten minutes";
    query("wait", description, values::text(values::DURATION))
}

/// Whether the caller waits.
pub(super) fn mode() -> Parameter {
    let description = "`async` leaves the invocation to the queue and answers 202, as `Prefer: respond-async` does";
    query("mode", description, values::one_of(["sync", "async"]))
}

fn header(name: &str, description: &str, schema: ObjectBuilder) -> Parameter {
    Parameter::new(ParameterIn::Header, name, description, schema).refused(&["bad_header"])
}

/// What is told to every function that is called.
pub(super) fn of_calls() -> [Parameter; 2] {
    [
        header("traceparent", "The trace that the invocation belongs to (W3C Trace Context)", values::any_text()),
        header(
            "Tidemill-Chain",
            "The invocations that led to this one, separated by commas: what a function that calls another passes on",
            values::any_text(),
        )
        .refused(&["bad_header", "bad_name"]),
    ]
}

/// What is asked of an invocation that waits in the queue, its key apart.
pub(super) fn of_queueing() -> [Parameter; 5] {
    [
        header("Prefer", "`respond-async` leaves the invocation to the queue", values::any_text()),
        header(
            "Tidemill-Delay",
            "How long to wait before the first attempt. Asynchronous only",
            values::text(values::DURATION),
        )
        .refused(&["bad_header", "bad_range", "asynchronous_only"]),
        header("Tidemill-Run-At", "When the first attempt may start. Asynchronous only", values::text(values::INSTANT))
            .refused(&["bad_header", "bad_range", "asynchronous_only"]),
        header(
            "Tidemill-Priority",
            "How urgent it is among the invocations of its function. Asynchronous only",
            values::priority(),
        )
        .refused(&["bad_header", "asynchronous_only"]),
        header(
            "Tidemill-Callback-Url",
            "Where the outcome is told besides its destination: `https://HOST/PATH`, which the operator has allowed. \
             Asynchronous only",
            values::text("^https?://[!-~]{1,2040}$"),
        )
        .refused(&["bad_header", "asynchronous_only"]),
    ]
}

/// The key of an invocation that waits in the queue, and of no other.
pub(super) fn idempotency_key() -> Parameter {
    header(
        "Idempotency-Key",
        "The caller's name for the request, of visible characters: sent again within a day, it gets the same id. \
         Asynchronous only",
        values::text("^[!-~]{1,255}$"),
    )
    .refused(&["bad_header", "bad_idempotency_key", "idempotency_key_not_supported"])
}

/// The same where a request that does not wait is the function's own.
pub(super) fn own_or_idempotency_key() -> Parameter {
    header(
        "Idempotency-Key",
        "With `Prefer: respond-async` the caller's name for the request, of visible characters: sent again within a day, \
         it gets the same id. Without, it is the function's business",
        values::any_text(),
    )
    .refused(&["bad_header", "bad_idempotency_key"])
}
