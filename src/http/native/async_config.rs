//! `/v1/functions/{name}/async-config`: how asynchronous invocations of a function are treated.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::named::Qualified;
use super::openapi::values;
use super::query::{self, bad};
use crate::access::Caller;
use crate::http::body;
use crate::http::problem::Problem;
use crate::model::bounds;
use crate::model::destination::{Destination, DestinationText, Destinations, Format, Terms};
use crate::model::function::{AsyncConfig, Function};
use crate::model::names::{Qualifier, VersionNumber};
use crate::model::retry::RetryPolicy;
use crate::model::time::whole_ms;
use crate::registry::{ConfigText, RegistryError, Subject};
use crate::runtime::{Error, Runtime};

/// Settings documents are small.
pub(super) const MAX_JSON_BYTES: usize = 64 * 1_024;

/// A configuration as clients write it; what is absent has its default.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AsyncConfigSettings)]
pub(super) struct ConfigIn {
    #[schema(schema_with = values::max_retries)]
    max_retries: Option<u32>,
    #[schema(schema_with = values::max_event_age_s)]
    max_event_age_s: Option<u64>,
    #[schema(schema_with = values::retry_delay_ms)]
    retry_delay_ms: Option<u64>,
    #[schema(schema_with = values::retry_delay_max_ms)]
    retry_delay_max_ms: Option<u64>,
    on_success: Option<DestinationIn>,
    on_failure: Option<DestinationIn>,
    service_account: Option<String>,
    /// Whether there is one, as answers say; accepted so that an answer can be sent back.
    #[serde(rename = "set")]
    _set: Option<bool>,
}

/// `"function:b"`, or `{"to": "function:b"}`.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = DestinationSettings)]
#[serde(
    untagged,
    expecting = "a destination is a string such as \"function:b\", or an object with `to` and, if need be, `format`, \
                 `service_account`, `connection` and `expires_days`"
)]
enum DestinationIn {
    Text(String),
    Object(DestinationObject),
}

/// The object form of a destination.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Destination)]
struct DestinationObject {
    to: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = values::format_or_null)]
    format: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_days: Option<u16>,
}

/// A configuration as it is answered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AsyncConfig)]
pub(super) struct ConfigOut {
    set: bool,
    max_retries: u32,
    max_event_age_s: u64,
    retry_delay_ms: u64,
    retry_delay_max_ms: u64,
    on_success: Option<DestinationObject>,
    on_failure: Option<DestinationObject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_account: Option<String>,
}

impl ConfigIn {
    /// The configuration that is meant, with names still to be looked up.
    pub(super) fn meant(self) -> Result<ConfigText, Problem> {
        let ms = |ms: Option<u64>, default| ms.map_or(default, Duration::from_millis);
        let retry = RetryPolicy::new(
            self.max_retries.unwrap_or(bounds::DEFAULT_MAX_RETRIES),
            ms(self.retry_delay_ms, bounds::DEFAULT_RETRY_DELAY),
            ms(self.retry_delay_max_ms, bounds::DEFAULT_RETRY_DELAY_MAX),
        );
        let retry = retry.map_err(|error| Error::Registry(RegistryError::Retry(error)))?;
        let (on_success, success_terms) = self.on_success.map(DestinationIn::meant).transpose()?.unzip();
        let (on_failure, failure_terms) = self.on_failure.map(DestinationIn::meant).transpose()?.unzip();
        Ok(ConfigText {
            retry,
            max_event_age: self.max_event_age_s.map_or(bounds::DEFAULT_MAX_EVENT_AGE, Duration::from_secs),
            on_success,
            on_failure,
            success_terms: success_terms.unwrap_or_default(),
            failure_terms: failure_terms.unwrap_or_default(),
            service_account: self.service_account.as_deref().map(query::parsed).transpose()?,
        })
    }
}

impl DestinationIn {
    fn meant(self) -> Result<(DestinationText, Terms), Problem> {
        let (to, terms) = match self {
            Self::Text(to) => (to, Terms::default()),
            Self::Object(DestinationObject { to, format, service_account, connection, expires_days }) => {
                let format = format.as_deref().map(str::parse::<Format>).transpose();
                let terms = Terms {
                    format: format.map_err(|error| bad("bad_destination", error.to_string()))?.unwrap_or_default(),
                    service_account: service_account.as_deref().map(query::parsed).transpose()?,
                    connection: connection.as_deref().map(query::parsed).transpose()?,
                    expires_days: expires_days.unwrap_or_default(),
                };
                (to, terms)
            }
        };
        let to = to.parse().map_err(|error| Problem::from(Error::Registry(RegistryError::Destination(error))))?;
        Ok((to, terms))
    }
}

impl ConfigOut {
    /// The configuration that applies to `version` of `function`.
    pub(super) fn of(function: &Function, version: VersionNumber) -> Self {
        let set = function.async_config.is_some() || function.version_configs.contains_key(&version);
        Self::written(set, function.config_of(version), function)
    }

    /// The function's, which applies to versions without one of their own.
    pub(super) fn of_function(function: &Function) -> Self {
        let config = function.async_config.clone();
        Self::written(config.is_some(), config.unwrap_or_default(), function)
    }

    /// The one of `version` alone, if there is one.
    pub(super) fn of_version(function: &Function, version: VersionNumber) -> Option<Self> {
        function.version_configs.get(&version).map(|config| Self::written(true, config.clone(), function))
    }

    fn written(set: bool, config: AsyncConfig, function: &Function) -> Self {
        let AsyncConfig { retry, max_event_age, destinations, service_account } = config;
        let Destinations { on_success, on_failure, success_terms, failure_terms } = destinations;
        let object = |to: Option<Destination>, terms: Terms| {
            to.map(|to| DestinationObject {
                to: to.written_in(&function.path.namespace),
                format: Some(terms.format).filter(|format| *format != Format::Record).map(|it| it.to_string()),
                service_account: terms.service_account.map(String::from),
                connection: terms.connection.map(String::from),
                expires_days: Some(terms.expires_days).filter(|days| *days > 0),
            })
        };
        Self {
            set,
            max_retries: retry.max_retries(),
            max_event_age_s: max_event_age.as_secs(),
            retry_delay_ms: whole_ms(retry.delay()),
            retry_delay_max_ms: whole_ms(retry.delay_max()),
            on_success: object(on_success, success_terms),
            on_failure: object(on_failure, failure_terms),
            service_account: service_account.map(String::from),
        }
    }
}

pub(super) async fn show(
    State(runtime): State<Runtime>,
    Qualified(path, qualifier): Qualified,
) -> Result<Json<ConfigOut>, Problem> {
    let described = runtime.describe(&path, &qualifier)?;
    Ok(Json(ConfigOut::of(&described.function, described.version.number)))
}

pub(super) async fn set(
    State(runtime): State<Runtime>,
    caller: Caller,
    Qualified(path, qualifier): Qualified,
    body: Body,
) -> Result<Json<ConfigOut>, Problem> {
    let body = body::read(body, MAX_JSON_BYTES, "configuration").await?;
    let config: ConfigIn = query::json(&body, "configuration")?;
    runtime.describe(&path, &qualifier)?; // without a version there is nothing to show, so nothing is changed
    runtime.configure(&caller, &path, subject(&qualifier)?, config.meant()?).await?;
    let described = runtime.describe(&path, &qualifier)?;
    Ok(Json(ConfigOut::of(&described.function, described.version.number)))
}

pub(super) async fn delete(
    State(runtime): State<Runtime>,
    Qualified(path, qualifier): Qualified,
) -> Result<StatusCode, Problem> {
    let subject = subject(&qualifier)?;
    runtime.describe(&path, &qualifier)?;
    runtime.remove_config(&path, subject).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a configuration is set on. An alias moves, so it cannot have one of its own (nor can it in FunctionGraph).
fn subject(qualifier: &Qualifier) -> Result<Subject, Problem> {
    match qualifier {
        Qualifier::Latest => Ok(Subject::Function),
        Qualifier::Version(number) => Ok(Subject::Version(*number)),
        Qualifier::Alias(alias) => {
            let detail =
                format!("`{alias}` is an alias: set the configuration on the function or on a version's number");
            Err(bad("alias_has_no_config", detail))
        }
    }
}
