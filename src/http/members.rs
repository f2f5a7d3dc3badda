//! The members of a large JSON object, as they are written. A value can take tens of times its text in memory, so what is made
//! values of has a bound of its own; what carries many more bytes, such as code in base64, stays text.

use std::fmt;

use serde::de::{Deserializer as _, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of an object by their names, of which those that carry nothing have at most `most` bytes, and so have the
/// names of all. Whether a member carries something its name and its text tell.
pub(super) fn members(
    json: &[u8],
    most: usize,
    carries: impl Fn(&str, &str) -> bool,
) -> serde_json::Result<Vec<(String, &RawValue)>> {
    let mut read = serde_json::Deserializer::from_slice(json);
    let members = read.deserialize_map(Members { most, carries })?;
    read.end().map(|()| members)
}

struct Members<C> {
    most: usize,
    carries: C,
}

impl<'de, C: Fn(&str, &str) -> bool> Visitor<'de> for Members<C> {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut written: A) -> Result<Self::Value, A::Error> {
        let (mut members, mut bytes) = (Vec::new(), 0);
        while let Some((name, text)) = written.next_entry::<String, &RawValue>()? {
            bytes += name.len() + if (self.carries)(&name, text.get()) { 0 } else { text.get().len() };
            if bytes > self.most {
                let what = "its fields, besides content, have more than";
                return Err(A::Error::custom(format!("{what} {} bytes, which is the limit", self.most)));
            }
            members.push((name, text));
        }
        Ok(members)
    }
}
