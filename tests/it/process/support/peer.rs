//! A server that functions send requests to: it answers by path, and remembers what it was sent.
//!
//! | path | answer |
//! | --- | --- |
//! | `/to?URL` | a redirect to that URL |
//! | `/never` | none |
//! | `/drip` | a head, one byte, and no more |
//! | `/together?N` | an empty one, to N requests once all are there |
//! | any other | the request as it came, head and body |

use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// A server that runs as long as this is kept.
pub(in crate::process) struct Peer {
    port: u16,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Vec<String>>,
    barrier: Mutex<Option<Arc<Barrier>>>,
}

impl Peer {
    /// One that speaks HTTP.
    pub(in crate::process) async fn plain() -> Self {
        Self::start(None).await
    }

    /// One that speaks HTTPS as `localhost`, and the certificate of the authority that vouches for it, in PEM.
    pub(in crate::process) async fn with_tls() -> (Self, String) {
        let mut authority = CertificateParams::new(Vec::<String>::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = certificate.signed_by(&key, &authority).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
            );
        (Self::start(Some(TlsAcceptor::from(Arc::new(config.unwrap())))).await, authority.pem())
    }

    async fn start(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, shared) = (listener.local_addr().unwrap().port(), Arc::<Shared>::default());
        let mut tasks = JoinSet::new();
        let of_tasks = Arc::clone(&shared);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (shared, tls) = (Arc::clone(&of_tasks), tls.clone());
                connections.spawn(async move {
                    match tls {
                        None => shared.answer(stream).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                shared.answer(stream).await;
                            }
                        }
                    }
                });
            }
        });
        Self { port, shared, _tasks: tasks }
    }

    pub(in crate::process) fn port(&self) -> u16 {
        self.port
    }

    /// The requests that it was sent: each head, in lower case.
    pub(in crate::process) fn seen(&self) -> Vec<String> {
        self.shared.seen.lock().unwrap().clone()
    }
}

impl Shared {
    async fn answer(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        let Some((head, body)) = read(&mut stream).await else { return };
        self.seen.lock().unwrap().push(head.to_lowercase());
        let target = head.split(' ').nth(1).unwrap();
        let answer = match target.split_once('?').unwrap_or((target, "")) {
            ("/to", url) => format!("HTTP/1.1 302 Found\r\nlocation: {url}\r\ncontent-length: 0\r\n\r\n").into_bytes(),
            ("/never", _) => std::future::pending().await,
            ("/drip", _) => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n1").await.unwrap();
                std::future::pending().await
            }
            ("/together", count) => {
                let barrier = Barrier::new(count.parse().unwrap());
                let barrier = Arc::clone(self.barrier.lock().unwrap().get_or_insert_with(|| Arc::new(barrier)));
                barrier.wait().await;
                b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec()
            }
            _ => {
                let length = head.len() + body.len();
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\n\r\n");
                [answer.as_bytes(), head.as_bytes(), &body].concat()
            }
        };
        // A guest that was stopped is gone by now.
        drop(stream.write_all(&answer).await);
        drop(stream.shutdown().await);
    }
}

/// A request's head, blank line included, and its body; nothing where the client goes away first.
async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<(String, Vec<u8>)> {
    let (mut bytes, mut chunk) = (Vec::new(), vec![0; 64 * 1_024]);
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end + 4].to_vec()).unwrap();
            if is_whole(&head, &bytes[end + 4..]) {
                return Some((head, bytes[end + 4..].to_vec()));
            }
        }
        match stream.read(&mut chunk).await.ok()? {
            0 => return None,
            more => bytes.extend_from_slice(&chunk[..more]),
        }
    }
}

fn is_whole(head: &str, body: &[u8]) -> bool {
    let lower = head.to_lowercase();
    let header = |name: &str| lower.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    match (header("content-length:"), header("transfer-encoding:")) {
        (Some(length), _) => body.len() >= length.parse().unwrap(),
        (None, Some(_chunked)) => body.ends_with(b"0\r\n\r\n"),
        (None, None) => true,
    }
}
