//! The end of each file of compiled code: what it was compiled from and how, so that a file which was cut short, renamed
//! or made otherwise is not taken for another.
//!
//! It holds no secret and proves nothing about who wrote the file: that is what the directory's mode is for. It costs
//! one small read, where a hash over the code would read all of what is otherwise mapped and read on use.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use super::build::{Build, CodeId};
use crate::model::names::Digest;

/// Bytes of a seal.
pub(super) const SEAL_BYTES: usize = 64;
const MAGIC: [u8; 8] = *b"tidecode";

/// What a file of compiled code says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seal {
    /// Bytes of code before it.
    pub(super) bytes: u64,
    /// Hash of the compiler's settings and version.
    pub(super) settings: u64,
    /// What was compiled, and with what besides.
    pub(super) id: CodeId,
}

/// The hash of all settings of an engine that its code depends on, wasmtime's version included.
pub(super) fn settings(engine: &wasmtime::Engine) -> u64 {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.finish()
}

impl Seal {
    /// Of code of so many bytes, for an engine of these settings.
    pub(super) const fn of(bytes: u64, settings: u64, id: CodeId) -> Self {
        Self { bytes, settings, id: CodeId { build: id.build.of_code(), ..id } }
    }

    pub(super) fn to_bytes(self) -> [u8; SEAL_BYTES] {
        let mut out = [0; SEAL_BYTES];
        out[..8].copy_from_slice(&MAGIC);
        out[8..16].copy_from_slice(&self.bytes.to_le_bytes());
        out[16..24].copy_from_slice(&self.settings.to_le_bytes());
        out[24..56].copy_from_slice(self.id.digest.as_bytes());
        out[56] = self.id.build.to_bits();
        let sum = crc32fast::hash(&out[..60]);
        out[60..].copy_from_slice(&sum.to_le_bytes());
        out
    }

    /// `None` for what is no seal.
    pub(super) fn read(bytes: &[u8; SEAL_BYTES]) -> Option<Self> {
        let number = |at: usize| Some(u64::from_le_bytes(*bytes.get(at..at + 8)?.first_chunk()?));
        let sum = u32::from_le_bytes(*bytes.last_chunk()?);
        if bytes[..8] != MAGIC || sum != crc32fast::hash(&bytes[..60]) {
            return None;
        }
        let digest = Digest::from_bytes(*bytes.get(24..56)?.first_chunk()?);
        let id = CodeId { digest, build: Build::from_bits(bytes[56])? };
        Some(Self { bytes: number(8)?, settings: number(16)?, id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_is_read_as_it_was_written_and_not_with_a_byte_changed() {
        let build = Build { debug_info: true, ..Build::default() };
        let id = CodeId { digest: Digest::from_bytes([7; 32]), build };
        let seal = Seal { bytes: 123_456, settings: u64::MAX - 1, id };
        let bytes = seal.to_bytes();
        assert_eq!(Seal::read(&bytes), Some(seal));
        for at in 0..SEAL_BYTES {
            let mut changed = bytes;
            changed[at] ^= 1;
            assert_eq!(Seal::read(&changed), None, "{at}");
        }
    }
}
