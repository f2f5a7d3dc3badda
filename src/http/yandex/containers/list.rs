//! Lists of containers, revisions, operations and bindings, a page at a time. A token is where a page ends.

use tonic::Status;

use super::super::asked::Asked;
use super::super::operations::{listed, shown as shown_operation};
use super::super::pages::{Page, filter};
use super::super::proto::access as a;
use super::super::proto::containers::{
    ListContainerOperationsRequest, ListContainerOperationsResponse, ListContainersRequest, ListContainersResponse,
    ListContainersRevisionsRequest, ListContainersRevisionsResponse, Revision, list_containers_revisions_request,
};
use super::super::status::{self, invalid};
use super::kept::{Kept, is_container};
use super::{Containers, folder, shown};
use crate::model::access::{Permission, Scope};
use crate::model::function::Function;
use crate::model::names::{FunctionPath, Namespace};

/// Containers that are looked for at once: more than a page has.
const MOST: usize = 1_000;
/// Functions that are looked at together.
const STEP: usize = 500;

impl Containers {
    /// A page of the containers of a folder, in order of name.
    pub(super) fn page(
        &self,
        asked: &Asked,
        request: &ListContainersRequest,
    ) -> Result<ListContainersResponse, Status> {
        let namespace = folder(&request.folder_id)?;
        asked.check(&self.runtime, Permission::FunctionsView, &Scope::Namespace(namespace.clone()))?;
        let page = Page::of(request.page_size, &request.page_token)?;
        let name = filter(&request.filter, "name")?;
        let mut found = self.containers(asked, &namespace, after(&namespace, &page)?, |function| {
            name.as_deref().is_none_or(|name| self.shown(function).name == name)
        });
        let next_page_token = cut(&mut found, page.size, |last| last.path.name.to_string());
        Ok(ListContainersResponse { containers: found.iter().map(|it| self.shown(it)).collect(), next_page_token })
    }

    /// Containers of a folder that whoever asks may see, up to one more than a page may have.
    fn containers(
        &self,
        asked: &Asked,
        namespace: &Namespace,
        mut after: Option<FunctionPath>,
        wanted: impl Fn(&Function) -> bool,
    ) -> Vec<std::sync::Arc<Function>> {
        let mut found = Vec::new();
        loop {
            let (page, next) = self.runtime.all_functions(&asked.caller, Some(namespace), after.as_ref(), STEP);
            found.extend(page.into_iter().filter(|it| is_container(it) && wanted(it)));
            if next.is_none() || found.len() > MOST {
                return found;
            }
            after = next;
        }
    }

    /// A page of revisions, of one container or of all of a folder, the newest of each first.
    pub(super) fn page_of_revisions(
        &self,
        asked: &Asked,
        request: ListContainersRevisionsRequest,
    ) -> Result<ListContainersRevisionsResponse, Status> {
        use list_containers_revisions_request::Id;
        let page = Page::of(request.page_size, &request.page_token)?;
        no_filter(&request.filter)?;
        let containers = match request.id {
            Some(Id::ContainerId(id)) => vec![self.find(asked, &id, Permission::FunctionsView)?.0],
            Some(Id::FolderId(id)) => {
                let namespace = folder(&id)?;
                asked.check(&self.runtime, Permission::FunctionsView, &Scope::Namespace(namespace.clone()))?;
                self.containers(asked, &namespace, None, |_| true)
            }
            None => return Err(invalid("id", "one of `folder_id`, `container_id` is required")),
        };
        let mut all: Vec<Revision> = Vec::new();
        for function in containers {
            let versions = self.runtime.versions(&function.path).map_err(status::status)?;
            all.extend(versions.iter().rev().map(|version| shown::revision(&function, version)));
        }
        let mut revisions = behind(all, &page, |revision| &revision.id)?;
        let next_page_token = cut(&mut revisions, page.size, |last| last.id.clone());
        Ok(ListContainersRevisionsResponse { revisions, next_page_token })
    }

    /// A page of what was done to a container, the newest first.
    pub(super) async fn page_of_operations(
        &self,
        function: &Function,
        request: &ListContainerOperationsRequest,
    ) -> Result<ListContainerOperationsResponse, Status> {
        no_filter(&request.filter)?;
        let page = Page::of(request.page_size, &request.page_token)?;
        let (listed, next_page_token) = listed(&self.runtime, &function.id.to_string(), &page).await?;
        let operations = listed.into_iter().map(shown_operation).collect();
        Ok(ListContainerOperationsResponse { operations, next_page_token })
    }
}

/// A page of bindings; a token is how many came before.
pub(super) fn page_of_bindings(
    kept: &Kept,
    request: &a::ListAccessBindingsRequest,
) -> Result<a::ListAccessBindingsResponse, Status> {
    let page = Page::of(request.page_size, &request.page_token)?;
    let before = page.after.as_deref().map_or(Ok(0), str::parse::<usize>).map_err(|_| Page::wrong())?;
    let mut access_bindings: Vec<_> = kept.bindings().skip(before).take(page.size + 1).collect();
    let next_page_token = cut(&mut access_bindings, page.size, |_| before.saturating_add(page.size).to_string());
    Ok(a::ListAccessBindingsResponse { access_bindings, next_page_token })
}

/// Cuts what is behind a page off, and says where to go on.
fn cut<T>(found: &mut Vec<T>, most: usize, token: impl Fn(&T) -> String) -> String {
    if found.len() <= most {
        return String::new();
    }
    found.truncate(most);
    found.last().map(token).unwrap_or_default()
}

/// Where a page of containers begins.
fn after(namespace: &Namespace, page: &Page) -> Result<Option<FunctionPath>, Status> {
    let path = |name: &String| {
        let name = name.parse().map_err(|_| Page::wrong())?;
        Ok(FunctionPath { namespace: namespace.clone(), name })
    };
    page.after.as_ref().map(path).transpose()
}

/// What stands behind the entry that a page begins behind.
fn behind<T>(mut all: Vec<T>, page: &Page, name: impl Fn(&T) -> &String) -> Result<Vec<T>, Status> {
    let Some(after) = &page.after else { return Ok(all) };
    let place = all.iter().position(|entry| name(entry) == after).ok_or_else(Page::wrong)?;
    Ok(all.split_off(place + 1))
}

fn no_filter(filter: &str) -> Result<(), Status> {
    if filter.trim().is_empty() { Ok(()) } else { Err(invalid("filter", "is not supported here: leave it out")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_ends_where_the_next_begins() {
        let all: Vec<String> = ["a", "b", "c"].map(ToOwned::to_owned).to_vec();
        let page = |token: &str| Page::of(2, token).unwrap();
        let mut first = behind(all.clone(), &page(""), |it| it).unwrap();
        let token = cut(&mut first, 2, Clone::clone);
        assert_eq!((first.len(), token.as_str()), (2, "b"));
        let mut rest = behind(all.clone(), &page(&token), |it| it).unwrap();
        assert_eq!((cut(&mut rest, 2, Clone::clone), rest), (String::new(), vec!["c".to_owned()]));
        assert!(behind(all, &page("x"), |it| it).is_err());
    }
}
