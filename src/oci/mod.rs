//! Images of registries: modules that are pulled by a reference, `oci://HOST/REPOSITORY:TAG`. A manifest says which layer is
//! the module, and what was sent is what its digest says or nothing. Knows no functions; pushes nothing.
//!
//! What is a module (`layer`): a layer of the CNCF's artifact for WebAssembly (`application/wasm`), one of the older form
//! (`application/vnd.wasm.content.layer.v1+wasm`), or the only layer of an image, if it is a module or an archive with
//! one in it. Names and addresses are admitted as `outbound` says (`wire`): a registry on this machine is reached where a
//! server asks nobody who sends requests, for then whoever names one is on this machine too.
//!
//! Types and the grammar of names are those of `oci-client`. Its client is not used: it resolves names by itself,
//! follows redirects to wherever they lead, and takes its authorities from the system.

pub(crate) mod fuzz;
mod layer;
mod manifest;
mod reference;
mod wire;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use oci_client::manifest::OciManifest;
use sha2::{Digest as _, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

pub use reference::{ImageReference, InvalidReference, SCHEME};

use crate::config::Authentication;
use crate::model::bounds;
use crate::model::names::{Digest, Namespace};
use crate::model::secret::SecretValue;
use crate::outbound::{Allowed, InvalidAllowed};
use crate::tls::UnusableAuthority;
use manifest::Layer;
use wire::{Session, Ways};

/// How long one pull may take in all.
const PULL: Duration = Duration::from_secs(120);
/// Pulls at once: each holds a module in memory, and its archive.
const MAX_PULLS: usize = 4;
/// Those of one namespace: a registry that drips holds nobody else up.
const MAX_PULLS_OF_NAMESPACE: usize = 2;
/// How long one waits for others to end.
const PATIENCE: Duration = Duration::from_secs(10);
/// Largest manifest: what the specification asks registries to take.
const MAX_MANIFEST_BYTES: usize = 4 * 1_024 * 1_024;

/// Pulls images. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Images {
    parts: Arc<Parts>,
}

struct Parts {
    ways: Ways,
    places: Places,
}

/// Places to pull in. Whoever finds none free waits for one, behind those who have waited for longer.
struct Places {
    all: Arc<Semaphore>,
    /// Of the namespaces that somebody pulls for.
    namespaces: Mutex<HashMap<Namespace, Arc<Semaphore>>>,
}

/// Who asks a registry.
#[derive(Clone, Debug)]
pub struct Login {
    /// The user.
    pub user: String,
    /// The password, or a token in its place.
    pub password: SecretValue,
}

/// A module that was pulled.
#[derive(Clone, Debug)]
pub struct Image {
    /// What it was called.
    pub reference: ImageReference,
    /// The digest of what the reference named then: of its manifest, or of the list that its manifest stands in.
    pub digest: Digest,
    /// The module.
    pub module: Bytes,
}

/// Why an image was not pulled. Nothing has changed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PullError {
    /// Too many are pulled, or it took too long.
    #[error("{0}")]
    Busy(String),
    /// The registry wants to know who asks, or does not let them.
    #[error("the registry `{registry}` does not let this server pull: {why}")]
    Denied {
        /// Which.
        registry: String,
        /// What it wants.
        why: String,
    },
    /// What came is not what its digest says.
    #[error("{what} of `{reference}` has the digest sha256:{found}, and not {wanted}: it was changed, and is not used")]
    Digest {
        /// What was pulled.
        reference: String,
        /// Which part of it.
        what: &'static str,
        /// What it should have been.
        wanted: String,
        /// What it was.
        found: Digest,
    },
    /// The registry may not be reached.
    #[error("the registry `{registry}` may not be reached: {why}. `serve --allow-private-targets` allows it")]
    NotAllowed {
        /// Which.
        registry: String,
        /// Why.
        why: String,
    },
    /// The registry has no such image.
    #[error("there is no image `{0}`: look at its name and its tag")]
    NotFound(String),
    /// It is larger than anything that is deployed.
    #[error("{what} of `{reference}` is too large: it may have {most} bytes")]
    TooLarge {
        /// What was pulled.
        reference: String,
        /// Which part of it.
        what: &'static str,
        /// How much there may be.
        most: usize,
    },
    /// The registry did not answer as one does.
    #[error("the registry `{registry}` cannot be pulled from: {why}")]
    Unavailable {
        /// Which.
        registry: String,
        /// What happened.
        why: String,
    },
    /// There is no module in it.
    #[error("`{reference}` is not an image of a WebAssembly module: {why}")]
    Unusable {
        /// What was pulled.
        reference: String,
        /// Why.
        why: String,
    },
}

impl Images {
    /// Pulls from registries at public addresses, and at those of `private`; from those on this machine too where the
    /// server asks nobody. Trusts the authorities in the file `authority` besides the public ones.
    pub fn new(
        private: &[String],
        authentication: Authentication,
        authority: Option<&Path>,
    ) -> Result<Self, UnusableImages> {
        let ways = Ways::new(&Allowed::of(private)?, private, authentication, authority)?;
        Ok(Self { parts: Arc::new(Parts { ways, places: Places::new() }) })
    }

    /// Pulls a module for a namespace.
    pub async fn pull(
        &self,
        namespace: &Namespace,
        reference: &ImageReference,
        login: Option<&Login>,
    ) -> Result<Image, PullError> {
        let _place = self.parts.places.take(namespace).await?;
        let pulled = timeout(PULL, self.pulled(reference, login)).await;
        pulled.unwrap_or_else(|_elapsed| Err(PullError::Busy(format!("`{reference}` was not pulled within {PULL:?}"))))
    }

    async fn pulled(&self, reference: &ImageReference, login: Option<&Login>) -> Result<Image, PullError> {
        let mut session = self.parts.ways.session(reference, login).await?;
        let (mut manifest, digest) = fetch_manifest(&mut session, reference, reference.which()).await?;
        if let OciManifest::ImageIndex(index) = &manifest {
            let entry = manifest::of_index(index).map_err(|why| unusable(reference, why))?;
            manifest = fetch_manifest(&mut session, reference, &entry).await?.0;
        }
        let OciManifest::Image(image) = manifest else {
            return Err(unusable(reference, "its list leads to another list".to_owned()));
        };
        let layer = manifest::module_layer(&image).map_err(|why| unusable(reference, why))?;
        let content = Self::content(&mut session, reference, &layer).await?;
        let module = layer::module(content).await.map_err(|why| unusable(reference, why))?;
        Ok(Image { reference: reference.clone(), digest, module })
    }

    /// What is in a layer. It is sent also where a module with its digest is kept here: that may be another namespace's, and
    /// whoever names a digest need not have what it is of. Nor is it enough that the registry says that it has it, for that
    /// may be anybody's.
    async fn content(session: &mut Session<'_>, reference: &ImageReference, layer: &Layer) -> Result<Bytes, PullError> {
        let (what, most) = ("the layer", bounds::MAX_MODULE_BYTES);
        if layer.bytes > most as u64 {
            return Err(PullError::TooLarge { reference: reference.to_string(), what, most });
        }
        let blob = format!("/v2/{}/blobs/sha256:{}", reference.repository(), layer.digest);
        let content = session.get(&blob, None, most, what).await?;
        let found = digest_of(content.clone()).await;
        if found != layer.digest {
            let wanted = format!("sha256:{}", layer.digest);
            return Err(PullError::Digest { reference: reference.to_string(), what, wanted, found });
        }
        Ok(content)
    }
}

impl Places {
    fn new() -> Self {
        Self { all: Arc::new(Semaphore::new(MAX_PULLS)), namespaces: Mutex::default() }
    }

    /// A place for a namespace, which is given back with what is returned.
    async fn take(&self, namespace: &Namespace) -> Result<[Option<OwnedSemaphorePermit>; 2], PullError> {
        let own = self.of(namespace);
        let taken = async { [own.acquire_owned().await.ok(), self.all.clone().acquire_owned().await.ok()] };
        timeout(PATIENCE, taken).await.map_err(|_elapsed| {
            PullError::Busy(format!(
                "too many images are being pulled, {MAX_PULLS} may be at once and {MAX_PULLS_OF_NAMESPACE} of the namespace \
                 `{namespace}`: try again in a moment"
            ))
        })
    }

    fn of(&self, namespace: &Namespace) -> Arc<Semaphore> {
        let mut namespaces = self.namespaces.lock().unwrap_or_else(PoisonError::into_inner);
        namespaces.retain(|_, places| Arc::strong_count(places) > 1); // those that somebody pulls or waits for
        let places = namespaces.entry(namespace.clone());
        places.or_insert_with(|| Arc::new(Semaphore::new(MAX_PULLS_OF_NAMESPACE))).clone()
    }
}

/// Why images cannot be pulled at all.
#[derive(Debug, thiserror::Error)]
pub enum UnusableImages {
    /// What may be reached that is private is no address.
    #[error(transparent)]
    Allowed(#[from] InvalidAllowed),
    /// The authorities that are to be trusted cannot be.
    #[error(transparent)]
    Authority(#[from] UnusableAuthority),
}

/// A manifest and its digest: the one that it was asked for by, where that is how it was asked for.
async fn fetch_manifest(
    session: &mut Session<'_>,
    reference: &ImageReference,
    which: &str,
) -> Result<(OciManifest, Digest), PullError> {
    let path = format!("/v2/{}/manifests/{which}", reference.repository());
    let body = session.get(&path, Some(manifest::ACCEPT), MAX_MANIFEST_BYTES, "the manifest").await?;
    let found = digest_of(body.clone()).await;
    let asked = which.starts_with("sha256:").then_some(which).or(reference.digest());
    if let Some(wanted) = asked.filter(|wanted| **wanted != format!("sha256:{found}")) {
        let (what, wanted) = ("the manifest", wanted.to_owned());
        return Err(PullError::Digest { reference: reference.to_string(), what, wanted, found });
    }
    let manifest = manifest::read(&body).map_err(|why| unusable(reference, why))?;
    Ok((manifest, found))
}

fn unusable(reference: &ImageReference, why: String) -> PullError {
    PullError::Unusable { reference: reference.to_string(), why }
}

/// SHA-256, on a thread that may take its time.
async fn digest_of(content: Bytes) -> Digest {
    let hash = move || Digest::from_bytes(Sha256::digest(&content).into());
    tokio::task::spawn_blocking(hash).await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namespace(name: &str) -> Namespace {
        name.parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn pulls_of_a_namespace_leave_places_for_others_and_wait_for_each_other() {
        let places = Places::new();
        let slow = [places.take(&namespace("slow")).await.unwrap(), places.take(&namespace("slow")).await.unwrap()];
        assert!(matches!(places.take(&namespace("slow")).await, Err(PullError::Busy(_))));
        let other = places.take(&namespace("other")).await.unwrap();
        let more = namespace("slow");
        let mut waiting = std::pin::pin!(places.take(&more));
        assert!(futures::poll!(&mut waiting).is_pending());
        drop(slow);
        assert!(waiting.await.is_ok());
        drop(other);
        assert_eq!(places.of(&namespace("third")).available_permits(), MAX_PULLS_OF_NAMESPACE);
        assert_eq!(places.namespaces.lock().unwrap().len(), 1, "nothing is kept of who pulls nothing");
    }
}
