//! Requests as they are written, also to the ports that a test cannot listen on: over a pipe in the place of a socket.

use bytes::Bytes;
use http_body_util::Full;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, duplex};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::*;
use crate::model::secret::Entrusted;
use crate::model::time::Timestamp;

const PATIENCE: Duration = Duration::from_secs(10);

fn request(uri: &str) -> Request<WasiBody> {
    let body = http_body_util::BodyExt::boxed_unsync(http_body_util::BodyExt::map_err(
        Full::new(Bytes::new()),
        |never: std::convert::Infallible| match never {},
    ));
    Request::get(uri).header("host", "guests.own.example").body(body).unwrap()
}

fn identity() -> Identity {
    Identity {
        invocation: "third".to_owned(),
        namespace: crate::model::names::Namespace::default(),
        function: "f".to_owned(),
        version: 1,
        attempt: 1,
        content_type: String::new(),
        accepted: Timestamp::from_ms(0),
        deadline: Timestamp::from_ms(0),
        chain: vec!["first".to_owned(), "second".to_owned()],
        hop: 2,
        traceparent: None,
        attributes: Vec::new(),
    }
}

/// A request ready to be sent, and where to.
fn prepared(uri: &str) -> (Request<WasiBody>, Destination) {
    let mut request = request(uri);
    let to = Destination::of(request.uri(), &["*://*:*".parse().unwrap()]).unwrap();
    headers::prepare(&mut request, &to, &identity()).unwrap();
    (request, to)
}

async fn sent<S>(request: Request<WasiBody>, stream: S) -> Result<(Response<WasiBody>, Transfer), Unsent>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let patience = Patience::of(None, Instant::now() + PATIENCE);
    exchange::exchange(stream, request, patience, permits()).await
}

fn permits() -> Permits {
    let one = || Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
    [one(), one()]
}

fn guest() -> Outgoing {
    Outgoing(Some(Guest {
        outbound: Arc::new(Outbound::new(None).unwrap()),
        version: Arc::new(crate::model::samples::version()),
        identity: Arc::new(identity()),
        log: Capture::shared(Entrusted::default()),
        until: Instant::now() + PATIENCE,
        requests: None,
    }))
}

#[test]
fn what_a_run_leaves_under_way_counts_in_the_next_one_of_its_instance() {
    let permits = |guest: &mut Outgoing| guest.0.as_mut().unwrap().permits();
    let mut outgoing = guest();
    let left: Vec<_> = (0..bounds::MAX_GUEST_REQUESTS).map(|_| permits(&mut outgoing).unwrap()).collect();
    assert!(outgoing.has_left_many());
    outgoing.follow(guest());
    assert!(matches!(permits(&mut outgoing).unwrap_err().code, Error::ConnectionLimitReached));
    drop(left);
    assert!(!outgoing.has_left_many() && permits(&mut outgoing).is_ok());
}

/// Takes one request, answers it with 204, and returns its head.
async fn served(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
    String::from_utf8(head).unwrap()
}

#[track_caller]
fn check_head(head: &str, host: &str) {
    let mut lines: Vec<_> = head.trim_end().lines().map(str::to_owned).collect();
    assert_eq!(lines.remove(0), "GET /x?y HTTP/1.1");
    lines.sort();
    let expected = [format!("host: {host}"), "tidemill-chain: first,second,third".into(), "tidemill-hop: 3".into()];
    assert_eq!(lines, expected);
}

async fn check_http(uri: &str, host: &str) {
    let (near, far) = duplex(4_096);
    let (request, _) = prepared(uri);
    let (sent, head) = tokio::join!(sent(request, near), served(far));
    assert_eq!(sent.unwrap().0.status().as_u16(), 204);
    check_head(&head, host);
}

#[tokio::test]
async fn http_says_the_host_that_was_granted_with_its_port_where_that_is_not_80() {
    check_http("http://api.example/x?y", "api.example").await;
    check_http("http://api.example:80/x?y", "api.example").await;
    check_http("http://api.example:8080/x?y", "api.example:8080").await;
    check_http("http://[2606:4700::1]:8080/x?y", "[2606:4700::1]:8080").await;
}

/// A server for `api.example`, and the file of the authority that vouches for it.
fn tls_server() -> (TlsAcceptor, tempfile::NamedTempFile) {
    let mut authority = CertificateParams::new(Vec::<String>::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["api.example".to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &authority).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), authority.pem()).unwrap();
    (TlsAcceptor::from(Arc::new(config)), file)
}

#[tokio::test]
async fn https_says_the_host_that_was_granted_with_its_port_where_that_is_not_443() {
    let (acceptor, authority) = tls_server();
    let outbound = Outbound::new(Some(authority.path())).unwrap();
    for (uri, host) in [
        ("https://api.example/x?y", "api.example"),
        ("https://api.example:443/x?y", "api.example"),
        ("https://api.example:8443/x?y", "api.example:8443"),
    ] {
        let (near, far) = duplex(4_096);
        let (request, to) = prepared(uri);
        let client = async {
            let stream = outbound.connections.greet(&to.peer, near, PATIENCE).await.unwrap();
            sent(request, stream).await.unwrap().0.status().as_u16()
        };
        let server = async { served(acceptor.accept(far).await.unwrap()).await };
        let (status, head) = tokio::join!(client, server);
        assert_eq!(status, 204, "{uri}");
        check_head(&head, host);
    }
}

#[tokio::test]
async fn a_server_whose_certificate_is_for_another_name_is_not_spoken_to() {
    let (acceptor, authority) = tls_server();
    let outbound = Outbound::new(Some(authority.path())).unwrap();
    let (near, far) = duplex(4_096);
    let (_, to) = prepared("https://another.example/x?y");
    let (told, _) = tokio::join!(outbound.connections.greet(&to.peer, near, PATIENCE), acceptor.accept(far));
    let Err(told) = told else { panic!("it was trusted") };
    assert!(matches!(Unsent::from(told.clone()).code, Error::TlsCertificateError), "{told:?}");
}

#[tokio::test]
async fn a_server_that_says_nonsense_or_hangs_up_is_told_apart() {
    let answered = async |answer: &'static [u8]| {
        let (near, mut far) = duplex(4_096);
        let (request, _) = prepared("http://api.example/x?y");
        let server = async {
            far.write_all(answer).await.unwrap();
            far.shutdown().await.unwrap();
            far // stays open in the other direction
        };
        let (sent, _far) = tokio::join!(sent(request, near), server);
        match sent {
            Ok(_) => panic!("{answer:?} is no answer"),
            Err(unsent) => format!("{:?}", unsent.code),
        }
    };
    assert_eq!(answered(b"nonsense\r\n\r\n").await, "HttpProtocolError");
    assert_eq!(answered(b"").await, "HttpResponseIncomplete");
    assert_eq!(answered(b"HTTP/1.1 200 OK\r\ncontent-len").await, "HttpResponseIncomplete");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_falls_silent_is_given_up_and_a_guest_that_takes_its_time_is_not() {
    const SECOND: Duration = Duration::from_secs(1);
    let (near, mut far) = duplex(4_096);
    let (request, _) = prepared("http://api.example/x?y");
    let options = RequestOptions { between_bytes_timeout: Some(SECOND), ..RequestOptions::default() };
    let patience = Patience::of(Some(options), Instant::now() + 10_000 * SECOND);
    let (sent, ()) = tokio::join!(exchange::exchange(near, request, patience, permits()), async {
        far.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n1").await.unwrap();
    });
    let (response, transfer) = sent.unwrap();
    let mut body = response.into_body();
    let read = async {
        let mut next = async || http_body_util::BodyExt::frame(&mut body).await.unwrap();
        assert_eq!(next().await.unwrap().into_data().unwrap(), "1");
        tokio::time::sleep(3_600 * SECOND).await;
        far.write_all(b"2").await.unwrap();
        assert_eq!(next().await.unwrap().into_data().unwrap(), "2");
        let begun = Instant::now();
        assert!(matches!(next().await, Err(Error::ConnectionReadTimeout)));
        assert_eq!(begun.elapsed().as_secs(), 1);
    };
    tokio::select! {
        () = read => (),
        _ = Box::into_pin(transfer) => panic!("the connection ended"),
    }
}

#[tokio::test]
async fn all_guests_together_have_a_bounded_number_of_requests_under_way() {
    let outbound = Outbound { requests: Arc::new(Semaphore::new(2)), ..Outbound::new(None).unwrap() };
    let outbound = Arc::new(outbound);
    let mut version = crate::engine::tests::version();
    version.grants.http.push("https://api.example".parse().unwrap());
    let call =
        Call { identity: Arc::new(identity()), version: Arc::new(version), ..crate::engine::tests::call(Bytes::new()) };
    let mut guests = [(); 2]
        .map(|()| Outgoing::of(&call, Arc::clone(&outbound), Capture::log(1_000, Entrusted::default())).0.unwrap());
    let mut admit = |guest: usize| guests[guest].admit(&request("https://api.example/x")).map(|(_, permits)| permits);
    let (first, _second) = (admit(0).unwrap(), admit(1).unwrap());
    let told = admit(1).unwrap_err();
    assert!(matches!(told.code, Error::ConnectionLimitReached) && told.why.contains("the runtime has"), "{told:?}");
    drop(first);
    assert!(admit(1).is_ok());
}

#[tokio::test]
async fn a_guest_that_never_runs_reaches_nobody() {
    let request = request("http://127.0.0.1:1/");
    let sent = Box::into_pin(Outgoing::none().send_request(request, None, Box::new(async { Ok(()) }))).await;
    assert!(matches!(sent, Err(Error::HttpRequestDenied)));
}
