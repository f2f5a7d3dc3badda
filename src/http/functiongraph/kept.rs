//! What this dialect keeps of a function that the runtime has no use for: the names under which versions were published, and
//! what was said of aliases and of asynchronous configurations. It is an annotation of the function, and goes with it.
//!
//! A published name stands for a number of the runtime's; `latest`, the head, is its newest version. Whoever names no
//! published version but a number means the runtime's own: a function deployed elsewhere has versions, too. Where that was
//! published, it is the version of that name.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, MutexGuard};

use super::destinations::Sent;
use super::error::{Code, FssError};
use super::urn::{LATEST, Urn, Which};
use crate::model::bounds;
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
    /// It was set on `latest`, and so moves with the head.
    pub(super) follows: bool,
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
    /// Where the service would log: `log_group_id` and the like, as they were sent.
    pub(super) logs: BTreeMap<String, String>,
    pub(super) on_success: Option<Sent>,
    pub(super) on_failure: Option<Sent>,
}

impl Kept {
    /// What is kept of a function; nothing of one that was deployed elsewhere.
    pub(super) fn of(runtime: &Runtime, function: &Function) -> Self {
        let text = function.annotations.get(DIALECT).map_or("{}", String::as_str);
        let mut kept: Self = serde_json::from_str(text).unwrap_or_else(|error| {
            tracing::error!(%error, function = %function.path, "what the FunctionGraph dialect kept cannot be read");
            Self::default()
        });
        kept.forget_versions(|number| runtime.describe(&function.path, &Qualifier::Version(number)).is_err());
        kept
    }

    /// A version that is gone has no name: another dialect may have deleted it, or a crash have come before this was kept.
    fn forget_versions(&mut self, is_gone: impl Fn(VersionNumber) -> bool) {
        let Self { versions, async_configs, .. } = self;
        versions.retain(|name, published| {
            let stays = !is_gone(published.number);
            if !stays {
                async_configs.remove(name);
            }
            stays
        });
    }

    /// Gives a version a name, under which goes on what was said of it by its number.
    pub(super) fn publish(&mut self, name: String, published: Published) {
        let by_number = published.number.to_string();
        if !self.versions.contains_key(&by_number)
            && let Some(said) = self.async_configs.remove(&by_number)
        {
            self.async_configs.insert(name.clone(), said);
        }
        self.versions.insert(name, published);
    }

    /// The published name of a version, or its number: what stays the same when the head moves on.
    pub(super) fn fixed_name_of(&self, number: VersionNumber) -> String {
        let published = self.versions.iter().find(|(_, published)| published.number == number);
        published.map_or_else(|| number.to_string(), |(name, _)| name.clone())
    }

    /// Whether an alias moves with the head.
    pub(super) fn follows(&self, alias: &AliasName) -> bool {
        self.aliases.get(alias).is_some_and(|alias| alias.follows)
    }

    /// What a version is called here: its published name, `latest` for the head, or its number.
    pub(super) fn name_of(&self, function: &Function, number: VersionNumber) -> String {
        let is_published = self.versions.values().any(|published| published.number == number);
        if function.latest == Some(number) && !is_published {
            return LATEST.to_owned();
        }
        self.fixed_name_of(number)
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
    let kept = Kept::of(runtime, &function);
    match &urn.which {
        Which::Whole | Which::Latest => Ok(Qualifier::Latest),
        // Somebody may have deployed elsewhere since: the runtime's alias stays behind then.
        Which::Alias(alias) if kept.follows(alias) && !function.weights.contains_key(alias) => Ok(Qualifier::Latest),
        Which::Alias(alias) => Ok(Qualifier::Alias(alias.clone())),
        Which::Version(name) => match kept.number_of(&function, name) {
            Some(number) => Ok(Qualifier::Version(number)),
            None => Err(no_version(&urn.path, name)),
        },
    }
}

/// A change of what is kept, alone until it is saved or dropped.
pub(super) struct Changing<'a> {
    runtime: &'a Runtime,
    /// The function as it was when the change began.
    pub(super) function: Arc<Function>,
    pub(super) kept: Kept,
    before: Kept,
    _alone: MutexGuard<'static, ()>,
}

impl<'a> Changing<'a> {
    pub(super) async fn begin(runtime: &'a Runtime, path: &FunctionPath) -> Result<Self, FssError> {
        let alone = CHANGING.lock().await;
        let function = runtime.function(path)?;
        let kept = Kept::of(runtime, &function);
        Ok(Self { runtime, function, before: kept.clone(), kept, _alone: alone })
    }

    /// Refuses what would be too much to keep. Ask before what goes with it is done.
    pub(super) fn fits(&self) -> Result<(), FssError> {
        let (bytes, most) = (self.text()?.len(), bounds::MAX_ANNOTATION_BYTES);
        if bytes <= most {
            return Ok(());
        }
        let message = format!(
            "what is kept of the function's versions, aliases and asynchronous configurations would have {bytes} bytes, and may \
             have {most}: send shorter texts, or delete some of them"
        );
        Err(FssError::parameter(message))
    }

    fn text(&self) -> Result<String, FssError> {
        serde_json::to_string(&self.kept)
            .map_err(|error| FssError::new(Code::INTERNAL, format!("what is kept is no JSON: {error}")))
    }

    pub(super) async fn save(self) -> Result<(), FssError> {
        if self.kept == self.before {
            return Ok(());
        }
        let text = self.text()?;
        self.runtime.annotate_function(&self.function.path, DIALECT, Some(text)).await?;
        Ok(())
    }
}

/// Changes what is kept of a function.
pub(super) async fn change<T>(
    runtime: &Runtime,
    path: &FunctionPath,
    change: impl FnOnce(&Function, &mut Kept) -> Result<T, FssError>,
) -> Result<T, FssError> {
    let mut changing = Changing::begin(runtime, path).await?;
    let done = change(&changing.function, &mut changing.kept)?;
    changing.save().await?;
    Ok(done)
}

/// The refusal of a version that is not there.
pub(super) fn no_version(path: &FunctionPath, version: &str) -> FssError {
    let version: String = version.chars().take(60).collect();
    let message = format!("function '{}' has no version '{version}'", path.name.base());
    FssError::new(Code::VERSION_UNKNOWN, message)
}
