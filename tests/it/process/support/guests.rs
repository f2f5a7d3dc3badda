//! The guests of this repository.

use std::fs;
use std::path::{Path, PathBuf};

fn guests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("guests")
}

/// Where a prebuilt guest lies.
pub(in crate::process) fn prebuilt_path(name: &str) -> PathBuf {
    guests().join("prebuilt").join(name).with_extension("wasm")
}

/// A prebuilt guest.
pub(in crate::process) fn prebuilt(name: &str) -> Vec<u8> {
    fs::read(prebuilt_path(name)).unwrap()
}

/// A guest of the hostile ones, made binary.
pub(in crate::process) fn hostile(name: &str) -> Vec<u8> {
    wat::parse_file(guests().join("hostile").join(name).with_extension("wat")).unwrap()
}

/// Writes a hostile guest into `folder` and says where it is.
pub(in crate::process) fn write_hostile(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name).with_extension("wasm");
    fs::write(&path, hostile(name)).unwrap();
    path
}
