//! A module without its debug information, for versions that did not ask for it: wasmtime would keep what it finds, and
//! read it at each trap.

use std::borrow::Cow;
use std::ops::Range;

use wasmparser::BinaryReader;

use super::scan::DEBUG_SECTIONS;
use crate::model::bounds;

const PREAMBLE: usize = 8;
const CUSTOM: u8 = 0;
/// In a component: a core module, and a component.
const INNER: [u8; 2] = [1, 4];

/// The module without debug information, at every level. What cannot be read stays as it is: the validator tells.
///
/// So does what nests deeper than a module may: a scan sees that only up to where the parser gives up.
pub(super) fn without_debug_info(module: &[u8]) -> Cow<'_, [u8]> {
    within(module, 0)
}

fn within(module: &[u8], depth: usize) -> Cow<'_, [u8]> {
    match (depth <= bounds::MAX_MODULE_NESTING).then(|| stripped(module, depth)).flatten() {
        Some(stripped) => Cow::Owned(stripped),
        None => Cow::Borrowed(module),
    }
}

fn stripped(module: &[u8], depth: usize) -> Option<Vec<u8>> {
    let is_component = *module.get(6)? == 1;
    let mut out = module.get(..PREAMBLE)?.to_vec();
    let mut at = PREAMBLE;
    while at < module.len() {
        let section = Section::read(module, at)?;
        let content = &module[section.content.clone()];
        if is_component && INNER.contains(&section.id) {
            let inner = within(content, depth + 1);
            out.push(section.id);
            push_number(&mut out, inner.len());
            out.extend_from_slice(&inner);
        } else if section.id != CUSTOM || !is_debug_info(content) {
            out.extend_from_slice(&module[at..section.content.end]);
        }
        at = section.content.end;
    }
    Some(out)
}

struct Section {
    id: u8,
    content: Range<usize>,
}

impl Section {
    fn read(module: &[u8], at: usize) -> Option<Self> {
        let mut reader = BinaryReader::new(module.get(at..)?, 0);
        let (id, size) = (reader.read_u8().ok()?, reader.read_var_u32().ok()?);
        let start = at + reader.original_position();
        let end = start.checked_add(size as usize).filter(|end| *end <= module.len())?;
        Some(Self { id, content: start..end })
    }
}

fn is_debug_info(custom: &[u8]) -> bool {
    BinaryReader::new(custom, 0).read_string().is_ok_and(|name| name.starts_with(DEBUG_SECTIONS))
}

/// An unsigned LEB128 number.
fn push_number(out: &mut Vec<u8>, mut number: usize) {
    loop {
        let low = number.to_le_bytes()[0] & 0x7f;
        number >>= 7;
        if number == 0 {
            return out.push(low);
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_information_goes_at_every_level_and_nothing_else_does() {
        let text = |debug: &str| {
            let debug = if debug.is_empty() { String::new() } else { format!(r#"(@custom ".debug_{debug}" "abc")"#) };
            let (long, short) = ("x".repeat(300), "y");
            wat::parse_str(format!(
                r#"(component {debug}
                     (core module {debug} (func (export "{long}")) (@custom "kept" "debug"))
                     (component {debug} (core module {debug} (func (export "{short}"))))
                     (@custom ".notes" "kept"))"#
            ))
            .unwrap()
        };
        let plain = text("");
        assert_eq!(without_debug_info(&text("line")), plain);
        assert_eq!(without_debug_info(&plain), plain);
    }

    #[test]
    fn what_nests_deeper_than_any_module_may_stays_as_it_is() {
        // Each within the next: far deeper than a thread's stack goes.
        let mut module = b"\0asm\x0d\0\x01\0".to_vec();
        for _ in 0..10_000 {
            let mut outer = b"\0asm\x0d\0\x01\0\x04".to_vec();
            push_number(&mut outer, module.len());
            outer.append(&mut module);
            module = outer;
        }
        assert_eq!(without_debug_info(&module), module);
    }

    #[test]
    fn what_cannot_be_read_stays_as_it_is() {
        for bytes in [&b""[..], b"\0asm", b"\0asm\x01\0\0\0\x00", b"\0asm\x01\0\0\0\x00\xff\xff\xff\xff\x0f"] {
            assert_eq!(without_debug_info(bytes), bytes);
        }
    }
}
