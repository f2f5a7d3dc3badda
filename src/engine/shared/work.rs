//! What an instance that serves several runs has before it: those that come, and those that have left the guest.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use tokio::sync::mpsc;

use super::inside::Key;
use super::{Ask, Caller, Load};
use crate::engine::entrypoint::End;
use crate::engine::epoch::Ticking;

/// What the instance has to do.
pub(super) struct Work<'a> {
    pub(super) asks: &'a mut mpsc::Receiver<Ask>,
    /// Those that have ended and are not answered yet.
    pub(super) ended: Vec<Left>,
    /// It takes no more runs.
    pub(super) is_closed: bool,
    /// It has something in it that was given up, or of which nobody can tell what it does.
    pub(super) is_spoilt: bool,
    /// The epoch moves as long as there is something to do.
    pub(super) ticking: Option<Ticking>,
}

/// A run that has left the guest.
pub(super) struct Left {
    pub(super) key: Key,
    pub(super) caller: Arc<Caller>,
    /// Its end; an error is one of the instance, and one within is its own. `None` where nobody waits for it any more.
    pub(super) end: Option<wasmtime::Result<wasmtime::Result<End>>>,
}

impl Work<'_> {
    /// The next run, if one has come that somebody waits for.
    pub(super) fn next(&mut self, load: &Load, context: &mut Context<'_>) -> Option<Ask> {
        while !self.is_closed
            && let Poll::Ready(next) = self.asks.poll_recv(context)
        {
            match next {
                Some(ask) if ask.caller.is_gone() => drop(load.held.fetch_sub(1, Ordering::Relaxed)),
                Some(ask) => return Some(ask),
                None => self.is_closed = true,
            }
        }
        None
    }

    /// Whether something is in the instance that was given up, one of those that are not answered yet included.
    pub(super) fn poll_spoilt(&mut self, context: &Context<'_>) -> bool {
        for left in &mut self.ended {
            if left.caller.poll_gone(context).is_ready() {
                left.end = None;
            }
        }
        self.is_spoilt || self.ended.iter().any(Left::spoils)
    }

    /// Sends back whoever has not begun.
    pub(super) fn turn_away(&mut self) {
        turn_away(self.asks);
    }
}

impl Left {
    /// Whether it leaves something behind that nobody can tell anything of.
    pub(super) const fn spoils(&self) -> bool {
        !matches!(self.end, Some(Ok(_)))
    }
}

/// One run, until it ends or nobody waits for it any more.
pub(super) async fn one(
    key: Key,
    caller: Arc<Caller>,
    ends: impl Future<Output = wasmtime::Result<wasmtime::Result<End>>>,
) -> Left {
    let end = caller.while_it_waits(ends).await;
    Left { key, caller, end }
}

/// Sends back whoever has not begun.
pub(super) fn turn_away(asks: &mut mpsc::Receiver<Ask>) {
    asks.close();
    while let Ok(ask) = asks.try_recv() {
        ask.turn_away();
    }
}
