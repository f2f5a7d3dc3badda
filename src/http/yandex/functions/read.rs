//! What there is: functions, versions, runtimes, and what has been done to a function.

use tonic::Status;

use super::Functions;
use super::find::folder;
use super::kept::Kept;
use super::shown::{self, LATEST, WASM};
use crate::http::yandex::asked::Asked;
use crate::http::yandex::operations::{listed, shown as shown_operation};
use crate::http::yandex::pages::{Page, filter};
use crate::http::yandex::proto::functions as f;
use crate::http::yandex::proto::functions::list_functions_versions_request::Id;
use crate::http::yandex::status::{self, invalid};
use crate::model::access::Permission;
use crate::model::function::Function;
use crate::model::names::{FunctionPath, Qualifier};

/// Functions that are looked at together.
const LOOK: usize = 500;

impl Functions {
    pub(super) fn list_functions(
        &self,
        asked: &Asked,
        request: &f::ListFunctionsRequest,
    ) -> Result<f::ListFunctionsResponse, Status> {
        let namespace = folder(&request.folder_id)?;
        let page = Page::of(request.page_size, &request.page_token)?;
        let name = filter(&request.filter, "name")?;
        let after = page.after.as_deref().map(|name| {
            let name = name.parse().map_err(|_| Page::wrong())?;
            Ok::<_, Status>(FunctionPath { namespace: namespace.clone(), name })
        });
        let (mut functions, mut after) = (Vec::new(), after.transpose()?);
        loop {
            let (found, next) = self.runtime.all_functions(&asked.caller, Some(&namespace), after.as_ref(), LOOK);
            for function in found.iter().filter(|function| !Kept::is_elsewhere(function)) {
                if name.as_ref().is_some_and(|name| *name != function.path.name.to_string()) {
                    continue;
                }
                if functions.len() == page.size {
                    let last: Option<&f::Function> = functions.last();
                    let next_page_token = last.map(|last| last.name.clone()).unwrap_or_default();
                    return Ok(f::ListFunctionsResponse { functions, next_page_token });
                }
                functions.push(self.shown(function));
            }
            match next {
                Some(next) => after = Some(next),
                None => return Ok(f::ListFunctionsResponse { functions, next_page_token: String::new() }),
            }
        }
    }

    pub(super) fn version_of_tag(
        &self,
        asked: &Asked,
        request: &f::GetFunctionVersionByTagRequest,
    ) -> Result<f::Version, Status> {
        let f::GetFunctionVersionByTagRequest { function_id, tag } = request;
        let function = self.function(asked, function_id, Permission::FunctionsView)?;
        let qualifier = qualifier(tag)?;
        let described = self.runtime.describe(&function.path, &qualifier).map_err(|_| {
            Status::not_found(format!("the function `{function_id}` has no version with the tag `{tag}`"))
        })?;
        Ok(shown::version(&described.function, &described.version))
    }

    /// Versions of a function, or of all in a folder, the newest first.
    pub(super) fn versions(
        &self,
        asked: &Asked,
        request: &f::ListFunctionsVersionsRequest,
    ) -> Result<f::ListFunctionsVersionsResponse, Status> {
        let page = Page::of(request.page_size, &request.page_token)?;
        let functions = match &request.id {
            Some(Id::FunctionId(id)) => vec![self.function(asked, id, Permission::FunctionsView)?],
            Some(Id::FolderId(id)) => {
                let namespace = folder(id)?;
                let (found, _) = self.runtime.all_functions(&asked.caller, Some(&namespace), None, usize::MAX);
                found.into_iter().filter(|function| !Kept::is_elsewhere(function)).collect()
            }
            None => return Err(invalid("id", "one of `folder_id`, `function_id` is required")),
        };
        if !request.filter.is_empty() {
            return Err(invalid("filter", "versions cannot be filtered: leave it out"));
        }
        let mut after = page.after.clone();
        let (mut versions, mut last) = (Vec::new(), String::new());
        for function in functions {
            let mut own = self.runtime.versions(&function.path).map_err(status::status)?;
            own.reverse();
            for version in own {
                let id = super::find::version_id(function.id, version.number);
                if after.is_some() {
                    if after.as_deref() == Some(id.as_str()) {
                        after = None;
                    }
                    continue;
                }
                if versions.len() == page.size {
                    return Ok(f::ListFunctionsVersionsResponse { versions, next_page_token: last });
                }
                versions.push(shown::version(&function, &version));
                last = id;
            }
        }
        if after.is_some() {
            return Err(Page::wrong());
        }
        Ok(f::ListFunctionsVersionsResponse { versions, next_page_token: String::new() })
    }

    pub(super) async fn operations_of(
        &self,
        asked: &Asked,
        request: f::ListFunctionOperationsRequest,
    ) -> Result<f::ListFunctionOperationsResponse, Status> {
        let function: std::sync::Arc<Function> =
            self.function(asked, &request.function_id, Permission::FunctionsView)?;
        if !request.filter.is_empty() {
            return Err(invalid("filter", "operations cannot be filtered: leave it out"));
        }
        let page = Page::of(request.page_size, &request.page_token)?;
        let (operations, next_page_token) = listed(&self.runtime, &function.id.to_string(), &page).await?;
        let operations = operations.into_iter().map(shown_operation).collect();
        Ok(f::ListFunctionOperationsResponse { operations, next_page_token })
    }
}

/// What this server runs. Any name of a runtime is taken and kept: the code is a module whatever it was written in.
pub(super) fn runtimes() -> f::ListRuntimesResponse {
    f::ListRuntimesResponse { runtimes: vec![WASM.to_owned()] }
}

/// Which version a tag is on.
pub(in crate::http::yandex) fn qualifier(tag: &str) -> Result<Qualifier, Status> {
    if tag == LATEST {
        return Ok(Qualifier::Latest);
    }
    Ok(Qualifier::Alias(super::tags::alias(tag)?))
}
