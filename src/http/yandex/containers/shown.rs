//! Containers and revisions as clients see them.

use prost_types::Duration as ProtoDuration;

use super::super::endpoints::Places;
use super::super::operations::time;
use super::super::proto::containers::{Container, Image, Resources, Revision, Runtime, container, revision, runtime};
use super::kept::{self, Kept};
use crate::model::entrypoint::Entrypoint;
use crate::model::function::{Function, Version};
use crate::model::names::{AliasName, VersionNumber};

/// The alias that a rollback sets; without it the newest revision is the active one.
pub(super) const ACTIVE: &str = "active";
/// What stands in front of the id in the name of a container that was given none.
const NAMELESS: &str = "fn-";

/// The name that a container without one has here.
pub(super) fn nameless(id: &str) -> String {
    format!("{NAMELESS}{id}")
}

pub(super) fn active_alias() -> Option<AliasName> {
    ACTIVE.parse().ok()
}

/// The revision that is run.
pub(super) fn active(function: &Function) -> Option<VersionNumber> {
    let set = active_alias().and_then(|alias| function.aliases.get(&alias).copied());
    set.or(function.latest)
}

pub(super) fn container(function: &Function, kept: &Kept, places: &Places) -> Container {
    let (id, name) = (function.id.to_string(), function.path.name.to_string());
    Container {
        url: format!("{}/{id}/", places.base),
        name: if name == nameless(&id) { String::new() } else { name },
        id,
        folder_id: function.path.namespace.to_string(),
        created_at: Some(time(function.created)),
        description: kept.description.clone(),
        labels: kept.labels.clone(),
        status: container::Status::Active.into(),
    }
}

/// A revision: what was asked for, and what holds of every version.
pub(super) fn revision(function: &Function, version: &Version) -> Revision {
    let kept = kept::revision(version);
    let is_active = active(function) == Some(version.number);
    let status = if is_active { revision::Status::Active } else { revision::Status::Obsolete };
    let http = Runtime { r#type: Some(runtime::Type::Http(runtime::Http {})) };
    Revision {
        id: format!("{}-{}", function.id, version.number),
        container_id: function.id.to_string(),
        created_at: Some(time(version.created)),
        status: status.into(),
        image: kept.image.or_else(|| Some(of_version(version))),
        resources: kept.resources.or_else(|| Some(resources(version))),
        execution_timeout: kept.execution_timeout.or_else(|| timeout(version)),
        concurrency: kept.concurrency.max(1),
        runtime: kept.runtime.or(Some(http)),
        ..kept
    }
}

/// The image of a version that was deployed in another way.
fn of_version(version: &Version) -> Image {
    let args = super::super::proto::containers::Args { args: version.arguments.clone() };
    Image {
        image_digest: format!("sha256:{}", version.digest),
        args: (version.entrypoint == Entrypoint::Command && !version.arguments.is_empty()).then_some(args),
        environment: version.environment.clone(),
        ..Image::default()
    }
}

fn resources(version: &Version) -> Resources {
    let memory = i64::try_from(version.limits.memory_bytes).unwrap_or(i64::MAX);
    Resources { memory, cores: 1, core_fraction: 100 }
}

fn timeout(version: &Version) -> Option<ProtoDuration> {
    ProtoDuration::try_from(version.limits.timeout).ok()
}
