//! What has to be true of any package: what is taken out of it is no larger than a module may be.

use bytes::Bytes;

use super::{Limits, is_module, module};

/// Small, so that they are met.
const LIMITS: Limits = Limits { files: 20, module_bytes: 64 * 1_024 };

/// Looks for the module.
pub(crate) fn package(input: &[u8]) {
    if let Ok(found) = module(&Bytes::copy_from_slice(input), "index", LIMITS) {
        assert!(is_module(input) || found.len() <= LIMITS.module_bytes, "{} bytes", found.len());
    }
}
