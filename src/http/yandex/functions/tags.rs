//! Tags: aliases of the runtime, each on one version. `$latest` is on the newest and moves by itself.

use tonic::{Response, Status};

use super::Functions;
use super::kept::{self, Kept};
use super::shown;
use crate::http::yandex::asked::Asked;
use crate::http::yandex::operations::{About, done};
use crate::http::yandex::proto::functions as f;
use crate::http::yandex::proto::operation::Operation;
use crate::http::yandex::status::{self, invalid};
use crate::model::access::Permission;
use crate::model::function::Weights;
use crate::model::names::{AliasName, FunctionPath, Qualifier, VersionNumber};

/// The alias that a tag is.
pub(super) fn alias(tag: &str) -> Result<AliasName, Status> {
    tag.parse().map_err(|error| invalid("tag", error))
}

impl Functions {
    pub(super) async fn set_a_tag(
        &self,
        asked: &Asked,
        request: f::SetFunctionTagRequest,
    ) -> Result<Response<Operation>, Status> {
        let f::SetFunctionTagRequest { function_version_id, tag } = request;
        let (function, version) = self.version(asked, &function_version_id, Permission::FunctionsEdit)?;
        let alias = alias(&tag)?;
        asked.changes(format!("function {} tag {alias}", function.path));
        self.put_tag(&function.path, &alias, version.number).await?;
        let metadata = f::SetFunctionTagMetadata { function_version_id: function_version_id.clone() };
        self.tagged(asked, "Set tag", &function_version_id, &metadata).await
    }

    pub(super) async fn remove_a_tag(
        &self,
        asked: &Asked,
        request: f::RemoveFunctionTagRequest,
    ) -> Result<Response<Operation>, Status> {
        let f::RemoveFunctionTagRequest { function_version_id, tag } = request;
        let (function, version) = self.version(asked, &function_version_id, Permission::FunctionsEdit)?;
        let alias = alias(&tag)?;
        asked.changes(format!("function {} tag {alias}", function.path));
        if function.aliases.get(&alias) != Some(&version.number) {
            return Err(Status::not_found(format!("the version `{function_version_id}` has no tag `{tag}`")));
        }
        self.runtime.alias(&function.path, alias.clone(), None).await.map_err(status::status)?;
        let now = self.runtime.now();
        kept::edit(&self.runtime, &function.path, move |kept: &mut Kept| kept.moved(&alias, None, now)).await?;
        let metadata = f::RemoveFunctionTagMetadata { function_version_id: function_version_id.clone() };
        self.tagged(asked, "Remove tag", &function_version_id, &metadata).await
    }

    /// Puts a tag on a version, from wherever it is.
    pub(super) async fn put_tag(
        &self,
        path: &FunctionPath,
        alias: &AliasName,
        number: VersionNumber,
    ) -> Result<(), Status> {
        let to = Some((number, Weights::new()));
        self.runtime.alias(path, alias.clone(), to).await.map_err(status::status)?;
        let (now, alias) = (self.runtime.now(), alias.clone());
        kept::edit(&self.runtime, path, move |kept: &mut Kept| kept.moved(&alias, Some(number), now)).await?;
        Ok(())
    }

    /// The version as it is now, as what came of an operation.
    async fn tagged(
        &self,
        asked: &Asked,
        description: &str,
        version_id: &str,
        metadata: &impl prost::Name,
    ) -> Result<Response<Operation>, Status> {
        let (function, version) = self.version(asked, version_id, Permission::FunctionsEdit)?;
        let described = self.runtime.describe(&function.path, &Qualifier::Version(version.number));
        let described = described.map_err(status::status)?;
        let id = function.id.to_string();
        let about = About { description, namespace: &function.path.namespace, subject: &id };
        let shown = shown::version(&described.function, &described.version);
        done(&self.runtime, about.begun(asked, metadata), &shown).await
    }
}
