//! Rows that say in which order things are found: whether each belongs to something that says the same.

use super::super::stage::read_key_use;
use super::super::view::unknown_row;
use super::offline::Offline;
use super::report::{Kind, Tell, finding, of_error};
use crate::model::names::{Digest, FunctionId, InvocationId};
use crate::store::{Cursor, IdempotencyKey, StoreError, keys};

/// Reads the id off a key.
type IdOf = fn(&[u8]) -> Option<InvocationId>;

/// Checks every row that is no entry.
pub(super) fn check(store: &Offline, tell: &mut Tell<'_>) {
    let orders: [(u8, IdOf); 4] = [
        (keys::TIME, |key| keys::read_time(key).map(|Cursor(_, id)| id)),
        (keys::WAITING, |key| keys::read_waiting(key).map(|(_, (_, id))| id)),
        (keys::EXPIRY, |key| keys::read_expiry(key).map(|(_, id)| id)),
        (keys::SETTLED, |key| keys::read_settled(key).map(|(_, id)| id)),
    ];
    for (tag, id_of) in orders {
        each(store, tag, tell, &mut |key, value| {
            let id = id_of(key)?;
            let entry = store.view.entry(id);
            Some(entry.map(|entry| {
                let row = entry.and_then(|entry| entry.row(id, tag));
                row.as_ref().is_none_or(|row| (row.0.as_slice(), row.1.as_slice()) != (key, value)).then(|| {
                    (format!("invocation {id}"), format!("a row under `{}` says what it does not", char::from(tag)))
                })
            }))
        });
    }
    check_keys(store, tell);
}

/// What is wrong with a row, if anything; the outer `None` when it cannot be read.
type Judged = Option<Result<Option<(String, String)>, StoreError>>;

fn each(store: &Offline, tag: u8, tell: &mut Tell<'_>, judge: &mut dyn FnMut(&[u8], &[u8]) -> Judged) {
    for row in store.view.rows(&[tag], &[tag + 1]) {
        let (key, value) = match row {
            Ok(row) => row,
            Err(error) => return tell(of_error(Kind::Index, error)),
        };
        match judge(&key, &value) {
            Some(Ok(None)) => (),
            Some(Ok(Some((what, detail)))) => tell(finding(Kind::Row, what, detail)),
            Some(Err(error)) => tell(of_error(Kind::Index, error)),
            None => tell(of_error(Kind::Row, unknown_row(&key))),
        }
    }
}

/// Idempotency keys and their ends.
fn check_keys(store: &Offline, tell: &mut Tell<'_>) {
    let wrong = |of: IdempotencyKey, detail: &str| {
        (format!("the idempotency key {} of function {}", of.digest, of.function), detail.to_owned())
    };
    each(store, keys::KEY, tell, &mut |key, value| {
        let (of, used) = read_key(key).zip(read_key_use(value))?;
        let end = store.view.row(&keys::key_end(used.until, of));
        Some(end.map(|end| end.is_none().then(|| wrong(of, "nothing says when it ends"))))
    });
    each(store, keys::KEY_END, tell, &mut |key, _| {
        let of = keys::read_key_end(key)?;
        let used = store.view.row(&keys::idempotency(of));
        Some(used.map(|used| {
            let used = used.and_then(|used| read_key_use(&used));
            let agrees = used.is_some_and(|used| keys::key_end(used.until, of) == key);
            (!agrees).then(|| wrong(of, "its end is noted for a time that is not its own"))
        }))
    });
}

/// The key in a key under [`keys::KEY`].
pub(super) fn read_key(key: &[u8]) -> Option<IdempotencyKey> {
    let (function, digest) = key.strip_prefix(&[keys::KEY])?.split_first_chunk()?;
    let digest = Digest::from_bytes(digest.try_into().ok()?);
    Some(IdempotencyKey { function: FunctionId::from_bytes(*function), digest })
}
