//! Message queues, streams, topics, deliveries and triggers.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::{GIB, MIB};

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
