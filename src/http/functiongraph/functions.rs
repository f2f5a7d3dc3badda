//! `/functions`: create, list, delete.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::error::{Code, FssError};
use super::json::{self, Fields, missing};
use super::kept::{self, Changing, DIALECT, Kept};
use super::model::{self, VersionKept};
use super::package::{self, CodeType};
use super::request::Call;
use super::routes::Operation;
use super::settings::Settings;
use super::urn::{LATEST, Urn, Which};
use super::{Answer, configuration, handler};
use crate::access::Caller;
use crate::model::access::Scope;
use crate::model::entrypoint::Wanted;
use crate::model::function::{Annotations, Limits, Version};
use crate::model::grant::Grants;
use crate::model::names::{FunctionName, FunctionPath, Namespace, Qualifier, TriggerName};
use crate::registry::{Deployment, RegistryError, Subject};
use crate::runtime::Error;

/// Functions of a project.
pub(super) const MAX_FUNCTIONS: usize = 400;
/// Characters of a name.
const MAX_NAME: usize = 60;

/// Functions that are being made, so that of two who make the same one is told.
static BEING_MADE: Mutex<BTreeSet<FunctionPath>> = Mutex::new(BTreeSet::new());

/// A function that is being made, as long as this lives.
struct Making(FunctionPath);

pub(super) async fn create(call: &Call) -> Answer {
    let body = call.fields_with_code().await?;
    let path = named(call, &body)?;
    let settings = Settings::read(&body)?;
    let code_type = CodeType::of(&body)?;
    let kept = VersionKept {
        code_type: code_type.as_str().to_owned(),
        code_filename: filename(&body, code_type)?,
        code_url: url(&body)?,
        fields: settings.fields.clone(),
        sha512: String::new(),
    };
    let _making = Making::begin(&path)?;
    let is_new = room(call, &path)?;
    let module = package::module(call, &body, code_type, settings.text("handler")).await?;
    let mut deployment = Deployment {
        entrypoint: wanted(settings.text("handler"), &module).await?,
        environment: settings.environment.clone().unwrap_or_default(),
        limits: settings.limits(Limits::default())?,
        ..bare(module.clone())
    };
    VersionKept { sha512: model::sha512(module).await, ..kept }.keep_in(&mut deployment)?;
    if is_new {
        let nothing = serde_json::to_string(&Kept::default()).unwrap_or_default();
        let annotations = Annotations::from([(DIALECT.to_owned(), nothing)]);
        call.runtime.create_function(path.clone(), annotations).await?;
    }
    if let Err(error) = call.runtime.deploy(&call.caller, path.clone(), deployment).await {
        call.runtime.delete_unused(path).await?;
        return Err(error.into());
    }
    if let Some(instances) = settings.instances {
        configuration::set_instances(call, &path, instances).await?;
    }
    Ok(json::ok(&model::shown(&call.runtime.describe(&path, &Qualifier::Latest)?, LATEST)))
}

/// A deployment of a module that says nothing else.
fn bare(module: Bytes) -> Deployment {
    Deployment {
        module,
        entrypoint: None,
        arguments: Vec::new(),
        environment: BTreeMap::new(),
        limits: Limits::default(),
        grants: Grants::default(),
        debug_info: false,
        reuse: None,
        core_dump: false,
        cgi: false,
        instance_concurrency: None,
        config: None,
        annotations: Annotations::new(),
        always: false,
        made_from: None,
    }
}

/// A deployment that differs from a version in nothing but, perhaps, its module.
pub(super) fn again(version: &Version, module: Bytes) -> Deployment {
    Deployment {
        entrypoint: Some(Wanted::Entrypoint(version.entrypoint.clone())),
        arguments: version.arguments.clone(),
        environment: version.environment.clone(),
        limits: version.limits,
        grants: version.grants.clone(),
        debug_info: version.debug_info,
        reuse: version.reuse,
        core_dump: version.core_dump,
        cgi: version.cgi,
        instance_concurrency: version.instance_concurrency,
        annotations: version.annotations.clone(),
        made_from: Some(version.number),
        ..bare(module)
    }
}

/// What of a module a handler means.
pub(super) async fn wanted(handler: &str, module: &Bytes) -> Result<Option<Wanted>, FssError> {
    let (handler, module) = (handler.to_owned(), module.clone());
    // Walks over tens of megabytes.
    let wanted = tokio::task::spawn_blocking(move || handler::wanted(&handler, &module)).await;
    wanted.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

impl Making {
    fn begin(path: &FunctionPath) -> Result<Self, FssError> {
        let mut all = BEING_MADE.lock().unwrap_or_else(PoisonError::into_inner);
        if all.insert(path.clone()) { Ok(Self(path.clone())) } else { Err(exists(path)) }
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        BEING_MADE.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

fn exists(path: &FunctionPath) -> FssError {
    FssError::new(Code::FUNCTION_EXISTS, format!("function '{}' exists already", path.name.base()))
}

/// Whether the function is to be made. One that was made and got no code, because its client went away, is taken up.
fn room(call: &Call, path: &FunctionPath) -> Result<bool, FssError> {
    if let Ok(function) = call.runtime.function(path) {
        let is_unfinished = function.latest.is_none() && function.annotations.contains_key(DIALECT);
        return if is_unfinished { Ok(false) } else { Err(exists(path)) };
    }
    let (all, _) = call.runtime.all_functions(&Caller::Trusted, Some(&call.project), None, MAX_FUNCTIONS);
    if all.len() < MAX_FUNCTIONS {
        return Ok(true);
    }
    let message = format!("the project has {} functions: it may have {MAX_FUNCTIONS}", all.len());
    Err(FssError::new(Code::TOO_MANY_FUNCTIONS, message))
}

/// The function that `func_name` and `package` name.
fn named(call: &Call, body: &Fields) -> Result<FunctionPath, FssError> {
    let text = |field: &'static str, code| {
        let text = body.text(field).map_err(|error| error.coded(code))?;
        text.filter(|text| !text.is_empty()).ok_or_else(|| missing(code, field))
    };
    let (name, package) = (text("func_name", Code::NAME)?, text("package", Code::PACKAGE)?);
    if name.len() > MAX_NAME {
        let message = format!("`func_name` has {} characters: use up to {MAX_NAME}", name.len());
        return Err(FssError::new(Code::NAME, message));
    }
    // The name alone first, so that what is wrong with it is not said of the package.
    FunctionName::in_package("default", name).map_err(|error| FssError::new(Code::NAME, error.to_string()))?;
    let name = FunctionName::in_package(package, name).map_err(|_| {
        let package: String = package.chars().take(60).collect();
        let form = "use letters, digits, `-` and `_`, a letter first and neither `-` nor `_` last";
        FssError::new(Code::PACKAGE, format!("`package` is `{package}`: {form}"))
    })?;
    Ok(FunctionPath { namespace: call.project.clone(), name })
}

/// What the package is called: `code_filename`, or what it would be.
pub(super) fn filename(body: &Fields, code_type: CodeType) -> Result<String, FssError> {
    let ending = match code_type {
        CodeType::Inline | CodeType::Obs => "wasm",
        CodeType::Zip => "zip",
        CodeType::Jar => "jar",
    };
    Ok(body.text("code_filename")?.filter(|name| !name.is_empty()).map_or(format!("index.{ending}"), str::to_owned))
}

pub(super) fn url(body: &Fields) -> Result<String, FssError> {
    Ok(body.text("code_url").map_err(|error| error.coded(Code::CODE_URL))?.unwrap_or_default().to_owned())
}

pub(super) fn list(call: &Call) -> Answer {
    let (marker, most) = call.page()?;
    let (package, name) = (call.asked("package_name"), call.asked("func_name"));
    let page = call.runtime.functions(&call.caller, Some(&call.project), None, usize::MAX);
    let wanted: Vec<_> = page
        .functions
        .iter()
        .filter(|it| package.is_none_or(|package| it.function.path.name.package() == package))
        .filter(|it| name.is_none_or(|name| it.function.path.name.base().contains(name)))
        .collect();
    let here: Vec<_> = wanted.iter().skip(marker).take(most).map(|it| model::shown(it, LATEST)).collect();
    Ok(json::ok(&paged("functions", &here, marker, wanted.len())))
}

/// A page of a list with its envelope.
pub(super) fn paged(name: &str, here: &[Map<String, Value>], marker: usize, count: usize) -> Value {
    let next = marker.min(count) + here.len();
    json!({ name: here, "next_marker": next, "count": count })
}

pub(super) async fn delete(call: &Call) -> Answer {
    let urn = call.urn()?;
    match &urn.which {
        Which::Whole => delete_all(call, &urn.path).await?,
        Which::Latest => {
            let message =
                "the version `latest` cannot be deleted: name another one, or leave it out to delete the function";
            return Err(FssError::parameter(message));
        }
        Which::Version(name) => delete_version(call, urn, name).await?,
        Which::Alias(alias) => super::aliases::remove(call, &urn.path, alias).await?,
    }
    Ok(json::nothing())
}

/// With a function go its triggers, where whoever asks may delete those; a function that others lead to stays.
async fn delete_all(call: &Call, path: &FunctionPath) -> Result<(), FssError> {
    let used_by = match call.runtime.delete(path.clone(), false).await {
        Err(Error::Registry(RegistryError::InUse { used_by, .. })) => used_by,
        deleted => return Ok(deleted?),
    };
    let own: Option<Vec<TriggerName>> = used_by.iter().map(|name| own_trigger(call, name)).collect();
    let own = own.unwrap_or_default();
    if !own.is_empty() {
        let permission = Operation::DeleteTriggers.permission();
        call.runtime.check(&call.caller, permission, &Scope::Namespace(call.project.clone()))?;
    }
    for name in own {
        call.runtime.delete_trigger(call.project.clone(), name).await?;
    }
    Ok(call.runtime.delete(path.clone(), false).await?)
}

/// The trigger of the project that leads to a function, of the names of what does: `trigger:NAMESPACE/NAME`.
fn own_trigger(call: &Call, name: &str) -> Option<TriggerName> {
    let name = name.strip_prefix("trigger:")?;
    let (namespace, name) = match name.split_once('/') {
        Some((namespace, name)) => (namespace.parse().ok()?, name),
        None => (Namespace::default(), name),
    };
    if namespace == call.project { name.parse().ok() } else { None }
}

async fn delete_version(call: &Call, urn: &Urn, name: &str) -> Result<(), FssError> {
    let mut changing = Changing::begin(&call.runtime, &urn.path).await?;
    let number = changing.kept.number_of(&changing.function, name);
    let number = number.ok_or_else(|| kept::no_version(&urn.path, name))?;
    let name = changing.kept.fixed_name_of(number); // it may have been asked for by its number
    let name = name.as_str();
    let is_published = changing.kept.versions.contains_key(name);
    let follows = |alias: &_| changing.kept.follows(alias);
    let named = changing.function.aliases.iter().find(|(alias, to)| **to == number && !follows(alias));
    if let Some((alias, _)) = named {
        let message = format!("the alias '{alias}' names the version '{name}': delete the alias first");
        return Err(FssError::new(Code::CONFLICT, message));
    }
    if !is_published || changing.function.latest != Some(number) {
        call.runtime.delete_version(urn.path.clone(), number, BTreeSet::new()).await?;
    } else if changing.function.version_configs.contains_key(&number) {
        // It is the head too, which stays, and is no version by that name any more.
        call.runtime.remove_config(&urn.path, Subject::Version(number)).await?;
    }
    changing.kept.versions.remove(name);
    changing.kept.async_configs.remove(name);
    changing.save().await
}
