//! Functions for the tests of this room, and the tests of what they are besides their code.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::*;
use crate::engine::Settings;
use crate::model::destination::{Destination, Destinations, Outside, OutsideKind, Terms};
use crate::model::function::{Annotations, AsyncConfig, Weights};
use crate::model::names::AliasName;
use crate::model::samples;
use crate::model::time::Timestamp;
use crate::store::memory::MemoryStore;
use crate::store::{Change, Durability, Group};

pub(super) fn path(name: &str) -> FunctionPath {
    FunctionPath { namespace: "default".parse().unwrap(), name: name.parse().unwrap() }
}

/// A function that is kept, with where its successes go.
pub(super) fn kept(name: &str, to: Option<(OutsideKind, &str)>) -> Vec<Change> {
    let on_success = to.map(|(kind, target)| Destination::Outside(Outside { kind, target: target.to_owned() }));
    let destinations = Destinations { on_success, ..Destinations::default() };
    let function = Function {
        async_config: Some(AsyncConfig { destinations, ..AsyncConfig::default() }),
        ..samples::function(name.as_bytes()[0], name)
    };
    let version = Change::PutVersion(function.id, Box::new(samples::version()));
    vec![Change::PutFunction(Box::new(function)), version]
}

/// A registry of functions that are kept.
pub(super) async fn registry(functions: Vec<Vec<Change>>) -> Registry {
    let store = Arc::new(MemoryStore::default());
    store.commit(Group(functions.concat()), Durability::Synced).await.unwrap();
    let engine = Engine::start(&Settings { concurrency: 1, ..Settings::default() }).unwrap();
    let live = store.scan().await.unwrap();
    Registry::open(store, engine, Clock::starting_at(Timestamp::from_ms(0)), Tasks::default(), &live)
}

/// A configuration whose successes go there.
pub(super) fn leading_to(text: &str) -> ConfigText {
    let AsyncConfig { retry, max_event_age, .. } = AsyncConfig::default();
    let terms = Terms::default();
    ConfigText {
        retry,
        max_event_age,
        on_success: Some(text.parse().unwrap()),
        on_failure: None,
        success_terms: terms.clone(),
        failure_terms: terms,
        service_account: None,
    }
}

fn number(number: u32) -> VersionNumber {
    number.try_into().unwrap()
}

/// One function with two versions.
async fn with_two_versions() -> Registry {
    with_two_versions_and(Vec::new()).await
}

/// The same and what else is kept.
async fn with_two_versions_and(others: Vec<Change>) -> Registry {
    let mut changes = kept("f", None);
    for change in kept("f", None) {
        match change {
            Change::PutFunction(function) => {
                changes.push(Change::PutFunction(Box::new(Function { latest: Some(number(2)), ..*function })));
            }
            Change::PutVersion(id, version) => {
                changes.push(Change::PutVersion(id, Box::new(Version { number: number(2), ..*version })));
            }
            _ => unreachable!(),
        }
    }
    registry(vec![changes, others]).await
}

#[tokio::test]
async fn a_function_can_be_there_before_its_code_and_its_name_is_taken_then() {
    let registry = registry(Vec::new()).await;
    let annotations: Annotations = [("dialect".to_owned(), "{}".to_owned())].into();
    let made = registry.create(path("f"), annotations.clone()).await.unwrap();
    assert_eq!((made.latest, &made.annotations), (None, &annotations));
    assert!(matches!(registry.resolve(&path("f"), &Qualifier::Latest), Err(RegistryError::VersionUnknown { .. })));
    let again = registry.create(path("f"), Annotations::new()).await;
    assert!(matches!(again, Err(RegistryError::FunctionExists(_))), "{again:?}");
    let too_long = [("dialect".to_owned(), "x".repeat(crate::model::bounds::MAX_ANNOTATION_BYTES + 1))].into();
    let refused = registry.create(path("g"), too_long).await;
    assert!(matches!(refused, Err(RegistryError::TooMany { .. })), "{refused:?}");
    assert!(registry.function(&path("g")).is_err());
}

#[tokio::test]
async fn a_function_gets_another_name_unless_something_leads_to_it_or_the_name_is_taken() {
    let registry = registry(vec![kept("f", None), kept("g", None)]).await;
    let id = registry.function(&path("f")).unwrap().id;
    let taken = registry.rename(path("f"), path("g").name).await;
    assert!(matches!(taken, Err(RegistryError::FunctionExists(_))), "{taken:?}");
    let renamed = registry.rename(path("f"), path("h").name).await.unwrap();
    assert_eq!((renamed.id, &renamed.path), (id, &path("h")));
    assert!(registry.function(&path("f")).is_err());
    assert_eq!(registry.function(&path("h")).unwrap().id, id);
    let names: Vec<_> = registry.read(|all| all.functions(None, None).map(|it| it.path.clone()).collect());
    assert_eq!(names, [path("g"), path("h")]);

    registry.configure(path("g"), Subject::Function, leading_to("function:h")).await.unwrap();
    let refused = registry.rename(path("h"), path("i").name).await;
    assert!(matches!(&refused, Err(RegistryError::InUse { used_by, .. }) if *used_by == ["g"]), "{refused:?}");
}

#[tokio::test]
async fn a_version_goes_unless_it_is_the_latest_or_an_alias_leads_to_it() {
    let registry = with_two_versions().await;
    let latest = registry.delete_version(path("f"), number(2), BTreeSet::new()).await;
    assert!(matches!(latest, Err(RegistryError::LatestVersion { .. })), "{latest:?}");
    registry
        .alias(path("f"), "blue".parse().unwrap(), Some((number(2), Weights::from([(number(1), 10)]))))
        .await
        .unwrap();
    let weighted = registry.delete_version(path("f"), number(1), BTreeSet::new()).await;
    assert!(matches!(weighted, Err(RegistryError::VersionAliased { .. })), "{weighted:?}");
    registry.alias(path("f"), "blue".parse().unwrap(), Some((number(1), Weights::new()))).await.unwrap();
    let aliased = registry.delete_version(path("f"), number(1), BTreeSet::new()).await;
    assert!(matches!(aliased, Err(RegistryError::VersionAliased { .. })), "{aliased:?}");
    registry.alias(path("f"), "blue".parse().unwrap(), None).await.unwrap();
    registry.delete_version(path("f"), number(1), BTreeSet::new()).await.unwrap();
    let gone = registry.delete_version(path("f"), number(1), BTreeSet::new()).await;
    assert!(matches!(gone, Err(RegistryError::VersionUnknown { .. })), "{gone:?}");
    let kept = registry.parts.store.scan().await.unwrap().functions;
    assert_eq!(kept[0].1.keys().copied().collect::<Vec<_>>(), [number(2)]);
}

#[tokio::test]
async fn an_alias_or_a_version_stays_while_it_is_a_destination_and_a_version_takes_its_aliases_along() {
    let registry = with_two_versions_and(kept("g", None)).await;
    let alias = |name: &str| name.parse::<AliasName>().unwrap();
    for name in ["blue", "green"] {
        registry.alias(path("f"), alias(name), Some((number(1), Weights::new()))).await.unwrap();
    }
    let both = || [alias("blue"), alias("green")].into();
    for (to, used) in [("function:f@green", "f@green"), ("function:f@1", "f@1")] {
        registry.configure(path("g"), Subject::Function, leading_to(to)).await.unwrap();
        let refused = registry.delete_version(path("f"), number(1), both()).await.unwrap_err().to_string();
        assert_eq!(refused, format!("`{used}` is a destination of `g`: change their configuration first"));
        assert_eq!(registry.function(&path("f")).unwrap().aliases.len(), 2);
    }
    registry.alias(path("f"), alias("blue"), None).await.unwrap();
    registry.configure(path("g"), Subject::Version(number(1)), leading_to("function:f@green")).await.unwrap();
    let refused = registry.alias(path("f"), alias("green"), None).await;
    assert!(matches!(&refused, Err(RegistryError::QualifierInUse { used_by, .. }) if *used_by == ["g"]), "{refused:?}");
    // It may be pointed elsewhere, as a destination that names it says.
    registry.alias(path("f"), alias("green"), Some((number(2), Weights::new()))).await.unwrap();
    registry.alias(path("f"), alias("green"), Some((number(1), Weights::new()))).await.unwrap();
    registry.remove_config(path("g"), Subject::Version(number(1))).await.unwrap();
    registry.remove_config(path("g"), Subject::Function).await.unwrap();
    registry.delete_version(path("f"), number(1), both()).await.unwrap();
    assert!(registry.function(&path("f")).unwrap().aliases.is_empty());
}

#[tokio::test]
async fn an_alias_with_weights_is_drawn_and_its_weights_are_no_more_than_all() {
    let registry = with_two_versions().await;
    let alias = || "blue".parse().unwrap();
    let too_much = registry.alias(path("f"), alias(), Some((number(2), Weights::from([(number(1), 101)])))).await;
    assert!(matches!(too_much, Err(RegistryError::Range(_))), "{too_much:?}");
    let unknown = registry.alias(path("f"), alias(), Some((number(2), Weights::from([(number(9), 1)])))).await;
    assert!(matches!(unknown, Err(RegistryError::VersionUnknown { .. })), "{unknown:?}");
    registry.alias(path("f"), alias(), Some((number(2), Weights::from([(number(1), 30)])))).await.unwrap();
    let function = registry.function(&path("f")).unwrap();
    let qualifier = Qualifier::Alias(alias());
    let drawn = |drawn| function.drawn(&qualifier, drawn).unwrap().get();
    assert_eq!([drawn(0), drawn(29), drawn(30), drawn(99)], [1, 1, 2, 2]);
    assert_eq!(function.resolve(&qualifier), Some(number(2)));
    assert_eq!(function.drawn(&Qualifier::Latest, 0), Some(number(2)));
}
