//! Who asks for something: what a request turned out to be, and what whoever sent it may do.

use super::{Access, Denied, Principal};
use crate::model::access::{Permission, ResourceKind, Scope};
use crate::model::destination::{Outside, OutsideKind, Terms};
use crate::model::names::{AccountName, Namespace};

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A service account.
    Account(Principal),
    /// Somebody who showed nothing.
    Nobody,
    /// Whoever reaches a server that asks nobody who they are.
    Trusted,
}

/// Why somebody may not do something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    /// It is known who it is, and that is not enough.
    #[error(transparent)]
    Denied(Denied),
    /// It might be allowed for somebody who says who they are.
    #[error(
        "this needs a token or a signature: send `Authorization: Bearer TOKEN`, or sign the request with a key; the \
         command line reads a token from `--token-file` or TIDEMILL_TOKEN"
    )]
    Unauthenticated,
}

impl Access {
    /// Whether somebody may do this.
    pub fn allows(&self, caller: &Caller, permission: Permission, on: &Scope) -> Result<(), NotAllowed> {
        match caller {
            Caller::Account(who) => self.permits(who, permission, on).map_err(NotAllowed::Denied),
            Caller::Nobody if self.everyone_may(permission, on) => Ok(()),
            Caller::Nobody => Err(NotAllowed::Unauthenticated),
            Caller::Trusted => Ok(()),
        }
    }

    /// Whether an account may bring something to a place outside the function that it comes from. Whoever acts for an
    /// account asks each time, since roles are taken away. A webhook belongs to nobody here, so the account has only to be there.
    pub fn may_write(
        &self,
        namespace: &Namespace,
        account: &AccountName,
        to: &Outside,
        terms: &Terms,
    ) -> Result<(), Denied> {
        match writing(namespace, to, terms) {
            Some((permission, on)) => self.may(namespace, account, permission, &on),
            None if self.account(namespace, account).is_ok() => Ok(()),
            None => Err(Denied {
                namespace: namespace.clone(),
                account: account.clone(),
                exists: false,
                role: None,
                on: Scope::Namespace(namespace.clone()),
            }),
        }
    }
}

/// What is needed to write to a place outside the runtime, on what; `None` where nobody here can say.
pub fn writing(namespace: &Namespace, to: &Outside, terms: &Terms) -> Option<(Permission, Scope)> {
    let (permission, kind) = match to.kind {
        OutsideKind::Object => (Permission::ObjectsWrite, ResourceKind::Bucket),
        OutsideKind::Queue => (Permission::QueuesSend, ResourceKind::Queue),
        OutsideKind::Stream => (Permission::StreamsAppend, ResourceKind::Stream),
        OutsideKind::Topic => (Permission::TopicsPublish, ResourceKind::Topic),
        OutsideKind::Webhook => return None,
    };
    // What is behind a connection has no name here, so it takes the role on the namespace that the connection is of.
    let on = if terms.connection.is_some() {
        Scope::Namespace(namespace.clone())
    } else {
        let name = to.target.split('/').next().unwrap_or_default();
        Scope::Resource(kind, namespace.clone(), name.to_owned())
    };
    Some((permission, on))
}
