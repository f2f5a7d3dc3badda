//! Tokens and key pairs: how they are made, what is kept of them, and how one is recognised. Keeps nothing itself.
//!
//! | what | looks like | kept |
//! | --- | --- | --- |
//! | token | `tm_ID_SECRET`, 12 and 64 hexadecimal digits | under its ID, with the SHA-256 of the whole |
//! | key pair | `TMAK` and 16 letters and digits; a secret of 40 | under its id, with the secret sealed |

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::model::names::AccountId;
use crate::model::secret::Sealed;
use crate::model::time::Timestamp;
use crate::store::{DocumentKey, Table};
use crate::vault::{self, Vault, VaultError};

/// What a token begins with, so that one that leaked can be searched for.
const TOKEN: &str = "tm_";
/// The same of a key's id.
const KEY: &str = "TMAK";
/// Hexadecimal digits of a token's id.
const TOKEN_ID: usize = 12;
/// Letters of a key's id behind its beginning, and of its secret.
const KEY_ID: usize = 16;
const KEY_SECRET: usize = 40;

/// What is kept of a credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// What it is found by, which is no secret.
    pub(super) id: String,
    pub(super) account: AccountId,
    pub(super) created: Timestamp,
    /// `None` where it is good until it is revoked.
    pub(super) expires: Option<Timestamp>,
    pub(super) used: Option<Timestamp>,
    pub(super) kind: CredentialKind,
}

/// The kinds of credential, with what is kept of what is secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CredentialKind {
    /// Signs requests; the secret, sealed.
    Key(Sealed),
    /// Stands in requests as it is; its SHA-256.
    Token(Vec<u8>),
}

/// A credential that is nobody's yet: its id, its secret, and what is kept of that.
pub(super) type New = (String, Zeroizing<String>, CredentialKind);

/// A credential, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// What it is found by.
    pub id: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it is no longer good; `None` where it is until it is revoked.
    pub expires: Option<Timestamp>,
    /// When it was used last, to the minute.
    pub used: Option<Timestamp>,
}

/// A credential that was made just now, with what is secret of it: nobody is shown that again.
#[derive(Clone, Debug)]
pub struct Made {
    /// The credential.
    pub credential: Credential,
    /// The whole token, or the secret of the key.
    pub secret: Zeroizing<String>,
}

/// A new token: its id, the whole of it, and what is kept.
pub(super) fn new_token() -> Result<New, VaultError> {
    let (id, secret) = (vault::random()?, vault::random()?);
    let (id, secret) = (hex(&id[..TOKEN_ID / 2]), Zeroizing::new(hex(&*secret)));
    let token = Zeroizing::new(format!("{TOKEN}{id}_{}", *secret));
    let kind = CredentialKind::Token(digest(&token));
    Ok((id, token, kind))
}

/// A new key pair likewise.
pub(super) async fn new_key(vault: &Vault) -> Result<New, VaultError> {
    let id = format!("{KEY}{}", letters(KEY_ID, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")?.as_str());
    let secret = letters(KEY_SECRET, b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")?;
    let sealed = vault.seal_for(&sealed_for(&id), secret.as_bytes()).await?;
    Ok((id, secret, CredentialKind::Key(sealed)))
}

/// What the secret of a key is sealed for.
pub(super) fn sealed_for(id: &str) -> String {
    format!("access key {id}")
}

/// Where a credential is kept.
pub(super) fn document_key(id: &str) -> DocumentKey {
    DocumentKey::new(Table::Credential, id.as_bytes())
}

/// What a token is found by; `None` where it is none.
pub(super) fn token_id(token: &str) -> Option<&str> {
    let (id, _) = token.strip_prefix(TOKEN)?.split_once('_')?;
    (id.len() == TOKEN_ID).then_some(id)
}

pub(super) fn digest(token: &str) -> Vec<u8> {
    Sha256::digest(token).to_vec()
}

/// Random letters of an alphabet whose size is a power of two up to 64: each takes a byte's lower bits.
fn letters(count: usize, alphabet: &[u8]) -> Result<Zeroizing<String>, VaultError> {
    let mut text = Zeroizing::new(String::with_capacity(count));
    while text.len() < count {
        let random = vault::random()?;
        let wanted = count - text.len();
        text.extend(random.iter().take(wanted).map(|byte| char::from(alphabet[usize::from(*byte) % alphabet.len()])));
    }
    Ok(text)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // a String takes everything
        text
    })
}
