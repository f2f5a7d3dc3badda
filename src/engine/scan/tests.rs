use super::*;
use crate::engine::code::compile;

const CODE_SECTION: u8 = 10;
const FUNCTION_SECTION: u8 = 3;
const IMPORT_SECTION: u8 = 2;
const TYPE_SECTION: u8 = 1;
const CORE_TYPES: u8 = 3;
const COMPONENT_TYPES: u8 = 7;
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

/// A core module with so many functions of that code.
fn module(count: usize, function: &[u8]) -> Vec<u8> {
    let types = [number(count), vec![0; count]].concat();
    let bodies = [number(function.len()), function.to_vec()].concat().repeat(count);
    [CORE.to_vec(), section(FUNCTION_SECTION, &types), section(CODE_SECTION, &[number(count), bodies].concat())]
        .concat()
}

fn function_of(bytes: usize) -> Vec<u8> {
    module(1, &vec![0; bytes])
}

fn functions(count: usize) -> Vec<u8> {
    module(count, &[0, 0x0b])
}

fn in_component(id: u8, content: &[u8]) -> Vec<u8> {
    [&NESTED[..], &section(id, content)].concat()
}

/// A text for each number below `count`.
fn each(count: usize, text: impl Fn(usize) -> String) -> String {
    (0..count).map(text).collect::<Vec<_>>().concat()
}

/// A refusal as it is told; nothing for what is taken.
fn told(module: &[u8]) -> String {
    match outline(module) {
        Ok(_) => String::new(),
        Err(refused @ Refused::TooLarge { .. }) => refused.to_string(),
        Err(other) => panic!("{other}"),
    }
}

#[track_caller]
fn check(module: &[u8], refused: Option<&str>) {
    let told = told(module);
    match refused {
        None => assert_eq!(told, ""),
        Some(what) => assert!(told.contains(what), "{told}"),
    }
}

/// What `text` makes of the limit is taken, and of one more is refused.
#[track_caller]
fn check_limit(what: &str, limit: usize, text: impl Fn(usize) -> String) {
    check(&wat::parse_str(text(limit)).unwrap(), None);
    let told = told(&wat::parse_str(text(limit + 1)).unwrap());
    let sizes = format!(" is {}, and at most {limit} is allowed", limit + 1);
    assert!(told.contains(what) && told.contains(&sizes), "{told}");
}

#[test]
fn a_function_that_would_compile_for_too_long_is_refused_also_inside_a_component() {
    check(&function_of(bounds::MAX_FUNCTION_BYTES), None);
    let long = function_of(bounds::MAX_FUNCTION_BYTES + 1);
    let told = "too large: the code of the function at offset 0x14 is 1048577, and at most 1048576 is allowed";
    check(&long, Some(told));
    let once = in_component(CORE_MODULE_SECTION, &long);
    check(&once, Some("the code of the function"));
    check(&in_component(COMPONENT_SECTION, &once), Some("the code of the function"));
}

#[test]
fn too_many_functions_are_refused_wherever_they_are() {
    let half = functions(bounds::MAX_MODULE_FUNCTIONS / 2 + 1);
    check(&half, None);
    let mut two = in_component(CORE_MODULE_SECTION, &half);
    two.extend_from_slice(&in_component(CORE_MODULE_SECTION, &half)[8..]);
    check(&two, Some("the number of functions is 100002, and at most 100000 is allowed"));
}

#[test]
fn components_are_not_nested_without_end() {
    let deep = (0..50).fold(NESTED.to_vec(), |inner, _| in_component(COMPONENT_SECTION, &inner));
    check(&deep, Some("the nesting of components is 17"));
}

#[test]
fn modules_within_a_component_are_counted() {
    let inner = section(CORE_MODULE_SECTION, &CORE);
    let many = |count| [&NESTED[..], &inner.repeat(count)].concat();
    check(&many(bounds::MAX_INNER_MODULES), None);
    check(&many(bounds::MAX_INNER_MODULES + 1), Some("the number of modules within the component is 1001"));
}

#[test]
fn each_thing_that_can_be_too_many_is_taken_up_to_its_limit() {
    check_limit("the number of locals", bounds::MAX_FUNCTION_LOCALS, |n| {
        format!("(module (func (local {}) (local i64)))", "i32 ".repeat(n - 1))
    });
    check_limit("the nesting of blocks", bounds::MAX_BLOCK_NESTING, |n| {
        format!("(module (func {} {}))", "loop ".repeat(n), "end ".repeat(n))
    });
    check_limit("the number of exports", bounds::MAX_MODULE_EXPORTS, |n| {
        format!("(module (func) {})", each(n, |n| format!(r#"(export "{n}" (func 0))"#)))
    });
    check_limit("the number of imports", bounds::MAX_MODULE_IMPORTS, |n| {
        format!("(module {})", each(n, |n| format!(r#"(import "a" "{n}" (func))"#)))
    });
    check_limit("the number of types", bounds::MAX_MODULE_TYPES, |n| format!("(module {})", "(type (func))".repeat(n)));
    check_limit("the number of globals", bounds::MAX_MODULE_GLOBALS, |n| {
        format!("(module {})", "(global i32 (i32.const 0))".repeat(n))
    });
    check_limit("the number of data segments", bounds::MAX_MODULE_SEGMENTS, |n| {
        format!("(module {})", r#"(data "")"#.repeat(n))
    });
    check_limit("the number of memories", bounds::MAX_GUEST_MEMORIES, |n| {
        format!("(module {})", "(memory 1)".repeat(n))
    });
    check_limit("the number of tables", bounds::MAX_GUEST_TABLES, |n| {
        format!("(module {})", "(table 1 funcref)".repeat(n))
    });
    check_limit("elements of a table", bounds::MAX_GUEST_TABLE_ELEMENTS, |n| format!("(module (table {n} funcref))"));
}

#[test]
fn memory_that_no_instance_can_have_is_refused() {
    check(&wat::parse_str("(module (memory 65536))").unwrap(), None);
    let told = "the memory that it begins with, in bytes, is 4295032832, and at most 4294967296 is allowed";
    check(&wat::parse_str("(module (memory i64 65537))").unwrap(), Some(told));
}

#[test]
fn notes_are_bounded_and_debug_information_is_counted_apart() {
    let custom = |name: &str, bytes: usize| {
        let content = [&number(name.len())[..], name.as_bytes(), &vec![0; bytes]].concat();
        [CORE.to_vec(), section(0, &content)].concat()
    };
    check(&custom("name", bounds::MAX_CUSTOM_BYTES), None);
    check(&custom("name", bounds::MAX_CUSTOM_BYTES + 1), Some("custom sections"));
    let debug = |name, bytes| outline(&custom(name, bytes)).unwrap().debug;
    let more = debug(".debug_str", bounds::MAX_CUSTOM_BYTES + 1);
    assert_eq!(more.bytes, bounds::MAX_CUSTOM_BYTES + 1);
    assert!(more.refuse_too_large().is_err());
    assert_eq!(debug(".debug_str", bounds::MAX_DEBUG_BYTES).refuse_too_large(), Ok(()));
    assert_eq!(debug(".debug_line", bounds::MAX_DEBUG_LINE_BYTES).refuse_too_large(), Ok(()));
    assert!(debug(".debug_line", bounds::MAX_DEBUG_LINE_BYTES + 1).refuse_too_large().is_err());
    // Zeroes are units without content, four bytes each.
    assert_eq!(debug(".debug_info", 4 * bounds::MAX_DEBUG_UNITS).refuse_too_large(), Ok(()));
    assert!(debug(".debug_info", 4 * bounds::MAX_DEBUG_UNITS + 4).refuse_too_large().is_err());
}

#[test]
fn units_of_debug_information_are_counted_by_their_lengths() {
    let long = [&u32::MAX.to_le_bytes()[..], &3_u64.to_le_bytes(), b"abc"].concat();
    let short = [&2_u32.to_le_bytes()[..], b"ab"].concat();
    assert_eq!(units(&[&short[..], &long, &short].concat()), 3);
    assert_eq!(units(&u32::MAX.to_le_bytes()), 1);
    assert_eq!(units(&[&u32::MAX.to_le_bytes()[..], &u64::MAX.to_le_bytes(), b"rest"].concat()), 1);
    assert_eq!(units(b"abc"), 0);
}

#[test]
fn what_the_outline_is_read_from_is_what_the_compiler_reads() {
    let long = format!("(module (func {}))", "nop ".repeat(bounds::MAX_FUNCTION_BYTES));
    check(&wat::parse_str(long).unwrap(), Some("the code of the function"));
}

#[test]
fn imports_in_a_group_are_counted_one_by_one_and_none_is_copied() {
    let group = |kind: &[u8], import: &[u8]| {
        let count = bounds::MAX_MODULE_IMPORTS + 1;
        let imports = [&b"\x01\x03env\0"[..], kind, &number(count), &import.repeat(count)].concat();
        [CORE.to_vec(), section(IMPORT_SECTION, &imports)].concat()
    };
    let told = "the number of imports is 20001, and at most 20000 is allowed";
    check(&group(b"\x7f", b"\0\0\0"), Some(told));
    check(&group(b"\x7e\0\0", b"\0"), Some(told));
    let few = [CORE.to_vec(), section(IMPORT_SECTION, b"\x01\x03env\0\x7e\0\0\x02\x01a\x01b")].concat();
    assert_eq!(outline(&few).unwrap().imports, []);
    let refused = compile(&wasmtime::Engine::default(), &few);
    assert!(matches!(refused, Err(Refused::Malformed { .. })), "nobody runs what is left out here");
}

#[test]
fn types_of_a_group_and_types_within_types_are_counted() {
    let half = bounds::MAX_MODULE_TYPES / 2 + 1;
    let twice = |one: Vec<u8>| {
        check(&[&NESTED[..], &one].concat(), None);
        check(&[&NESTED[..], &one, &one].concat(), Some("the number of types is 50004"));
    };
    let row = |kind: &[u8], ty: &[u8]| [b"\x01", kind, &number(half), &ty.repeat(half)].concat();
    let core = [CORE.to_vec(), section(TYPE_SECTION, &row(b"\x4e", b"\x60\0\0"))].concat();
    twice(section(CORE_MODULE_SECTION, &core));
    twice(section(CORE_TYPES, &row(b"\x50", b"\x01\x60\0\0")));
    for kind in [b"\x41", b"\x42"] {
        twice(section(COMPONENT_TYPES, &row(kind, b"\x01\x7f")));
        twice(section(COMPONENT_TYPES, &row(kind, b"\0\x60\0\0")));
    }
}

#[test]
fn what_describes_types_is_bounded() {
    let one = [&b"\x5f"[..], &number(10_000), &b"\x7f\0".repeat(10_000)].concat();
    let structs = |count| [CORE.to_vec(), section(TYPE_SECTION, &[number(count), one.repeat(count)].concat())].concat();
    check(&structs(104), None);
    check(&structs(105), Some("what describes types, in bytes, is 2100316, and at most 2097152 is allowed"));
}

#[test]
fn types_within_types_are_not_entered_by_recursion() {
    let nested =
        |depth| in_component(COMPONENT_TYPES, &[b"\x01", &b"\x41\x01\x01".repeat(depth)[..], b"\x41\0"].concat());
    check(&nested(bounds::MAX_MODULE_TYPES - 1), None);
    check(&nested(500_000), Some("the number of types is 50001"));
}

#[test]
fn what_cannot_be_read_is_left_to_the_validator() {
    for bytes in [&b""[..], b"\0asm", b"\0asm\x01\0\0\0\x0a\xff\xff\xff\xff\xff\xff"] {
        check(bytes, None);
    }
}
