//! Asynchronous configurations, both ways: of a version of this dialect into the runtime's, and back for versions that were
//! configured elsewhere. A version without one of its own is tried once and tells nobody.

use std::time::Duration;

use tonic::Status;

use super::Functions;
use crate::http::sqs;
use crate::http::yandex::proto::functions as f;
use crate::http::yandex::proto::functions::async_invocation_config::ResponseTarget;
use crate::http::yandex::proto::functions::async_invocation_config::response_target::Target;
use crate::http::yandex::status::invalid;
use crate::model::bounds;
use crate::model::destination::{Destination, DestinationText, Format, Outside, OutsideKind, Terms};
use crate::model::function::Function;
use crate::model::message_queue::QueuePath;
use crate::model::names::{AccountName, Namespace, VersionNumber};
use crate::model::retry::RetryPolicy;
use crate::registry::ConfigText;

/// How old an invocation may be: that service says nothing of an age, so it is as long as any may.
const MAX_EVENT_AGE: Duration = Duration::from_secs(*bounds::MAX_EVENT_AGE_S.end());

/// What stands in front of the names of fields.
const FIELD: &str = "async_invocation_config";

impl Functions {
    /// The configuration that a version of `namespace` is to have.
    pub(super) fn config(
        &self,
        namespace: &Namespace,
        config: Option<&f::AsyncInvocationConfig>,
    ) -> Result<ConfigText, Status> {
        let Some(config) = config else { return text(0) };
        let (on_success, success_terms) = self.target(namespace, config.success_target.as_ref(), "success_target")?;
        let (on_failure, failure_terms) = self.target(namespace, config.failure_target.as_ref(), "failure_target")?;
        let retries = u32::try_from(config.retries_count)
            .map_err(|_| invalid(&format!("{FIELD}.retries_count"), "must be 0 to 100"))?;
        Ok(ConfigText {
            on_success,
            on_failure,
            // The result alone; of a failure there is none, so it is the record.
            success_terms: Terms { format: Format::Payload, ..success_terms },
            failure_terms,
            service_account: self.account(namespace, &config.service_account_id),
            ..text(retries)?
        })
    }

    fn target(
        &self,
        namespace: &Namespace,
        target: Option<&ResponseTarget>,
        field: &str,
    ) -> Result<(Option<DestinationText>, Terms), Status> {
        let Some(Target::YmqTarget(queue)) = target.and_then(|target| target.target.as_ref()) else {
            return Ok((None, Terms::default()));
        };
        let named = |field_end: &str| format!("{FIELD}.{field}.ymq_target.{field_end}");
        let path = sqs::queue_of_arn(&queue.queue_arn).map_err(|why| invalid(&named("queue_arn"), why))?;
        if path.namespace != *namespace {
            let why =
                format!("`{}` is a queue of `{}`, and the function is of `{namespace}`", path.name, path.namespace);
            return Err(invalid(&named("queue_arn"), why));
        }
        let to = Outside { kind: OutsideKind::Queue, target: path.name.to_string() };
        let service_account = self.account(namespace, &queue.service_account_id);
        Ok((Some(DestinationText::Outside(to)), Terms { service_account, ..Terms::default() }))
    }

    /// The account of this id or this name, where there is one here. Others are kept, and asked for nothing.
    pub(super) fn account(&self, namespace: &Namespace, id: &str) -> Option<AccountName> {
        let access = self.runtime.access();
        if let Some(account) = access.account_of(id) {
            return (account.namespace == *namespace).then(|| account.name.clone());
        }
        let name: AccountName = id.parse().ok()?;
        access.account(namespace, &name).ok().map(|account| account.name.clone())
    }
}

fn text(retries: u32) -> Result<ConfigText, Status> {
    let retry = RetryPolicy::new(retries, bounds::DEFAULT_RETRY_DELAY, bounds::DEFAULT_RETRY_DELAY_MAX);
    Ok(ConfigText {
        retry: retry.map_err(|error| invalid(&format!("{FIELD}.retries_count"), error))?,
        max_event_age: MAX_EVENT_AGE,
        on_success: None,
        on_failure: None,
        success_terms: Terms::default(),
        failure_terms: Terms::default(),
        service_account: None,
    })
}

/// How a version is configured that was deployed elsewhere, as far as this dialect can say it.
pub(super) fn shown(function: &Function, number: VersionNumber) -> Option<f::AsyncInvocationConfig> {
    let own = function.version_configs.get(&number);
    let config = own.or(function.async_config.as_ref())?;
    let account = |name: &Option<AccountName>| name.as_ref().map(ToString::to_string).unwrap_or_default();
    let target = |to: &Option<Destination>, terms: &Terms| {
        let target = match to {
            Some(Destination::Outside(Outside { kind: OutsideKind::Queue, target })) if terms.connection.is_none() => {
                let path =
                    target.parse().ok().map(|name| QueuePath { namespace: function.path.namespace.clone(), name });
                let queue_arn = path.map(|path| sqs::yandex_arn(&path)).unwrap_or_default();
                Target::YmqTarget(f::YmqTarget { queue_arn, service_account_id: account(&terms.service_account) })
            }
            _ => Target::EmptyTarget(f::EmptyTarget {}),
        };
        Some(ResponseTarget { target: Some(target) })
    };
    let destinations = &config.destinations;
    Some(f::AsyncInvocationConfig {
        retries_count: i64::from(config.retry.max_retries()),
        success_target: target(&destinations.on_success, &destinations.success_terms),
        failure_target: target(&destinations.on_failure, &destinations.failure_terms),
        service_account_id: account(&config.service_account),
    })
}
