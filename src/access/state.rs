//! Accounts and credentials in memory, as the store last held them. Pure: looks up and compares, and writes nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::credential::{self, CredentialKind, Kept};
use super::error::Refused;
use super::{EVERYONE, Principal};
use crate::model::access::{Binding, Permission, Role, Scope};
use crate::model::names::{AccountId, AccountName, Namespace};
use crate::model::time::Timestamp;
use crate::store::form;
use crate::store::{DocumentKey, DocumentRange, Store, StoreError, Table};
use crate::vault::Vault;

/// Documents that are read together at the start.
const PAGE: usize = 1_000;

/// A service account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its identity, which no other ever has.
    pub id: AccountId,
    /// Whose it is.
    pub namespace: Namespace,
    /// Its name there.
    pub name: AccountName,
    /// When it was made.
    pub created: Timestamp,
    /// The roles that it has.
    pub bindings: Vec<Binding>,
}

impl Account {
    pub(super) fn permits(&self, permission: Permission, on: &Scope) -> bool {
        self.bindings.iter().any(|binding| binding.permits(permission, on))
    }

    /// Whether it may do everything.
    pub fn is_admin_of_all(&self) -> bool {
        self.bindings.iter().any(|binding| binding.role == Role::Admin && binding.on == Scope::Everything)
    }

    pub(super) fn principal(&self) -> Principal {
        Principal { id: self.id, namespace: self.namespace.clone(), name: self.name.clone() }
    }

    pub(super) fn document(&self) -> (DocumentKey, Bytes) {
        (DocumentKey::new(Table::Account, self.id.as_bytes().to_vec()), form::encode(self))
    }
}

/// A credential, and when it was used last.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) kept: Kept,
    /// In milliseconds; 0 for never.
    used_ms: AtomicU64,
}

impl Held {
    pub(super) fn new(kept: Kept) -> Self {
        let used_ms = AtomicU64::new(kept.used.map_or(0, Timestamp::as_ms));
        Self { kept, used_ms }
    }

    pub(super) fn used(&self) -> Option<Timestamp> {
        let ms = self.used_ms.load(Ordering::Relaxed);
        (ms > 0).then(|| Timestamp::from_ms(ms))
    }

    /// Notes that it is used now; whether that is news, for one of those who ask at once.
    pub(super) fn is_worth_noting(&self, now: Timestamp, pause: Duration) -> bool {
        let before = self.used_ms.load(Ordering::Relaxed);
        now.since(Timestamp::from_ms(before)) >= pause
            && self.used_ms.compare_exchange(before, now.as_ms(), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    pub(super) fn document(&self) -> (DocumentKey, Bytes) {
        let kept = Kept { used: self.used(), ..self.kept.clone() };
        (credential::document_key(&kept.id), form::encode(&kept))
    }

    /// The secret of a key.
    pub(super) async fn secret(&self, vault: &Vault) -> Result<Zeroizing<String>, Refused> {
        let CredentialKind::Key(sealed) = &self.kept.kind else { return Err(Refused::Unknown) };
        let secret = vault.unseal_for(&credential::sealed_for(&self.kept.id), sealed).await;
        secret.map_err(Refused::Unopened)
    }
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct State {
    accounts: BTreeMap<Namespace, BTreeMap<AccountName, Arc<Account>>>,
    names: HashMap<AccountId, (Namespace, AccountName)>,
    credentials: HashMap<String, Arc<Held>>,
}

impl State {
    /// What the store holds.
    pub(super) async fn read(store: &dyn Store) -> Result<Self, StoreError> {
        let mut state = Self::default();
        for (key, bytes) in all(store, Table::Account).await? {
            state.put(form::decode(&bytes, || format!("the service account {:02x?}", key.key()))?);
        }
        for (_, bytes) in all(store, Table::Credential).await? {
            let kept: Kept = form::decode(&bytes, || "a token or key of a service account".to_owned())?;
            // One whose account is gone was removed with it; its own removal may have been cut short.
            if state.names.contains_key(&kept.account) {
                state.hold(kept);
            }
        }
        Ok(state)
    }

    pub(super) fn put(&mut self, account: Account) {
        let name = (account.namespace.clone(), account.name.clone());
        self.names.insert(account.id, name.clone());
        self.accounts.entry(name.0).or_default().insert(name.1, Arc::new(account));
    }

    pub(super) fn remove(&mut self, id: AccountId) {
        if let Some((namespace, name)) = self.names.remove(&id)
            && let Some(there) = self.accounts.get_mut(&namespace)
        {
            there.remove(&name);
            if there.is_empty() {
                self.accounts.remove(&namespace);
            }
        }
        self.credentials.retain(|_, held| held.kept.account != id);
    }

    pub(super) fn hold(&mut self, kept: Kept) {
        self.credentials.insert(kept.id.clone(), Arc::new(Held::new(kept)));
    }

    pub(super) fn let_go(&mut self, credential: &str) {
        self.credentials.remove(credential);
    }

    pub(super) fn holds(&self, held: &Arc<Held>) -> bool {
        self.credentials.get(&held.kept.id).is_some_and(|own| Arc::ptr_eq(own, held))
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn named(&self, namespace: &Namespace, name: &AccountName) -> Option<&Arc<Account>> {
        self.accounts.get(namespace)?.get(name)
    }

    pub(super) fn account(&self, id: AccountId) -> Option<&Arc<Account>> {
        let (namespace, name) = self.names.get(&id)?;
        self.named(namespace, name)
    }

    /// The accounts of a namespace, in order of name.
    pub(super) fn of(&self, namespace: &Namespace) -> impl Iterator<Item = &Arc<Account>> {
        self.accounts.get(namespace).into_iter().flat_map(BTreeMap::values)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Account>> {
        self.accounts.values().flat_map(BTreeMap::values)
    }

    /// The credentials of an account, the oldest first.
    pub(super) fn credentials_of(&self, account: AccountId) -> Vec<&Arc<Held>> {
        let mut own: Vec<_> = self.credentials.values().filter(|held| held.kept.account == account).collect();
        own.sort_by(|one, other| (one.kept.created, &one.kept.id).cmp(&(other.kept.created, &other.kept.id)));
        own
    }

    pub(super) fn credential(&self, id: &str) -> Option<&Arc<Held>> {
        self.credentials.get(id)
    }

    /// Whether somebody who may do everything can show that it is who it is, by a credential that `counts` and is good now.
    pub(super) fn has_admin(&self, now: Timestamp, counts: impl Fn(&Kept) -> bool) -> bool {
        self.credentials.values().any(|held| {
            counts(&held.kept)
                && in_time(held, now).is_ok()
                && self.account(held.kept.account).is_some_and(|account| account.is_admin_of_all())
        })
    }

    pub(super) fn has_everyone(&self) -> bool {
        self.all().any(|account| account.name.as_str() == EVERYONE && !account.bindings.is_empty())
    }

    /// Whether everybody may do this: in a namespace by its own account of that name alone.
    pub(super) fn everyone_may(&self, permission: Permission, on: &Scope) -> bool {
        let (Scope::Namespace(namespace) | Scope::Resource(_, namespace, _)) = on else { return false };
        let Some(there) = self.accounts.get(namespace) else { return false };
        let everyone = there.iter().find(|(name, _)| name.as_str() == EVERYONE);
        everyone.is_some_and(|(_, account)| account.permits(permission, on))
    }

    /// The credential that a token is of. How long a wrong one takes tells nothing about how wrong it is.
    pub(super) fn token(&self, token: &str, now: Timestamp) -> Result<&Arc<Held>, Refused> {
        let id = credential::token_id(token).ok_or(Refused::Unknown)?;
        let held = self.credentials.get(id).ok_or(Refused::Unknown)?;
        let CredentialKind::Token(digest) = &held.kept.kind else { return Err(Refused::Unknown) };
        if !bool::from(digest.as_slice().ct_eq(&credential::digest(token))) {
            return Err(Refused::Unknown);
        }
        in_time(held, now)
    }

    /// The key of that id.
    pub(super) fn key(&self, id: &str, now: Timestamp) -> Result<&Arc<Held>, Refused> {
        let held = self.credentials.get(id).ok_or(Refused::Unknown)?;
        match held.kept.kind {
            CredentialKind::Key(_) => in_time(held, now),
            CredentialKind::Token(_) => Err(Refused::Unknown),
        }
    }
}

fn in_time(held: &Arc<Held>, now: Timestamp) -> Result<&Arc<Held>, Refused> {
    if held.kept.expires.is_some_and(|expires| expires <= now) { Err(Refused::Expired) } else { Ok(held) }
}

/// Every document of a table.
async fn all(store: &dyn Store, table: Table) -> Result<Vec<(DocumentKey, Bytes)>, StoreError> {
    let (mut all, mut range) = (Vec::new(), DocumentRange::of(table, b""));
    loop {
        let page = store.documents(range.clone(), PAGE).await?;
        let is_last = page.len() < PAGE;
        if let Some((last, _)) = page.last() {
            range = range.after(last.key());
        }
        all.extend(page);
        if is_last {
            return Ok(all);
        }
    }
}
