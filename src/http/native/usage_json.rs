//! What an attempt used, as it is answered: in a record, and in the header `Server-Timing`.

use axum::http::{HeaderName, HeaderValue};
use serde::Serialize;
use utoipa::ToSchema;

use crate::model::usage::Usage;

/// <https://www.w3.org/TR/server-timing/>: durations are in milliseconds.
pub(super) const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// What an attempt used, in a record.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Usage)]
pub(super) struct UsageOut {
    waited_us: u64,
    loaded_us: u64,
    instantiated_us: u64,
    ran_us: u64,
    cpu_us: u64,
    memory_bytes: u64,
    input_bytes: u64,
    output_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    fuel: Option<u64>,
}

impl UsageOut {
    pub(super) fn of(usage: Usage) -> Self {
        let Usage { waited_us, loaded_us, instantiated_us, ran_us, cpu_us, .. } = usage;
        let Usage { memory_bytes, input_bytes, output_bytes, fuel, .. } = usage;
        Self { waited_us, loaded_us, instantiated_us, ran_us, cpu_us, memory_bytes, input_bytes, output_bytes, fuel }
    }
}

/// The times of an attempt as a header.
pub(super) fn server_timing(usage: &Usage) -> Option<HeaderValue> {
    let times = [
        ("wait", usage.waited_us),
        ("load", usage.loaded_us),
        ("instantiate", usage.instantiated_us),
        ("run", usage.ran_us),
        ("cpu", usage.cpu_us),
    ];
    let mut text = String::with_capacity(96);
    for (name, us) in times {
        let separator = if text.is_empty() { "" } else { ", " };
        // Writing into a string cannot fail.
        let _ = std::fmt::Write::write_fmt(
            &mut text,
            format_args!("{separator}{name};dur={}.{:03}", us / 1_000, us % 1_000),
        );
    }
    HeaderValue::try_from(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_milliseconds() {
        let usage = Usage { waited_us: 1, instantiated_us: 4_020, ran_us: 30_000_000, cpu_us: 999, ..Usage::default() };
        let header = server_timing(&usage).unwrap();
        let expected = "wait;dur=0.001, load;dur=0.000, instantiate;dur=4.020, run;dur=30000.000, cpu;dur=0.999";
        assert_eq!(header, expected);
    }
}
