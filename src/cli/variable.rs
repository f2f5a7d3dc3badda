//! `KEY=VALUE` on the command line.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::error::Error;

/// A key and its value.
#[derive(Clone, Debug)]
pub(super) struct Variable {
    key: String,
    value: String,
}

/// The text has no key.
#[derive(Debug, Clone, thiserror::Error)]
#[error("write `KEY=VALUE`")]
pub(super) struct InvalidVariable;

impl FromStr for Variable {
    type Err = InvalidVariable;

    fn from_str(text: &str) -> Result<Self, InvalidVariable> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok(Self { key: key.to_owned(), value: value.to_owned() }),
            _ => Err(InvalidVariable),
        }
    }
}

/// All that `flag` gave; none may be given twice.
pub(super) fn once_each(flag: &str, variables: &[Variable]) -> Result<BTreeMap<String, String>, Error> {
    let mut all = BTreeMap::new();
    for Variable { key, value } in variables {
        if all.insert(key.clone(), value.clone()).is_some() {
            return Err(Error::Usage(format!("{flag} gives `{key}` twice")));
        }
    }
    Ok(all)
}
