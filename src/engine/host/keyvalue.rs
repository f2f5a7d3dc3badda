//! `wasi:keyvalue`: stores of the function's namespace, for guests that were granted them. The types are those of the
//! interface's first draft (`wit/deps/keyvalue`); the stores themselves are the runtime's.

use std::sync::Arc;

use bytes::Bytes;
use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime_wasi::WasiView as _;

use super::Host;
use super::inward::Inward;
use crate::engine::asks::{NotDone, Pairs};
use crate::model::bounds;
use crate::model::names::StoreName;

use bindings::wasi::keyvalue::store::{Error, KeyResponse};
use bindings::wasi::keyvalue::{atomics, batch, store};

/// Generated from the interfaces.
mod bindings {
    wasmtime::component::bindgen!({
        path: "wit/deps/keyvalue",
        interfaces: "
            import wasi:keyvalue/store@0.2.0-draft;
            import wasi:keyvalue/atomics@0.2.0-draft;
            import wasi:keyvalue/batch@0.2.0-draft;
        ",
        imports: { default: async | trappable },
        with: { "wasi:keyvalue/store.bucket": super::Bucket },
    });
}

/// A store that a guest has opened.
#[expect(unreachable_pub, reason = "it stands in the public traits that are generated")]
pub struct Bucket {
    name: StoreName,
}

/// What a function of the interfaces gives: the outer error stops the guest, the inner one is told to it.
type Told<T> = wasmtime::Result<Result<T, Error>>;

/// Keys of one page of a list.
const PAGE: usize = 100;

/// Offers it to components.
pub(super) fn add_to_linker(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    store::add_to_linker::<_, HasSelf<_>>(linker, |host| host)?;
    atomics::add_to_linker::<_, HasSelf<_>>(linker, |host| host)?;
    batch::add_to_linker::<_, HasSelf<_>>(linker, |host| host)
}

impl store::Host for Host {
    async fn open(&mut self, identifier: String) -> Told<Resource<Bucket>> {
        let Ok(name) = identifier.parse::<StoreName>() else { return Ok(Err(Error::NoSuchStore)) };
        let granted = self.inward.as_ref().is_some_and(|inward| inward.grants().key_value.contains(&name));
        if !granted {
            return Ok(Err(Error::AccessDenied));
        }
        match self.ctx().table.push(Bucket { name }) {
            Ok(bucket) => Ok(Ok(bucket)),
            Err(full) => Ok(Err(Error::Other(full.to_string()))),
        }
    }
}

impl store::HostBucket for Host {
    async fn get(&mut self, bucket: Resource<Bucket>, key: String) -> Told<Option<Vec<u8>>> {
        let (inward, store) = self.bucket(&bucket)?;
        Ok(told(inward.desk.get_pairs(store, vec![key]).await)
            .map(|found| found.into_iter().flatten().next().map(Vec::from)))
    }

    async fn set(&mut self, bucket: Resource<Bucket>, key: String, value: Vec<u8>) -> Told<()> {
        let (inward, store) = self.bucket(&bucket)?;
        Ok(told(inward.desk.change_pairs(store, vec![(key, Some(value.into()))]).await))
    }

    async fn delete(&mut self, bucket: Resource<Bucket>, key: String) -> Told<()> {
        let (inward, store) = self.bucket(&bucket)?;
        Ok(told(inward.desk.change_pairs(store, vec![(key, None)]).await))
    }

    async fn exists(&mut self, bucket: Resource<Bucket>, key: String) -> Told<bool> {
        let (inward, store) = self.bucket(&bucket)?;
        Ok(told(inward.desk.has_pair(store, key).await))
    }

    async fn list_keys(&mut self, bucket: Resource<Bucket>, cursor: Option<u64>) -> Told<KeyResponse> {
        let (inward, store) = self.bucket(&bucket)?;
        let listed = inward.desk.list_pairs(store, cursor, PAGE).await;
        Ok(told(listed).map(|(keys, cursor)| KeyResponse { keys, cursor }))
    }

    async fn drop(&mut self, bucket: Resource<Bucket>) -> wasmtime::Result<()> {
        self.ctx().table.delete(bucket)?;
        Ok(())
    }
}

impl atomics::Host for Host {
    async fn increment(&mut self, bucket: Resource<Bucket>, key: String, delta: u64) -> Told<u64> {
        let (inward, store) = self.bucket(&bucket)?;
        Ok(told(inward.desk.increment(store, key, delta).await))
    }
}

impl batch::Host for Host {
    async fn get_many(&mut self, bucket: Resource<Bucket>, keys: Vec<String>) -> Told<Vec<Option<(String, Vec<u8>)>>> {
        let (inward, store) = self.bucket(&bucket)?;
        if keys.len() > bounds::MAX_PAIR_BATCH {
            let most = bounds::MAX_PAIR_BATCH;
            return Ok(Err(Error::Other(format!(
                "one call is about up to {most} keys, and this one is about {}",
                keys.len()
            ))));
        }
        let found = told(inward.desk.get_pairs(store, keys.clone()).await);
        Ok(found.map(|found| {
            let pairs = keys.into_iter().zip(found);
            pairs.map(|(key, value)| value.map(|value| (key, value.into()))).collect()
        }))
    }

    async fn set_many(&mut self, bucket: Resource<Bucket>, pairs: Vec<(String, Vec<u8>)>) -> Told<()> {
        let (inward, store) = self.bucket(&bucket)?;
        let pairs = pairs.into_iter().map(|(key, value)| (key, Some(Bytes::from(value)))).collect();
        Ok(told(inward.desk.change_pairs(store, pairs).await))
    }

    async fn delete_many(&mut self, bucket: Resource<Bucket>, keys: Vec<String>) -> Told<()> {
        let (inward, store) = self.bucket(&bucket)?;
        Ok(told(inward.desk.change_pairs(store, keys.into_iter().map(|key| (key, None)).collect()).await))
    }
}

impl Host {
    /// The way to the runtime, and the store that is meant there.
    fn bucket(&mut self, bucket: &Resource<Bucket>) -> wasmtime::Result<(&Inward, Pairs)> {
        let name = self.ctx().table.get(bucket)?.name.clone();
        let inward = self.inward.as_ref().ok_or_else(|| wasmtime::Error::msg("nothing runs here"))?;
        let caller = Arc::clone(&inward.identity);
        Ok((inward, Pairs { caller, store: name }))
    }
}

fn told<T>(done: Result<T, NotDone>) -> Result<T, Error> {
    done.map_err(|not_done| Error::Other(not_done.message()))
}
