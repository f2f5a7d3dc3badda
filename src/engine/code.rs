//! Compiled code, of a core module or of a component.

use wasmtime::Module;
use wasmtime::component::Component;

use super::refused::Refused;
use super::trap;

/// Compiled code. Cheap to clone.
#[derive(Clone)]
pub(super) enum Code {
    Component(Component),
    Core(Module),
}

impl Code {
    /// Compiles a binary; text is refused as such. Takes up to seconds and cannot be interrupted.
    pub(super) fn compile(engine: &wasmtime::Engine, module: &[u8]) -> Result<Self, Refused> {
        let is_component = is_component(module)?;
        let compiled = if is_component {
            Component::from_binary(engine, module).map(Self::Component)
        } else {
            Module::from_binary(engine, module).map(Self::Core)
        };
        compiled.map_err(|error| Refused::Malformed { detail: trap::told(&error) })
    }

    /// The names of everything exported.
    pub(super) fn exports(&self) -> Vec<String> {
        match self {
            Self::Component(component) => {
                let exports = component.component_type();
                exports.exports(component.engine()).map(|(name, _)| name.to_owned()).collect()
            }
            Self::Core(module) => module.exports().map(|export| export.name().to_owned()).collect(),
        }
    }
}

/// Reads the preamble: 4 bytes of magic, 2 of version, 2 of layer.
fn is_component(module: &[u8]) -> Result<bool, Refused> {
    let malformed = |detail: &str| Err(Refused::Malformed { detail: detail.to_owned() });
    match module {
        [] => malformed("it is empty"),
        [0, b'a', b's', b'm', _, _, layer, ..] => Ok(*layer == 1),
        [0, b'a', b's', b'm', ..] => malformed("it ends after the magic number"),
        _ if is_text(module) => {
            malformed("it is in the text format; translate it to the binary format first, for example with `wat2wasm`")
        }
        _ => malformed("it does not begin with the magic number `\\0asm`"),
    }
}

/// Text begins with a parenthesis or a comment.
fn is_text(module: &[u8]) -> bool {
    let text = module.trim_ascii_start();
    text.starts_with(b"(") || text.starts_with(b";;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(module: &[u8], detail: &str) {
        let Err(Refused::Malformed { detail: told }) = Code::compile(&wasmtime::Engine::default(), module) else {
            panic!("{module:?} was taken")
        };
        assert!(told.contains(detail), "{told}");
    }

    #[test]
    fn what_is_no_module_is_refused_with_what_it_seems_to_be() {
        check(b"", "it is empty");
        check(b"\0asm", "it ends after the magic number");
        check(b"\x7fELF and so on", "magic number");
        check(b"(module)", "text format");
        check(b"  ;; a comment\n(module)", "text format");
        check(b"\0asm\x01\0\0\0\x0a\xff\xff\xff\xff\xff\xff", "invalid");
        check(b"\0asm\x0d\0\x01\0\x0a\xff\xff\xff\xff\xff\xff", "invalid");
    }
}
