//! Service accounts: who there is, which roles each holds on what, and the tokens and keys that one shows that one is it.
//! All of it is in memory as the store last held it; checks read that and wait for nobody, changes are made one at a
//! time. Knows no request: what one needs is said in [`crate::http`], and what acts for an account asks [`Access::may`].
//!
//! A token is kept as its SHA-256: it has 256 random bits, so nothing slower is needed. The secret of a key pair has to be
//! known to check signatures, so it is sealed by the vault. Each is shown once, to whoever made it.

mod audit;
mod caller;
mod change;
mod credential;
mod error;
mod state;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Mutex;
use zeroize::Zeroizing;

pub use audit::{Audit, AuditEntry, AuditPlace};
pub use caller::{Caller, NotAllowed, writing};
pub use credential::{Credential, CredentialKind, Made};
pub use error::{AccessError, Denied, Refused};
pub use state::Account;

use crate::clock::Clock;
use crate::model::access::{Permission, Scope};
use crate::model::names::{AccountId, AccountName, Namespace};
use crate::model::time::Timestamp;
use crate::store::{Change, Durability, Group, Store, StoreError};
use crate::tasks::{OnExit, Tasks};
use crate::vault::Vault;
use state::State;

/// The account that stands for whoever shows nothing: roles that it has in a namespace are everybody's.
pub const EVERYONE: &str = "everyone";
/// The account that is made when there is none that may do everything.
pub const FIRST_ADMIN: &str = "admin";
/// How often at most it is written down that a credential was used.
const NOTE_USE: Duration = Duration::from_secs(60);

/// The service accounts of a runtime. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Access {
    parts: Arc<Parts>,
}

struct Parts {
    store: Arc<dyn Store>,
    clock: Clock,
    tasks: Tasks,
    vault: Vault,
    state: RwLock<State>,
    audit: Audit,
    /// Held over check, commit and publication of a change.
    changing: Mutex<()>,
}

/// Somebody who showed a token or a key that is good. What it may do is looked up at each question, so a role that is
/// taken away is gone at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The account.
    pub id: AccountId,
    /// Its namespace.
    pub namespace: Namespace,
    /// Its name there.
    pub name: AccountName,
}

impl Access {
    /// The accounts in `store`.
    pub async fn open(store: Arc<dyn Store>, clock: Clock, tasks: Tasks, vault: Vault) -> Result<Self, StoreError> {
        let state = RwLock::new(State::read(&*store).await?);
        let audit = Audit::open(store.clone(), clock.clone()).await?;
        Ok(Self { parts: Arc::new(Parts { store, clock, tasks, vault, state, audit, changing: Mutex::new(()) }) })
    }

    /// What was changed by whom.
    pub fn audit(&self) -> &Audit {
        &self.parts.audit
    }

    /// Whether an account may do this, itself or as everybody may.
    pub fn may(
        &self,
        namespace: &Namespace,
        account: &AccountName,
        permission: Permission,
        on: &Scope,
    ) -> Result<(), Denied> {
        self.read(|state| {
            let found = state.named(namespace, account);
            if found.is_some_and(|account| account.permits(permission, on)) || state.everyone_may(permission, on) {
                return Ok(());
            }
            Err(Denied {
                namespace: namespace.clone(),
                account: account.clone(),
                exists: found.is_some(),
                role: Some(permission.role()),
                on: on.clone(),
            })
        })
    }

    /// Whether somebody may do this.
    pub fn permits(&self, who: &Principal, permission: Permission, on: &Scope) -> Result<(), Denied> {
        let is_the_same = self.read(|state| state.named(&who.namespace, &who.name).is_some_and(|it| it.id == who.id));
        if is_the_same {
            return self.may(&who.namespace, &who.name, permission, on);
        }
        // It was removed while its request was under way.
        Err(Denied {
            namespace: who.namespace.clone(),
            account: who.name.clone(),
            exists: false,
            role: Some(permission.role()),
            on: on.clone(),
        })
    }

    /// Whether nobody needs to say who they are for this.
    pub fn everyone_may(&self, permission: Permission, on: &Scope) -> bool {
        self.read(|state| state.everyone_may(permission, on))
    }

    /// Whether there is anything at all that nobody needs to say who they are for.
    pub fn anything_for_everyone(&self) -> bool {
        self.read(State::has_everyone)
    }

    /// The account of this id.
    pub fn account_of(&self, id: &str) -> Option<Arc<Account>> {
        self.read(|state| state.account(id.parse().ok()?).cloned())
    }

    /// Whose token this is.
    pub fn bearer(&self, token: &str) -> Result<Principal, Refused> {
        let now = self.parts.clock.now();
        let (credential, principal) = self.read(|state| {
            let credential = state.token(token, now)?;
            let account = state.account(credential.kept.account).ok_or(Refused::Unknown)?;
            Ok::<_, Refused>((Arc::clone(credential), account.principal()))
        })?;
        self.note_use(&credential, now);
        Ok(principal)
    }

    /// Whose key this is, and its secret.
    pub async fn key(&self, id: &str) -> Result<(Principal, Zeroizing<String>), Refused> {
        let now = self.parts.clock.now();
        let (credential, principal) = self.read(|state| {
            let credential = state.key(id, now)?;
            let account = state.account(credential.kept.account).ok_or(Refused::Unknown)?;
            Ok::<_, Refused>((Arc::clone(credential), account.principal()))
        })?;
        let secret = credential.secret(&self.parts.vault).await?;
        self.note_use(&credential, now);
        Ok((principal, secret))
    }

    /// Writes down behind the caller's back that it was used, once a minute at most.
    fn note_use(&self, credential: &Arc<state::Held>, now: Timestamp) {
        if !credential.is_worth_noting(now, NOTE_USE) {
            return;
        }
        let (parts, credential) = (Arc::clone(&self.parts), Arc::clone(credential));
        self.parts.tasks.spawn("credential-use", OnExit::Ignore, async move {
            // With the lock, so that one that is removed meanwhile is not written again.
            let _changing = parts.changing.lock().await;
            let is_there = parts.state.read().unwrap_or_else(PoisonError::into_inner).holds(&credential);
            if !is_there {
                return;
            }
            let (key, bytes) = credential.document();
            let written = parts.store.commit(Group(vec![Change::PutDocument(key, bytes)]), Durability::Written).await;
            if let Err(error) = written {
                tracing::debug!(%error, "the use of a credential could not be noted");
            }
        });
    }

    /// Reads what is in memory; `look` must be quick.
    fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.parts.state.read().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests;
