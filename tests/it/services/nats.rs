//! Streams of a NATS server.

use std::fs;
use std::path::Path;

use async_nats::ConnectOptions;
use async_nats::jetstream;
use async_nats::jetstream::stream::{Config, Stream};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tidemill::delivery::NatsDelivery;
use tidemill::model::connection::{self, Service};

use super::server::{Server, program};
use super::{World, by, gives_up, message, reach, tries_again};
use crate::skipped;

const HOW_TO_GET_IT: &str = "there is no `nats-server`: `tests/services/fetch` installs it";

/// A server with `JetStream`; `port` -1 is one of its own choice.
async fn started(folder: TempDir, port: &str, more: &[&str]) -> Option<(Server, String)> {
    let program = program("nats-server")?;
    let arguments = [&["-a", "127.0.0.1", "-p", port, "-js", "-sd", "data"], more].concat();
    let server = Server::start_in(folder, &program, &arguments);
    let address = server
        .said(|log| {
            log.contains("Server is ready").then_some(())?;
            let (_, rest) = log.split_once("Listening for client connections on ")?;
            Some(rest.lines().next()?.trim().to_owned())
        })
        .await;
    Some((server, address))
}

/// A server with a stream of its own, for tests of the whole runtime.
pub(crate) struct Nats {
    _server: Server,
    /// Where it listens.
    pub(crate) address: String,
}

/// Why there is none.
pub(crate) const NO_NATS: &str = HOW_TO_GET_IT;

impl Nats {
    pub(crate) async fn start() -> Option<Self> {
        let (server, address) = started(TempDir::new().unwrap(), "-1", &[]).await?;
        Some(Self { _server: server, address })
    }

    /// Makes the stream that takes `outcomes.>`.
    pub(crate) async fn make_stream(&self) {
        drop(stream(&self.address).await);
    }

    /// The messages of the stream, in order: the id that it knows each by, and what it says.
    pub(crate) async fn messages(&self) -> Vec<(String, Vec<u8>)> {
        let mut stream = stream(&self.address).await;
        let count = stream.info().await.unwrap().state.messages;
        let mut messages = Vec::new();
        for number in 1..=count {
            let message = stream.get_raw_message(number).await.unwrap();
            messages.push((message.headers.get("Nats-Msg-Id").unwrap().as_str().to_owned(), message.payload.to_vec()));
        }
        messages
    }
}

fn leads_to(url: &str) -> Service {
    Service::Nats(connection::Nats { url: url.to_owned(), user: None, password: None, token: None })
}

fn with_password(url: &str) -> Service {
    let password = Some("nats-password".parse().unwrap());
    Service::Nats(connection::Nats { url: url.to_owned(), user: Some("mill".to_owned()), password, token: None })
}

/// The stream that takes `outcomes.>`.
async fn stream(address: &str) -> Stream {
    stream_by(ConnectOptions::new(), address).await
}

async fn stream_by(options: ConnectOptions, address: &str) -> Stream {
    let context = jetstream::new(options.connect(address).await.unwrap());
    let config = Config { name: "outcomes".to_owned(), subjects: vec!["outcomes.>".to_owned()], ..Config::default() };
    context.get_or_create_stream(config).await.unwrap()
}

#[tokio::test]
async fn a_record_is_in_the_stream_once_however_often_it_is_sent() {
    let Some((_server, address)) = started(TempDir::new().unwrap(), "-1", &[]).await else {
        return skipped(HOW_TO_GET_IT);
    };
    let (world, mut stream) = (World::new(), stream(&address).await);
    world.set("bus", leads_to(&format!("nats://{address}"))).await;
    let nats = NatsDelivery::new(world.connections.clone(), reach(None));
    let (one, other) = (message(r#"{"n": 1}"#), message([0xff, 0, 1]));
    for sent in [&one, &one, &other, &one] {
        nats.send(&world.namespace, "outcomes.shop.resize", &by("bus"), sent).await.unwrap();
    }
    assert_eq!(stream.info().await.unwrap().state.messages, 2);
    let first = stream.get_raw_message(1).await.unwrap();
    assert_eq!((&first.payload, first.subject.as_str()), (&one.body, "outcomes.shop.resize"));
    let header = |name| first.headers.get(name).unwrap().as_str().to_owned();
    assert_eq!(header("Nats-Msg-Id"), one.id.to_string());
    assert_eq!((header("content-type"), header("ce-type")), ("application/json".to_owned(), "settled".to_owned()));
    assert_eq!(stream.get_raw_message(2).await.unwrap().payload, other.body);
}

#[tokio::test]
async fn a_server_that_goes_away_is_tried_again_and_gets_the_rest_when_it_is_back() {
    let Some((server, address)) = started(TempDir::new().unwrap(), "-1", &[]).await else {
        return skipped(HOW_TO_GET_IT);
    };
    let world = World::new();
    drop(stream(&address).await);
    world.set("bus", leads_to(&format!("nats://{address}"))).await;
    let nats = NatsDelivery::new(world.connections.clone(), reach(None));
    let send = async |message| nats.send(&world.namespace, "outcomes.a", &by("bus"), message).await;
    let (before, after) = (message("before"), message("after"));
    send(&before).await.unwrap();
    let folder = server.killed();
    tries_again(send(&after).await, &["the connection `bus`"]);
    tries_again(send(&after).await, &["the connection `bus`"]);

    let port = address.rsplit_once(':').unwrap().1;
    let (_server, address) = started(folder, port, &[]).await.unwrap();
    send(&after).await.unwrap();
    send(&before).await.unwrap();
    assert_eq!(stream(&address).await.info().await.unwrap().state.messages, 2, "it knows what it had before");
}

#[tokio::test]
async fn who_may_not_in_is_told_by_which_connection_and_gets_in_once_the_secret_is_right() {
    let arguments = ["--user", "mill", "--pass", "right-password"];
    let started = started(TempDir::new().unwrap(), "-1", &arguments).await;
    let Some((_server, address)) = started else { return skipped(HOW_TO_GET_IT) };
    let world = World::new();
    let options = ConnectOptions::with_user_and_password("mill".to_owned(), "right-password".to_owned());
    drop(stream_by(options, &address).await);
    world.set_secret("nats-password", "wrong-password").await;
    world.set("bus", with_password(&format!("nats://{address}"))).await;
    let nats = NatsDelivery::new(world.connections.clone(), reach(None));
    let sent = message("x");
    let post = async || nats.send(&world.namespace, "outcomes.a", &by("bus"), &sent).await;
    let refused = post().await;
    assert!(!format!("{refused:?}").contains("wrong-password"), "{refused:?}");
    tries_again(refused, &["the connection `bus`", "refuses its user and password"]);

    world.set_secret("nats-password", "right-password").await;
    post().await.unwrap();
    // One that is open is not used any longer than its password is right.
    world.set_secret("nats-password", "wrong-password").await;
    tries_again(post().await, &["refuses its user and password"]);
}

#[tokio::test]
async fn what_no_stream_takes_is_tried_again_and_what_none_can_take_is_not() {
    let arguments = ["-c", "server.conf"];
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("server.conf"), "max_payload: 1024\n").unwrap();
    let Some((_server, address)) = started(folder, "-1", &arguments).await else { return skipped(HOW_TO_GET_IT) };
    let world = World::new();
    world.set("bus", leads_to(&format!("nats://{address}"))).await;
    let nats = NatsDelivery::new(world.connections.clone(), reach(None));
    let send = async |subject: &'static str, body: &str| {
        nats.send(&world.namespace, subject, &by("bus"), &message(body)).await
    };
    tries_again(send("outcomes.a", "x").await, &["no stream", "`outcomes.a`"]);
    drop(stream(&address).await);
    send("outcomes.a", "x").await.unwrap();
    gives_up(send("outcomes.a", &"x".repeat(2_000)).await, &["2000 bytes"]);
    gives_up(send("outcomes.*", "x").await, &["`outcomes.*`"]);
    gives_up(send("$JS.API.STREAM.DELETE.outcomes", "").await, &["is not a subject"]);
}

/// A certificate for `localhost` and its key, and the authority that vouches for it, as files in `folder`.
fn certify(folder: &Path) {
    let mut authority = CertificateParams::new(Vec::<String>::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &authority).unwrap();
    fs::write(folder.join("authority.pem"), authority.pem()).unwrap();
    fs::write(folder.join("certificate.pem"), certificate.pem()).unwrap();
    fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
}

#[tokio::test]
async fn over_tls_a_server_is_known_by_its_certificate() {
    let folder = TempDir::new().unwrap();
    certify(folder.path());
    let arguments = ["--tls", "--tlscert", "certificate.pem", "--tlskey", "key.pem"];
    let Some((server, address)) = started(folder, "-1", &arguments).await else { return skipped(HOW_TO_GET_IT) };
    let authority = server.folder.path().join("authority.pem");
    let trusting = tidemill::tls::client_config(Some(&authority)).unwrap();
    let port = address.rsplit_once(':').unwrap().1;
    let named = format!("tls://localhost:{port}");
    let mut stream = stream_by(ConnectOptions::new().require_tls(true).tls_client_config(trusting), &named).await;

    let world = World::new();
    world.set("named", leads_to(&named)).await;
    world.set("other", leads_to(&format!("tls://{address}"))).await;
    let send = async |connection: &'static str, authority: Option<&Path>| {
        let nats = NatsDelivery::new(world.connections.clone(), reach(authority));
        nats.send(&world.namespace, "outcomes.a", &by(connection), &message("x")).await
    };
    send("named", Some(&authority)).await.unwrap();
    tries_again(send("named", None).await, &["the connection `named`", "cannot be connected to"]);
    tries_again(send("other", Some(&authority)).await, &["the connection `other`", "cannot be connected to"]);
    assert_eq!(stream.info().await.unwrap().state.messages, 1);
}
