//! `FunctionService`: functions and their versions. `service` has its methods; a noun has a file. What the runtime has no use
//! for is kept (`kept`) and shown again.

mod asynchronous;
mod bindings;
mod change;
mod deploy;
mod find;
mod history;
mod kept;
mod read;
mod scaling;
mod service;
mod shown;
mod source;
mod tags;

use super::endpoints::Places;
use crate::runtime::Runtime;

/// The service.
#[derive(Clone)]
pub(super) struct Functions {
    runtime: Runtime,
    places: Places,
}

impl Functions {
    pub(super) const fn new(runtime: Runtime, places: Places) -> Self {
        Self { runtime, places }
    }
}
