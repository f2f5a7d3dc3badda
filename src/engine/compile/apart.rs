//! One compilation by itself: what the child process does, and what it says of it.

use std::fmt::Write as _;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::engine::build::{Build, CodeId};
use crate::engine::refused::Refused;
use crate::engine::seal::{self, Seal};
use crate::engine::settings::codegen;
use crate::engine::strip::without_debug_info;
use crate::engine::{code, disk, scan, trap};
use crate::model::bounds;
use crate::model::names::Digest;

/// Compiled code, as a server of this version maps it.
#[derive(Debug)]
pub struct Compiled {
    code: Vec<u8>,
    seal: Seal,
}

impl Compiled {
    /// The name that a server's directory of compiled code has for it.
    pub fn name(&self) -> String {
        disk::name(self.seal.settings, self.seal.id)
    }

    /// Writes it, whole.
    pub fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&self.code)?;
        out.write_all(&self.seal.to_bytes())?;
        out.flush()
    }
}

/// Compiles a module for servers of this very program.
///
/// Takes up to minutes, and as much memory as it finds: the caller sees to limits.
pub fn compile(module: &[u8], build: Build) -> Result<Compiled, Refused> {
    let outline = scan::outline(module)?;
    if build.debug_info {
        outline.debug.refuse_too_large()?;
    }
    let engine = wasmtime::Engine::new(&codegen(build.flavor))
        .map_err(|error| Refused::Unsupported { detail: trap::told(&error) })?;
    let code = if build.debug_info || outline.debug.bytes == 0 {
        code::compile(&engine, module)?
    } else {
        code::compile(&engine, &without_debug_info(module))?
    };
    scan::within("the compiled module, in bytes,", code.len(), bounds::MAX_COMPILED_MODULE_BYTES)?;
    let id = CodeId { digest: Digest::from_bytes(Sha256::digest(module).into()), build };
    let seal = Seal::of(code.len() as u64, seal::settings(&engine), id);
    Ok(Compiled { code, seal })
}

/// A refusal on its way from the child to the server: one line of JSON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// [`Refused::Malformed`].
    Malformed {
        /// What is wrong.
        detail: String,
    },
    /// [`Refused::TooLarge`].
    TooLarge {
        /// What of it.
        what: String,
        /// How large that is.
        size: usize,
        /// How large it may be.
        limit: usize,
    },
    /// Anything else.
    Unsupported {
        /// What that is.
        detail: String,
    },
}

impl Told {
    /// A refusal as it is told.
    pub fn of(refused: Refused) -> Self {
        match refused {
            Refused::Malformed { detail } => Self::Malformed { detail },
            Refused::TooLarge { what, size, limit } => Self::TooLarge { what: what.into_owned(), size, limit },
            Refused::Unsupported { detail } => Self::Unsupported { detail },
            other => Self::Unsupported { detail: other.to_string() },
        }
    }

    /// One line.
    pub fn line(&self) -> String {
        let mut line = serde_json::to_string(self).unwrap_or_default();
        let _ = writeln!(line);
        line
    }

    /// The refusal that was told, if `said` ends with one.
    pub(super) fn read(said: &str) -> Option<Refused> {
        Some(match serde_json::from_str(said.lines().last()?).ok()? {
            Self::Malformed { detail } => Refused::Malformed { detail },
            Self::TooLarge { what, size, limit } => Refused::TooLarge { what: what.into(), size, limit },
            Self::Unsupported { detail } => Refused::Unsupported { detail },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_arrives_as_it_was_sent() {
        let detail = "it says \"no\"\nand more".to_owned();
        for refused in [
            Refused::Malformed { detail: detail.clone() },
            Refused::TooLarge { what: "the nesting".into(), size: 3, limit: 2 },
            Refused::Unsupported { detail },
        ] {
            let said = format!("a word before\n{}", Told::of(refused.clone()).line());
            assert_eq!(Told::read(&said), Some(refused));
        }
        assert_eq!(Told::read(""), None);
        assert_eq!(Told::read("memory allocation of 7 bytes failed"), None);
    }
}
