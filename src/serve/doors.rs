//! Where a server is reached: over HTTP and over gRPC, both with TLS or neither. Bound before anything is opened, and open only
//! once there is somebody behind them.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::ServeError;
use crate::config::{Authentication, Config, Keep};
use crate::http::{Listener, Places, Serving, front};
use crate::runtime::Runtime;
use crate::tasks::{OnExit, Tasks};
use crate::tls::Certificate;

/// The file with the token of the first account.
const ADMIN_TOKEN: &str = "admin.token";

/// Addresses that are bound, and what is shown to those who come.
pub(super) struct Doors {
    http: Listener,
    /// `None` where gRPC is not spoken.
    grpc: Option<Listener>,
    certificate: Option<Arc<Certificate>>,
}

impl Doors {
    /// Binds the addresses of a configuration.
    pub(super) async fn bind(config: &Config) -> Result<Self, ServeError> {
        let certificate = config.tls.as_ref().map(Certificate::open).transpose()?.map(Arc::new);
        let http = Listener::bind(config.listen, certificate.clone()).await?;
        let grpc = match config.grpc_listen {
            Some(address) => {
                Some(Listener::bind(address, certificate.clone()).await.map_err(ServeError::GrpcNotBound)?)
            }
            None => None,
        };
        Ok(Self { http, grpc, certificate })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.http.address()
    }

    pub(super) fn grpc_address(&self) -> Option<SocketAddr> {
        self.grpc.as_ref().map(Listener::address)
    }

    /// Where those elsewhere reach this server, as far as it can tell: endpoints of topics, callers of functions' own URLs.
    pub(super) fn url(&self, config: &Config) -> String {
        let scheme = if self.certificate.is_some() { "https" } else { "http" };
        let address = self.address();
        match (&config.public_url, config.public_hosts.first()) {
            (Some(url), _) => url.trim_end_matches('/').to_owned(),
            (None, Some(host)) => format!("{scheme}://{}:{}", in_url(host), address.port()),
            // At this machine, if nowhere else.
            (None, None) if address.ip().is_unspecified() => format!("{scheme}://localhost:{}", address.port()),
            (None, None) => format!("{scheme}://{address}"),
        }
    }

    /// Lets requests and calls in, until `closing`. Where they have to say who sends them, there is somebody who may do
    /// everything, and this returns the file with the token.
    pub(super) async fn open(
        self,
        config: &Config,
        runtime: &Runtime,
        tasks: &Tasks,
        closing: &CancellationToken,
    ) -> Result<Option<PathBuf>, ServeError> {
        let admin_token = match config.authentication {
            Authentication::Required => Some(first_admin(config, runtime).await?),
            Authentication::None => None,
        };
        if admin_token.is_none() && runtime.access().has_admin() {
            tracing::info!("nobody is asked who sends a request, though there are accounts: `--auth` has them count");
        }
        let places = Places { grpc_port: self.grpc_address().map(|address| address.port()), base: self.url(config) };
        let serving = Serving {
            bench_endpoints: config.bench_endpoints,
            without: config.without.clone(),
            public_hosts: config.hosts().map(ToOwned::to_owned).collect(),
            places,
        };
        if let Some(certificate) = self.certificate {
            let reading = read_again(certificate, tasks.stopping().clone())?;
            tasks.spawn("certificate", OnExit::Ignore, reading);
        }
        let (front, grpc) = front(runtime.clone(), serving, tasks);
        self.http.serve(front, tasks, closing.clone());
        if let Some(listener) = self.grpc {
            listener.serve_grpc(grpc, tasks, closing.clone());
        }
        Ok(admin_token)
    }
}

/// A host as it stands in a URL: an address of IPv6 in brackets, or its end would be taken for a port.
fn in_url(host: &str) -> Cow<'_, str> {
    if host.contains(':') { format!("[{host}]").into() } else { host.into() }
}

/// Reads the certificate again whenever somebody says that there is a new one.
fn read_again(
    certificate: Arc<Certificate>,
    stopping: CancellationToken,
) -> Result<impl Future<Output = ()> + Send, ServeError> {
    let mut told = signal(SignalKind::hangup()).map_err(ServeError::Signals)?;
    Ok(async move {
        while let Some(Some(())) = stopping.run_until_cancelled(told.recv()).await {
            match certificate.read_again() {
                Ok(()) => tracing::info!("the certificate was read again"),
                Err(error) => tracing::warn!(%error, "the certificate stays as it was"),
            }
        }
    })
}

/// Leaves a token for the first account where its operator finds it, unless it has one: in a file that only the server's own
/// user reads. Returns that file.
async fn first_admin(config: &Config, runtime: &Runtime) -> Result<PathBuf, ServeError> {
    let path = match &config.keep {
        Keep::Sled(data) => data.join(ADMIN_TOKEN),
        Keep::Memory => std::env::temp_dir().join(format!("tidemill-{}-{ADMIN_TOKEN}", uuid::Uuid::new_v4())),
    };
    if runtime.access().has_admin() {
        return Ok(path);
    }
    let left = |token: &str| leave(&path, token).map_err(|cause| ServeError::AdminToken { path: path.clone(), cause });
    runtime.access().first_admin(left).await?;
    tracing::info!(path = %path.display(), "nobody could do everything: a token of the account `default/admin` is in this file");
    Ok(path)
}

/// Writes a token to where it survives a power cut: into a file that is made anew, so that nobody else has it open.
fn leave(path: &Path, token: &str) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => (),
    }
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(token.as_bytes())?;
    file.sync_all()?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_ipv6_stands_in_brackets_and_other_hosts_as_they_are() {
        let hosts = ["2001:db8::1", "::1", "192.0.2.1", "mill.example"].map(in_url);
        assert_eq!(hosts, ["[2001:db8::1]", "[::1]", "192.0.2.1", "mill.example"]);
    }
}
