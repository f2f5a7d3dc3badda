//! Signatures as Standard Webhooks has them: HMAC-SHA256 over the id, the time and the very bytes that are sent.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Stands in front of a key where people see it.
pub(super) const PREFIX: &str = "whsec_";

/// A key that webhooks are signed with, as receivers have it: `whsec_` and base64.
#[derive(Clone)]
pub struct WebhookKey(Zeroizing<String>);

impl WebhookKey {
    /// The key of these bytes.
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(format!("{PREFIX}{}", BASE64_STANDARD.encode(bytes))))
    }

    /// One that was written before; `None` where it is none.
    pub(super) fn read(text: Zeroizing<String>) -> Option<Self> {
        let bytes = BASE64_STANDARD.decode(text.strip_prefix(PREFIX)?).map(Zeroizing::new).ok()?;
        (!bytes.is_empty()).then_some(Self(text))
    }

    /// The key, for the receiver that checks with it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The signature of `body`, which is sent under `id` at `timestamp`: `v1,` and base64.
    pub(super) fn sign(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        let text = self.0.strip_prefix(PREFIX).unwrap_or_default();
        let key = Zeroizing::new(BASE64_STANDARD.decode(text).unwrap_or_default());
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes keys of every length");
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector that the libraries of Standard Webhooks are tested with.
    #[test]
    fn a_signature_is_what_the_published_vector_says() {
        let key = Zeroizing::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned());
        let key = WebhookKey::read(key).unwrap();
        let signature = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b"{\"test\": 2432232314}");
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_key_is_read_as_it_is_shown_and_nothing_else_is() {
        let key = WebhookKey::of(&[7; 32]);
        assert_eq!(WebhookKey::read(Zeroizing::new(key.expose().to_owned())).unwrap().expose(), key.expose());
        for text in ["", "whsec_", "whsec_*", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
            assert!(WebhookKey::read(Zeroizing::new(text.to_owned())).is_none(), "{text}");
        }
    }
}
