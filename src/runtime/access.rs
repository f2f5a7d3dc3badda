//! Use cases around access: who may do what, service accounts, their roles, tokens and keys, and the log of changes. Whoever
//! asks is a [`Caller`]; what a request needs besides what its route says (an account that is named in it, a role that is
//! given) is checked here.

use std::sync::Arc;
use std::time::Duration;

use super::{Error, Runtime};
use crate::access::{
    Access, AccessError, Account, AuditEntry, AuditPlace, Caller, Credential, EVERYONE, Made, writing,
};
use crate::model::access::{Binding, Permission, ResourceKind, Role, Scope};
use crate::model::destination::{DestinationText, Terms};
use crate::model::grant::Grants;
use crate::model::message_queue::{QueueName, QueuePath};
use crate::model::names::{AccountName, FunctionPath, Namespace};
use crate::registry::{ConfigText, Deployment};
use crate::tasks::OnExit;
use crate::triggers::Acting;

/// The kinds of credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialKind {
    /// An access key id and a secret, which sign requests.
    Key,
    /// A bearer token.
    Token,
}

/// A service account, by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccountPath {
    /// Whose.
    pub namespace: Namespace,
    /// Its name there.
    pub name: AccountName,
}

impl Runtime {
    /// Who there is, and what they may do: for whoever decides about a request before it is one.
    pub fn access(&self) -> &Access {
        &self.parts.access
    }

    /// Whether requests have to say who sends them.
    pub fn authenticates(&self) -> bool {
        self.parts.authenticates
    }

    /// Whether somebody may do this.
    pub fn check(&self, caller: &Caller, permission: Permission, on: &Scope) -> Result<(), Error> {
        Ok(self.parts.access.allows(caller, permission, on)?)
    }

    /// The service accounts of a namespace, in order of name.
    pub fn accounts(&self, namespace: &Namespace) -> Vec<Arc<Account>> {
        self.parts.access.accounts(namespace)
    }

    /// One account.
    pub fn account(&self, path: &AccountPath) -> Result<Arc<Account>, Error> {
        Ok(self.parts.access.account(&path.namespace, &path.name)?)
    }

    /// Makes an account without any role.
    pub async fn create_account(&self, path: AccountPath) -> Result<Arc<Account>, Error> {
        Ok(self.parts.access.create(path.namespace, path.name).await?)
    }

    /// Removes an account; what acts for it is refused from now on.
    pub async fn remove_account(&self, caller: &Caller, path: AccountPath) -> Result<(), Error> {
        self.may_manage(caller, &path)?;
        Ok(self.parts.access.remove(path.namespace, path.name).await?)
    }

    /// Gives an account a role, which takes being allowed to do so on what the role is held on.
    pub async fn grant(
        &self,
        caller: &Caller,
        path: AccountPath,
        role: Role,
        on: Scope,
    ) -> Result<Arc<Account>, Error> {
        self.check(caller, Permission::AccessEdit, &on)?;
        let binding = Binding::new(role, on).map_err(AccessError::from)?;
        Ok(self.parts.access.grant(path.namespace, path.name, binding).await?)
    }

    /// Takes a role away, which takes the same.
    pub async fn revoke(
        &self,
        caller: &Caller,
        path: AccountPath,
        role: Role,
        on: Scope,
    ) -> Result<Arc<Account>, Error> {
        self.check(caller, Permission::AccessEdit, &on)?;
        let binding = Binding::new(role, on).map_err(AccessError::from)?;
        Ok(self.parts.access.revoke(path.namespace, path.name, binding).await?)
    }

    /// The tokens or the keys of an account, the oldest first.
    pub fn credentials(&self, path: &AccountPath, kind: CredentialKind) -> Result<Vec<Credential>, Error> {
        let access = &self.parts.access;
        Ok(match kind {
            CredentialKind::Key => access.keys(&path.namespace, &path.name)?,
            CredentialKind::Token => access.tokens(&path.namespace, &path.name)?,
        })
    }

    /// Makes a token or a key pair, and shows it this once.
    pub async fn create_credential(
        &self,
        caller: &Caller,
        path: AccountPath,
        kind: CredentialKind,
        good_for: Option<Duration>,
    ) -> Result<Made, Error> {
        self.may_manage(caller, &path)?;
        let access = &self.parts.access;
        Ok(match kind {
            CredentialKind::Key => access.create_key(path.namespace, path.name, good_for).await?,
            CredentialKind::Token => access.create_token(path.namespace, path.name, good_for).await?,
        })
    }

    /// Revokes a token or a key.
    pub async fn revoke_credential(&self, caller: &Caller, path: AccountPath, id: String) -> Result<(), Error> {
        self.may_manage(caller, &path)?;
        Ok(self.parts.access.revoke_credential(path.namespace, path.name, id).await?)
    }

    /// What was changed by whom, from the newest to the oldest, from behind `after`, at most `limit`.
    pub async fn audit(&self, after: Option<AuditPlace>, limit: usize) -> Result<Vec<(AuditPlace, AuditEntry)>, Error> {
        Ok(self.parts.access.audit().entries(after, limit).await?)
    }

    /// Writes down in the log of changes what nobody waits for.
    pub fn note_behind(&self, who: String, action: String, on: String, status: u16) {
        let audit = self.parts.access.audit().clone();
        self.parts.tasks.spawn("audit", OnExit::Ignore, async move {
            if let Err(error) = audit.note(who, action, on, status).await {
                tracing::warn!(%error, "a change could not be noted in the audit log");
            }
        });
    }

    /// Whoever can act as an account can do what it may: so it is for those alone who could give it its roles, and for itself.
    fn may_manage(&self, caller: &Caller, path: &AccountPath) -> Result<(), Error> {
        let account = self.account(path)?;
        if matches!(caller, Caller::Account(who) if who.id == account.id) {
            return Ok(());
        }
        account.bindings.iter().try_for_each(|held| self.check(caller, Permission::AccessEdit, &held.on))
    }

    /// Whether somebody may deploy this: grant its code what it is granted, and configure it so.
    pub(super) fn check_deployment(
        &self,
        caller: &Caller,
        path: &FunctionPath,
        deployment: &Deployment,
    ) -> Result<(), Error> {
        self.check_grants(caller, &path.namespace, &deployment.grants)?;
        deployment.config.as_ref().map_or(Ok(()), |config| self.check_config(caller, path, config))
    }

    /// Whoever says what the code does has the use of all that it is granted, so they must be allowed that themselves. What
    /// the version before had is no exception: others granted that, to other code.
    fn check_grants(&self, caller: &Caller, own: &Namespace, grants: &Grants) -> Result<(), Error> {
        for grant in &grants.functions {
            self.check(caller, Permission::FunctionsInvoke, &grant.scope(own))?;
        }
        if !grants.key_value.is_empty() {
            let all = Scope::Namespace(own.clone());
            self.check(caller, Permission::ValuesRead, &all)?;
            self.check(caller, Permission::ValuesWrite, &all)?;
        }
        if grants.secrets.is_empty() { Ok(()) } else { self.check_secrets(caller, own) }
    }

    /// Whether somebody may have secrets of a namespace used: they are for those who set them.
    pub(super) fn check_secrets(&self, caller: &Caller, namespace: &Namespace) -> Result<(), Error> {
        self.check(caller, Permission::FunctionsEdit, &Scope::Namespace(namespace.clone()))
    }

    /// Whether a function may be configured so: the accounts that are named may do what they are named for, and whoever
    /// names them may use them; where none is named, it is whoever sets it who must be allowed to write there.
    pub(super) fn check_config(&self, caller: &Caller, path: &FunctionPath, text: &ConfigText) -> Result<(), Error> {
        if let Some(account) = &text.service_account {
            self.may_use(caller, &path.namespace, account)?;
            let on = Scope::function(path);
            self.parts.access.may(&path.namespace, account, Permission::FunctionsInvoke, &on).map_err(Error::Denied)?;
        }
        for (to, terms) in [(&text.on_success, &text.success_terms), (&text.on_failure, &text.failure_terms)] {
            if let Some(to) = to {
                self.check_destination(caller, &path.namespace, to, terms)?;
            }
        }
        Ok(())
    }

    fn check_destination(
        &self,
        caller: &Caller,
        own: &Namespace,
        to: &DestinationText,
        terms: &Terms,
    ) -> Result<(), Error> {
        let needed = match to {
            DestinationText::Function { namespace, name, .. } => {
                let namespace = namespace.clone().unwrap_or_else(|| own.clone());
                let path = FunctionPath { namespace, name: name.clone() };
                Some((Permission::FunctionsInvoke, Scope::function(&path)))
            }
            DestinationText::Outside(to) => writing(own, to, terms),
        };
        match (&terms.service_account, to, needed) {
            (Some(account), DestinationText::Outside(to), _) => {
                self.may_use(caller, own, account)?;
                self.parts.access.may_write(own, account, to, terms).map_err(Error::Denied)
            }
            (Some(account), DestinationText::Function { .. }, Some((permission, on))) => {
                self.may_use(caller, own, account)?;
                self.parts.access.may(own, account, permission, &on).map_err(Error::Denied)
            }
            (None, _, Some((permission, on))) => self.check(caller, permission, &on),
            (_, _, None) => Ok(()),
        }
    }

    /// Whether somebody may have a trigger invoke a function: the account that it acts for has to be allowed to, or else
    /// whoever sets it, and to take from the queue that it watches.
    pub(super) fn check_trigger(
        &self,
        caller: &Caller,
        namespace: &Namespace,
        (account, queue, target): (Option<&AccountName>, Option<&QueueName>, &FunctionPath),
    ) -> Result<(), Error> {
        if let Some(account) = account {
            self.may_use(caller, namespace, account)?;
            let acting = Acting { namespace: namespace.clone(), account: account.clone(), queue: queue.cloned() };
            return self.check_acting(&acting, target);
        }
        let mut needed = needed_to_trigger(namespace, queue, target);
        needed.try_for_each(|(permission, on)| self.check(caller, permission, &on))
    }

    /// Whether the account that a trigger acts for still may.
    pub(super) fn check_acting(&self, acting: &Acting, target: &FunctionPath) -> Result<(), Error> {
        let Acting { namespace, account, queue } = acting;
        let mut needed = needed_to_trigger(namespace, queue.as_ref(), target);
        needed.try_for_each(|(permission, on)| {
            self.parts.access.may(namespace, account, permission, &on).map_err(Error::Denied)
        })
    }

    /// Whether somebody may have messages be sent to a queue: by a redrive policy, or from a topic.
    pub fn check_sending(&self, caller: &Caller, to: &QueuePath) -> Result<(), Error> {
        let on = Scope::Resource(ResourceKind::Queue, to.namespace.clone(), to.name.to_string());
        self.check(caller, Permission::QueuesSend, &on)
    }

    /// What everybody is can be named by nobody: it would say nothing about who is meant. And what may do everything only by
    /// those who may as well: others would reach everything by way of it.
    fn may_use(&self, caller: &Caller, namespace: &Namespace, account: &AccountName) -> Result<(), Error> {
        if account.as_str() == EVERYONE {
            return Err(Error::Access(AccessError::Everyone));
        }
        self.check(caller, Permission::AccountsUse, &Scope::Namespace(namespace.clone()))?;
        match self.parts.access.account(namespace, account) {
            Ok(account) if account.is_admin_of_all() => self.check(caller, Permission::AccessEdit, &Scope::Everything),
            Ok(_) | Err(_) => Ok(()),
        }
    }
}

/// What a trigger needs: to run the function, and to take from the queue.
fn needed_to_trigger(
    namespace: &Namespace,
    queue: Option<&QueueName>,
    target: &FunctionPath,
) -> impl Iterator<Item = (Permission, Scope)> {
    let takes = queue.map(|queue| {
        let on = Scope::Resource(ResourceKind::Queue, namespace.clone(), queue.to_string());
        (Permission::QueuesReceive, on)
    });
    [(Permission::FunctionsInvoke, Scope::function(target))].into_iter().chain(takes)
}
