//! Access bindings of a function: kept, shown, and where role and subject mean something here, roles of the runtime.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::Mutex;
use tonic::{Response, Status};

use super::Functions;
use super::kept::{self, Binding, Kept};
use crate::access::{AccessError, Caller, EVERYONE};
use crate::http::yandex::asked::Asked;
use crate::http::yandex::operations::{About, done};
use crate::http::yandex::pages::Page;
use crate::http::yandex::proto::access as a;
use crate::http::yandex::proto::operation::Operation;
use crate::http::yandex::status::{self, invalid};
use crate::model::access::{self, Permission, Role, Scope};
use crate::model::function::Function;
use crate::model::names::FunctionPath;
use crate::runtime::{AccountPath, Error};

/// Bindings of a function: what is kept of it has a bound.
const MAX_BINDINGS: usize = 200;
/// Roles that bindings give change one change at a time, or they would part from what is kept.
static ROLES: Mutex<()> = Mutex::const_new(());

/// A role here, and whose it is.
type Held = (AccountPath, Role);

/// A change of a function's bindings.
struct Change {
    /// What there is to be.
    wanted: Vec<Binding>,
    /// What of it is asked for now. The rest was asked for before, and may have been taken away in another way since.
    added: Vec<Binding>,
}

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
        let wanted: Vec<_> = access_bindings.into_iter().map(read).collect();
        let change = |_| Ok(Change { added: wanted.clone(), wanted });
        let function = self.bind(asked, &resource_id, change).await?;
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
        let function = self.bind(asked, &resource_id, |bound| Change::of(bound, access_binding_deltas)).await?;
        let about =
            About { description: "Update access bindings", namespace: &function.path.namespace, subject: &resource_id };
        let metadata = a::UpdateAccessBindingsMetadata { resource_id: resource_id.clone() };
        done(&self.runtime, about.begun(asked, &metadata), &()).await
    }

    /// Changes the bindings of a function, and with them the roles that they give.
    async fn bind(
        &self,
        asked: &Asked,
        id: &str,
        change: impl FnOnce(Vec<Binding>) -> Result<Change, Status> + Send + 'static,
    ) -> Result<Arc<Function>, Status> {
        let (functions, asked, id) = (self.clone(), asked.clone(), id.to_owned());
        let bound = async move { functions.bind_step_by_step(&asked, &id, change).await };
        self.runtime.see_through("bindings", bound).await.map_err(status::status)?
    }

    /// At any moment what is given is among what is kept, so a crash leaves less than was asked for, and the same request again
    /// makes it so.
    async fn bind_step_by_step(
        &self,
        asked: &Asked,
        id: &str,
        change: impl FnOnce(Vec<Binding>) -> Result<Change, Status>,
    ) -> Result<Arc<Function>, Status> {
        let _alone = ROLES.lock().await;
        let function = self.function(asked, id, Permission::AccessEdit)?;
        let path = &function.path;
        asked.changes(format!("function {path} access"));
        let bound = Kept::of(&function).bindings;
        let before = self.given(path, &bound);
        let Change { mut wanted, added } = change(bound)?;
        wanted.sort();
        wanted.dedup();
        if wanted.len() > MAX_BINDINGS {
            let why = format!("the function would have {}, and may have {MAX_BINDINGS}", wanted.len());
            return Err(invalid("access_bindings", why));
        }
        let after = self.given(path, &wanted);
        self.take(path, before.difference(&after).cloned()).await?;
        kept::edit(&self.runtime, path, |kept| kept.bindings.clone_from(&wanted)).await?;
        let given = self.give(path, self.given(path, &added)).await;
        if given.is_err() {
            // What could not be given is not shown as if it were.
            wanted.retain(|binding| self.meant(path, binding).is_none_or(|held| self.holds(path, &held)));
            kept::edit(&self.runtime, path, |kept| kept.bindings = wanted).await?;
        }
        given.map(|()| function)
    }

    /// Makes a change that takes a function its name, or all of it. Roles are held on the name: those that are bound go before
    /// it, and are given again under the name that the function then has. A crash in between leaves less than is bound.
    pub(super) async fn unbound<T: Send + 'static>(
        &self,
        path: FunctionPath,
        change: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Status> {
        let functions = self.clone();
        let changed = async move {
            let _alone = ROLES.lock().await;
            let function = functions.runtime.function(&path).map_err(status::status)?;
            let bound = functions.given(&path, &Kept::of(&function).bindings);
            let taken = functions.take(&path, bound).await?;
            let changed = change.await;
            if let Some(there) = functions.runtime.function_by_id(function.id) {
                functions.give(&there.path, taken).await?;
            }
            changed.map_err(status::status)
        };
        self.runtime.see_through("bindings", changed).await.map_err(status::status)?
    }

    /// Gives roles on a function, those that are there already too. Whether whoever asks may have that done has been looked at.
    async fn give(&self, path: &FunctionPath, roles: impl IntoIterator<Item = Held>) -> Result<(), Status> {
        for (account, role) in roles {
            let given = self.runtime.grant(&Caller::Trusted, account, role, Scope::function(path)).await;
            given.map_err(status::status)?;
        }
        Ok(())
    }

    /// Takes roles away, and returns those that were there: others were taken away in another way.
    async fn take(&self, path: &FunctionPath, roles: impl IntoIterator<Item = Held>) -> Result<Vec<Held>, Status> {
        let mut taken = Vec::new();
        for (account, role) in roles {
            match self.runtime.revoke(&Caller::Trusted, account.clone(), role, Scope::function(path)).await {
                Ok(_) => taken.push((account, role)),
                Err(Error::Access(AccessError::NotGranted { .. } | AccessError::AccountUnknown { .. })) => (),
                Err(error) => return Err(status::status(error)),
            }
        }
        Ok(taken)
    }

    fn holds(&self, path: &FunctionPath, (account, role): &Held) -> bool {
        let is_it = |own: &access::Binding| own.role == *role && own.on == Scope::function(path);
        self.runtime.account(account).is_ok_and(|account| account.bindings.iter().any(is_it))
    }

    /// What bindings give: several may give the same.
    fn given(&self, path: &FunctionPath, bindings: &[Binding]) -> BTreeSet<Held> {
        bindings.iter().filter_map(|binding| self.meant(path, binding)).collect()
    }

    /// The account and the role that a binding means, where there are such here.
    fn meant(&self, path: &FunctionPath, binding: &Binding) -> Option<Held> {
        let namespace = path.namespace.clone();
        let name = match (binding.subject_type.as_str(), binding.subject.as_str()) {
            ("system", "allUsers") => EVERYONE.parse().ok()?,
            ("serviceAccount", id) => self.account(&namespace, id)?,
            _ => return None,
        };
        Some((AccountPath { namespace, name }, role(&binding.role)?))
    }
}

impl Change {
    /// What deltas make of the bindings that there are.
    fn of(bound: Vec<Binding>, deltas: Vec<a::AccessBindingDelta>) -> Result<Self, Status> {
        let mut change = Self { wanted: bound, added: Vec::new() };
        for (nth, delta) in deltas.into_iter().enumerate() {
            let binding = read(delta.access_binding.unwrap_or_default());
            match a::AccessBindingAction::try_from(delta.action) {
                Ok(a::AccessBindingAction::Add) => {
                    change.added.push(binding.clone());
                    change.wanted.push(binding);
                }
                Ok(a::AccessBindingAction::Remove) => {
                    change.added.retain(|own| *own != binding);
                    change.wanted.retain(|own| *own != binding);
                }
                Ok(a::AccessBindingAction::Unspecified) | Err(_) => {
                    return Err(invalid(&format!("access_binding_deltas[{nth}].action"), "must be ADD or REMOVE"));
                }
            }
        }
        Ok(change)
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
