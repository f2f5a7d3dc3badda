//! The limits of the program, with their units and reasons, room by room. Those that only one file needs may stand there.
//!
//! Ranges that a user may choose from are `RangeInclusive`; sizes are in bytes; times are `Duration`.

use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::time::Duration;

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

// Functions and their versions, and what they are given.

/// Largest module that can be deployed: room for a `CPython` build.
pub const MAX_MODULE_BYTES: usize = 64 * 1_024 * 1_024;
/// Method, path and headers of an HTTP request that waits in the queue, in bytes: they are written at each of its steps.
pub const MAX_REQUEST_HEAD_BYTES: usize = 16 * 1_024;
/// Arguments of a command, count and bytes in all.
pub const MAX_ARGUMENTS: usize = 128;
/// Bytes of the name of an exported function, that of its interface included.
pub const MAX_EXPORT_NAME_BYTES: usize = 256;
/// Bytes of all arguments and of all environment entries, each.
pub const MAX_ARGUMENT_BYTES: usize = 32 * 1_024;
/// Grants of a version, of all kinds together.
pub const MAX_GRANTS: usize = 256;
/// A secret: it becomes an environment variable.
pub const MAX_SECRET_BYTES: usize = 64 * 1_024;
/// Secrets of a namespace.
pub const MAX_SECRETS: usize = 1_000;
/// Environment entries of a version, count.
pub const MAX_ENVIRONMENT: usize = 128;
/// Versions one function may have: they are never overwritten, so their number is what grows.
pub const MAX_VERSIONS: u32 = 10_000;
/// Aliases one function may have.
pub const MAX_ALIASES: usize = 100;
/// What a dialect may keep of a function or a version, in bytes of JSON.
pub const MAX_ANNOTATION_BYTES: usize = 65_536;
/// Of a hundred invocations of an alias, how many may go to other versions than its own.
pub const ALIAS_WEIGHTS: RangeInclusive<u32> = 0..=100;
/// Functions of all namespaces: each costs memory for its settings and its place in the graph.
pub const MAX_FUNCTIONS: usize = 20_000;

// Accounts, operations, and who sends requests.

/// Service accounts of all namespaces: each is in memory.
pub const MAX_ACCOUNTS: usize = 10_000;
/// Roles of one account: each is looked at when it asks for something.
pub const MAX_BINDINGS: usize = 100;
/// Tokens and keys of one account.
pub const MAX_CREDENTIALS: usize = 100;
/// How long a token or key that expires can be good for: ten years.
pub const MAX_CREDENTIAL_AGE: Duration = Duration::from_secs(10 * 365 * 86_400);
/// Entries of the audit log; the oldest give way.
pub const MAX_AUDIT_ENTRIES: usize = 20_000;
/// Operations that are kept, of all dialects that have them; the oldest give way.
pub const MAX_OPERATIONS: usize = 10_000;
/// How long an operation can be asked for.
pub const MAX_OPERATION_AGE: Duration = Duration::from_secs(7 * 86_400);
/// Body of a signed request, in bytes: it has to be in memory before the request is known to be anybody's.
pub const MAX_SIGNED_BODY_BYTES: usize = 16 * 1_024 * 1_024;
/// Bytes of the bodies of signed requests that are in memory at once.
pub const MAX_SIGNED_BODIES_BYTES: usize = 256 * 1_024 * 1_024;
/// Time for a TLS handshake.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

// What functions find: connections, key-value stores.

/// Connections of a namespace to services outside the runtime.
pub const MAX_SERVICES: usize = 100;
/// The key of a pair in a key-value store.
pub const MAX_PAIR_KEY_BYTES: usize = 1_024;
/// The value of a pair: what one commit can write beside others.
pub const MAX_PAIR_VALUE_BYTES: usize = 1_024 * 1_024;
/// Pairs of one key-value store: their names are gone through when it is first used.
pub const MAX_PAIRS: u64 = 100_000;
/// Bytes of one key-value store, keys and values.
pub const MAX_PAIR_BYTES: u64 = GIB;
/// Pairs that one call of a guest sets, gets or deletes together.
pub const MAX_PAIR_BATCH: usize = 256;
/// Key-value stores whose sizes are in memory; those of others are counted when they are written to.
pub const MAX_OPEN_STORES: usize = 4_096;

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
/// Synchronous callers that may wait for a free slot, and how long.
pub const MAX_WAITING_FOR_SLOT: usize = 1_024;
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

// The queue: what may wait, and what of it is in memory.

/// Invocations that may wait, in all, unless told. They are on disk; memory does not grow with them.
pub const DEFAULT_MAX_QUEUED: u64 = 10_000_000;
/// Range of every limit on how many may wait.
pub const MAX_QUEUED: RangeInclusive<u64> = 1..=1_000_000_000;
/// Bytes of payloads that may wait, in all, unless told.
pub const DEFAULT_MAX_QUEUED_BYTES: u64 = 64 * GIB;
/// Range of every limit on bytes of payloads that wait.
pub const MAX_QUEUED_BYTES: RangeInclusive<u64> = 1..=1_024 * 1_024 * GIB;
/// What somebody is told to wait whose invocation was refused for want of room in the queue.
pub const QUEUE_RETRY_AFTER_S: RangeInclusive<u64> = 1..=60;
/// Range of `--time-scale`: an hour in a tenth of a second.
pub const TIME_SCALE: RangeInclusive<u32> = 1..=36_000;

/// Places in line that are in memory, of all lanes together: each costs about 300 bytes. The rest of a backlog is in
/// the store alone.
pub const MAX_PLACES: usize = 200_000;
/// Places of one lane in memory: its share of [`MAX_PLACES`], within this.
pub const LANE_PLACES: RangeInclusive<usize> = 16..=4_096;
/// Lanes of which more is being read at once.
pub const MAX_REFILLS: usize = 8;
/// Invocations that could not be worked on, because they could not be read or written, and wait for the next try. When
/// it is so many the fault is not theirs, and nothing is taken until then.
pub const MAX_ASIDE: usize = 1_024;
/// Invocations that are known to be damaged and do not count among those: each costs about 200 bytes.
pub const MAX_DAMAGED: usize = 100_000;

// Message queues, streams and topics.

/// Seconds for which a message that was received is hidden from others.
pub const QUEUE_VISIBILITY_S: RangeInclusive<u32> = 0..=43_200;
/// Seconds before a message can be received for the first time.
pub const QUEUE_DELAY_S: RangeInclusive<u32> = 0..=900;
/// Seconds for which a message is kept: a minute to 14 days.
pub const QUEUE_RETENTION_S: RangeInclusive<u32> = 60..=1_209_600;
/// Seconds that a receive may wait for a message.
pub const QUEUE_WAIT_S: RangeInclusive<u32> = 0..=20;
/// Bytes that a message may be allowed to have, attributes included.
pub const QUEUE_MESSAGE_BYTES: RangeInclusive<u32> = 1_024..=262_144;
/// How often a message may be received before it goes to the dead-letter queue.
pub const QUEUE_MAX_RECEIVES: RangeInclusive<u32> = 1..=1_000;
/// Attributes of one message.
pub const MAX_MESSAGE_ATTRIBUTES: usize = 10;
/// Messages of one batch, and of one receive over the SQS dialect.
pub const MAX_MESSAGE_BATCH: usize = 10;
/// Bytes of all messages of one batch together.
pub const MAX_MESSAGE_BATCH_BYTES: usize = 262_144;
/// Messages of one receive.
pub const MAX_RECEIVE: usize = 100;
/// Bytes of messages after which a receive takes no more; one message may go over it.
pub const MAX_RECEIVE_BYTES: usize = 4 * 1_024 * 1_024;
/// For how long a FIFO queue knows a message again that is sent twice.
pub const DEDUPLICATION_WINDOW: Duration = Duration::from_secs(300);
/// Message queues of one namespace, and of all: each has its settings, tags and counts in memory.
pub const MAX_MESSAGE_QUEUES: usize = 1_000;
/// Message queues of all namespaces together.
pub const MAX_ALL_MESSAGE_QUEUES: usize = 10_000;
/// Tags of one queue.
pub const MAX_QUEUE_TAGS: usize = 50;
/// Messages that one queue holds; they are on disk, and memory does not grow with them.
pub const MAX_QUEUE_MESSAGES: u64 = 10_000_000;
/// Bytes of messages that one queue holds.
pub const MAX_QUEUE_BYTES: u64 = 16 * GIB;
/// Messages that all queues of a namespace hold.
pub const MAX_NAMESPACE_MESSAGES: u64 = 20_000_000;
/// Bytes of messages that all queues of a namespace hold.
pub const MAX_NAMESPACE_QUEUE_BYTES: u64 = 64 * GIB;
/// Messages of one queue that were received and not deleted: about 150 bytes of memory each.
pub const MAX_IN_FLIGHT: usize = 120_000;
/// The same of a FIFO queue.
pub const MAX_FIFO_IN_FLIGHT: usize = 20_000;
/// The same of all queues together.
pub const MAX_ALL_IN_FLIGHT: usize = 1_000_000;
/// Messages of one FIFO queue that a receive looks at for one whose group is free.
pub const MAX_GROUP_LOOKAHEAD: usize = 20_000;

/// Bytes of the key of a document, so that with its table it is a key of the store's index.
pub const MAX_DOCUMENT_KEY_BYTES: usize = 120;

/// Streams, of one namespace and in all: each costs a kilobyte of memory.
pub const MAX_STREAMS: usize = 1_000;
/// Streams of all namespaces.
pub const MAX_ALL_STREAMS: usize = 10_000;
/// How long records of a stream are kept, unless told, in seconds.
pub const DEFAULT_STREAM_RETENTION_S: u64 = 86_400;
/// Range of the same: up to a year.
pub const STREAM_RETENTION_S: RangeInclusive<u64> = 60..=366 * 86_400;
/// Bytes of a stream, unless told; the oldest records give way.
pub const DEFAULT_STREAM_BYTES: u64 = GIB;
/// Range of the same.
pub const STREAM_BYTES: RangeInclusive<u64> = MIB..=1_024 * GIB;
/// Data of one record in a stream: what one commit can write beside others.
pub const MAX_STREAM_RECORD_BYTES: usize = 1_024 * 1_024;
/// A record's partition key, in bytes.
pub const MAX_PARTITION_KEY_BYTES: usize = 256;
/// Attributes of a record in a stream or of a publication, count.
pub const MAX_RECORD_ATTRIBUTES: usize = 32;
/// Names and values of all of them, in bytes.
pub const MAX_RECORD_ATTRIBUTE_BYTES: usize = 16 * 1_024;
/// Records that are appended or read at once, count.
pub const MAX_STREAM_BATCH: usize = 500;
/// Bytes of their data together.
pub const MAX_STREAM_BATCH_BYTES: usize = 4 * 1_024 * 1_024;
/// Topics of one namespace.
pub const MAX_TOPICS: usize = 1_000;
/// Topics of all namespaces.
pub const MAX_ALL_TOPICS: usize = 10_000;
/// Subscriptions of one topic: what one publication may come to in a commit.
pub const MAX_SUBSCRIPTIONS: usize = 100;
/// Subscriptions of all topics: each has a task of its own.
pub const MAX_ALL_SUBSCRIPTIONS: usize = 10_000;
/// What a publication says, in bytes: as much as a message in a queue.
pub const MAX_PUBLICATION_BYTES: usize = 256 * 1_024;
/// Publications that are on their way to one subscription; what is more is kept as dead at once.
pub const MAX_PENDING_PUBLICATIONS: u64 = 10_000;
/// Publications of one subscription that are kept as dead; past them none is given up, they are tried on.
pub const MAX_DEAD_PUBLICATIONS: u64 = 10_000;
/// Publications that are sent at once, to all subscriptions.
pub const MAX_PUBLICATIONS_SENT: usize = 256;
/// How long somebody has to confirm a subscription.
pub const CONFIRMATION: Duration = Duration::from_secs(3 * 86_400);
/// How long a read waits for what is not there yet.
pub const MAX_POLL: Duration = Duration::from_secs(20);

// The store: commits, disk, journal and index.

/// Changes and bytes that one commit takes together; the rest waits for the next.
pub const MAX_GROUP_CHANGES: usize = 1_024;
/// Bytes that one commit takes together. A single group may be larger; it then is committed alone.
pub const MAX_GROUP_BYTES: usize = 8 * 1_024 * 1_024;
/// Groups that wait for the committer; past it a commit is refused. Every caller waits for its answer, so
/// [`MAX_CONNECTIONS`] and [`RUNTIME_CONCURRENCY`] together stay below it.
pub const MAX_WAITING_COMMITS: usize = 16_384;
/// Bytes of the groups that wait for the committer; past it a commit is refused, unless nothing else waits. They stay in
/// memory until they are written: this is some seconds of a slow disk, and a quarter of what a small machine has.
pub const MAX_WAITING_COMMIT_BYTES: usize = 256 * 1_024 * 1_024;
/// Segments that are kept ready for what must be written when the disk is full: one for what settles accepted work,
/// one that only removals may take, and one that only copies may take by which others come free.
pub const RESERVE_SEGMENTS: usize = 3;
/// Bytes that a store needs: the segment being written, those in reserve, and some that are applied or given back.
pub const MIN_DISK_BYTES: u64 = 96 * MIB;
/// Free bytes on the disk below which no new work is taken: others need some, and the index needs room to shrink in.
pub const MIN_FREE_BYTES: u64 = 256 * MIB;
/// Changes that stand in memory before they are written into the index, about 400 bytes each; twice as many while
/// those before them are being written, and then commits wait. What is settled does not count here.
pub const MAX_WINDOW_CHANGES: usize = 24_576;
/// The same with what is settled, which is worth keeping longer: retention removes it again, and what comes and goes in
/// memory is never written. Just below where the table of them would grow to twice its size.
pub const MAX_WINDOW_ENTRIES: usize = 57_000;
/// Segments of the journal that one window begins at most; twice as many while those before them are being written. None
/// of them can be used again before it is in the index, so large payloads would take gigabytes in a second otherwise.
pub const MAX_WINDOW_SEGMENTS: usize = 2;
/// The same for a window with many small invocations that have settled.
pub const MAX_LONG_WINDOW_SEGMENTS: usize = 6;
/// So many settled invocations make a window worth keeping for longer.
pub const MANY_SETTLED: usize = 4_096;
/// Memory that the embedded database uses for its pages.
pub const STORE_CACHE_BYTES: u64 = 32 * MIB;

/// Bytes of one segment of the journal: large enough that taking the next one is rare, small enough that writing
/// it in advance takes a fraction of a second.
pub const SEGMENT_BYTES: u32 = 16 * 1_024 * 1_024;
/// Segments that are prepared for a time of many writes, those kept for a full disk included.
pub const MAX_SPARE_SEGMENTS: usize = 8;
/// Segments that came free and are kept for a time of many writes, with those that are prepared: a window gives back as many
/// as it began.
pub const MAX_KEPT_SEGMENTS: usize = 16;
/// What was written to the journal last and is kept in memory: most payloads are read within a second, and this
/// is a second of some twenty thousand of the usual size.
pub const JOURNAL_TAIL_BYTES: usize = 16 * 1_024 * 1_024;
/// Files of the journal that are open for reading; each is a descriptor.
pub const MAX_OPEN_SEGMENTS: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// Steps that go on at once while the disk has no room but the reserve: each can take some 7 MB of it when it ends (a
/// result, a log, a record that goes on), and holds as much in memory until it may.
pub const MAX_STEPS_IN_RESERVE: usize = 8;

// Compiling, and compiled code.

/// Compiled modules kept ready in memory, count: each is some maps and an open file.
pub const MAX_READY_MODULES: usize = 256;
/// Compiled modules kept ready in memory, bytes, unless told. They are mapped, so what is not executed takes no memory.
pub const DEFAULT_LOADED_CODE_BYTES: u64 = GIB;
/// From one large module to what a machine may have.
pub const LOADED_CODE_BYTES: RangeInclusive<u64> = 64 * MIB..=1_024 * GIB;
/// Compiled modules kept on disk, in bytes; those that were not used for longest give way.
pub const MAX_COMPILED_BYTES: u64 = 8 * GIB;
/// One compiled module, in bytes: some twice the module, with room for many small functions.
pub const MAX_COMPILED_MODULE_BYTES: usize = 512 * 1_024 * 1_024;
/// Processor time that compiling one module may take, unless told: a `CPython` takes ten seconds.
pub const DEFAULT_COMPILE_CPU: Duration = Duration::from_secs(120);
/// Range of the same, in seconds.
pub const COMPILE_CPU_S: RangeInclusive<u64> = 1..=3_600;
/// How much longer than its processor time a compilation may last: it stands back for everything else.
pub const COMPILE_PATIENCE: u32 = 5;
/// Address space that compiling one module may take, unless told: 100,000 functions take half a gigabyte, and what is
/// reserved is more than what is used.
pub const DEFAULT_COMPILE_MEMORY: u64 = 4 * GIB;
/// Range of the same: below it not even an empty module is compiled.
pub const COMPILE_MEMORY: RangeInclusive<u64> = 256 * MIB..=256 * GIB;
/// Threads of one compilation: each takes memory, and on a large machine several are under way.
pub const MAX_COMPILE_THREADS: usize = 8;

// What a module may have.

/// Functions of one module: a compiler takes some 20 microseconds and 5 KiB for even an empty one.
pub const MAX_MODULE_FUNCTIONS: usize = 100_000;
/// Code of one function: compiling takes more than proportionally longer, about a second for this much.
pub const MAX_FUNCTION_BYTES: usize = 1_024 * 1_024;
/// Locals of one function, its parameters apart: a compiler follows each through every block.
pub const MAX_FUNCTION_LOCALS: usize = 20_000;
/// Blocks within blocks of one function; a `switch` of a thousand cases is a thousand.
pub const MAX_BLOCK_NESTING: usize = 5_000;
/// Exports of one module, those of the modules within it included: each is a name in memory while it is loaded.
pub const MAX_MODULE_EXPORTS: usize = 20_000;
/// Imports of one module, those of the modules within it included: each is looked up when it is loaded.
pub const MAX_MODULE_IMPORTS: usize = 20_000;
/// Types of one module, those of the modules within it included.
pub const MAX_MODULE_TYPES: usize = 100_000;
/// Data and element segments of one module, each.
pub const MAX_MODULE_SEGMENTS: usize = 100_000;
/// Globals of one module: each is made for every instance.
pub const MAX_MODULE_GLOBALS: usize = 100_000;
/// Core modules and components within one component, all levels together.
pub const MAX_INNER_MODULES: usize = 1_000;
/// Components within components of one module.
pub const MAX_MODULE_NESTING: usize = 16;
/// Names and notes of a module that are not code, debug information apart.
pub const MAX_CUSTOM_BYTES: usize = 32 * 1_024 * 1_024;
/// Debug information that a version may be deployed with, in bytes.
pub const MAX_DEBUG_BYTES: usize = 16 * 1_024 * 1_024;
/// Tables of lines within it, in bytes: a backtrace reads one anew for each of its frames, and a byte becomes twenty.
pub const MAX_DEBUG_LINE_BYTES: usize = 2 * 1_024 * 1_024;
/// Compilation units within it: each is entered in a table for each frame of a backtrace.
pub const MAX_DEBUG_UNITS: usize = 10_000;
/// Frames of a backtrace: the innermost.
pub const MAX_FRAMES: NonZeroUsize = NonZeroUsize::new(10).unwrap();

// What a guest may take of the host.

/// Stack of a guest; the host's calls on its behalf have their own besides.
pub const GUEST_STACK_BYTES: usize = 512 * 1_024;
/// Elements of one table of a guest; each is a pointer of the host's.
pub const MAX_GUEST_TABLE_ELEMENTS: usize = 100_000;
/// Core instances of one guest: a component is often linked from several.
pub const MAX_GUEST_INSTANCES: usize = 64;
/// Linear memories of one guest; their sizes count together.
pub const MAX_GUEST_MEMORIES: usize = 4;
/// Tables of one guest.
pub const MAX_GUEST_TABLES: usize = 16;
/// Open resources (streams, bodies, headers) of one guest: what the host keeps for one can be 64 KiB.
pub const MAX_GUEST_HANDLES: usize = 1_000;
/// Bytes that one call between guest and host may copy: room for a result that is then found too large.
pub const MAX_GUEST_COPY_BYTES: usize = 16 * 1_024 * 1_024;
/// Types that the signature of a typed function is made of: real ones have tens, and each costs some 100 bytes where its
/// function is ready.
pub const MAX_SIGNATURE_TYPES: usize = 10_000;
/// Types within types of such a signature.
pub const MAX_SIGNATURE_NESTING: usize = 50;
/// Values in the payload of a typed function, each element of a list counted, and each byte of a `list<u8>` unless all of
/// its signature travels directly. One takes some 40 bytes while it is handed over.
pub const MAX_TYPED_VALUES: usize = 400_000;
/// Requests that one guest may have under way at once; each takes up to 256 KiB of buffers.
pub const MAX_GUEST_REQUESTS: usize = 16;
/// Requests that all guests together may have under way: each is a socket.
pub const MAX_OUTBOUND_REQUESTS: usize = 1_024;
/// Names that are looked up for guests at once: each is a thread, for as long as the system's resolver takes.
pub const MAX_LOOKUPS: usize = 32;
/// How long guests that are told to stop may take.
pub const GUEST_STOP: Duration = Duration::from_secs(2);
/// When to come again where there was no room for another instance.
pub const NO_ROOM_DELAY: Duration = Duration::from_millis(100);

// Deliveries and webhooks.

/// Bytes of a record that goes into a queue or to a topic: 256 KiB, attributes included.
pub const MAX_QUEUE_RECORD_BYTES: usize = 252 * 1_024;
/// How long one try at a delivery may take, all of it.
pub const DELIVERY_TRY: Duration = Duration::from_secs(15);
/// How long a delivery is tried, unless told, before it is given up.
pub const DEFAULT_DELIVERY_BUDGET: Duration = Duration::from_secs(24 * 3_600);
/// Range of the same, in seconds.
pub const DELIVERY_BUDGET_S: RangeInclusive<u64> = 1..=30 * 24 * 3_600;
/// Pause before the second try at a delivery; doubles from there.
pub const DELIVERY_DELAY: Duration = Duration::from_secs(1);
/// Where the doubling stops.
pub const DELIVERY_DELAY_MAX: Duration = Duration::from_secs(600);
/// The longest pause that a receiver may ask for.
pub const DELIVERY_ASKED_MAX: Duration = Duration::from_secs(3_600);
/// Deliveries to one target that are under way: what one endpoint is asked to take at once.
pub const MAX_DELIVERIES_PER_TARGET: usize = 8;
/// Deliveries that are under way in all: each is a record in memory, and often a socket.
pub const MAX_DELIVERIES: usize = 128;
/// Bytes of payloads and results that deliveries under way hold together.
pub const MAX_DELIVERY_BYTES: u32 = 64 * 1_024 * 1_024;
/// Targets that deliveries are known to wait for; of more, the rest is looked up when some are done.
pub const MAX_DELIVERY_TARGETS: usize = 100_000;
/// Targets whose figures are told by name; those of the others are told together.
pub const MAX_DELIVERY_TARGETS_TOLD: usize = 200;
/// Time for which the keys before still sign webhooks after a rotation, unless told.
pub const DEFAULT_KEY_OVERLAP: Duration = Duration::from_secs(24 * 3_600);
/// Range of the same, in seconds; 0 for a key that has got into wrong hands.
pub const KEY_OVERLAP_S: RangeInclusive<u64> = 0..=30 * 24 * 3_600;

// Triggers.

/// Triggers of all namespaces: each is a task or some, and a place in the graph.
pub const MAX_TRIGGERS: usize = 10_000;
/// Bytes of a cron expression.
pub const MAX_CRON_BYTES: usize = 256;
/// How far apart the times of a timer with a period are, in seconds: up to a year.
pub const TIMER_PERIOD_S: RangeInclusive<u64> = 1..=366 * 86_400;
/// Bytes that a timer may give its function each time.
pub const MAX_TIMER_PAYLOAD_BYTES: usize = 64 * 1_024;
/// How late a time is noticed that still counts as met; past it, it was missed.
pub const TIMER_GRACE: Duration = Duration::from_secs(10);
/// Missed times that a timer which is to catch up with all of them fires for.
pub const MAX_CATCH_UP: usize = 100;
/// Messages of a queue that one invocation takes.
pub const TRIGGER_BATCH: RangeInclusive<u16> = 1..=100;
/// The same unless told.
pub const DEFAULT_TRIGGER_BATCH: u16 = 10;
/// How long a batch that is not full waits for more, in seconds.
pub const TRIGGER_WINDOW_S: RangeInclusive<u64> = 0..=300;
/// Batches that a trigger collects at once.
pub const TRIGGER_CONCURRENCY: RangeInclusive<u16> = 1..=16;

// The listener.

/// Open connections of the listener.
pub const MAX_CONNECTIONS: usize = 4_096;
/// Bytes of a request's head.
pub const MAX_HEAD_BYTES: usize = 64 * 1_024;
/// Time for a request's head to arrive, and for the silence between two pieces of a body.
pub const READ_TIMEOUT: Duration = Duration::from_secs(15);

const MIB: u64 = 1_024 * 1_024;
const GIB: u64 = 1_024 * MIB;

/// A number that a user chose is outside its range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {value}: use {min} to {max}")]
pub struct OutOfRange {
    /// The setting as the API names it, unit included.
    pub field: &'static str,
    /// What was asked for.
    pub value: u64,
    /// The least it may be.
    pub min: u64,
    /// The most it may be.
    pub max: u64,
}

/// Checks that `value` is in `range`; `field` names it in the refusal.
pub fn within<N>(field: &'static str, value: N, range: &RangeInclusive<N>) -> Result<(), OutOfRange>
where
    N: Copy + PartialOrd + Into<u64>,
{
    if range.contains(&value) {
        return Ok(());
    }
    Err(OutOfRange { field, value: value.into(), min: (*range.start()).into(), max: (*range.end()).into() })
}
