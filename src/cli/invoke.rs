//! `invoke`: a payload goes in; the result comes out as it is, or the id of what will have one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, Response};

use super::api::{Accepted, Answer, Invocation, Problem};
use super::client::{self, Client};
use super::content;
use super::error::Error;
use super::input;
use super::output::{self, Output};
use super::request::Request;
use super::units;
use super::wait::{self, Patience};
use crate::model::bounds;
use crate::model::names::{FunctionName, InvocationId, Qualifier};
use crate::model::place::Priority;
use crate::model::status::Status;
use crate::model::time::{Timestamp, whole_ms};

const INVOCATION_ID: &str = "tidemill-invocation-id";
const FAULT: &str = "tidemill-fault";
const DELAY: &str = "tidemill-delay";
const RUN_AT: &str = "tidemill-run-at";
const PRIORITY: &str = "tidemill-priority";
const IDEMPOTENCY_KEY: &str = "idempotency-key";
const CALLBACK: &str = "tidemill-callback-url";
const PREFER: &str = "prefer";

#[derive(Debug, Args)]
pub(super) struct Invoke {
    /// The function
    name: FunctionName,
    /// Which version: a number, an alias or `latest`
    #[arg(long)]
    qualifier: Option<Qualifier>,
    /// The payload [default: what is piped in]
    #[arg(long, value_name = "TEXT", conflicts_with = "file", allow_hyphen_values = true)]
    data: Option<String>,
    /// A file that holds the payload; `-` is standard input
    #[arg(long)]
    file: Option<PathBuf>,
    /// What the payload is [default: JSON, text or bytes, by the look of it]
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// Do not wait for the result: print the invocation's id once it is safely queued
    #[arg(long = "async")]
    asynchronous: bool,
    /// Wait for the result all the same, for ever or that long; where there is none by then, the exit code is 4
    #[arg(long, value_name = "DURATION", num_args = 0..=1, requires = "asynchronous", value_parser = units::duration)]
    #[expect(clippy::option_option, reason = "this is how clap tells a flag without a value from no flag")]
    wait: Option<Option<Duration>>,
    /// Run it that much later
    #[arg(long, value_name = "DURATION", requires = "asynchronous", value_parser = units::duration)]
    delay: Option<Duration>,
    /// Run it then, such as `2026-11-21T09:00:00Z`
    #[arg(long, value_name = "TIME", requires = "asynchronous", conflicts_with = "delay", value_parser = Timestamp::parse)]
    at: Option<Timestamp>,
    /// How urgent it is among those of its function [default: normal]
    #[arg(long, requires = "asynchronous", value_parser = priority_parser())]
    priority: Option<Priority>,
    /// A name for this request: sent again with the same name, it is not run again
    #[arg(long, value_name = "KEY", requires = "asynchronous")]
    idempotency_key: Option<String>,
    /// Where to tell of the outcome, whatever it is, by a signed POST
    #[arg(long, value_name = "URL", requires = "asynchronous")]
    callback_url: Option<String>,
}

/// Knows every priority, for the help and for completions.
fn priority_parser() -> impl clap::builder::TypedValueParser<Value = Priority> {
    PossibleValuesParser::new(Priority::ALL.map(Priority::as_str)).try_map(|text| text.parse::<Priority>())
}

impl Invoke {
    pub(super) async fn run(self, client: &Client, output: Output) -> Result<(), Error> {
        let request = self.request(client, self.payload().await?);
        if !self.asynchronous {
            return show_result(client, client.exchange(request.taking_its_time()).await?).await;
        }
        let accepted: Answer<Accepted> = client.json(request.header(PREFER, "respond-async")).await?;
        match self.wait {
            None => output.answer(&accepted, |accepted| accepted.id.to_string()),
            Some(patience) => {
                let patience = patience.map_or(Patience::Endless, Patience::AtMost);
                show_settled(client, output, accepted.value.id, patience).await
            }
        }
    }

    fn request(&self, client: &Client, payload: Vec<u8>) -> Request {
        let content_type = self.content_type.as_deref().or_else(|| content::content_type(&payload));
        let request = client
            .in_namespace(Method::POST, &["functions", self.name.as_str(), "invocations"])
            .query(&[("qualifier", self.qualifier.as_ref().map(ToString::to_string))]);
        let request = content_type.into_iter().fold(request, |request, kind| request.header(CONTENT_TYPE, kind));
        let headers = [
            (DELAY, self.delay.map(|delay| units::show_duration(whole_ms(delay)))),
            (RUN_AT, self.at.map(|at| at.to_string())),
            (PRIORITY, self.priority.map(|priority| priority.to_string())),
            (IDEMPOTENCY_KEY, self.idempotency_key.clone()),
            (CALLBACK, self.callback_url.clone()),
        ];
        let given = headers.into_iter().filter_map(|(name, value)| Some((name, value?)));
        given.fold(request, |request, (name, value)| request.header(name, value)).body(payload)
    }

    async fn payload(&self) -> Result<Vec<u8>, Error> {
        let piped = || input::read(tokio::io::stdin(), Path::new("-"), bounds::MAX_SYNC_PAYLOAD_BYTES);
        let payload = match (&self.data, &self.file) {
            (Some(text), _) => text.clone().into_bytes(),
            (None, Some(path)) if path == Path::new("-") => piped().await?,
            (None, Some(path)) => input::file(path, bounds::MAX_SYNC_PAYLOAD_BYTES).await?,
            (None, None) if output::is_stdin_piped() => piped().await?,
            (None, None) => Vec::new(),
        };
        fits(payload)
    }
}

/// The payload, unless no server takes it.
fn fits(payload: Vec<u8>) -> Result<Vec<u8>, Error> {
    let most = bounds::MAX_SYNC_PAYLOAD_BYTES;
    if payload.len() > most {
        let most = units::show_size(most as u64);
        return Err(Error::Usage(format!("the payload is too large: at most {most} can be sent")));
    }
    Ok(payload)
}

/// Shows the answer to a synchronous invocation: the result, or why there is none.
async fn show_result(client: &Client, response: Response) -> Result<(), Error> {
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (invocation, status) = (header(INVOCATION_ID), response.status());
    let by_function = header(FAULT).as_deref() == Some("function");
    if !by_function && !status.is_client_error() && !status.is_server_error() {
        return copy(client, response).await;
    }
    if !by_function {
        return Err(match client.refused(response).await {
            Error::Refused(problem) if problem.is_functions_fault() => failed(*problem, invocation),
            error => error,
        });
    }
    let headers = response.headers().clone();
    let body = response.bytes().await.map_err(|error| client.lost(&error))?;
    if let Some(problem) = client::problem(&headers, &body).filter(Problem::is_functions_fault) {
        return Err(failed(problem, invocation));
    }
    output::bytes(&body)?;
    output::end_line(body.last().copied())?;
    Err(Error::FunctionFailed { message: format!("it answered {status}"), invocation })
}

fn failed(problem: Problem, invocation: Option<String>) -> Error {
    let message = match &problem.kind {
        Some(kind) if !problem.message().contains(kind.as_str()) => format!("{kind}: {}", problem.message()),
        _ => problem.message().to_owned(),
    };
    Error::FunctionFailed { message, invocation: problem.invocation_id.or(invocation) }
}

/// Copies a body to standard output as it arrives.
pub(super) async fn copy(client: &Client, mut response: Response) -> Result<(), Error> {
    let mut last = None;
    while let Some(piece) = response.chunk().await.map_err(|error| client.lost(&error))? {
        output::bytes(&piece)?;
        last = piece.last().copied().or(last);
    }
    output::end_line(last)
}

/// Waits for an asynchronous invocation and shows what has become of it.
async fn show_settled(client: &Client, output: Output, id: InvocationId, patience: Patience) -> Result<(), Error> {
    output::note(&format!("waiting for {id}"));
    let out_of_sight = |cause| Error::OutOfSight { id: id.to_string(), cause: Box::new(cause) };
    let answer = wait::settled(client, id, patience).await.map_err(out_of_sight)?;
    let invocation = &answer.value;
    if output.json {
        output::line(&answer.raw)?;
    } else if invocation.status == Status::Succeeded {
        let request = client.request(Method::GET, &["invocations", &id.to_string(), "result"]);
        copy(client, client.send(request).await?).await?;
    }
    verdict(invocation)
}

/// Whether an invocation is settled and succeeded.
fn verdict(invocation: &Invocation) -> Result<(), Error> {
    wait::check_settled(invocation)?;
    if invocation.status == Status::Succeeded {
        Ok(())
    } else {
        Err(Error::FunctionFailed { message: invocation.reason(), invocation: Some(invocation.id.clone()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[tokio::test]
    async fn a_payload_that_no_server_takes_is_not_read_to_its_end() {
        let most = bounds::MAX_SYNC_PAYLOAD_BYTES;
        let error = fits(input::read(tokio::io::repeat(b'x'), Path::new("-"), most).await.unwrap()).unwrap_err();
        assert!(matches!(error, Error::Usage(text) if text.contains("6 MiB")));
    }

    #[test]
    fn a_problem_of_the_function_is_told_with_its_kind() {
        let problem = |detail: &str| serde_json::from_value(json!({"detail": detail, "kind": "trap"})).unwrap();
        let message = |detail| failed(problem(detail), None).to_string();
        assert_eq!(message("unreachable"), "the function failed: trap: unreachable");
        assert_eq!(message("a trap: unreachable"), "the function failed: a trap: unreachable");
    }

    #[tokio::test]
    async fn an_accepted_invocation_that_cannot_be_asked_about_is_told_by_its_id() {
        let nobody = Client::new("http://127.0.0.1:1".parse().unwrap(), None).unwrap();
        let id = InvocationId::from_bytes([7; 16]);
        let error = show_settled(&nobody, Output { json: false }, id, Patience::Endless).await.unwrap_err();
        let report = error.report().unwrap();
        assert!(report.contains(&format!("invocation {id} was accepted")), "{report}");
        assert!(report.contains(&format!("`tidemill invocations show {id} --wait`")), "{report}");
        assert_eq!(error.exit_code(), crate::cli::exit::UNREACHABLE);
    }

    fn invocation(status: &str, condition: &str, attempts: &serde_json::Value) -> Invocation {
        serde_json::from_value(json!({
            "id": "7", "function": "a", "namespace": "default", "version": 1, "mode": "async", "status": status,
            "condition": condition, "accepted_at": "", "due_at": null, "expires_at": "", "settled_at": null,
            "attempts": attempts, "delivery": "none", "dead_letter": false, "chain": [], "hop": 0, "retry_of": null,
            "next": null, "payload": {"bytes": 0, "content_type": null}, "result": null,
        }))
        .unwrap()
    }

    #[test]
    fn a_settled_invocation_is_a_success_a_failure_with_its_reason_or_not_settled_yet() {
        assert!(verdict(&invocation("succeeded", "", &json!([]))).is_ok());
        let attempts = json!([{
            "number": 1, "started_at": "", "ended_at": null, "duration_ms": 1, "retry_at": null,
            "error": {"kind": "exit_code", "message": "exit code 1"},
        }]);
        let failed = verdict(&invocation("failed", "RetriesExhausted", &attempts)).unwrap_err();
        assert_eq!(failed.to_string(), "the function failed: RetriesExhausted (1 attempt): exit_code: exit code 1");
        let running = verdict(&invocation("running", "", &json!([]))).unwrap_err();
        assert_eq!(running.to_string(), "invocation 7 is still running");
    }
}
