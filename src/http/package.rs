//! Packages of code, as clouds are sent them: a `.wasm`, or a zip with one in it. What is wrong with one is a value here; each
//! dialect says it in its own words.

pub(crate) mod fuzz;

use std::borrow::Cow;
use std::io::{Cursor, Read as _};

use bytes::Bytes;
use zip::ZipArchive;
use zip::result::ZipError;

/// What a module begins with.
const MAGIC: &[u8] = b"\0asm";

/// How much of a package is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Files in a zip, which is about one of them.
    pub(super) files: usize,
    /// Bytes of the module.
    pub(super) module_bytes: usize,
}

/// Why a package has no module.
#[derive(Debug)]
pub(super) enum Unusable {
    /// It is neither a module nor a zip that can be read.
    Unreadable(ZipError),
    /// Its zip has so many files.
    TooManyFiles(usize),
    /// So many files of its zip may be meant, and that is not one.
    NotOne(usize),
    /// The file of this name is more than a module may be.
    TooLarge(String),
}

impl From<ZipError> for Unusable {
    fn from(error: ZipError) -> Self {
        Self::Unreadable(error)
    }
}

/// Whether a package is a module as it stands.
pub(super) fn is_module(package: &[u8]) -> bool {
    package.starts_with(MAGIC)
}

/// The module in a package. Of several in a zip it is the one that is called `file`, with `.wasm` behind it. Takes its time:
/// call it where that delays nobody.
pub(super) fn module(package: &Bytes, file: &str, limits: Limits) -> Result<Bytes, Unusable> {
    if is_module(package) {
        return Ok(package.clone());
    }
    let mut archive = ZipArchive::new(Cursor::new(package))?;
    if archive.len() > limits.files {
        return Err(Unusable::TooManyFiles(archive.len()));
    }
    let names = archive.file_names().collect::<Result<Vec<_>, _>>()?;
    let modules = names.into_iter().filter(|name| name.ends_with(".wasm"));
    let mut modules: Vec<String> = modules.map(Cow::into_owned).collect();
    if modules.len() > 1 {
        let meant = format!("{file}.wasm");
        modules.retain(|name| *name == meant || name.ends_with(&format!("/{meant}")));
    }
    let [module] = &modules[..] else { return Err(Unusable::NotOne(modules.len())) };
    // What it says of its size need not be true: no more than a module may have is unpacked.
    let mut bytes = Vec::new();
    let most = limits.module_bytes as u64 + 1;
    let read = archive.by_name(module)?.take(most).read_to_end(&mut bytes);
    read.map_err(ZipError::from)?;
    if bytes.len() > limits.module_bytes {
        return Err(Unusable::TooLarge(module.clone()));
    }
    Ok(bytes.into())
}

/// A zip with these files, for tests.
#[cfg(test)]
pub(super) fn zipped(files: &[(&str, &[u8])]) -> Bytes {
    use std::io::Write as _;

    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner().into()
}
