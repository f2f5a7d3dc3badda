//! `FunctionService`: functions and their versions. What the runtime has no use for is kept, and shown again.

use super::endpoints::Places;
use super::proto::functions::function_service_server::FunctionService;
use crate::runtime::Runtime;

/// The service.
pub(super) struct Functions {
    runtime: Runtime,
    places: Places,
}

impl Functions {
    pub(super) const fn new(runtime: Runtime, places: Places) -> Self {
        Self { runtime, places }
    }
}

#[tonic::async_trait]
impl FunctionService for Functions {}
