//! What an image is called: a registry, a repository in it, and a tag or a digest.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use oci_client::Reference;

/// How a reference begins where it could be taken for something else.
pub const SCHEME: &str = "oci://";
/// Longest reference, in bytes: a name has up to 255, a tag up to 128.
const MAX_BYTES: usize = 512;

/// An image of a registry: `oci://HOST[:PORT]/REPOSITORY[:TAG][@sha256:DIGEST]`. The tag is `latest` unless told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageReference(Reference);

/// The text names no image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` names no image, {why}: write `oci://HOST/REPOSITORY:TAG` or `oci://HOST/REPOSITORY@sha256:DIGEST`")]
pub struct InvalidReference {
    text: String,
    why: String,
}

impl ImageReference {
    /// The registry's host, with its port where it has one.
    pub fn registry(&self) -> &str {
        self.0.resolve_registry()
    }

    /// The repository.
    pub fn repository(&self) -> &str {
        self.0.repository()
    }

    /// What of the repository: the digest where there is one, for that says more than a tag.
    pub(super) fn which(&self) -> &str {
        self.0.digest().or(self.0.tag()).unwrap_or("latest")
    }

    /// The digest that its manifest is to have.
    pub(super) fn digest(&self) -> Option<&str> {
        self.0.digest()
    }

    /// Whether its registry is on this machine, by its own name: such a one is spoken to in the clear.
    pub fn is_local(&self) -> bool {
        is_local(self.registry().rsplit_once(':').map_or(self.registry(), |(host, _port)| host))
    }
}

/// Whether a host is this machine, by its own name.
pub(super) fn is_local(host: &str) -> bool {
    host == "localhost" || host.trim_matches(['[', ']']).parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

impl FromStr for ImageReference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        let invalid = |why: &str| InvalidReference { text: text.chars().take(200).collect(), why: why.to_owned() };
        let name = text.strip_prefix(SCHEME).unwrap_or(text);
        if name.len() > MAX_BYTES {
            return Err(invalid(&format!("which has up to {MAX_BYTES} bytes")));
        }
        // A name without a host would mean one of a registry that nobody has written.
        let host = name.split_once('/').map(|(host, _)| host).unwrap_or_default();
        if !(host.contains(['.', ':']) || host == "localhost") {
            return Err(invalid("for no registry stands at its beginning"));
        }
        let reference = Reference::try_from(name).map_err(|error| invalid(&error.to_string()))?;
        if reference.digest().is_some_and(|digest| !digest.starts_with("sha256:")) {
            return Err(invalid("whose digest is none of SHA-256"));
        }
        Ok(Self(reference))
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.0.whole())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: (&str, &str, &str, bool)) {
        let reference: ImageReference = text.parse().unwrap();
        let read = (reference.registry(), reference.repository(), reference.which(), reference.is_local());
        assert_eq!(read, expected, "{text}");
    }

    #[test]
    fn a_reference_is_a_registry_a_repository_and_what_of_it() {
        let digest = format!("sha256:{}", "a".repeat(64));
        check("oci://ghcr.io/shop/resize:1.2", ("ghcr.io", "shop/resize", "1.2", false));
        check("ghcr.io/shop/resize", ("ghcr.io", "shop/resize", "latest", false));
        check("oci://localhost:5000/a", ("localhost:5000", "a", "latest", true));
        check("127.0.0.1:5000/a/b:t", ("127.0.0.1:5000", "a/b", "t", true));
        check("localhost/a:t", ("localhost", "a", "t", true));
        check("localhost.example/a:t", ("localhost.example", "a", "t", false));
        check(&format!("oci://cr.example/a:t@{digest}"), ("cr.example", "a", &digest, false));
        check("docker.io/nginx:1", ("index.docker.io", "library/nginx", "1", false));
    }

    #[test]
    fn what_names_no_image_is_refused_with_what_to_write() {
        let too_long = format!("a.example/{}", "b/".repeat(300));
        for text in [
            "",
            "oci://",
            "nginx",
            "shop/resize:1",
            "a.example/",
            "a.example/A:1",
            "a.example/a:!",
            "a.example/a@sha256:ab",
            &too_long,
        ] {
            let told = text.parse::<ImageReference>().unwrap_err().to_string();
            assert!(told.contains("names no image") && told.contains("oci://HOST/REPOSITORY:TAG"), "{told}");
        }
        let other = format!("a.example/a@sha512:{}", "a".repeat(128));
        assert!(other.parse::<ImageReference>().unwrap_err().to_string().contains("SHA-256"));
    }
}
