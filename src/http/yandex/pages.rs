//! Pages of lists, and what may be asked of their items.

use tonic::Status;

use super::status::invalid;

/// Items of a page unless told: that service's default.
const DEFAULT: usize = 100;
/// The most.
const MOST: usize = 1_000;

/// Which part of a list is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// How many items it has, at most.
    pub(super) size: usize,
    /// The item that it stands behind; `None` for the beginning.
    pub(super) after: Option<String>,
}

impl Page {
    /// Reads `page_size` and `page_token`.
    pub(super) fn of(size: i64, token: &str) -> Result<Self, Status> {
        let size = match usize::try_from(size) {
            Ok(0) => DEFAULT,
            Ok(size) if size <= MOST => size,
            _ => return Err(invalid("page_size", format!("is {size}, and must be 0 to {MOST}"))),
        };
        Ok(Self { size, after: (!token.is_empty()).then(|| token.to_owned()) })
    }

    /// The refusal of a token that is of no page.
    pub(super) fn wrong() -> Status {
        invalid("page_token", "it is of no page: take `next_page_token` as it is")
    }
}

/// The value that a filter `FIELD="value"` asks for; `None` where there is no filter.
pub(super) fn filter(text: &str, field: &str) -> Result<Option<String>, Status> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let wrong = || invalid("filter", format!("use `{field}=\"value\"`"));
    let (name, value) = text.split_once('=').ok_or_else(wrong)?;
    let value = value.trim();
    let quoted = |mark: char| value.strip_prefix(mark).and_then(|value| value.strip_suffix(mark));
    let value = quoted('"').or_else(|| quoted('\'')).ok_or_else(wrong)?;
    if name.trim() == field { Ok(Some(value.to_owned())) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_hundred_items_unless_told_and_a_thousand_at_most() {
        let page = |size| Page::of(size, "").ok().map(|page| page.size);
        assert_eq!(
            [page(0), page(7), page(1_000), page(1_001), page(-1)],
            [Some(100), Some(7), Some(1_000), None, None]
        );
        assert_eq!(Page::of(1, "x").unwrap().after.as_deref(), Some("x"));
    }

    #[test]
    fn a_filter_asks_for_one_field() {
        assert_eq!(filter("", "name").unwrap(), None);
        assert_eq!(filter("name=\"a\"", "name").unwrap().as_deref(), Some("a"));
        assert_eq!(filter("name = 'a'", "name").unwrap().as_deref(), Some("a"));
        for text in ["name", "name=a", "id=\"a\"", "name=\"a"] {
            assert!(filter(text, "name").is_err(), "{text}");
        }
    }
}
