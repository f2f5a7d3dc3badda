use std::fs;

use super::*;
use crate::store::memory::MemoryStore;

/// A day, on the clock that tests stop.
const DAY: Duration = Duration::from_secs(86_400);

fn opened(folder: &Path, store: &Arc<MemoryStore>, clock: &Clock) -> Objects {
    Objects::new(Home::Folder(folder.join("objects")), store.clone(), clock.clone())
}

fn place(key: &str) -> Place {
    Place { namespace: Namespace::default(), bucket: "results".parse().unwrap(), key: key.parse().unwrap() }
}

async fn content(objects: &Objects, place: &Place) -> Option<Bytes> {
    let content = objects.get(place).await.unwrap()?;
    let pieces: Vec<Bytes> = content.pieces.try_collect().await.unwrap();
    let whole = pieces.concat();
    assert_eq!(whole.len() as u64, content.bytes);
    Some(whole.into())
}

#[tokio::test]
async fn an_object_is_a_file_of_its_key_and_is_read_listed_and_removed() {
    let (folder, store, clock) = (TempDir::new().unwrap(), Arc::default(), Clock::system());
    let objects = opened(folder.path(), &store, &clock);
    assert!(content(&objects, &place("a/1.json")).await.is_none());
    assert_eq!(objects.buckets(&Namespace::default()).await.unwrap(), []);
    for key in ["a/1.json", "Größe+1=@,!()", "a/2"] {
        objects.put(&place(key), key.to_owned().into(), 0).await.unwrap();
        assert_eq!(content(&objects, &place(key)).await.unwrap(), key);
        assert_eq!(fs::read_to_string(folder.path().join("objects/default/results").join(key)).unwrap(), key);
    }
    objects.put(&place("a/2"), "again".into(), 0).await.unwrap();
    assert_eq!(content(&objects, &place("a/2")).await.unwrap(), "again");
    let bucket = "results".parse().unwrap();
    assert_eq!(objects.buckets(&Namespace::default()).await.unwrap(), [place("a").bucket]);
    let listed = objects.list(&Namespace::default(), &bucket, "a/", None, 10).await.unwrap();
    assert_eq!(
        listed.iter().map(|it| (it.key.as_str(), it.bytes, it.expires)).collect::<Vec<_>>(),
        [("a/1.json", 8, None), ("a/2", 5, None)]
    );
    let other = Place { namespace: "other".parse().unwrap(), ..place("a/2") };
    assert!(content(&objects, &other).await.is_none(), "another namespace has buckets of its own");
    assert!(!objects.remove(&other).await.unwrap());
    assert!(objects.remove(&place("a/2")).await.unwrap());
    assert!(!objects.remove(&place("a/2")).await.unwrap());
    assert!(content(&objects, &place("a/2")).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn an_object_goes_when_its_days_are_over_also_when_the_process_was_started_again_meanwhile() {
    let (folder, store) = (TempDir::new().unwrap(), Arc::<MemoryStore>::default());
    let clock = Clock::starting_at(Timestamp::from_ms(1_000_000));
    let objects = opened(folder.path(), &store, &clock);
    objects.put(&place("one"), "1".into(), 1).await.unwrap();
    objects.put(&place("two"), "2".into(), 2).await.unwrap();
    objects.put(&place("ever"), "3".into(), 0).await.unwrap();
    let listed = objects.list(&Namespace::default(), &place("a").bucket, "", None, 10).await.unwrap();
    assert_eq!(listed[1].expires, Some(clock.now() + DAY), "{listed:?}");

    tokio::time::advance(DAY / 2).await;
    drop(objects);
    let (objects, tasks) = (opened(folder.path(), &store, &clock), Tasks::default());
    objects.start(&tasks);
    let there = async || {
        let listed = objects.list(&Namespace::default(), &place("a").bucket, "", None, 10).await.unwrap();
        listed.iter().map(|it| it.key.to_string()).collect::<Vec<_>>()
    };
    tokio::time::sleep((DAY / 2).saturating_sub(Duration::from_secs(1))).await;
    assert_eq!(there().await, ["ever", "one", "two"]);
    tokio::time::sleep(Duration::from_secs(2)).await;
    while there().await.contains(&"one".to_owned()) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(there().await, ["ever", "two"]);
    tokio::time::sleep(DAY).await;
    while there().await.contains(&"two".to_owned()) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::time::sleep(10 * DAY).await;
    assert_eq!(there().await, ["ever"]);
    tasks.stop();
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_put_again_ends_when_it_was_said_last() {
    let (folder, store) = (TempDir::new().unwrap(), Arc::<MemoryStore>::default());
    let clock = Clock::starting_at(Timestamp::from_ms(1_000_000));
    let objects = opened(folder.path(), &store, &clock);
    for key in ["longer", "ever", "removed", "shorter"] {
        objects.put(&place(key), "1".into(), 1).await.unwrap();
    }
    tokio::time::advance(DAY / 2).await;
    objects.put(&place("longer"), "2".into(), 1).await.unwrap();
    objects.put(&place("ever"), "2".into(), 0).await.unwrap();
    objects.put(&place("shorter"), "2".into(), 1).await.unwrap();
    objects.remove(&place("removed")).await.unwrap();
    objects.put(&place("removed"), "2".into(), 0).await.unwrap();
    tokio::time::advance(DAY / 2).await;
    assert_eq!(objects.sweep().await, LOOK_AGAIN);
    for key in ["longer", "ever", "removed"] {
        assert_eq!(content(&objects, &place(key)).await.as_deref(), Some(&b"2"[..]), "{key}");
    }
    tokio::time::advance(DAY / 2).await;
    objects.sweep().await;
    assert!(content(&objects, &place("longer")).await.is_none());
    for key in ["ever", "removed"] {
        assert!(content(&objects, &place(key)).await.is_some(), "{key}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_deleted_keeps_nothing_else_from_it_and_is_tried_again() {
    let (folder, store) = (TempDir::new().unwrap(), Arc::<MemoryStore>::default());
    let clock = Clock::starting_at(Timestamp::from_ms(1_000_000));
    let objects = opened(folder.path(), &store, &clock);
    objects.put(&place("first"), "1".into(), 1).await.unwrap();
    tokio::time::advance(Duration::from_secs(1)).await;
    objects.put(&place("second"), "2".into(), 1).await.unwrap();
    let first = folder.path().join("objects/default/results/first");
    fs::remove_file(&first).unwrap();
    fs::create_dir(&first).unwrap(); // which is not removed as a file is
    tokio::time::advance(DAY).await;
    objects.sweep().await;
    assert!(content(&objects, &place("second")).await.is_none());
    assert_eq!(expiry::next(&*store, None, 10).await.unwrap().len(), 1);
    fs::remove_dir(&first).unwrap();
    fs::write(&first, "1").unwrap();
    objects.sweep().await;
    assert!(!first.exists());
    assert_eq!(expiry::next(&*store, None, 10).await.unwrap(), []);
}

#[tokio::test]
async fn what_is_kept_nowhere_is_gone_with_the_process() {
    let objects = Objects::new(Home::Fleeting, Arc::<MemoryStore>::default(), Clock::system());
    objects.put(&place("a"), "1".into(), 0).await.unwrap();
    let path = objects.parts.folder().await.unwrap().path.clone();
    assert!(path.join("default/results/a").exists());
    drop(objects);
    assert!(!path.exists());
}
