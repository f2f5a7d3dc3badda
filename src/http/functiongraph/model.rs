//! A version of a function as this service shows it. What was said when it was deployed here comes back as it was; what
//! was deployed elsewhere is shown with what it comes nearest to.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha512};
use tokio::task::spawn_blocking;

use super::error::{Code, FssError};
use super::handler;
use super::json::time;
use super::kept::{DIALECT, Kept};
use super::request::Call;
use super::urn::{LATEST, Urn, Which};
use crate::model::bounds;
use crate::model::function::{Function, Version};
use crate::model::names::Qualifier;
use crate::model::time::whole_ms;
use crate::registry::Deployment;
use crate::runtime::Described;

/// What is kept of a version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct VersionKept {
    /// The fields that were sent, as they were.
    pub(super) fields: Map<String, Value>,
    pub(super) code_type: String,
    pub(super) code_filename: String,
    pub(super) code_url: String,
    /// SHA-512 of the module, in hexadecimal digits.
    pub(super) sha512: String,
}

impl VersionKept {
    /// What is kept of a version; what it comes nearest to where it was deployed elsewhere.
    pub(super) fn of(version: &Version) -> Self {
        match version.annotations.get(DIALECT).map(|text| serde_json::from_str(text)) {
            Some(Ok(kept)) => kept,
            Some(Err(error)) => {
                tracing::error!(%error, "what the FunctionGraph dialect kept of a version cannot be read");
                Self::nearest(version)
            }
            None => Self::nearest(version),
        }
    }

    fn nearest(version: &Version) -> Self {
        let fields = json!({
            "runtime": "Custom",
            "timeout": whole_ms(version.limits.timeout).div_ceil(1_000),
            "handler": handler::named(&version.entrypoint),
            "memory_size": version.limits.memory_bytes.div_ceil(1_024 * 1_024),
            "user_data": json!(version.environment).to_string(),
        });
        let Value::Object(fields) = fields else { return Self::default() };
        let code = ("inline".to_owned(), "index.wasm".to_owned());
        // Of its module no other digest is known, and reading it for each look would be too much.
        Self {
            fields,
            code_type: code.0,
            code_filename: code.1,
            code_url: String::new(),
            sha512: version.digest.to_string(),
        }
    }

    /// The handler.
    pub(super) fn handler(&self) -> &str {
        self.fields.get("handler").and_then(Value::as_str).unwrap_or_default()
    }

    /// Has a deployment keep it.
    pub(super) fn keep_in(&self, deployment: &mut Deployment) -> Result<(), FssError> {
        let text = serde_json::to_string(self)
            .map_err(|error| FssError::new(Code::INTERNAL, format!("what is kept is no JSON: {error}")))?;
        if text.len() > bounds::MAX_ANNOTATION_BYTES {
            let most = bounds::MAX_ANNOTATION_BYTES;
            let message = format!("the fields together have {} bytes: they may have {most}", text.len());
            return Err(FssError::parameter(message));
        }
        deployment.annotations.insert(DIALECT.to_owned(), text);
        Ok(())
    }
}

/// SHA-512 of a module, in hexadecimal digits.
pub(super) async fn sha512(module: bytes::Bytes) -> String {
    let digest = spawn_blocking(move || format!("{:x}", Sha512::digest(&module)));
    digest.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

/// The version that a request is about, and what it is called in the answer: `latest` where the URN does not say more.
pub(super) fn asked(call: &Call) -> Result<(Described, String), FssError> {
    let urn = call.urn()?;
    let described = call.runtime.describe(&urn.path, &qualifier(call, urn)?)?;
    let name = match urn.which {
        Which::Whole | Which::Latest => LATEST.to_owned(),
        Which::Version(_) | Which::Alias(_) => {
            Kept::of(&call.runtime, &described.function).name_of(&described.function, described.version.number)
        }
    };
    Ok((described, name))
}

fn qualifier(call: &Call, urn: &Urn) -> Result<Qualifier, FssError> {
    super::kept::qualifier(&call.runtime, urn)
}

/// A version under this name.
pub(super) fn shown(described: &Described, name: &str) -> Map<String, Value> {
    let Described { function, version } = described;
    let kept = VersionKept::of(version);
    let memory = kept.fields.get("memory_size").and_then(Value::as_u64).unwrap_or_default();
    let own = json!({
        "func_id": function.id.to_string(),
        "func_urn": function.path.urn(&name),
        "func_name": function.path.name.base(),
        "domain_id": function.path.namespace.as_str(),
        "namespace": function.path.namespace.as_str(),
        "project_name": function.path.namespace.as_str(),
        "package": function.path.name.package(),
        "cpu": memory * 100 / 128,
        "code_type": kept.code_type,
        "code_url": kept.code_url,
        "code_filename": kept.code_filename,
        "code_size": version.module_bytes,
        "digest": kept.sha512,
        "version": name,
        "image_name": "",
        "last_modified": time(version.created),
        "strategy_config": strategy(function, &kept),
        "depend_list": [],
        "dependencies": [],
        "long_time": false,
    });
    let mut all = defaults();
    all.extend(kept.fields);
    if let Value::Object(own) = own {
        all.extend(own);
    }
    all
}

/// What a client finds where nobody has said anything.
fn defaults() -> Map<String, Value> {
    let defaults = json!({
        "user_data": "", "xrole": "", "app_xrole": "", "description": "", "depend_version_list": [],
        "initializer_handler": "", "initializer_timeout": 0, "enterprise_project_id": "0", "type": "v1",
    });
    if let Value::Object(defaults) = defaults { defaults } else { Map::new() }
}

/// How many instances there may be is the function's, of all versions.
fn strategy(function: &Function, kept: &VersionKept) -> Value {
    let limit = function.queue.concurrency.map_or(-1, |limit| i64::from(limit.get()));
    let concurrency = if function.disabled { 0 } else { limit };
    let said = kept.fields.get("strategy_config").and_then(|said| said.get("concurrent_num"));
    json!({ "concurrency": concurrency, "concurrent_num": said.and_then(Value::as_i64).unwrap_or(1) })
}
