//! Use cases around streams: make, list, append, read, remove.

use super::{Error, Runtime};
use crate::messaging::streams::{NewRecord, Reading, Records, StreamPath, StreamSettings, StreamView};
use crate::model::names::{Namespace, StreamName};

impl Runtime {
    /// Makes a stream, or gives one other settings; returns whether it is new.
    pub async fn set_stream(&self, path: StreamPath, settings: StreamSettings) -> Result<bool, Error> {
        Ok(self.parts.streams.set(path, settings).await?)
    }

    /// Streams of a namespace in order of their names, from behind `after`, at most `limit`.
    pub async fn streams(
        &self,
        namespace: &Namespace,
        after: Option<&StreamName>,
        limit: usize,
    ) -> Result<Vec<StreamView>, Error> {
        Ok(self.parts.streams.list(namespace, after, limit).await?)
    }

    /// A stream as it stands.
    pub async fn stream(&self, path: &StreamPath) -> Result<StreamView, Error> {
        Ok(self.parts.streams.view(path).await?)
    }

    /// Removes a stream with its records.
    pub async fn remove_stream(&self, path: StreamPath) -> Result<(), Error> {
        Ok(self.parts.streams.remove(path).await?)
    }

    /// Appends records and tells their places.
    pub async fn append(&self, path: &StreamPath, records: Vec<NewRecord>) -> Result<Vec<u64>, Error> {
        Ok(self.parts.streams.append(path, records).await?)
    }

    /// Reads records, and waits for the first where there is none yet.
    pub async fn read_stream(&self, path: &StreamPath, reading: &Reading) -> Result<Records, Error> {
        Ok(self.parts.streams.read(path, reading).await?)
    }
}
