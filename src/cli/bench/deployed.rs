//! A function as the benches deploy it.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::cli::client::Client;
use crate::cli::error::Error;
use crate::model::bounds;
use crate::model::time::whole_ms;

/// A function, with what its asynchronous invocations lead to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deployed {
    pub(super) name: &'static str,
    pub(super) module: &'static [u8],
    /// What in the module is called; `None` leaves it to the server to find out.
    pub(super) entrypoint: Option<&'static str>,
    /// How many invocations may follow each other in one instance.
    pub(super) reuse: Option<u32>,
    /// How many of them may be in it at once.
    pub(super) instance_concurrency: Option<u32>,
    pub(super) timeout: Duration,
    pub(super) max_retries: u32,
    /// Attempts that may run at once.
    pub(super) concurrency: Option<u32>,
    /// Whole seconds.
    pub(super) max_event_age: Duration,
    /// Names of functions.
    pub(super) on_success: Option<&'static str>,
    pub(super) on_failure: Option<&'static str>,
}

/// Pauses between attempts: short, so that a bench does not wait for them.
const RETRY_DELAY_MS: u64 = 20;
const RETRY_DELAY_MAX_MS: u64 = 200;

impl Deployed {
    /// With the usual timeout and retries, leading nowhere.
    pub(super) const fn new(name: &'static str, module: &'static [u8]) -> Self {
        Self {
            name,
            module,
            entrypoint: None,
            reuse: None,
            instance_concurrency: None,
            timeout: bounds::DEFAULT_TIMEOUT,
            max_retries: bounds::DEFAULT_MAX_RETRIES,
            concurrency: None,
            max_event_age: bounds::DEFAULT_MAX_EVENT_AGE,
            on_success: None,
            on_failure: None,
        }
    }

    /// Deploys it. Where it is deployed already, nothing changes.
    pub(super) async fn deploy(&self, client: &Client) -> Result<(), Error> {
        self.deploy_as(client, self.name, Bytes::from_static(self.module)).await
    }

    /// Deploys it under another `name`, with other bytes for its `module`.
    pub(super) async fn deploy_as(&self, client: &Client, name: &str, module: Bytes) -> Result<(), Error> {
        let destination = |name: Option<&str>| name.map(|name| format!("function:{name}"));
        let mut settings = json!({
            "timeout_ms": whole_ms(self.timeout),
            "async_config": {
                "max_retries": self.max_retries,
                "max_event_age_s": self.max_event_age.as_secs(),
                "retry_delay_ms": RETRY_DELAY_MS,
                "retry_delay_max_ms": RETRY_DELAY_MAX_MS,
                "on_success": destination(self.on_success),
                "on_failure": destination(self.on_failure),
            },
        });
        if let Some(concurrency) = self.concurrency {
            settings["concurrency"] = concurrency.into();
        }
        if let Some(entrypoint) = self.entrypoint {
            settings["entrypoint"] = entrypoint.into();
        }
        if let Some(reuse) = self.reuse {
            settings["reuse"] = reuse.into();
        }
        if let Some(at_once) = self.instance_concurrency {
            settings["instance_concurrency"] = at_once.into();
        }
        put(client, name, &settings, module).await
    }
}

/// Deploys `module` under `name` with `settings` as the API has them.
pub(super) async fn put(client: &Client, name: &str, settings: &Value, module: Bytes) -> Result<(), Error> {
    let form = Form::new().part("settings", Part::text(settings.to_string()));
    let form = form.part("module", Part::stream(module));
    client.send(client.in_namespace(Method::PUT, &["functions", name]).multipart(form)).await?;
    Ok(())
}
