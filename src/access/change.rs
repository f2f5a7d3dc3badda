//! Changes of accounts: made and removed, roles given and taken away, tokens and keys made and revoked. Each is checked,
//! committed and then shown, under one lock, and carried to its end also when its caller goes away.

use std::future::Future;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::credential::{self, Credential, CredentialKind, Kept, Made, New};
use super::state::{Account, Held, State};
use super::{Access, AccessError, EVERYONE, FIRST_ADMIN, Parts};
use crate::model::access::{Binding, Role, Scope};
use crate::model::bounds;
use crate::model::names::{AccountName, Namespace};
use crate::store::{Change, Durability, Group};

impl Access {
    /// The accounts of a namespace, in order of name.
    pub fn accounts(&self, namespace: &Namespace) -> Vec<Arc<Account>> {
        self.read(|state| state.of(namespace).cloned().collect())
    }

    /// One account.
    pub fn account(&self, namespace: &Namespace, name: &AccountName) -> Result<Arc<Account>, AccessError> {
        self.read(|state| existing(state, namespace, name))
    }

    /// Makes an account without any role.
    pub async fn create(&self, namespace: Namespace, name: AccountName) -> Result<Arc<Account>, AccessError> {
        self.change(move |parts| async move {
            if parts.read(|state| state.named(&namespace, &name).is_some()) {
                return Err(AccessError::AccountExists { namespace, name });
            }
            let account = parts.new_account(namespace, name)?;
            parts.keep(account).await
        })
        .await
    }

    /// Removes an account with its roles, tokens and keys. What acts for it is refused from now on.
    pub async fn remove(&self, namespace: Namespace, name: AccountName) -> Result<(), AccessError> {
        self.change(move |parts| async move {
            let account = parts.read(|state| existing(state, &namespace, &name))?;
            parts.check_admin_left(|kept| kept.account != account.id)?;
            let (key, _) = account.document();
            let mut group = vec![Change::RemoveDocument(key)];
            let held = |state: &State| -> Vec<_> {
                state.credentials_of(account.id).iter().map(|held| credential::document_key(&held.kept.id)).collect()
            };
            group.extend(parts.read(held).into_iter().map(Change::RemoveDocument));
            parts.commit(group, |state| state.remove(account.id)).await
        })
        .await
    }

    /// Gives an account a role. The account of everyone is made when it gets its first.
    pub async fn grant(
        &self,
        namespace: Namespace,
        name: AccountName,
        binding: Binding,
    ) -> Result<Arc<Account>, AccessError> {
        self.change(move |parts| async move {
            let mut account = match parts.read(|state| existing(state, &namespace, &name)) {
                Ok(account) => (*account).clone(),
                Err(_) if name.as_str() == EVERYONE => parts.new_account(namespace, name)?,
                Err(unknown) => return Err(unknown),
            };
            if account.bindings.contains(&binding) {
                return Ok(Arc::new(account)); // nothing is written
            }
            account.bindings.push(binding);
            account.bindings.sort();
            limited("another role of the account", account.bindings.len(), bounds::MAX_BINDINGS)?;
            parts.keep(account).await
        })
        .await
    }

    /// Takes a role away. What acts for the account by it is refused from now on.
    pub async fn revoke(
        &self,
        namespace: Namespace,
        name: AccountName,
        binding: Binding,
    ) -> Result<Arc<Account>, AccessError> {
        self.change(move |parts| async move {
            let mut account = (*parts.read(|state| existing(state, &namespace, &name))?).clone();
            let before = account.bindings.len();
            account.bindings.retain(|own| *own != binding);
            if account.bindings.len() == before {
                return Err(AccessError::NotGranted { role: binding.role, on: binding.on });
            }
            if !account.is_admin_of_all() {
                parts.check_admin_left(|kept| kept.account != account.id)?;
            }
            parts.keep(account).await
        })
        .await
    }

    /// Makes a token; what is returned is the only time that it is shown.
    pub async fn create_token(
        &self,
        namespace: Namespace,
        name: AccountName,
        good_for: Option<Duration>,
    ) -> Result<Made, AccessError> {
        self.change(move |parts| async move {
            let made = credential::new_token()?;
            parts.hold(&namespace, &name, good_for, made).await
        })
        .await
    }

    /// Makes a key pair likewise.
    pub async fn create_key(
        &self,
        namespace: Namespace,
        name: AccountName,
        good_for: Option<Duration>,
    ) -> Result<Made, AccessError> {
        self.change(move |parts| async move {
            let made = credential::new_key(&parts.vault).await?;
            parts.hold(&namespace, &name, good_for, made).await
        })
        .await
    }

    /// The tokens of an account, the oldest first.
    pub fn tokens(&self, namespace: &Namespace, name: &AccountName) -> Result<Vec<Credential>, AccessError> {
        self.credentials(namespace, name, |kind| matches!(kind, CredentialKind::Token(_)))
    }

    /// Its keys likewise.
    pub fn keys(&self, namespace: &Namespace, name: &AccountName) -> Result<Vec<Credential>, AccessError> {
        self.credentials(namespace, name, |kind| matches!(kind, CredentialKind::Key(_)))
    }

    /// Revokes a token or a key of an account: it is good for nothing from now on.
    pub async fn revoke_credential(
        &self,
        namespace: Namespace,
        name: AccountName,
        id: String,
    ) -> Result<(), AccessError> {
        self.change(move |parts| async move {
            let account = parts.read(|state| existing(state, &namespace, &name))?;
            let is_its_own = |state: &State| state.credential(&id).is_some_and(|it| it.kept.account == account.id);
            if !parts.read(is_its_own) {
                return Err(AccessError::CredentialUnknown(id.chars().take(100).collect()));
            }
            parts.check_admin_left(|kept| kept.id != id)?;
            let group = vec![Change::RemoveDocument(credential::document_key(&id))];
            parts.commit(group, |state| state.let_go(&id)).await
        })
        .await
    }

    /// Whether there is an account that may do everything, and that can show that it is who it is.
    pub fn has_admin(&self) -> bool {
        let now = self.parts.clock.now();
        self.read(|state| state.has_admin(now, |_| true))
    }

    /// Makes an account that may do everything, if there is none of its name, and a token of it. `leave` brings the token to
    /// where its operator finds it, before there is an admin: one whose token nobody has would shut everybody out.
    pub async fn first_admin<E: From<AccessError>>(&self, leave: impl FnOnce(&str) -> Result<(), E>) -> Result<(), E> {
        let made = credential::new_token().map_err(AccessError::from)?;
        let (_, token, _) = &made;
        leave(token)?;
        Ok(self.administered_by(made).await?)
    }

    /// Makes the first admin, with this token.
    ///
    /// # Panics
    /// Never: what the first account is called is a name.
    async fn administered_by(&self, made: New) -> Result<(), AccessError> {
        let name: AccountName = FIRST_ADMIN.parse().expect("it is a name");
        let (namespace, everything) = (Namespace::default(), Binding::new(Role::Admin, Scope::Everything)?);
        match self.create(namespace.clone(), name.clone()).await {
            Ok(_) | Err(AccessError::AccountExists { .. }) => (),
            Err(error) => return Err(error),
        }
        // The role last: until then the next start finds no admin, and does all this again.
        let (of, whose) = (namespace.clone(), name.clone());
        self.change(move |parts| async move { parts.hold(&of, &whose, None, made).await }).await?;
        self.grant(namespace, name, everything).await?;
        Ok(())
    }

    fn credentials(
        &self,
        namespace: &Namespace,
        name: &AccountName,
        is_meant: fn(&CredentialKind) -> bool,
    ) -> Result<Vec<Credential>, AccessError> {
        self.read(|state| {
            let account = existing(state, namespace, name)?;
            let own = state.credentials_of(account.id).into_iter().filter(|held| is_meant(&held.kept.kind));
            Ok(own.map(|held| shown(held)).collect())
        })
    }

    /// Carries a change to its end while no other is made.
    async fn change<T, F>(&self, change: impl FnOnce(Arc<Parts>) -> F + Send + 'static) -> Result<T, AccessError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, AccessError>> + Send + 'static,
    {
        let parts = Arc::clone(&self.parts);
        let changed = async move {
            let own = Arc::clone(&parts);
            let _changing = own.changing.lock().await;
            change(parts).await
        };
        self.parts.tasks.see_through("access", changed).await.ok_or(AccessError::Interrupted)?
    }
}

impl Parts {
    fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn new_account(&self, namespace: Namespace, name: AccountName) -> Result<Account, AccessError> {
        limited("another service account", self.read(State::len) + 1, bounds::MAX_ACCOUNTS)?;
        let now = self.clock.now();
        Ok(Account { id: self.clock.account_id(), namespace, name, created: now, bindings: Vec::new() })
    }

    async fn keep(&self, account: Account) -> Result<Arc<Account>, AccessError> {
        let (key, bytes) = account.document();
        let (namespace, name) = (account.namespace.clone(), account.name.clone());
        self.commit(vec![Change::PutDocument(key, bytes)], |state| state.put(account)).await?;
        self.read(|state| existing(state, &namespace, &name))
    }

    async fn hold(
        &self,
        namespace: &Namespace,
        name: &AccountName,
        good_for: Option<Duration>,
        (id, secret, kind): New,
    ) -> Result<Made, AccessError> {
        if name.as_str() == EVERYONE {
            return Err(AccessError::Everyone);
        }
        if good_for.is_some_and(|time| time > bounds::MAX_CREDENTIAL_AGE) {
            return Err(AccessError::Lifetime);
        }
        let account = self.read(|state| existing(state, namespace, name))?;
        let there = self.read(|state| state.credentials_of(account.id).len());
        limited("another token or key of the account", there + 1, bounds::MAX_CREDENTIALS)?;
        let now = self.clock.now();
        let kept =
            Kept { id, account: account.id, created: now, expires: good_for.map(|time| now + time), used: None, kind };
        let held = Held::new(kept.clone());
        let (key, bytes) = held.document();
        self.commit(vec![Change::PutDocument(key, bytes)], |state| state.hold(kept)).await?;
        Ok(Made { credential: shown(&held), secret })
    }

    /// Refuses to leave the runtime without anybody who may do everything, where there is somebody. `counts` says which
    /// credentials would still be an admin's if they are one's now.
    fn check_admin_left(&self, counts: impl Fn(&Kept) -> bool) -> Result<(), AccessError> {
        let now = self.clock.now();
        let is_last = |state: &State| state.has_admin(now, |_| true) && !state.has_admin(now, counts);
        if self.read(is_last) { Err(AccessError::LastAdmin) } else { Ok(()) }
    }

    async fn commit(&self, group: Vec<Change>, show: impl FnOnce(&mut State)) -> Result<(), AccessError> {
        self.store.commit(Group(group), Durability::Synced).await?;
        show(&mut self.state.write().unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }
}

fn existing(state: &State, namespace: &Namespace, name: &AccountName) -> Result<Arc<Account>, AccessError> {
    let found = state.named(namespace, name).cloned();
    found.ok_or_else(|| AccessError::AccountUnknown { namespace: namespace.clone(), name: name.clone() })
}

fn shown(held: &Held) -> Credential {
    let Kept { id, created, expires, .. } = &held.kept;
    Credential { id: id.clone(), created: *created, expires: *expires, used: held.used() }
}

fn limited(what: &'static str, count: usize, limit: usize) -> Result<(), AccessError> {
    if count <= limit { Ok(()) } else { Err(AccessError::TooMany { what, limit }) }
}
