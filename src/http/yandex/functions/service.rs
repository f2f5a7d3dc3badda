//! The methods of `FunctionService`. Some have two names, which mean the same.

use tonic::{Request, Response, Status};

use super::Functions;
use super::{read, shown};
use crate::http::yandex::asked::{taken, unchecked};
use crate::http::yandex::proto::access as a;
use crate::http::yandex::proto::functions as f;
use crate::http::yandex::proto::functions::function_service_server::FunctionService;
use crate::http::yandex::proto::operation::Operation;
use crate::model::access::Permission;

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl FunctionService for Functions {
    async fn get(&self, request: Request<f::GetFunctionRequest>) -> Answer<f::Function> {
        let (asked, request) = taken(request)?;
        let function = self.function(&asked, &request.function_id, Permission::FunctionsView)?;
        Ok(Response::new(self.shown(&function)))
    }

    async fn list(&self, request: Request<f::ListFunctionsRequest>) -> Answer<f::ListFunctionsResponse> {
        let (asked, request) = taken(request)?;
        self.list_functions(&asked, &request).map(Response::new)
    }

    async fn create(&self, request: Request<f::CreateFunctionRequest>) -> Answer<Operation> {
        let (asked, request) = taken(request)?;
        self.create_function(&asked, request).await
    }

    async fn update(&self, request: Request<f::UpdateFunctionRequest>) -> Answer<Operation> {
        let (asked, request) = taken(request)?;
        self.update_function(&asked, request).await
    }

    async fn delete(&self, request: Request<f::DeleteFunctionRequest>) -> Answer<Operation> {
        let (asked, request) = taken(request)?;
        self.delete_function(&asked, request).await
    }

    async fn delete_version(&self, request: Request<f::DeleteFunctionVersionRequest>) -> Answer<Operation> {
        let (asked, request) = taken(request)?;
        self.delete_a_version(&asked, request).await
    }

    async fn get_version(&self, request: Request<f::GetFunctionVersionRequest>) -> Answer<f::Version> {
        let (asked, request) = taken(request)?;
        let (function, version) = self.version(&asked, &request.function_version_id, Permission::FunctionsView)?;
        Ok(Response::new(shown::version(&function, &version)))
    }

    async fn get_function_version(&self, request: Request<f::GetFunctionVersionRequest>) -> Answer<f::Version> {
        self.get_version(request).await
    }

    async fn get_version_by_tag(&self, request: Request<f::GetFunctionVersionByTagRequest>) -> Answer<f::Version> {
        let (asked, request) = taken(request)?;
        self.version_of_tag(&asked, &request).map(Response::new)
    }

    async fn get_function_version_by_tag(
        &self,
        request: Request<f::GetFunctionVersionByTagRequest>,
    ) -> Answer<f::Version> {
        self.get_version_by_tag(request).await
    }

    async fn list_versions(
        &self,
        request: Request<f::ListFunctionsVersionsRequest>,
    ) -> Answer<f::ListFunctionsVersionsResponse> {
        let (asked, request) = taken(request)?;
        self.versions(&asked, &request).map(Response::new)
    }

    async fn list_function_versions(
        &self,
        request: Request<f::ListFunctionsVersionsRequest>,
    ) -> Answer<f::ListFunctionsVersionsResponse> {
        self.list_versions(request).await
    }

    async fn set_tag(&self, request: Request<f::SetFunctionTagRequest>) -> Answer<Operation> {
        let (asked, request) = taken(request)?;
        self.set_a_tag(&asked, request).await
    }

    async fn remove_tag(&self, request: Request<f::RemoveFunctionTagRequest>) -> Answer<Operation> {
        let (asked, request) = taken(request)?;
        self.remove_a_tag(&asked, request).await
    }

    async fn list_tag_history(
        &self,
        request: Request<f::ListFunctionTagHistoryRequest>,
    ) -> Answer<f::ListFunctionTagHistoryResponse> {
        let (asked, request) = taken(request)?;
        self.tag_history(&asked, &request).map(Response::new)
    }

    async fn list_function_tag_history(
        &self,
        request: Request<f::ListFunctionTagHistoryRequest>,
    ) -> Answer<f::ListFunctionTagHistoryResponse> {
        self.list_tag_history(request).await
    }

    async fn create_version(&self, request: Request<f::CreateFunctionVersionRequest>) -> Answer<Operation> {
        let (asked, request) = unchecked(request)?;
        Box::pin(self.create_version_of(asked, request)).await
    }

    async fn create_function_version(&self, request: Request<f::CreateFunctionVersionRequest>) -> Answer<Operation> {
        self.create_version(request).await
    }

    async fn list_runtimes(&self, request: Request<f::ListRuntimesRequest>) -> Answer<f::ListRuntimesResponse> {
        taken(request)?;
        Ok(Response::new(read::runtimes()))
    }

    async fn list_operations(
        &self,
        request: Request<f::ListFunctionOperationsRequest>,
    ) -> Answer<f::ListFunctionOperationsResponse> {
        let (asked, request) = taken(request)?;
        self.operations_of(&asked, request).await.map(Response::new)
    }

    async fn list_access_bindings(
        &self,
        request: Request<a::ListAccessBindingsRequest>,
    ) -> Answer<a::ListAccessBindingsResponse> {
        let (asked, request) = taken(request)?;
        self.bindings(&asked, &request).map(Response::new)
    }

    async fn set_access_bindings(&self, request: Request<a::SetAccessBindingsRequest>) -> Answer<Operation> {
        let (asked, request) = taken(request)?;
        self.set_bindings(&asked, request).await
    }

    async fn update_access_bindings(&self, request: Request<a::UpdateAccessBindingsRequest>) -> Answer<Operation> {
        let (asked, request) = taken(request)?;
        self.update_bindings(&asked, request).await
    }

    async fn list_scaling_policies(
        &self,
        request: Request<f::ListScalingPoliciesRequest>,
    ) -> Answer<f::ListScalingPoliciesResponse> {
        let (asked, request) = taken(request)?;
        self.scaling_policies(&asked, &request).map(Response::new)
    }

    async fn set_scaling_policy(&self, request: Request<f::SetScalingPolicyRequest>) -> Answer<Operation> {
        let (asked, request) = taken(request)?;
        self.set_policy(&asked, request).await
    }

    async fn remove_scaling_policy(&self, request: Request<f::RemoveScalingPolicyRequest>) -> Answer<Operation> {
        let (asked, request) = taken(request)?;
        self.remove_policy(&asked, request).await
    }
}
