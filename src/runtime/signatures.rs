//! Use cases around the signatures of typed functions: what a function takes and gives, and whether a payload fits.

use bytes::Bytes;
use tokio::task::spawn_blocking;

use super::{Error, Runtime};
use crate::engine::Ready;
use crate::model::entrypoint::Entrypoint;
use crate::model::function::Version;
use crate::model::names::{FunctionPath, Qualifier};

/// Payloads up to here are read where they come in: that takes no longer than handing them to another thread does.
const READ_AT_ONCE: usize = 16 * 1_024;

/// What a function takes and gives.
#[derive(Clone, Debug)]
pub struct Signatures {
    /// What in the module is called.
    pub entrypoint: Entrypoint,
    /// In WIT's notation.
    pub signature: String,
    /// JSON Schema of the payload.
    pub input: serde_json::Value,
    /// JSON Schema of the result.
    pub output: serde_json::Value,
}

impl Runtime {
    /// What a version of a function takes and gives, where its module says so.
    pub async fn signature(&self, path: &FunctionPath, qualifier: &Qualifier) -> Result<Signatures, Error> {
        let (function, version) = self.parts.registry.resolve(path, qualifier)?;
        let entrypoint = version.entrypoint.clone();
        if !has_signature(&version) {
            return Err(Error::NoSchema { path: function.path.clone(), entrypoint });
        }
        let ready = self.parts.registry.ready(&version).await.map_err(Error::NotLoaded)?;
        let Some(signature) = ready.signature() else {
            return Err(Error::NoSchema { path: function.path.clone(), entrypoint });
        };
        let (input, output) = (signature.input_schema(), signature.output_schema());
        Ok(Signatures { entrypoint, signature: signature.to_string(), input, output })
    }

    /// Refuses a payload that does not fit what the version takes. Runs nothing.
    ///
    /// Where the module cannot be loaded now nothing is refused: the attempt reads the payload again, and tells.
    pub(super) async fn check_fits(&self, version: &Version, payload: &Bytes) -> Result<(), Error> {
        if !has_signature(version) {
            return Ok(());
        }
        let ready = match self.parts.registry.ready(version).await {
            Ok(ready) => ready,
            Err(error) => {
                tracing::debug!(%error, "a payload is taken unread, because its function's module cannot be loaded");
                return Ok(());
            }
        };
        if payload.len() <= READ_AT_ONCE {
            return check(&ready, payload);
        }
        let payload = payload.clone();
        let read = spawn_blocking(move || check(&ready, &payload)).await;
        read.unwrap_or(Err(Error::Interrupted))
    }
}

fn check(ready: &Ready, payload: &[u8]) -> Result<(), Error> {
    ready.signature().map_or(Ok(()), |signature| signature.check(payload).map_err(Error::PayloadMisfit))
}

/// Told without loading it.
fn has_signature(version: &Version) -> bool {
    matches!(version.entrypoint, Entrypoint::Typed(_))
}
