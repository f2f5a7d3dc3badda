//! The little that is read of a service's XML: why it refused something.

use quick_xml::Reader;
use quick_xml::events::Event;

/// Characters that are repeated of what a service says.
const MAX_TEXT: usize = 300;

/// The text of the first element of that name, without control characters and not all of a long one.
pub(super) fn text_of(document: &str, name: &str) -> Option<String> {
    let mut reader = Reader::from_str(document);
    loop {
        match reader.read_event() {
            Ok(Event::Start(start)) if start.local_name().as_ref() == name => {
                let inner = reader.read_text(start.name()).ok()?;
                return Some(shown(&quick_xml::escape::unescape(&inner).ok()?));
            }
            Ok(Event::Eof) | Err(_) => return None,
            Ok(_) => (),
        }
    }
}

/// `text` as an error repeats it.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(MAX_TEXT).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_an_element_is_found_wherever_it_stands() {
        let document = "<?xml version=\"1.0\"?><E xmlns=\"urn:x\"><Code>No</Code><Message>a &lt; b\nc</Message></E>";
        assert_eq!(text_of(document, "Code").as_deref(), Some("No"));
        assert_eq!(text_of(document, "Message").as_deref(), Some("a < b c"));
        assert_eq!(text_of(document, "Detail"), None);
        for broken in ["", "not xml", "<Code>", "<html><p></html>"] {
            assert_eq!(text_of(broken, "Code"), None, "{broken}");
        }
    }
}
