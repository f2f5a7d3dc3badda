//! `ContainerService`: containers and their revisions. A container is a function that says so (`kept`), a revision one of its
//! versions; its image is pulled when it is deployed. What the runtime has no use for is kept, and shown again.
//!
//! The newest revision is the one that is run, unless a rollback has chosen another, which an alias then names (`shown`).

mod call;
mod deploy;
mod kept;
mod list;
mod shown;

use std::sync::Arc;

use prost_types::FieldMask;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::asked::{Asked, taken};
use super::endpoints::Places;
use super::operations::{About, done, ended, run};
use super::proto::access as a;
use super::proto::containers::container_service_server::ContainerService;
use super::proto::containers::{
    Container, CreateContainerMetadata, CreateContainerRequest, DeleteContainerMetadata, DeleteContainerRequest,
    DeployContainerRevisionMetadata, DeployContainerRevisionRequest, GetContainerRequest, GetContainerRevisionRequest,
    ListContainerOperationsRequest, ListContainerOperationsResponse, ListContainersRequest, ListContainersResponse,
    ListContainersRevisionsRequest, ListContainersRevisionsResponse, Revision, RollbackContainerMetadata,
    RollbackContainerRequest, UpdateContainerMetadata, UpdateContainerRequest,
};
use super::proto::operation::Operation;
use super::status::{self, invalid};
use crate::model::access::{Permission, Scope};
use crate::model::function::{Function, Version, Weights};
use crate::model::names::{FunctionName, FunctionPath, Namespace, Qualifier, VersionNumber};
use crate::registry::RegistryError;
use crate::runtime::{Error, Runtime};
use deploy::Order;
use kept::Kept;

pub(super) use call::call;
pub(super) use kept::is_container;

/// What of a container `Update` may change.
const CHANGEABLE: [&str; 3] = ["name", "description", "labels"];

/// The service.
pub(super) struct Containers {
    runtime: Runtime,
    places: Places,
}

impl Containers {
    pub(super) const fn new(runtime: Runtime, places: Places) -> Self {
        Self { runtime, places }
    }

    /// The container of that id, for whoever may do this with it.
    fn find(&self, asked: &Asked, id: &str, permission: Permission) -> Result<(Arc<Function>, Kept), Status> {
        let told: String = id.chars().take(100).collect();
        let unknown = || Status::not_found(format!("there is no container `{told}`"));
        let function = id.parse().ok().and_then(|id| self.runtime.function_by_id(id)).ok_or_else(unknown)?;
        let kept = Kept::of(&function).ok_or_else(unknown)?;
        asked.check(&self.runtime, permission, &Scope::function(&function.path))?;
        Ok((function, kept))
    }

    /// The revision of that id, `CONTAINER-NUMBER`.
    fn find_revision(
        &self,
        asked: &Asked,
        id: &str,
        permission: Permission,
    ) -> Result<(Arc<Function>, Arc<Version>), Status> {
        let told: String = id.chars().take(100).collect();
        let unknown = || Status::not_found(format!("there is no revision `{told}`"));
        let (container, number) = id.rsplit_once('-').ok_or_else(unknown)?;
        let number: VersionNumber = number.parse().map_err(|_| unknown())?;
        let (function, _) = self.find(asked, container, permission).map_err(|status| match status.code() {
            tonic::Code::NotFound => unknown(),
            _ => status,
        })?;
        let described = self.runtime.describe(&function.path, &Qualifier::Version(number)).map_err(|_| unknown())?;
        Ok((function, described.version))
    }

    fn shown(&self, function: &Function) -> Container {
        shown::container(function, &Kept::of(function).unwrap_or_default(), &self.places)
    }

    async fn change_bindings(
        &self,
        asked: &Asked,
        id: String,
        change: impl FnOnce(&mut Kept) -> Result<(), Status>,
    ) -> Result<Response<Operation>, Status> {
        let (function, _) = self.find(asked, &id, Permission::FunctionsEdit)?;
        asked.changes(format!("container {}", function.path));
        kept::edit(&self.runtime, &function.path, change).await?;
        let metadata = a::SetAccessBindingsMetadata { resource_id: id.clone() };
        let about = About { description: "Set access bindings", namespace: &function.path.namespace, subject: &id };
        done(&self.runtime, about.begun(asked, &metadata), &()).await
    }
}

#[tonic::async_trait]
impl ContainerService for Containers {
    async fn get(&self, request: Request<GetContainerRequest>) -> Result<Response<Container>, Status> {
        let (asked, GetContainerRequest { container_id }) = taken(request)?;
        let (function, _) = self.find(&asked, &container_id, Permission::FunctionsView)?;
        Ok(Response::new(self.shown(&function)))
    }

    async fn list(&self, request: Request<ListContainersRequest>) -> Result<Response<ListContainersResponse>, Status> {
        let (asked, request) = taken(request)?;
        self.page(&asked, &request).map(Response::new)
    }

    async fn create(&self, request: Request<CreateContainerRequest>) -> Result<Response<Operation>, Status> {
        let (asked, CreateContainerRequest { folder_id, name, description, labels }) = taken(request)?;
        let namespace = folder(&folder_id)?;
        let wanted = if name.is_empty() { shown::nameless(&Uuid::new_v4().to_string()) } else { name.clone() };
        let path = FunctionPath { namespace, name: named(&wanted)? };
        asked.check(&self.runtime, Permission::FunctionsEdit, &Scope::function(&path))?;
        asked.changes(format!("container {path}"));
        let annotations = Kept::new(description, labels).annotations()?;
        let mut function = self.runtime.create_function(path, annotations).await.map_err(status::status)?;
        let id = function.id.to_string();
        if name.is_empty() {
            let renamed = self.runtime.rename_function(function.path.clone(), named(&shown::nameless(&id))?).await;
            function = renamed.map_err(status::status)?;
        }
        let metadata = CreateContainerMetadata { container_id: id.clone() };
        let about = About { description: "Create container", namespace: &function.path.namespace, subject: &id };
        done(&self.runtime, about.begun(&asked, &metadata), &self.shown(&function)).await
    }

    async fn update(&self, request: Request<UpdateContainerRequest>) -> Result<Response<Operation>, Status> {
        let (asked, request) = taken(request)?;
        let UpdateContainerRequest { container_id: id, update_mask, name, description, labels } = request;
        let changes = masked(update_mask)?;
        let changes = |field: &str| changes.iter().any(|change| change == field);
        let (mut function, _) = self.find(&asked, &id, Permission::FunctionsEdit)?;
        asked.changes(format!("container {}", function.path));
        let wanted = if name.is_empty() { shown::nameless(&id) } else { name };
        if changes("name") && wanted != function.path.name.as_str() {
            let to = FunctionPath { name: named(&wanted)?, namespace: function.path.namespace.clone() };
            asked.check(&self.runtime, Permission::FunctionsEdit, &Scope::function(&to))?;
            let renamed = self.runtime.rename_function(function.path.clone(), to.name).await;
            function = renamed.map_err(status::status)?;
        }
        let change = |kept: &mut Kept| {
            if changes("description") {
                kept.description = description;
            }
            if changes("labels") {
                kept.labels = labels;
            }
            Ok(())
        };
        let function = kept::edit(&self.runtime, &function.path, change).await?;
        let metadata = UpdateContainerMetadata { container_id: id.clone() };
        let about = About { description: "Update container", namespace: &function.path.namespace, subject: &id };
        done(&self.runtime, about.begun(&asked, &metadata), &self.shown(&function)).await
    }

    async fn delete(&self, request: Request<DeleteContainerRequest>) -> Result<Response<Operation>, Status> {
        let (asked, DeleteContainerRequest { container_id: id }) = taken(request)?;
        let (function, _) = self.find(&asked, &id, Permission::FunctionsEdit)?;
        asked.changes(format!("container {}", function.path));
        self.runtime.delete(function.path.clone(), false).await.map_err(status::status)?;
        let metadata = DeleteContainerMetadata { container_id: id.clone() };
        let about = About { description: "Delete container", namespace: &function.path.namespace, subject: &id };
        done(&self.runtime, about.begun(&asked, &metadata), &()).await
    }

    async fn deploy_revision(
        &self,
        request: Request<DeployContainerRevisionRequest>,
    ) -> Result<Response<Operation>, Status> {
        let (asked, request) = taken(request)?;
        let id = request.container_id.clone();
        let (function, _) = self.find(&asked, &id, Permission::FunctionsEdit)?;
        asked.changes(format!("container {}", function.path));
        let order = Order::of(request, &function.path.namespace)?;
        let next = function.latest.map_or(VersionNumber::MIN, |latest| latest.saturating_add(1));
        let metadata = DeployContainerRevisionMetadata { container_revision_id: format!("{id}-{next}") };
        let about =
            About { description: "Deploy container revision", namespace: &function.path.namespace, subject: &id };
        let begun = about.begun(&asked, &metadata);
        let (runtime, caller, path) = (self.runtime.clone(), asked.caller.clone(), function.path.clone());
        let work = async move {
            let described = order.carry_out(&runtime, &caller, &path).await?;
            let function = activate(&runtime, described.function, None).await?;
            let revision = shown::revision(&function, &described.version);
            let metadata = DeployContainerRevisionMetadata { container_revision_id: revision.id.clone() };
            Ok(ended(Some(&metadata), &revision))
        };
        run(&self.runtime, begun, Box::pin(work)).await
    }

    async fn rollback(&self, request: Request<RollbackContainerRequest>) -> Result<Response<Operation>, Status> {
        let (asked, RollbackContainerRequest { container_id: id, revision_id }) = taken(request)?;
        let (function, _) = self.find(&asked, &id, Permission::FunctionsEdit)?;
        asked.changes(format!("container {}", function.path));
        let (of, version) = self.find_revision(&asked, &revision_id, Permission::FunctionsEdit)?;
        if of.id != function.id {
            return Err(invalid(
                "revision_id",
                format!("is `{revision_id}`, which is a revision of another container"),
            ));
        }
        let function = activate(&self.runtime, function, Some(version.number)).await?;
        let metadata = RollbackContainerMetadata { container_id: id.clone(), revision_id };
        let about = About { description: "Rollback container", namespace: &function.path.namespace, subject: &id };
        done(&self.runtime, about.begun(&asked, &metadata), &self.shown(&function)).await
    }

    async fn get_revision(&self, request: Request<GetContainerRevisionRequest>) -> Result<Response<Revision>, Status> {
        let (asked, GetContainerRevisionRequest { container_revision_id: id }) = taken(request)?;
        let (function, version) = self.find_revision(&asked, &id, Permission::FunctionsView)?;
        Ok(Response::new(shown::revision(&function, &version)))
    }

    async fn list_revisions(
        &self,
        request: Request<ListContainersRevisionsRequest>,
    ) -> Result<Response<ListContainersRevisionsResponse>, Status> {
        let (asked, request) = taken(request)?;
        self.page_of_revisions(&asked, request).map(Response::new)
    }

    async fn list_operations(
        &self,
        request: Request<ListContainerOperationsRequest>,
    ) -> Result<Response<ListContainerOperationsResponse>, Status> {
        let (asked, request) = taken(request)?;
        let (function, _) = self.find(&asked, &request.container_id, Permission::FunctionsView)?;
        self.page_of_operations(&function, &request).await.map(Response::new)
    }

    async fn list_access_bindings(
        &self,
        request: Request<a::ListAccessBindingsRequest>,
    ) -> Result<Response<a::ListAccessBindingsResponse>, Status> {
        let (asked, request) = taken(request)?;
        let (_, kept) = self.find(&asked, &request.resource_id, Permission::FunctionsView)?;
        list::page_of_bindings(&kept, &request).map(Response::new)
    }

    async fn set_access_bindings(
        &self,
        request: Request<a::SetAccessBindingsRequest>,
    ) -> Result<Response<Operation>, Status> {
        let (asked, a::SetAccessBindingsRequest { resource_id, access_bindings }) = taken(request)?;
        let change = |kept: &mut Kept| {
            kept.set_bindings(access_bindings);
            Ok(())
        };
        self.change_bindings(&asked, resource_id, change).await
    }

    async fn update_access_bindings(
        &self,
        request: Request<a::UpdateAccessBindingsRequest>,
    ) -> Result<Response<Operation>, Status> {
        let (asked, a::UpdateAccessBindingsRequest { resource_id, access_binding_deltas }) = taken(request)?;
        let change = |kept: &mut Kept| {
            for delta in access_binding_deltas {
                let binding = delta.access_binding.clone().unwrap_or_default();
                match delta.action() {
                    a::AccessBindingAction::Remove => kept.remove(binding),
                    a::AccessBindingAction::Add => kept.add(binding),
                    a::AccessBindingAction::Unspecified => {
                        return Err(invalid("access_binding_deltas.action", "is neither ADD nor REMOVE"));
                    }
                }
            }
            Ok(())
        };
        self.change_bindings(&asked, resource_id, change).await
    }
}

/// Has a revision run from now on: that one, or the newest.
async fn activate(
    runtime: &Runtime,
    function: Arc<Function>,
    number: Option<VersionNumber>,
) -> Result<Arc<Function>, Status> {
    let Some(alias) = shown::active_alias() else { return Ok(function) };
    let number = number.filter(|number| function.latest != Some(*number));
    let to = number.map(|number| (number, Weights::new()));
    if to.is_none() && !function.aliases.contains_key(&alias) {
        return Ok(function);
    }
    let described = match runtime.alias(&function.path, alias.clone(), to).await {
        // Something leads to what is active: that stays a name, of the newest.
        Err(Error::Registry(RegistryError::QualifierInUse { .. })) => {
            let newest = function.latest.map(|number| (number, Weights::new()));
            runtime.alias(&function.path, alias, newest).await
        }
        done => done,
    };
    Ok(described.map_err(status::status)?.function)
}

/// The namespace that a folder is.
fn folder(id: &str) -> Result<Namespace, Status> {
    id.parse().map_err(|error| invalid("folder_id", error))
}

fn named(name: &str) -> Result<FunctionName, Status> {
    name.parse().map_err(|error| invalid("name", error))
}

/// The fields that are to be changed: all where nobody says which.
fn masked(mask: Option<FieldMask>) -> Result<Vec<String>, Status> {
    let paths = mask.map(|mask| mask.paths).unwrap_or_default();
    if paths.is_empty() {
        return Ok(CHANGEABLE.map(ToOwned::to_owned).to_vec());
    }
    match paths.iter().find(|path| !CHANGEABLE.contains(&path.as_str())) {
        None => Ok(paths),
        Some(other) => {
            let told: String = other.chars().take(100).collect();
            Err(invalid("update_mask", format!("`{told}` cannot be changed: name, description and labels can")))
        }
    }
}
