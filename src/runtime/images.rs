//! Use cases around images: the module of one of a registry, or of a file here, to deploy it.

use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::{Error, Runtime};
use crate::access::Caller;
use crate::model::bounds;
use crate::model::names::{Digest, Namespace, SecretName};
use crate::oci::{Image, ImageReference, InvalidReference, Login};

/// What to pull, and as whom.
#[derive(Clone, Debug)]
pub struct Source {
    /// Which image.
    pub reference: ImageReference,
    /// The user, and the secret that is the password; nobody in particular where there is none.
    pub login: Option<(String, SecretName)>,
}

/// Where a module is that the server gets by itself.
#[derive(Clone, Debug)]
pub enum ModuleSource {
    /// In a file of this machine, `file:///PATH`, below a directory that functions can be granted.
    File(PathBuf),
    /// In a registry.
    Image(Source),
}

/// A module that the server has got.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The module.
    pub module: Bytes,
    /// Of an image the digest of its manifest, of a file its own.
    pub digest: Digest,
}

/// Why a file was not taken as a module.
#[derive(Debug, Clone, thiserror::Error)]
pub enum FileError {
    /// It lies where nothing may be read.
    #[error("`{}` lies below no directory that `serve --allow-dir` names", .0.display())]
    NotAllowed(PathBuf),
    /// It is larger than anything that is deployed.
    #[error("`{}` is too large: a module has up to {} bytes", .0.display(), bounds::MAX_MODULE_BYTES)]
    TooLarge(PathBuf),
    /// It cannot be read.
    #[error("`{}` cannot be read: {why}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

impl FromStr for ModuleSource {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        match text.strip_prefix("file://") {
            Some(path) => Ok(Self::File(path.into())),
            None => Ok(Self::Image(Source { reference: text.parse()?, login: None })),
        }
    }
}

impl Runtime {
    /// Pulls the module that `source` names, with a secret of `namespace` if it needs one: the registry, which may be the
    /// caller's own, is shown it. Nothing is deployed by that.
    pub async fn pull(&self, caller: &Caller, namespace: &Namespace, source: &Source) -> Result<Image, Error> {
        let login = match &source.login {
            None => None,
            Some((user, secret)) => {
                self.check_secrets(caller, namespace)?;
                let password = self.parts.vault.value(namespace.clone(), secret.clone()).await?;
                let unknown = || Error::SecretUnknown { namespace: namespace.clone(), name: secret.clone() };
                Some(Login { user: user.clone(), password: password.ok_or_else(unknown)? })
            }
        };
        Ok(self.parts.images.pull(namespace, &source.reference, login.as_ref()).await?)
    }

    /// Gets a module from wherever it is.
    pub async fn fetch(&self, caller: &Caller, namespace: &Namespace, source: &ModuleSource) -> Result<Fetched, Error> {
        match source {
            ModuleSource::Image(source) => {
                let Image { digest, module, .. } = self.pull(caller, namespace, source).await?;
                Ok(Fetched { module, digest })
            }
            ModuleSource::File(path) => {
                let (path, directories) = (path.clone(), self.parts.directories.clone());
                let read = tokio::task::spawn_blocking(move || read(&path, &directories)).await;
                Ok(read.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?)
            }
        }
    }
}

/// Reads a file below one of `directories`, whatever links lead to it.
fn read(path: &Path, directories: &[PathBuf]) -> Result<Fetched, FileError> {
    let unreadable = |error: io::Error| FileError::Unreadable { path: path.to_owned(), why: error.to_string() };
    let not_allowed = || FileError::NotAllowed(path.to_owned());
    let allowed: Vec<_> = directories.iter().filter_map(|directory| directory.canonicalize().ok()).collect();
    // Before it is looked for: what is elsewhere is not told whether it is there.
    if !path.is_absolute() || !directories.iter().chain(&allowed).any(|directory| path.starts_with(directory)) {
        return Err(not_allowed());
    }
    let real = path.canonicalize().map_err(unreadable)?;
    if !allowed.iter().any(|directory| real.starts_with(directory)) {
        return Err(not_allowed());
    }
    let about = std::fs::metadata(&real).map_err(unreadable)?;
    if !about.is_file() {
        return Err(FileError::Unreadable { path: path.to_owned(), why: "it is no file".to_owned() });
    }
    if about.len() > bounds::MAX_MODULE_BYTES as u64 {
        return Err(FileError::TooLarge(path.to_owned()));
    }
    let module = Bytes::from(std::fs::read(&real).map_err(unreadable)?);
    let digest = Digest::from_bytes(Sha256::digest(&module).into());
    Ok(Fetched { module, digest })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_file_is_read_below_what_was_allowed_and_nowhere_else() {
        let (here, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(here.path().join("a.wasm"), b"\0asm").unwrap();
        std::fs::write(elsewhere.path().join("b.wasm"), b"\0asm").unwrap();
        symlink(elsewhere.path().join("b.wasm"), here.path().join("link.wasm")).unwrap();
        let allowed = [here.path().to_owned()];
        let read = |path: PathBuf| super::read(&path, &allowed);
        assert_eq!(read(here.path().join("a.wasm")).unwrap().module, "\0asm");
        for path in [
            elsewhere.path().join("b.wasm"),
            here.path().join("link.wasm"),
            here.path().join("..").join(elsewhere.path().file_name().unwrap()).join("b.wasm"),
            PathBuf::from("a.wasm"),
            PathBuf::from("/etc/passwd"),
        ] {
            assert!(matches!(read(path.clone()), Err(FileError::NotAllowed(_))), "{path:?}");
        }
        for path in [here.path().join("none.wasm"), here.path().to_owned()] {
            assert!(matches!(read(path.clone()), Err(FileError::Unreadable { .. })), "{path:?}");
        }
    }
}
