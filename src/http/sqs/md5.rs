//! The checksums that clients compare: MD5 of a body, and of attributes in a form of their own.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use md5::{Digest as _, Md5};

use crate::messaging::queues::{Attribute, Value};

pub(super) fn of_body(body: &str) -> String {
    hex(Md5::new_with_prefix(body.as_bytes()))
}

/// Of attributes by name: each as its name, its type and its value with their lengths in front.
pub(super) fn of_attributes<'a>(attributes: impl IntoIterator<Item = (&'a String, &'a Attribute)>) -> String {
    let mut md5 = Md5::new();
    let add = |md5: &mut Md5, bytes: &[u8]| {
        md5.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        md5.update(bytes);
    };
    let sorted: BTreeMap<_, _> = attributes.into_iter().collect();
    for (name, attribute) in sorted {
        add(&mut md5, name.as_bytes());
        add(&mut md5, attribute.kind.as_bytes());
        md5.update(match attribute.value {
            Value::Text(_) => [1],
            Value::Binary(_) => [2],
        });
        add(&mut md5, attribute.value.bytes());
    }
    hex(md5)
}

fn hex(md5: Md5) -> String {
    md5.finalize().iter().fold(String::with_capacity(32), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_and_attributes_have_the_checksums_that_the_service_gives_them() {
        assert_eq!(of_body("hello"), "5d41402abc4b2a76b9719d911017c592");
        // What moto and the Java SDK's own tests have for one attribute of text.
        let attribute = Attribute { kind: "Number".to_owned(), value: Value::Text("1493147359900".to_owned()) };
        let attributes: BTreeMap<_, _> = [("timestamp".to_owned(), attribute)].into();
        assert_eq!(of_attributes(&attributes), "235c5c510d26fb653d073faed50ae77c");
    }
}
