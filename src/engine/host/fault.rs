//! The fault that no sandbox stops: a guest that ends the process. Only tests of crashes get it.

use wasmtime::Linker;

use super::Host;

/// Provides `tidemill-fault`.`abort`.
pub(super) fn add_to_linker(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    linker.func_wrap("tidemill-fault", "abort", || -> () { std::process::abort() })?;
    Ok(())
}
