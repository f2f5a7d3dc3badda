//! What every store promises: sentences, run against each of them. What the embedded one promises besides is
//! in `embedded`, and `machine` draws sequences of changes that nobody thought of.

mod embedded;
mod full;
mod machine;
pub(crate) mod values;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tidemill::model::function::{AsyncConfig, Function};
use tidemill::model::invocation::Invocation;
use tidemill::model::names::{Digest, InvocationId};
use tidemill::store::embedded::EmbeddedStore;
use tidemill::store::memory::MemoryStore;
use tidemill::store::{Change, Cursor, Durability, Group, Part, Query, Store};
use tokio::task::JoinSet;
use values::{
    NOTHING, at, commit, done, function, function_id, id, large, listed, live, number, put, queued, settled, version,
};

/// Runs each sentence against each store.
macro_rules! every_store {
    ($($sentence:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $sentence() {
                super::$sentence(super::MemoryStore::default()).await;
            })*
        }
        mod on_disk {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $sentence() {
                let dir = super::TempDir::new().unwrap();
                super::$sentence(super::EmbeddedStore::open(dir.path()).unwrap()).await;
            })*
        }
    };
}

every_store! {
    a_committed_group_is_readable,
    a_group_takes_effect_in_its_order,
    what_a_group_puts_and_removes_is_gone,
    a_done_record_leaves_what_is_live_and_a_redelivered_one_is_back,
    a_removed_invocation_leaves_nothing,
    what_is_not_done_is_not_removed,
    removing_what_is_not_there_is_no_error,
    the_list_is_newest_first_and_its_pages_join,
    the_list_is_of_one_function_and_since_a_time,
    a_page_looks_at_no_more_than_asked,
    only_the_done_are_settled_and_the_oldest_come_first,
    bytes_small_and_large_come_back_and_are_replaced,
    a_large_record_comes_back,
    a_module_comes_back,
    functions_come_back_with_their_versions,
    a_removed_function_takes_its_versions_along,
    commits_of_many_tasks_all_land_and_are_answered,
    a_commit_whose_future_is_dropped_is_carried_out,
    groups_take_effect_in_the_order_of_the_calls,
}

async fn a_committed_group_is_readable(store: impl Store) {
    let (first, second) = (queued(1, 10), queued(2, 10));
    let payload = Change::PutBlob(first.id, Part::Payload, Bytes::from_static(b"hello"));
    commit(&store, [put(&first), payload, put(&second)]).await;
    assert_eq!(store.invocation(first.id).await.unwrap().as_ref(), Some(&first));
    assert_eq!(store.invocation(second.id).await.unwrap().as_ref(), Some(&second));
    assert_eq!(store.blob(first.id, Part::Payload).await.unwrap().unwrap(), "hello");
    assert_eq!(store.blob(first.id, Part::Result).await.unwrap(), None);
    assert_eq!(store.invocation(id(3)).await.unwrap(), None);
}

async fn a_group_takes_effect_in_its_order(store: impl Store) {
    let invocation = queued(1, 10);
    let later = Invocation { spread: 7, ..invocation.clone() };
    let blob = |text| Change::PutBlob(invocation.id, Part::Log, Bytes::from_static(text));
    commit(&store, [put(&invocation), blob(b"first"), put(&later), blob(b"second")]).await;
    assert_eq!(store.invocation(invocation.id).await.unwrap(), Some(later));
    assert_eq!(store.blob(invocation.id, Part::Log).await.unwrap().unwrap(), "second");
}

async fn what_a_group_puts_and_removes_is_gone(store: impl Store) {
    let (gone, back) = (done(1, 10), done(2, 10));
    let payload = |of: &Invocation| Change::PutBlob(of.id, Part::Payload, large(1));
    let group = [
        put(&gone),
        payload(&gone),
        Change::RemoveInvocation(gone.id),
        put(&back),
        payload(&back),
        Change::RemoveInvocation(back.id),
        put(&back),
    ];
    commit(&store, group).await;
    assert_eq!(store.invocation(gone.id).await.unwrap(), None);
    assert_eq!(store.blob(gone.id, Part::Payload).await.unwrap(), None);
    assert_eq!(store.invocation(back.id).await.unwrap().as_ref(), Some(&back));
    assert_eq!(store.blob(back.id, Part::Payload).await.unwrap(), None);
    assert_eq!(listed(&store, Query { limit: 10, ..Query::default() }).await, [2]);
}

async fn a_done_record_leaves_what_is_live_and_a_redelivered_one_is_back(store: impl Store) {
    let (queued, done) = (queued(1, 10), done(1, 10));
    commit(&store, [put(&queued)]).await;
    assert_eq!(live(&store).await, [queued.id]);
    commit(&store, [put(&done)]).await;
    assert_eq!(live(&store).await, []);
    assert_eq!(store.invocation(done.id).await.unwrap(), Some(done));
    commit(&store, [put(&queued)]).await;
    assert_eq!(live(&store).await, [queued.id]);
    assert_eq!(settled(&store, at(100), 10).await, []);
    assert_eq!(listed(&store, Query { limit: 10, ..Query::default() }).await, [1]);
}

async fn a_removed_invocation_leaves_nothing(store: impl Store) {
    let invocation = done(2, 10);
    let blobs = Part::ALL.map(|part| Change::PutBlob(invocation.id, part, Bytes::from_static(b"x")));
    commit(&store, [put(&invocation)].into_iter().chain(blobs)).await;
    commit(&store, [Change::RemoveInvocation(invocation.id)]).await;
    // Whoever read it before would have it go on.
    commit(&store, [Change::ReplaceInvocation(Box::new(queued(2, 10)))]).await;
    assert_eq!(store.invocation(invocation.id).await.unwrap(), None);
    for part in Part::ALL {
        assert_eq!(store.blob(invocation.id, part).await.unwrap(), None);
    }
    assert_eq!(listed(&store, Query { limit: 10, ..Query::default() }).await, NOTHING);
    assert_eq!(settled(&store, at(100), 10).await, []);
    assert_eq!(live(&store).await, []);
}

async fn what_is_not_done_is_not_removed(store: impl Store) {
    let (waiting, payload) = (queued(1, 10), Change::PutBlob(id(1), Part::Payload, large(1)));
    commit(&store, [put(&waiting), payload]).await;
    // It was done when somebody decided to remove it, and was redelivered since.
    commit(&store, [Change::RemoveInvocation(waiting.id)]).await;
    assert_eq!(store.invocation(waiting.id).await.unwrap().as_ref(), Some(&waiting));
    assert_eq!(store.blob(waiting.id, Part::Payload).await.unwrap(), Some(large(1)));
    let later = Invocation { accepted: at(10), ..queued(1, 10) };
    commit(&store, [Change::ReplaceInvocation(Box::new(later.clone()))]).await;
    assert_eq!(store.invocation(waiting.id).await.unwrap(), Some(later));
}

async fn removing_what_is_not_there_is_no_error(store: impl Store) {
    let orphan = Change::PutBlob(id(1), Part::Log, Bytes::from_static(b"x"));
    commit(&store, [orphan, Change::RemoveInvocation(id(1)), Change::RemoveFunction(function_id(1))]).await;
    assert_eq!(store.blob(id(1), Part::Log).await.unwrap(), None);
}

async fn the_list_is_newest_first_and_its_pages_join(store: impl Store) {
    // Two share each instant, so that the cursor must tell ids apart.
    let all: Vec<_> = (0..23u8).map(|n| if n % 3 == 0 { done(n, n / 2) } else { queued(n, n / 2) }).collect();
    commit(&store, all.iter().map(put)).await;
    let mut seen = Vec::new();
    let mut query = Query { limit: 5, ..Query::default() };
    let mut pages = 0;
    loop {
        let page = store.list(query.clone()).await.unwrap();
        seen.extend(page.invocations);
        pages += 1;
        match page.next {
            Some(next) => query.after = Some(next),
            None => break,
        }
    }
    assert_eq!(seen, all.into_iter().rev().collect::<Vec<_>>());
    assert_eq!(pages, 5);
}

async fn the_list_is_of_one_function_and_since_a_time(store: impl Store) {
    let of = |n: u8, function| {
        let mut invocation = queued(n, n);
        invocation.target.function = function_id(function);
        invocation
    };
    commit(&store, (0..20u8).map(|n| put(&of(n, n % 4)))).await;
    let all = Query { limit: 100, ..Query::default() };
    let one = Query { function: Some(function_id(1)), ..all.clone() };
    assert_eq!(listed(&store, one.clone()).await, [17, 13, 9, 5, 1]);
    assert_eq!(listed(&store, Query { since: Some(at(9)), ..one.clone() }).await, [17, 13, 9]);
    assert_eq!(listed(&store, Query { after: Some(Cursor(at(13), id(13))), ..one }).await, [9, 5, 1]);
    assert_eq!(listed(&store, Query { since: Some(at(18)), ..all.clone() }).await, [19, 18]);
    assert_eq!(listed(&store, Query { since: Some(at(50)), after: Some(Cursor(at(3), id(3))), ..all }).await, NOTHING);
}

async fn a_page_looks_at_no_more_than_asked(store: impl Store) {
    commit(&store, (0..10u8).map(|n| put(&queued(n, n)))).await;
    let nobodys = Query { function: Some(function_id(200)), limit: 4, ..Query::default() };
    let page = store.list(nobodys.clone()).await.unwrap();
    assert_eq!((page.invocations, page.next), (vec![], Some(Cursor(at(6), id(6)))));
    let exactly = store.list(Query { limit: 10, ..Query::default() }).await.unwrap();
    assert_eq!((exactly.invocations.len(), exactly.next), (10, None));
    let none = store.list(Query { after: page.next, limit: 0, ..Query::default() }).await.unwrap();
    assert_eq!((none.invocations.len(), none.next), (0, page.next));
}

async fn only_the_done_are_settled_and_the_oldest_come_first(store: impl Store) {
    commit(&store, (0..20u8).map(|n| put(&if n % 2 == 0 { done(n, n) } else { queued(n, n) }))).await;
    assert_eq!(settled(&store, at(0), 10).await, []);
    assert_eq!(settled(&store, at(5), 10).await, [id(0), id(2), id(4)]);
    assert_eq!(settled(&store, at(4), 10).await, [id(0), id(2)]);
    assert_eq!(settled(&store, at(100), 3).await, [id(0), id(2), id(4)]);
    assert_eq!(settled(&store, at(100), 0).await, []);
}

async fn bytes_small_and_large_come_back_and_are_replaced(store: impl Store) {
    let invocation = queued(1, 1);
    commit(&store, [put(&invocation)]).await;
    for bytes in
        [Bytes::new(), large(5 << 20), Bytes::from_static(b"small"), large(4_096), large(4_097), large(100_000)]
    {
        commit(&store, [Change::PutBlob(invocation.id, Part::Result, bytes.clone())]).await;
        assert_eq!(store.blob(invocation.id, Part::Result).await.unwrap(), Some(bytes));
    }
    assert_eq!(store.blob(invocation.id, Part::Payload).await.unwrap(), None);
}

async fn a_large_record_comes_back(store: impl Store) {
    let mut invocation = queued(1, 1);
    invocation.request.attributes = vec![("key".to_owned(), "v".repeat(300_000))];
    let mut function = function(1);
    function.version_configs = (1..3_000).map(|n| (number(n), AsyncConfig::default())).collect();
    commit(&store, [put(&invocation), Change::PutFunction(Box::new(function.clone()))]).await;
    assert_eq!(store.invocation(invocation.id).await.unwrap().as_ref(), Some(&invocation));
    assert_eq!(store.scan().await.unwrap().functions, [(function, BTreeMap::new())]);
    invocation.state = done(1, 1).state;
    commit(&store, [put(&invocation)]).await;
    assert_eq!(store.invocation(invocation.id).await.unwrap().as_ref(), Some(&invocation));
    commit(&store, [Change::RemoveInvocation(invocation.id)]).await;
    assert_eq!(listed(&store, Query { limit: 10, ..Query::default() }).await, NOTHING);
}

async fn a_module_comes_back(store: impl Store) {
    let module = large(3 << 20);
    let digest = Digest::from_bytes(Sha256::digest(&module).into());
    assert_eq!(store.module(digest).await.unwrap(), None);
    for _ in 0..2 {
        store.put_module(digest, module.clone()).await.unwrap();
        assert_eq!(store.module(digest).await.unwrap().as_ref(), Some(&module));
    }
}

async fn functions_come_back_with_their_versions(store: impl Store) {
    let renamed = Function { latest: Some(number(300)), ..function(1) };
    let versions = [1, 2, 300].map(version);
    let puts = versions.iter().map(|v| Change::PutVersion(renamed.id, Box::new(v.clone())));
    commit(&store, [Change::PutFunction(Box::new(function(1)))].into_iter().chain(puts)).await;
    commit(&store, [renamed.clone(), function(2)].map(|f| Change::PutFunction(Box::new(f)))).await;
    let by_number = versions.into_iter().map(|version| (version.number, version)).collect();
    assert_eq!(store.scan().await.unwrap().functions, [(renamed, by_number), (function(2), BTreeMap::new())]);
}

async fn a_removed_function_takes_its_versions_along(store: impl Store) {
    let put = |f: u8, v| Change::PutVersion(function_id(f), Box::new(version(v)));
    let functions = [1, 2].map(|f| Change::PutFunction(Box::new(function(f))));
    commit(&store, functions.into_iter().chain([put(1, 1), put(2, 1)])).await;
    commit(&store, [put(1, 2), Change::RemoveFunction(function_id(1))]).await;
    let only = |versions: [u32; 1]| versions.map(|v| (number(v), version(v))).into();
    assert_eq!(store.scan().await.unwrap().functions, [(function(2), only([1]))]);
    // A function that comes again under the same id has none of the versions from before.
    commit(&store, [Change::PutFunction(Box::new(function(1))), put(1, 3)]).await;
    assert_eq!(store.scan().await.unwrap().functions, [(function(1), only([3])), (function(2), only([1]))]);
}

async fn commits_of_many_tasks_all_land_and_are_answered(store: impl Store) {
    let store = Arc::new(store);
    let mut tasks = JoinSet::new();
    for task in 0..64u8 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            for n in 0..10u8 {
                let mut invocation = queued(task, n);
                invocation.id = InvocationId::from_bytes([[task; 8], [n; 8]].concat().try_into().unwrap());
                let when = if n % 2 == 0 { Durability::Synced } else { Durability::Written };
                let payload = Change::PutBlob(invocation.id, Part::Payload, large(usize::from(n) * 1_000));
                store.commit(Group(vec![put(&invocation), payload]), when).await.unwrap();
                let kept = store.invocation(invocation.id).await.unwrap();
                assert_eq!(kept, Some(invocation), "an answered commit is seen");
            }
        });
    }
    while let Some(end) = tasks.join_next().await {
        end.unwrap();
    }
    assert_eq!(live(&*store).await.len(), 640);
}

async fn a_commit_whose_future_is_dropped_is_carried_out(store: impl Store) {
    for n in 0..50 {
        drop(store.commit(Group(vec![put(&queued(n, n))]), Durability::Synced));
    }
    commit(&store, [put(&queued(50, 50))]).await;
    assert_eq!(live(&store).await.len(), 51);
}

async fn groups_take_effect_in_the_order_of_the_calls(store: impl Store) {
    let mut answers: Vec<_> = (0..200u16)
        .map(|spread| {
            let group = Group(vec![put(&Invocation { spread, ..queued(1, 1) })]);
            store.commit(group, Durability::Written)
        })
        .collect();
    // The last call is waited for first, the others after it.
    while let Some(answer) = answers.pop() {
        answer.await.unwrap();
        assert_eq!(store.invocation(id(1)).await.unwrap().unwrap().spread, 199);
    }
}
