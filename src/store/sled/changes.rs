//! Many changes of entries in one piece of memory: a window has a hundred thousand, and vectors of their own for each
//! key and value would be most of what they cost. Only holds and sorts them; what they mean is decided elsewhere.

use super::index::Change;

/// Changes, each of one entry: its key, and its value or `None` to remove it.
#[derive(Debug, Default)]
pub(in crate::store) struct Changes {
    bytes: Vec<u8>,
    places: Vec<Place>,
}

/// Some changes that stand side by side.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slice<'a> {
    bytes: &'a [u8],
    places: &'a [Place],
}

/// Where a change lies in the bytes: the key, and behind it the value.
#[derive(Clone, Copy, Debug)]
struct Place {
    at: usize,
    key: usize,
    value: Option<usize>,
}

impl Changes {
    pub(in crate::store) fn push(&mut self, key: &[u8], value: Option<&[u8]>) {
        self.places.push(Place { at: self.bytes.len(), key: key.len(), value: value.map(<[u8]>::len) });
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value.unwrap_or_default());
    }

    /// Puts them in order of their keys. Costs little where they nearly are.
    pub(in crate::store) fn sort(&mut self) {
        let bytes = &self.bytes;
        self.places.sort_by(|a, b| bytes[a.at..a.at + a.key].cmp(&bytes[b.at..b.at + b.key]));
    }

    /// Forgets all of them, and keeps the memory.
    pub(in crate::store) fn clear(&mut self) {
        self.bytes.clear();
        self.places.clear();
    }

    /// How many there are.
    #[cfg(test)]
    pub(in crate::store) fn len(&self) -> usize {
        self.places.len()
    }

    pub(super) fn all(&self) -> Slice<'_> {
        Slice { bytes: &self.bytes, places: &self.places }
    }
}

impl FromIterator<Change> for Changes {
    fn from_iter<I: IntoIterator<Item = Change>>(changes: I) -> Self {
        let mut all = Self::default();
        changes.into_iter().for_each(|(key, value)| all.push(&key, value.as_deref()));
        all
    }
}

impl<'a> Slice<'a> {
    pub(super) fn len(self) -> usize {
        self.places.len()
    }

    /// The key of one of them.
    pub(super) fn key(self, index: usize) -> Option<&'a [u8]> {
        self.places.get(index).map(|place| &self.bytes[place.at..place.at + place.key])
    }

    /// How many there are in front of the first whose key is not `before`.
    pub(super) fn partition_point(self, before: impl Fn(&[u8]) -> bool) -> usize {
        self.places.partition_point(|place| before(&self.bytes[place.at..place.at + place.key]))
    }

    /// The first `count` of them, and the others.
    pub(super) fn split_at(self, count: usize) -> (Self, Self) {
        let (first, rest) = self.places.split_at(count);
        (Self { places: first, ..self }, Self { places: rest, ..self })
    }

    pub(super) fn iter(self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> {
        let Self { bytes, places } = self;
        places.iter().map(move |place| {
            let (key, rest) = bytes[place.at..].split_at(place.key);
            (key, place.value.map(|value| &rest[..value]))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_given_back_as_they_were_put_in_and_in_order_once_they_are_sorted() {
        let mut changes = Changes::default();
        changes.push(b"second", None);
        changes.push(b"third", Some(b""));
        changes.push(b"first", Some(b"value"));
        changes.sort();
        let all = changes.all();
        let expected: [(&[u8], Option<&[u8]>); 3] =
            [(b"first", Some(b"value")), (b"second", None), (b"third", Some(b""))];
        assert!(all.iter().eq(expected));
        assert_eq!((all.key(1), all.key(3)), (Some(&b"second"[..]), None));
        let count = all.partition_point(|key| key < b"third".as_slice());
        let (front, back) = all.split_at(count);
        assert_eq!((front.len(), back.key(0)), (2, Some(&b"third"[..])));
        changes.clear();
        assert_eq!(changes.all().len(), 0);
    }
}
