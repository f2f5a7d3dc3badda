//! What this dialect keeps of a function that the runtime has no use for: the names under which versions were published, and
//! what was said of aliases and of asynchronous configurations. It is an annotation of the function, and goes with it.
//!
//! A published name stands for a number of the runtime's; `latest`, the head, is its newest version. Whoever names no
//! published version but a number means the runtime's own: a function deployed elsewhere has versions, too.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::error::{Code, FssError};
use super::urn::{LATEST, Urn, Which};
use crate::model::function::Function;
use crate::model::names::{AliasName, FunctionPath, Qualifier, VersionNumber};
use crate::model::time::Timestamp;
use crate::runtime::Runtime;

/// The name of this dialect's annotations.
pub(super) const DIALECT: &str = "functiongraph";
/// Changes are made one at a time: each reads all that is kept, and writes it again.
static CHANGING: Mutex<()> = Mutex::const_new(());

/// What is kept of a function.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Kept {
    /// Versions by the names under which they were published.
    pub(super) versions: BTreeMap<String, Published>,
    /// What was said of aliases.
    pub(super) aliases: BTreeMap<AliasName, AliasKept>,
    /// What was said of asynchronous configurations, by version; `latest` is the function's own.
    pub(super) async_configs: BTreeMap<String, AsyncKept>,
}

/// A published version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Published {
    pub(super) number: VersionNumber,
    pub(super) description: String,
    pub(super) at: Timestamp,
}

/// What an alias has besides what it names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct AliasKept {
    pub(super) description: String,
    pub(super) modified: Timestamp,
    /// `additional_version_strategy` as it was sent.
    pub(super) strategy: Option<serde_json::Value>,
}

/// What an asynchronous configuration has besides what the runtime does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct AsyncKept {
    pub(super) created: Timestamp,
    pub(super) modified: Timestamp,
    pub(super) status_log: bool,
}

impl Kept {
    /// What is kept of a function; nothing of one that was deployed elsewhere.
    pub(super) fn of(function: &Function) -> Self {
        let text = function.annotations.get(DIALECT).map_or("{}", String::as_str);
        serde_json::from_str(text).unwrap_or_else(|error| {
            tracing::error!(%error, function = %function.path, "what the FunctionGraph dialect kept cannot be read");
            Self::default()
        })
    }

    /// What a version is called here: its published name, `latest` for the head, or its number.
    pub(super) fn name_of(&self, function: &Function, number: VersionNumber) -> String {
        match self.versions.iter().find(|(_, published)| published.number == number) {
            Some((name, _)) => name.clone(),
            None if function.latest == Some(number) => LATEST.to_owned(),
            None => number.to_string(),
        }
    }

    /// The version that is called so; `None` where there is none.
    pub(super) fn number_of(&self, function: &Function, name: &str) -> Option<VersionNumber> {
        match self.versions.get(name) {
            _ if name == LATEST => function.latest,
            Some(published) => Some(published.number),
            None => name.parse().ok(), // the runtime says whether there is one
        }
    }
}

/// What a URN means to the runtime. The function is there; whether the version is, is the runtime's to say.
pub(super) fn qualifier(runtime: &Runtime, urn: &Urn) -> Result<Qualifier, FssError> {
    let function = runtime.function(&urn.path)?;
    match &urn.which {
        Which::Whole | Which::Latest => Ok(Qualifier::Latest),
        Which::Alias(alias) => Ok(Qualifier::Alias(alias.clone())),
        Which::Version(name) => match Kept::of(&function).number_of(&function, name) {
            Some(number) => Ok(Qualifier::Version(number)),
            None => Err(no_version(&urn.path, name)),
        },
    }
}

/// Changes what is kept of a function.
pub(super) async fn change<T>(
    runtime: &Runtime,
    path: &FunctionPath,
    change: impl FnOnce(&Function, &mut Kept) -> Result<T, FssError>,
) -> Result<T, FssError> {
    let _changing = CHANGING.lock().await;
    let function = runtime.function(path)?;
    let before = Kept::of(&function);
    let mut kept = before.clone();
    let done = change(&function, &mut kept)?;
    if kept != before {
        let text = serde_json::to_string(&kept)
            .map_err(|error| FssError::new(Code::INTERNAL, format!("what is kept is no JSON: {error}")))?;
        runtime.annotate_function(path, DIALECT, Some(text)).await?;
    }
    Ok(done)
}

/// The refusal of a version that is not there.
pub(super) fn no_version(path: &FunctionPath, version: &str) -> FssError {
    let version: String = version.chars().take(60).collect();
    let message = format!("function '{}' has no version '{version}'", path.name.base());
    FssError::new(Code::VERSION_UNKNOWN, message)
}
