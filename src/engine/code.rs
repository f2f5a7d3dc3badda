//! Compiled code, of a core module or of a component.

use std::fs::File;
use std::path::Path;

use object::Endianness;
use object::elf::FileHeader64;
use object::read::ReadCache;
use object::read::elf::{FileHeader as _, SectionHeader as _};
use wasmtime::component::Component;
use wasmtime::{Module, Precompiled};

use super::refused::Refused;
use super::trap;

/// Compiled code. Cheap to clone.
#[derive(Clone)]
pub(super) enum Code {
    Component(Component),
    Core(Module),
}

/// Code in memory.
pub(super) struct Mapped {
    pub(super) code: Code,
    /// Bytes that it takes when all of it is used.
    pub(super) bytes: u64,
}

/// What a file of compiled code says of the module, its types and names among it, is a section of its own. wasmtime reads it
/// into values that take up to so many times its bytes, beside those of the file that is mapped.
const DESCRIPTION: &[u8] = b".wasmtime.info";
const GROWTH: u64 = 32;

impl Mapped {
    /// Maps a file of compiled code.
    ///
    /// Wasmtime takes it for what it has compiled itself: only what this program wrote may be given here.
    pub(super) fn map(engine: &wasmtime::Engine, path: &Path) -> wasmtime::Result<Self> {
        let code = Code::map(engine, path)?;
        let bytes = code.bytes() + GROWTH * description_bytes(path)?;
        Ok(Self { code, bytes })
    }
}

fn description_bytes(path: &Path) -> wasmtime::Result<u64> {
    let file = ReadCache::new(File::open(path)?);
    let found = || {
        let header = FileHeader64::<Endianness>::parse(&file)?;
        let endian = header.endian()?;
        let section = header.sections(endian, &file)?.section_by_name(endian, DESCRIPTION);
        object::Result::Ok(section.map_or(0, |(_, section)| section.sh_size(endian)))
    };
    found().map_err(|error| wasmtime::Error::msg(error.to_string()))
}

impl Code {
    fn map(engine: &wasmtime::Engine, path: &Path) -> wasmtime::Result<Self> {
        let Some(kind) = wasmtime::Engine::detect_precompiled_file(path)? else {
            return Err(wasmtime::Error::msg("it is no compiled code"));
        };
        #[expect(unsafe_code, reason = "mapping compiled code is what makes a cold start fast")]
        // SAFETY: wasmtime takes the file for what its compiler wrote. It is either an unnamed or private file that this program,
        // run as a child, has just written, or one in the directory of `disk`: no other user can write there (checked when
        // it was opened), whole files only are renamed into it, and the end of each names the digest of the module and the
        // hash of the settings it was compiled with. wasmtime checks its own version and settings besides.
        unsafe {
            match kind {
                Precompiled::Component => Component::deserialize_file(engine, path).map(Self::Component),
                Precompiled::Module => Module::deserialize_file(engine, path).map(Self::Core),
            }
        }
    }

    /// Bytes of the file that is mapped.
    fn bytes(&self) -> u64 {
        let image = match self {
            Self::Component(component) => component.image_range(),
            Self::Core(module) => module.image_range(),
        };
        (image.end.addr() - image.start.addr()) as u64
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

/// Compiles a binary into what can be mapped; text is refused as such. Takes up to minutes, cannot be interrupted, and may
/// take all memory: where the module is not trusted, only in a process of its own.
pub(super) fn compile(engine: &wasmtime::Engine, module: &[u8]) -> Result<Vec<u8>, Refused> {
    let compiled =
        if is_component(module)? { engine.precompile_component(module) } else { engine.precompile_module(module) };
    compiled.map_err(|error| Refused::Malformed { detail: trap::told(&error) })
}

/// Reads the preamble: 4 bytes of magic, 2 of version, 2 of layer.
fn is_component(module: &[u8]) -> Result<bool, Refused> {
    let malformed = |detail: &str| Err(Refused::Malformed { detail: detail.to_owned() });
    match module {
        [] => malformed("it is empty"),
        [0, b'a', b's', b'm', _, _, layer, ..] => Ok(*layer == 1),
        [0, b'a', b's', b'm', ..] => malformed("it ends after the magic number"),
        _ if is_text(module) => malformed(
            "it is in the text format; translate it to the binary format first, for example with `wasm-tools parse`",
        ),
        [0x7f, b'E', b'L', b'F', ..] => malformed(
            "it is native code: deploy the module that it was made from (what `tidemill compile` makes is for the folder \
             `cache` of a server's data)",
        ),
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
        let Err(Refused::Malformed { detail: told }) = compile(&wasmtime::Engine::default(), module) else {
            panic!("{module:?} was taken")
        };
        assert!(told.contains(detail), "{told}");
    }

    #[test]
    fn what_the_system_refuses_is_told_from_what_is_no_code() {
        let (engine, dir) = (wasmtime::Engine::default(), tempfile::tempdir().unwrap());
        let why = |path: &Path| trap::of_the_system(&Mapped::map(&engine, path).err().unwrap());
        let path = dir.path().join("code");
        assert_eq!(why(&path), Some(std::io::ErrorKind::NotFound));
        std::fs::write(&path, "no code").unwrap();
        assert_eq!(why(&path), None);
        let full = wasmtime::Error::from(rustix::io::Errno::NOMEM).context("it could not be mapped");
        assert_eq!(trap::of_the_system(&full), Some(std::io::ErrorKind::OutOfMemory));
    }

    #[test]
    fn what_is_no_module_is_refused_with_what_it_seems_to_be() {
        check(b"", "it is empty");
        check(b"\0asm", "it ends after the magic number");
        check(b"\x7fELF and so on", "it is native code");
        check(b"%PDF and so on", "magic number");
        check(b"(module)", "text format");
        check(b"  ;; a comment\n(module)", "text format");
        check(b"\0asm\x01\0\0\0\x0a\xff\xff\xff\xff\xff\xff", "invalid");
        check(b"\0asm\x0d\0\x01\0\x0a\xff\xff\xff\xff\xff\xff", "invalid");
    }
}
