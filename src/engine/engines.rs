//! The engines of wasmtime: one runs what nobody asked anything special for, and is made at the start; each other one when
//! the first module needs it. A server whose versions ask for nothing has no second pool and no second linker.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::build::Flavor;
use super::host::Linkers;
use super::rest::Resting;
use super::settings::{EngineError, Rooms, Settings, config};
use super::shared::Sharing;
use super::trap;

/// All of them.
pub(super) struct Engines {
    made: [OnceLock<Arc<Made>>; Flavor::COUNT],
    /// Held by whoever makes one.
    making: Mutex<()>,
    rooms: Rooms,
    rest: Duration,
    wasi_0_3: bool,
    fault_injection: bool,
}

/// An engine, and what imports are resolved with in it.
pub(super) struct Made {
    pub(super) wasmtime: wasmtime::Engine,
    pub(super) linkers: Linkers,
    pub(super) resting: Resting,
    pub(super) sharing: Sharing,
}

impl Engines {
    /// Makes the usual one.
    pub(super) fn start(settings: &Settings) -> Result<Self, EngineError> {
        let Settings { rest, wasi_0_3, fault_injection, .. } = *settings;
        let (made, making, rooms) = (Default::default(), Mutex::default(), Rooms::here(settings.concurrency));
        let engines = Self { made, making, rooms, rest, wasi_0_3, fault_injection };
        engines.get(Flavor::default())?;
        Ok(engines)
    }

    /// The one of this flavor, made now if it is the first that is asked for; that takes some milliseconds.
    pub(super) fn get(&self, flavor: Flavor) -> Result<&Arc<Made>, EngineError> {
        let place = &self.made[flavor.index()];
        if let Some(made) = place.get() {
            return Ok(made);
        }
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = place.get() {
            return Ok(made);
        }
        let made = self.make(flavor).map_err(|error| EngineError::Wasmtime(trap::told(&error)))?;
        Ok(place.get_or_init(|| Arc::new(made)))
    }

    /// Whether an engine of this flavor may be made at all.
    pub(super) const fn offers(&self, flavor: Flavor) -> bool {
        self.wasi_0_3 || !flavor.concurrent
    }

    /// Moves the epoch of each of them on.
    pub(super) fn tick(&self) {
        for made in self.made.iter().filter_map(OnceLock::get) {
            made.wasmtime.increment_epoch();
        }
    }

    /// Lets all instances go that rest.
    pub(super) fn rouse(&self) {
        self.made.iter().filter_map(OnceLock::get).for_each(|made| made.resting.clear());
    }

    fn make(&self, flavor: Flavor) -> wasmtime::Result<Made> {
        let room = self.rooms.of(flavor);
        let wasmtime = wasmtime::Engine::new(&config(flavor, room))?;
        let linkers = Linkers::new(&wasmtime, flavor, self.fault_injection)?;
        Ok(Made { wasmtime, linkers, resting: Resting::new(room.resting(), self.rest), sharing: Sharing::default() })
    }

    /// How many were made.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.made.iter().filter_map(OnceLock::get).count()
    }
}
