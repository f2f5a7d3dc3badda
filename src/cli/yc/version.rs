//! `yc serverless function version`: make, show and list versions of functions, with how they are invoked asynchronously.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::flags::{ById, seconds, size, with};
use super::folder;
use super::function::FUNCTIONS;
use super::rest::Cloud;
use super::tags::{ByTag, Tagged};
use crate::cli::deploy;
use crate::cli::error::Error;
use crate::cli::units;
use crate::cli::variable::{self, Variable};

pub(super) const VERSIONS: &str = "functions/v1/versions";

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(in crate::cli) enum Command {
    /// Make a version of a function
    Create(Box<Create>),
    /// Show a version
    Get(ById),
    /// List the versions of a function
    List(Of),
    /// Put a tag on a version, and so take it from any other of the function
    SetTag(Tagged),
    /// Take a tag from a version
    RemoveTag(Tagged),
    /// Show the version that has a tag
    GetByTag(ByTag),
}

// The function that it is about.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(in crate::cli) struct Of {
    /// The function, by its name
    #[arg(long, value_name = "NAME")]
    function_name: Option<String>,
    /// The function, by its id
    #[arg(long, value_name = "ID")]
    function_id: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Create {
    #[command(flatten)]
    of: Of,
    /// The runtime, such as `wasm`; kept and shown
    #[arg(long)]
    runtime: String,
    /// What in the module is called, as `FILE.NAME`
    #[arg(long)]
    entrypoint: String,
    /// Memory of one instance, such as `128m`
    #[arg(long, value_name = "SIZE", default_value = "128m", value_parser = size)]
    memory: u64,
    /// Time that one attempt may take, such as `3s`
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = units::duration)]
    execution_timeout: Duration,
    #[command(flatten)]
    source: Source,
    /// Variables of its environment; may be given again
    #[arg(long, value_name = "KEY=VALUE,..", value_delimiter = ',')]
    environment: Vec<Variable>,
    /// The service account that it acts for
    #[arg(long, value_name = "ID")]
    service_account_id: Option<String>,
    /// What it is for
    #[arg(long)]
    description: Option<String>,
    /// Tags that are to be on it; may be given again
    #[arg(long, value_name = "TAG,..", value_delimiter = ',')]
    tags: Vec<String>,
    /// How many invocations one instance may serve at once
    #[arg(long, value_name = "N")]
    concurrency: Option<u16>,
    #[command(flatten)]
    asynchronous: Asynchronous,
}

// Where the module is.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
#[expect(clippy::struct_field_names, reason = "the names of the flags, as they are documented")]
struct Source {
    /// A file with the module, a zip with it, or a folder with it, which is zipped
    #[arg(long, value_name = "PATH", conflicts_with_all = ["source_version_id", "package_bucket_name"])]
    source_path: Option<PathBuf>,
    /// The version that has it
    #[arg(long, value_name = "ID", conflicts_with = "package_bucket_name")]
    source_version_id: Option<String>,
    /// The bucket that has it
    #[arg(long, value_name = "BUCKET", requires = "package_object_name")]
    package_bucket_name: Option<String>,
    /// The object in that bucket
    #[arg(long, value_name = "KEY", requires = "package_bucket_name")]
    package_object_name: Option<String>,
    /// What the object's SHA-256 has to be
    #[arg(long, value_name = "HEX", requires = "package_bucket_name")]
    package_sha256: Option<String>,
}

// How it is invoked asynchronously.
#[derive(Debug, Args)]
#[command(next_help_heading = "Asynchronous invocation")]
#[expect(clippy::struct_field_names, reason = "the names of the flags, as they are documented")]
struct Asynchronous {
    /// How often an attempt that failed is repeated
    #[arg(long, value_name = "N")]
    async_max_retries: Option<u32>,
    /// The service account that must be allowed to invoke it
    #[arg(long, value_name = "ID")]
    async_service_account_id: Option<String>,
    /// The queue that results go to
    #[arg(long, value_name = "ARN")]
    async_success_ymq_arn: Option<String>,
    /// The service account that must be allowed to send there
    #[arg(long, value_name = "ID", requires = "async_success_ymq_arn")]
    async_success_sa_id: Option<String>,
    /// The queue that failures go to
    #[arg(long, value_name = "ARN")]
    async_failure_ymq_arn: Option<String>,
    /// The service account that must be allowed to send there
    #[arg(long, value_name = "ID", requires = "async_failure_ymq_arn")]
    async_failure_sa_id: Option<String>,
}

impl Command {
    pub(super) async fn run(self, cloud: &Cloud<'_>) -> Result<(), Error> {
        match self {
            Self::Create(create) => {
                let body = create.body(cloud).await?;
                let request = cloud.request(Method::POST, VERSIONS).json(&body);
                cloud.show(&cloud.done(request).await?)
            }
            Self::Get(by) => cloud.show(&cloud.get(&format!("{VERSIONS}/{}", by.id())).await?),
            Self::List(of) => {
                let function = of.id(cloud).await?;
                cloud.show_list(VERSIONS, "versions", ("functionId", &function)).await
            }
            Self::SetTag(tag) => tag.change(cloud, "setTag").await,
            Self::RemoveTag(tag) => tag.change(cloud, "removeTag").await,
            Self::GetByTag(by) => by.show(cloud).await,
        }
    }
}

impl Of {
    pub(super) async fn id(&self, cloud: &Cloud<'_>) -> Result<String, Error> {
        match &self.function_id {
            Some(id) => Ok(id.clone()),
            None => cloud.id(FUNCTIONS, self.function_name.as_deref().unwrap_or_default()).await,
        }
    }
}

impl Create {
    async fn body(&self, cloud: &Cloud<'_>) -> Result<Value, Error> {
        let body = json!({
            "functionId": self.of.id(cloud).await?,
            "runtime": self.runtime,
            "entrypoint": self.entrypoint,
            "resources": { "memory": self.memory.to_string() },
            "executionTimeout": seconds(self.execution_timeout),
            "environment": variable::once_each("--environment", &self.environment)?,
            "tag": self.tags,
        });
        let optional = [
            ("serviceAccountId", self.service_account_id.clone().map(Value::from)),
            ("description", self.description.clone().map(Value::from)),
            ("concurrency", self.concurrency.map(|number| number.to_string().into())),
            ("asyncInvocationConfig", self.asynchronous.body()),
        ];
        let (source, module) = self.source.body().await?;
        Ok(with(with(body, optional), [(source, Some(module))]))
    }
}

impl Source {
    /// The member of the request that says where the module is.
    async fn body(&self) -> Result<(&'static str, Value), Error> {
        Ok(match (&self.source_path, &self.source_version_id, &self.package_bucket_name) {
            (Some(path), ..) if path.is_dir() => ("content", STANDARD.encode(folder::zipped(path)?).into()),
            (Some(path), ..) => ("content", STANDARD.encode(deploy::read(path).await?).into()),
            (None, Some(id), _) => ("versionId", id.as_str().into()),
            (None, None, bucket) => {
                let package = json!({
                    "bucketName": bucket, "objectName": self.package_object_name, "sha256": self.package_sha256,
                });
                ("package", package)
            }
        })
    }
}

impl Asynchronous {
    /// The configuration, where anything of it was said.
    fn body(&self) -> Option<Value> {
        let target = |arn: &Option<String>, account: &Option<String>| match arn {
            Some(arn) => json!({ "ymqTarget": { "queueArn": arn, "serviceAccountId": account } }),
            None => json!({ "emptyTarget": {} }),
        };
        let is_said = self.async_max_retries.is_some()
            || [&self.async_service_account_id, &self.async_success_ymq_arn, &self.async_failure_ymq_arn]
                .into_iter()
                .any(Option::is_some);
        is_said.then(|| {
            json!({
                "retriesCount": self.async_max_retries.unwrap_or_default().to_string(),
                "successTarget": target(&self.async_success_ymq_arn, &self.async_success_sa_id),
                "failureTarget": target(&self.async_failure_ymq_arn, &self.async_failure_sa_id),
                "serviceAccountId": self.async_service_account_id,
            })
        })
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
        create: Create,
    }

    const FUNCTION: &str = "0199a3f0-7c1e-7b3a-9d52-6f0c8a1e4b77";
    const VERSION: &str = "0199a3f0-7c1e-7b3a-9d52-6f0c8a1e4b78";

    async fn body(typed: &str) -> Value {
        let client = Client::new("http://127.0.0.1:1".parse().unwrap(), None).unwrap();
        let cloud = Cloud { client: &client, folder: "shop".to_owned(), json: false };
        let typed = Typed::try_parse_from(std::iter::once("test").chain(typed.split(' '))).unwrap();
        typed.create.body(&cloud).await.unwrap()
    }

    #[tokio::test]
    async fn the_documented_flags_become_the_documented_request() {
        let typed = format!(
            "--function-id={FUNCTION} --runtime wasm --entrypoint index.handler --memory 128m --execution-timeout 5s \
             --source-version-id {VERSION} --async-max-retries 3 --async-service-account-id invoker \
             --async-success-ymq-arn yrn:yc:ymq:ru-central1:shop:done --async-success-sa-id writer \
             --async-failure-ymq-arn yrn:yc:ymq:ru-central1:shop:failed --async-failure-sa-id writer"
        );
        let target = |queue: &str| {
            let arn = format!("yrn:yc:ymq:ru-central1:shop:{queue}");
            json!({ "ymqTarget": { "queueArn": arn, "serviceAccountId": "writer" } })
        };
        let expected = json!({
            "functionId": FUNCTION, "runtime": "wasm", "entrypoint": "index.handler",
            "resources": { "memory": "134217728" }, "executionTimeout": "5s", "environment": {}, "tag": [],
            "asyncInvocationConfig": {
                "retriesCount": "3", "successTarget": target("done"), "failureTarget": target("failed"),
                "serviceAccountId": "invoker",
            },
            "versionId": VERSION,
        });
        assert_eq!(body(&typed).await, expected);
    }

    #[tokio::test]
    async fn what_has_no_queue_has_an_empty_target_and_what_says_nothing_no_configuration() {
        let usual = format!("--function-id {FUNCTION} --runtime wasm --entrypoint a.b --source-version-id {VERSION}");
        assert!(body(&usual).await.get("asyncInvocationConfig").is_none());
        let retried = body(&format!("{usual} --async-max-retries 2")).await;
        assert_eq!(retried["asyncInvocationConfig"]["successTarget"], json!({ "emptyTarget": {} }));
        assert_eq!(retried["asyncInvocationConfig"]["retriesCount"], "2");
        let more = body(&format!("{usual} --environment A=1,B=2 --environment C=x --tags live,next")).await;
        assert_eq!(
            (&more["environment"], &more["tag"]),
            (&json!({"A": "1", "B": "2", "C": "x"}), &json!(["live", "next"]))
        );
    }

    #[test]
    fn a_version_has_one_function_and_one_source() {
        let check = |typed: &str, accepted| {
            let typed = format!("test --runtime wasm --entrypoint a.b {typed}");
            assert_eq!(Typed::try_parse_from(typed.split(' ')).is_ok(), accepted, "{typed}");
        };
        check("--function-name f --source-path a.wasm", true);
        check("--function-name f --package-bucket-name b --package-object-name a.wasm --package-sha256 00", true);
        check("--function-name f --function-id 1 --source-path a.wasm", false);
        check("--source-path a.wasm", false);
        check("--function-name f", false);
        check("--function-name f --source-path a.wasm --source-version-id 1", false);
        check("--function-name f --package-bucket-name b", false);
        check("--function-name f --source-path a.wasm --async-success-sa-id x", false);
    }
}
