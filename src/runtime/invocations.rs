//! Use cases around invocations: invoke and wait, look up, list, cancel, run now.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::{Error, Runtime};
use crate::clock::Clock;
use crate::dispatch::CancelAsked;
use crate::engine::call::{Input, Reply};
use crate::model::bounds;
use crate::model::destination::Outside;
use crate::model::function::{Function, Version};
use crate::model::invocation::{Event, Invocation, Lease, Lineage, Mode, PayloadInfo, Policy, Request, State, Target};
use crate::model::names::{FunctionPath, InvocationId, Qualifier};
use crate::model::outcome::Outcome;
use crate::model::place::Priority;
use crate::model::status::Status;
use crate::model::time::{When, whole_us};
use crate::model::usage::Usage;
use crate::store::{Part, StoreError};

/// How long a cancelled invocation is waited for: a guest is stopped within milliseconds.
const CANCEL_PATIENCE: Duration = Duration::from_secs(5);
/// Between two attempts to find what is to be cancelled.
const CANCEL_PAUSE: Duration = Duration::from_millis(20);

/// What a caller asks to have run.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The function.
    pub path: FunctionPath,
    /// Which of its versions.
    pub qualifier: Qualifier,
    /// What it brings.
    pub input: Input,
    /// Its media type; empty when nobody said.
    pub content_type: String,
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// Header-like pairs to tell the function.
    pub attributes: Vec<(String, String)>,
    /// The invocations that led to this request, where a function made it.
    pub chain: Vec<InvocationId>,
    /// When its first attempt may start, up to [`bounds::MAX_AHEAD`] from now; for asynchronous ones.
    pub when: When,
    /// How urgent it is among those of its function; for asynchronous ones.
    pub priority: Priority,
    /// The caller's name for this request: within [`bounds::KEY_WINDOW`] the same name and the same request mean the
    /// invocation that was accepted first. 1 to 255 visible ASCII characters; for asynchronous ones.
    pub idempotency_key: Option<String>,
    /// Where the caller wants to be told of the outcome, whatever it is; for asynchronous ones.
    pub callback: Option<Outside>,
}

impl Ask {
    /// To be run as soon as its turn comes, with nothing said besides.
    #[must_use]
    pub fn now(path: FunctionPath, qualifier: Qualifier, input: Input) -> Self {
        Self {
            path,
            qualifier,
            input,
            content_type: String::new(),
            traceparent: None,
            attributes: Vec::new(),
            chain: Vec::new(),
            when: When::Now,
            priority: Priority::default(),
            idempotency_key: None,
            callback: None,
        }
    }
}

/// An accepted asynchronous invocation.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// Its id.
    pub id: InvocationId,
    /// What will run.
    pub target: Target,
    /// Nothing new was accepted: an earlier request with the same idempotency key was.
    pub replayed: bool,
}

/// The answer to a synchronous invocation.
#[derive(Clone, Debug)]
pub struct Answered {
    /// Its id.
    pub id: InvocationId,
    /// What the function gave.
    pub reply: Reply,
    /// What that took.
    pub usage: Usage,
    /// What it wrote besides.
    pub log: Bytes,
}

impl Runtime {
    /// Runs a function now and returns what it gave.
    ///
    /// Boxed: what a run needs is large, and would be copied with the future of each who waits for it.
    pub async fn invoke(&self, ask: Ask) -> Result<Answered, Error> {
        Box::pin(self.invoked(ask)).await
    }

    async fn invoked(&self, ask: Ask) -> Result<Answered, Error> {
        let (function, version) = self.resolve(&ask, bounds::MAX_SYNC_PAYLOAD_BYTES)?;
        self.check_fits(&version, ask.input.bytes()).await?;
        let (slots, asked) = (&self.parts.slots, Instant::now());
        let slot = slots.take(function.id, &version).await;
        let waited_us = whole_us(asked.elapsed());
        let slot = slot.ok_or(Error::Overloaded { waited: bounds::MAX_SLOT_WAIT })?;
        let awaited = Awaited { runtime: self, invocation: Some(self.synchronous(&ask, &function, &version)) };
        let ran = tokio::select! {
            biased; // most have ended before anything else is looked at
            ran = self.parts.worker.attempt(&slot, awaited.invocation(), &version, ask.input) => ran,
            () = self.parts.tasks.stopping().cancelled() => return Err(Error::Interrupted),
        };
        drop(slot);
        let mut invocation = awaited.ended();

        let end = ran.end.as_ref().map(|_| ()).map_err(Clone::clone);
        if let Err(illegal) = invocation.apply(&Event::Ended(end), self.parts.clock.now()) {
            tracing::error!(invocation = %invocation.id, %illegal, "a bug: a synchronous invocation could not settle");
        }
        let usage = Usage { waited_us, ..ran.usage };
        invocation.note_usage(usage);
        let id = invocation.id;
        if let Ok(reply) = &ran.end {
            let content_type = reply.content_type.clone();
            invocation.result = Some(PayloadInfo { bytes: reply.body.len() as u64, content_type });
        }
        let log = ran.log.clone();
        self.parts.dispatch.keep_record(invocation, ran.log).await;
        match ran.end {
            Ok(reply) => Ok(Answered { id, reply, usage, log }),
            Err(failure) => {
                let (answer, usage) = (ran.answer.map(Box::new), Box::new(usage));
                Err(Error::Function { id, failure, answer, usage, log })
            }
        }
    }

    /// One invocation; waits up to `patience` for it to settle.
    pub async fn wait(&self, id: InvocationId, patience: Duration) -> Result<Invocation, Error> {
        let found = self.parts.dispatch.wait(id, patience.min(bounds::MAX_WAIT)).await?;
        found.ok_or(Error::InvocationUnknown(id))
    }

    /// One invocation as it is now.
    pub async fn invocation(&self, id: InvocationId) -> Result<Invocation, Error> {
        self.parts.store.invocation(id).await?.ok_or(Error::InvocationUnknown(id))
    }

    /// Bytes that belong to an invocation; empty where there are none.
    pub async fn bytes(&self, id: InvocationId, part: Part) -> Result<Bytes, Error> {
        Ok(self.parts.store.blob(id, part).await?.unwrap_or_default())
    }

    /// The core dump of an invocation's latest attempt that left one, if it is still kept.
    pub async fn core_dump(&self, id: InvocationId) -> Result<Option<Bytes>, Error> {
        let unreadable = |error: std::io::Error| Error::Store(StoreError::Unreadable(error.to_string()));
        self.parts.core_dumps.get(id).await.map_err(unreadable)
    }

    /// Cancels an invocation, whether it waits or runs, and returns it settled.
    pub async fn cancel(&self, id: InvocationId) -> Result<Invocation, Error> {
        let (asked, invocation) = self.ask_to_cancel(id).await?;
        match invocation.outcome() {
            Some((Outcome::Cancelled, _)) if asked == CancelAsked::Underway => Ok(invocation),
            None => Ok(invocation), // it is being stopped; the caller sees the state it is in
            Some(_) => Err(Error::AlreadySettled { id, status: Status::of(&invocation) }),
        }
    }

    /// Makes an invocation that waits, for its time or for its next attempt, due now, and returns it as it then is.
    pub async fn run_now(&self, id: InvocationId) -> Result<Invocation, Error> {
        if let Some(invocation) = self.parts.dispatch.run_now(id).await? {
            return Ok(invocation);
        }
        let invocation = self.invocation(id).await?;
        let status = match Status::of(&invocation) {
            Status::Queued | Status::Retrying => Status::Running, // it is being taken up at this moment
            status => status,
        };
        Err(Error::NotQueued { id, status })
    }

    /// Asks until it is found or settled: for an instant, what a chain has just caused is kept and not yet in line.
    async fn ask_to_cancel(&self, id: InvocationId) -> Result<(CancelAsked, Invocation), Error> {
        let until = self.parts.clock.now() + CANCEL_PATIENCE;
        loop {
            if self.parts.dispatch.cancel(id).await? == CancelAsked::Underway {
                return Ok((CancelAsked::Underway, self.wait(id, CANCEL_PATIENCE).await?));
            }
            let invocation = self.invocation(id).await?;
            if invocation.outcome().is_some() || self.parts.clock.now() > until {
                return Ok((CancelAsked::NotLive, invocation));
            }
            tokio::time::sleep(CANCEL_PAUSE).await;
        }
    }

    pub(super) fn resolve(&self, ask: &Ask, limit: usize) -> Result<(Arc<Function>, Arc<Version>), Error> {
        let bytes = ask.input.bytes().len();
        if bytes > limit {
            return Err(Error::PayloadTooLarge { bytes, limit });
        }
        let hop = u32::try_from(ask.chain.len()).unwrap_or(u32::MAX);
        if hop > self.parts.hop_limit {
            return Err(Error::HopLimit { hop, limit: self.parts.hop_limit, chain: ask.chain.clone() });
        }
        let (function, version) = self.parts.registry.resolve_to_run(&ask.path, &ask.qualifier)?;
        if function.disabled { Err(Error::Disabled(ask.path.clone())) } else { Ok((function, version)) }
    }

    /// A synchronous invocation in the only state it ever waits in: claimed.
    fn synchronous(&self, ask: &Ask, function: &Function, version: &Version) -> Invocation {
        let now = self.parts.clock.now();
        let bytes = ask.input.bytes().len();
        let mut invocation = Invocation {
            id: Clock::invocation_id_at(now),
            target: target(function, version),
            mode: Mode::Sync,
            accepted: now,
            first_due: now,
            request: Request {
                payload: PayloadInfo { bytes: bytes as u64, content_type: ask.content_type.clone() },
                traceparent: ask.traceparent.clone(),
                attributes: ask.attributes.clone(),
                head: None, // nothing of it is run again
            },
            lineage: Lineage { chain: ask.chain.clone(), retry_of: None },
            policy: Policy::once(self.parts.hop_limit),
            priority: Priority::default(),
            spread: 0,
            attempts: Vec::new(),
            state: State::Queued { due: now, attempt: NonZeroU32::MIN },
            result: None,
        };
        let claimed = invocation.apply(&Event::Claimed(Lease { owner: uuid::Uuid::nil() }), now);
        debug_assert!(claimed.is_ok(), "what was accepted now is due now");
        invocation
    }
}

/// A synchronous invocation while its caller waits. Dropped before it has ended, the caller has gone away and the
/// guest is being stopped: the record then says so.
struct Awaited<'a> {
    runtime: &'a Runtime,
    /// Taken when it has ended.
    invocation: Option<Invocation>,
}

impl Awaited<'_> {
    fn invocation(&self) -> &Invocation {
        self.invocation.as_ref().expect("it is taken by `ended` alone, which takes this too")
    }

    fn ended(mut self) -> Invocation {
        self.invocation.take().expect("nobody else takes it")
    }
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        let parts = &self.runtime.parts;
        if let Some(mut invocation) = self.invocation.take()
            && invocation.apply(&Event::Cancelled, parts.clock.now()).is_ok()
        {
            parts.dispatch.keep_record_of_abandoned(invocation);
        }
    }
}

fn target(function: &Function, version: &Version) -> Target {
    Target { function: function.id, path: function.path.clone(), version: Some(version.number) }
}
