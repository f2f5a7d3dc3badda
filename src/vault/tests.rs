//! What is sealed, and what opens it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::store::memory::MemoryStore;

fn value(text: &str) -> SecretValue {
    text.as_bytes().to_vec().try_into().unwrap()
}

fn vault(store: &Arc<dyn Store>, source: KeySource) -> Vault {
    Vault::open(store.clone(), Clock::running(std::num::NonZeroU32::MIN), source).unwrap()
}

fn name(text: &str) -> SecretName {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_secret_is_sealed_and_opens_with_the_key_that_was_made_for_it() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("secret.key");
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let vault_of = || vault(&store, KeySource::Own(path.clone()));
    let first = vault_of();
    assert!(!path.exists(), "it is made when it is needed");
    assert!(first.set(Namespace::default(), name("a"), value("hunter2")).await.unwrap());
    assert!(!first.set(Namespace::default(), name("a"), value("hunter3")).await.unwrap());
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!((mode & 0o777, fs::read(&path).unwrap().len()), (0o600, 32));
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "nothing else is left behind");
    let again = vault_of();
    assert_eq!(again.value(Namespace::default(), name("a")).await.unwrap(), Some(value("hunter3")));
    assert_eq!(again.value(Namespace::default(), name("b")).await.unwrap(), None);
    let kept = again.list(Namespace::default(), None, 10).await.unwrap();
    let shown = format!("{kept:?}");
    assert!(!shown.contains("hunter") && !kept[0].sealed.0.windows(6).any(|six| six == b"hunter"), "{shown}");
}

#[tokio::test]
async fn another_key_does_not_open_a_secret_and_the_error_says_which_key_that_is() {
    let home = tempfile::tempdir().unwrap();
    let (one, other) = (home.path().join("one"), home.path().join("other"));
    fs::write(&one, [1; 32]).unwrap();
    fs::write(&other, [2; 32]).unwrap();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    vault(&store, KeySource::Given(one)).set(Namespace::default(), name("a"), value("hunter2")).await.unwrap();
    let refused = vault(&store, KeySource::Given(other.clone())).value(Namespace::default(), name("a")).await;
    let refused = refused.unwrap_err().to_string();
    for part in ["`a`", &other.display().to_string(), "sealed with another one"] {
        assert!(refused.contains(part), "{refused}");
    }
}

#[tokio::test]
async fn a_sealed_value_opens_under_its_own_name_alone() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let vault = vault(&store, KeySource::Fleeting);
    vault.set(Namespace::default(), name("a"), value("hunter2")).await.unwrap();
    let moved = Secret { name: name("b"), ..vault.list(Namespace::default(), None, 1).await.unwrap().remove(0) };
    store.commit(Group(vec![Change::PutSecret(Box::new(moved))]), Durability::Synced).await.unwrap();
    assert!(matches!(vault.value(Namespace::default(), name("b")).await, Err(VaultError::OtherKey { .. })));
}

#[test]
fn a_key_that_was_given_has_to_be_one() {
    let home = tempfile::tempdir().unwrap();
    for bytes in [0, 31, 33] {
        let path = home.path().join("key");
        fs::write(&path, vec![7; bytes]).unwrap();
        let refused = key::Lazy::new(KeySource::Given(path)).unwrap_err().to_string();
        assert!(refused.contains("exactly 32 bytes"), "{refused}");
    }
    assert!(key::Lazy::new(KeySource::Given(home.path().join("absent"))).is_err());
}
