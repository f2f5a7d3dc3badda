//! The modules of functions: which one is meant, and its bytes when it is to be deployed.

use std::path::Path;

use bytes::Bytes;
use reqwest::Method;
use sha2::{Digest as _, Sha256};

use super::change::Step;
use super::desired::{Desired, Module};
use super::present::{Present, Server};
use super::resource::Id;
use crate::cli::deploy;
use crate::cli::error::Error;

/// Puts into the settings of each function which module it is to have: an image by its name, anything else by its digest.
/// Paths are read from `folder`.
pub(super) async fn resolve(desired: &mut Desired, folder: &Path, present: &Present) -> Result<(), Error> {
    for (id, module) in &desired.modules {
        let there = present.digests.get(id);
        let digest = match module {
            Module::File(path) => digest(&deploy::read(&folder.join(path)).await?),
            Module::Image { .. } => continue,
            Module::Stored(digest) => stored(id, digest, there)?,
        };
        // What was pulled as an image may be the very module.
        let same = present.resources.get(id).filter(|_| there == Some(&digest));
        let told = same.and_then(|settings| settings["module"].as_str()).unwrap_or(&digest).into();
        if let Some(settings) = desired.resources.get_mut(id) {
            settings["module"] = told;
        }
    }
    Ok(())
}

/// The bytes of a module that is no image, to deploy them; `there` is the digest of the one that is on the server.
pub(super) async fn bytes(
    server: &Server<'_>,
    step: &Step,
    module: &Module,
    folder: &Path,
    there: Option<&String>,
) -> Result<Bytes, Error> {
    let bytes = match module {
        Module::File(path) => deploy::read(&folder.join(path)).await?,
        Module::Image { .. } | Module::Stored(_) => download(server, &step.id.name).await?,
    };
    let planned = step.after["module"].as_str().unwrap_or_default();
    let (planned, digest) =
        (if planned.starts_with("sha256:") { Some(planned) } else { there.map(String::as_str) }, digest(&bytes));
    if planned == Some(digest.as_str()) {
        return Ok(bytes);
    }
    Err(Error::Usage(format!("{}: its module has changed since it was planned, to {digest}: plan again", step.id)))
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

fn stored(id: &Id, digest: &str, there: Option<&String>) -> Result<String, Error> {
    if there.is_some_and(|there| there == digest) {
        return Ok(digest.to_owned());
    }
    let there = there.map_or_else(|| "there is no such function".to_owned(), |there| format!("it has {there}"));
    Err(Error::Usage(format!("{id}: the server does not have its module {digest}: {there}. Name a file")))
}
