//! `/v1/functions`: deploy, show, list, delete, versions, aliases.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::async_config::{ConfigIn, ConfigOut, MAX_JSON_BYTES};
use super::grants::GrantsText;
use super::openapi::values;
use super::query::{self, Named, Page, Path, Within, bad};
use crate::access::Caller;
use crate::http::body;
use crate::http::problem::Problem;
use crate::model::bounds;
use crate::model::entrypoint::Wanted;
use crate::model::function::{Annotations, Function, Limits, Space, Version, Weights};
use crate::model::grant::MissingGrant;
use crate::model::names::{FunctionPath, Namespace, Qualifier, VersionNumber};
use crate::model::time::whole_ms;
use crate::oci::InvalidReference;
use crate::registry::Deployment;
use crate::runtime::{Described, Runtime, Source};

/// Where a version keeps which image it was pulled from.
const SOURCE: &str = "oci";

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

/// A function as it is answered, with the version that was asked for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Function)]
pub(super) struct FunctionOut {
    id: String,
    namespace: String,
    name: String,
    urn: String,
    created_at: String,
    #[schema(value_type = u32)]
    latest: VersionNumber,
    #[schema(value_type = BTreeMap<String, u32>)]
    aliases: BTreeMap<String, VersionNumber>,
    /// Of a hundred invocations of an alias, how many go to which other versions; aliases without are left out.
    #[schema(value_type = BTreeMap<String, BTreeMap<String, u8>>)]
    weights: BTreeMap<String, Weights>,
    disabled: bool,
    version: VersionOut,
    /// What applies to that version.
    async_config: ConfigOut,
    /// What applies to versions without a configuration of their own.
    function_config: ConfigOut,
    missing_grants: Vec<MissingOut>,
}

/// An import that nothing but refusals will come of, and the flag of `deploy` that changes that.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MissingGrant)]
struct MissingOut {
    import: String,
    needs: &'static str,
}

/// A version as it is answered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Version)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own, made by people")]
struct VersionOut {
    #[schema(value_type = u32)]
    version: VersionNumber,
    created_at: String,
    digest: String,
    module_bytes: u64,
    entrypoint: String,
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
    memory_bytes: u64,
    timeout_ms: u64,
    concurrency: Option<u32>,
    fuel: Option<u64>,
    space: SpaceOut,
    debug_info: bool,
    reuse: Option<u32>,
    wasi_0_3: bool,
    core_dump: bool,
    cgi: bool,
    grants: GrantsText,
    source: Option<SourceOut>,
    /// The asynchronous configuration that is its own, which wins over the function's.
    async_config: Option<ConfigOut>,
}

/// The image that a version was pulled from.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[schema(as = Source)]
struct SourceOut {
    /// What it was called.
    image: String,
    /// The digest of its manifest.
    digest: String,
}

/// What an attempt of it may take besides memory.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Space)]
struct SpaceOut {
    table_elements: u32,
    instances: u32,
    handles: u32,
    log_bytes: u32,
    result_bytes: u32,
}

/// A page of functions.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Functions)]
pub(super) struct FunctionsOut {
    functions: Vec<FunctionOut>,
    next_cursor: Option<String>,
}

/// The versions of a function.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Versions)]
pub(super) struct VersionsOut {
    versions: Vec<VersionOut>,
}

impl FunctionOut {
    fn of(described: &Described) -> Self {
        let Described { function, version } = described;
        Self {
            id: function.id.to_string(),
            namespace: function.path.namespace.to_string(),
            name: function.path.name.to_string(),
            urn: function.path.urn(&version.number),
            created_at: function.created.to_string(),
            latest: function.latest.unwrap_or(version.number),
            aliases: function.aliases.iter().map(|(alias, number)| (alias.to_string(), *number)).collect(),
            weights: function.weights.iter().map(|(alias, weights)| (alias.to_string(), weights.clone())).collect(),
            disabled: function.disabled,
            version: VersionOut::of(function, version),
            async_config: ConfigOut::of(function, version.number),
            function_config: ConfigOut::of_function(function),
            missing_grants: version.grants.missing(&version.wants).into_iter().map(MissingOut::of).collect(),
        }
    }
}

impl MissingOut {
    fn of(missing: MissingGrant<'_>) -> Self {
        Self { import: missing.import.to_owned(), needs: missing.needs }
    }
}

impl VersionOut {
    fn of(function: &Function, version: &Version) -> Self {
        Self {
            version: version.number,
            created_at: version.created.to_string(),
            digest: format!("sha256:{}", version.digest),
            module_bytes: version.module_bytes,
            entrypoint: version.entrypoint.to_string(),
            arguments: version.arguments.clone(),
            environment: version.environment.clone(),
            memory_bytes: version.limits.memory_bytes,
            timeout_ms: whole_ms(version.limits.timeout),
            concurrency: version.limits.concurrency.map(NonZeroU32::get),
            fuel: version.limits.fuel,
            space: SpaceOut::of(version.limits.space),
            debug_info: version.debug_info,
            reuse: version.reuse.map(NonZeroU32::get),
            wasi_0_3: version.wasi_0_3,
            core_dump: version.core_dump,
            cgi: version.cgi,
            grants: GrantsText::of(&version.grants),
            source: version.annotations.get(SOURCE).and_then(|text| serde_json::from_str(text).ok()),
            async_config: ConfigOut::of_version(function, version.number),
        }
    }
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

impl SpaceOut {
    fn of(space: Space) -> Self {
        let Space { table_elements, instances, handles, log_bytes, result_bytes } = space;
        Self { table_elements, instances, handles, log_bytes, result_bytes }
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
            reuse: self.reuse.map(reuse).transpose()?,
            core_dump: self.core_dump,
            cgi: self.cgi,
            config: self.async_config.map(ConfigIn::meant).transpose()?,
            annotations: Annotations::new(),
            always: false,
        })
    }
}

/// Zero is no number of invocations, and is refused as one that is out of range.
fn reuse(asked: u32) -> Result<NonZeroU32, Problem> {
    bounds::within("reuse", asked, &bounds::REUSE).map_err(|error| bad("bad_range", error.to_string()))?;
    Ok(NonZeroU32::new(asked).unwrap_or(NonZeroU32::MIN))
}

pub(super) async fn deploy(
    State(runtime): State<Runtime>,
    caller: Caller,
    Path(name): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<FunctionOut>), Problem> {
    let path = named(&uri, &name)?;
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
            let image = runtime.pull(&path.namespace, &source).await?;
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
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(FunctionOut::of(&described))))
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

pub(super) async fn show(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Json<FunctionOut>, Problem> {
    let named: Named = query::query(&uri)?;
    let path = query::path(named.namespace.as_deref(), &name)?;
    let qualifier = named.qualifier.as_deref().map(query::parsed).transpose()?.unwrap_or_default();
    Ok(Json(FunctionOut::of(&runtime.describe(&path, &qualifier)?)))
}

/// The bytes of a version's module.
pub(super) async fn module(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Response, Problem> {
    let named: Named = query::query(&uri)?;
    let path = query::path(named.namespace.as_deref(), &name)?;
    let qualifier = named.qualifier.as_deref().map(query::parsed).transpose()?.unwrap_or_default();
    let module = runtime.module(&path, &qualifier).await?;
    Ok(([(CONTENT_TYPE, "application/wasm")], module).into_response())
}

pub(super) async fn list(
    State(runtime): State<Runtime>,
    caller: Caller,
    uri: Uri,
) -> Result<Json<FunctionsOut>, Problem> {
    let page: Page = query::query(&uri)?;
    let namespace = page.namespace.as_deref().map(query::parsed::<Namespace>).transpose()?;
    let after = page.cursor.as_deref().map(behind).transpose()?;
    let listed = runtime.functions(&caller, namespace.as_ref(), after.as_ref(), query::limit(page.limit)?);
    let functions = listed.functions.iter().map(FunctionOut::of).collect();
    let next_cursor = listed.next.map(|path| format!("{}/{}", path.namespace, path.name));
    Ok(Json(FunctionsOut { functions, next_cursor }))
}

/// Where a page of functions goes on: the last name of the page before.
fn behind(cursor: &str) -> Result<FunctionPath, Problem> {
    match cursor.split_once('/') {
        Some((namespace, name)) => query::path(Some(namespace), name),
        None => Err(bad("bad_cursor", format!("`{cursor}` is not a cursor: take `next_cursor` as it is"))),
    }
}

pub(super) async fn versions(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Json<VersionsOut>, Problem> {
    let path = named(&uri, &name)?;
    let (function, versions) = (runtime.function(&path)?, runtime.versions(&path)?);
    let versions = versions.iter().map(|version| VersionOut::of(&function, version)).collect();
    Ok(Json(VersionsOut { versions }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Deletion {
    namespace: Option<String>,
    #[serde(default)]
    force: bool,
}

pub(super) async fn delete(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<StatusCode, Problem> {
    let deletion: Deletion = query::query(&uri)?;
    runtime.delete(query::path(deletion.namespace.as_deref(), &name)?, deletion.force).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Where an alias is to point.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AliasSettings)]
pub(super) struct AliasIn {
    #[schema(schema_with = values::version)]
    version: VersionNumber,
    /// Of a hundred invocations, how many go to which other versions; the rest goes to `version`.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, u8>)]
    weights: Weights,
}

pub(super) async fn set_alias(
    State(runtime): State<Runtime>,
    Path((name, alias)): Path<(String, String)>,
    uri: Uri,
    body: Body,
) -> Result<Json<FunctionOut>, Problem> {
    let path = named(&uri, &name)?;
    let body = body::read(body, MAX_JSON_BYTES, "alias").await?;
    let to: AliasIn = query::json(&body, "alias")?;
    let described = runtime.alias(&path, query::parsed(&alias)?, Some((to.version, to.weights))).await?;
    Ok(Json(FunctionOut::of(&described)))
}

pub(super) async fn disable(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Json<FunctionOut>, Problem> {
    disabled(&runtime, named(&uri, &name)?, true).await
}

pub(super) async fn enable(
    State(runtime): State<Runtime>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Json<FunctionOut>, Problem> {
    disabled(&runtime, named(&uri, &name)?, false).await
}

async fn disabled(runtime: &Runtime, path: FunctionPath, disabled: bool) -> Result<Json<FunctionOut>, Problem> {
    runtime.describe(&path, &Qualifier::Latest)?; // one without a version is not shown here
    runtime.disable_function(&path, disabled).await?;
    Ok(Json(FunctionOut::of(&runtime.describe(&path, &Qualifier::Latest)?)))
}

pub(super) async fn delete_alias(
    State(runtime): State<Runtime>,
    Path((name, alias)): Path<(String, String)>,
    uri: Uri,
) -> Result<StatusCode, Problem> {
    let path = named(&uri, &name)?;
    runtime.alias(&path, query::parsed(&alias)?, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn named(uri: &Uri, name: &str) -> Result<FunctionPath, Problem> {
    let which: Within = query::query(uri)?;
    Ok(FunctionPath { namespace: which.namespace()?, name: query::parsed(name)? })
}
