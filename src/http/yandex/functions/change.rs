//! Functions: made, changed, deleted. None of it takes long, so the operations are done when they are shown.

use std::collections::BTreeSet;

use tonic::{Response, Status};
use uuid::Uuid;

use super::Functions;
use super::find::folder;
use super::kept::{self, Kept};
use crate::http::yandex::asked::Asked;
use crate::http::yandex::operations::{About, done};
use crate::http::yandex::proto::functions as f;
use crate::http::yandex::proto::operation::Operation;
use crate::http::yandex::status::{self, invalid};
use crate::model::access::{Permission, Scope};
use crate::model::names::{FunctionName, FunctionPath, Namespace};

/// What a function without a name is called, with its id behind it.
const UNNAMED: &str = "fn-";
/// Fields that an update may be about.
const UPDATED: [&str; 3] = ["name", "description", "labels"];

impl Functions {
    pub(super) async fn create_function(
        &self,
        asked: &Asked,
        request: f::CreateFunctionRequest,
    ) -> Result<Response<Operation>, Status> {
        let f::CreateFunctionRequest { folder_id, name, description, labels } = request;
        let namespace = folder(&folder_id)?;
        let is_unnamed = name.is_empty();
        // Its id is not known before it is there.
        let name = if is_unnamed { format!("{UNNAMED}{}", Uuid::new_v4()) } else { name };
        let path = FunctionPath { namespace, name: named(&name)? };
        asked.changes(format!("function {path}"));
        asked.check(&self.runtime, Permission::FunctionsEdit, &Scope::function(&path))?;
        let kept = Kept { description, labels, ..Kept::default() };
        let made = self.runtime.create_function(path.clone(), kept.annotations()).await.map_err(status::status)?;
        let function = if is_unnamed {
            let name = named(&format!("{UNNAMED}{}", made.id))?;
            self.runtime.rename_function(path, name).await.map_err(status::status)?
        } else {
            made
        };
        let id = function.id.to_string();
        let about = About { description: "Create function", namespace: &function.path.namespace, subject: &id };
        let begun = about.begun(asked, &f::CreateFunctionMetadata { function_id: id.clone() });
        done(&self.runtime, begun, &self.shown(&function)).await
    }

    pub(super) async fn update_function(
        &self,
        asked: &Asked,
        request: f::UpdateFunctionRequest,
    ) -> Result<Response<Operation>, Status> {
        let f::UpdateFunctionRequest { function_id, update_mask, name, description, labels } = request;
        let mut function = self.function(asked, &function_id, Permission::FunctionsEdit)?;
        asked.changes(format!("function {}", function.path));
        let mask = update_mask.map(|mask| mask.paths).unwrap_or_default();
        if let Some(other) = mask.iter().find(|path| !UPDATED.contains(&path.as_str())) {
            let other: String = other.chars().take(100).collect();
            return Err(invalid("update_mask", format!("there is no `{other}`: use {}", UPDATED.join(", "))));
        }
        // Without a mask everything is meant.
        let is_meant = |field: &str| mask.is_empty() || mask.iter().any(|path| path == field);
        let renamed = is_meant("name") && !name.is_empty() && name != function.path.name.to_string();
        if renamed {
            let to = FunctionPath { name: named(&name)?, namespace: function.path.namespace.clone() };
            asked.check(&self.runtime, Permission::FunctionsEdit, &Scope::function(&to))?;
            let (runtime, from) = (self.runtime.clone(), function.path.clone());
            let renamed = async move { runtime.rename_function(from, to.name).await };
            function = Box::pin(self.unbound(function.path.clone(), renamed)).await?;
        }
        if is_meant("description") || is_meant("labels") {
            let (described, labelled) = (is_meant("description"), is_meant("labels"));
            let change = move |kept: &mut Kept| {
                if described {
                    kept.description = description;
                }
                if labelled {
                    kept.labels = labels;
                }
            };
            function = kept::edit(&self.runtime, &function.path, change).await?;
        }
        let about =
            About { description: "Update function", namespace: &function.path.namespace, subject: &function_id };
        let begun = about.begun(asked, &f::UpdateFunctionMetadata { function_id: function_id.clone() });
        done(&self.runtime, begun, &self.shown(&function)).await
    }

    pub(super) async fn delete_function(
        &self,
        asked: &Asked,
        request: f::DeleteFunctionRequest,
    ) -> Result<Response<Operation>, Status> {
        let f::DeleteFunctionRequest { function_id } = request;
        let function = self.function(asked, &function_id, Permission::FunctionsEdit)?;
        asked.changes(format!("function {}", function.path));
        let (runtime, path) = (self.runtime.clone(), function.path.clone());
        self.unbound(function.path.clone(), async move { runtime.delete(path, false).await }).await?;
        self.deleted(asked, "Delete function", &function.path.namespace, &function_id).await
    }

    async fn deleted(
        &self,
        asked: &Asked,
        description: &str,
        namespace: &Namespace,
        function_id: &str,
    ) -> Result<Response<Operation>, Status> {
        let about = About { description, namespace, subject: function_id };
        let begun = about.begun(asked, &f::DeleteFunctionMetadata { function_id: function_id.to_owned() });
        done(&self.runtime, begun, &()).await
    }

    pub(super) async fn delete_a_version(
        &self,
        asked: &Asked,
        request: f::DeleteFunctionVersionRequest,
    ) -> Result<Response<Operation>, Status> {
        let f::DeleteFunctionVersionRequest { function_version_id, force } = request;
        let (function, version) = self.version(asked, &function_version_id, Permission::FunctionsEdit)?;
        let path = function.path.clone();
        asked.changes(format!("function {path} version {}", version.number));
        let tags = function.aliases.iter().filter(|(_, to)| **to == version.number).map(|(tag, _)| tag.clone());
        // Without `force` a version that has tags stays.
        let tags: BTreeSet<_> = tags.filter(|_| force).collect();
        let deleted = self.runtime.delete_version(path.clone(), version.number, tags.clone()).await;
        deleted.map_err(status::status)?;
        if !tags.is_empty() {
            let now = self.runtime.now();
            let note = move |kept: &mut Kept| tags.iter().for_each(|tag| kept.moved(tag, None, now));
            kept::edit(&self.runtime, &path, note).await?;
        }
        let id = function.id.to_string();
        let about = About { description: "Delete function version", namespace: &function.path.namespace, subject: &id };
        let metadata = f::DeleteFunctionVersionMetadata { function_version_id };
        done(&self.runtime, about.begun(asked, &metadata), &()).await
    }
}

fn named(name: &str) -> Result<FunctionName, Status> {
    name.parse().map_err(|error| invalid("name", error))
}
