//! Permits whose number can be changed while they are out.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many permits at once. Waiting for one is fair: what comes back goes to whoever waits longest.
#[derive(Debug)]
pub(super) struct Limit {
    permits: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limit: usize,
    out: usize,
    /// Permits that are out and over the limit: they are not given to anybody when they come back.
    owed: usize,
}

/// One of them. Dropping it gives it back.
#[derive(Debug)]
pub(super) struct Permit {
    limit: Arc<Limit>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Limit {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        let state = Mutex::new(State { limit, out: 0, owed: 0 });
        Arc::new(Self { permits: Arc::new(Semaphore::new(limit)), state })
    }

    pub(super) fn try_take(self: &Arc<Self>) -> Option<Permit> {
        let permit = self.permits.clone().try_acquire_owned().ok()?;
        Some(self.given(permit))
    }

    pub(super) async fn take(self: &Arc<Self>) -> Option<Permit> {
        let permit = self.permits.clone().acquire_owned().await.ok()?;
        Some(self.given(permit))
    }

    /// Changes how many may be out. Those that are stay.
    pub(super) fn set(&self, limit: usize) {
        let mut state = self.state();
        if let Some(more) = limit.checked_sub(state.limit) {
            let kept = more.min(state.owed);
            state.owed -= kept;
            self.permits.add_permits(more - kept);
        } else {
            let less = state.limit - limit;
            state.owed += less - self.permits.forget_permits(less);
        }
        state.limit = limit;
    }

    pub(super) fn limit(&self) -> usize {
        self.state().limit
    }

    /// How many are out.
    pub(super) fn out(&self) -> usize {
        self.state().out
    }

    pub(super) fn any_free(&self) -> bool {
        self.permits.available_permits() > 0
    }

    fn given(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> Permit {
        self.state().out += 1;
        Permit { limit: self.clone(), permit: Some(permit) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.limit.state();
        state.out -= 1;
        let owed = state.owed > 0;
        state.owed -= usize::from(owed);
        match self.permit.take() {
            Some(permit) if owed => permit.forget(),
            permit => drop(permit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lowered_limit_holds_as_permits_come_back_and_a_raised_one_at_once() {
        let limit = Limit::new(3);
        let mut out: Vec<_> = (0..3).map(|_| limit.try_take().unwrap()).collect();
        limit.set(1);
        assert_eq!(limit.out(), 3);
        for left in [2, 1] {
            out.pop();
            assert_eq!((limit.try_take().is_none(), limit.out()), (true, left));
        }
        out.pop();
        out.extend(limit.try_take());
        assert_eq!((out.len(), limit.try_take().is_none()), (1, true));
        limit.set(2);
        assert!(limit.try_take().is_some());
    }

    #[test]
    fn raising_a_limit_that_was_just_lowered_gives_no_more_than_it_says() {
        let limit = Limit::new(4);
        let out: Vec<_> = (0..4).map(|_| limit.try_take().unwrap()).collect();
        limit.set(1);
        limit.set(3);
        drop(out);
        let out: Vec<_> = (0..5).filter_map(|_| limit.try_take()).collect();
        assert_eq!((out.len(), limit.limit()), (3, 3));
    }
}
