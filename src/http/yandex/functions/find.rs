//! The functions and versions that ids mean, for whoever may know of them.

use std::sync::Arc;

use tonic::Status;

use super::Functions;
use super::kept::Kept;
use crate::http::yandex::asked::Asked;
use crate::http::yandex::status;
use crate::model::access::{Permission, Scope};
use crate::model::function::{Function, Version};
use crate::model::names::{FunctionId, Namespace, Qualifier, VersionNumber};

/// How a version's id ends: behind the function's id.
const SEPARATOR: char = '-';

/// The id of a version.
pub(super) fn version_id(function: FunctionId, number: VersionNumber) -> String {
    format!("{function}{SEPARATOR}{number}")
}

/// Takes the id of a version apart.
fn parted(id: &str) -> Option<(FunctionId, VersionNumber)> {
    let (function, number) = id.rsplit_once(SEPARATOR)?;
    Some((function.parse().ok()?, number.parse().ok()?))
}

/// The namespace that a folder is.
pub(super) fn folder(id: &str) -> Result<Namespace, Status> {
    id.parse().map_err(|error| status::invalid("folder_id", error))
}

impl Functions {
    /// The function of an id, for whoever may do this with it.
    pub(super) fn function(&self, asked: &Asked, id: &str, permission: Permission) -> Result<Arc<Function>, Status> {
        let found = id.parse().ok().and_then(|id| self.runtime.function_by_id(id));
        let unknown = || Status::not_found(format!("there is no function `{}`", told(id)));
        let function = found.filter(|function| !Kept::is_elsewhere(function)).ok_or_else(unknown)?;
        asked.check(&self.runtime, permission, &Scope::function(&function.path))?;
        Ok(function)
    }

    /// The version of an id likewise.
    pub(super) fn version(
        &self,
        asked: &Asked,
        id: &str,
        permission: Permission,
    ) -> Result<(Arc<Function>, Arc<Version>), Status> {
        let unknown = || Status::not_found(format!("there is no version `{}`", told(id)));
        let (function, number) = parted(id).ok_or_else(unknown)?;
        let function = self
            .function(asked, &function.to_string(), permission)
            .map_err(|status| if status.code() == tonic::Code::NotFound { unknown() } else { status })?;
        let described = self.runtime.describe(&function.path, &Qualifier::Version(number)).map_err(|_| unknown())?;
        Ok((described.function, described.version))
    }
}

/// An id as a message may have it.
fn told(id: &str) -> String {
    id.chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_version_is_taken_apart_as_it_was_made() {
        let function: FunctionId = "0199a3f0-7c1e-7b3a-9d52-6f0c8a1e4b77".parse().unwrap();
        let number = VersionNumber::new(12).unwrap();
        assert_eq!(parted(&version_id(function, number)), Some((function, number)));
        for id in ["", "12", "0199a3f0-7c1e-7b3a-9d52-6f0c8a1e4b77", "0199a3f0-7c1e-7b3a-9d52-6f0c8a1e4b77-0", "x-1"] {
            assert_eq!(parted(id), None, "{id}");
        }
    }
}
