//! What can be seen of a module without compiling it, and has to be known before: what it imports that is of no use without
//! a grant, and whether it is of WASI 0.3. What cannot be read is left to the validator.

use bytes::Bytes;
use tokio::task::spawn_blocking;
use wasmparser::{
    CanonicalFunction, CanonicalOption, ComponentType, ComponentTypeSectionReader, Parser, Payload, SectionLimited,
};

use super::scan;
use crate::model::grant::needs_grant;

/// A module from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outside {
    /// The names of imports that are of no use without a grant, versions included. A core module has none: WASI's first
    /// version knows no such thing.
    pub wants: Vec<String>,
    /// Whether it imports or exports something of WASI 0.3, or does several things at once as that does.
    pub wasi_0_3: bool,
    /// Whether it answers HTTP requests as 0.3 has it, and not as 0.2 has it as well: one instance may serve several at once.
    pub is_http_0_3: bool,
}

/// Looks at a module.
pub async fn look_at(module: Bytes) -> Outside {
    // Walks over tens of megabytes.
    let outside = spawn_blocking(move || look(&module)).await;
    outside.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

pub(super) fn look(module: &[u8]) -> Outside {
    let (mut outside, mut depth, mut is_http_0_2) = (Outside::default(), 0_usize, false);
    // What is refused for its structure is refused by whoever compiles it, and nothing of it is asked here.
    if !Parser::is_component(module) || scan::outline(module).is_err() {
        return outside;
    }
    for payload in Parser::new(0).parse_all(module).map_while(Result::ok) {
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(imports) if depth == 0 => {
                for name in imports.into_iter().map_while(Result::ok).map(|import| import.name.name) {
                    outside.wasi_0_3 |= is_of_0_3(name);
                    outside.wants.extend(needs_grant(name).then(|| name.to_owned()));
                }
            }
            Payload::ComponentExportSection(exports) if depth == 0 => {
                for name in exports.into_iter().map_while(Result::ok).map(|export| export.name.name) {
                    outside.wasi_0_3 |= is_of_0_3(name);
                    outside.is_http_0_3 |= name.starts_with("wasi:http/handler@0.3.");
                    is_http_0_2 |= name.starts_with("wasi:http/incoming-handler@0.2.");
                }
            }
            Payload::ComponentCanonicalSection(functions) => outside.wasi_0_3 |= any_concurrent(functions),
            Payload::ComponentTypeSection(types) if is_shallow(module.get(types.range())) => {
                outside.wasi_0_3 |= any_async(types);
            }
            _ => (),
        }
    }
    outside.is_http_0_3 &= !is_http_0_2; // of both, the one that is no experiment runs
    outside
}

fn is_of_0_3(name: &str) -> bool {
    let is_wasi = || name.starts_with("wasi:") && name.split_once('@').is_some_and(|(_, of)| of.starts_with("0.3."));
    name.starts_with("tidemill:function/handler-async@") || is_wasi()
}

/// Whether one of these is more than a call that ends before the next begins, and the resources that those hand over.
fn any_concurrent(functions: SectionLimited<'_, CanonicalFunction>) -> bool {
    let is_async = |options: &[CanonicalOption]| options.contains(&CanonicalOption::Async);
    functions.into_iter().map_while(Result::ok).any(|function| match function {
        CanonicalFunction::Lift { options, .. } | CanonicalFunction::Lower { options, .. } => is_async(&options),
        CanonicalFunction::ResourceNew { .. }
        | CanonicalFunction::ResourceDrop { .. }
        | CanonicalFunction::ResourceRep { .. } => false,
        _ => true,
    })
}

/// Whether types within types cannot go deep there: reading them is recursion, and this process is not to end by it. Each
/// level begins with one of two bytes; where too many bytes are like them, what the component does has to tell.
fn is_shallow(types: Option<&[u8]>) -> bool {
    const MOST: usize = 256;
    types.is_some_and(|types| types.iter().filter(|byte| matches!(byte, 0x41 | 0x42)).take(MOST + 1).count() <= MOST)
}

fn any_async(types: ComponentTypeSectionReader<'_>) -> bool {
    types.into_iter().map_while(Result::ok).any(|ty| matches!(ty, ComponentType::Func(ty) if ty.async_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_component_itself_imports_counts() {
        let component = wat::parse_str(
            r#"(component
                 (component (import "wasi:keyvalue/store@0.2.0-draft" (instance)))
                 (core module (func))
                 (import "wasi:http/outgoing-handler@0.2.4" (instance))
                 (import "wasi:cli/stdout@0.2.0" (instance)))"#,
        );
        assert_eq!(look(&component.unwrap()).wants, ["wasi:http/outgoing-handler@0.2.4"]);
        let core = wat::parse_str(r#"(module (import "wasi:keyvalue/store" "get" (func)))"#);
        assert_eq!(look(&core.unwrap()), Outside::default());
        assert_eq!(look(b"nonsense"), Outside::default());
    }

    #[track_caller]
    fn check_0_3(component: &str, expected: bool) {
        let component = wat::parse_str(component).unwrap();
        assert_eq!(look(&component).wasi_0_3, expected);
    }

    #[test]
    fn a_component_that_answers_both_versions_of_http_is_run_as_one_of_0_2() {
        let both = r#"(component (instance $i)
             (export "wasi:http/handler@0.3.0" (instance $i)) (export "wasi:http/incoming-handler@0.2.4" (instance $i)))"#;
        let one = r#"(component (instance $i) (export "wasi:http/handler@0.3.0" (instance $i)))"#;
        let is_http_0_3 = |text| look(&wat::parse_str(text).unwrap()).is_http_0_3;
        assert_eq!((is_http_0_3(one), is_http_0_3(both)), (true, false));
    }

    #[test]
    fn a_component_of_wasi_0_3_is_known_by_its_names_or_by_what_it_does() {
        check_0_3(r#"(component (import "wasi:http/types@0.2.12" (instance)))"#, false);
        check_0_3(r#"(component (import "wasi:http/types@0.3.0" (instance)))"#, true);
        check_0_3(r#"(component (instance $i) (export "wasi:http/handler@0.3.0" (instance $i)))"#, true);
        check_0_3(r#"(component (instance $i) (export "tidemill:function/handler-async@1.0.0" (instance $i)))"#, true);
        check_0_3(r#"(component (instance $i) (export "tidemill:function/handler@1.0.0" (instance $i)))"#, false);
        check_0_3("(component (component (core func (canon task.cancel))))", true);
        check_0_3("(component (type (func async)))", true);
        check_0_3(
            "(component (type (func)) (type $r (resource (rep i32))) (core func (canon resource.drop $r)))",
            false,
        );
    }
}
