//! `F/code`: show, update.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use tokio::task::spawn_blocking;

use super::error::{Code, FssError};
use super::json::{self, Fields};
use super::model::{self, VersionKept};
use super::package::{self, CodeType};
use super::request::Call;
use super::urn::LATEST;
use super::{Answer, aliases, functions};
use crate::model::entrypoint::{Entrypoint, Wanted};
use crate::model::names::{FunctionPath, Qualifier};
use crate::registry::{Deployment, RegistryError};
use crate::runtime::{Described, Error};

/// What of a function is shown with its code.
const SHOWN: [&str; 15] = [
    "func_urn",
    "func_name",
    "domain_id",
    "runtime",
    "code_type",
    "code_url",
    "code_filename",
    "code_size",
    "digest",
    "last_modified",
    "depend_list",
    "depend_version_list",
    "strategy_config",
    "dependencies",
    "version",
];

pub(super) async fn show(call: &Call) -> Answer {
    let (described, name) = model::asked(call)?;
    Ok(json::ok(&shown(call, &described, &name).await?))
}

pub(super) async fn update(call: &Call) -> Answer {
    let path = call.head()?;
    call.runtime.describe(path, &Qualifier::Latest)?; // before megabytes are made sense of
    let body = call.fields_with_code().await?;
    while !updated(call, path, &body).await? {}
    let described = call.runtime.describe(path, &Qualifier::Latest)?;
    Ok(json::ok(&shown(call, &described, LATEST).await?))
}

async fn updated(call: &Call, path: &FunctionPath, body: &Fields) -> Result<bool, FssError> {
    let head = call.runtime.describe(path, &Qualifier::Latest)?;
    let code_type = CodeType::of(body)?;
    let before = VersionKept::of(&head.version);
    let handler = before.handler().to_owned();
    let module = package::module(call, body, code_type, &handler).await?;
    let mut deployment = functions::again(&head.version, module.clone());
    deployment.entrypoint = functions::wanted(&handler, &module).await?;
    let mut kept = VersionKept {
        code_type: code_type.as_str().to_owned(),
        code_filename: functions::filename(body, code_type)?,
        code_url: functions::url(body)?,
        sha512: model::sha512(module).await,
        ..before
    };
    if let Some(list) = body.list("depend_version_list")? {
        kept.fields.insert("depend_version_list".to_owned(), Value::from(list.clone()));
    }
    kept.keep_in(&mut deployment)?;
    make_head(call, path, deployment).await
}

/// Makes a new head of the one that there is, which the aliases of `latest` then name. Returns false where somebody else has
/// made another meanwhile: then the change is to be made again, of that one, or it would take back what they changed.
pub(super) async fn make_head(call: &Call, path: &FunctionPath, deployment: Deployment) -> Result<bool, FssError> {
    // What was CGI stays so as long as it is a command.
    let is_command = deployment.entrypoint == Some(Wanted::Entrypoint(Entrypoint::Command));
    let deployment = Deployment { cgi: deployment.cgi && is_command, ..deployment };
    match call.runtime.deploy(&call.caller, path.clone(), deployment).await {
        Err(Error::Registry(RegistryError::Overtaken { .. })) => return Ok(false),
        made => made?,
    };
    aliases::follow(&call.runtime, path).await?;
    Ok(true)
}

async fn shown(call: &Call, described: &Described, name: &str) -> Result<Map<String, Value>, FssError> {
    let number = Qualifier::Version(described.version.number);
    let module = call.runtime.module(&described.function.path, &number).await?;
    let encoded = spawn_blocking(move || STANDARD.encode(module)).await;
    let file = encoded.map_err(|error| FssError::new(Code::INTERNAL, format!("the code was not encoded: {error}")))?;
    let all = model::shown(described, name);
    let mut shown: Map<_, _> = all.into_iter().filter(|(name, _)| SHOWN.contains(&name.as_str())).collect();
    shown.insert("func_code".to_owned(), json!({ "file": file, "link": "" }));
    Ok(shown)
}
