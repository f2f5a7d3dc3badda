//! The values that the stores' tests keep. Ids are a byte repeated, times milliseconds after an instant.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::Path;
use std::{fs, io};

use bytes::Bytes;
use tidemill::model::function::{AsyncConfig, Entrypoint, Function, Limits, Version};
use tidemill::model::grant::Grants;
use tidemill::model::invocation::{Invocation, Lineage, Mode, PayloadInfo, Policy, Request, State, Target};
use tidemill::model::names::{Digest, FunctionId, FunctionPath, InvocationId, VersionNumber};
use tidemill::model::outcome::{Outcome, OutcomeKind};
use tidemill::model::place::Place;
use tidemill::model::place::Priority;
use tidemill::model::queue::QueueConfig;
use tidemill::model::time::Timestamp;
use tidemill::store::{Change, Durability, Group, Query, SettledQuery, Store};

/// What [`listed`] says of an empty list.
pub(crate) const NOTHING: [u8; 0] = [];

pub(crate) async fn commit(store: &(impl Store + ?Sized), changes: impl IntoIterator<Item = Change>) {
    store.commit(Group(changes.into_iter().collect()), Durability::Synced).await.unwrap();
}

/// The first bytes of the ids that are listed.
pub(crate) async fn listed(store: &impl Store, query: Query) -> Vec<u8> {
    let page = store.list(query).await.unwrap();
    page.invocations.iter().map(|invocation| invocation.id.as_bytes()[0]).collect()
}

/// The ids of everything that stands in the queue, lane by lane.
pub(crate) async fn live(store: &impl Store) -> Vec<InvocationId> {
    let mut ids = Vec::new();
    for lane in store.scan().await.unwrap().lanes {
        let places = store.waiting(lane, None, 1_000).await.unwrap();
        assert!(places.iter().all(|place| place.lane == lane) && places.is_sorted_by_key(Place::turn));
        ids.extend(places.iter().map(|place| place.id));
    }
    ids
}

/// The ids of what succeeded for the usual function before an instant, in the order of settling.
pub(crate) async fn settled(store: &impl Store, before: Timestamp, limit: usize) -> Vec<InvocationId> {
    let query = SettledQuery { function: function_id(1), kind: OutcomeKind::Succeeded, before, limit };
    store.settled(query).await.unwrap().into_iter().map(|settled| settled.id).collect()
}

pub(crate) fn put(invocation: &Invocation) -> Change {
    Change::PutInvocation(Box::new(invocation.clone()))
}

/// Copies an open store as a crash would leave it: the index before the journal, which is never behind it, and
/// nothing of what is only being prepared.
///
/// A file that goes meanwhile is one that what was copied before may need: then the copy is begun anew.
pub(crate) fn crash(store: &Path, left: &Path) {
    for _ in 0..100 {
        match copied(store, left) {
            Ok(()) => return,
            Err(error) if error.kind() == io::ErrorKind::NotFound => fs::remove_dir_all(left).unwrap(),
            Err(error) => panic!("{error}"),
        }
    }
    panic!("files went during each of a hundred copies");
}

fn copied(store: &Path, left: &Path) -> io::Result<()> {
    fs::create_dir(left)?;
    for name in ["index", "index/blobs", "modules", "journal", ""] {
        fs::create_dir_all(left.join(name))?;
        for entry in fs::read_dir(store.join(name))? {
            let entry = entry?;
            if entry.file_type()?.is_file() && !entry.file_name().to_str().unwrap().starts_with("spare-") {
                fs::copy(entry.path(), left.join(name).join(entry.file_name()))?;
            }
        }
    }
    Ok(())
}

/// Bytes that differ from place to place.
pub(crate) fn large(bytes: usize) -> Bytes {
    (0..bytes).map(|n| u8::try_from(n % 251).expect("less than 256")).collect()
}

pub(crate) fn at(ms: u8) -> Timestamp {
    Timestamp::from_ms(1_790_000_000_000 + u64::from(ms))
}

pub(crate) fn id(byte: u8) -> InvocationId {
    InvocationId::from_bytes([byte; 16])
}

pub(crate) fn function_id(byte: u8) -> FunctionId {
    FunctionId::from_bytes([byte; 16])
}

pub(crate) fn number(number: u32) -> VersionNumber {
    VersionNumber::new(number).expect("tests count from 1")
}

pub(crate) fn path(name: &str) -> FunctionPath {
    FunctionPath { namespace: "default".parse().expect("a name"), name: name.parse().expect("a name") }
}

pub(crate) fn queued(byte: u8, accepted: u8) -> Invocation {
    Invocation {
        id: id(byte),
        target: Target { function: function_id(1), path: path("f"), version: Some(number(1)) },
        mode: Mode::Async,
        accepted: at(accepted),
        first_due: at(accepted),
        request: Request { payload: PayloadInfo::default(), traceparent: None, attributes: Vec::new(), head: None },
        lineage: Lineage::default(),
        policy: Policy { config: AsyncConfig::default(), hop_limit: 16, callback: None, invoker: None },
        priority: Priority::default(),
        spread: 0,
        attempts: Vec::new(),
        state: State::Queued { due: at(accepted), attempt: NonZeroU32::MIN },
        result: None,
    }
}

pub(crate) fn done(byte: u8, accepted: u8) -> Invocation {
    let state = State::Done { outcome: Outcome::Succeeded, at: at(accepted), undelivered: Vec::new() };
    Invocation { state, ..queued(byte, accepted) }
}

pub(crate) fn function(byte: u8) -> Function {
    Function {
        id: function_id(byte),
        path: path("f"),
        created: at(0),
        latest: Some(number(1)),
        aliases: BTreeMap::new(),
        async_config: None,
        version_configs: BTreeMap::new(),
        queue: QueueConfig::default(),
        annotations: BTreeMap::new(),
        weights: BTreeMap::new(),
        disabled: false,
    }
}

pub(crate) fn version(n: u32) -> Version {
    Version {
        number: number(n),
        created: at(0),
        digest: Digest::from_bytes([7; 32]),
        module_bytes: 1,
        entrypoint: Entrypoint::Command,
        arguments: Vec::new(),
        environment: BTreeMap::new(),
        limits: Limits::default(),
        grants: Grants::default(),
        debug_info: false,
        wants: Vec::new(),
        reuse: None,
        wasi_0_3: false,
        core_dump: false,
        annotations: BTreeMap::new(),
        cgi: false,
        instance_concurrency: None,
    }
}
