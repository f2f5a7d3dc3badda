//! `deploy`: a module and its settings go up in one request, or the name of an image that the server pulls; a new version
//! comes back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use reqwest::multipart::{Form, Part};
use reqwest::{Body, Method};
use serde::Serialize;

use super::api::Function;
use super::async_config::{self, Flags};
use super::client::Client;
use super::error::{Error, innermost};
use super::grants;
use super::input;
use super::output::Output;
use super::progress::Upload;
use super::units;
use super::variable::{self, Variable};
use crate::model::bounds;
use crate::model::entrypoint::Wanted;
use crate::model::names::{FunctionName, SecretName};
use crate::model::time::whole_ms;
use crate::oci::{ImageReference, InvalidReference, SCHEME};

#[derive(Debug, Args)]
pub(super) struct Deploy {
    /// The module: a core module or a component, as `.wasm`; `-` is standard input; or an image of a registry, which the server pulls:
    /// `oci://HOST/REPOSITORY:TAG`, or `@sha256:DIGEST`
    #[arg(value_name = "FILE")]
    module: Module,
    /// What to call the function; one of that name gets a new version
    #[arg(long)]
    name: FunctionName,
    /// The user that the image's registry knows
    #[arg(long, value_name = "USER", requires = "registry_password")]
    registry_user: Option<String>,
    /// The secret that is that user's password or token (`tidemill secrets set`)
    #[arg(long, value_name = "SECRET", requires = "registry_user")]
    registry_password: Option<SecretName>,
    /// What in the module is called: `command`, `handler`, `http`, or the name of an exported function, such as `add` or
    /// `pkg:name/interface#add` [default: what the module offers]
    #[arg(long)]
    entrypoint: Option<Wanted>,
    /// An argument of a command; may be given again
    #[arg(long = "arg", value_name = "ARG", allow_hyphen_values = true)]
    arguments: Vec<String>,
    /// Memory of one instance, such as `64MiB` [default: 128MiB]
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    memory: Option<u64>,
    /// Time that one attempt may take, such as `5s` [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = units::duration)]
    timeout: Option<Duration>,
    /// How many attempts of it may run at once [default: as many as the server runs at all]
    #[arg(long, value_name = "N")]
    concurrency: Option<u32>,
    /// Fuel that one attempt may use up, about one for each instruction: a repeatable limit on computing, looked at in
    /// each loop and call. The record of an attempt that was not cut short says exactly what it used. The code is slower
    /// for it, at worst by half [default: no limit, and nothing counted]
    #[arg(long, value_name = "N")]
    fuel: Option<u64>,
    /// A variable of its environment; may be given again
    #[arg(long = "env", value_name = "KEY=VALUE")]
    environment: Vec<Variable>,
    /// Have backtraces say files and lines, where the module has that information
    #[arg(long)]
    debug_info: bool,
    /// Have one instance serve up to so many invocations, one after the other, where that is what makes it fast: an
    /// interpreter starts once instead of each time. Gives up isolation between invocations of this version: what one
    /// leaves in memory the next one finds, and what is never freed counts against the next one's memory. Not for
    /// commands [default: a fresh instance for each]
    #[arg(long, value_name = "N")]
    reuse: Option<u32>,
    /// With `--reuse`, have one instance serve up to so many invocations at once: what waits then costs little. For http
    /// functions of WASI 0.3, up to 16. They share its memory, its handles and its end: one that traps, or computes past
    /// its time limit, ends the others in it, which count as interrupted and are tried again. What the instance writes
    /// to standard output and error stands in the log of each that is in it then, and each is charged an equal part of
    /// the processor time. Not with `--fuel`, `--allow-http` or `--allow-function` [default: 1]
    #[arg(long, value_name = "N")]
    instance_concurrency: Option<u32>,
    /// Keep a core dump of an attempt that traps: its memory, globals and stack, in the format that debuggers of
    /// WebAssembly read (`invocations core-dump ID`). It holds whatever the function had in memory, its secrets too
    #[arg(long)]
    core_dump: bool,
    /// Have a command answer HTTP requests under `/fn/NAME` as CGI has it (RFC 3875): method, path and headers are in its
    /// environment, the body is on standard input, and its output begins with `Status:` and headers, and an empty line
    #[arg(long)]
    cgi: bool,
    #[command(flatten)]
    grants: grants::GrantFlags,
    #[command(flatten)]
    async_config: Flags,
}

/// Where the module is.
#[derive(Clone, Debug)]
enum Module {
    File(PathBuf),
    /// What comes from standard input.
    Piped,
    Image(ImageReference),
}

/// The settings as the API reads them; what is absent is the server's to choose.
#[derive(Debug, Serialize)]
struct Settings {
    #[serde(skip_serializing_if = "Option::is_none")]
    entrypoint: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    arguments: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    environment: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    concurrency: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fuel: Option<u64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    debug_info: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reuse: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_concurrency: Option<u32>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    core_dump: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cgi: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    grants: Option<grants::Body>,
    #[serde(skip_serializing_if = "Option::is_none")]
    async_config: Option<async_config::Body>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_password: Option<String>,
}

impl FromStr for Module {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        match text {
            "-" => Ok(Self::Piped),
            text if text.starts_with(SCHEME) => text.parse().map(Self::Image),
            path => Ok(Self::File(path.into())),
        }
    }
}

impl Deploy {
    pub(super) async fn run(self, client: &Client, output: Output) -> Result<(), Error> {
        let settings = self.settings()?;
        let request = client.in_namespace(Method::PUT, &["functions", self.name.as_str()]);
        let module = match &self.module {
            Module::File(_) | Module::Piped if self.registry_user.is_some() => {
                return Err(Error::Usage(
                    "--registry-user is for an image, `oci://...`, and this is a file".to_owned(),
                ));
            }
            Module::File(file) => read(file).await?,
            Module::Piped => piped().await?,
            Module::Image(_) => {
                // The server pulls it: nothing is sent whose progress could be shown.
                let answer = Upload::new(0).watch(client.json(request.json(&settings).taking_its_time())).await;
                let (answer, took) = answer;
                return output.answer(&answer?, |function| text(function, took));
            }
        };
        let upload = Upload::new(module.len() as u64);
        let form = form(&upload, module, &settings)?;
        let (answer, took) = upload.watch(client.json(request.multipart(form))).await;
        output.answer(&answer?, |function| text(function, took))
    }

    fn settings(&self) -> Result<Settings, Error> {
        Ok(Settings {
            entrypoint: self.entrypoint.as_ref().map(ToString::to_string),
            arguments: self.arguments.clone(),
            environment: variable::once_each("--env", &self.environment)?,
            memory_bytes: self.memory,
            timeout_ms: self.timeout.map(whole_ms),
            concurrency: self.concurrency,
            fuel: self.fuel,
            debug_info: self.debug_info,
            reuse: self.reuse,
            instance_concurrency: self.instance_concurrency,
            core_dump: self.core_dump,
            cgi: self.cgi,
            grants: self.grants.given()?,
            async_config: self.async_config.given()?,
            source: match &self.module {
                Module::Image(reference) => Some(reference.to_string()),
                Module::File(_) | Module::Piped => None,
            },
            source_user: self.registry_user.clone(),
            source_password: self.registry_password.as_ref().map(ToString::to_string),
        })
    }
}

/// The bytes of a module, unless they are too many.
pub(super) async fn read(path: &Path) -> Result<Bytes, Error> {
    let unreadable = |cause| Error::Unreadable { path: path.to_owned(), cause };
    let size = tokio::fs::metadata(path).await.map_err(unreadable)?.len();
    if size > bounds::MAX_MODULE_BYTES as u64 {
        let size = units::show_size(size);
        return Err(Error::Usage(format!("{} has {size}: {}", path.display(), most())));
    }
    tokio::fs::read(path).await.map(Bytes::from).map_err(unreadable)
}

/// The same of what comes from standard input.
async fn piped() -> Result<Bytes, Error> {
    let usage = || "`-` is standard input, and nothing is piped in there: name the module's file".to_owned();
    let module = input::piped(bounds::MAX_MODULE_BYTES, usage).await?;
    if module.len() > bounds::MAX_MODULE_BYTES {
        return Err(Error::Usage(format!("there is more at standard input: {}", most())));
    }
    Ok(module.into())
}

fn most() -> String {
    format!("a module has at most {}", units::show_size(bounds::MAX_MODULE_BYTES as u64))
}

/// The settings go first, so that the server knows them before it takes the module.
fn form(upload: &Upload, module: Bytes, settings: &Settings) -> Result<Form, Error> {
    let usage = |error: &dyn std::error::Error| Error::Usage(innermost(error));
    let settings = serde_json::to_vec(settings).map_err(|error| usage(&error))?;
    let settings = Part::bytes(settings).mime_str("application/json").map_err(|error| usage(&error))?;
    let length = module.len() as u64;
    let module = Part::stream_with_length(Body::wrap_stream(upload.counted(module)), length);
    let module = module.file_name("module.wasm").mime_str("application/wasm").map_err(|error| usage(&error))?;
    Ok(Form::new().part("settings", settings).part("module", module))
}

fn text(function: &Function, took: Duration) -> String {
    let version = &function.version;
    let size = units::show_size(version.module_bytes);
    let took = units::show_elapsed(whole_ms(took));
    let deployed =
        format!("{} is at version {} ({}, {size}, {took})", function.path(), version.number, version.entrypoint);
    let missing = function.missing_grants.iter().map(|missing| {
        let (import, flag) = (&missing.import, &missing.needs);
        format!("\nwarning: it imports `{import}` and is granted nothing of it: deploy it with `{flag}`")
    });
    std::iter::once(deployed).chain(missing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Typed {
        #[command(flatten)]
        deploy: Deploy,
    }

    fn settings(typed: &[&str]) -> Result<serde_json::Value, Error> {
        let typed = ["test", "a.wasm", "--name", "a"].iter().chain(typed);
        let settings = Typed::try_parse_from(typed).unwrap().deploy.settings()?;
        Ok(serde_json::to_value(settings).unwrap())
    }

    #[test]
    fn settings_that_were_not_given_are_not_sent() {
        assert_eq!(settings(&[]).unwrap(), serde_json::json!({}));
    }

    #[test]
    fn settings_are_sent_in_the_units_of_the_api() {
        let typed = [
            ["--entrypoint", "_start"],
            ["--arg", "-v"],
            ["--arg", "x"],
            ["--memory", "64MiB"],
            ["--timeout", "5s"],
            ["--concurrency", "3"],
            ["--fuel", "1000000"],
            ["--reuse", "128"],
            ["--instance-concurrency", "16"],
            ["--env", "A=b=c"],
            ["--max-retries", "2"],
            ["--allow-http", "https://a.example"],
            ["--secret", "KEY=api-key"],
            ["--config", "mode=dry"],
        ];
        let expected = serde_json::json!({
            "entrypoint": "command", "arguments": ["-v", "x"], "memory_bytes": 67_108_864, "timeout_ms": 5000,
            "concurrency": 3, "fuel": 1_000_000, "reuse": 128, "instance_concurrency": 16, "environment": {"A": "b=c"},
            "async_config": {"max_retries": 2},
            "grants": {"http": ["https://a.example"], "secrets": {"KEY": "api-key"}, "config": {"mode": "dry"}},
        });
        assert_eq!(settings(typed.as_flattened()).unwrap(), expected);
    }

    #[test]
    fn a_variable_has_a_name_and_is_given_once() {
        assert!("A".parse::<Variable>().is_err());
        assert!("=b".parse::<Variable>().is_err());
        assert!(matches!(settings(&["--env", "A=1", "--env", "A=2"]), Err(Error::Usage(_))));
    }
}
