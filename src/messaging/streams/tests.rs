//! Streams against plain lists of records, on the store that keeps them, through reopenings.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::store::embedded::EmbeddedStore;
use crate::store::memory::MemoryStore;

/// What a stream should be: all that was ever appended, and what of it is still there.
#[derive(Default)]
struct Model {
    records: Vec<(Option<Uuid>, Option<String>, Bytes, Timestamp)>,
    /// The place of the first that is still there, from 1.
    first: u64,
}

impl Model {
    fn places(&self, key: Option<&str>) -> Vec<(u64, Bytes)> {
        let placed = (1..).zip(&self.records).filter(|(place, _)| *place >= self.first);
        let of_key = placed.filter(|(_, (_, own, ..))| key.is_none() || own.as_deref() == key);
        of_key.map(|(place, (_, _, data, _))| (place, data.clone())).collect()
    }
}

#[derive(Clone, Debug)]
enum Action {
    /// Records with an id, a key and a size, some of them.
    Append(u8, Vec<(Option<u8>, Option<u8>, usize)>),
    Reopen,
    Wait(u64),
    LetGo,
    Delete(u8),
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let record = (proptest::option::of(0u8..20), proptest::option::of(0u8..3), 0usize..2_000);
    let action = prop_oneof![
        8 => (0u8..2, proptest::collection::vec(record, 1..6)).prop_map(|(of, records)| Action::Append(of, records)),
        1 => Just(Action::Reopen),
        2 => (1u64..40).prop_map(Action::Wait),
        2 => Just(Action::LetGo),
        1 => (0u8..2).prop_map(Action::Delete),
    ];
    proptest::collection::vec(action, 1..40)
}

fn path(of: u8) -> StreamPath {
    StreamPath { namespace: Namespace::default(), name: format!("stream-{of}").parse().unwrap() }
}

fn reading(from: ReadFrom) -> Reading {
    Reading { from, most: 7, key: None, wait: Duration::ZERO }
}

async fn open(folder: &TempDir, clock: &Clock) -> (Arc<EmbeddedStore>, Streams, Tasks) {
    let path = folder.path().to_owned();
    let store = Arc::new(tokio::task::spawn_blocking(move || EmbeddedStore::open(&path)).await.unwrap().unwrap());
    let tasks = Tasks::default();
    let streams = Streams::open(store.clone(), clock.clone(), tasks.clone()).await.unwrap();
    (store, streams, tasks)
}

async fn close(store: Arc<EmbeddedStore>, streams: Streams, tasks: Tasks) {
    tasks.stop();
    assert!(tasks.ended(Duration::from_secs(10)).await);
    drop(streams);
    let store = Arc::into_inner(store).expect("nobody else has the store");
    tokio::task::spawn_blocking(move || drop(store)).await.unwrap();
}

/// Every record of a stream, read in pages.
async fn everything(streams: &Streams, path: &StreamPath, key: Option<&str>) -> Vec<(u64, Bytes)> {
    let (mut all, mut from) = (Vec::new(), ReadFrom::Earliest);
    loop {
        let asked = Reading { key: key.map(str::to_owned), ..reading(from) };
        let read = streams.read(path, &asked).await.unwrap();
        if read.records.is_empty() {
            return all;
        }
        all.extend(read.records.into_iter().map(|record| (record.place, record.data)));
        from = ReadFrom::Place(read.next);
    }
}

async fn agree(streams: &Streams, models: &BTreeMap<u8, Model>) {
    for (of, model) in models {
        let (path, next) = (path(*of), model.records.len() as u64 + 1);
        assert_eq!(everything(streams, &path, None).await, model.places(None));
        assert_eq!(everything(streams, &path, Some("k1")).await, model.places(Some("k1")));
        let extent = streams.view(&path).await.unwrap().extent;
        assert_eq!((extent.first, extent.next), (model.first, next));
        for place in [model.first, next] {
            let Some((_, _, _, at)) = usize::try_from(place - 1).ok().and_then(|at| model.records.get(at)) else {
                continue;
            };
            let of_time = streams.read(&path, &reading(ReadFrom::Time(*at))).await.unwrap();
            let first = model.records.iter().position(|(.., other)| other >= at).unwrap() as u64 + 1;
            assert_eq!(of_time.records[0].place, first.max(model.first));
        }
    }
}

/// What retention takes of a model: what is older than a minute.
fn age(model: &mut Model, now: Timestamp) {
    let since = now.minus(Duration::from_secs(*bounds::STREAM_RETENTION_S.start()));
    let old = model.records.iter().take_while(|(.., at)| *at < since).count() as u64;
    model.first = model.first.max(old + 1);
}

/// Appends the same to a stream and to its model, and compares the places.
async fn append(
    streams: &Streams,
    models: &mut BTreeMap<u8, Model>,
    of: u8,
    records: Vec<(Option<u8>, Option<u8>, usize)>,
    now: Timestamp,
) {
    let settings = StreamSettings { retention_s: *bounds::STREAM_RETENTION_S.start(), ..StreamSettings::default() };
    // Settings that are written again have old records looked for, which the models are not told of.
    if !models.contains_key(&of) {
        assert!(streams.set(path(of), settings).await.unwrap());
    }
    let model = models.entry(of).or_insert_with(|| Model { first: 1, ..Model::default() });
    let (mut sent, mut places) = (Vec::new(), Vec::new());
    for (id, key, size) in records {
        let id = id.map(|id| Uuid::from_u128(id.into()));
        let (key, data) = (key.map(|key| format!("k{key}")), Bytes::from(vec![b'x'; size]));
        sent.push(NewRecord { id, key: key.clone(), data: data.clone(), ..NewRecord::default() });
        let known = id.and_then(|id| model.records.iter().position(|(known, ..)| *known == Some(id)));
        places.push(known.unwrap_or(model.records.len()) as u64 + 1);
        if known.is_none() {
            model.records.push((id, key, data, now));
        }
    }
    assert_eq!(streams.append(&path(of), sent).await.unwrap(), places);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn streams_are_what_plain_lists_are_whatever_is_done_to_them_and_however_often_they_are_reopened(actions in actions()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = TempDir::new().unwrap();
            let mut now = Timestamp::from_ms(1_000_000);
            let (mut store, mut streams, mut tasks) = open(&folder, &Clock::starting_at(now)).await;
            let mut models = BTreeMap::<u8, Model>::new();
            for action in actions {
                // The clock of the streams runs on a little; what the models tell apart is whole seconds.
                match action {
                    Action::Append(of, records) => append(&streams, &mut models, of, records, now).await,
                    Action::Delete(of) => {
                        let there = models.remove(&of).is_some();
                        prop_assert_eq!(streams.remove(path(of)).await.is_ok(), there);
                    }
                    Action::LetGo => {
                        for log in streams.parts.all() {
                            log.let_go(now).await.unwrap();
                        }
                        for model in models.values_mut() {
                            age(model, now);
                        }
                    }
                    Action::Wait(_) | Action::Reopen => {
                        if let Action::Wait(seconds) = action {
                            now = now + Duration::from_secs(seconds);
                        }
                        close(store, streams, tasks).await;
                        (store, streams, tasks) = open(&folder, &Clock::starting_at(now)).await;
                    }
                }
                agree(&streams, &models).await;
            }
            close(store, streams, tasks).await;
            Ok(())
        })?;
    }
}

async fn in_memory() -> (Streams, Tasks) {
    let tasks = Tasks::default();
    let (store, clock) = (Arc::new(MemoryStore::default()), Clock::starting_at(Timestamp::from_ms(1_000_000)));
    (Streams::open(store, clock, tasks.clone()).await.unwrap(), tasks)
}

fn says(text: &str) -> NewRecord {
    NewRecord { data: Bytes::copy_from_slice(text.as_bytes()), ..NewRecord::default() }
}

#[tokio::test(start_paused = true)]
async fn a_read_waits_for_the_next_record_and_gives_up_in_time() {
    let (streams, _tasks) = in_memory().await;
    streams.set(path(0), StreamSettings::default()).await.unwrap();
    let asked = Reading { wait: Duration::from_secs(60), ..reading(ReadFrom::Latest) };
    let started = tokio::time::Instant::now();
    assert_eq!(streams.read(&path(0), &asked).await.unwrap(), Records { records: Vec::new(), next: 1 });
    assert_eq!(started.elapsed(), bounds::MAX_POLL);
    let path = path(0);
    let (read, ()) = tokio::join!(streams.read(&path, &asked), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        streams.append(&path, vec![says("a")]).await.unwrap();
    });
    assert_eq!(read.unwrap().records[0].data, "a");
    assert!(started.elapsed() < Duration::from_secs(25));
}

#[tokio::test(start_paused = true)]
async fn what_is_too_old_goes_by_itself_and_places_go_on() {
    let (streams, _tasks) = in_memory().await;
    let settings = StreamSettings { retention_s: 60, ..StreamSettings::default() };
    streams.set(path(0), settings).await.unwrap();
    streams.append(&path(0), vec![says("a"), says("b")]).await.unwrap();
    tokio::time::sleep(Duration::from_secs(45)).await;
    streams.append(&path(0), vec![says("c")]).await.unwrap();
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(everything(&streams, &path(0), None).await, [(3, Bytes::from_static(b"c"))]);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(everything(&streams, &path(0), None).await, []);
    assert_eq!(streams.view(&path(0)).await.unwrap().extent, Extent { first: 4, next: 4, bytes: 0 });
    assert_eq!(streams.append(&path(0), vec![says("d")]).await.unwrap(), [4]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_too_large_loses_its_oldest_records() {
    let (streams, _tasks) = in_memory().await;
    let settings = StreamSettings { max_bytes: *bounds::STREAM_BYTES.start(), ..StreamSettings::default() };
    streams.set(path(0), settings).await.unwrap();
    for _ in 0..5 {
        streams.append(&path(0), vec![says(&"x".repeat(400_000))]).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let extent = streams.view(&path(0)).await.unwrap().extent;
    assert_eq!((extent.first, extent.next), (4, 6));
    assert!(extent.bytes <= settings.max_bytes, "{extent:?}");
}

#[tokio::test(start_paused = true)]
async fn of_a_stream_that_stays_full_what_is_too_much_goes_together_and_the_others_wait_for_their_round() {
    let (streams, _tasks) = in_memory().await;
    let settings = StreamSettings { retention_s: 60, max_bytes: *bounds::STREAM_BYTES.start() };
    for of in 0..2 {
        streams.set(path(of), settings).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    streams.append(&path(1), vec![says("old")]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(60_500)).await; // the round of the 60th second has left it
    let first = async |of| streams.view(&path(of)).await.unwrap().extent.first;
    let (mut cuts, mut before) = (0, 1);
    for _ in 0..50 {
        streams.append(&path(0), vec![says(&"x".repeat(100_000))]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        let now = first(0).await;
        cuts += u32::from(now > before);
        before = now;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!((first(0).await, first(1).await), (41, 1));
    assert!((5..=15).contains(&cuts), "{cuts} times something went of it");
    for _ in 0..10 {
        streams.append(&path(0), vec![says(&"x".repeat(1_000_000))]).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(first(1).await, 2, "the round comes also while another is full");
}

#[tokio::test]
async fn appends_at_once_all_get_places_of_their_own() {
    let (streams, _tasks) = in_memory().await;
    streams.set(path(0), StreamSettings::default()).await.unwrap();
    let path = path(0);
    let appends = (0..200).map(|n| streams.append(&path, vec![says(&n.to_string()), says("and")]));
    let places = futures::future::try_join_all(appends).await.unwrap();
    assert!(places.iter().all(|pair| pair[1] == pair[0] + 1), "an append is torn apart: {places:?}");
    let mut all: Vec<_> = places.into_iter().flatten().collect();
    all.sort_unstable();
    assert_eq!(all, (1..=400).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn appends_of_many_who_wait_for_each_share_commits() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::system());
    let (store, streams, tasks) = open(&folder, &clock).await;
    streams.set(path(0), StreamSettings::default()).await.unwrap();
    let before = store.vitals().commits;
    let clients = (0..16).map(|_| {
        let streams = streams.clone();
        tasks.see_through("client", async move {
            for _ in 0..20 {
                streams.append(&path(0), vec![says("a")]).await.unwrap();
            }
        })
    });
    futures::future::join_all(clients).await.into_iter().for_each(Option::unwrap);
    let commits = store.vitals().commits - before;
    assert!(commits <= 320 / 2, "{commits} commits for 320 appends of 16 at once");
    close(store, streams, tasks).await;
}

#[tokio::test]
async fn what_does_not_fit_is_refused_with_its_limit() {
    let (streams, _tasks) = in_memory().await;
    let told = |refused: Result<Vec<u64>, StreamError>| refused.unwrap_err().to_string();
    assert!(told(streams.append(&path(0), vec![says("a")]).await).contains("there is no stream `stream-0`"));
    streams.set(path(0), StreamSettings::default()).await.unwrap();
    let large = says(&"x".repeat(bounds::MAX_STREAM_RECORD_BYTES + 1));
    assert!(told(streams.append(&path(0), vec![large]).await).contains("up to 1048576 bytes"));
    assert!(told(streams.append(&path(0), Vec::new()).await).contains("1 to 500 records"));
    let keyless = NewRecord { key: Some(String::new()), ..says("a") };
    assert!(told(streams.append(&path(0), vec![keyless]).await).contains("1 to 256 bytes, and this one has 0"));
    let many = (0..33).map(|n| (n.to_string(), String::new())).collect();
    let decorated = NewRecord { attributes: many, ..says("a") };
    assert!(told(streams.append(&path(0), vec![decorated]).await).contains("this one has 33"));
    let ahead = streams.read(&path(0), &reading(ReadFrom::Place(2))).await.unwrap_err();
    assert_eq!(ahead.to_string(), "the stream `stream-0` has no place 2 yet: its next record gets the place 1");
    let short = streams.set(path(0), StreamSettings { retention_s: 1, ..StreamSettings::default() }).await;
    assert!(short.unwrap_err().to_string().contains("retention_s is 1"));
}
