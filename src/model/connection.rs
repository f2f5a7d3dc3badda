//! Connections: where a service outside the runtime is, and which secrets are its keys. Holds no key itself, and reaches
//! nobody.

use std::fmt;

use http::Uri;
use serde::{Deserialize, Serialize};

use super::names::{ConnectionName, Namespace, SecretName};
use super::time::Timestamp;

/// How to reach a service outside the runtime, under a name of its namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Whose.
    pub namespace: Namespace,
    /// Its name there.
    pub name: ConnectionName,
    /// When it was first set.
    pub created: Timestamp,
    /// When it was set last.
    pub updated: Timestamp,
    /// What it leads to.
    pub service: Service,
}

/// A service outside the runtime.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Service {
    /// A NATS server with `JetStream`.
    Nats(Nats),
    /// An object store that speaks S3.
    S3(S3),
    /// Message queues that speak SQS.
    Sqs(Sqs),
}

/// A NATS server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nats {
    /// `nats://HOST:PORT`, or `tls://HOST:PORT` where the connection is encrypted.
    pub url: String,
    /// The user, who has a password.
    pub user: Option<String>,
    /// The secret that is the password.
    pub password: Option<SecretName>,
    /// The secret that is a token, in place of user and password.
    pub token: Option<SecretName>,
}

/// An object store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct S3 {
    /// `https://HOST:PORT`; `None` for that of Amazon in the region.
    pub endpoint: Option<String>,
    /// The region that requests are signed for.
    pub region: String,
    /// Whether the bucket stands in the path, and not in front of the host.
    pub path_style: bool,
    /// What requests are signed with.
    pub keys: Keys,
}

/// Message queues.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sqs {
    /// `https://HOST:PORT`; `None` for that of Amazon in the region. A queue may be named by its URL there.
    pub endpoint: Option<String>,
    /// The region that requests are signed for.
    pub region: String,
    /// What requests are signed with.
    pub keys: Keys,
}

/// What requests to a service of Amazon's kind are signed with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    /// The name of the key, which is no secret.
    pub access_key_id: String,
    /// The secret that is the key.
    pub secret_key: SecretName,
    /// The secret that is the session token, where the key is a temporary one.
    pub session_token: Option<SecretName>,
}

/// Longest address of a service, and longest name of a region, a user or a key, in bytes.
const MAX_ADDRESS: usize = 512;
const MAX_WORD: usize = 128;

/// Why a connection cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidService {
    /// The address is none that this kind has.
    #[error("`{address}` is not an address of {kind}: write `{form}`, without path, user and password")]
    Address {
        /// What was written.
        address: String,
        /// Of what it should be one.
        kind: &'static str,
        /// How it is written.
        form: &'static str,
    },
    /// A password without a user, or a token beside them.
    #[error("a NATS server takes a user with a password, or a token, or none of them: leave out the others")]
    Credentials,
    /// A region, a user or the name of a key is no word.
    #[error("the {field} is `{value}`: use 1 to {MAX_WORD} visible ASCII characters without blanks, `/` and `,`")]
    Word {
        /// Which.
        field: &'static str,
        /// What was written.
        value: String,
    },
}

impl Service {
    /// What kind of service it is, as it is written.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Nats(_) => "nats",
            Self::S3(_) => "s3",
            Self::Sqs(_) => "sqs",
        }
    }

    /// Checks what types cannot.
    pub fn check(self) -> Result<Self, InvalidService> {
        match &self {
            Self::Nats(nats) => nats.check()?,
            Self::S3(S3 { endpoint, region, keys, .. }) => {
                keys.check("an object store", endpoint.as_deref(), region)?;
            }
            Self::Sqs(Sqs { endpoint, region, keys }) => keys.check("message queues", endpoint.as_deref(), region)?,
        }
        Ok(self)
    }

    /// The secrets that it needs.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretName> {
        let secrets = match self {
            Self::Nats(nats) => [nats.password.as_ref(), nats.token.as_ref()],
            Self::S3(S3 { keys, .. }) | Self::Sqs(Sqs { keys, .. }) => {
                [Some(&keys.secret_key), keys.session_token.as_ref()]
            }
        };
        secrets.into_iter().flatten()
    }
}

impl Nats {
    fn check(&self) -> Result<(), InvalidService> {
        check_address(&self.url, &["nats", "tls"], "a NATS server", "nats://HOST:PORT")?;
        let is_user = self.user.is_some() == self.password.is_some();
        if !is_user || (self.user.is_some() && self.token.is_some()) {
            return Err(InvalidService::Credentials);
        }
        self.user.as_deref().map_or(Ok(()), |user| check_word("user", user))
    }
}

impl Keys {
    fn check(&self, kind: &'static str, endpoint: Option<&str>, region: &str) -> Result<(), InvalidService> {
        if let Some(endpoint) = endpoint {
            check_address(endpoint, &["http", "https"], kind, "https://HOST")?;
        }
        check_word("region", region)?;
        check_word("access_key_id", &self.access_key_id)
    }
}

/// For people: the kind and the address.
impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nats(nats) => f.write_str(&nats.url),
            Self::S3(S3 { endpoint, region, .. }) | Self::Sqs(Sqs { endpoint, region, .. }) => match endpoint {
                Some(endpoint) => f.write_str(endpoint),
                None => write!(f, "Amazon in {region}"),
            },
        }
    }
}

fn check_address(
    address: &str,
    schemes: &[&str],
    kind: &'static str,
    form: &'static str,
) -> Result<(), InvalidService> {
    let is_one = |uri: Uri| {
        let authority = uri.authority()?;
        let is_plain = !authority.as_str().contains('@') && !authority.host().is_empty();
        let has_port = authority.port_u16().is_some() || authority.as_str().len() == authority.host().len();
        let is_all = matches!(uri.path(), "" | "/") && uri.query().is_none();
        (schemes.contains(&uri.scheme_str()?) && is_plain && has_port && is_all).then_some(())
    };
    let read = (address.len() <= MAX_ADDRESS).then(|| address.parse().ok()).flatten();
    read.and_then(is_one).ok_or_else(|| InvalidService::Address { address: shown(address), kind, form })
}

fn check_word(field: &'static str, value: &str) -> Result<(), InvalidService> {
    let is_one =
        (1..=MAX_WORD).contains(&value.len()) && value.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '/' | ','));
    if is_one { Ok(()) } else { Err(InvalidService::Word { field, value: shown(value) }) }
}

/// As much of it as an error repeats: nothing in front of an `@`, which may be a password.
fn shown(text: &str) -> String {
    let text = text.rsplit_once('@').map_or(text, |(_, behind)| behind);
    text[..text.floor_char_boundary(MAX_WORD)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> SecretName {
        "key".parse().unwrap()
    }

    fn s3(endpoint: Option<&str>, region: &str, id: &str) -> Service {
        let keys = Keys { access_key_id: id.to_owned(), secret_key: secret(), session_token: None };
        Service::S3(S3 { endpoint: endpoint.map(str::to_owned), region: region.to_owned(), path_style: true, keys })
    }

    fn nats(url: &str, user: Option<&str>, password: bool, token: bool) -> Service {
        let [password, token] = [password, token].map(|is| is.then(secret));
        Service::Nats(Nats { url: url.to_owned(), user: user.map(str::to_owned), password, token })
    }

    #[track_caller]
    fn check(service: Service, refused_for: Option<&str>) {
        let told = service.check().err().map(|error| error.to_string());
        match (&told, refused_for) {
            (None, None) => (),
            (Some(told), Some(part)) => assert!(told.contains(part), "{told}"),
            _ => panic!("{told:?} for {refused_for:?}"),
        }
    }

    #[test]
    fn an_endpoint_is_a_scheme_and_a_host_and_nothing_else() {
        check(s3(Some("https://obs.example"), "eu", "AK"), None);
        check(s3(Some("http://127.0.0.1:9000/"), "eu", "AK"), None);
        check(s3(Some("http://[::1]:9000"), "eu", "AK"), None);
        check(s3(None, "eu", "AK"), None);
        for address in
            ["obs.example", "ftp://obs.example", "https://obs.example/x", "https://obs.example?x", "https://", ""]
        {
            check(s3(Some(address), "eu", "AK"), Some("`https://HOST`"));
        }
        check(s3(Some("https://obs.example:99999"), "eu", "AK"), Some("is not an address"));
        check(nats("nats://127.0.0.1:4222", None, false, false), None);
        check(nats("tls://nats.example", None, false, false), None);
        check(nats("https://nats.example", None, false, false), Some("`nats://HOST:PORT`"));
    }

    #[test]
    fn a_password_in_an_address_is_refused_and_not_repeated() {
        let told = nats("nats://me:hunter2@nats.example", None, false, false).check().unwrap_err().to_string();
        assert!(!told.contains("hunter2") && told.contains("nats.example"), "{told}");
    }

    #[test]
    fn what_is_written_into_a_header_has_no_blanks() {
        check(s3(None, "eu west", "AK"), Some("region"));
        check(s3(None, "", "AK"), Some("region"));
        check(s3(None, "eu", "AK\r\nx: y"), Some("access_key_id"));
    }

    #[test]
    fn a_nats_server_takes_a_user_with_a_password_or_a_token() {
        let url = "nats://nats.example";
        check(nats(url, Some("me"), true, false), None);
        check(nats(url, None, false, true), None);
        check(nats(url, Some("me"), false, false), Some("leave out the others"));
        check(nats(url, None, true, false), Some("leave out the others"));
        check(nats(url, Some("me"), true, true), Some("leave out the others"));
    }
}
