//! A look at a module's outline before it is compiled: compiling cannot be interrupted, and takes more than
//! proportionally longer for a long function.
//!
//! Reads sections and the lengths of functions, nothing else. What it cannot read it leaves to the validator.

use super::refused::Refused;
use crate::model::bounds;

/// Refuses what would take too long to compile.
pub(super) fn check(module: &[u8]) -> Result<(), Refused> {
    within("the module", module.len(), bounds::MAX_MODULE_BYTES)?;
    let mut functions = 0;
    outline(module, &mut functions, 0)
}

/// A component's layer in the preamble; a core module's is 0.
const COMPONENT: u8 = 1;
const CODE_SECTION: u8 = 10;
const CORE_MODULE_SECTION: u8 = 1;
const COMPONENT_SECTION: u8 = 4;

fn outline(module: &[u8], functions: &mut usize, depth: usize) -> Result<(), Refused> {
    within("nesting of components", depth, bounds::MAX_MODULE_NESTING)?;
    let Some((preamble, rest)) = module.split_at_checked(8) else { return Ok(()) };
    let is_component = preamble[6] == COMPONENT;
    let mut rest = Reader(rest);
    while let Some((section, content)) = rest.section() {
        match (is_component, section) {
            (true, CORE_MODULE_SECTION | COMPONENT_SECTION) => outline(content, functions, depth + 1)?,
            (false, CODE_SECTION) => code(Reader(content), functions)?,
            _ => (),
        }
    }
    Ok(())
}

fn code(mut section: Reader<'_>, functions: &mut usize) -> Result<(), Refused> {
    let Some(count) = section.number() else { return Ok(()) };
    *functions = functions.saturating_add(count);
    within("the number of functions", *functions, bounds::MAX_MODULE_FUNCTIONS)?;
    while let Some(body) = section.sized() {
        within("a function", body.len(), bounds::MAX_FUNCTION_BYTES)?;
    }
    Ok(())
}

fn within(what: &'static str, size: usize, limit: usize) -> Result<(), Refused> {
    if size > limit { Err(Refused::TooLarge { what, size, limit }) } else { Ok(()) }
}

/// What is left of the bytes.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn section(&mut self) -> Option<(u8, &'a [u8])> {
        let (&id, rest) = self.0.split_first()?;
        self.0 = rest;
        Some((id, self.sized()?))
    }

    fn sized(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        let (content, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(content)
    }

    /// An unsigned LEB128 number of 32 bits.
    fn number(&mut self) -> Option<usize> {
        let mut number = 0;
        for shift in (0..35).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CORE: [u8; 8] = *b"\0asm\x01\0\0\0";
    const NESTED: [u8; 8] = *b"\0asm\x0d\0\x01\0";

    fn sized(content: &[u8]) -> Vec<u8> {
        let mut length = content.len();
        let mut bytes = Vec::new();
        while length >= 0x80 {
            bytes.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
            length >>= 7;
        }
        bytes.push(u8::try_from(length).unwrap());
        bytes.extend_from_slice(content);
        bytes
    }

    fn section(preamble: [u8; 8], id: u8, content: &[u8]) -> Vec<u8> {
        [&preamble[..], &[id], &sized(content)].concat()
    }

    /// A core module with one function of that length.
    fn function(bytes: usize) -> Vec<u8> {
        section(CORE, CODE_SECTION, &[&[1], &sized(&vec![0; bytes])[..]].concat())
    }

    /// A core module that says that it has so many functions.
    fn functions(count: u32) -> Vec<u8> {
        let count = [0, 7, 14, 21].map(|shift| u8::try_from(count >> shift & 0x7f).unwrap() | 0x80);
        section(CORE, CODE_SECTION, &[&count[..], &[0]].concat())
    }

    fn in_component(id: u8, content: &[u8]) -> Vec<u8> {
        section(NESTED, id, content)
    }

    #[track_caller]
    fn check(module: &[u8], expected: Option<&str>) {
        let told = match super::check(module) {
            Ok(()) => None,
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
        let half = functions(u32::try_from(bounds::MAX_MODULE_FUNCTIONS / 2 + 1).unwrap());
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
