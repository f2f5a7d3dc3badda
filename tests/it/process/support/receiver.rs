//! A receiver of webhooks: it notes what it is sent, answers as it is told to, and can go away and come back on its port.
//! Its check of signatures is its own, by the published description of Standard Webhooks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

/// A server that runs as long as this is kept.
pub(in crate::process) struct Receiver {
    port: u16,
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

/// The port of a receiver that is away. Nobody else gets it meanwhile.
pub(in crate::process) struct Gone {
    socket: TcpSocket,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(in crate::process) struct Received {
    pub(in crate::process) path: String,
    pub(in crate::process) headers: BTreeMap<String, String>,
    pub(in crate::process) body: Vec<u8>,
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Vec<Received>>,
    /// What each path is answered with, head and body, without the protocol; 204 where nothing is said.
    answers: Mutex<BTreeMap<String, String>>,
}

impl Receiver {
    pub(in crate::process) async fn start() -> Self {
        Self::on(TcpListener::bind(("127.0.0.1", 0)).await.unwrap())
    }

    fn on(listener: TcpListener) -> Self {
        let (port, shared) = (listener.local_addr().unwrap().port(), Arc::<Shared>::default());
        let (mut tasks, of_tasks) = (JoinSet::new(), Arc::clone(&shared));
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let shared = Arc::clone(&of_tasks);
                connections.spawn(async move { shared.answer(stream).await });
            }
        });
        Self { port, shared, tasks }
    }

    /// Ends it; its port refuses connections, and stays its own, until it is back.
    pub(in crate::process) async fn gone(mut self) -> Gone {
        self.tasks.shutdown().await;
        let socket = TcpSocket::new_v4().unwrap();
        // Connections that have ended keep an address for a while.
        socket.set_reuseaddr(true).unwrap();
        socket.bind(([127, 0, 0, 1], self.port).into()).unwrap();
        Gone { socket }
    }

    pub(in crate::process) fn port(&self) -> u16 {
        self.port
    }

    pub(in crate::process) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Has `path` answered with this, such as `503 Service Unavailable\r\nretry-after: 7`.
    pub(in crate::process) fn answers(&self, path: &str, head: &str) {
        self.shared.answer_with(path, format!("{head}\r\ncontent-length: 0\r\n\r\n"));
    }

    /// Has `path` answered with this, as a server's API would.
    pub(in crate::process) fn answers_json(&self, path: &str, json: &serde_json::Value) {
        let body = json.to_string();
        let head = format!("200 OK\r\ncontent-type: application/json\r\ncontent-length: {}", body.len());
        self.shared.answer_with(path, format!("{head}\r\n\r\n{body}"));
    }

    /// What came to `path`, in its order.
    pub(in crate::process) fn seen(&self, path: &str) -> Vec<Received> {
        self.shared.seen.lock().unwrap().iter().filter(|received| received.path == path).cloned().collect()
    }
}

impl Gone {
    /// Comes back, and has seen nothing.
    pub(in crate::process) fn back(self) -> Receiver {
        Receiver::on(self.socket.listen(1_024).unwrap())
    }
}

impl Shared {
    fn answer_with(&self, path: &str, text: String) {
        self.answers.lock().unwrap().insert(path.to_owned(), text);
    }

    async fn answer(&self, mut stream: TcpStream) {
        let Some(received) = read(&mut stream).await else { return };
        let text = self.answers.lock().unwrap().get(&received.path).cloned();
        self.seen.lock().unwrap().push(received);
        let text = text.unwrap_or_else(|| "204 No Content\r\ncontent-length: 0\r\n\r\n".to_owned());
        drop(stream.write_all(format!("HTTP/1.1 {text}").as_bytes()).await);
        drop(stream.shutdown().await);
    }
}

impl Received {
    #[track_caller]
    pub(in crate::process) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("there is no {name} in {:?}", self.headers))
    }

    #[track_caller]
    pub(in crate::process) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    /// Whether one of its signatures is one by `key`, which begins with `whsec_`.
    pub(in crate::process) fn is_signed_by(&self, key: &str) -> bool {
        let key = BASE64_STANDARD.decode(key.strip_prefix("whsec_").unwrap()).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(self.header("webhook-id").as_bytes());
        mac.update(b".");
        mac.update(self.header("webhook-timestamp").as_bytes());
        mac.update(b".");
        mac.update(&self.body);
        let expected = mac.finalize().into_bytes();
        let mut signatures = self.header("webhook-signature").split(' ');
        signatures.any(|signature| {
            signature.strip_prefix("v1,").is_some_and(|text| BASE64_STANDARD.decode(text).unwrap() == expected[..])
        })
    }
}

async fn read(stream: &mut TcpStream) -> Option<Received> {
    let (mut bytes, mut chunk) = (Vec::new(), vec![0; 64 * 1_024]);
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let mut lines = head.lines();
            let path = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
            let headers: BTreeMap<_, _> = lines
                .map(|line| line.split_once(':').unwrap())
                .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
                .collect();
            let length: usize = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
            if bytes.len() >= end + 4 + length {
                return Some(Received { path, headers, body: bytes[end + 4..end + 4 + length].to_vec() });
            }
        }
        match stream.read(&mut chunk).await.ok()? {
            0 => return None,
            more => bytes.extend_from_slice(&chunk[..more]),
        }
    }
}

/// The vector that the libraries of Standard Webhooks are tested with.
#[test]
fn a_signature_is_checked_as_the_published_vector_says() {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let received = Received {
        path: "/".to_owned(),
        headers: BTreeMap::from([
            header("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            header("webhook-timestamp", "1614265330"),
            header("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ]),
        body: b"{\"test\": 2432232314}".to_vec(),
    };
    assert!(received.is_signed_by("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
    assert!(!Received { body: b"{}".to_vec(), ..received }.is_signed_by("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
}
