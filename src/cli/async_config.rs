//! `async-config`: how a function's asynchronous invocations are treated. Its flags are those of `deploy` too.

use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde::Serialize;

use super::api::{AsyncConfig, Target};
use super::client::Client;
use super::error::Error;
use super::output::{self, Output};
use super::request::Request;
use super::units;
use crate::model::destination::{DestinationText, InvalidDestination, Terms};
use crate::model::names::{AccountName, ConnectionName, FunctionName, Qualifier};
use crate::model::time::whole_ms;

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum Command {
    /// Show it; `set` tells whether it was set or is the default
    Get(Of),
    /// Replace it as a whole: what is not given is the default again
    Set {
        #[command(flatten)]
        of: Of,
        #[command(flatten)]
        flags: Box<Flags>,
    },
    /// Go back to the default: one retry, an hour, no destinations
    Delete(Of),
}

// Whose configuration.
#[derive(Debug, Args)]
pub(super) struct Of {
    /// The function
    name: FunctionName,
    /// One version's own configuration, which wins over the function's: a number or an alias
    #[arg(long)]
    qualifier: Option<Qualifier>,
}

// The configuration as flags.
#[derive(Debug, Args)]
#[command(next_help_heading = "Asynchronous invocations")]
pub(super) struct Flags {
    /// Attempts after the first [default: 1]
    #[arg(long, value_name = "N")]
    max_retries: Option<u32>,
    /// Age after which no attempt starts [default: 1h]
    #[arg(long, value_name = "DURATION", value_parser = units::duration)]
    max_age: Option<Duration>,
    /// Pause before the second attempt; doubles from there [default: 1s]
    #[arg(long, value_name = "DURATION", value_parser = units::duration)]
    retry_delay: Option<Duration>,
    /// Where the doubling stops [default: 5m]
    #[arg(long, value_name = "DURATION", value_parser = units::duration)]
    retry_delay_max: Option<Duration>,
    /// Where the record of a success goes: `function:NAME`, `queue:NAME`, `stream:NAME`, `topic:NAME`,
    /// `object:BUCKET/PREFIX` or `https://...`
    #[arg(long, value_name = "DESTINATION")]
    on_success: Option<Destination>,
    /// How it is brought there, such as `format=payload,connection=NAME,expires-days=7,service-account=NAME`. Formats
    /// are `record`, `payload`, `cloudevent` and `cloudevent-binary`, which is for webhooks and elsewhere as `cloudevent`
    #[arg(long, value_name = "KEY=VALUE,..", requires = "on_success")]
    on_success_terms: Option<Terms>,
    /// Where the record of any other outcome goes, in the same way
    #[arg(long, value_name = "DESTINATION")]
    on_failure: Option<Destination>,
    /// How it is brought there
    #[arg(long, value_name = "KEY=VALUE,..", requires = "on_failure")]
    on_failure_terms: Option<Terms>,
    /// The service account that must be allowed to invoke the function
    #[arg(long, value_name = "NAME")]
    service_account: Option<AccountName>,
}

/// A destination that has been found to be one, as it was written.
#[derive(Clone, Debug, Serialize)]
struct Destination(String);

impl FromStr for Destination {
    type Err = InvalidDestination;

    fn from_str(text: &str) -> Result<Self, InvalidDestination> {
        text.parse::<DestinationText>().map(|_| Self(text.to_owned()))
    }
}

/// The configuration as the API reads it; what is absent is the default.
#[derive(Debug, Default, Serialize)]
pub(super) struct Body {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_retries: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_event_age_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_delay_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_delay_max_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_success: Option<DestinationBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_failure: Option<DestinationBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_account: Option<AccountName>,
}

/// A destination as the API reads it.
#[derive(Debug, Serialize)]
struct DestinationBody {
    to: Destination,
    format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_account: Option<AccountName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<ConnectionName>,
    expires_days: u16,
}

impl DestinationBody {
    fn of(to: Option<&Destination>, terms: Option<&Terms>) -> Option<Self> {
        let Terms { format, service_account, connection, expires_days } = terms.cloned().unwrap_or_default();
        Some(Self { to: to?.clone(), format: format.as_str(), service_account, connection, expires_days })
    }
}

impl Flags {
    /// The configuration that the flags ask for; `None` when none was given.
    pub(super) fn given(&self) -> Result<Option<Body>, Error> {
        let any = self.max_retries.is_some()
            || self.max_age.is_some()
            || self.retry_delay.is_some()
            || self.retry_delay_max.is_some()
            || self.on_success.is_some()
            || self.on_failure.is_some()
            || self.service_account.is_some();
        if any { self.body().map(Some) } else { Ok(None) }
    }

    fn body(&self) -> Result<Body, Error> {
        Ok(Body {
            max_retries: self.max_retries,
            max_event_age_s: self.max_age.map(whole_seconds).transpose()?,
            retry_delay_ms: self.retry_delay.map(whole_ms),
            retry_delay_max_ms: self.retry_delay_max.map(whole_ms),
            on_success: DestinationBody::of(self.on_success.as_ref(), self.on_success_terms.as_ref()),
            on_failure: DestinationBody::of(self.on_failure.as_ref(), self.on_failure_terms.as_ref()),
            service_account: self.service_account.clone(),
        })
    }
}

fn whole_seconds(age: Duration) -> Result<u64, Error> {
    if age.subsec_nanos() == 0 {
        Ok(age.as_secs())
    } else {
        Err(Error::Usage("--max-age counts in whole seconds".to_owned()))
    }
}

impl Command {
    pub(super) async fn run(self, client: &Client, output: Output) -> Result<(), Error> {
        match self {
            Self::Get(of) => {
                let config = client.json(of.request(client, Method::GET)).await?;
                output.answer(&config, text)
            }
            Self::Set { of, flags } => {
                let request = of.request(client, Method::PUT).json(&flags.body()?);
                output.answer(&client.json(request).await?, text)
            }
            Self::Delete(of) => {
                client.send(of.request(client, Method::DELETE)).await?;
                output::note(&format!("{} has the default configuration again", of.name));
                Ok(())
            }
        }
    }
}

impl Of {
    fn request(&self, client: &Client, method: Method) -> Request {
        let request = client.in_namespace(method, &["functions", self.name.as_str(), "async-config"]);
        request.query(&[("qualifier", self.qualifier.as_ref().map(ToString::to_string))])
    }
}

fn text(config: &AsyncConfig) -> String {
    output::pairs(rows(config))
}

/// The configuration as names and values.
pub(super) fn rows(config: &AsyncConfig) -> [(&'static str, String); 8] {
    let to = |target: &Option<Target>| output::or_dash(target.as_ref().map(Target::text));
    [
        ("set", if config.set { "yes" } else { "no, this is the default" }.to_owned()),
        ("max retries", config.max_retries.to_string()),
        ("max age", units::show_duration(config.max_event_age_s.saturating_mul(1_000))),
        ("retry delay", units::show_duration(config.retry_delay_ms)),
        ("retry delay max", units::show_duration(config.retry_delay_max_ms)),
        ("on success", to(&config.on_success)),
        ("on failure", to(&config.on_failure)),
        ("service account", output::or_dash(config.service_account.clone())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Typed {
        #[command(flatten)]
        flags: Flags,
    }

    #[track_caller]
    fn check(typed: &[&str], expected: Option<&serde_json::Value>) {
        let typed = Typed::try_parse_from(std::iter::once(&"test").chain(typed)).unwrap();
        let body = typed.flags.given().unwrap().map(|body| serde_json::to_value(body).unwrap());
        assert_eq!(body.as_ref(), expected);
    }

    #[test]
    fn only_what_was_given_is_sent_and_nothing_when_nothing_was() {
        check(&[], None);
        check(&["--max-retries", "0"], Some(&serde_json::json!({"max_retries": 0})));
        let all = [
            ["--max-age", "1h"],
            ["--retry-delay", "500ms"],
            ["--retry-delay-max", "1m"],
            ["--on-success", "function:b@prod"],
            ["--on-success-terms", "format=payload"],
            ["--on-failure", "function:shop/alarm"],
        ];
        let expected = serde_json::json!({
            "max_event_age_s": 3600, "retry_delay_ms": 500, "retry_delay_max_ms": 60000,
            "on_success": {"to": "function:b@prod", "format": "payload", "expires_days": 0},
            "on_failure": {"to": "function:shop/alarm", "format": "record", "expires_days": 0},
        });
        check(all.as_flattened(), Some(&expected));
    }

    #[test]
    fn what_is_no_destination_or_no_whole_second_is_not_sent() {
        assert!(Typed::try_parse_from(["test", "--on-success", "b"]).is_err());
        let typed = Typed::try_parse_from(["test", "--max-age", "1500ms"]).unwrap();
        assert!(matches!(typed.flags.given(), Err(Error::Usage(_))));
    }
}
