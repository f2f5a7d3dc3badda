//! How a registry is asked: over HTTPS, or in the clear where it is on this machine; with what it asks of strangers and of
//! those who have a login. Redirects are followed here, one by one, for each leads to an address that is to be admitted.

use std::error::Error;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, AUTHORIZATION, LOCATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Response, Url};
use serde::Deserialize;

use super::reference::is_local;
use super::{ImageReference, Login, PullError, UnusableImages};
use crate::config::Authentication;
use crate::outbound::{Admission, Allowed};
use crate::tls;

/// How long it may take until there is a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a registry may say nothing in the middle of an answer.
const SILENCE: Duration = Duration::from_secs(20);
/// Redirects of one request: storage behind a registry, and what stands before that.
const MAX_REDIRECTS: usize = 5;
/// Bytes of a token and what is around it.
const MAX_TOKEN_BYTES: usize = 64 * 1_024;
/// This machine's own addresses, as they are allowed.
const LOCAL: [&str; 3] = ["127.0.0.0/8", "[::1]", "localhost"];

/// The ways to registries.
pub(super) struct Ways {
    /// To what everybody may reach, and what the operator allows.
    outside: Way,
    /// To registries on this machine, when that is whom somebody named.
    inside: Option<Way>,
}

struct Way {
    http: reqwest::Client,
    admission: Admission,
}

/// One pull, as its registry sees it.
pub(super) struct Session<'a> {
    ways: &'a Ways,
    reference: &'a ImageReference,
    login: Option<&'a Login>,
    base: Url,
    /// What the registry has asked for.
    authorization: Option<HeaderValue>,
}

/// What a registry wants of those who ask it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Challenge {
    Basic,
    /// A token of somebody else, who is asked with these parameters.
    Bearer {
        realm: String,
        service: Option<String>,
        scope: Option<String>,
    },
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl Ways {
    pub(super) fn new(
        allowed: &Allowed,
        private: &[String],
        authentication: Authentication,
        authority: Option<&Path>,
    ) -> Result<Self, UnusableImages> {
        let with_local: Vec<_> = private.iter().map(String::as_str).chain(LOCAL).map(ToOwned::to_owned).collect();
        let inside = match authentication {
            Authentication::None => Some(Way::new(Allowed::of(&with_local)?, authority)?),
            Authentication::Required => None,
        };
        Ok(Self { outside: Way::new(allowed.clone(), authority)?, inside })
    }

    /// The beginning of a pull: whether the registry may be reached at all.
    pub(super) async fn session<'a>(
        &'a self,
        reference: &'a ImageReference,
        login: Option<&'a Login>,
    ) -> Result<Session<'a>, PullError> {
        let registry = reference.registry();
        let scheme = if reference.is_local() { "http" } else { "https" };
        let base = Url::parse(&format!("{scheme}://{registry}/")).map_err(|error| PullError::Unavailable {
            registry: registry.to_owned(),
            why: format!("it has no address: {error}"),
        })?;
        let session = Session { ways: self, reference, login, base, authorization: None };
        let (host, port) = (session.base.host_str().unwrap_or_default(), session.base.port_or_known_default());
        match session.way(&session.base).admission.resolve(host, port.unwrap_or(443)).await {
            Ok(_) => Ok(session),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                Err(PullError::NotAllowed { registry: registry.to_owned(), why: error.to_string() })
            }
            Err(error) => Err(session.unavailable(error.to_string())),
        }
    }
}

impl Way {
    fn new(allowed: Allowed, authority: Option<&Path>) -> Result<Self, UnusableImages> {
        let admission = Admission::new(allowed);
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::client_config(authority)?)
            .dns_resolver(Arc::new(admission.clone()))
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .redirect(Policy::none())
            .no_proxy()
            .user_agent(concat!("tidemill/", env!("CARGO_PKG_VERSION")))
            .build()
            .expect("the settings are the same each time");
        Ok(Self { http, admission })
    }
}

impl Session<'_> {
    /// What stands at a path of the registry, whole; `what` it is for whoever is told that it is too large.
    pub(super) async fn get(
        &mut self,
        path: &str,
        accept: Option<&'static str>,
        most: usize,
        what: &'static str,
    ) -> Result<Bytes, PullError> {
        let url = self.base.join(path).map_err(|error| self.unavailable(format!("`{path}` is no path: {error}")))?;
        let mut response = self.followed(url.clone(), accept).await?;
        if response.status().as_u16() == 401 && self.authorization.is_none() {
            self.authorize(&response).await?;
            response = self.followed(url, accept).await?;
        }
        match response.status().as_u16() {
            200 => {
                let read = self.read(response, most).await?;
                let reference = || self.reference.to_string();
                read.ok_or_else(|| PullError::TooLarge { reference: reference(), what, most })
            }
            404 => Err(PullError::NotFound(self.reference.to_string())),
            401 | 403 => Err(self.denied(match self.login {
                Some(login) => format!("the user `{}` may not, or has another password", login.user),
                None => "it wants a user and a password".to_owned(),
            })),
            other => Err(self.unavailable(format!("it answers {other}"))),
        }
    }

    /// Sends a request, and again where each answer leads.
    async fn followed(&self, url: Url, accept: Option<&'static str>) -> Result<Response, PullError> {
        let mut url = url;
        for _ in 0..=MAX_REDIRECTS {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(ACCEPT, HeaderValue::from_static(accept));
            }
            if let Some(authorization) = self.authorization.clone().filter(|_| url.origin() == self.base.origin()) {
                headers.insert(AUTHORIZATION, authorization);
            }
            let response = self.send(url.clone(), headers).await?;
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(response);
            }
            let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
            let next = location.and_then(|location| url.join(location).ok());
            url = next.ok_or_else(|| self.unavailable("it leads elsewhere, and not to an address".to_owned()))?;
        }
        Err(self.unavailable(format!("it leads elsewhere more than {MAX_REDIRECTS} times")))
    }

    async fn send(&self, url: Url, headers: HeaderMap) -> Result<Response, PullError> {
        let host = url.host_str().unwrap_or_default();
        let in_the_clear = url.scheme() == "http" && self.reference.is_local() && is_local(host);
        if url.scheme() != "https" && !in_the_clear {
            return Err(self.unavailable(format!("it leads to `{}://{host}`, which is not encrypted", url.scheme())));
        }
        let way = self.way(&url);
        way.admission.admit_literal(host).map_err(|error| PullError::NotAllowed {
            registry: self.reference.registry().to_owned(),
            why: error.to_string(),
        })?;
        way.http.get(url).headers(headers).send().await.map_err(|error| self.unavailable(innermost(&error)))
    }

    /// By which way a URL is reached. A registry elsewhere cannot lead back to this machine.
    fn way(&self, url: &Url) -> &Way {
        let Ways { outside, inside } = self.ways;
        match inside {
            Some(inside) if self.reference.is_local() && url.host_str().is_some_and(is_local) => inside,
            _ => outside,
        }
    }

    /// Gets what the registry wants to see.
    async fn authorize(&mut self, refused: &Response) -> Result<(), PullError> {
        let mut wanted = refused.headers().get_all(WWW_AUTHENTICATE).iter();
        let wanted = wanted.find_map(|value| challenge(value.to_str().ok()?));
        let value = match wanted {
            None => return Err(self.denied("it does not say what it wants".to_owned())),
            Some(Challenge::Basic) => match self.login {
                Some(login) => basic(login),
                None => return Err(self.denied("it wants a user and a password".to_owned())),
            },
            Some(Challenge::Bearer { realm, service, scope }) => {
                let own = format!("repository:{}:pull", self.reference.repository());
                let token = self.token(&realm, service.as_deref(), scope.as_deref().unwrap_or(&own)).await?;
                format!("Bearer {token}")
            }
        };
        let mut value = HeaderValue::try_from(value).map_err(|_| self.denied("its token is no text".to_owned()))?;
        value.set_sensitive(true);
        self.authorization = Some(value);
        Ok(())
    }

    /// A token of whoever gives those of this registry.
    async fn token(&self, realm: &str, service: Option<&str>, scope: &str) -> Result<String, PullError> {
        let no_url = |_| self.unavailable("it sends for a token to what is no address".to_owned());
        let mut url = Url::parse(realm).map_err(no_url)?;
        url.query_pairs_mut().append_pair("scope", scope);
        if let Some(service) = service {
            url.query_pairs_mut().append_pair("service", service);
        }
        let mut headers = HeaderMap::new();
        if let Some(login) = self.login
            && let Ok(mut value) = HeaderValue::try_from(basic(login))
        {
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let response = self.send(url, headers).await?;
        match response.status().as_u16() {
            200 => (),
            400 | 401 | 403 => return Err(self.denied("whoever gives its tokens does not give one".to_owned())),
            other => return Err(self.unavailable(format!("whoever gives its tokens answers {other}"))),
        }
        let body = self.read(response, MAX_TOKEN_BYTES).await?.unwrap_or_default();
        let token = serde_json::from_slice(&body).ok().and_then(|Token { token, access_token }| token.or(access_token));
        token.ok_or_else(|| self.unavailable("whoever gives its tokens gave something else".to_owned()))
    }

    /// The body of an answer; `None` where there is more of it.
    async fn read(&self, mut response: Response, most: usize) -> Result<Option<Bytes>, PullError> {
        if response.content_length().is_some_and(|length| length > most as u64) {
            return Ok(None);
        }
        let mut body = BytesMut::new();
        while let Some(piece) = response.chunk().await.map_err(|error| self.unavailable(innermost(&error)))? {
            if body.len() + piece.len() > most {
                return Ok(None);
            }
            body.extend_from_slice(&piece);
        }
        Ok(Some(body.freeze()))
    }

    fn unavailable(&self, why: String) -> PullError {
        PullError::Unavailable { registry: self.reference.registry().to_owned(), why }
    }

    fn denied(&self, why: String) -> PullError {
        PullError::Denied { registry: self.reference.registry().to_owned(), why }
    }
}

fn basic(login: &Login) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{}:{}", login.user, login.password.expose())))
}

/// What a registry wants, where that is something that is known here.
fn challenge(text: &str) -> Option<Challenge> {
    let (kind, rest) = text.split_once(' ').unwrap_or((text, ""));
    if kind.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    if !kind.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let parameter =
        |name: &str| parameters(rest).find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    Some(Challenge::Bearer { realm: parameter("realm")?, service: parameter("service"), scope: parameter("scope") })
}

/// `name="value", name=value`: commas within quotes are part of a value.
fn parameters(text: &str) -> impl Iterator<Item = (&str, String)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (name, behind) = rest.trim_start_matches([' ', ',']).split_once('=')?;
        let (value, after) = match behind.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => behind.split_once(',').unwrap_or((behind, "")),
        };
        rest = after;
        Some((name.trim(), value.trim().to_owned()))
    })
}

/// Says the innermost cause: what is around it says again that something was sent.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_registry_wants_is_read() {
        let bearer = |realm: &str, service: Option<&str>, scope: Option<&str>| {
            let owned = |text: Option<&str>| text.map(ToOwned::to_owned);
            Some(Challenge::Bearer { realm: realm.to_owned(), service: owned(service), scope: owned(scope) })
        };
        let docker = "Bearer realm=\"https://auth.example/token\",service=\"registry.example\",scope=\"repository:a/b:pull,push\"";
        let expected = bearer("https://auth.example/token", Some("registry.example"), Some("repository:a/b:pull,push"));
        assert_eq!(challenge(docker), expected);
        assert_eq!(
            challenge("bearer Realm=https://a.example/, service=x"),
            bearer("https://a.example/", Some("x"), None)
        );
        assert_eq!(challenge("Basic realm=\"here\""), Some(Challenge::Basic));
        assert_eq!(challenge("Basic"), Some(Challenge::Basic));
        for text in ["", "Negotiate", "Bearer", "Bearer service=\"a\"", "Bearer realm=\"torn"] {
            assert_eq!(challenge(text), None, "{text}");
        }
    }
}
