//! The key that secrets are sealed with: 32 bytes in a file that only its owner reads. Seals nothing.

use std::fmt;
use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chacha20poly1305::aead::Generate as _;
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

/// Bytes of a key.
const BYTES: usize = 32;

/// Where the key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// A file that somebody looks after: it must be there.
    Given(PathBuf),
    /// A file of our own, made when a key is first needed.
    Own(PathBuf),
    /// Nowhere: a key that ends with the process, as the secrets do that it seals.
    Fleeting,
}

/// There is no key to be had.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the key for secrets at {path} cannot be used: {detail}", path = .path.display())]
pub struct InvalidKey {
    path: PathBuf,
    detail: String,
}

/// A key. Overwritten in memory when it is dropped, and shown by nothing.
pub(super) struct Key(Zeroizing<[u8; BYTES]>);

impl Key {
    pub(super) fn bytes(&self) -> &[u8; BYTES] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// The key once it is needed.
#[derive(Debug)]
pub(super) struct Lazy {
    source: KeySource,
    key: OnceCell<Arc<Key>>,
}

impl Lazy {
    pub(super) fn new(source: KeySource) -> Result<Self, InvalidKey> {
        let given = match &source {
            KeySource::Given(path) => Some(Arc::new(read(path)?)),
            KeySource::Own(_) | KeySource::Fleeting => None,
        };
        Ok(Self { source, key: OnceCell::new_with(given) })
    }

    pub(super) async fn get(&self) -> Result<Arc<Key>, InvalidKey> {
        let made = async {
            let source = self.source.clone();
            let key = tokio::task::spawn_blocking(move || match &source {
                KeySource::Given(path) => read(path),
                KeySource::Own(path) => read_or_make(path),
                KeySource::Fleeting => random(Path::new("")),
            });
            key.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())).map(Arc::new)
        };
        self.key.get_or_try_init(|| made).await.cloned()
    }

    /// Where it is, for people.
    pub(super) fn place(&self) -> String {
        match &self.source {
            KeySource::Given(path) | KeySource::Own(path) => format!("in {}", path.display()),
            KeySource::Fleeting => "of this process".to_owned(),
        }
    }
}

fn invalid(path: &Path, detail: impl Into<String>) -> InvalidKey {
    InvalidKey { path: path.to_owned(), detail: detail.into() }
}

fn read(path: &Path) -> Result<Key, InvalidKey> {
    let mut file = File::open(path).map_err(|error| invalid(path, error.to_string()))?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(BYTES + 1));
    let read = (&mut file).take(BYTES as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| invalid(path, error.to_string()))?;
    let bytes = <[u8; BYTES]>::try_from(bytes.as_slice());
    let wrong = "a key is a file of exactly 32 bytes, such as `head -c 32 /dev/urandom` makes";
    bytes.map(|bytes| Key(Zeroizing::new(bytes))).map_err(|_| invalid(path, wrong))
}

/// The key of our own. Made whole beside its name and then linked to it: whoever finds it finds all of it, and of two who
/// make one both use the same.
fn read_or_make(path: &Path) -> Result<Key, InvalidKey> {
    if path.exists() {
        return read(path);
    }
    let failed = |error: std::io::Error| invalid(path, error.to_string());
    let key = random(path)?;
    let unfinished = path.with_extension("key.unfinished");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
        _ => (),
    }
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(&unfinished).map_err(failed)?;
    file.write_all(key.bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    match fs::hard_link(&unfinished, path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => (),
    }
    fs::remove_file(&unfinished).map_err(failed)?;
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    read(path)
}

fn random(path: &Path) -> Result<Key, InvalidKey> {
    let key = chacha20poly1305::Key::try_generate().map_err(|error| invalid(path, error.to_string()))?;
    Ok(Key(Zeroizing::new(key.into())))
}
