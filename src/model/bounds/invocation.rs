//! What one invocation may take: retries, time, memory, payloads, its record, and how long it is kept.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::{GIB, MIB};

// Retries, age and what follows from an outcome.

/// Default and range of `max_retries`: attempts after the first.
pub const DEFAULT_MAX_RETRIES: u32 = 1;
/// 100 is what Yandex Cloud Functions allow; FunctionGraph's 0-3 is that dialect's own check.
pub const MAX_RETRIES: RangeInclusive<u32> = 0..=100;

/// Age, from first being due, after which no attempt starts.
pub const DEFAULT_MAX_EVENT_AGE: Duration = Duration::from_secs(3_600);
/// FunctionGraph's range of the "maximum validity of a message".
pub const MAX_EVENT_AGE_S: RangeInclusive<u64> = 1..=86_400;

/// Days until an object that an outcome was written to is deleted; 0 keeps it. FunctionGraph's range.
pub const EXPIRES_DAYS: RangeInclusive<u16> = 0..=365;
/// Bytes of a target outside the runtime: an address, a name, a bucket and prefix. It is part of every record.
pub const MAX_TARGET_BYTES: usize = 2_048;

/// Pause before the second attempt; doubles from there.
pub const DEFAULT_RETRY_DELAY: Duration = Duration::from_secs(1);
/// Where the doubling stops.
pub const DEFAULT_RETRY_DELAY_MAX: Duration = Duration::from_secs(300);
/// Range of both retry delays, in milliseconds: up to a day, which is the longest age limit.
pub const RETRY_DELAY_MS: RangeInclusive<u64> = 1..=86_400_000;

// One attempt: time, memory, fuel; instances that serve several.

/// Wall-clock time that one attempt may take.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// Up to 72 hours, FunctionGraph's longest.
pub const TIMEOUT_MS: RangeInclusive<u64> = 1..=72 * 3_600 * 1_000;

/// Linear memory of one instance, all its memories together.
pub const DEFAULT_MEMORY_BYTES: u64 = 128 * MIB;
/// 4 GiB is the end of a 32-bit address space.
pub const MEMORY_BYTES: RangeInclusive<u64> = MIB..=4 * GIB;

/// Fuel of one attempt, about one for each instruction: up to what every reader of JSON reads exactly, which lasts for
/// weeks.
pub const FUEL: RangeInclusive<u64> = 1..=(1 << 53) - 1;

/// Invocations that one instance may serve: what a guest never frees is gone with it.
pub const REUSE: RangeInclusive<u32> = 1..=1_000_000;
/// Invocations that one instance may serve at once: as many as `wasmtime serve` gives one.
pub const INSTANCE_CONCURRENCY: RangeInclusive<u32> = 1..=16;
/// Instances that rest in one engine, at most; a small pool has an eighth of its places for them.
pub const MAX_RESTING: u32 = 64;
/// Linear memory of all that rest in one engine.
pub const MAX_RESTING_BYTES: u64 = GIB;
/// How long an instance rests before it goes.
pub const REST: Duration = Duration::from_secs(60);

// Core dumps.

/// Linear memory of a guest of which a core dump is made: it is copied, and kept whole but for its zeros.
pub const MAX_CORE_DUMP_BYTES: u64 = 64 * MIB;
/// Core dumps that are kept, count: each is a file.
pub const MAX_CORE_DUMPS: usize = 256;
/// Core dumps that are kept, bytes; those that are oldest give way.
pub const MAX_KEPT_DUMP_BYTES: u64 = GIB;
/// The same where they are kept in memory alone.
pub const MAX_DUMP_BYTES_IN_MEMORY: u64 = 2 * MAX_CORE_DUMP_BYTES;

// Attempts at once, and steps of a chain.

/// How many attempts of one version, or of one function, may run at once; the runtime's own limit applies besides.
pub const CONCURRENCY: RangeInclusive<u32> = 1..=100_000;
/// Attempts that run at once in the whole runtime, unless told.
pub const DEFAULT_RUNTIME_CONCURRENCY: u32 = 64;
/// The most the runtime can be told: above it the address space of instances runs out first.
pub const RUNTIME_CONCURRENCY: RangeInclusive<u32> = 1..=8_000;

/// What a running process can be told at least: the pool of instances is made at the start, for the concurrency it
/// is started with or for this many.
pub const LIVE_CONCURRENCY: u32 = 256;

/// Steps of a chain before it is cut.
pub const DEFAULT_HOP_LIMIT: u32 = 16;
/// Range of the hop limit; the chain is kept in every record, 16 bytes a hop.
pub const HOP_LIMIT: RangeInclusive<u32> = 1..=100;

// Payloads, results and logs.

/// Largest payload of a synchronous invocation (FunctionGraph's 6 MB).
pub const MAX_SYNC_PAYLOAD_BYTES: usize = 6 * 1_024 * 1_024;
/// Largest payload of an asynchronous invocation: it is kept on disk until retention ends.
pub const MAX_ASYNC_PAYLOAD_BYTES: usize = 1_024 * 1_024;
/// Largest result; above it the attempt has failed.
pub const MAX_RESULT_BYTES: usize = 6 * 1_024 * 1_024;
/// Captured stdout and stderr of one attempt, each; the rest is dropped and the log says so.
pub const MAX_LOG_BYTES: usize = 64 * 1_024;
/// A payload in a destination's record; above it the record tells the size only.
pub const MAX_RECORD_PAYLOAD_BYTES: usize = 256 * 1_024;

// What a record keeps of an invocation.

/// Message of a failure as it is kept; guests write it, so it is cut.
pub const MAX_MESSAGE_BYTES: usize = 4 * 1_024;
/// The same of an attempt that is not the last one.
pub const MAX_OLD_MESSAGE_BYTES: usize = 256;
/// Shortest pause before work that was turned away comes again: it uses up no attempt, so nothing else bounds how often.
pub const MIN_POSTPONE: Duration = Duration::from_millis(100);
/// Longest pause that a throttled function may ask for.
pub const MAX_THROTTLE: Duration = Duration::from_secs(86_400);
/// Attempts kept in a record. Throttled ones do not count against `max_retries`, so they are bounded here.
pub const MAX_ATTEMPTS_KEPT: usize = 128;
/// Bytes of a media type that a function gives to what it calls; it is kept in the record.
pub const MAX_CONTENT_TYPE_BYTES: usize = 255;
/// Attributes (header-like pairs) that travel with an invocation.
pub const MAX_ATTRIBUTES: usize = 64;
/// Bytes of all attributes.
pub const MAX_ATTRIBUTE_BYTES: usize = 16 * 1_024;

// When an invocation runs, and how long it is kept.

/// How far ahead an invocation may be asked to run: fifteen days.
pub const MAX_AHEAD: Duration = Duration::from_secs(15 * 86_400);
/// How long an idempotency key stands for the request it came with: a day, after which nobody tries again.
pub const KEY_WINDOW: Duration = Duration::from_secs(86_400);
/// Bytes of an idempotency key, which is visible ASCII.
pub const MAX_KEY_BYTES: usize = 255;

/// How long a settled invocation can be looked up.
pub const DEFAULT_RETENTION: Duration = Duration::from_secs(24 * 3_600);
/// Up to thirty days.
pub const RETENTION_S: RangeInclusive<u64> = 0..=30 * 86_400;

/// Settled invocations of one kind that a function's own setting keeps. 0 keeps none.
pub const KEPT_COUNT: RangeInclusive<u64> = 0..=1_000_000_000;
/// Bytes of the same.
pub const KEPT_BYTES: RangeInclusive<u64> = 0..=1_024 * 1_024 * GIB;

// Look-ups, lists and changes of many.

/// Longest `?wait=` of a look-up.
pub const MAX_WAIT: Duration = Duration::from_secs(600);
/// Invocations whose settling callers wait for.
pub const MAX_WAITERS: usize = 10_000;
/// Synchronous callers that may wait for a free slot. Of one function no more may wait than there are places left: alone it
/// has half of them, and however many wait of others, a caller of another finds one.
pub const MAX_WAITING_FOR_SLOT: usize = 2_048;
/// After this a synchronous caller is told to come again.
pub const MAX_SLOT_WAIT: Duration = Duration::from_secs(5);
/// Entries of one page of a list.
pub const PAGE: RangeInclusive<usize> = 1..=1_000;
/// Page size unless told.
pub const DEFAULT_PAGE: usize = 100;
/// Records that one listing call looks at before it answers with what it has and a cursor.
pub const MAX_SCANNED: usize = 10_000;
/// Invocations that one call changes together before it answers with a cursor.
pub const MAX_BULK: usize = 1_000;
/// Failures that the answer to such a call tells of by name; the others are counted.
pub const MAX_BULK_FAILURES: usize = 100;
