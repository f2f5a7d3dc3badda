//! Requests to a server and its answers. Knows addresses, headers and errors; knows no command.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Method, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::address::Server;
use super::api::{Answer, Page, Problem};
use super::error::{Error, innermost};
use super::output::plain;
use super::request::{Request, Time};
use crate::model::bounds;
use crate::model::names::Namespace;
use crate::tls;

/// A server that does not take the connection by then is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A server that has not begun to answer by then does not; `Time` says what it may take its time for.
const PATIENCE: Duration = Duration::from_secs(120);

/// Characters of an answer that is no answer which are repeated in the error.
const MAX_EXCERPT: usize = 200;

/// A token, which is shown to the server and to nobody else.
#[derive(Clone)]
pub(super) struct Token(Zeroizing<String>);

/// What a client shows, and whom it trusts besides the public authorities.
#[derive(Debug, Default)]
pub(super) struct Means<'a> {
    pub(super) token: Option<Token>,
    pub(super) authority: Option<&'a Path>,
}

/// Bytes of a token file that are read: a token is shorter.
const MAX_TOKEN_FILE: u64 = 4 * 1_024;

impl Token {
    /// The token that is written so.
    pub(super) fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The token in a file.
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let mut text = Zeroizing::new(String::new());
        let read = File::open(path).and_then(|file| file.take(MAX_TOKEN_FILE).read_to_string(&mut text));
        read.map_err(|cause| Error::Unreadable { path: path.to_owned(), cause })?;
        match text.trim() {
            "" => Err(Error::Usage(format!("{} is empty: write the token into it", path.display()))),
            token => Ok(Self::new(token.to_owned())),
        }
    }

    fn header(&self) -> Result<HeaderValue, Error> {
        let value = HeaderValue::from_str(&format!("Bearer {}", *self.0));
        let mut value = value.map_err(|_| Error::Usage("the token has characters that none has".to_owned()))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Talks to one server.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    server: Server,
    namespace: Option<Namespace>,
    patience: Duration,
}

impl Client {
    /// A client that shows nothing; connects when it is used.
    pub(super) fn new(server: Server, namespace: Option<Namespace>) -> Result<Self, Error> {
        Self::of(server, namespace, &Means::default())
    }

    /// A client that shows and trusts what it is told to.
    pub(super) fn of(server: Server, namespace: Option<Namespace>, means: &Means<'_>) -> Result<Self, Error> {
        // A redirect is an answer that a function may give, and proxies would come from the environment.
        let trust = tls::client_config(means.authority).map_err(|error| Error::Usage(error.to_string()))?;
        let shown = means.token.as_ref().map(Token::header).transpose()?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(trust)
            .default_headers(shown.into_iter().map(|header| (AUTHORIZATION, header)).collect())
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(Policy::none())
            .no_proxy()
            .user_agent(concat!("tidemill/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Error::Usage(innermost(&error)))?;
        Ok(Self { http, server, namespace, patience: PATIENCE })
    }

    /// The socket behind the server's address, which has to be a number.
    pub(super) fn socket(&self) -> Result<SocketAddr, Error> {
        self.server.socket().ok_or_else(|| Error::Usage(format!("{} is not the address of a socket", self.server)))
    }

    /// The namespace that was named.
    pub(super) fn namespace(&self) -> Option<&Namespace> {
        self.namespace.as_ref()
    }

    /// A request to `/v1/` and `segments`.
    pub(super) fn request(&self, method: Method, segments: &[&str]) -> Request {
        let segments: Vec<_> = std::iter::once("v1").chain(segments.iter().copied()).collect();
        self.outside(method, &segments)
    }

    /// A request to `/` and `segments`: to what is no part of the API.
    pub(super) fn outside(&self, method: Method, segments: &[&str]) -> Request {
        Request::new(self.server.url(segments).map(|url| self.http.request(method, url)))
    }

    /// A request about what has a name, and so needs to know in which namespace.
    pub(super) fn in_namespace(&self, method: Method, segments: &[&str]) -> Request {
        let namespace = self.namespace.as_ref().map(|namespace| ("namespace", namespace.as_str()));
        self.request(method, segments).query(namespace.as_slice())
    }

    /// Sends `request` and returns whatever comes back.
    pub(super) async fn exchange(&self, request: Request) -> Result<Response, Error> {
        let mut answer = pin!(request.builder?.send());
        loop {
            match timeout(self.patience, &mut answer).await {
                Ok(answer) => return answer.map_err(|error| self.failed(&error)),
                Err(_) if request.time == Time::AsItTakes && self.is_alive().await => (),
                Err(_) => return Err(Error::Silent { server: self.server.to_string(), waited: self.patience }),
            }
        }
    }

    /// Whether the server answers at all.
    async fn is_alive(&self) -> bool {
        let Ok(look) = self.outside(Method::GET, &["healthz"]).builder else { return false };
        matches!(timeout(self.patience, look.send()).await, Ok(Ok(_)))
    }

    /// Why there is no answer. What is wrong with a request itself has not been sent.
    fn failed(&self, error: &reqwest::Error) -> Error {
        let (server, cause) = (self.server.to_string(), innermost(error));
        if error.is_builder() {
            Error::Usage(format!("the request cannot be sent: {cause}"))
        } else if error.is_connect() {
            Error::Unreachable { server, cause }
        } else {
            Error::Lost { server, cause }
        }
    }

    /// Sends `request` and returns the answer if it is a yes.
    pub(super) async fn send(&self, request: Request) -> Result<Response, Error> {
        let response = self.exchange(request).await?;
        if response.status().is_success() { Ok(response) } else { Err(self.refused(response).await) }
    }

    /// Sends `request` and reads the JSON that answers it.
    pub(super) async fn json<T: DeserializeOwned>(&self, request: Request) -> Result<Answer<T>, Error> {
        let response = self.send(request).await?;
        self.read(response).await
    }

    /// Reads the JSON of a yes.
    pub(super) async fn read<T: DeserializeOwned>(&self, response: Response) -> Result<Answer<T>, Error> {
        let raw = response.text().await.map_err(|error| self.lost(&error))?;
        match serde_json::from_str(&raw) {
            Ok(value) => Ok(Answer { raw, value }),
            Err(error) => Err(self.unexpected(format!("{error} in `{}`", excerpt(&raw)))),
        }
    }

    /// What an answer that is a no means.
    pub(super) async fn refused(&self, response: Response) -> Error {
        let (status, headers) = (response.status(), response.headers().clone());
        match response.bytes().await {
            Ok(body) => match problem(&headers, &body) {
                Some(problem) => Error::Refused(Box::new(problem)),
                None => self.unexpected(described(status, &body)),
            },
            Err(error) => self.lost(&error),
        }
    }

    /// The connection broke in the middle of an answer.
    pub(super) fn lost(&self, error: &reqwest::Error) -> Error {
        Error::Lost { server: self.server.to_string(), cause: innermost(error) }
    }

    /// An answer that no server of this version gives.
    pub(super) fn unexpected(&self, what: String) -> Error {
        Error::Unexpected { server: self.server.to_string(), what }
    }

    /// Collects the items of a list page by page, up to `limit`. `request` makes the request for a page.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        name: &str,
        limit: usize,
        request: impl Fn() -> Request,
    ) -> Result<Answer<Listed<T>>, Error> {
        let (mut items, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let page_size = (limit - items.len()).min(*bounds::PAGE.end());
            let query = [("limit", Some(page_size.to_string())), ("cursor", cursor)];
            let page: Answer<Page> = self.json(request().query(&query)).await?;
            items.extend(page.value.items);
            cursor = page.value.next_cursor;
            if cursor.is_none() || items.len() >= limit {
                return self.listed(name, &items, cursor);
            }
        }
    }

    fn listed<T: DeserializeOwned>(
        &self,
        name: &str,
        items: &[Box<RawValue>],
        cursor: Option<String>,
    ) -> Result<Answer<Listed<T>>, Error> {
        let read = |item: &RawValue| {
            serde_json::from_str(item.get())
                .map_err(|error| self.unexpected(format!("{error} in `{}`", excerpt(item.get()))))
        };
        let value = Listed {
            items: items.iter().map(|item| read(item)).collect::<Result<_, _>>()?,
            has_more: cursor.is_some(),
        };
        let texts: Vec<_> = items.iter().map(|item| item.get()).collect();
        let cursor = serde_json::Value::from(cursor);
        Ok(Answer { raw: format!("{{\"{name}\":[{}],\"next_cursor\":{cursor}}}", texts.join(",")), value })
    }
}

/// The items of a list that were asked for.
#[derive(Debug)]
pub(super) struct Listed<T> {
    pub(super) items: Vec<T>,
    /// Whether the server has more of them.
    pub(super) has_more: bool,
}

/// The problem that an answer describes; `None` where it describes none.
pub(super) fn problem(headers: &HeaderMap, body: &[u8]) -> Option<Problem> {
    let content_type = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    if !content_type.starts_with("application/problem+json") {
        return None;
    }
    let problem: Problem = serde_json::from_slice(body).ok()?;
    let retry_after = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
    (!problem.message().is_empty()).then_some(Problem { retry_after, ..problem })
}

fn described(status: StatusCode, body: &[u8]) -> String {
    let body = String::from_utf8_lossy(body);
    if body.trim().is_empty() { status.to_string() } else { format!("{status}: {}", excerpt(&body)) }
}

fn excerpt(text: &str) -> String {
    let text = plain(text.trim());
    if text.chars().count() <= MAX_EXCERPT { text } else { text.chars().take(MAX_EXCERPT).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client of a server that takes connections and never answers, and would not wait long.
    async fn silent() -> (tokio::net::TcpListener, Client) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let client = Client { patience: Duration::from_millis(20), ..Client::new(server, None).unwrap() };
        (listener, client)
    }

    #[tokio::test]
    async fn a_server_that_never_answers_is_given_up() {
        let (_listener, client) = silent().await;
        for request in [client.request(Method::GET, &["a"]), client.request(Method::GET, &["a"]).taking_its_time()] {
            let error = client.exchange(request).await.unwrap_err();
            assert!(matches!(error, Error::Silent { .. }), "{error:?}");
            assert_eq!(error.exit_code(), crate::cli::exit::UNREACHABLE);
        }
    }

    #[tokio::test]
    async fn what_no_header_can_hold_is_told_before_anything_is_sent() {
        let (_listener, client) = silent().await;
        let request = client.request(Method::GET, &["a"]).header("content-type", "a\nb").header("accept", "b");
        let error = client.exchange(request).await.unwrap_err();
        assert!(
            matches!(&error, Error::Usage(text) if text.contains("`a b` cannot be sent as `content-type`")),
            "{error:?}"
        );
    }

    #[test]
    fn an_answer_is_a_problem_by_its_content_type_only() {
        let mut headers = HeaderMap::new();
        let body = br#"{"title":"Not found","code":"function_not_found"}"#;
        assert!(problem(&headers, body).is_none());
        headers.insert(CONTENT_TYPE, "application/problem+json; charset=utf-8".parse().unwrap());
        headers.insert(RETRY_AFTER, "3".parse().unwrap());
        let problem = problem(&headers, body).unwrap();
        assert_eq!((problem.message(), problem.retry_after.as_deref()), ("Not found", Some("3")));
    }

    #[test]
    fn an_answer_that_is_not_understood_is_repeated_but_not_all_of_it() {
        assert_eq!(described(StatusCode::BAD_GATEWAY, b""), "502 Bad Gateway");
        assert!(described(StatusCode::OK, &[b'x'; 10_000]).len() < 300);
    }
}
