//! Streams of a NATS server with `JetStream` as destinations. The server has a record once it has acknowledged it, and
//! removes repeats by the id of the message.
//!
//! One connection is open for each that is used. When it breaks it is tried again a few times at once, and anew when the
//! next record is sent: the name is resolved again then, and the address looked at again.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::context::{Context, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::{Client, ConnectErrorKind, ConnectOptions, HeaderMap, HeaderName, HeaderValue, ServerAddr};
use http::Uri;
use lru::LruCache;
use tokio::time::timeout;

use super::reach::{CONNECT, Reach};
use super::{Connections, Message, NotSent};
use crate::model::connection::{Nats, Service};
use crate::model::destination::Terms;
use crate::model::names::{ConnectionName, Namespace};
use crate::model::secret::SecretValue;

/// Publishes records on subjects.
#[derive(Clone)]
pub struct NatsDelivery {
    connections: Connections,
    reach: Reach,
    open: Arc<Mutex<LruCache<Which, Place>>>,
}

type Which = (Namespace, ConnectionName);
/// Where the connection is that is open, if one is. Whoever opens one holds the lock: others wait for that.
type Place = Arc<tokio::sync::Mutex<Option<Open>>>;

/// A connection that is open.
struct Open {
    server: Nats,
    credentials: Credentials,
    client: Client,
    stream: Context,
}

/// How the server knows who connects.
#[derive(Clone, PartialEq, Eq)]
enum Credentials {
    None,
    Password(String, SecretValue),
    Token(SecretValue),
}

/// Servers that are connected to at once; the one that was not used for longest gives way.
const MAX_OPEN: NonZeroUsize = NonZeroUsize::new(64).unwrap();
/// How long the server may take to acknowledge.
const ACKNOWLEDGE: Duration = Duration::from_secs(10);
/// How often one that broke is tried again at once.
const RECONNECTS: usize = 3;
/// The port of a server that names none.
const PORT: u16 = 4_222;
/// Bytes of a subject.
const MAX_SUBJECT: usize = 512;

impl NatsDelivery {
    /// Where `connections` lead.
    pub fn new(connections: Connections, reach: Reach) -> Self {
        Self { connections, reach, open: Arc::new(Mutex::new(LruCache::new(MAX_OPEN))) }
    }

    /// Whether something can be published on the subject `target`.
    pub(super) fn check(target: &str) -> Result<(), NotSent> {
        check_subject(target)
    }

    /// Publishes the record on the subject `target`. Once this returns a stream of the server has it.
    pub async fn send(
        &self,
        namespace: &Namespace,
        target: &str,
        terms: &Terms,
        message: &Message,
    ) -> Result<(), NotSent> {
        Self::check(target)?;
        let name = terms.connection.as_ref().ok_or_else(|| {
            NotSent::never("a stream outside needs the connection that leads there: name it in the destination")
        })?;
        let server = match self.connections.service(namespace, name).await? {
            Service::Nats(server) => server,
            other @ (Service::S3(_) | Service::Sqs(_)) => return Err(Connections::misled(name, &other, "nats")),
        };
        let credentials = self.credentials(namespace, name, &server).await?;
        let which = (namespace.clone(), name.clone());
        let stream = self.stream(which, server, credentials).await.map_err(|failed| failed.in_connection(name))?;
        publish(&stream, target, message).await.map_err(|failed| failed.in_connection(name))
    }

    async fn credentials(
        &self,
        namespace: &Namespace,
        name: &ConnectionName,
        server: &Nats,
    ) -> Result<Credentials, NotSent> {
        let secret = async |secret| self.connections.secret(namespace, name, secret).await;
        Ok(match (&server.user, &server.password, &server.token) {
            (Some(user), Some(password), _) => Credentials::Password(user.clone(), secret(password).await?),
            (_, _, Some(token)) => Credentials::Token(secret(token).await?),
            _ => Credentials::None,
        })
    }

    /// What to publish by: the connection that is open, unless it is broken or was set anew.
    async fn stream(&self, which: Which, server: Nats, credentials: Credentials) -> Result<Context, NotSent> {
        let place = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(open.get_or_insert(which, Place::default))
        };
        let mut place = place.lock().await;
        if let Some(open) = place.as_ref() {
            let is_same = open.server == server && open.credentials == credentials;
            if is_same && open.client.connection_state() == State::Connected {
                return Ok(open.stream.clone());
            }
        }
        *place = None;
        let client = connect(&self.reach, &server, &credentials).await?;
        let mut stream = async_nats::jetstream::new(client.clone());
        stream.set_timeout(ACKNOWLEDGE);
        *place = Some(Open { server, credentials, client, stream: stream.clone() });
        Ok(stream)
    }
}

async fn connect(reach: &Reach, server: &Nats, credentials: &Credentials) -> Result<Client, NotSent> {
    let mut last = NotSent::retry("it was not connected to");
    for address in addresses(reach, &server.url).await? {
        match timeout(2 * CONNECT, options(reach, &server.url, credentials).connect(address)).await {
            Ok(Ok(client)) => return Ok(client),
            Ok(Err(error)) => last = NotSent::retry(unconnected(error.kind(), &error)),
            Err(_elapsed) => last = NotSent::retry("the server does not answer in time"),
        }
    }
    Err(last)
}

/// Where to connect to: the addresses that were looked at. With TLS it is the name, whose certificate the server has to
/// show before anything else is said: one that the name leads to a moment later, and that is not meant, has none.
async fn addresses(reach: &Reach, url: &str) -> Result<Vec<ServerAddr>, NotSent> {
    let unread = |why: &dyn fmt::Display| NotSent::retry(format!("`{url}` is not the address of a server: {why}"));
    let uri: Uri = url.parse().map_err(|error| unread(&error))?;
    let host = uri.host().ok_or_else(|| unread(&"it names no host"))?;
    let found = reach.resolve(host, uri.port_u16().unwrap_or(PORT)).await?;
    let texts =
        if is_encrypted(url) { vec![url.to_owned()] } else { found.iter().map(|it| format!("nats://{it}")).collect() };
    texts.iter().map(|text| text.parse().map_err(|error| unread(&error))).collect()
}

fn is_encrypted(url: &str) -> bool {
    url.starts_with("tls://")
}

fn options(reach: &Reach, url: &str, credentials: &Credentials) -> ConnectOptions {
    let options = match credentials {
        Credentials::None => ConnectOptions::new(),
        Credentials::Password(user, password) => {
            ConnectOptions::with_user_and_password(user.clone(), password.expose().to_owned())
        }
        Credentials::Token(token) => ConnectOptions::with_token(token.expose().to_owned()),
    };
    options
        .name("tidemill")
        .connection_timeout(CONNECT)
        .max_reconnects(RECONNECTS)
        .ignore_discovered_servers() // nobody has looked at their addresses
        .require_tls(is_encrypted(url))
        .tls_client_config(reach.tls())
}

async fn publish(stream: &Context, subject: &str, message: &Message) -> Result<(), NotSent> {
    let mut headers = HeaderMap::new();
    let content_type = ("content-type".to_owned(), message.content_type.clone());
    for (name, value) in std::iter::once(&content_type).chain(&message.headers) {
        // What no header can be is not told.
        if let (false, Ok(name), Ok(value)) =
            (value.is_empty(), name.parse::<HeaderName>(), value.parse::<HeaderValue>())
        {
            headers.insert(name, value);
        }
    }
    let record =
        PublishMessage::build().payload(message.body.clone()).headers(headers).message_id(message.id.to_string());
    let sent = async { stream.send_publish(subject.to_owned(), record).await?.await };
    let Err(error) = sent.await else { return Ok(()) };
    let why = match error.kind() {
        PublishErrorKind::MaxPayloadExceeded => {
            let bytes = message.body.len();
            return Err(NotSent::never(format!("the record has {bytes} bytes, which is more than the server takes")));
        }
        PublishErrorKind::StreamNotFound => {
            format!("no stream of the server takes the subject `{subject}`: make one, with JetStream on")
        }
        PublishErrorKind::TimedOut => {
            let seconds = ACKNOWLEDGE.as_secs();
            format!(
                "the server did not acknowledge within {seconds} s: it may be gone, or not let this user publish on `{subject}`"
            )
        }
        PublishErrorKind::BrokenPipe
        | PublishErrorKind::MaxAckPending
        | PublishErrorKind::Other
        | PublishErrorKind::WrongLastMessageId
        | PublishErrorKind::WrongLastSequence => format!("the server did not take it: {error}"),
    };
    Err(NotSent::retry(why))
}

fn unconnected(kind: ConnectErrorKind, error: &dyn fmt::Display) -> String {
    match kind {
        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
            "the server refuses its user and password, or its token".to_owned()
        }
        ConnectErrorKind::Dns
        | ConnectErrorKind::Io
        | ConnectErrorKind::MaxReconnects
        | ConnectErrorKind::ServerParse
        | ConnectErrorKind::TimedOut
        | ConnectErrorKind::Tls => format!("the server cannot be connected to: {error}"),
    }
}

/// A subject that something can be published on: words with dots between them, none of them for many.
fn check_subject(subject: &str) -> Result<(), NotSent> {
    let is_word = |word: &str| {
        !word.is_empty() && word.chars().all(|c| !c.is_whitespace() && !c.is_control() && !"*>".contains(c))
    };
    let is_subject = subject.len() <= MAX_SUBJECT && subject.split('.').all(is_word);
    // What begins so is the server's own: a record would be a request to it.
    if is_subject && !subject.starts_with('$') {
        return Ok(());
    }
    let shown: String = subject.chars().take(100).collect();
    Err(NotSent::never(format!(
        "`{shown}` is not a subject: write words with dots between them, without blanks, `*`, `>`, and `$` at the beginning"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_words_with_dots_and_none_of_the_servers_own() {
        for subject in ["a", "outcomes.shop.resize", "a-b_c.1"] {
            check_subject(subject).unwrap();
        }
        for subject in
            ["", "a..b", ".a", "a.", "a b", "a.*", "a.>", "$JS.API.STREAM.DELETE.x", "a\r\nPUB b 0", &"a".repeat(600)]
        {
            assert!(matches!(check_subject(subject), Err(NotSent::Never { .. })), "{subject}");
        }
    }
}
