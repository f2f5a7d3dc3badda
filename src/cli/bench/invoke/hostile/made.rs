//! Modules that are too large to be carried along: each is a command that does nothing, with much too much of one thing.

use bytes::Bytes;

const MAGIC: &[u8] = b"\0asm\x01\0\0\0";
/// Sections, in the order in which they stand.
const TYPES: u8 = 1;
const FUNCTIONS: u8 = 3;
const MEMORIES: u8 = 5;
const EXPORTS: u8 = 7;
const CODE: u8 = 10;
/// One type: a function that takes and gives nothing.
const NOTHING: &[u8] = &[1, 0x60, 0, 0];
/// One function, of the first type.
const ONE: &[u8] = &[1, 0];
const NOP: u8 = 0x01;
const BLOCK: &[u8] = &[0x02, 0x40];
const END: u8 = 0x0b;

/// One that begins with so many pages of 64 KiB.
pub(super) fn with_memory(pages: usize) -> Bytes {
    module(&[(MEMORIES, [&[1, 0], &number(pages)[..]].concat())], 0, &[])
}

/// One with so many exports besides its entrypoint.
pub(super) fn with_exports(count: usize) -> Bytes {
    module(&[], count, &[])
}

/// One whose only function is so many instructions of a byte.
pub(super) fn with_code(bytes: usize) -> Bytes {
    module(&[], 0, &vec![NOP; bytes])
}

/// One whose only function is so many blocks, each in the one before it.
pub(super) fn with_blocks(count: usize) -> Bytes {
    module(&[], 0, &[BLOCK.repeat(count), vec![END; count]].concat())
}

/// A command of these instructions. `more` are sections between its functions and its exports.
fn module(more: &[(u8, Vec<u8>)], exports: usize, instructions: &[u8]) -> Bytes {
    let names = (0..exports).map(|count| count.to_string()).chain(["_start".to_owned()]);
    // Each is a name, that it is a function, and that it is the first.
    let exported = names.flat_map(|name| [&number(name.len())[..], name.as_bytes(), &[0, 0]].concat());
    let exported = number(exports + 1).into_iter().chain(exported).collect();
    // No locals, what it does, and its end.
    let body = [&[0], instructions, &[END]].concat();
    let code = [&[1], &number(body.len())[..], &body].concat();
    let mut module = MAGIC.to_vec();
    let before = [(TYPES, NOTHING.to_vec()), (FUNCTIONS, ONE.to_vec())];
    for (id, content) in before.iter().chain(more).chain(&[(EXPORTS, exported), (CODE, code)]) {
        module.push(*id);
        module.extend(number(content.len()));
        module.extend(content);
    }
    module.into()
}

/// A number in as few bytes as it takes, seven bits in each, the lowest first.
fn number(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            bytes.push(low & 0x7f);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(made: &Bytes, text: &str) {
        assert_eq!(*made, wat::parse_str(text).unwrap(), "{text}");
    }

    #[test]
    fn what_is_made_is_what_the_same_text_gives() {
        check(&with_memory(65_536), r#"(module (func (export "_start")) (memory 65536))"#);
        check(&with_exports(2), r#"(module (func (export "0") (export "1") (export "_start")))"#);
        let nops = "nop ".repeat(300);
        check(&with_code(300), &format!(r#"(module (func (export "_start") {nops}))"#));
        let blocks = format!("{}{}", "block ".repeat(200), "end ".repeat(200));
        check(&with_blocks(200), &format!(r#"(module (func (export "_start") {blocks}))"#));
    }
}
