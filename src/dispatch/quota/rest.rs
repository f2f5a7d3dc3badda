//! When what is counted can be compared with what the store counts, and how it is set right.
//!
//! The two move at different moments: a reservation comes before its commit, a settling after it. Whoever moves them
//! says so over both ([`Moving`]); a function of which nothing is on its way rests, and must agree with the store.

use std::collections::HashMap;

use super::{Amount, Quota, Used};
use crate::model::names::{FunctionId, Namespace};

/// Something of a function is on its way, between being counted here and in the store, until this is dropped.
pub(in crate::dispatch) struct Moving<'a> {
    quota: &'a Quota,
    function: FunctionId,
}

/// What is counted of the functions that rest.
pub(in crate::dispatch) struct Resting {
    amounts: HashMap<FunctionId, Amount>,
    moving: HashMap<FunctionId, usize>,
}

impl Quota {
    /// Says that something of a function is on its way.
    pub(in crate::dispatch) fn moving(&self, function: FunctionId) -> Moving<'_> {
        *self.lock().moving.entry(function).or_default() += 1;
        Moving { quota: self, function }
    }

    /// What is counted of the functions that rest.
    pub(in crate::dispatch) fn resting(&self) -> Resting {
        let used = self.lock();
        let amounts = used.functions.iter().map(|(function, of)| (*function, of.amount)).collect();
        Resting { amounts, moving: used.moving.clone() }
    }

    /// Makes what is counted of a function `right`, if it still rests and is what was `seen`; says whether it did.
    pub(in crate::dispatch) fn correct(
        &self,
        function: FunctionId,
        namespace: Option<&Namespace>,
        seen: Amount,
        right: Amount,
    ) -> bool {
        let mut used = self.lock();
        let now = used.functions.get(&function).map(|of| of.amount).unwrap_or_default();
        if now != seen || used.moving.contains_key(&function) {
            return false;
        }
        used.set(function, namespace, right);
        true
    }
}

impl Resting {
    /// The functions of which something is counted.
    pub(in crate::dispatch) fn functions(&self) -> impl Iterator<Item = FunctionId> {
        self.amounts.keys().copied()
    }

    /// What is counted of a function; `None` when it does not rest.
    pub(in crate::dispatch) fn of(&self, function: FunctionId) -> Option<Amount> {
        if self.moving.contains_key(&function) {
            return None;
        }
        Some(self.amounts.get(&function).copied().unwrap_or_default())
    }
}

impl Drop for Moving<'_> {
    fn drop(&mut self) {
        let mut used = self.quota.lock();
        if let Some(moving) = used.moving.get_mut(&self.function) {
            *moving -= 1;
            if *moving == 0 {
                used.moving.remove(&self.function);
            }
        }
    }
}

impl Used {
    /// Sets what is counted of a function, and adds up anew what follows from it.
    fn set(&mut self, function: FunctionId, namespace: Option<&Namespace>, right: Amount) {
        if right == Amount::default() {
            self.functions.remove(&function);
        } else {
            let of = self.functions.entry(function).or_default();
            of.amount = right;
            of.namespace = of.namespace.take().or_else(|| namespace.cloned());
        }
        (self.all, self.namespaces) = (Amount::default(), HashMap::new());
        for of in self.functions.values() {
            self.all.add(of.amount);
            if let Some(namespace) = &of.namespace {
                self.namespaces.entry(namespace.clone()).or_default().add(of.amount);
            }
        }
    }
}
