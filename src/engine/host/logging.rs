//! `wasi:logging`: lines in the attempt's log, beside what a guest writes to standard error, and within the same bound.

use wasmtime::component::{HasSelf, Linker};

use super::Host;
use bindings::wasi::logging::logging::{self, Level};

/// Generated from the interface.
mod bindings {
    wasmtime::component::bindgen!({
        inline: "
            package wasi:logging@0.1.0-draft;

            interface logging {
                enum level { trace, debug, info, warn, error, critical }
                log: func(level: level, context: string, message: string);
            }

            world imports {
                import logging;
            }
        ",
    });
}

impl logging::Host for Host {
    fn log(&mut self, level: Level, context: String, message: String) {
        let level = match level {
            Level::Trace => "TRACE",
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
            Level::Critical => "CRITICAL",
        };
        if let Some(log) = &self.log {
            let message = message.trim_end_matches('\n');
            match context.as_str() {
                "" => log.note(&format!("{level} {message}")),
                context => log.note(&format!("{level} {context}: {message}")),
            }
        }
    }
}

/// Provides `wasi:logging/logging`.
pub(super) fn add_to_linker(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    logging::add_to_linker::<_, HasSelf<Host>>(linker, |host| host)
}
