//! Turns among guests that compute for long: as many of them go on at once as there are cores, the others wait in the
//! order in which they came to.
//!
//! A guest that is done within a tick or two, as nearly all are, takes no part in this. Without it sixty guests that
//! never end would stand in the line of the threads, and one that has just come would wait for a tick of each.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::coop;

/// The turns of all guests.
#[derive(Clone, Debug)]
pub(super) struct Turns(Arc<Semaphore>);

/// One guest's. Held while it computes, and given up by whatever makes it wait.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    turns: Turns,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    held: Mutex<Option<OwnedSemaphorePermit>>,
    in_front: AtomicBool,
}

impl Turns {
    /// So many at once.
    pub(super) fn new(count: usize) -> Self {
        Self(Arc::new(Semaphore::new(count)))
    }

    /// For one guest, which holds none yet.
    pub(super) fn turn(&self) -> Turn {
        Turn { turns: self.clone(), state: Arc::default() }
    }
}

impl Turn {
    /// Lets others go on, and waits for the guest's next turn.
    pub(super) async fn next(self) {
        step_back().await;
        if let Ok(permit) = Arc::clone(&self.turns.0).acquire_owned().await {
            *self.state.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(permit);
        } // it is never closed
    }

    /// Polls a guest in front, where nobody takes turns.
    pub(super) fn in_front<T>(&self, poll: impl FnOnce() -> T) -> T {
        self.state.in_front.store(true, Ordering::Relaxed);
        let polled = poll();
        self.state.in_front.store(false, Ordering::Relaxed);
        polled
    }

    /// Whether it is being polled there.
    pub(super) fn is_in_front(&self) -> bool {
        self.state.in_front.load(Ordering::Relaxed)
    }

    /// Runs a guest, which gives its turn up whenever it waits: for its next turn, or in a call of the host.
    pub(super) async fn keep<T>(&self, guest: impl Future<Output = T>) -> T {
        let mut guest = std::pin::pin!(guest);
        std::future::poll_fn(|context| {
            let polled = guest.as_mut().poll(context);
            drop(self.state.held.lock().unwrap_or_else(PoisonError::into_inner).take());
            polled
        })
        .await
    }
}

/// Waits until the thread has looked for other work, from elsewhere too: tokio polls what a task wakes right behind it
/// on the same thread, as long as the task has left some of its budget, and that would be the next of the long ones.
fn step_back() -> impl Future<Output = ()> {
    let mut is_back = false;
    std::future::poll_fn(move |context| {
        if std::mem::replace(&mut is_back, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        use_up_budget(context);
        Poll::Pending
    })
}

fn use_up_budget(context: &mut Context<'_>) {
    while coop::has_budget_remaining() {
        match coop::poll_proceed(context) {
            Poll::Ready(unit) => unit.made_progress(),
            Poll::Pending => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn turns_are_taken_in_order_and_given_up_by_whoever_waits() {
        let turns = Turns::new(1);
        let (first, second) = (turns.turn(), turns.turn());
        let (go, waits) = oneshot::channel::<()>();
        let (holds, held) = oneshot::channel::<()>();
        let own = first.clone();
        let guest = first.keep(async move {
            own.next().await;
            holds.send(()).unwrap();
            waits.await.unwrap();
        });
        let other = async {
            held.await.unwrap();
            second.clone().next().await; // the first waits in a call of the host, so this one is not kept waiting
            drop(second);
            go.send(()).unwrap();
        };
        tokio::join!(guest, other);
        assert_eq!(turns.0.available_permits(), 1);
    }

    #[tokio::test]
    async fn a_guest_that_is_dropped_while_it_waits_holds_up_nobody() {
        let turns = Turns::new(1);
        let held = turns.turn();
        held.clone().next().await;
        let mut second = Box::pin(turns.turn().next());
        assert!(futures::poll!(&mut second).is_pending());
        drop(second);
        assert_eq!(turns.0.available_permits(), 0);
        drop(held);
        assert_eq!(turns.0.available_permits(), 1);
    }
}
