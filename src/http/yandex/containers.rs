//! `ContainerService`. Its methods answer that they are not there yet.

use super::endpoints::Places;
use super::proto::containers::container_service_server::ContainerService;
use crate::runtime::Runtime;

/// The service.
pub(super) struct Containers {
    _runtime: Runtime,
    _places: Places,
}

impl Containers {
    pub(super) const fn new(runtime: Runtime, places: Places) -> Self {
        Self { _runtime: runtime, _places: places }
    }
}

#[tonic::async_trait]
impl ContainerService for Containers {}
