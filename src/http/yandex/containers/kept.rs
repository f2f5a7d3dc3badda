//! What this dialect keeps of containers and their revisions beside what they are to the runtime: a container is a function
//! that says so, a revision one of its versions.

use std::collections::BTreeMap;
use std::sync::Arc;

use prost::Name as _;
use prost_reflect::DynamicMessage;
use serde::{Deserialize, Serialize};
use tonic::Status;

use super::super::functions::kept::{DIALECT, rewrite};
use super::super::proto::access::{AccessBinding, Subject};
use super::super::proto::containers::Revision;
use super::super::proto::{self, POOL};
use crate::model::function::{Annotations, Function, Version};
use crate::model::names::FunctionPath;
use crate::runtime::Runtime;

/// What is kept of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// That it is one.
    container: bool,
    #[serde(default)]
    pub(super) description: String,
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    /// Roles of others on it. They give nobody anything here.
    #[serde(default)]
    bindings: Vec<Binding>,
}

/// A role of somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Binding {
    role: String,
    #[serde(rename = "subject")]
    id: String,
    #[serde(rename = "subject_type")]
    kind: String,
}

impl Kept {
    /// Of a container that is to be.
    pub(super) fn new(description: String, labels: BTreeMap<String, String>) -> Self {
        Self { container: true, description, labels, bindings: Vec::new() }
    }

    /// What is kept of a container; `None` of a function that is none.
    pub(super) fn of(function: &Function) -> Option<Self> {
        let kept: Self = serde_json::from_str(function.annotations.get(DIALECT)?).ok()?;
        kept.container.then_some(kept)
    }

    /// As an annotation of a container that is to be.
    pub(super) fn annotations(&self) -> Result<Annotations, Status> {
        Ok(Annotations::from([(DIALECT.to_owned(), self.text()?)]))
    }

    fn text(&self) -> Result<String, Status> {
        serde_json::to_string(self).map_err(|error| Status::internal(error.to_string()))
    }

    pub(super) fn bindings(&self) -> impl Iterator<Item = AccessBinding> {
        self.bindings.iter().map(|Binding { role, id, kind }| AccessBinding {
            role_id: role.clone(),
            subject: Some(Subject { id: id.clone(), r#type: kind.clone() }),
        })
    }

    /// Has these bindings and no others.
    pub(super) fn set_bindings(&mut self, bindings: impl IntoIterator<Item = AccessBinding>) {
        self.bindings.clear();
        bindings.into_iter().for_each(|binding| self.add(binding));
    }

    pub(super) fn add(&mut self, binding: AccessBinding) {
        let binding = Binding::of(binding);
        if !self.bindings.contains(&binding) {
            self.bindings.push(binding);
        }
    }

    pub(super) fn remove(&mut self, binding: AccessBinding) {
        let binding = Binding::of(binding);
        self.bindings.retain(|kept| *kept != binding);
    }
}

/// Changes what is kept of a container.
pub(super) async fn edit(
    runtime: &Runtime,
    path: &FunctionPath,
    change: impl FnOnce(&mut Kept) -> Result<(), Status>,
) -> Result<Arc<Function>, Status> {
    let edited = |function: &Function| {
        let gone = || Status::not_found(format!("there is no container `{path}`"));
        let mut kept = Kept::of(function).ok_or_else(gone)?;
        change(&mut kept)?;
        kept.text()
    };
    rewrite(runtime, path, edited).await
}

impl Binding {
    fn of(binding: AccessBinding) -> Self {
        let Subject { id, r#type: kind } = binding.subject.unwrap_or_default();
        Self { role: binding.role_id, id, kind }
    }
}

/// Whether a function is a container, so that those who show functions leave it out.
pub(in crate::http::yandex) fn is_container(function: &Function) -> bool {
    Kept::of(function).is_some()
}

/// A revision as it is kept with the version that it is.
pub(super) fn annotations(revision: &Revision) -> Result<Annotations, Status> {
    let text = serde_json::to_string(&proto::dynamic(revision)).map_err(|error| Status::internal(error.to_string()))?;
    Ok(Annotations::from([(DIALECT.to_owned(), text)]))
}

/// What was kept of a revision. Of a version that was deployed in another way there is nothing.
pub(super) fn revision(version: &Version) -> Revision {
    let read = |text: &String| {
        let descriptor = POOL.get_message_by_name(&Revision::full_name())?;
        let mut json = serde_json::Deserializer::from_str(text);
        DynamicMessage::deserialize(descriptor, &mut json).ok()?.transcode_to().ok()
    };
    version.annotations.get(DIALECT).and_then(read).unwrap_or_default()
}
