//! What one attempt used: times, memory, bytes.

use serde::{Deserialize, Serialize};

/// What one attempt used. Times are in microseconds of real time, unless it says otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// From when it was due, or was asked for, until it started.
    pub waited_us: u64,
    /// Until its module was ready: 0 or little where that is in memory, seconds where it had to be compiled.
    pub loaded_us: u64,
    /// Until its instance stood.
    pub instantiated_us: u64,
    /// From there to its end, calls of the host included.
    pub ran_us: u64,
    /// Processor time of all that, its instance included.
    pub cpu_us: u64,
    /// The most linear memory it had, of all its memories together.
    pub memory_bytes: u64,
    /// What it brought.
    pub input_bytes: u64,
    /// What it gave.
    pub output_bytes: u64,
    /// Fuel that its instructions used up, where its version has a limit on that; not known of one that was cut short.
    pub fuel: Option<u64>,
}
