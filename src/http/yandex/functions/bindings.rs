//! Access bindings of a function: kept, shown, and where role and subject mean something here, roles of the runtime.

use tonic::{Response, Status};

use super::Functions;
use super::kept::{self, Binding, Kept};
use crate::access::AccessError;
use crate::access::EVERYONE;
use crate::http::yandex::asked::Asked;
use crate::http::yandex::operations::{About, done};
use crate::http::yandex::pages::Page;
use crate::http::yandex::proto::access as a;
use crate::http::yandex::proto::operation::Operation;
use crate::http::yandex::status::{self, invalid};
use crate::model::access::{Permission, Role, Scope};
use crate::model::function::Function;
use crate::runtime::{AccountPath, Error};

/// Bindings of a function: what is kept of it has a bound.
const MAX_BINDINGS: usize = 200;

impl Functions {
    pub(super) fn bindings(
        &self,
        asked: &Asked,
        request: &a::ListAccessBindingsRequest,
    ) -> Result<a::ListAccessBindingsResponse, Status> {
        let function = self.function(asked, &request.resource_id, Permission::FunctionsView)?;
        let page = Page::of(request.page_size, &request.page_token)?;
        let skipped = page.after.as_deref().map_or(Ok(0), str::parse::<usize>).map_err(|_| Page::wrong())?;
        let all = Kept::of(&function).bindings;
        let access_bindings: Vec<_> = all.iter().skip(skipped).take(page.size).map(shown).collect();
        let next = skipped.saturating_add(access_bindings.len());
        let next_page_token = if next < all.len() { next.to_string() } else { String::new() };
        Ok(a::ListAccessBindingsResponse { access_bindings, next_page_token })
    }

    pub(super) async fn set_bindings(
        &self,
        asked: &Asked,
        request: a::SetAccessBindingsRequest,
    ) -> Result<Response<Operation>, Status> {
        let a::SetAccessBindingsRequest { resource_id, access_bindings } = request;
        let function = self.function(asked, &resource_id, Permission::AccessEdit)?;
        let wanted: Vec<_> = access_bindings.into_iter().map(read).collect();
        self.bind(asked, &function, wanted).await?;
        let about =
            About { description: "Set access bindings", namespace: &function.path.namespace, subject: &resource_id };
        let metadata = a::SetAccessBindingsMetadata { resource_id: resource_id.clone() };
        done(&self.runtime, about.begun(asked, &metadata), &()).await
    }

    pub(super) async fn update_bindings(
        &self,
        asked: &Asked,
        request: a::UpdateAccessBindingsRequest,
    ) -> Result<Response<Operation>, Status> {
        let a::UpdateAccessBindingsRequest { resource_id, access_binding_deltas } = request;
        let function = self.function(asked, &resource_id, Permission::AccessEdit)?;
        let mut wanted = Kept::of(&function).bindings;
        for (nth, delta) in access_binding_deltas.into_iter().enumerate() {
            let binding = read(delta.access_binding.unwrap_or_default());
            match a::AccessBindingAction::try_from(delta.action) {
                Ok(a::AccessBindingAction::Add) => wanted.push(binding),
                Ok(a::AccessBindingAction::Remove) => wanted.retain(|own| *own != binding),
                Ok(a::AccessBindingAction::Unspecified) | Err(_) => {
                    return Err(invalid(&format!("access_binding_deltas[{nth}].action"), "must be ADD or REMOVE"));
                }
            }
        }
        self.bind(asked, &function, wanted).await?;
        let about =
            About { description: "Update access bindings", namespace: &function.path.namespace, subject: &resource_id };
        let metadata = a::UpdateAccessBindingsMetadata { resource_id: resource_id.clone() };
        done(&self.runtime, about.begun(asked, &metadata), &()).await
    }

    /// Makes these the bindings of a function: those that mean something here are given and taken away.
    async fn bind(&self, asked: &Asked, function: &Function, mut wanted: Vec<Binding>) -> Result<(), Status> {
        asked.changes(format!("function {} access", function.path));
        wanted.sort();
        wanted.dedup();
        if wanted.len() > MAX_BINDINGS {
            let why = format!("the function would have {}, and may have {MAX_BINDINGS}", wanted.len());
            return Err(invalid("access_bindings", why));
        }
        let before = Kept::of(function).bindings;
        for added in wanted.iter().filter(|binding| !before.contains(binding)) {
            if let Some((account, role)) = self.meant(function, added) {
                let given = self.runtime.grant(&asked.caller, account, role, Scope::function(&function.path)).await;
                given.map_err(status::status)?;
            }
        }
        for removed in before.iter().filter(|binding| !wanted.contains(binding)) {
            if let Some((account, role)) = self.meant(function, removed) {
                let taken = self.runtime.revoke(&asked.caller, account, role, Scope::function(&function.path)).await;
                let is_gone = |error: &Error| {
                    let gone = matches!(error, Error::Access(AccessError::NotGranted { .. }));
                    gone || matches!(error, Error::Access(AccessError::AccountUnknown { .. }))
                };
                // It may have been taken away in another way meanwhile.
                if let Err(error) = taken
                    && !is_gone(&error)
                {
                    return Err(status::status(error));
                }
            }
        }
        kept::edit(&self.runtime, &function.path, move |kept: &mut Kept| kept.bindings = wanted).await?;
        Ok(())
    }

    /// The account and the role that a binding means, where there are such here.
    fn meant(&self, function: &Function, binding: &Binding) -> Option<(AccountPath, Role)> {
        let namespace = function.path.namespace.clone();
        let name = match (binding.subject_type.as_str(), binding.subject.as_str()) {
            ("system", "allUsers") => EVERYONE.parse().ok()?,
            ("serviceAccount", id) => self.account(&namespace, id)?,
            _ => return None,
        };
        Some((AccountPath { namespace, name }, role(&binding.role)?))
    }
}

/// The runtime's role of that service's name.
fn role(id: &str) -> Option<Role> {
    match id {
        "functions.functionInvoker" | "serverless.functions.invoker" => Some(Role::FunctionsInvoker),
        "editor" | "functions.editor" => Some(Role::FunctionsEditor),
        "functions.auditor" | "functions.viewer" | "viewer" => Some(Role::Viewer),
        "admin" | "functions.admin" | "serverless.functions.admin" => Some(Role::Admin),
        _ => None,
    }
}

fn read(binding: a::AccessBinding) -> Binding {
    let subject = binding.subject.unwrap_or_default();
    Binding { role: binding.role_id, subject: subject.id, subject_type: subject.r#type }
}

fn shown(binding: &Binding) -> a::AccessBinding {
    let subject = a::Subject { id: binding.subject.clone(), r#type: binding.subject_type.clone() };
    a::AccessBinding { role_id: binding.role.clone(), subject: Some(subject) }
}
