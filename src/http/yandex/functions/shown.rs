//! Functions and versions as this service shows them, wherever they were deployed.

use prost_types::Duration as ProtoDuration;

use super::Functions;
use super::asynchronous;
use super::find::version_id;
use super::kept::{Kept, of_version};
use crate::http::yandex::operations::time;
use crate::http::yandex::proto::functions as f;
use crate::model::function::{Function, Version};

/// The tag that the newest version has.
pub(super) const LATEST: &str = "$latest";
/// The runtime of versions that were deployed elsewhere, and what this server runs.
pub(super) const WASM: &str = "wasm";

impl Functions {
    pub(super) fn shown(&self, function: &Function) -> f::Function {
        let Kept { description, labels, .. } = Kept::of(function);
        f::Function {
            id: function.id.to_string(),
            folder_id: function.path.namespace.to_string(),
            created_at: Some(time(function.created)),
            name: function.path.name.to_string(),
            description,
            labels,
            http_invoke_url: format!("{}/{}", self.places.base, function.id),
            status: f::function::Status::Active.into(),
        }
    }
}

/// A version of a function.
pub(super) fn version(function: &Function, version: &Version) -> f::Version {
    let kept = of_version(version).unwrap_or_else(|| elsewhere(function, version));
    let tags = tags(function, version);
    let status = if tags.is_empty() { f::version::Status::Obsolete } else { f::version::Status::Active };
    f::Version {
        id: version_id(function.id, version.number),
        function_id: function.id.to_string(),
        created_at: Some(time(version.created)),
        image_size: i64::try_from(version.module_bytes).unwrap_or(i64::MAX),
        status: status.into(),
        tags,
        ..kept
    }
}

fn tags(function: &Function, version: &Version) -> Vec<String> {
    let named = function.aliases.iter().filter(|(_, number)| **number == version.number);
    let latest = (function.latest == Some(version.number)).then(|| LATEST.to_owned());
    latest.into_iter().chain(named.map(|(alias, _)| alias.to_string())).collect()
}

/// What this service would have been told of a version that was deployed elsewhere.
fn elsewhere(function: &Function, version: &Version) -> f::Version {
    let limits = &version.limits;
    f::Version {
        runtime: WASM.to_owned(),
        entrypoint: format!("index.{}", version.entrypoint),
        resources: Some(f::Resources { memory: i64::try_from(limits.memory_bytes).unwrap_or(i64::MAX) }),
        execution_timeout: Some(ProtoDuration {
            seconds: i64::try_from(limits.timeout.as_secs()).unwrap_or(i64::MAX),
            nanos: i32::try_from(limits.timeout.subsec_nanos()).unwrap_or_default(),
        }),
        environment: version.environment.clone(),
        async_invocation_config: asynchronous::shown(function, version.number),
        ..f::Version::default()
    }
}
