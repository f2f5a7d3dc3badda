//! Who may do what: permissions, the roles that hold them, and on what a role is held. Knows no account's token and no
//! route; [`crate::access`] keeps who holds what, and [`crate::http`] says what a request needs.

mod scope;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use scope::{InvalidScope, ResourceKind, Scope};

/// Something that can be done to something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// Make and remove accounts, give them roles, tokens and keys, and read the audit log.
    AccessEdit,
    /// Have work done in the name of an account.
    AccountsUse,
    /// Say how services outside the runtime are reached, and which keys are used there.
    ConnectionsEdit,
    /// Deploy, configure and delete functions; cancel, repeat and remove their invocations.
    FunctionsEdit,
    /// Run functions.
    FunctionsInvoke,
    /// See functions, their invocations, payloads and logs.
    FunctionsView,
    /// See an invocation that one knows the id of, and its result.
    InvocationsFollow,
    /// Write objects.
    ObjectsWrite,
    /// Make queues.
    QueuesCreate,
    /// Change and remove queues.
    QueuesEdit,
    /// Receive messages, hide them for longer, and remove them.
    QueuesReceive,
    /// Send messages.
    QueuesSend,
    /// See which queues there are, and their settings.
    QueuesView,
    /// Change the runtime.
    RuntimeEdit,
    /// See the runtime's figures.
    RuntimeView,
    /// Append to streams.
    StreamsAppend,
    /// Make, change and remove streams.
    StreamsEdit,
    /// See streams and read what is in them.
    StreamsRead,
    /// Make, change and remove topics and their subscriptions.
    TopicsEdit,
    /// Publish on topics.
    TopicsPublish,
    /// See topics and their subscriptions.
    TopicsView,
    /// Read the values in key-value stores.
    ValuesRead,
    /// Set and remove the values in key-value stores.
    ValuesWrite,
    /// See which key-value stores and which keys in them there are, and the names of secrets.
    ValuesView,
}

/// What an account can be given: a name for several permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Everything.
    Admin,
    /// Deploy, configure and delete functions, with what they need: secrets, values, triggers.
    FunctionsEditor,
    /// Run functions and follow what becomes of it.
    FunctionsInvoker,
    /// Write objects.
    ObjectsWriter,
    /// Receive and remove messages.
    QueuesReader,
    /// Make queues and send messages.
    QueuesWriter,
    /// Append to streams.
    StreamsWriter,
    /// Publish on topics.
    TopicsPublisher,
    /// See everything but the values of secrets and of key-value stores.
    Viewer,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Self; 24] = {
        use Permission as P;
        [
            P::AccessEdit,
            P::AccountsUse,
            P::ConnectionsEdit,
            P::FunctionsEdit,
            P::FunctionsInvoke,
            P::FunctionsView,
            P::InvocationsFollow,
            P::ObjectsWrite,
            P::QueuesCreate,
            P::QueuesEdit,
            P::QueuesReceive,
            P::QueuesSend,
            P::QueuesView,
            P::RuntimeEdit,
            P::RuntimeView,
            P::StreamsAppend,
            P::StreamsEdit,
            P::StreamsRead,
            P::TopicsEdit,
            P::TopicsPublish,
            P::TopicsView,
            P::ValuesRead,
            P::ValuesWrite,
            P::ValuesView,
        ]
    };

    /// The role that is missing where this is: the one that holds least besides it.
    #[must_use]
    pub fn role(self) -> Role {
        let holders = Role::ALL.into_iter().filter(|role| role.holds(self));
        holders
            .min_by_key(|role| Self::ALL.into_iter().filter(|other| role.holds(*other)).count())
            .unwrap_or(Role::Admin)
    }
}

impl Role {
    /// Every role, in the order of their names.
    pub const ALL: [Self; 9] = [
        Self::Admin,
        Self::FunctionsEditor,
        Self::FunctionsInvoker,
        Self::ObjectsWriter,
        Self::QueuesReader,
        Self::QueuesWriter,
        Self::StreamsWriter,
        Self::TopicsPublisher,
        Self::Viewer,
    ];

    /// As it is written everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::FunctionsEditor => "functions.editor",
            Self::FunctionsInvoker => "functions.invoker",
            Self::ObjectsWriter => "objects.writer",
            Self::QueuesReader => "queues.reader",
            Self::QueuesWriter => "queues.writer",
            Self::StreamsWriter => "streams.writer",
            Self::TopicsPublisher => "topics.publisher",
            Self::Viewer => "viewer",
        }
    }

    /// What it is for, in a sentence.
    #[must_use]
    pub const fn is_for(self) -> &'static str {
        match self {
            Self::Admin => "everything, accounts and their roles included",
            Self::FunctionsEditor => "deploy, configure, run and delete functions, with their secrets and values",
            Self::FunctionsInvoker => "run functions, and follow what becomes of it",
            Self::ObjectsWriter => "write objects",
            Self::QueuesReader => "receive and remove messages",
            Self::QueuesWriter => "make queues and send messages",
            Self::StreamsWriter => "append to streams",
            Self::TopicsPublisher => "publish on topics",
            Self::Viewer => "see everything but the values of secrets and of key-value stores",
        }
    }

    /// The table of permissions: whether this role holds one.
    #[must_use]
    pub const fn holds(self, permission: Permission) -> bool {
        use Permission as P;
        match self {
            Self::Admin => true,
            Self::FunctionsEditor => matches!(
                permission,
                P::AccountsUse
                    | P::FunctionsEdit
                    | P::FunctionsInvoke
                    | P::FunctionsView
                    | P::InvocationsFollow
                    | P::ValuesRead
                    | P::ValuesWrite
                    | P::ValuesView
            ),
            Self::FunctionsInvoker => matches!(permission, P::FunctionsInvoke | P::InvocationsFollow),
            Self::ObjectsWriter => matches!(permission, P::ObjectsWrite),
            Self::QueuesReader => matches!(permission, P::QueuesReceive | P::QueuesView),
            Self::QueuesWriter => matches!(permission, P::QueuesCreate | P::QueuesSend | P::QueuesView),
            Self::StreamsWriter => matches!(permission, P::StreamsAppend),
            Self::TopicsPublisher => matches!(permission, P::TopicsPublish),
            Self::Viewer => matches!(
                permission,
                P::FunctionsView
                    | P::InvocationsFollow
                    | P::QueuesView
                    | P::RuntimeView
                    | P::StreamsRead
                    | P::TopicsView
                    | P::ValuesView
            ),
        }
    }

    /// Whether holding it on a resource of this kind means anything.
    #[must_use]
    pub const fn fits(self, kind: ResourceKind) -> bool {
        match self {
            Self::Admin | Self::Viewer => true,
            Self::FunctionsEditor | Self::FunctionsInvoker => matches!(kind, ResourceKind::Function),
            Self::ObjectsWriter => matches!(kind, ResourceKind::Bucket),
            Self::QueuesReader | Self::QueuesWriter => matches!(kind, ResourceKind::Queue),
            Self::StreamsWriter => matches!(kind, ResourceKind::Stream),
            Self::TopicsPublisher => matches!(kind, ResourceKind::Topic),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a role: use {roles}", roles = Role::ALL.map(Role::as_str).join(", "))]
pub struct InvalidRole(String);

impl FromStr for Role {
    type Err = InvalidRole;

    fn from_str(text: &str) -> Result<Self, InvalidRole> {
        let named = Self::ALL.into_iter().find(|role| role.as_str() == text);
        named.ok_or_else(|| InvalidRole(text.chars().take(100).collect()))
    }
}

/// A role that an account has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Binding {
    /// Which.
    pub role: Role,
    /// On what.
    pub on: Scope,
}

/// The role means nothing there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the role `{role}` means nothing on `{on}`: it is held on a namespace, or on what it is about")]
pub struct PointlessBinding {
    /// The role.
    role: Role,
    /// On what.
    on: Scope,
}

impl Binding {
    /// A role on something that it means something on.
    pub fn new(role: Role, on: Scope) -> Result<Self, PointlessBinding> {
        match on {
            Scope::Resource(kind, ..) if !role.fits(kind) => Err(PointlessBinding { role, on }),
            Scope::Everything | Scope::Namespace(_) | Scope::Resource(..) => Ok(Self { role, on }),
        }
    }

    /// Whether it lets its holder do this.
    #[must_use]
    pub fn permits(&self, permission: Permission, on: &Scope) -> bool {
        self.role.holds(permission) && self.on.covers(on)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::names::Namespace;

    #[track_caller]
    fn check_role(role: Role, held: &[Permission]) {
        let holds: Vec<_> = Permission::ALL.into_iter().filter(|permission| role.holds(*permission)).collect();
        assert_eq!(holds, held, "{role}");
    }

    #[test]
    fn each_role_holds_what_it_is_for_and_nothing_else() {
        use Permission as P;
        check_role(Role::Admin, &Permission::ALL);
        check_role(
            Role::FunctionsEditor,
            &[
                P::AccountsUse,
                P::FunctionsEdit,
                P::FunctionsInvoke,
                P::FunctionsView,
                P::InvocationsFollow,
                P::ValuesRead,
                P::ValuesWrite,
                P::ValuesView,
            ],
        );
        check_role(Role::FunctionsInvoker, &[P::FunctionsInvoke, P::InvocationsFollow]);
        check_role(Role::ObjectsWriter, &[P::ObjectsWrite]);
        check_role(Role::QueuesReader, &[P::QueuesReceive, P::QueuesView]);
        check_role(Role::QueuesWriter, &[P::QueuesCreate, P::QueuesSend, P::QueuesView]);
        check_role(Role::StreamsWriter, &[P::StreamsAppend]);
        check_role(Role::TopicsPublisher, &[P::TopicsPublish]);
        check_role(
            Role::Viewer,
            &[
                P::FunctionsView,
                P::InvocationsFollow,
                P::QueuesView,
                P::RuntimeView,
                P::StreamsRead,
                P::TopicsView,
                P::ValuesView,
            ],
        );
    }

    #[test]
    fn the_role_that_is_missing_is_the_least_that_would_do() {
        for (permission, role) in [
            (Permission::FunctionsInvoke, Role::FunctionsInvoker),
            (Permission::FunctionsEdit, Role::FunctionsEditor),
            (Permission::QueuesSend, Role::QueuesWriter),
            (Permission::RuntimeView, Role::Viewer),
            (Permission::AccessEdit, Role::Admin),
        ] {
            assert_eq!(permission.role(), role);
        }
        for permission in Permission::ALL {
            assert!(permission.role().holds(permission));
        }
    }

    fn scope(text: &str) -> Scope {
        Scope::parse(text, &Namespace::default()).unwrap()
    }

    #[test]
    fn a_role_is_held_only_where_it_means_something() {
        assert!(Binding::new(Role::QueuesWriter, scope("queue:a")).is_ok());
        assert!(Binding::new(Role::QueuesWriter, scope("namespace:shop")).is_ok());
        assert!(Binding::new(Role::QueuesWriter, scope("function:a")).is_err());
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
            assert!(ResourceKind::ALL.into_iter().any(|kind| role.fits(kind)), "{role}");
        }
        assert!("viewers".parse::<Role>().unwrap_err().to_string().contains("`viewers`"));
    }
}
