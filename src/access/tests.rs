//! Accounts on a store in memory: what is given, taken away, shown once and found again.

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::model::access::{Binding, Role};
use crate::store::memory::MemoryStore;
use crate::store::{DocumentRange, Table};
use crate::vault::KeySource;

struct World {
    store: Arc<dyn Store>,
    clock: Clock,
    access: Access,
    /// Where its key is, if that is its own.
    _folder: Option<TempDir>,
}

impl World {
    async fn new() -> Self {
        Self::on(Arc::new(MemoryStore::default()), Clock::starting_at(Timestamp::from_ms(1_000_000))).await
    }

    async fn on(store: Arc<dyn Store>, clock: Clock) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = KeySource::Own(folder.path().join("secret.key"));
        Self { _folder: Some(folder), ..Self::with_key(store, clock, key).await }
    }

    async fn with_key(store: Arc<dyn Store>, clock: Clock, key: KeySource) -> Self {
        let vault = Vault::open(store.clone(), clock.clone(), key).unwrap();
        let access = Access::open(store.clone(), clock.clone(), Tasks::default(), vault).await.unwrap();
        Self { store, clock, access, _folder: None }
    }

    /// What a process would find that is started now.
    async fn opened_again(&self) -> Access {
        let vault = self.access.parts.vault.clone();
        Access::open(self.store.clone(), self.clock.clone(), Tasks::default(), vault).await.unwrap()
    }

    /// Makes the first admin, and returns the token that is left for its operator.
    async fn first_admin(&self) -> String {
        let mut left = String::new();
        let leave = |token: &str| {
            assert!(!self.access.has_admin(), "nobody has its token yet");
            token.clone_into(&mut left);
            Ok::<_, AccessError>(())
        };
        self.access.first_admin(leave).await.unwrap();
        left
    }

    async fn grant(&self, name: &str, role: Role, on: &str) {
        let binding = Binding::new(role, scope(on)).unwrap();
        self.access.grant(shop(), account(name), binding).await.unwrap();
    }
}

fn shop() -> Namespace {
    "shop".parse().unwrap()
}

fn account(name: &str) -> AccountName {
    name.parse().unwrap()
}

fn scope(text: &str) -> Scope {
    Scope::parse(text, &shop()).unwrap()
}

#[tokio::test]
async fn an_account_may_what_its_roles_allow_until_they_are_taken_away() {
    let world = World::new().await;
    let may = |on: &str| world.access.may(&shop(), &account("sender"), Permission::QueuesSend, &scope(on));
    let unknown = may("queue:jobs").unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "there is no service account `shop/sender`: it would need the role `queues.writer` on `queue:shop/jobs`"
    );
    world.access.create(shop(), account("sender")).await.unwrap();
    assert!(may("queue:jobs").is_err());
    world.grant("sender", Role::QueuesWriter, "queue:jobs").await;
    assert_eq!(may("queue:jobs"), Ok(()));
    let elsewhere = may("queue:other").unwrap_err();
    assert_eq!(
        elsewhere.to_string(),
        "the service account `shop/sender` lacks the role `queues.writer` on `queue:shop/other`"
    );
    let again = world.opened_again().await;
    assert_eq!(again.may(&shop(), &account("sender"), Permission::QueuesSend, &scope("queue:jobs")), Ok(()));
    let binding = Binding::new(Role::QueuesWriter, scope("queue:jobs")).unwrap();
    world.access.revoke(shop(), account("sender"), binding.clone()).await.unwrap();
    assert!(may("queue:jobs").is_err());
    let gone = world.access.revoke(shop(), account("sender"), binding).await.unwrap_err();
    assert!(matches!(gone, AccessError::NotGranted { .. }), "{gone}");
}

#[tokio::test]
async fn a_token_is_good_until_it_expires_is_revoked_or_its_account_goes() {
    let world = World::new().await;
    world.access.create(shop(), account("a")).await.unwrap();
    let hour = Duration::from_secs(3_600);
    let short = world.access.create_token(shop(), account("a"), Some(hour)).await.unwrap();
    let long = world.access.create_token(shop(), account("a"), None).await.unwrap();
    let who = world.access.bearer(&short.secret).unwrap();
    assert_eq!((who.namespace, who.name), (shop(), account("a")));
    let kept = world.store.documents(DocumentRange::of(Table::Credential, b""), 10).await.unwrap();
    for (_, bytes) in &kept {
        let text = String::from_utf8_lossy(bytes).into_owned();
        for token in [&short.secret, &long.secret] {
            assert!(!text.contains(token.rsplit('_').next().unwrap()), "a token is kept: {text}");
        }
    }
    let later = Clock::starting_at(world.clock.now() + hour);
    let later = World::with_key(world.store.clone(), later, KeySource::Fleeting).await.access;
    assert!(matches!(later.bearer(&short.secret), Err(Refused::Expired)));
    assert!(later.bearer(&long.secret).is_ok());
    let listed: Vec<_> = world.access.tokens(&shop(), &account("a")).unwrap();
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().any(|it| it.id == short.credential.id && it.used.is_some()), "{listed:?}");
    world.access.revoke_credential(shop(), account("a"), short.credential.id).await.unwrap();
    assert!(matches!(world.access.bearer(&short.secret), Err(Refused::Unknown)));
    world.access.remove(shop(), account("a")).await.unwrap();
    assert!(matches!(world.access.bearer(&long.secret), Err(Refused::Unknown)));
    let kept = world.store.documents(DocumentRange::of(Table::Credential, b""), 10).await.unwrap();
    assert!(kept.is_empty(), "what was of the account is gone with it");
}

#[tokio::test]
async fn what_is_no_token_is_refused_and_so_is_one_that_differs_anywhere() {
    let world = World::new().await;
    world.access.create(shop(), account("a")).await.unwrap();
    let token = world.access.create_token(shop(), account("a"), None).await.unwrap().secret;
    for at in [3, 14, 16, token.len() - 1] {
        let mut other = token.to_string().into_bytes();
        other[at] = if other[at] == b'0' { b'1' } else { b'0' };
        let other = String::from_utf8(other).unwrap();
        assert!(matches!(world.access.bearer(&other), Err(Refused::Unknown)), "{at}");
    }
    let longer = format!("{}0", *token);
    for text in ["", "tm_", "tm__", &token[..token.len() - 1], &longer] {
        assert!(matches!(world.access.bearer(text), Err(Refused::Unknown)), "{}", text.len());
    }
    let key = world.access.create_key(shop(), account("a"), None).await.unwrap();
    assert!(matches!(world.access.key(&token[3..15]).await, Err(Refused::Unknown)), "a token is no key");
    assert!(matches!(world.access.bearer(&key.credential.id), Err(Refused::Unknown)), "nor the other way");
}

#[tokio::test]
async fn the_secret_of_a_key_is_kept_sealed_and_opens_with_the_servers_key_alone() {
    let world = World::new().await;
    world.access.create(shop(), account("a")).await.unwrap();
    let made = world.access.create_key(shop(), account("a"), None).await.unwrap();
    assert_eq!((made.credential.id.len(), made.secret.len()), (20, 40));
    let again = world.opened_again().await;
    let (who, secret) = again.key(&made.credential.id).await.unwrap();
    assert_eq!((who.name, secret), (account("a"), made.secret.clone()));
    for (_, bytes) in world.store.documents(DocumentRange::of(Table::Credential, b""), 10).await.unwrap() {
        assert!(!String::from_utf8_lossy(&bytes).contains(made.secret.as_str()));
    }
    let other = World::with_key(world.store.clone(), world.clock.clone(), KeySource::Fleeting).await.access;
    let refused = other.key(&made.credential.id).await.unwrap_err().to_string();
    assert!(refused.contains("does not open with the key") && !refused.contains(made.secret.as_str()), "{refused}");
}

#[tokio::test]
async fn roles_of_everyone_are_everybodys_in_that_namespace_alone() {
    let world = World::new().await;
    world.grant("everyone", Role::FunctionsInvoker, "function:public").await;
    let may = |on: &str| world.access.everyone_may(Permission::FunctionsInvoke, &scope(on));
    assert!(may("function:public") && !may("function:private") && !may("function:default/public"));
    let stranger = Binding::new(Role::Viewer, scope("namespace:default")).unwrap();
    world.access.grant(shop(), account("everyone"), stranger).await.unwrap();
    assert!(!world.access.everyone_may(Permission::FunctionsView, &scope("namespace:default")));
    world.access.create(shop(), account("b")).await.unwrap();
    assert!(world.access.may(&shop(), &account("b"), Permission::FunctionsInvoke, &scope("function:public")).is_ok());
    let refused = world.access.create_token(shop(), account("everyone"), None).await.unwrap_err();
    assert!(matches!(refused, AccessError::Everyone), "{refused}");
}

#[tokio::test]
async fn the_first_admin_is_made_once_and_the_last_cannot_be_locked_out() {
    let world = World::new().await;
    assert!(!world.access.has_admin());
    let token = world.first_admin().await;
    let who = world.access.bearer(&token).unwrap();
    assert_eq!(world.access.permits(&who, Permission::RuntimeEdit, &Scope::Everything), Ok(()));
    assert!(world.access.has_admin() && world.opened_again().await.has_admin());
    let (default, admin) = (Namespace::default(), account(FIRST_ADMIN));
    let everything = Binding::new(Role::Admin, Scope::Everything).unwrap();
    let refused = world.access.revoke(default.clone(), admin.clone(), everything.clone()).await.unwrap_err();
    assert!(matches!(refused, AccessError::LastAdmin), "{refused}");
    let refused = world.access.remove(default.clone(), admin.clone()).await.unwrap_err();
    assert!(matches!(refused, AccessError::LastAdmin), "{refused}");
    world.access.create(shop(), account("second")).await.unwrap();
    world.access.grant(shop(), account("second"), everything).await.unwrap();
    let refused = world.access.remove(default.clone(), admin.clone()).await.unwrap_err();
    assert!(matches!(refused, AccessError::LastAdmin), "the second can show nothing: {refused}");
    world.access.create_key(shop(), account("second"), None).await.unwrap();
    world.access.remove(default, admin).await.unwrap();
    let denied = world.access.permits(&who, Permission::RuntimeEdit, &Scope::Everything).unwrap_err();
    assert!(!denied.exists);
}

#[tokio::test]
async fn the_last_credential_of_the_last_admin_stays_and_one_that_expires_is_followed_by_another() {
    let world = World::new().await;
    world.first_admin().await;
    let (default, admin) = (Namespace::default(), account(FIRST_ADMIN));
    let everything = Binding::new(Role::Admin, Scope::Everything).unwrap();
    world.access.grant(default.clone(), account(EVERYONE), everything).await.unwrap();
    let refused = world.access.remove(default.clone(), admin.clone()).await.unwrap_err();
    assert!(matches!(refused, AccessError::LastAdmin), "everyone shows nothing: {refused}");
    let first = world.access.tokens(&default, &admin).unwrap()[0].id.clone();
    let refused = world.access.revoke_credential(default.clone(), admin.clone(), first.clone()).await.unwrap_err();
    assert!(matches!(refused, AccessError::LastAdmin), "{refused}");
    let hour = Duration::from_secs(3_600);
    world.access.create_token(default.clone(), admin.clone(), Some(hour)).await.unwrap();
    world.access.revoke_credential(default, admin, first).await.unwrap();
    let later = Clock::starting_at(world.clock.now() + 2 * hour);
    let later = World::with_key(world.store.clone(), later, KeySource::Fleeting).await;
    let token = later.first_admin().await;
    assert!(later.access.has_admin() && later.access.bearer(&token).is_ok());
}

#[tokio::test]
async fn there_is_no_admin_as_long_as_its_token_could_not_be_left_for_anybody() {
    let world = World::new().await;
    let failed = world.access.first_admin(|_| Err(AccessError::Interrupted)).await.unwrap_err();
    assert!(matches!(failed, AccessError::Interrupted), "{failed}");
    let again = world.opened_again().await;
    assert!(!again.has_admin() && again.accounts(&Namespace::default()).is_empty());
    let token = world.first_admin().await;
    assert!(world.access.has_admin() && world.opened_again().await.bearer(&token).is_ok());
}

#[tokio::test]
async fn the_audit_log_is_read_from_its_end_and_found_again() {
    let world = World::new().await;
    for n in 0..5 {
        world.access.audit().note("shop/a".to_owned(), format!("PUT {n}"), "function:a".to_owned(), 200).await.unwrap();
    }
    let again = world.opened_again().await;
    again.audit().note(String::new(), "PUT 5".to_owned(), "function:a".to_owned(), 403).await.unwrap();
    let first = again.audit().entries(None, 2).await.unwrap();
    let actions = |page: &[(AuditPlace, AuditEntry)]| page.iter().map(|(_, it)| it.action.clone()).collect::<Vec<_>>();
    assert_eq!(actions(&first), ["PUT 5", "PUT 4"]);
    let rest = again.audit().entries(Some(first[1].0), 10).await.unwrap();
    assert_eq!(actions(&rest), ["PUT 3", "PUT 2", "PUT 1", "PUT 0"]);
}
