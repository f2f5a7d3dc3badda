//! Which entrypoint `FILE.ENTRY` means: the only one that the module has, whatever it is called; of several the one that
//! ENTRY names. Only names are read here: what can be called is the runtime's to find out.

use wasmparser::{Parser, Payload};

use super::error::{Code, FssError};
use crate::http::entry;
use crate::model::entrypoint::{Entrypoint, ExportName, Wanted};

/// A handler that leaves the choice to the module.
const NONE: &str = "-";

/// FILE of a handler; nothing where there is none.
pub(super) fn file(handler: &str) -> &str {
    handler.split_once('.').map_or("", |(file, _)| file)
}

/// How a version is called here that was deployed elsewhere.
pub(super) fn named(entrypoint: &Entrypoint) -> String {
    format!("index.{entrypoint}")
}

/// What of the module a handler means; `None` leaves it to the module.
pub(super) fn wanted(handler: &str, module: &[u8]) -> Result<Option<Wanted>, FssError> {
    let exports = Exports::of(module);
    let kinds = exports.kinds();
    let entry = entry::of(handler);
    if let Some(named) = exports.named(entry, &kinds) {
        return Ok(Some(named));
    }
    match &kinds[..] {
        [] => Ok(None), // its only function, or a refusal that names all of them
        [only] => Ok(Some(Wanted::Entrypoint(only.clone()))),
        _ if handler == NONE => Ok(None),
        several => {
            let several = several.iter().map(|kind| format!("`{kind}`")).collect::<Vec<_>>().join(", ");
            let message = format!("the module has {several}, and `{entry}` of the handler names none of them");
            Err(FssError::new(Code::HANDLER, message))
        }
    }
}

/// What a module exports, at its top.
struct Exports {
    is_component: bool,
    names: Vec<String>,
}

impl Exports {
    fn of(module: &[u8]) -> Self {
        let (mut names, mut depth) = (Vec::new(), 0_usize);
        for payload in Parser::new(0).parse_all(module).map_while(Result::ok) {
            match payload {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ExportSection(exports) if depth == 0 => {
                    names.extend(exports.into_iter().map_while(Result::ok).map(|export| export.name.to_owned()));
                }
                Payload::ComponentExportSection(exports) if depth == 0 => {
                    names.extend(exports.into_iter().map_while(Result::ok).map(|export| export.name.name.to_owned()));
                }
                _ => (),
            }
        }
        Self { is_component: Parser::is_component(module), names }
    }

    /// The kinds of entrypoint that it offers, without functions that have a name of their own.
    fn kinds(&self) -> Vec<Entrypoint> {
        let mut kinds = Vec::new();
        for name in &self.names {
            if let Ok(Wanted::Entrypoint(kind)) = name.parse()
                && (self.is_component || name == "_start")
                && !kinds.contains(&kind)
            {
                kinds.push(kind);
            }
        }
        kinds
    }

    /// What `entry` names, if the module has that.
    fn named(&self, entry: &str, kinds: &[Entrypoint]) -> Option<Wanted> {
        match entry.parse().ok()? {
            Wanted::Entrypoint(kind) if kinds.contains(&kind) => return Some(Wanted::Entrypoint(kind)),
            Wanted::Entrypoint(kind @ (Entrypoint::Typed(_) | Entrypoint::Raw(_))) => {
                return Some(Wanted::Entrypoint(kind));
            }
            Wanted::Export(name) if entry.contains('#') => return Some(Wanted::Export(name)),
            Wanted::Entrypoint(_) | Wanted::Export(_) => (),
        }
        let has = |name: &str| self.names.iter().any(|its| its == name);
        // A program of WASI exports much that cannot be called from outside.
        let callable = has(entry) && (self.is_component || (has("alloc") && has("memory")));
        let name = entry.parse::<ExportName>().ok().filter(|_| callable)?;
        Some(Wanted::Export(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMAND: &str = r#"(module (func (export "_start")) (memory (export "memory") 1) (func (export "handler")))"#;
    const RAW: &str = r#"(module (memory (export "memory") 1) (func (export "alloc")) (func (export "one")) (func (export "handler")))"#;
    const TWO: &str = r#"(component (instance $i) (export "wasi:cli/run@0.2.3" (instance $i))
        (export "wasi:http/incoming-handler@0.2.3" (instance $i)))"#;
    const TYPED: &str = r#"(component (instance $i) (export "a:b/c@1.0.0" (instance $i)))"#;

    #[track_caller]
    fn check(handler: &str, module: &str, expected: Option<&str>) {
        let found = wanted(handler, &wat::parse_str(module).unwrap()).unwrap();
        assert_eq!(found, expected.map(|text| text.parse().unwrap()), "{handler}");
    }

    #[test]
    fn the_only_entrypoint_is_meant_whatever_it_is_called_and_of_several_the_one_that_is_named() {
        check("index.handler", COMMAND, Some("command"));
        check("com.example.Main.run", COMMAND, Some("command"));
        check("index.one", RAW, Some("one"));
        assert_eq!(
            wanted("index.handler", &wat::parse_str(RAW).unwrap()),
            Ok(Some(Wanted::Export("handler".parse().unwrap())))
        );
        check("index.two", RAW, None);
        check("index.http", TWO, Some("http"));
        check("index.command", TWO, Some("command"));
        check("-", TWO, None);
        check("index.a:b/c@1.0.0#d", TYPED, Some("a:b/c@1.0.0#d"));
        check("index.typed:a:b/c@1.0.0#d", TYPED, Some("typed:a:b/c@1.0.0#d"));
        check("index.handler", TYPED, None);
        let refused = wanted("index.main", &wat::parse_str(TWO).unwrap()).unwrap_err();
        assert_eq!(refused.code, Code::HANDLER);
        assert!(refused.message.contains("`command`, `http`") && refused.message.contains("`main`"), "{refused:?}");
    }

    #[test]
    fn a_handler_that_is_made_of_an_entrypoint_means_it_again() {
        for text in ["command", "http", "typed:a:b/c@1.0.0#d"] {
            let Ok(Wanted::Entrypoint(entrypoint)) = text.parse() else { panic!("{text}") };
            assert_eq!(entry::of(&named(&entrypoint)).parse::<Wanted>(), Ok(Wanted::Entrypoint(entrypoint)));
        }
    }
}
