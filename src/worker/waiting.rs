//! Who waits for a slot. Their number is bounded, and those of one function leave places for those of others.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::model::bounds;
use crate::model::names::FunctionId;

/// How many wait, by function.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    all: usize,
    of: HashMap<FunctionId, usize>,
}

impl Waiting {
    /// One more of a function, if there is a place for it.
    pub(super) fn enter(&mut self, function: FunctionId) -> bool {
        let own = self.of.get(&function).copied().unwrap_or_default();
        let is_place = own < bounds::MAX_WAITING_FOR_SLOT - self.all;
        if is_place {
            self.all += 1;
            self.of.insert(function, own + 1);
        }
        is_place
    }

    /// One of those who entered goes.
    pub(super) fn leave(&mut self, function: FunctionId) {
        self.all -= 1;
        if let Entry::Occupied(mut own) = self.of.entry(function) {
            *own.get_mut() -= 1;
            if *own.get() == 0 {
                own.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Timestamp;

    fn function(n: u8) -> FunctionId {
        FunctionId::new(Timestamp::from_ms(0), [n; 10])
    }

    #[test]
    fn however_many_wait_of_some_functions_there_is_a_place_for_one_of_another() {
        let mut waiting = Waiting::default();
        let places = bounds::MAX_WAITING_FOR_SLOT;
        for (of, entered) in [(1, places / 2), (2, places / 4), (3, places / 8)] {
            assert_eq!((0..places).filter(|_| waiting.enter(function(of))).count(), entered, "function {of}");
        }
        assert!(waiting.enter(function(4)));
        waiting.leave(function(4));
        for _ in 0..places / 2 {
            waiting.leave(function(1));
        }
        assert!(waiting.enter(function(3)), "what comes free is for all");
        assert_eq!(waiting.of.len(), 2, "nothing is kept of whoever does not wait");
    }
}
