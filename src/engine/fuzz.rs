//! What has to be true of anything that is deployed, and of any JSON that a typed function is called with.

use super::entrypoint::fuzz_typed;
use super::{scan, strip, wants};

/// Looks at a module as a deployment does before it is compiled. What compiles is a child process, and may end as it likes.
pub(crate) fn module(input: &[u8]) {
    wants::look(input);
    if let Ok(outline) = scan::outline(input) {
        let without = strip::without_debug_info(input);
        assert!(without.len() <= input.len() + 64, "{} bytes became {}", input.len(), without.len());
        let again = scan::outline(&without).expect("a module without debug information is no larger in any way");
        assert_eq!(again.imports, outline.imports);
    }
}

/// Reads JSON as values of some type.
pub(crate) fn json_as_wit(input: &[u8]) {
    fuzz_typed::json_as_wit(input);
}
