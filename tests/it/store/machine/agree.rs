//! Whether a store answers as the model does, question by question.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use tidemill::model::names::FunctionId;
use tidemill::model::outcome::OutcomeKind;
use tidemill::model::place::{Lane, Place};
use tidemill::model::secret::Secret;
use tidemill::model::time::Timestamp;
use tidemill::store::{Counts, Cursor, DocumentKey, DocumentRange, Part, Query, Settled, SettledQuery, Store, Table};

use super::super::values::function_id;
use super::action::Action;
use super::model::{Model, namespace, pair_store, time};

type Agreed = Result<(), String>;

/// Asks one kind of question.
pub(super) async fn one(store: &dyn Store, model: &Model, action: &Action) -> Agreed {
    let limit = usize::try_from(action.digit(5, 9)).unwrap();
    match action.digit(6, 10) {
        0 => invocations(store, model, false).await,
        1 => list(store, model, Query { limit, ..Query::default() }).await,
        2 => list(store, model, filtered(model, action, limit)).await,
        3 => waiting(store, model, limit).await,
        4 => too_old(store, model, time(model.now + action.digit(7, 9_000)), limit).await,
        5 => settled(store, model, limit).await,
        6 => counts(store, model).await,
        7 => secrets(store, model, limit).await,
        8 => pairs(store, model, limit, false).await,
        _ => keys(store, model, limit).await,
    }
}

/// Asks everything.
pub(super) async fn all(store: &dyn Store, model: &Model) -> Agreed {
    invocations(store, model, true).await?;
    list(store, model, Query { limit: 7, ..Query::default() }).await?;
    list(store, model, Query { limit: 1_000, function: Some(function_id(1)), ..Query::default() }).await?;
    waiting(store, model, 3).await?;
    too_old(store, model, time(model.now + 4_000), 1_000).await?;
    settled(store, model, 1_000).await?;
    counts(store, model).await?;
    keys(store, model, 1_000).await?;
    secrets(store, model, 1_000).await?;
    documents(store, model, 1_000).await?;
    documents(store, model, 2).await?;
    pairs(store, model, 1_000, true).await?;
    pairs(store, model, 2, false).await?;
    scan(store, model).await
}

fn same<T: PartialEq + Debug>(what: &str, found: &T, expected: &T) -> Agreed {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what}: the store says {found:#?}, the model {expected:#?}"))
}

fn read<T>(answer: Result<T, tidemill::store::StoreError>) -> Result<T, String> {
    answer.map_err(|error| error.to_string())
}

async fn invocations(store: &dyn Store, model: &Model, with_blobs: bool) -> Agreed {
    for (id, invocation) in &model.invocations {
        same("an invocation", &read(store.invocation(*id).await)?.as_ref(), &Some(invocation))?;
        for part in Part::ALL.into_iter().filter(|_| with_blobs) {
            let blob = read(store.blob(*id, part).await)?;
            if blob.as_ref() != model.blobs.get(&(*id, part)) {
                return Err(format!("the {part:?} of {id} is not what was written"));
            }
        }
    }
    Ok(())
}

fn filtered(model: &Model, action: &Action, limit: usize) -> Query {
    let function = (action.digit(8, 2) == 0).then(|| function_id(u8::try_from(action.digit(2, 3)).unwrap()));
    let since = (action.digit(9, 2) == 0).then(|| time(model.now.saturating_sub(action.digit(3, 2_000))));
    Query { function, since, after: None, limit: limit.max(1) }
}

/// Goes through a list to its end.
async fn list(store: &dyn Store, model: &Model, mut query: Query) -> Agreed {
    let mut expected: Vec<_> = model.invocations.values().collect();
    expected.sort_by_key(|invocation| std::cmp::Reverse(Cursor(invocation.accepted, invocation.id)));
    expected.retain(|invocation| {
        query.function.is_none_or(|function| invocation.target.function == function)
            && query.since.is_none_or(|since| invocation.accepted >= since)
    });
    query.limit = query.limit.max(1);
    let mut found = Vec::new();
    loop {
        let page = read(store.list(query.clone()).await)?;
        same("the length of a page", &(page.invocations.len() <= query.limit), &true)?;
        found.extend(page.invocations);
        let Some(next) = page.next else { break };
        same("that a page goes on", &query.after.is_none_or(|after| next < after), &true)?;
        query.after = Some(next);
    }
    same("a list", &found.iter().collect(), &expected)
}

fn places(model: &Model) -> Vec<Place> {
    model.invocations.values().filter_map(tidemill::model::invocation::Invocation::place).collect()
}

/// Goes through every lane, a few at a time.
async fn waiting(store: &dyn Store, model: &Model, limit: usize) -> Agreed {
    let mut lanes: BTreeMap<Lane, Vec<Place>> = BTreeMap::new();
    for place in places(model) {
        lanes.entry(place.lane).or_default().push(place);
    }
    for (lane, mut expected) in lanes {
        expected.sort_unstable_by_key(Place::turn);
        let mut found: Vec<Place> = Vec::new();
        loop {
            let some = read(store.waiting(lane, found.last().map(Place::turn), limit.max(1)).await)?;
            same("how many wait", &(some.len() <= limit.max(1)), &true)?;
            if some.is_empty() {
                break;
            }
            found.extend(some);
        }
        same("what waits", &found, &expected)?;
    }
    Ok(())
}

async fn too_old(store: &dyn Store, model: &Model, now: Timestamp, limit: usize) -> Agreed {
    let mut expected = places(model);
    expected.retain(|place| place.expires < now);
    expected.sort_unstable_by_key(|place| (place.expires, place.id));
    expected.truncate(limit);
    let mut found = read(store.too_old(now, limit).await)?;
    same("that the oldest come first", &found.is_sorted_by_key(|place| place.expires), &true)?;
    if limit >= model.invocations.len() {
        found.sort_unstable_by_key(|place| (place.expires, place.id));
        return same("what is too old", &found, &expected);
    }
    // Of those that expire together any may come first.
    let times = |places: &[Place]| places.iter().map(|place| place.expires).collect::<Vec<_>>();
    same("when the too old were", &times(&found), &times(&expected))
}

async fn settled(store: &dyn Store, model: &Model, limit: usize) -> Agreed {
    for (n, kind) in (0..3).flat_map(|n| OutcomeKind::ALL.map(|kind| (n, kind))) {
        for before in [model.time(), time(model.now + 60_000)] {
            let function = function_id(n);
            let found = read(store.settled(SettledQuery { function, kind, before, limit }).await)?;
            let mut expected = model.settled(function, kind, before);
            expected.truncate(limit);
            let which = |all: &[Settled]| all.iter().map(|settled| (settled.at, settled.id)).collect::<Vec<_>>();
            same("what settled", &which(&found), &which(&expected))?;
            let enough = found.iter().zip(&expected).all(|(found, least)| found.bytes >= least.bytes);
            same("that bytes of the settled are counted", &enough, &true)?;
        }
    }
    Ok(())
}

async fn counts(store: &dyn Store, model: &Model) -> Agreed {
    let without_bytes = |mut counts: Counts| {
        counts.kept.iter_mut().for_each(|kept| kept.bytes = 0);
        counts
    };
    let all = store.all_counts();
    for function in (0..3).map(function_id) {
        let (found, expected) = (store.counts(function), model.counts(function));
        same("the counts", &without_bytes(found), &without_bytes(expected))?;
        same("the counts among all", &all.get(&function).copied().unwrap_or_default(), &found)?;
        let enough = found.kept.iter().zip(&expected.kept).all(|(found, least)| found.bytes >= least.bytes);
        same("that kept bytes are counted", &enough, &true)?;
    }
    let known = |counts: BTreeMap<FunctionId, Counts>| -> BTreeMap<FunctionId, Counts> {
        counts.into_iter().filter(|(_, counts)| *counts != Counts::default()).collect()
    };
    same("what is counted again", &known(read(store.recount().await)?), &known(all))
}

async fn keys(store: &dyn Store, model: &Model, limit: usize) -> Agreed {
    for (key, used) in &model.keys {
        same("a key", &read(store.key(*key).await)?, &Some(*used))?;
    }
    let over = model.keys.iter().filter(|(_, used)| used.until < model.time()).map(|(key, _)| *key);
    let over: BTreeSet<_> = over.collect();
    let found = read(store.keys_over(model.time(), limit).await)?;
    same("how many keys are over", &found.len(), &over.len().min(limit))?;
    same("that they are", &found.iter().all(|key| over.contains(key)), &true)
}

async fn secrets(store: &dyn Store, model: &Model, limit: usize) -> Agreed {
    for namespace in (0..2).map(namespace) {
        let expected: Vec<_> = model.secrets.values().filter(|secret| secret.namespace == namespace).cloned().collect();
        for secret in &expected {
            let found = read(store.secret(namespace.clone(), secret.name.clone()).await)?;
            same("a secret", &found.as_ref(), &Some(secret))?;
        }
        let mut found: Vec<Secret> = Vec::new();
        loop {
            let after = found.last().map(|secret| secret.name.clone());
            let some = read(store.secrets(namespace.clone(), after, limit.max(1)).await)?;
            same("how many secrets", &(some.len() <= limit.max(1)), &true)?;
            if some.is_empty() {
                break;
            }
            found.extend(some);
        }
        same("the secrets", &found, &expected)?;
        let absent = read(store.secret(namespace, "absent".parse().unwrap()).await)?;
        same("a secret that is not there", &absent, &None)?;
    }
    Ok(())
}

async fn documents(store: &dyn Store, model: &Model, limit: usize) -> Agreed {
    for (table, prefix) in Table::ALL.into_iter().flat_map(|table| [(table, &b""[..]), (table, b"b"), (table, b"\xff")])
    {
        let expected: Vec<_> = model.documents.iter().map(|(key, bytes)| (key.clone(), bytes.clone())).collect();
        let of_it = |key: &DocumentKey| key.table == table && key.key().starts_with(prefix);
        let expected: Vec<_> = expected.into_iter().filter(|(key, _)| of_it(key)).collect();
        let (mut range, mut found) = (DocumentRange::of(table, prefix), Vec::new());
        loop {
            let some = read(store.documents(range.clone(), limit).await)?;
            let keys: Vec<_> = some.iter().map(|(key, _)| key.clone()).collect();
            same("the keys of documents", &read(store.document_keys(range.clone(), limit).await)?, &keys)?;
            same("how many documents", &(some.len() <= limit), &true)?;
            let Some((last, _)) = some.last() else { break };
            range = range.after(last.key());
            found.extend(some);
        }
        same("the documents", &found, &expected)?;
        for (key, bytes) in expected {
            same("a document", &read(store.document(key).await)?, &Some(bytes))?;
        }
    }
    let absent = DocumentKey::new(Table::Audit, b"absent".to_vec());
    same("a document that is not there", &read(store.document(absent).await)?, &None)
}

async fn pairs(store: &dyn Store, model: &Model, limit: usize, with_values: bool) -> Agreed {
    let limit = limit.max(1);
    for of in (0..4).map(pair_store) {
        let expected: BTreeMap<_, _> =
            model.pairs.iter().filter(|((store, _), _)| *store == of).map(|((_, key), value)| (key, value)).collect();
        let mut found = BTreeMap::new();
        let mut after = None;
        loop {
            let some = read(store.pairs(of.clone(), after, limit).await)?;
            same("how many pairs", &(some.len() <= limit), &true)?;
            let Some(last) = some.last() else { break };
            after = Some(last.place());
            for pair in some {
                same("whose pair it is", &pair.store, &of)?;
                same("that no pair is listed twice", &found.insert(pair.key, pair.bytes), &None)?;
            }
        }
        let sizes: BTreeMap<_, _> = expected.iter().map(|(key, value)| ((*key).clone(), value.len() as u64)).collect();
        same("the pairs", &found, &sizes)?;
        for (key, value) in expected.into_iter().filter(|_| with_values) {
            let found = read(store.pair_value(of.clone(), key.clone()).await)?;
            same("a value", &(found.as_ref() == Some(value)), &true)?;
        }
        let (absent, value) = (store.pair(of.clone(), "absent".to_owned()), store.pair_value(of, "absent".to_owned()));
        same("a pair that is not there", &(read(absent.await)?, read(value.await)?), &(None, None))?;
    }
    let mut stores = Vec::new();
    while let Some(last) = {
        let some = read(store.pair_stores(stores.last().cloned(), limit).await)?;
        some.last().cloned().inspect(|_| stores.extend(some))
    } {
        same("that a list of stores ends", &(stores.len() <= 4), &true).map_err(|why| format!("{why} at {last:?}"))?;
    }
    let expected: BTreeSet<_> = model.pairs.keys().map(|(store, _)| store.clone()).collect();
    same("the key-value stores", &stores.into_iter().collect(), &expected)
}

async fn scan(store: &dyn Store, model: &Model) -> Agreed {
    let mut found = read(store.scan().await)?;
    let lanes: BTreeSet<Lane> = places(model).iter().map(|place| place.lane).collect();
    same("the lanes", &found.lanes.into_iter().collect(), &lanes)?;
    found.functions.sort_by_key(|(function, _)| function.id);
    let versions = |id: FunctionId| {
        let of_it = model.versions.iter().filter(move |((of, _), _)| *of == id);
        of_it.map(|((_, number), version)| (*number, version.clone())).collect()
    };
    let functions = model.functions.values().map(|function| (function.clone(), versions(function.id)));
    same("the functions", &found.functions, &functions.collect())
}
