//! The order in which a subscription's work is tried: that of due times. So what waits for another try, or is rejected again
//! and again, keeps nothing behind it from being seen. Work itself stands by number, which tells what the oldest is; its
//! place in this order changes with it in one commit.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use super::PAGE;
use super::kept::{self, Lot, Work};
use super::lane::Lane;
use crate::model::time::Timestamp;
use crate::store::form;
use crate::store::{Change, Durability, Group, Store, StoreError};

impl Lane {
    fn work(&self) -> Lot {
        Lot::work(self.topic, self.id)
    }

    pub(super) fn dead(&self) -> Lot {
        Lot::dead(self.topic, self.id)
    }

    /// Everything that is kept of what goes to it.
    pub(super) fn lots(&self) -> [Lot; 3] {
        [self.work(), self.order(), self.dead()]
    }

    /// Keeps work that begins.
    pub(super) fn put_work(&self, number: u64, work: &Work) -> [Change; 2] {
        [self.keep(number, work), self.place(number, work.due)]
    }

    /// Keeps what became of work that was `due`.
    pub(super) fn move_work(&self, number: u64, due: Timestamp, work: &Work) -> [Change; 3] {
        let leave = Change::RemoveDocument(self.order().place(due, number));
        [leave, self.keep(number, work), self.place(number, work.due)]
    }

    /// Lets go of work that was `due`.
    pub(super) fn remove_work(&self, number: u64, due: Timestamp) -> [Change; 2] {
        [self.work().key(number), self.order().place(due, number)].map(Change::RemoveDocument)
    }

    /// The work that is due first, by time and number, at most `limit`.
    pub(super) async fn first_work(
        &self,
        store: &dyn Store,
        limit: usize,
    ) -> Result<Vec<(Timestamp, u64)>, StoreError> {
        let keys = store.document_keys(self.order().range(), limit).await?;
        Ok(keys.iter().filter_map(|key| kept::due(key).zip(kept::number(key))).collect())
    }

    /// One piece of work, unless it is gone.
    pub(super) async fn work_of(&self, store: &dyn Store, number: u64) -> Result<Option<Work>, StoreError> {
        let bytes = store.document(self.work().key(number)).await?;
        bytes.map(|bytes| kept::decode(&bytes, &self.path)).transpose()
    }

    /// The number of the oldest work.
    pub(super) async fn oldest(&self, store: &dyn Store) -> Result<Option<u64>, StoreError> {
        Ok(store.document_keys(self.work().range(), 1).await?.first().and_then(kept::number))
    }

    /// Counts what is there when the process starts. Work from before there was an order gets its place.
    pub(super) async fn count(&self, store: &dyn Store) -> Result<(), StoreError> {
        let (work, dead) = (numbers(store, &self.work()).await?, numbers(store, &self.dead()).await?);
        self.pending.store(work.len() as u64, Ordering::Relaxed);
        self.dead.store(dead.len() as u64, Ordering::Relaxed);
        let placed: HashSet<_> = numbers(store, &self.order()).await?.into_iter().collect();
        let without: Vec<_> = work.into_iter().filter(|number| !placed.contains(number)).collect();
        if let Err(error) = self.put_in_order(store, &without).await {
            let (topic, subscription) = (&self.path, self.id);
            tracing::warn!(%topic, %subscription, %error, "some of what is on its way is not tried until the next start");
        }
        Ok(())
    }

    async fn put_in_order(&self, store: &dyn Store, without: &[u64]) -> Result<(), StoreError> {
        for page in without.chunks(PAGE) {
            let mut places = Vec::with_capacity(page.len());
            for number in page {
                match self.work_of(store, *number).await {
                    Ok(work) => places.extend(work.map(|work| self.place(*number, work.due))),
                    Err(error) => tracing::error!(%error, "a publication on its way cannot be brought"),
                }
            }
            store.commit(Group(places), Durability::Written).await?;
        }
        Ok(())
    }

    fn order(&self) -> Lot {
        Lot::order(self.topic, self.id)
    }

    fn keep(&self, number: u64, work: &Work) -> Change {
        Change::PutDocument(self.work().key(number), form::encode(work))
    }

    fn place(&self, number: u64, due: Timestamp) -> Change {
        Change::PutDocument(self.order().place(due, number), form::encode(&()))
    }
}

/// The numbers of everything in a lot.
async fn numbers(store: &dyn Store, lot: &Lot) -> Result<Vec<u64>, StoreError> {
    let (mut numbers, mut range) = (Vec::new(), lot.range());
    loop {
        let keys = store.document_keys(range.clone(), PAGE).await?;
        numbers.extend(keys.iter().filter_map(kept::number));
        match keys.last() {
            Some(last) if keys.len() == PAGE => range = range.after(last.key()),
            _ => return Ok(numbers),
        }
    }
}
