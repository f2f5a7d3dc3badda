//! The parameters of a request, whichever protocol they came in: a JSON object with the names of the JSON protocol.
//! Numbers may be text, for in the other protocol everything is.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json};

use super::error::SqsError;
use crate::messaging::queues::{Attribute, Value};

/// The parameters of a request, or of an entry of a batch.
pub(super) struct Input<'a>(&'a Json);

impl<'a> Input<'a> {
    pub(super) const fn new(json: &'a Json) -> Self {
        Self(json)
    }

    fn member(&self, name: &str) -> Option<&'a Json> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, SqsError> {
        let Some(value) = self.member(name) else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| wrong(name, "a text"))
    }

    /// A text that has to be there.
    pub(super) fn required(&self, name: &str) -> Result<&'a str, SqsError> {
        self.text(name)?.ok_or_else(|| SqsError::missing(name))
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<u32>, SqsError> {
        self.member(name)
            .map(|value| number(value).ok_or_else(|| wrong(name, "a whole number that is not negative")))
            .transpose()
    }

    /// A list of texts.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<&'a str>, SqsError> {
        let Some(value) = self.member(name) else { return Ok(Vec::new()) };
        let texts = value.as_array().and_then(|list| list.iter().map(Json::as_str).collect());
        texts.ok_or_else(|| wrong(name, "a list of texts"))
    }

    /// Texts by name.
    pub(super) fn map(&self, name: &str) -> Result<BTreeMap<String, String>, SqsError> {
        let Some(value) = self.member(name) else { return Ok(BTreeMap::new()) };
        let pair = |(key, value): (&String, &Json)| Some((key.clone(), value.as_str()?.to_owned()));
        let map = value.as_object().and_then(|map| map.iter().map(pair).collect());
        map.ok_or_else(|| wrong(name, "texts by name"))
    }

    /// The entries of a batch.
    pub(super) fn entries(&self) -> Result<Vec<Self>, SqsError> {
        let Some(value) = self.member("Entries") else { return Ok(Vec::new()) };
        let list = value.as_array().ok_or_else(|| wrong("Entries", "a list"))?;
        Ok(list.iter().map(Self).collect())
    }

    /// Attributes of a message.
    pub(super) fn attributes(&self, name: &str) -> Result<BTreeMap<String, Attribute>, SqsError> {
        let Some(value) = self.member(name) else { return Ok(BTreeMap::new()) };
        let map = value.as_object().ok_or_else(|| wrong(name, "attributes by name"))?;
        map.iter().map(|(name, value)| Ok((name.clone(), attribute(name, value)?))).collect()
    }
}

fn attribute(name: &str, value: &Json) -> Result<Attribute, SqsError> {
    let refused = |why: &str| SqsError::parameter(format!("the message attribute `{name}` {why}"));
    let text = |member: &str| value.get(member).and_then(Json::as_str);
    let kind = text("DataType").ok_or_else(|| refused("has no DataType"))?.to_owned();
    let value = match (text("StringValue"), text("BinaryValue")) {
        (Some(value), None) => Value::Text(value.to_owned()),
        (None, Some(value)) => {
            Value::Binary(STANDARD.decode(value).map_err(|_| refused("has a BinaryValue that is no base64"))?)
        }
        _ => return Err(refused("has one of StringValue and BinaryValue")),
    };
    Ok(Attribute { kind, value })
}

/// An attribute as both protocols begin to write it.
pub(super) fn shown(attribute: &Attribute) -> Json {
    let mut shown = Map::new();
    shown.insert("DataType".to_owned(), attribute.kind.clone().into());
    match &attribute.value {
        Value::Text(text) => shown.insert("StringValue".to_owned(), text.clone().into()),
        Value::Binary(bytes) => shown.insert("BinaryValue".to_owned(), STANDARD.encode(bytes).into()),
    };
    shown.into()
}

pub(super) fn number(value: &Json) -> Option<u32> {
    match value {
        Json::Number(number) => number.as_u64().and_then(|number| u32::try_from(number).ok()),
        Json::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn wrong(name: &str, what: &str) -> SqsError {
    SqsError::parameter(format!("the parameter {name} has to be {what}"))
}
