//! Core dumps: the memories, globals and stack of a guest that trapped, as a module whose custom sections say what is what
//! (the core dump format of WebAssembly's tool conventions). What compiled code had in registers is not in them: the frames
//! say where they were, and not with which values.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use wasmtime::{Error, Store};

use super::call::Call;
use super::host::Host;
use super::output::Capture;
use super::trap;
use crate::model::bounds;

/// The dump of a guest that ended so, if it brought one; the log says what became of it.
pub(super) fn of(error: &Error, store: &mut Store<Host>, call: &Call, log: &Capture) -> Option<Bytes> {
    let dump = trap::core_dump(error)?;
    let (has, most) = (store.data().memory_bytes(), bounds::MAX_CORE_DUMP_BYTES);
    if has > most {
        log.note(&format!(
            "tidemill: no core dump: the function has {has} bytes of memory, and dumps are of up to {most}"
        ));
        return None;
    }
    // It panics at a global of a type that no dump can hold. The guest is gone in any case, and its store with it.
    let written = catch_unwind(AssertUnwindSafe(|| dump.serialize(&mut *store, &call.identity.function)));
    let Ok(bytes) = written else {
        log.note("tidemill: no core dump: the function has globals that none can hold");
        return None;
    };
    log.note(&format!("tidemill: a core dump of {} bytes is kept for a while", bytes.len()));
    Some(bytes.into())
}
