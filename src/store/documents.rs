//! Documents: bytes under ordered keys, in a table of the room that they belong to. What they mean is that room's
//! business alone; a store keeps them, and hands them out in the order of their keys.

use crate::model::bounds;

/// Whose documents. The number is what a key begins with on disk: it is never given to another table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[repr(u8)]
pub enum Table {
    /// Service accounts with their roles, by id.
    Account = 1,
    /// Tokens and keys of service accounts, by what they are found by.
    Credential = 2,
    /// What was changed by whom, by time.
    Audit = 3,
    /// Message queues, by namespace and name.
    Queue = 10,
    /// Messages in queues: what they say and are.
    Message = 11,
    /// The order of messages in queues.
    MessageOrder = 12,
    /// What FIFO queues remember of messages that were sent.
    Deduplication = 13,
    /// Streams, by namespace and name.
    Stream = 20,
    /// Records in streams, by place.
    StreamRecord = 21,
    /// Topics with their subscriptions, by namespace and name.
    Topic = 30,
    /// What was published and is on its way to a subscription.
    Publication = 31,
    /// When objects of the local store are deleted.
    ObjectExpiry = 40,
    /// Connections to services outside the runtime, by namespace and name: addresses, and which secrets are their keys.
    Connection = 41,
    /// Deliveries that are to be tried, by target and then by time.
    Delivery = 42,
    /// Keys that webhooks are signed with, by namespace, sealed.
    WebhookKey = 43,
    /// Triggers, by namespace and name.
    Trigger = 50,
    /// How far a trigger has come.
    TriggerProgress = 51,
    /// Operations of the dialects that have them, by time.
    Operation = 60,
}

impl Table {
    /// Every table, in the order of their numbers.
    pub const ALL: [Self; 18] = [
        Self::Account,
        Self::Credential,
        Self::Audit,
        Self::Queue,
        Self::Message,
        Self::MessageOrder,
        Self::Deduplication,
        Self::Stream,
        Self::StreamRecord,
        Self::Topic,
        Self::Publication,
        Self::ObjectExpiry,
        Self::Connection,
        Self::Delivery,
        Self::WebhookKey,
        Self::Trigger,
        Self::TriggerProgress,
        Self::Operation,
    ];

    /// Whether writing over a document moves something on that was accepted, rather than keeping something new: such is
    /// taken while there is any room.
    pub const fn moves_on(self) -> bool {
        matches!(self, Self::Message | Self::MessageOrder | Self::Publication | Self::Delivery | Self::TriggerProgress)
    }

    /// The table of a number.
    pub(super) fn of_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|table| *table as u8 == number)
    }
}

/// Where a document stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentKey {
    /// In which table.
    pub table: Table,
    /// Where in it: its order is that of these bytes.
    key: Vec<u8>,
}

impl DocumentKey {
    /// A key of up to [`bounds::MAX_DOCUMENT_KEY_BYTES`] bytes.
    ///
    /// # Panics
    /// When `key` is longer, which is a mistake of the table's room: what people write is bounded before.
    pub fn new(table: Table, key: impl Into<Vec<u8>>) -> Self {
        let key = key.into();
        assert!(key.len() <= bounds::MAX_DOCUMENT_KEY_BYTES, "the key of a document has {} bytes", key.len());
        Self { table, key }
    }

    /// A key that was written before; `None` where none can be so long.
    pub(super) fn read(table: Table, key: &[u8]) -> Option<Self> {
        (key.len() <= bounds::MAX_DOCUMENT_KEY_BYTES).then(|| Self { table, key: key.to_vec() })
    }

    /// A bound of a range, which need not be the key of anything.
    pub(super) fn bound(table: Table, key: Vec<u8>) -> Self {
        Self { table, key }
    }

    /// Where it stands in its table.
    pub fn key(&self) -> &[u8] {
        &self.key
    }
}

/// Part of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentRange {
    /// Of which table.
    pub table: Table,
    /// From this key on.
    pub from: Vec<u8>,
    /// To before this one; `None` for the end of the table.
    pub to: Option<Vec<u8>>,
}

impl DocumentRange {
    /// All documents whose keys begin with `prefix`.
    pub fn of(table: Table, prefix: &[u8]) -> Self {
        Self { table, from: prefix.to_vec(), to: behind(prefix) }
    }

    /// What of it stands behind `key`.
    pub fn after(mut self, key: &[u8]) -> Self {
        let next = [key, &[0]].concat();
        self.from = self.from.max(next);
        self
    }
}

/// The first key behind all that begin with `prefix`; `None` where there is none.
fn behind(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut behind = prefix[..=last].to_vec();
    behind[last] += 1;
    Some(behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_a_prefix_holds_what_begins_with_it_and_nothing_else() {
        for (prefix, to) in [(&b"ab"[..], Some(&b"ac"[..])), (b"a\xff", Some(b"b")), (b"\xff\xff", None), (b"", None)] {
            assert_eq!(DocumentRange::of(Table::Queue, prefix).to.as_deref(), to, "{prefix:?}");
        }
        let range = DocumentRange::of(Table::Queue, b"ab");
        assert_eq!(range.clone().after(b"abc").from, b"abc\0");
        assert_eq!(range.after(b"aa").from, b"ab");
    }

    #[test]
    fn every_table_has_a_number_of_its_own() {
        for table in Table::ALL {
            assert_eq!(Table::of_number(table as u8), Some(table));
        }
    }
}
