//! What the process tells of itself. The log goes to standard error, one line an event, so that each line is in the
//! kernel's hands at once.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{LevelFilter, ParseError};

/// A library that logs what its callers are told anyway.
const SILENT: &str = "async_nats=off";

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    #[default]
    Text,
}

/// The filter does not parse.
#[derive(Debug, thiserror::Error)]
#[error("`{filter}` is not a log filter: write a level such as `info`, or `tidemill=debug`: {detail}")]
pub struct InvalidFilter {
    filter: String,
    detail: String,
}

/// Starts logging; `filter` is a level or a list such as `info,tidemill::dispatch=debug`.
pub fn start(filter: &str, format: LogFormat) -> Result<(), InvalidFilter> {
    let invalid =
        |error: &dyn std::fmt::Display| InvalidFilter { filter: filter.to_owned(), detail: error.to_string() };
    if let Some(unknown) = filter.split(',').find(|directive| is_unknown(directive.trim())) {
        return Err(invalid(&format!("`{unknown}` is no level")));
    }
    let mut parsed = EnvFilter::try_new(filter).map_err(|error| invalid(&error))?;
    if !filter.contains("async_nats") {
        // It tells of every server that is away, and so does the delivery that waits for it.
        parsed = parsed.add_directive(SILENT.parse().map_err(|error: ParseError| invalid(&error))?);
    }
    let lines = tracing_subscriber::fmt().with_env_filter(parsed).with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Json => lines.json().try_init(),
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
    };
    started.map_err(|error| invalid(&error))
}

/// Whether a word alone means nothing that we know: taken for the name of a library, as it would be, it would switch off
/// the log of everything else.
fn is_unknown(directive: &str) -> bool {
    let is_word = !directive.is_empty() && !directive.contains(['=', '[', ':']);
    is_word && directive != "tidemill" && directive.parse::<LevelFilter>().is_err()
}

/// Memory that the process holds, as the system counts it; `None` where it does not tell.
pub fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim_end().parse::<u64>().ok()?.checked_mul(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_level_is_no_filter() {
        for known in
            ["info", "OFF", "3", "tidemill", "info,tidemill::dispatch=debug", "tidemill::http", "hyper=warn", ""]
        {
            assert!(!known.split(',').any(is_unknown), "{known}");
        }
        for unknown in ["loud", "info,verbose", "warning"] {
            assert!(unknown.split(',').any(is_unknown), "{unknown}");
        }
    }
}
