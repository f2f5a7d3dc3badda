//! The set: what is deployed, and how each has to end.

use bytes::Bytes;
use serde_json::{Value, json};

use super::made;
use crate::cli::bench::guests;
use crate::model::outcome::FailureKind;

/// One of the set.
#[derive(Clone, Debug)]
pub(super) struct Harm {
    pub(super) name: &'static str,
    pub(super) module: Bytes,
    /// What its version is deployed with.
    pub(super) settings: Value,
    pub(super) end: End,
}

/// How it has to end.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// Its module is refused when it is deployed, and this is said of why.
    Refused(&'static str),
    /// Its run fails, as this.
    Fails(FailureKind),
    /// There is only a lot of it: it is compiled, and does nothing.
    Runs,
    /// It has made twice as many of itself at each step of the chain until the last one may.
    Forks,
}

/// The function that calls itself.
pub(super) const FORK: &str = "fork";
const GIB: usize = 1 << 30;
const PAGE: usize = 1 << 16;

/// All of them, in the order in which their turn comes.
pub(super) fn all() -> Vec<Harm> {
    use FailureKind as F;
    let harm = |name, module, end| Harm { name, module, settings: json!({}), end };
    let fails = |name, module: &'static [u8], kind| harm(name, Bytes::from_static(module), End::Fails(kind));
    let itself = json!({ "grants": { "functions": [FORK] }, "async_config": { "max_retries": 0 } });
    vec![
        harm("memory_4gib", made::with_memory(4 * GIB / PAGE), End::Fails(F::OutOfMemory)),
        fails("memory_grown", guests::GROW, F::OutOfMemory),
        fails("table_grown", guests::TABLE, F::TableTooLarge),
        fails("handles_10000", guests::HANDLES, F::TooManyHandles),
        fails("output_1gib", guests::FLOOD, F::ResponseTooLarge),
        fails("recursion", guests::RECURSE, F::StackOverflow),
        Harm { settings: json!({ "timeout_ms": 100 }), ..fails("endless", guests::SPIN, F::Timeout) },
        harm("exports_10000", made::with_exports(10_000), End::Runs),
        harm("exports_100000", made::with_exports(100_000), End::Refused("the number of exports")),
        harm("code_10mb", made::with_code(10_000_000), End::Refused("the code of the function")),
        harm("nesting_100000", made::with_blocks(100_000), End::Refused("the nesting of blocks")),
        Harm { settings: itself, ..harm(FORK, Bytes::from_static(guests::FORK), End::Forks) },
    ]
}

impl End {
    /// As it is told.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Refused(_) => "module_refused",
            Self::Fails(kind) => kind.as_str(),
            Self::Runs => "succeeded",
            Self::Forks => "hop_limit",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_name_of_its_own_that_a_function_may_have() {
        let names: std::collections::BTreeSet<_> = all().iter().map(|harm| harm.name).collect();
        assert_eq!(names.len(), all().len());
        for name in names {
            name.parse::<crate::model::names::FunctionName>().unwrap();
        }
    }
}
