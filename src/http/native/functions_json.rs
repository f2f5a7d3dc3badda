//! How functions and their versions look in JSON.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::async_config::ConfigOut;
use super::grants::GrantsText;
use crate::model::function::{Function, Space, Version, Weights};
use crate::model::grant::MissingGrant;
use crate::model::names::VersionNumber;
use crate::model::time::whole_ms;
use crate::runtime::Described;

/// Where a version keeps which image it was pulled from.
pub(super) const SOURCE: &str = "oci";

/// A function as it is answered, with the version that was asked for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Function)]
pub(super) struct FunctionOut {
    id: String,
    namespace: String,
    name: String,
    urn: String,
    #[schema(format = DateTime)]
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
pub(super) struct VersionOut {
    #[schema(value_type = u32)]
    version: VersionNumber,
    #[schema(format = DateTime)]
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
    instance_concurrency: Option<u32>,
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
pub(super) struct SourceOut {
    /// What it was called.
    pub(super) image: String,
    /// The digest of its manifest.
    pub(super) digest: String,
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
    pub(super) functions: Vec<FunctionOut>,
    pub(super) next_cursor: Option<String>,
}

/// The versions of a function.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Versions)]
pub(super) struct VersionsOut {
    pub(super) versions: Vec<VersionOut>,
}

impl FunctionOut {
    pub(super) fn of(described: &Described) -> Self {
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
    pub(super) fn of(function: &Function, version: &Version) -> Self {
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
            instance_concurrency: version.instance_concurrency.map(NonZeroU32::get),
            wasi_0_3: version.wasi_0_3,
            core_dump: version.core_dump,
            cgi: version.cgi,
            grants: GrantsText::of(&version.grants),
            source: version.annotations.get(SOURCE).and_then(|text| serde_json::from_str(text).ok()),
            async_config: ConfigOut::of_version(function, version.number),
        }
    }
}

impl SpaceOut {
    fn of(space: Space) -> Self {
        let Space { table_elements, instances, handles, log_bytes, result_bytes } = space;
        Self { table_elements, instances, handles, log_bytes, result_bytes }
    }
}
