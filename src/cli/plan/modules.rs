//! The modules of functions: which one is meant, and its bytes when it is to be deployed.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use reqwest::Method;
use sha2::{Digest as _, Sha256};

use super::desired::{Desired, Module};
use super::present::{Present, Server};
use super::resource::Id;
use crate::cli::deploy;
use crate::cli::error::Error;

/// Puts the digest of each module into the settings of its function. Paths are read from `folder`.
pub(super) async fn resolve(desired: &mut Desired, folder: &Path, present: &Present) -> Result<(), Error> {
    for (id, module) in &desired.modules {
        let digest = match module {
            Module::File(path) => digest(&deploy::read(&folder.join(path)).await?),
            Module::Image(image) => {
                let told = format!("{id}: `{image}` cannot be read: name a file");
                return Err(Error::Usage(told));
            }
            Module::Stored(digest) => stored(id, digest, present)?,
        };
        if let Some(settings) = desired.resources.get_mut(id) {
            settings["module"] = digest.into();
        }
    }
    Ok(())
}

/// The bytes of the module that was planned for, to deploy them.
pub(super) async fn bytes(
    server: &Server<'_>,
    id: &Id,
    module: &Module,
    folder: &Path,
    planned: &str,
) -> Result<Bytes, Error> {
    let (bytes, from): (_, PathBuf) = match module {
        Module::File(path) => (deploy::read(&folder.join(path)).await?, folder.join(path)),
        Module::Image(image) => return Err(Error::Usage(format!("{id}: `{image}` cannot be read: name a file"))),
        Module::Stored(_) => (download(server, &id.name).await?, "the server's own".into()),
    };
    if digest(&bytes) == planned {
        return Ok(bytes);
    }
    Err(Error::Usage(format!("{id}: the module has changed since it was planned ({}): plan again", from.display())))
}

/// The module of a function's newest version.
pub(super) async fn download(server: &Server<'_>, function: &str) -> Result<Bytes, Error> {
    let response = server.client.send(server.request(Method::GET, &["functions", function, "module"])).await?;
    response.bytes().await.map_err(|error| server.client.lost(&error))
}

/// `sha256:…`.
pub(super) fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

fn stored(id: &Id, digest: &str, present: &Present) -> Result<String, Error> {
    let there = present.resources.get(id).and_then(|settings| settings["module"].as_str());
    if there == Some(digest) {
        return Ok(digest.to_owned());
    }
    let there = there.map_or_else(|| "there is no such function".to_owned(), |there| format!("it has {there}"));
    Err(Error::Usage(format!("{id}: the server does not have its module {digest}: {there}. Name a file")))
}
