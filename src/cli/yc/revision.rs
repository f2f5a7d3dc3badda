//! `yc serverless container revision`: deploy, show and list revisions of containers.

use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::container::CONTAINERS;
use super::flags::{ById, seconds, size, with};
use super::rest::Cloud;
use crate::cli::error::Error;
use crate::cli::units;
use crate::cli::variable::{self, Variable};

const REVISIONS: &str = "containers/v1/revisions";

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(in crate::cli) enum Command {
    /// Make a revision of a container, which is the one that runs from then on
    Deploy(Box<Deploy>),
    /// Show a revision
    Get(ById),
    /// List the revisions of a container
    List(Of),
}

// The container that it is about.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(in crate::cli) struct Of {
    /// The container, by its name
    #[arg(long, value_name = "NAME")]
    container_name: Option<String>,
    /// The container, by its id
    #[arg(long, value_name = "ID")]
    container_id: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Deploy {
    #[command(flatten)]
    of: Of,
    /// The image: a reference such as `cr.example/shop/site:1`, or `file://` and a path on the server's machine
    #[arg(long, value_name = "URL")]
    image: String,
    /// What is run in place of what the image says
    #[arg(long, value_name = "WORD,..", value_delimiter = ',')]
    command: Vec<String>,
    /// Its arguments
    #[arg(long, value_name = "WORD,..", value_delimiter = ',', allow_hyphen_values = true)]
    args: Vec<String>,
    /// Variables of its environment; may be given again
    #[arg(long, value_name = "KEY=VALUE,..", value_delimiter = ',')]
    environment: Vec<Variable>,
    /// Memory of one instance, such as `128m`
    #[arg(long, value_name = "SIZE", default_value = "128m", value_parser = size)]
    memory: u64,
    /// Cores; kept and shown
    #[arg(long, value_name = "N", default_value_t = 1)]
    cores: u32,
    /// Percent of a core; kept and shown
    #[arg(long, value_name = "PERCENT", default_value_t = 100)]
    core_fraction: u32,
    /// Time that one request may take, such as `3s`
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = units::duration)]
    execution_timeout: Duration,
    /// How many requests one instance may serve at once
    #[arg(long, value_name = "N", default_value_t = 1)]
    concurrency: u32,
    /// Whether it answers requests or is a task
    #[arg(long, value_name = "KIND", default_value = "http", value_parser = PossibleValuesParser::new(["http", "task"]))]
    runtime: String,
    /// The service account that it acts for
    #[arg(long, value_name = "ID")]
    service_account_id: Option<String>,
    /// The service account that must be allowed to invoke it asynchronously
    #[arg(long, value_name = "ID")]
    async_service_account_id: Option<String>,
    /// What it is for
    #[arg(long)]
    description: Option<String>,
}

impl Command {
    pub(super) async fn run(self, cloud: &Cloud<'_>) -> Result<(), Error> {
        match self {
            Self::Deploy(deploy) => {
                let body = deploy.body(cloud).await?;
                let request = cloud.request(Method::POST, &format!("{REVISIONS}:deploy")).json(&body);
                cloud.show(&cloud.done(request).await?)
            }
            Self::Get(by) => cloud.show(&cloud.get(&format!("{REVISIONS}/{}", by.id())).await?),
            Self::List(of) => {
                let container = of.id(cloud).await?;
                cloud.show_list(REVISIONS, "revisions", ("containerId", &container)).await
            }
        }
    }
}

impl Of {
    async fn id(&self, cloud: &Cloud<'_>) -> Result<String, Error> {
        match &self.container_id {
            Some(id) => Ok(id.clone()),
            None => cloud.id(CONTAINERS, self.container_name.as_deref().unwrap_or_default()).await,
        }
    }
}

impl Deploy {
    async fn body(&self, cloud: &Cloud<'_>) -> Result<Value, Error> {
        let mut image = json!({
            "imageUrl": self.image, "environment": variable::once_each("--environment", &self.environment)?,
        });
        if !self.command.is_empty() {
            image["command"] = json!({ "command": self.command });
        }
        if !self.args.is_empty() {
            image["args"] = json!({ "args": self.args });
        }
        let body = json!({
            "containerId": self.of.id(cloud).await?,
            "resources": {
                "memory": self.memory.to_string(),
                "cores": self.cores.to_string(),
                "coreFraction": self.core_fraction.to_string(),
            },
            "executionTimeout": seconds(self.execution_timeout),
            "imageSpec": image,
            "concurrency": self.concurrency.to_string(),
            "runtime": { &self.runtime: {} },
        });
        let account = |id: &String| json!({ "serviceAccountId": id });
        let optional = [
            ("serviceAccountId", self.service_account_id.clone().map(Value::from)),
            ("description", self.description.clone().map(Value::from)),
            ("asyncInvocationConfig", self.async_service_account_id.as_ref().map(account)),
        ];
        Ok(with(body, optional))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::client::Client;
    use clap::Parser;

    #[derive(Parser)]
    struct Typed {
        #[command(flatten)]
        deploy: Deploy,
    }

    #[tokio::test]
    async fn the_documented_flags_become_the_documented_request() {
        let container = "0199a3f0-7c1e-7b3a-9d52-6f0c8a1e4b77";
        let typed = [
            ["--container-id", container],
            ["--image", "cr.yandex/crpmfvcgnl26/ubuntu:hello"],
            ["--service-account-id", "editor"],
            ["--async-service-account-id", "invoker"],
        ];
        let client = Client::new("http://127.0.0.1:1".parse().unwrap(), None).unwrap();
        let cloud = Cloud { client: &client, folder: "shop".to_owned(), json: false };
        let typed = Typed::try_parse_from(std::iter::once(&"test").chain(typed.as_flattened())).unwrap();
        let expected = json!({
            "containerId": container,
            "resources": { "memory": "134217728", "cores": "1", "coreFraction": "100" },
            "executionTimeout": "3s",
            "imageSpec": { "imageUrl": "cr.yandex/crpmfvcgnl26/ubuntu:hello", "environment": {} },
            "concurrency": "1", "runtime": { "http": {} },
            "serviceAccountId": "editor", "asyncInvocationConfig": { "serviceAccountId": "invoker" },
        });
        assert_eq!(typed.deploy.body(&cloud).await.unwrap(), expected);
    }
}
