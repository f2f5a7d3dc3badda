//! Lists of containers, revisions, operations and bindings, a page at a time. A token is where a page ends.

use tonic::Status;

use super::super::asked::Asked;
use super::super::operations::shown as shown_operation;
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

/// Entries of a page where nobody says how many, and the most.
const USUAL: usize = 100;
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
        let (most, name) = (size(request.page_size)?, wanted_name(&request.filter)?);
        let token = request.page_token.as_str();
        let mut found = self.containers(asked, &namespace, after(&namespace, token)?, |function| {
            name.as_deref().is_none_or(|name| self.shown(function).name == name)
        });
        let next_page_token = cut(&mut found, most, |last| last.path.name.to_string());
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
        let most = size(request.page_size)?;
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
        let mut revisions = behind(all, &request.page_token, |revision| &revision.id)?;
        let next_page_token = cut(&mut revisions, most, |last| last.id.clone());
        Ok(ListContainersRevisionsResponse { revisions, next_page_token })
    }

    /// A page of what was done to a container, the newest first.
    pub(super) async fn page_of_operations(
        &self,
        function: &Function,
        request: &ListContainerOperationsRequest,
    ) -> Result<ListContainerOperationsResponse, Status> {
        no_filter(&request.filter)?;
        let most = size(request.page_size)?;
        let after = match request.page_token.as_str() {
            "" => None,
            token => Some(token.parse().map_err(|_| no_token(token))?),
        };
        let listed = self.runtime.operations().of(&function.id.to_string(), after, most + 1).await;
        let mut listed = listed.map_err(status::unkept)?;
        let next_page_token = cut(&mut listed, most, |last| last.id.to_string());
        let operations = listed.into_iter().map(shown_operation).collect();
        Ok(ListContainerOperationsResponse { operations, next_page_token })
    }
}

/// A page of bindings; a token is how many came before.
pub(super) fn page_of_bindings(
    kept: &Kept,
    request: &a::ListAccessBindingsRequest,
) -> Result<a::ListAccessBindingsResponse, Status> {
    let (most, token) = (size(request.page_size)?, request.page_token.as_str());
    let before = if token.is_empty() { 0 } else { token.parse().map_err(|_| no_token(token))? };
    let mut access_bindings: Vec<_> = kept.bindings().skip(before).take(most + 1).collect();
    let next_page_token = cut(&mut access_bindings, most, |_| before.saturating_add(most).to_string());
    Ok(a::ListAccessBindingsResponse { access_bindings, next_page_token })
}

fn size(asked: i64) -> Result<usize, Status> {
    match usize::try_from(asked) {
        Ok(0) => Ok(USUAL),
        Ok(size) if size <= MOST => Ok(size),
        _ => Err(invalid("page_size", format!("is {asked}, and must be 0 to {MOST}"))),
    }
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
fn after(namespace: &Namespace, token: &str) -> Result<Option<FunctionPath>, Status> {
    if token.is_empty() {
        return Ok(None);
    }
    let name = token.parse().map_err(|_| no_token(token))?;
    Ok(Some(FunctionPath { namespace: namespace.clone(), name }))
}

/// What stands behind the entry that a token names.
fn behind<T>(mut all: Vec<T>, token: &str, name: impl Fn(&T) -> &String) -> Result<Vec<T>, Status> {
    if token.is_empty() {
        return Ok(all);
    }
    let place = all.iter().position(|entry| name(entry) == token).ok_or_else(|| no_token(token))?;
    Ok(all.split_off(place + 1))
}

fn no_token(token: &str) -> Status {
    let told: String = token.chars().take(100).collect();
    invalid("page_token", format!("is `{told}`: take `next_page_token` as it is"))
}

/// The name that a filter asks for: `name="..."` is the only one that there is.
fn wanted_name(filter: &str) -> Result<Option<String>, Status> {
    if filter.trim().is_empty() {
        return Ok(None);
    }
    let value = filter.trim().strip_prefix("name").map(str::trim_start).and_then(|rest| rest.strip_prefix('='));
    let value = value.map(str::trim).and_then(|value| {
        let unquoted = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
        unquoted('"').or_else(|| unquoted('\'')).or(Some(value).filter(|value| !value.is_empty()))
    });
    value.map(|value| Some(value.to_owned())).ok_or_else(|| wrong_filter(filter))
}

fn no_filter(filter: &str) -> Result<(), Status> {
    if filter.trim().is_empty() { Ok(()) } else { Err(invalid("filter", "is not supported here: leave it out")) }
}

fn wrong_filter(filter: &str) -> Status {
    let told: String = filter.chars().take(100).collect();
    invalid("filter", format!("is `{told}`: write `name=\"NAME\"`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_asks_for_a_name() {
        let read = |filter: &str| wanted_name(filter).map_err(|status| status.message().to_owned());
        for filter in ["name=\"a\"", "name = 'a'", " name=a "] {
            assert_eq!(read(filter), Ok(Some("a".to_owned())), "{filter}");
        }
        assert_eq!(read(""), Ok(None));
        for filter in ["a", "name", "name=", "status=\"x\""] {
            assert!(read(filter).unwrap_err().contains("write `name="), "{filter}");
        }
    }

    #[test]
    fn a_page_ends_where_the_next_begins() {
        let all: Vec<String> = ["a", "b", "c"].map(ToOwned::to_owned).to_vec();
        let mut first = behind(all.clone(), "", |it| it).unwrap();
        let token = cut(&mut first, 2, Clone::clone);
        assert_eq!((first.len(), token.as_str()), (2, "b"));
        let mut rest = behind(all.clone(), &token, |it| it).unwrap();
        assert_eq!((cut(&mut rest, 2, Clone::clone), rest), (String::new(), vec!["c".to_owned()]));
        assert!(behind(all, "x", |it| it).is_err());
        assert!(size(-1).is_err() && size(1_001).is_err() && size(0).is_ok());
    }
}
