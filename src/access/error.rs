//! Why somebody may not, and why an account could not be changed. Never says a token or a secret.

use std::fmt;

use crate::model::access::{PointlessBinding, Role, Scope};
use crate::model::bounds;
use crate::model::names::{AccountName, Namespace};
use crate::store::StoreError;
use crate::vault::VaultError;

/// An account may not do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// Its namespace.
    pub namespace: Namespace,
    /// The account.
    pub account: AccountName,
    /// Whether there is such an account.
    pub exists: bool,
    /// The role that would do; `None` where any account would.
    pub role: Option<Role>,
    /// On what.
    pub on: Scope,
}

impl std::error::Error for Denied {}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, account, exists, role, on } = self;
        match (exists, role) {
            (true, Some(role)) => {
                write!(f, "the service account `{namespace}/{account}` lacks the role `{role}` on `{on}`")
            }
            (false, Some(role)) => {
                write!(
                    f,
                    "there is no service account `{namespace}/{account}`: it would need the role `{role}` on `{on}`"
                )
            }
            (_, None) => write!(f, "there is no service account `{namespace}/{account}`"),
        }
    }
}

/// Somebody is not who it says.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refused {
    /// The token or key has been good for as long as it was to be.
    #[error("the token or key expired: make a new one with `tidemill access tokens create` or `keys create`")]
    Expired,
    /// The secret of a key cannot be opened.
    #[error("the secret of this key cannot be opened here: {0}")]
    Unopened(VaultError),
    /// There is no such token or key.
    #[error("there is no such token or key: it was revoked, or its account removed, or never was one")]
    Unknown,
}

/// Why an account was not changed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AccessError {
    /// There is an account of that name.
    #[error("there is a service account `{namespace}/{name}` already")]
    AccountExists {
        /// Where.
        namespace: Namespace,
        /// Which.
        name: AccountName,
    },
    /// There is no such account.
    #[error("there is no service account `{namespace}/{name}`: make it with `tidemill access accounts create {name}`")]
    AccountUnknown {
        /// Where it was looked for.
        namespace: Namespace,
        /// Which.
        name: AccountName,
    },
    /// There is no such token or key of that account.
    #[error("the service account has no token or key `{0}`")]
    CredentialUnknown(String),
    /// What everybody is cannot be shown.
    #[error(
        "`{}` stands for whoever shows nothing: it has roles in its namespace, and neither tokens nor keys",
        super::EVERYONE
    )]
    Everyone,
    /// The account is gone, or does not have that role there.
    #[error("the service account has no role `{role}` on `{on}`")]
    NotGranted {
        /// The role.
        role: Role,
        /// On what.
        on: Scope,
    },
    /// The last account that may do everything would no longer, or could no longer show that it is who it is.
    #[error(
        "nobody could administer the runtime any more: first give another account the role `admin` on `everything` and make \
         a token of it, or make another token of this one"
    )]
    LastAdmin,
    /// A credential is to be good for longer than any may.
    #[error("a token or key is good for up to {} days", bounds::MAX_CREDENTIAL_AGE.as_secs() / 86_400)]
    Lifetime,
    /// The role means nothing there.
    #[error(transparent)]
    Pointless(#[from] PointlessBinding),
    /// The store did not answer as hoped.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The process is shutting down.
    #[error("it was interrupted, and may or may not have been done: look, and repeat it if it was not")]
    Interrupted,
    /// One more would be over a limit.
    #[error("{what} would be over the limit of {limit}: remove some first")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
    /// A secret could not be made or sealed.
    #[error(transparent)]
    Vault(#[from] VaultError),
}
