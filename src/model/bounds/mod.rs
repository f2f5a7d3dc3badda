//! The limits of the program, with their units and reasons, by what they bound. Those that only one file needs may
//! stand there.
//!
//! Ranges that a user may choose from are `RangeInclusive`; sizes are in bytes; times are `Duration`.

mod function;
mod invocation;
mod messaging;
mod store;

use std::ops::RangeInclusive;
use std::time::Duration;

pub use function::*;
pub use invocation::*;
pub use messaging::*;
pub use store::*;

// The listener.

/// Open connections of the listener.
pub const MAX_CONNECTIONS: usize = 4_096;
/// Bytes of a request's head.
pub const MAX_HEAD_BYTES: usize = 64 * 1_024;
/// Time for a request's head to arrive, and for the silence between two pieces of a body.
pub const READ_TIMEOUT: Duration = Duration::from_secs(15);
/// Bytes a second, on average, that a body arrives with which takes longer than that.
pub const MIN_BODY_RATE: usize = 16 * 1_024;
/// Bytes of all bodies of requests that are in memory at once, over HTTP and gRPC, each until its request is answered and what
/// it began has ended. Code that is sent as text is there besides as the bytes that it stands for, twice for a moment.
pub const MAX_BODIES_BYTES: usize = 512 * 1_024 * 1_024;
/// Time for which what is written to a connection may find no room, as its other end reads nothing. A slow reader makes room
/// for a part of what the system has in between at once: so it is not short.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes that the system takes of what is written to a connection before it sends them. Left alone it takes up to 4 MiB and
/// asks for more when a third of that is gone, for which whoever reads slowly needs longer than that time. So 4 KiB a second
/// make room in time; up to 9 KiB where the reader's own system holds megabytes for it.
pub const MAX_UNSENT_BYTES: u32 = 128 * 1_024;

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
