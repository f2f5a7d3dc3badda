//! What is read whole before it is sent. Nothing waits for standard input in a way that Ctrl-C would have to wait for, too.

use std::path::Path;

use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::error::Error;
use super::output;

/// What stands at standard input, as [`read`] has it; `usage` says what to do where that is a person's keyboard.
pub(super) async fn piped(most: usize, usage: impl FnOnce() -> String) -> Result<Vec<u8>, Error> {
    if !output::is_stdin_piped() {
        return Err(Error::Usage(usage()));
    }
    read(tokio::io::stdin(), Path::new("-"), most).await
}

/// What is in a file, likewise.
pub(super) async fn file(path: &Path, most: usize) -> Result<Vec<u8>, Error> {
    let file = tokio::fs::File::open(path).await;
    read(file.map_err(|cause| Error::Unreadable { path: path.to_owned(), cause })?, path, most).await
}

/// What `from` has, which is called `path`: `most` bytes, and one more where there are more.
pub(super) async fn read(from: impl AsyncRead + Unpin, path: &Path, most: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read = from.take(most as u64 + 1).read_to_end(&mut bytes).await;
    read.map(|_| bytes).map_err(|cause| Error::Unreadable { path: path.to_owned(), cause })
}
