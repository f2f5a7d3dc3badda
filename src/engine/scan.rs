//! A look at a module's outline before it is compiled: compiling cannot be interrupted, and takes more than
//! proportionally longer for a long function.
//!
//! Reads sections, the lengths of functions and the names of imports, nothing else. What it cannot read it leaves
//! to the validator.

use wasmparser::{Parser, Payload};

use super::refused::Refused;
use crate::model::bounds;

/// What can be seen from outside.
#[derive(Debug, Default)]
pub(super) struct Outline {
    /// What a core module imports, as module and name; empty for a component.
    pub(super) imports: Vec<(String, String)>,
}

/// Reads the outline, and refuses what would take too long to compile.
pub(super) fn outline(module: &[u8]) -> Result<Outline, Refused> {
    within("the module", module.len(), bounds::MAX_MODULE_BYTES)?;
    let (mut outline, mut functions, mut depth) = (Outline::default(), 0, 0_usize);
    let is_component = Parser::is_component(module);
    for payload in Parser::new(0).parse_all(module) {
        let Ok(payload) = payload else { break };
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                depth += 1;
                within("nesting of components", depth, bounds::MAX_MODULE_NESTING)?;
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CodeSectionStart { count, .. } => {
                functions += count as usize;
                within("the number of functions", functions, bounds::MAX_MODULE_FUNCTIONS)?;
            }
            Payload::CodeSectionEntry(body) => within("a function", body.range().len(), bounds::MAX_FUNCTION_BYTES)?,
            Payload::ImportSection(imports) if !is_component => {
                let imports = imports.into_imports().map_while(Result::ok);
                outline.imports.extend(imports.map(|import| (import.module.to_owned(), import.name.to_owned())));
            }
            _ => (),
        }
    }
    Ok(outline)
}

fn within(what: &'static str, size: usize, limit: usize) -> Result<(), Refused> {
    if size > limit { Err(Refused::TooLarge { what, size, limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE_SECTION: u8 = 10;
    const FUNCTION_SECTION: u8 = 3;
    const CORE_MODULE_SECTION: u8 = 1;
    const COMPONENT_SECTION: u8 = 4;
    const CORE: [u8; 8] = *b"\0asm\x01\0\0\0";
    const NESTED: [u8; 8] = *b"\0asm\x0d\0\x01\0";

    /// An unsigned LEB128 number.
    fn number(mut number: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while number >= 0x80 {
            bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
            number >>= 7;
        }
        bytes.push(u8::try_from(number).unwrap());
        bytes
    }

    fn section(id: u8, content: &[u8]) -> Vec<u8> {
        [&[id], &number(content.len())[..], content].concat()
    }

    /// A core module with so many functions of that length.
    fn module(count: usize, function: &[u8]) -> Vec<u8> {
        let types = [number(count), vec![0; count]].concat();
        let bodies = [number(function.len()), function.to_vec()].concat().repeat(count);
        [CORE.to_vec(), section(FUNCTION_SECTION, &types), section(CODE_SECTION, &[number(count), bodies].concat())]
            .concat()
    }

    fn function(bytes: usize) -> Vec<u8> {
        module(1, &vec![0; bytes])
    }

    fn functions(count: usize) -> Vec<u8> {
        module(count, &[0, 0x0b])
    }

    fn in_component(id: u8, content: &[u8]) -> Vec<u8> {
        [&NESTED[..], &section(id, content)].concat()
    }

    #[track_caller]
    fn check(module: &[u8], expected: Option<&str>) {
        let told = match super::outline(module) {
            Ok(_) => None,
            Err(Refused::TooLarge { what, .. }) => Some(what),
            Err(other) => panic!("{other}"),
        };
        assert_eq!(told, expected);
    }

    #[test]
    fn a_function_that_would_compile_for_too_long_is_refused_also_inside_a_component() {
        check(&function(bounds::MAX_FUNCTION_BYTES), None);
        let long = function(bounds::MAX_FUNCTION_BYTES + 1);
        check(&long, Some("a function"));
        let once = in_component(CORE_MODULE_SECTION, &long);
        check(&once, Some("a function"));
        check(&in_component(COMPONENT_SECTION, &once), Some("a function"));
    }

    #[test]
    fn too_many_functions_are_refused_wherever_they_are() {
        let half = functions(bounds::MAX_MODULE_FUNCTIONS / 2 + 1);
        check(&half, None);
        let mut two = in_component(CORE_MODULE_SECTION, &half);
        two.extend_from_slice(&in_component(CORE_MODULE_SECTION, &half)[8..]);
        check(&two, Some("the number of functions"));
    }

    #[test]
    fn components_are_not_nested_without_end() {
        let deep = (0..50).fold(NESTED.to_vec(), |inner, _| in_component(COMPONENT_SECTION, &inner));
        check(&deep, Some("nesting of components"));
    }

    #[test]
    fn what_the_outline_is_read_from_is_what_the_compiler_reads() {
        let long = format!("(module (func {}))", "nop ".repeat(bounds::MAX_FUNCTION_BYTES));
        check(&wat::parse_str(long).unwrap(), Some("a function"));
    }

    #[test]
    fn what_cannot_be_read_is_left_to_the_validator() {
        for bytes in [&b""[..], b"\0asm", b"\0asm\x01\0\0\0\x0a\xff\xff\xff\xff\xff\xff"] {
            check(bytes, None);
        }
    }
}
