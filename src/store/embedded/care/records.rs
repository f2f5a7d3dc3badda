//! Functions, versions and modules, secrets, pairs and documents: whether each record can be read and each module is there.

use std::collections::{BTreeMap, BTreeSet};

use super::super::view::{read_span, unknown_row};
use super::entries::Values;
use super::report::{Finding, Kind, Tell, finding, of_error};
use crate::model::function::{Function, Version};
use crate::model::names::Digest;
use crate::model::secret::Secret;
use crate::store::{Pair, StoreError, keys, record};

/// Checks every function, version and module; returns how many functions there are.
pub(super) fn check(values: &mut Values<'_>, tell: &mut Tell<'_>) -> u64 {
    let mut functions = BTreeSet::new();
    each(values, keys::FUNCTION, tell, &mut |key, bytes| {
        let id = keys::read_function(key).ok_or_else(|| of_error(Kind::Row, unknown_row(key)))?;
        let function: Function = decode(bytes, format!("function {id}"))?;
        functions.insert(id);
        (function.id == id).then_some(()).ok_or_else(|| other(format!("function {id}")))
    });
    let mut digests = BTreeSet::new();
    each(values, keys::VERSION, tell, &mut |key, bytes| {
        let (id, number) = keys::read_version(key).ok_or_else(|| of_error(Kind::Row, unknown_row(key)))?;
        let what = format!("version {number} of function {id}");
        let version: Version = decode(bytes, what.clone())?;
        digests.insert(version.digest);
        if !functions.contains(&id) {
            return Err(finding(Kind::Row, what, "its function is not there"));
        }
        (version.number == number).then_some(()).ok_or_else(|| other(what))
    });
    for digest in digests {
        check_module(values, digest, tell);
    }
    check_owned(values, tell);
    functions.len() as u64
}

/// What belongs to a namespace: each secret, and each pair with its value.
fn check_owned(values: &mut Values<'_>, tell: &mut Tell<'_>) {
    each(values, keys::SECRET, tell, &mut |key, bytes| {
        let secret: Secret = decode(bytes, name(key))?;
        (keys::secret(&secret.namespace, &secret.name) == key).then_some(()).ok_or_else(|| other(name(key)))
    });
    each(values, keys::DOCUMENT, tell, &mut |key, _| {
        let known = keys::read_document(key).is_some(); // what it says is for the room that it belongs to
        known.then_some(()).ok_or_else(|| of_error(Kind::Row, unknown_row(key)))
    });
    let mut sizes = BTreeMap::new();
    each(values, keys::PAIR, tell, &mut |key, bytes| {
        let pair: Pair = decode(bytes, name(key))?;
        sizes.insert(keys::other_of_pair(key), pair.bytes);
        (keys::pair(keys::PAIR, &pair.store, &pair.key) == key).then_some(()).ok_or_else(|| other(name(key)))
    });
    each(values, keys::PAIR_VALUE, tell, &mut |key, bytes| match sizes.remove(key) {
        Some(size) if size == bytes.len() as u64 => Ok(()),
        Some(size) => {
            let detail = format!("its value has {} bytes, and it says {size}", bytes.len());
            Err(finding(Kind::Record, name(key), detail))
        }
        None => Err(finding(Kind::Row, name(key), "its value is there and itself is not")),
    });
    for key in sizes.into_keys() {
        tell(finding(Kind::Row, name(&key), "its value is not there"));
    }
}

/// Says what is wrong with the record under a key.
type Judge<'a> = dyn FnMut(&[u8], &[u8]) -> Result<(), Finding> + 'a;

fn each(values: &mut Values<'_>, tag: u8, tell: &mut Tell<'_>, judge: &mut Judge<'_>) {
    for row in values.store.view.rows(&[tag], &[tag + 1]) {
        let judged = row.map_err(|error| of_error(Kind::Index, error)).and_then(|(key, value)| {
            let span = read_span(&key, &value).map_err(|error| of_error(Kind::Row, error))?;
            let bytes = values.read(&name(&key), span)?;
            judge(&key, &bytes)
        });
        if let Err(found) = judged {
            tell(found);
        }
    }
}

/// What the key of a record names.
fn name(key: &[u8]) -> String {
    match key.first() {
        Some(&keys::SECRET) => {
            return format!("the secret {}", String::from_utf8_lossy(key.get(2..).unwrap_or_default()));
        }
        Some(&keys::DOCUMENT) => return format!("the document {:02x?}", &key[1..]),
        Some(&(keys::PAIR | keys::PAIR_VALUE)) => return format!("the pair {:02x?} of a key-value store", &key[1..]),
        _ => (),
    }
    match (keys::read_function(key), keys::read_version(key)) {
        (Some(id), _) => format!("function {id}"),
        (None, Some((id, number))) => format!("version {number} of function {id}"),
        (None, None) => format!("the row {key:02x?}"),
    }
}

fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8], what: String) -> Result<T, Finding> {
    record::decode(bytes, || what).map_err(|error: StoreError| of_error(Kind::Record, error))
}

fn other(what: String) -> Finding {
    finding(Kind::Record, what, "its record is that of another one")
}

fn check_module(values: &Values<'_>, digest: Digest, tell: &mut Tell<'_>) {
    match values.store.modules.read(digest) {
        Ok(Some(_)) => (),
        Ok(None) => tell(finding(Kind::Module, format!("module {digest}"), "it is missing: deploy it again")),
        Err(error) => tell(of_error(Kind::Module, error)),
    }
}
