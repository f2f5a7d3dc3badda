//! What is said of a module that cannot be run. Deciding it is the other files' business.

use std::borrow::Cow;

use crate::model::entrypoint::{Entrypoint, ExportName};

/// Why a module was not deployed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is of WASI 0.3, and nobody has said that such may run.
    #[error(
        "this module is a component of WASI 0.3, which is experimental: start the server with `tidemill serve --wasi-0.3` to \
         run it, or build the module for WASI 0.2"
    )]
    Experimental,
    /// The runtime could not do its part: no fault of the module's, as far as one can tell.
    #[error("{detail}: nothing is known to be wrong with this module, so try again")]
    Failed {
        /// What it could not.
        detail: String,
    },
    /// Several of its functions could be called, and nobody has said which.
    #[error(
        "this module exports several functions that can be called: name one of {} as the entrypoint",
        list(callable)
    )]
    ManyFunctions {
        /// Their names.
        callable: Vec<String>,
    },
    /// It is no WebAssembly, or invalid.
    #[error("this is not a valid WebAssembly module: {detail}")]
    Malformed {
        /// What is wrong with it.
        detail: String,
    },
    /// It has no export that can be called, or not the one that was asked for.
    #[error("{}", missing_entrypoint(wanted.as_ref(), exports))]
    MissingEntrypoint {
        /// What was asked for, if anything was.
        wanted: Option<Entrypoint>,
        /// What the module does export.
        exports: Vec<String>,
    },
    /// It has no function of the name that was asked for.
    #[error("this module exports no function `{wanted}`; {}", others(callable))]
    MissingExport {
        /// The name.
        wanted: ExportName,
        /// Names of functions that could be called.
        callable: Vec<String>,
    },
    /// It imports what nothing provides: every such name is here.
    #[error("this module imports what this runtime does not provide: {}", list(names))]
    MissingImports {
        /// Names of interfaces (`wasi:keyvalue/store@0.2.0`) or of functions (`env.log`).
        names: Vec<String>,
    },
    /// The disk is too full for its code.
    #[error("the disk has no room for the code of this module ({detail}): make some, and try again")]
    NoRoom {
        /// What the system said.
        detail: String,
    },
    /// Compiling it took more time or memory than it may.
    #[error("compiling this module takes too much: {detail}")]
    TooCostly {
        /// What, and how much it may be.
        detail: String,
    },
    /// It is larger than this runtime compiles.
    #[error("this module is too large: {what} is {size}, and at most {limit} is allowed")]
    TooLarge {
        /// What of it.
        what: Cow<'static, str>,
        /// How large that is.
        size: usize,
        /// How large it may be.
        limit: usize,
    },
    /// It is valid, and uses something this runtime cannot give.
    #[error("this module cannot be run here: {detail}")]
    Unsupported {
        /// What that is.
        detail: String,
    },
    /// The export has the right name and the wrong type.
    #[error("the export `{export}` has the wrong type: {expected}")]
    WrongSignature {
        /// Its name.
        export: String,
        /// What its type must be.
        expected: &'static str,
    },
}

impl Refused {
    /// Whether nothing is wrong with the module: another time it may be taken.
    pub const fn is_ours(&self) -> bool {
        matches!(self, Self::Failed { .. } | Self::NoRoom { .. })
    }
}

/// Why a deployed module cannot be run now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// Its bytes could not be fetched.
    #[error("the module cannot be read: {0}")]
    Module(String),
    /// It was deployed, and this build of the runtime no longer takes it.
    #[error("the module no longer loads: {0}")]
    Refused(#[from] Refused),
}

fn missing_entrypoint(wanted: Option<&Entrypoint>, exports: &[String]) -> String {
    let has = match exports {
        [] => "this module exports nothing".to_owned(),
        _ => format!("this module exports {}", list(exports)),
    };
    let Some(wanted) = wanted else {
        let kinds: Vec<_> = Entrypoint::ALL.iter().map(|kind| format!("`{kind}` needs {}", needs(kind))).collect();
        let functions =
            "`typed` an exported function of a component, `raw` `memory`, `alloc` and a function of a core module";
        return format!("{has}; nothing of that can be called: {}, {functions}", kinds.join(", "));
    };
    format!("{has}; a function of the kind `{}` needs {}", wanted.kind(), needs(wanted))
}

fn others(callable: &[String]) -> String {
    match callable {
        [] => "it has none that could be called".to_owned(),
        _ => format!("it has {}", list(callable)),
    }
}

const fn needs(kind: &Entrypoint) -> &'static str {
    match kind {
        Entrypoint::Command => "`_start`, `wasi:cli/run@0.2` or `wasi:cli/run@0.3`",
        Entrypoint::Handler => "`tidemill:function/handler@1`, `tidemill:function/handler-async@1` or `handle`",
        Entrypoint::Http => "`wasi:http/incoming-handler@0.2` or `wasi:http/handler@0.3`",
        Entrypoint::Typed(_) => "a component: name a function of a core module with `raw:`",
        Entrypoint::Raw(_) => "a core module: name a function of a component with `typed:`",
    }
}

/// At most this many names are listed; a module may have thousands.
const LISTED: usize = 20;

fn list(names: &[String]) -> String {
    let shown: Vec<_> = names.iter().take(LISTED).map(|name| format!("`{}`", short(name))).collect();
    match names.len().saturating_sub(LISTED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Names are the module's to choose, so their length is not.
fn short(name: &str) -> &str {
    &name[..name.floor_char_boundary(100)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_entrypoint_is_told_with_what_there_is_and_what_is_needed() {
        let refused = Refused::MissingEntrypoint { wanted: None, exports: vec!["memory".into(), "answer".into()] };
        let text = refused.to_string();
        assert!(text.starts_with("this module exports `memory`, `answer`; nothing of that can be called"), "{text}");
        assert!(text.contains("`command` needs `_start`, `wasi:cli/run@0.2` or"), "{text}");
        let refused = Refused::MissingEntrypoint { wanted: Some(Entrypoint::Http), exports: vec![] };
        assert!(refused.to_string().contains("of the kind `http` needs `wasi:http/incoming-handler@0.2`"));
    }

    #[test]
    fn a_thousand_names_are_not_listed() {
        let names: Vec<_> = (0..1_000).map(|n| format!("env.f{n}")).collect();
        assert!(Refused::MissingImports { names }.to_string().ends_with("`env.f19` and 980 more"));
    }
}
