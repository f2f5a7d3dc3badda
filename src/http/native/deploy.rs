//! `PUT /v1/functions/{name}`: a module, with settings beside it where it is not alone, or the name of an image.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::answer;
use super::async_config::{ConfigIn, MAX_JSON_BYTES};
use super::functions_json::{FunctionOut, SOURCE, SourceOut};
use super::grants::GrantsText;
use super::named::Named;
use super::openapi::values;
use super::query::{self, bad};
use crate::access::Caller;
use crate::http::body;
use crate::http::problem::Problem;
use crate::model::bounds;
use crate::model::entrypoint::Wanted;
use crate::model::function::{Annotations, Limits, Space};
use crate::model::names::FunctionPath;
use crate::oci::InvalidReference;
use crate::registry::Deployment;
use crate::runtime::{Runtime, Source};

/// Settings of a deployment; what is absent has its default.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DeploymentSettings)]
pub(super) struct Settings {
    /// A kind (`command`, `handler`, `http`), or the name of an exported function.
    #[schema(example = "handler")]
    entrypoint: Option<String>,
    #[serde(default)]
    arguments: Vec<String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[schema(schema_with = values::memory_bytes)]
    memory_bytes: Option<u64>,
    #[schema(schema_with = values::timeout_ms)]
    timeout_ms: Option<u64>,
    /// How many attempts of the version may run at once; the runtime's own limit applies besides.
    #[schema(schema_with = values::concurrency)]
    concurrency: Option<u32>,
    #[schema(schema_with = values::fuel)]
    fuel: Option<u64>,
    #[serde(default)]
    space: SpaceIn,
    #[serde(default)]
    debug_info: bool,
    #[schema(schema_with = values::reuse)]
    reuse: Option<u32>,
    #[schema(schema_with = values::instance_concurrency)]
    instance_concurrency: Option<u32>,
    /// Whether a core dump is kept of an attempt that traps.
    #[serde(default)]
    core_dump: bool,
    /// Whether a command answers HTTP requests as CGI has it: the head in its environment, the body on standard input, and
    /// headers at the beginning of its output.
    #[serde(default)]
    cgi: bool,
    #[serde(default)]
    grants: GrantsText,
    async_config: Option<ConfigIn>,
    /// An image of a registry, in place of a module: `oci://HOST/REPOSITORY:TAG`, or `@sha256:DIGEST`.
    #[schema(example = "oci://ghcr.io/shop/resize:1.2")]
    source: Option<String>,
    /// The user that the registry knows.
    source_user: Option<String>,
    /// The secret that is the user's password.
    source_password: Option<String>,
}

/// What an attempt may take besides memory; what is absent has its default, which is also the most.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = SpaceSettings)]
struct SpaceIn {
    table_elements: Option<u32>,
    instances: Option<u32>,
    handles: Option<u32>,
    log_bytes: Option<u32>,
    result_bytes: Option<u32>,
}

impl SpaceIn {
    fn meant(self) -> Result<Space, Problem> {
        let most = Space::default();
        let within = |what, asked: Option<u32>, most: u32| {
            let asked = asked.unwrap_or(most);
            let range = 0..=u64::from(most);
            bounds::within(what, u64::from(asked), &range).map_err(|error| bad("bad_range", error.to_string()))?;
            Ok::<_, Problem>(asked)
        };
        Ok(Space {
            table_elements: within("space.table_elements", self.table_elements, most.table_elements)?,
            instances: within("space.instances", self.instances, most.instances)?,
            handles: within("space.handles", self.handles, most.handles)?,
            log_bytes: within("space.log_bytes", self.log_bytes, most.log_bytes)?,
            result_bytes: within("space.result_bytes", self.result_bytes, most.result_bytes)?,
        })
    }
}

impl Settings {
    /// The image that is to be deployed, if it is one.
    fn source(&self) -> Result<Option<Source>, Problem> {
        let wrong = |detail: String| bad("bad_source", detail);
        let login = match (&self.source_user, &self.source_password) {
            (None, None) => None,
            (Some(user), Some(secret)) => Some((user.clone(), query::parsed(secret)?)),
            _ => return Err(wrong("`source_user` and `source_password` go together".to_owned())),
        };
        match &self.source {
            Some(text) => {
                let reference = text.parse().map_err(|error: InvalidReference| wrong(error.to_string()))?;
                Ok(Some(Source { reference, login }))
            }
            None if login.is_some() => Err(wrong("a user is for a `source`, and there is none".to_owned())),
            None => Ok(None),
        }
    }

    pub(super) fn deployment(self, module: Bytes) -> Result<Deployment, Problem> {
        let limits = Limits::new(
            self.memory_bytes.unwrap_or(bounds::DEFAULT_MEMORY_BYTES),
            self.timeout_ms.map_or(bounds::DEFAULT_TIMEOUT, Duration::from_millis),
            self.concurrency,
        );
        let range = |error: bounds::OutOfRange| bad("bad_range", error.to_string());
        let limits = limits.and_then(|limits| limits.with_fuel(self.fuel)).map_err(range)?;
        let entrypoint = self.entrypoint.as_deref().map(str::parse::<Wanted>).transpose();
        Ok(Deployment {
            module,
            entrypoint: entrypoint.map_err(|error| bad("bad_entrypoint", error.to_string()))?,
            arguments: self.arguments,
            environment: self.environment,
            limits: Limits { space: self.space.meant()?, ..limits },
            grants: self.grants.meant()?,
            debug_info: self.debug_info,
            reuse: count("reuse", self.reuse, &bounds::REUSE)?,
            instance_concurrency: count(
                "instance_concurrency",
                self.instance_concurrency,
                &bounds::INSTANCE_CONCURRENCY,
            )?,
            core_dump: self.core_dump,
            cgi: self.cgi,
            config: self.async_config.map(ConfigIn::meant).transpose()?,
            annotations: Annotations::new(),
            always: false,
            made_from: None,
        })
    }
}

/// Zero is no number of invocations, and is refused as one that is out of range.
fn count(what: &'static str, asked: Option<u32>, range: &RangeInclusive<u32>) -> Result<Option<NonZeroU32>, Problem> {
    let Some(asked) = asked else { return Ok(None) };
    bounds::within(what, asked, range).map_err(|error| bad("bad_range", error.to_string()))?;
    Ok(NonZeroU32::new(asked))
}

pub(super) async fn deploy(
    State(runtime): State<Runtime>,
    caller: Caller,
    Named(path): Named<FunctionPath>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let content_type = query::header(&headers, CONTENT_TYPE.as_str())?.unwrap_or_default();
    let (settings, module) = match multer::parse_boundary(content_type) {
        Ok(boundary) => parts(body, boundary).await?,
        Err(_) if is_json(content_type) => {
            (query::json(&body::read(body, MAX_JSON_BYTES, "deployment").await?, "deployment")?, None)
        }
        Err(_) => (Settings::default(), Some(body::read(body, bounds::MAX_MODULE_BYTES, "module").await?)),
    };
    let mut annotations = Annotations::new();
    let module = match (settings.source()?, module) {
        (None, Some(module)) => module,
        (Some(source), None) => {
            let image = runtime.pull(&caller, &path.namespace, &source).await?;
            let from = SourceOut { image: image.reference.to_string(), digest: format!("sha256:{}", image.digest) };
            annotations.insert(SOURCE.to_owned(), json!(from).to_string());
            image.module
        }
        (Some(_), Some(_)) => {
            let detail = "there is a module and a `source`: send one of them".to_owned();
            return Err(bad("bad_source", detail));
        }
        (None, None) => {
            let detail = "there is neither a module nor a `source`: send the bytes of the .wasm file as the part \
                          `module`, or name an image";
            return Err(bad("bad_source", detail.to_owned()));
        }
    };
    let deployment = Deployment { annotations, ..settings.deployment(module)? };
    let (described, created) = runtime.deploy(&caller, path, deployment).await?;
    Ok(answer::set(created, FunctionOut::of(&described)))
}

fn is_json(content_type: &str) -> bool {
    content_type.split(';').next().is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case("application/json"))
}

/// The two parts of a deployment with settings; one that names an image has no module.
async fn parts(body: Body, boundary: String) -> Result<(Settings, Option<Bytes>), Problem> {
    let body = body::read(body, bounds::MAX_MODULE_BYTES + MAX_JSON_BYTES, "deployment").await?;
    let mut form = multer::Multipart::new(futures::stream::iter([Ok::<_, std::io::Error>(body)]), boundary);
    let (mut settings, mut module) = (Settings::default(), None);
    let broken = |error: multer::Error| bad("bad_multipart", format!("the parts cannot be read: {error}"));
    while let Some(field) = form.next_field().await.map_err(broken)? {
        match field.name() {
            Some("settings") => settings = query::json(&field.bytes().await.map_err(broken)?, "part `settings`")?,
            Some("module") => module = Some(field.bytes().await.map_err(broken)?),
            other => {
                let detail = format!("there is no part `{}`: send `settings` and `module`", other.unwrap_or_default());
                return Err(bad("bad_multipart", detail));
            }
        }
    }
    Ok((settings, module))
}
