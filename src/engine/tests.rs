//! The engine as a whole: real modules, deployed, loaded and run. Those in `guests/hostile` try to do harm.

mod backtrace;
mod cache;
mod deploy;
mod dumps;
mod front;
mod fuel;
mod hostile;
mod http;
mod isolation;
mod ordinary;
mod raw;
mod reuse;
mod shared;
mod typed;
mod wasi_0_3;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderMap, Method, StatusCode};
use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::asks::Nobody;
use super::call::{Call, Identity, Input, Ran, Reply, Request};
use super::{CodeId, Engine, Ready, Refused, Settings};
use crate::model::function::Entrypoint;
use crate::model::function::{Limits, Version};
use crate::model::names::{Digest, Namespace};
use crate::model::outcome::{Advice, Failure, FailureKind};
use crate::model::samples;
use crate::model::secret::Entrusted;
use crate::model::time::Timestamp;

const MIB: u64 = 1_024 * 1_024;

pub(in crate::engine) fn engine() -> Engine {
    Engine::start(&settings(None)).unwrap()
}

fn settings(cache_dir: Option<&Path>) -> Settings {
    Settings { cache_dir: cache_dir.map(Path::to_owned), concurrency: 16, ..Settings::default() }
}

/// A guest of `guests/`, such as `hostile/spin.wat` or `prebuilt/echo.wasm`.
fn guest(path: &str) -> Bytes {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests").join(path);
    wat::parse_file(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).into()
}

pub(in crate::engine) fn from_text(text: &str) -> Bytes {
    wat::parse_str(text).unwrap().into()
}

fn digest(module: &[u8]) -> Digest {
    Digest::from_bytes(Sha256::digest(module).into())
}

pub(in crate::engine) async fn deploy(engine: &Engine, module: Bytes) -> Ready {
    let digest = digest(&module);
    let entrypoint = engine.inspect(digest, module, None).await.unwrap();
    engine.load(digest, &entrypoint, async { Err("it is in memory".to_owned()) }).await.unwrap()
}

pub(in crate::engine) fn call(payload: impl Into<Bytes>) -> Call {
    let identity = Identity {
        invocation: "0197a0c8-0000-7000-8000-000000000001".to_owned(),
        namespace: Namespace::default(),
        function: "guest".to_owned(),
        version: 3,
        attempt: 2,
        content_type: "text/plain".to_owned(),
        accepted: Timestamp::from_ms(1_000),
        deadline: Timestamp::from_ms(31_000),
        chain: vec!["first".to_owned(), "second".to_owned()],
        hop: 2,
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        attributes: vec![("colour".to_owned(), "red".to_owned())],
    };
    Call {
        input: Input::Payload(payload.into()),
        identity: Arc::new(identity),
        version: Arc::new(version()),
        secrets: Entrusted::default(),
        desk: Arc::new(Nobody),
    }
}

/// What [`call`] runs under.
pub(in crate::engine) fn version() -> Version {
    let limits = Limits { memory_bytes: 64 * MIB, timeout: Duration::from_secs(60), ..Limits::default() };
    Version { number: NonZeroU32::new(3).unwrap(), limits, ..samples::version() }
}

/// Deploys a module whose code is made for this version.
async fn deploy_for(engine: &Engine, module: Bytes, version: &Version) -> Ready {
    let code = CodeId { digest: digest(&module), ..CodeId::of(version) };
    let entrypoint = engine.inspect(code, module, None).await.unwrap();
    engine.load(code, &entrypoint, async { Err("it is in memory".to_owned()) }).await.unwrap()
}

/// A call under another version than [`version`].
fn call_under(payload: impl Into<Bytes>, edit: impl FnOnce(&mut Version)) -> Call {
    let mut version = version();
    edit(&mut version);
    Call { version: Arc::new(version), ..call(payload) }
}

async fn run(module: Bytes, call: Call) -> Ran {
    let engine = engine();
    let ready = deploy(&engine, module).await;
    engine.run(&ready, call).await
}

#[track_caller]
fn body(ran: Ran) -> String {
    String::from_utf8(ran.end.unwrap().body.into()).unwrap()
}

#[track_caller]
fn failure(ran: Ran) -> Failure {
    ran.end.unwrap_err()
}
