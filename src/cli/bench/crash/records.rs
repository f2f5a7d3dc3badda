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
pub(in crate::cli::bench) struct Record {
    pub(in crate::cli::bench) id: InvocationId,
    pub(in crate::cli::bench) function: String,
    pub(in crate::cli::bench) status: Status,
    pub(in crate::cli::bench) accepted_at: String,
    pub(in crate::cli::bench) settled_at: Option<String>,
    pub(in crate::cli::bench) attempts: Vec<Attempt>,
    pub(in crate::cli::bench) chain: Vec<InvocationId>,
    pub(in crate::cli::bench) next: Option<Next>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(in crate::cli::bench) struct Attempt {
    pub(in crate::cli::bench) number: u32,
}

/// The invocation that this one caused.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(in crate::cli::bench) struct Next {
    pub(in crate::cli::bench) id: InvocationId,
    pub(in crate::cli::bench) function: String,
}

#[derive(Deserialize)]
struct Page {
    invocations: Vec<Record>,
    next_cursor: Option<String>,
}

/// The records of a server.
#[derive(Debug, Default)]
pub(in crate::cli::bench) struct Records {
    by_id: HashMap<InvocationId, Record>,
    /// How settled records came to differ from one look to the next.
    changed: Vec<(InvocationId, String)>,
    /// What stood there although what it follows from had not settled.
    unfounded: Vec<InvocationId>,
}

impl Records {
    /// Looks at all records of invocations that were accepted since; at all where no time is given.
    pub(in crate::cli::bench) async fn look(&mut self, client: &Client, since: Option<&str>) -> Result<(), Error> {
        each(client, since, |record| self.see(record)).await
    }

    /// Takes up a record as it is now. A settled one must look as it did before.
    pub(in crate::cli::bench) fn see(&mut self, record: Record) {
        if let Some(before) = self.by_id.get(&record.id)
            && before.status.is_settled()
            && *before != record
        {
            let told = |record: &Record| format!("{} at {:?}", record.status, record.settled_at);
            let what = format!("its record changed: {}, then {}", told(before), told(&record));
            self.changed.push((record.id, what));
            return; // the audit goes by what was said first
        }
        self.by_id.insert(record.id, record);
    }

    /// Looks for invocations that follow from one that has not settled. Only a look at all records can tell, and only
    /// of those that were accepted later: they were looked at before the ones they follow from.
    pub(in crate::cli::bench) fn find_unfounded(&mut self) {
        let unsettled = |child: &&Record| {
            let parent = child.chain.last().and_then(|parent| self.by_id.get(parent));
            parent.is_some_and(|parent| !parent.status.is_settled() && parent.accepted_at < child.accepted_at)
        };
        let found: Vec<_> = self.iter().filter(unsettled).map(|child| child.id).collect();
        self.unfounded.extend(found);
    }

    pub(in crate::cli::bench) fn unfounded(&self) -> &[InvocationId] {
        &self.unfounded
    }

    pub(in crate::cli::bench) fn get(&self, id: InvocationId) -> Option<&Record> {
        self.by_id.get(&id)
    }

    pub(in crate::cli::bench) fn iter(&self) -> impl Iterator<Item = &Record> {
        self.by_id.values()
    }

    pub(in crate::cli::bench) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(in crate::cli::bench) fn changed(&self) -> &[(InvocationId, String)] {
        &self.changed
    }

    /// When the first of those that were not settled at the last look was accepted, and how many they are.
    pub(in crate::cli::bench) fn live(&self) -> Option<(String, usize)> {
        let live = || self.iter().filter(|record| !record.status.is_settled());
        let first = live().map(|record| record.accepted_at.as_str()).min()?;
        Some((first.to_owned(), live().count()))
    }
}

/// Calls `see` with the record of each invocation that was accepted since, the latest first.
pub(in crate::cli::bench) async fn each(
    client: &Client,
    since: Option<&str>,
    mut see: impl FnMut(Record),
) -> Result<(), Error> {
    let mut cursor = None::<String>;
    loop {
        let limit = bounds::PAGE.end().to_string();
        let query = [("since", since), ("limit", Some(&limit)), ("cursor", cursor.as_deref())];
        let page: Page = client.json(client.request(Method::GET, &["invocations"]).query(&query)).await?.value;
        page.invocations.into_iter().for_each(&mut see);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(());
        }
    }
}
