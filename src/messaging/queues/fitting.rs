//! Making a message of what was written for something else: what a queue does not take as it is goes in another form, or
//! not at all.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::message::{Attribute, Outgoing, Value, check_attribute, check_characters};
use crate::model::bounds;

impl Outgoing {
    /// A message of any bytes: text as it is; what is no text, or none that every client can read, in base64 with the
    /// attribute `content-encoding: base64`. A queue takes no empty message: nothing is one space.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let text = std::str::from_utf8(bytes).ok().filter(|text| check_characters(text).is_ok());
        let Some(text) = text else {
            let mut encoded = Self { body: BASE64_STANDARD.encode(bytes), ..Self::default() };
            encoded.tell("content-encoding", "base64");
            return encoded;
        };
        let body = if text.is_empty() { " " } else { text };
        Self { body: body.to_owned(), ..Self::default() }
    }

    /// Says something more about the message. What is said already stays; what a queue does not take is left out: a name
    /// or a value that no attribute has, and what is more than the [`bounds::MAX_MESSAGE_ATTRIBUTES`] of a message.
    pub fn tell(&mut self, name: &str, value: &str) {
        let attribute = Attribute { kind: "String".to_owned(), value: Value::Text(value.to_owned()) };
        let has_room = self.attributes.len() < bounds::MAX_MESSAGE_ATTRIBUTES;
        if has_room && check_attribute(name, &attribute).is_ok() {
            self.attributes.entry(name.to_owned()).or_insert(attribute);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], body: &str, is_encoded: bool) {
        let made = Outgoing::of_bytes(bytes);
        assert_eq!((made.body.as_str(), made.attributes.contains_key("content-encoding")), (body, is_encoded));
        made.check(100).unwrap();
    }

    #[test]
    fn bytes_that_no_queue_takes_as_they_are_go_encoded_and_say_so() {
        check("größer\n".as_bytes(), "größer\n", false);
        check(b"", " ", false);
        check(b"\xff\xfe", "//4=", true);
        check(b"a\0", "YQA=", true);
        check("\u{ffff}".as_bytes(), "77+/", true);
    }

    #[test]
    fn the_first_attributes_that_a_queue_takes_are_told() {
        let mut made = Outgoing::of_bytes(b"\0");
        let refused = [("not a name", "v"), ("aws.trace", "v"), ("empty", ""), ("control", "\u{1}")];
        for (name, value) in refused {
            made.tell(name, value);
        }
        made.tell("content-encoding", "gzip");
        for n in 0..20 {
            made.tell(&format!("n{n:02}"), "v");
        }
        made.check(1_000).unwrap();
        let names: Vec<_> = made.attributes.keys().map(String::as_str).collect();
        assert_eq!(names, ["content-encoding", "n00", "n01", "n02", "n03", "n04", "n05", "n06", "n07", "n08"]);
        assert_eq!(made.attributes["content-encoding"].value, Value::Text("base64".to_owned()));
    }
}
