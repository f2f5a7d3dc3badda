//! Stores with something in them, and the commands run on them.

use std::fs;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tidemill::model::function::Version;
use tidemill::model::invocation::{Invocation, State};
use tidemill::model::names::Digest;
use tidemill::model::secret::{Sealed, Secret};
use tidemill::store::embedded::{EmbeddedStore, Settings};
use tidemill::store::{
    Change, DocumentKey, DocumentRange, IdempotencyKey, KeyUse, Pair, PairStore, Part, Store, Table,
};

use crate::store::values::{at, commit, done, function, function_id, id, large, live, put, queued, version};

/// What a command said and how it ended.
pub(super) struct Said {
    pub(super) code: Option<i32>,
    pub(super) out: String,
    pub(super) err: String,
}

impl Said {
    #[track_caller]
    pub(super) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub(super) fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.out.contains(part) || self.err.contains(part), "{part:?}: {}{}", self.out, self.err);
        }
        self
    }
}

/// `tidemill store ARGUMENTS --data DATA`.
pub(super) fn store(arguments: &[&str], data: &Path) -> Said {
    let output =
        Command::new(env!("CARGO_BIN_EXE_tidemill")).arg("store").args(arguments).arg("--data").arg(data).output();
    let Output { status, stdout, stderr } = output.unwrap();
    let [out, err] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    Said { code: status.code(), out, err }
}

/// A folder with a store in it, `data`, and room beside it.
pub(super) struct Home(pub(super) TempDir);

impl Home {
    pub(super) fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(super) fn open(&self) -> EmbeddedStore {
        EmbeddedStore::open(&self.data()).unwrap()
    }

    /// What lies beside the store.
    pub(super) fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> = names.map(|name| name.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The segments of the journal, the oldest first.
    pub(super) fn segments(&self) -> Vec<String> {
        let names = fs::read_dir(self.data().join("journal")).unwrap();
        let names = names.map(|name| name.unwrap().file_name().into_string().unwrap());
        let mut segments: Vec<_> = names.filter(|name| !name.starts_with("spare")).collect();
        segments.sort();
        segments
    }

    /// Flips a byte of the first file in a folder that holds these bytes, and says which file.
    #[track_caller]
    pub(super) fn flip(&self, folder: &str, bytes: &[u8]) -> String {
        for entry in fs::read_dir(self.data().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let mut held = fs::read(&path).unwrap();
            let place = held.windows(bytes.len()).position(|window| window == bytes);
            if let Some(place) = place {
                held[place] ^= 1;
                fs::write(&path, held).unwrap();
                return path.file_name().unwrap().to_str().unwrap().to_owned();
            }
        }
        panic!("nothing holds them");
    }
}

pub(super) fn module() -> (Digest, Bytes) {
    let module = large(100);
    (Digest::from_bytes(Sha256::digest(&module).into()), module)
}

pub(super) fn key() -> (IdempotencyKey, KeyUse) {
    let digest = Digest::from_bytes([3; 32]);
    (IdempotencyKey { function: function_id(1), digest }, KeyUse { id: id(1), request: digest, until: at(200) })
}

pub(super) fn secret() -> Secret {
    let (namespace, name) = ("default".parse().unwrap(), "password".parse().unwrap());
    Secret { namespace, name, created: at(1), updated: at(2), sealed: Sealed(vec![7; 100]) }
}

fn document(key: &str) -> DocumentKey {
    DocumentKey::new(Table::Trigger, key)
}

pub(super) fn pair() -> Pair {
    let store = PairStore { namespace: "default".parse().unwrap(), name: "carts".parse().unwrap() };
    Pair { store, key: "the key".to_owned(), bytes: 5_000 }
}

pub(super) fn payload(byte: u8) -> Bytes {
    [b"the payload of ".as_slice(), &[byte]].concat().into()
}

/// A store with a bit of everything, in which things have happened.
pub(super) async fn home() -> Home {
    let home = Home(TempDir::new().unwrap());
    let store = home.open();
    let (digest, module) = module();
    store.put_module(digest, module).await.unwrap();
    let version = Version { digest, ..version(1) };
    let (key, used) = key();
    let records = [
        Change::PutFunction(Box::new(function(1))),
        Change::PutVersion(function(1).id, Box::new(version)),
        Change::PutKey(key, used),
        Change::PutSecret(Box::new(secret())),
        Change::PutPair(Box::new(pair()), large(5_000)),
        Change::PutDocument(document("kept"), large(6_000)),
        Change::PutDocument(document("gone"), large(10)),
        Change::RemoveDocument(document("gone")),
        Change::PutPair(Box::new(Pair { key: "gone".to_owned(), ..pair() }), large(5_000)),
        Change::RemovePair(pair().store, "gone".to_owned()),
    ];
    commit(&store, records).await;
    for byte in 1..=9 {
        commit(&store, [put(&queued(byte, byte)), Change::PutBlob(id(byte), Part::Payload, payload(byte))]).await;
    }
    for byte in 1..=5 {
        let parts =
            [Change::PutBlob(id(byte), Part::Result, large(3)), Change::PutBlob(id(byte), Part::Log, large(70_000))];
        commit(&store, parts.into_iter().chain([put(&done(byte, byte))])).await;
    }
    commit(&store, [Change::RemoveInvocation(id(1))]).await;
    home
}

/// All that [`home`] holds is there, but for these.
pub(super) async fn check_all_is_there(store: &EmbeddedStore, but: &[u8]) {
    let (digest, module) = module();
    let left = |bytes: std::ops::RangeInclusive<u8>| bytes.filter(|byte| !but.contains(byte));
    let mut waiting = live(store).await;
    waiting.sort();
    assert_eq!(waiting, left(6..=9).map(id).collect::<Vec<_>>());
    for byte in left(2..=5) {
        assert_eq!(store.invocation(id(byte)).await.unwrap(), Some(done(byte, byte)));
        assert_eq!(store.blob(id(byte), Part::Log).await.unwrap(), Some(large(70_000)));
    }
    for byte in left(2..=9) {
        assert_eq!(store.blob(id(byte), Part::Payload).await.unwrap(), Some(payload(byte)));
    }
    assert_eq!(store.invocation(id(1)).await.unwrap(), None);
    assert_eq!(store.key(key().0).await.unwrap(), Some(key().1));
    assert_eq!(store.module(digest).await.unwrap(), Some(module));
    assert_eq!(store.secret(secret().namespace, secret().name).await.unwrap(), Some(secret()));
    let documents = store.documents(DocumentRange::of(Table::Trigger, b""), 10).await.unwrap();
    assert_eq!(documents, [(document("kept"), large(6_000))]);
    assert_eq!(store.pairs(pair().store, None, 10).await.unwrap(), [pair()]);
    assert_eq!(store.pair_value(pair().store, pair().key).await.unwrap(), Some(large(5_000)));
    let counts = store.counts(function_id(1));
    assert!(counts.is_sound(), "{counts:?}");
    assert_eq!(store.recount().await.unwrap()[&function_id(1)], counts);
}

/// A store of small segments, most of which are gone: what was settled and removed long ago left its first change in
/// one that is still needed, and its last one in none.
pub(super) async fn home_with_gaps() -> Home {
    let home = Home(TempDir::new().unwrap());
    let settings = Settings { segment_bytes: 64 * 1_024, ..Settings::default() };
    let store = EmbeddedStore::open_with(&home.data(), &settings).unwrap();
    commit(&store, [Change::PutFunction(Box::new(function(1)))]).await;
    // Long ago, in one segment: something that is still kept, and something that is not.
    commit(&store, [put(&done(1, 1)), Change::PutBlob(id(1), Part::Log, large(30_000))]).await;
    commit(&store, [put(&queued(2, 1))]).await;
    let much_later = at(0) + Duration::from_secs(48 * 3_600);
    for byte in 100..160 {
        let later = Invocation { accepted: much_later, first_due: much_later, ..done(byte, 0) };
        commit(&store, [put(&later), Change::PutBlob(id(byte), Part::Log, large(50_000))]).await;
        if byte == 110 {
            commit(&store, [put(&done(2, 1))]).await;
            commit(&store, [Change::RemoveInvocation(id(2))]).await;
        }
    }
    let removed = (100..150).map(|byte| Change::RemoveInvocation(id(byte)));
    commit(&store, removed).await;
    let state = State::Queued { due: much_later, attempt: NonZeroU32::MIN };
    let waiting = Invocation { accepted: much_later, first_due: much_later, state, ..queued(3, 0) };
    commit(&store, [put(&waiting)]).await;
    drop(store);
    // What is not needed is given away when the store is opened again, at the latest, by a thread of its own.
    let store = EmbeddedStore::open_with(&home.data(), &settings).unwrap();
    for _ in 0..1_000 {
        if home.segments().len() < 30 {
            drop(store);
            return home;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nothing was given away: {:?}", home.segments());
}
