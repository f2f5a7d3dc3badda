//! What the server says became of each invocation: its records, looked at again and again.

use std::collections::HashMap;

use reqwest::Method;
use serde::Deserialize;

use crate::cli::client::Client;
use crate::cli::error::Error;
use crate::model::bounds;
use crate::model::names::InvocationId;
use crate::model::status::Status;

/// A record, as far as the audit reads it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Record {
    pub(super) id: InvocationId,
    pub(super) function: String,
    pub(super) status: Status,
    pub(super) accepted_at: String,
    pub(super) settled_at: Option<String>,
    pub(super) attempts: Vec<Attempt>,
    pub(super) chain: Vec<InvocationId>,
    pub(super) next: Option<Next>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Attempt {
    pub(super) number: u32,
}

/// The invocation that this one caused.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Next {
    pub(super) id: InvocationId,
    pub(super) function: String,
}

#[derive(Deserialize)]
struct Page {
    invocations: Vec<Record>,
    next_cursor: Option<String>,
}

/// The records of a server.
#[derive(Debug, Default)]
pub(super) struct Records {
    records: HashMap<InvocationId, Record>,
    /// How settled records came to differ from one look to the next.
    changed: Vec<(InvocationId, String)>,
}

impl Records {
    /// Looks at all records of invocations that were accepted since; at all where no time is given.
    pub(super) async fn look(&mut self, client: &Client, since: Option<&str>) -> Result<(), Error> {
        let mut cursor = None::<String>;
        loop {
            let limit = bounds::PAGE.end().to_string();
            let query = [("since", since), ("limit", Some(&limit)), ("cursor", cursor.as_deref())];
            let page: Page = client.json(client.request(Method::GET, &["invocations"]).query(&query)).await?.value;
            page.invocations.into_iter().for_each(|record| self.see(record));
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(());
            }
        }
    }

    /// Takes up a record as it is now. A settled one must look as it did before.
    pub(super) fn see(&mut self, record: Record) {
        if let Some(before) = self.records.get(&record.id)
            && before.status.is_settled()
            && *before != record
        {
            let told = |record: &Record| format!("{} at {:?}", record.status, record.settled_at);
            let what = format!("its record changed: {}, then {}", told(before), told(&record));
            self.changed.push((record.id, what));
            return; // the audit goes by what was said first
        }
        self.records.insert(record.id, record);
    }

    pub(super) fn get(&self, id: InvocationId) -> Option<&Record> {
        self.records.get(&id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Record> {
        self.records.values()
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    pub(super) fn changed(&self) -> &[(InvocationId, String)] {
        &self.changed
    }

    /// When the first of those that were not settled at the last look was accepted, and how many they are.
    pub(super) fn live(&self) -> Option<(String, usize)> {
        let live = || self.iter().filter(|record| !record.status.is_settled());
        let first = live().map(|record| record.accepted_at.as_str()).min()?;
        Some((first.to_owned(), live().count()))
    }
}
