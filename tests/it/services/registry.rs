//! A registry of images: Debian's `docker-registry`, which `tests/services/fetch` installs, and images that
//! `oci-client` pushes to it.

use std::fs;
use std::path::PathBuf;

use oci_client::Reference;
use oci_client::client::{Client, ClientConfig, ClientProtocol, Config, ImageLayer};
use oci_client::manifest::OciImageManifest;
use oci_client::secrets::RegistryAuth;
use tempfile::TempDir;
use tokio_rustls::rustls::crypto::ring;

use super::server::{Server, program};

pub(crate) const NO_REGISTRY: &str = "there is no `docker-registry`: `tests/services/fetch` installs it";
/// The user of a registry that has one, and the password that its file has the bcrypt of.
const USER: &str = "mill";
const PASSWORD: &str = "right-password";
const HASH: &str = "$2b$04$KoITRq1OFeRcNB0kT4cNf.ryYDUQ.ExQozi2jLW9PkRLQf2xKp4pO";

/// A registry that runs until this is dropped.
pub(crate) struct Registry {
    server: Server,
    /// `127.0.0.1:PORT`.
    pub(crate) address: String,
    auth: RegistryAuth,
}

impl Registry {
    /// One that lets everybody in.
    pub(crate) async fn start() -> Option<Self> {
        Self::started("", RegistryAuth::Anonymous).await
    }

    /// One that knows one user.
    pub(crate) async fn with_user() -> Option<Self> {
        let auth = "auth: {htpasswd: {realm: tests, path: users}}\n";
        Self::started(auth, RegistryAuth::Basic(USER.to_owned(), PASSWORD.to_owned())).await
    }

    async fn started(more: &str, auth: RegistryAuth) -> Option<Self> {
        let (program, folder) = (program("docker-registry")?, TempDir::new().unwrap());
        let settings = "version: 0.1\nstorage: {filesystem: {rootdirectory: data}}\nhttp: {addr: '127.0.0.1:0'}\n";
        fs::write(folder.path().join("config.yml"), format!("{settings}{more}")).unwrap();
        fs::write(folder.path().join("users"), format!("{USER}:{HASH}\n")).unwrap();
        let server = Server::start_in(folder, &program, &["serve", "config.yml"]);
        let address = server
            .said(|log| {
                let (_, rest) = log.split_once("listening on ")?;
                let address: String =
                    rest.chars().take_while(|next| next.is_ascii_digit() || ".:".contains(*next)).collect();
                rest.len().gt(&address.len()).then_some(address)
            })
            .await;
        Some(Self { server, address, auth })
    }

    /// Pushes an image of one layer, and returns the digest of its manifest.
    pub(crate) async fn push(&self, name: &str, layer_type: &str, layer: &[u8], config_type: &str) -> String {
        // Another test may have said so before.
        drop(ring::default_provider().install_default());
        let config = ClientConfig { protocol: ClientProtocol::Http, ..ClientConfig::default() };
        let reference: Reference = format!("{}/{name}", self.address).parse().unwrap();
        let layers = [ImageLayer::new(layer.to_vec(), layer_type.to_owned(), None)];
        let config_blob = Config::new(b"{}".as_slice(), config_type.to_owned(), None);
        let manifest = OciImageManifest::build(&layers, &config_blob, None);
        let pushed = Client::new(config).push(&reference, &layers, config_blob, &self.auth, Some(manifest)).await;
        let url = pushed.unwrap().manifest_url;
        url.rsplit_once('/').unwrap().1.to_owned()
    }

    /// Pushes a module as the CNCF's artifact has it.
    pub(crate) async fn push_module(&self, name: &str, module: &[u8]) -> String {
        self.push(name, "application/wasm", module, "application/vnd.wasm.config.v0+json").await
    }

    /// Where the registry keeps what has that digest (`sha256:...`).
    pub(crate) fn blob(&self, digest: &str) -> PathBuf {
        let digits = digest.strip_prefix("sha256:").unwrap();
        let blobs = self.server.folder.path().join("data/docker/registry/v2/blobs/sha256");
        blobs.join(&digits[..2]).join(digits).join("data")
    }
}
