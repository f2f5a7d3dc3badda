//! `F/invocations`, `F/invocations-async`, `F/cancel`: a function is run while its caller waits, or left to the queue.
//!
//! The service has published which headers a synchronous answer has, and not with which status a function's failure comes.
//! Here the older form, `v0`, is the bare result, or an error with a status of its own; of the newer one, `v1`, the status is
//! a field, so it is 200 as soon as the function has run. What failed, and whose fault that was, both say in headers.

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::Answer;
use super::error::{Code, FssError};
use super::json::{answer, missing, ok};
use super::kept;
use super::request::Call;
use crate::engine::call::{Input, Reply};
use crate::http::native::headers;
use crate::model::names::InvocationId;
use crate::model::outcome::{Failure, FailureKind};
use crate::model::usage::Usage;
use crate::runtime::{Answered, Ask, Error};

/// Bytes of the log in the header of an answer: its end.
const HEADER_LOG_BYTES: usize = 2_000;
/// Bytes of the log in an answer of the newer form: its end.
const BODY_LOG_BYTES: usize = 4 * 1_024;
/// Sizes of memory that a caller may ask for, in megabytes.
const MEMORY_SIZES: [u64; 15] = [128, 256, 512, 768, 1024, 1280, 1536, 1792, 2048, 2560, 3072, 3584, 4096, 8192, 10240];
/// Bytes of a megabyte as the service counts them.
const MEGABYTE: u64 = 1_024 * 1_024;
/// What a caller may say of a cancellation.
const CANCEL_TYPES: [&str; 2] = ["force", "recursive"];

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    /// The bare result.
    V0,
    /// An object with the result as a string.
    V1,
}

impl Version {
    fn asked(call: &Call) -> Result<Self, FssError> {
        match call.header("x-cff-request-version").map(str::trim) {
            None | Some("" | "v0") => Ok(Self::V0),
            Some("v1") => Ok(Self::V1),
            Some(other) => {
                let other: String = other.chars().take(60).collect();
                Err(FssError::parameter(format!("`X-CFF-Request-Version` is `{other}`: send `v0` or `v1`")))
            }
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::V0 => "v0",
            Self::V1 => "v1",
        }
    }
}

/// What was asked of an answer.
#[derive(Clone, Copy, Debug)]
struct Form {
    version: Version,
    /// Whether the end of the log is to be told.
    tail: bool,
    /// What the version may use.
    memory_bytes: u64,
}

/// What a run gave, whether or not it was what was wanted.
struct Ended {
    id: InvocationId,
    usage: Usage,
    log: Bytes,
    end: Result<Reply, Failed>,
}

/// A run that failed.
struct Failed {
    code: Code,
    /// Whether the function is at fault, and not what runs it.
    is_functions: bool,
    message: String,
    /// What an http function answered.
    answer: Option<Reply>,
}

pub(super) async fn invoke(call: &Call) -> Answer {
    let urn = call.urn()?;
    let version = Version::asked(call)?;
    let tail = tail_asked(call)?;
    let ask = ask(call)?;
    let described = call.runtime.describe(&urn.path, &ask.qualifier)?;
    let form = Form { version, tail, memory_bytes: described.version.limits.memory_bytes };
    check_memory(call, form.memory_bytes)?;
    let ended = match call.runtime.invoke(ask).await {
        Ok(Answered { id, reply, usage, log }) => Ended { id, usage, log, end: Ok(reply) },
        Err(Error::Function { id, failure, answer, usage, log }) => {
            let failed = Failed::of(&failure, answer.map(|reply| *reply));
            Ended { id, usage: *usage, log, end: Err(failed) }
        }
        Err(error) => return Err(error.into()),
    };
    Ok(form.answer(ended))
}

pub(super) async fn invoke_async(call: &Call) -> Answer {
    let ask = ask(call)?;
    let described = call.runtime.describe(&call.urn()?.path, &ask.qualifier)?;
    check_memory(call, described.version.limits.memory_bytes)?;
    let accepted = call.runtime.accept(ask).await?;
    Ok(answer(StatusCode::ACCEPTED, &json!({ "request_id": accepted.id.to_string() })))
}

/// Stops an invocation, whether it waits or runs. What it waits for in other functions ends with it, so `recursive` asks
/// for nothing more; what it has left to the queue goes on by itself.
pub(super) async fn cancel(call: &Call) -> Answer {
    let fields = call.fields()?;
    let text = fields.text("request_id")?.ok_or_else(|| missing(Code::INVALID_PARAMETER, "request_id"))?;
    if let Some(kind) = fields.text("type")?.filter(|kind| !CANCEL_TYPES.contains(kind)) {
        let kind: String = kind.chars().take(60).collect();
        return Err(FssError::parameter(format!("`type` is `{kind}`: send `force` or `recursive`")));
    }
    let id = request_id(text)?;
    let function = call.runtime.function(&call.urn()?.path)?;
    if call.runtime.invocation(id).await?.target.function != function.id {
        return Err(Error::InvocationUnknown(id).into());
    }
    match call.runtime.cancel(id).await {
        Ok(_) => Ok(ok(&Value::Null)),
        // Nothing was changed, and nothing can be: of this the service says what it says of a request that it does not know.
        Err(error @ Error::AlreadySettled { .. }) => Err(FssError::parameter(error.to_string())),
        Err(error) => Err(error.into()),
    }
}

/// The id of an invocation, as this dialect calls it.
pub(super) fn request_id(text: &str) -> Result<InvocationId, FssError> {
    text.trim().parse().map_err(|error| FssError::parameter(format!("the request ID {error}")))
}

/// What is to be run, with what.
fn ask(call: &Call) -> Result<Ask, FssError> {
    let urn = call.urn()?;
    let qualifier = kept::qualifier(&call.runtime, urn)?;
    if !call.body.is_empty() {
        serde_json::from_slice::<IgnoredAny>(&call.body)
            .map_err(|error| FssError::new(Code::NOT_JSON, format!("the event cannot be read as JSON: {error}")))?;
    }
    Ok(Ask {
        content_type: "application/json".to_owned(),
        traceparent: call.header("traceparent").map(str::to_owned),
        chain: headers::chain(&call.headers)?,
        ..Ask::now(urn.path.clone(), qualifier, Input::Payload(call.body.clone()))
    })
}

fn tail_asked(call: &Call) -> Result<bool, FssError> {
    match call.header("x-cff-log-type").map(str::trim) {
        None | Some("") => Ok(false),
        Some(text) if text.eq_ignore_ascii_case("tail") => Ok(true),
        Some(other) => {
            let other: String = other.chars().take(60).collect();
            Err(FssError::parameter(format!("`X-Cff-Log-Type` is `{other}`: send `tail`, or nothing")))
        }
    }
}

/// What a caller says of memory must be met by what the version has: it cannot have more for one invocation.
fn check_memory(call: &Call, has: u64) -> Result<(), FssError> {
    let Some(text) = call.header("x-cff-instance-memory").map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok(());
    };
    let shown: String = text.chars().take(60).collect();
    let Some(asked) = text.parse().ok().filter(|asked| MEMORY_SIZES.contains(asked)) else {
        let message = format!("`X-Cff-Instance-Memory` is `{shown}`: send 128, 256, 512, ... 10240 (MB)");
        return Err(FssError::new(Code::MEMORY, message));
    };
    let has = has / MEGABYTE;
    if asked <= has {
        return Ok(());
    }
    let message = format!(
        "`X-Cff-Instance-Memory` is {asked}, and the function has {has} MB: an invocation cannot have more than its \
         function here, so change the function's `memory_size`"
    );
    Err(FssError::new(Code::MEMORY, message))
}

impl Failed {
    fn of(failure: &Failure, answer: Option<Reply>) -> Self {
        let (code, is_functions) = match failure.kind {
            FailureKind::AccessDenied => (Code::FORBIDDEN, false),
            FailureKind::Interrupted | FailureKind::Load => (Code::UNAVAILABLE, false),
            FailureKind::Throttled => (Code::TOO_MANY_REQUESTS, true),
            FailureKind::Timeout => (Code::TIMEOUT, true),
            FailureKind::ExitCode(_)
            | FailureKind::HttpStatus(_)
            | FailureKind::OutOfFuel
            | FailureKind::OutOfMemory
            | FailureKind::Permanent
            | FailureKind::ResponseTooLarge
            | FailureKind::Retryable
            | FailureKind::StackOverflow
            | FailureKind::TableTooLarge
            | FailureKind::TooManyHandles
            | FailureKind::TooManyInstances
            | FailureKind::Trap => (Code::INTERNAL, true),
        };
        let message = format!("{}: {}", failure.kind.as_str(), failure.message);
        Self { code, is_functions, message, answer }
    }

    /// The status that the run has: an http function's own where it has answered.
    fn status(&self) -> StatusCode {
        self.answer.as_ref().and_then(|reply| reply.head.as_ref()).map_or(self.code.status(), |(status, _)| *status)
    }
}

/// The code of a failed run, as the history has it too.
pub(super) fn code_of(failure: &Failure) -> Code {
    Failed::of(failure, None).code
}

impl Form {
    fn answer(self, ended: Ended) -> Response {
        let log = if self.tail { ended.log.clone() } else { Bytes::new() };
        let (code, is_functions) = match &ended.end {
            Ok(_) => ("0", false),
            Err(failed) => (failed.code.as_str(), failed.is_functions),
        };
        let summary = summary(&ended.usage, self.memory_bytes);
        let id = ended.id.to_string();
        let mut response = match (self.version, ended.end) {
            (Version::V0, Ok(reply)) => plain(StatusCode::OK, reply),
            (Version::V0, Err(failed)) => {
                let status = failed.status();
                match failed.answer {
                    Some(reply) => plain(status, reply),
                    None => FssError::new(failed.code, failed.message).into_response(),
                }
            }
            (Version::V1, end) => {
                let (status, result) = match end {
                    Ok(reply) => (StatusCode::OK, text_of(&reply.body)),
                    Err(failed) => {
                        let status = failed.status();
                        (status, failed.answer.map_or(failed.message, |reply| text_of(&reply.body)))
                    }
                };
                let log = String::from_utf8_lossy(end_of(&log, BODY_LOG_BYTES)).into_owned();
                ok(&json!({ "request_id": id, "result": result, "log": log, "status": status.as_u16() }))
            }
        };
        let log = self.tail.then(|| STANDARD.encode(end_of(&log, HEADER_LOG_BYTES)));
        let told = [
            ("x-cff-request-id", Some(id)),
            ("x-cff-response-version", Some(self.version.as_str().to_owned())),
            ("x-cff-invoke-summary", Some(summary.to_string())),
            ("x-cff-billing-duration", Some(billed_ms(&ended.usage).to_string())),
            ("x-cff-function-log", log),
            ("x-func-err-code", Some(code.to_owned())),
            ("x-is-func-err", Some(is_functions.to_string())),
        ];
        for (name, value) in told {
            if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
                response.headers_mut().insert(HeaderName::from_static(name), value);
            }
        }
        response
    }
}

/// Durations are in milliseconds, sizes in megabytes.
fn summary(usage: &Usage, memory_bytes: u64) -> Value {
    let [ran, used] = [(usage.ran_us, 1_000), (usage.memory_bytes, MEGABYTE)].map(|(of, unit)| thousandths(of, unit));
    json!({
        "duration": ran,
        "billingDuration": billed_ms(usage),
        "memorySize": memory_bytes / MEGABYTE,
        "memoryUsed": used,
    })
}

/// `of` in units, to three places.
#[expect(clippy::cast_precision_loss, reason = "a duration or a size of a run: far below 2^52")]
fn thousandths(of: u64, unit: u64) -> f64 {
    (of.saturating_mul(1_000) / unit) as f64 / 1_000.0
}

fn billed_ms(usage: &Usage) -> u64 {
    usage.ran_us.div_ceil(1_000)
}

/// A result as it is.
fn plain(status: StatusCode, reply: Reply) -> Response {
    let media_type = if reply.content_type.is_empty() { guessed(&reply.body).to_owned() } else { reply.content_type };
    let mut response = (status, reply.body).into_response();
    if let Ok(value) = HeaderValue::try_from(media_type) {
        response.headers_mut().insert(CONTENT_TYPE, value);
    }
    response
}

/// What a result is whose function did not say.
fn guessed(body: &[u8]) -> &'static str {
    if serde_json::from_slice::<IgnoredAny>(body).is_ok() {
        "application/json"
    } else if std::str::from_utf8(body).is_ok() {
        "text/plain; charset=utf-8"
    } else {
        "application/octet-stream"
    }
}

/// A result as a string, which is all that the newer form has: what is no text is base64.
fn text_of(body: &[u8]) -> String {
    std::str::from_utf8(body).map_or_else(|_| STANDARD.encode(body), str::to_owned)
}

fn end_of(log: &[u8], bytes: usize) -> &[u8] {
    &log[log.len().saturating_sub(bytes)..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_tells_milliseconds_and_megabytes() {
        let usage = Usage { ran_us: 1_501, memory_bytes: 3 * MEGABYTE / 2, ..Usage::default() };
        let expected = json!({ "duration": 1.501, "billingDuration": 2, "memorySize": 128, "memoryUsed": 1.5 });
        assert_eq!(summary(&usage, 128 * MEGABYTE), expected);
    }

    #[test]
    fn the_end_of_a_log_is_told() {
        assert_eq!(end_of(b"abc", 2), b"bc");
        assert_eq!(end_of(b"abc", 4), b"abc");
    }

    #[test]
    fn a_result_is_a_string_whatever_it_is() {
        assert_eq!(text_of("grün".as_bytes()), "grün");
        assert_eq!(text_of(&[0xff, 0x00]), "/wA=");
        assert_eq!([&b"{}"[..], b"hi", b"\xff"].map(guessed)[..2], ["application/json", "text/plain; charset=utf-8"]);
    }
}
