//! What this dialect keeps of a function and of a version that the runtime has no use for: annotations, in JSON. They live
//! and die with what they stand on.

use std::collections::BTreeMap;
use std::sync::Arc;

use prost_reflect::DynamicMessage;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tonic::Status;

use crate::http::yandex::proto::{POOL, dynamic, functions as f};
use crate::http::yandex::{rest, status};
use crate::model::function::{Annotations, Function, Version};
use crate::model::names::{AliasName, FunctionPath, VersionNumber};
use crate::model::time::Timestamp;
use crate::runtime::Runtime;

/// The name of this dialect's annotations.
pub(in crate::http::yandex) const DIALECT: &str = "yandex";
/// Changes are made one at a time: each reads all that is kept, and writes it again.
static CHANGING: Mutex<()> = Mutex::const_new(());
/// Moves of tags that are kept of a function; the oldest give way.
const MAX_MOVES: usize = 200;

/// What is kept of a function.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::http::yandex) struct Kept {
    pub(super) description: String,
    pub(super) labels: BTreeMap<String, String>,
    /// By tag.
    pub(super) scaling: BTreeMap<String, Scaling>,
    pub(super) bindings: Vec<Binding>,
    /// Where tags have been, the oldest first.
    pub(super) moves: Vec<Move>,
    /// Of a function that is a container: what its service keeps. Such is none of this service's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::http::yandex) container: Option<serde_json::Value>,
}

/// A scaling policy. Nothing here scales by it: an instance is made when there is something to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Scaling {
    pub(super) created: Timestamp,
    pub(super) modified: Timestamp,
    pub(super) provisioned_instances: i64,
    pub(super) zone_instances: i64,
    pub(super) zone_requests: i64,
}

/// A role that somebody has on the function.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Binding {
    pub(super) role: String,
    pub(super) subject: String,
    /// What kind of somebody: `serviceAccount`, `system`, `userAccount`.
    pub(super) subject_type: String,
}

/// A time during which a tag was on a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Move {
    pub(super) tag: AliasName,
    pub(super) number: VersionNumber,
    pub(super) from: Timestamp,
    /// `None` while it is there.
    pub(super) to: Option<Timestamp>,
}

impl Kept {
    /// What is kept of a function; nothing of one that was deployed elsewhere.
    pub(in crate::http::yandex) fn of(function: &Function) -> Self {
        let text = function.annotations.get(DIALECT).map_or("{}", String::as_str);
        serde_json::from_str(text).unwrap_or_else(|error| {
            tracing::error!(%error, function = %function.path, "what the Yandex dialect kept cannot be read");
            Self::default()
        })
    }

    /// Whether a function is another service's.
    pub(super) fn is_elsewhere(function: &Function) -> bool {
        function.annotations.get(DIALECT).is_some_and(|text| text.contains("\"container\""))
            && Self::of(function).container.is_some()
    }

    pub(in crate::http::yandex) fn text(&self) -> String {
        serde_json::to_string(self).expect("plain data in memory")
    }

    pub(in crate::http::yandex) fn annotations(&self) -> Annotations {
        Annotations::from([(DIALECT.to_owned(), self.text())])
    }

    /// Notes that a tag is on a version from now on, or on none.
    pub(super) fn moved(&mut self, tag: &AliasName, to: Option<VersionNumber>, now: Timestamp) {
        for there in self.moves.iter_mut().filter(|there| there.tag == *tag && there.to.is_none()) {
            there.to = Some(now);
        }
        self.moves.extend(to.map(|number| Move { tag: tag.clone(), number, from: now, to: None }));
        let too_many = self.moves.len().saturating_sub(MAX_MOVES);
        self.moves.drain(..too_many);
    }
}

/// Changes what is kept of a function.
pub(super) async fn edit(
    runtime: &Runtime,
    path: &FunctionPath,
    change: impl FnOnce(&mut Kept),
) -> Result<Arc<Function>, Status> {
    let edited = |function: &Function| {
        let mut kept = Kept::of(function);
        change(&mut kept);
        Ok(kept.text())
    };
    rewrite(runtime, path, edited).await
}

/// Has something else kept of a function, or of a container, which is made of what is.
pub(in crate::http::yandex) async fn rewrite(
    runtime: &Runtime,
    path: &FunctionPath,
    edited: impl FnOnce(&Function) -> Result<String, Status>,
) -> Result<Arc<Function>, Status> {
    let _changing = CHANGING.lock().await;
    let text = edited(&*runtime.function(path).map_err(status::status)?)?;
    runtime.annotate_function(path, DIALECT, Some(text)).await.map_err(status::status)
}

/// What is kept of a version: as its service shows it, but for what follows from the runtime.
pub(super) fn of_version(version: &Version) -> Option<f::Version> {
    let text = version.annotations.get(DIALECT)?;
    let read = || {
        let json = serde_json::from_str(text).ok()?;
        let descriptor = POOL.get_message_by_name("yandex.cloud.serverless.functions.v1.Version")?;
        rest::of_json(&descriptor, &json).ok()?.transcode_to().ok()
    };
    let kept = read();
    if kept.is_none() {
        tracing::error!(version = %version.number, "what the Yandex dialect kept of a version cannot be read");
    }
    kept
}

/// The same as an annotation.
pub(super) fn version_annotations(version: &f::Version) -> Result<Annotations, Status> {
    let message: DynamicMessage = dynamic(version);
    let text = serde_json::to_string(&message).map_err(|error| Status::internal(error.to_string()))?;
    Ok(Annotations::from([(DIALECT.to_owned(), text)]))
}
