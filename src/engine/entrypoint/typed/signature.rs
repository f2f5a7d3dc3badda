//! The signature of a typed function: what its payload may be and what its result is, without running it.
//!
//! # How a payload gives the parameters
//!
//! | payload | parameters |
//! | --- | --- |
//! | an object | by name; those of a type `option` may be absent |
//! | an array | by position, all of them |
//! | nothing at all | as `{}` |
//! | `null` | none, where the function has none |
//! | a number, text, `true`, `false`, `null` | the value of the only parameter |
//! | an object, where the only parameter is one that is written as an object and has no member of the parameter's own name | the value of the only parameter, unless its first member is the parameter's name |
//!
//! So an array is never a parameter by itself: a list that is the only parameter is sent as `[[1, 2]]` or
//! `{"numbers": [1, 2]}`. What a name means never depends on what else is in the payload.

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::{Value as Json, json};
use wasmtime::component::types::ComponentFunc;

use super::misfit::Misfit;
use super::read::Reader;
use super::schema;
use super::shape::{Field, Kind, Shape, Survey, Unfit};
use super::value::Value;
use super::wit::listed;
use super::write::{self, Mismatch};

/// The signature of a typed function.
#[derive(Clone, Debug)]
pub struct Signature {
    name: String,
    params: Box<[Field]>,
    result: Option<Shape>,
    /// Whether each byte of a `list<u8>` counts as a value of its own.
    bytes_count: bool,
}

/// What a function that has returned has said, as JSON.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Returned {
    Answer(Vec<u8>),
    Error(Vec<u8>),
}

impl Signature {
    /// The signature of a function, unless something in it has no form in JSON.
    pub(super) fn of(name: &str, function: &ComponentFunc) -> Result<Self, Unfit> {
        let mut survey = Survey::default();
        let param = |(name, ty): (&str, _)| match survey.shape(&ty) {
            Ok(shape) => Ok(Field { name: name.into(), shape }),
            Err(unfit) => Err(format!("its parameter `{name}` {unfit}")),
        };
        let params = function.params().map(param).collect::<Result<Box<_>, _>>()?;
        let result = function.results().next().map(|ty| survey.shape(&ty));
        let result = result.transpose().map_err(|unfit| format!("its result {unfit}"))?;
        Ok(Self::new(name, params, result))
    }

    pub(super) fn new(name: &str, params: Box<[Field]>, result: Option<Shape>) -> Self {
        Self { name: name.to_owned(), params, result, bytes_count: true }
    }

    /// The same, of a function to which a `list<u8>` travels as it is.
    pub(super) fn with_bytes_as_they_are(self) -> Self {
        Self { bytes_count: false, ..self }
    }

    pub(super) fn params(&self) -> &[Field] {
        &self.params
    }

    pub(super) fn result(&self) -> Option<&Shape> {
        self.result.as_ref()
    }

    /// Whether a payload fits.
    pub fn check(&self, payload: &[u8]) -> Result<(), Misfit> {
        self.read(payload).map(drop)
    }

    /// The parameters that a payload gives.
    pub(super) fn read(&self, payload: &[u8]) -> Result<Vec<Value>, Misfit> {
        let reader = Reader::new(self.bytes_count);
        let payload = payload.trim_ascii();
        let json = if payload.is_empty() { b"{}" } else { payload };
        match (json.first(), &*self.params) {
            (Some(b'{'), [only]) if is_bare(only, json) => Ok(vec![reader.value(&only.shape, json)?]),
            (Some(b'{'), params) => reader.named(params, json),
            (Some(b'['), params) => reader.in_order(params, json),
            (Some(b'n'), []) if json == b"null" => Ok(Vec::new()),
            (_, [only]) => Ok(vec![reader.value(&only.shape, json)?]),
            (_, params) => {
                let names: Vec<_> = params.iter().map(|param| format!("`{}`", param.name)).collect();
                let message = match &*names {
                    [] => "it takes no parameters: send nothing, `{}`, `[]` or `null`".to_owned(),
                    names => format!(
                        "it takes {} parameters: send an object with {}, or an array with their values",
                        names.len(),
                        names.join(", ")
                    ),
                };
                Err(Misfit::new(&[], message))
            }
        }
    }

    /// What the function has returned. The `err` of a `result` is no answer.
    pub(super) fn returned(&self, value: Option<Value>) -> Result<Returned, Mismatch> {
        let mut out = Vec::new();
        let returned = match (&self.result, value) {
            (None, None) => {
                write::null(&mut out);
                Returned::Answer
            }
            (Some(Shape::Result(ok, err)), Some(Value::Result(result))) => {
                let (shape, held, returned): (_, _, fn(Vec<u8>) -> Returned) = match result {
                    Ok(held) => (ok, held, Returned::Answer),
                    Err(held) => (err, held, Returned::Error),
                };
                match (shape, held) {
                    (Some(shape), Some(value)) => write::write(shape, &value, &mut out)?,
                    (None, None) => write::null(&mut out),
                    _ => return Err(Mismatch),
                }
                returned
            }
            (Some(shape), Some(value)) => {
                write::write(shape, &value, &mut out)?;
                Returned::Answer
            }
            _ => return Err(Mismatch),
        };
        Ok(returned(out))
    }

    /// The JSON Schema of its payload. Nothing at all stands for `{}`, which no schema can say.
    pub fn input_schema(&self) -> Json {
        let in_order = schema::exactly(self.params.iter().map(|param| &param.shape));
        let needed = |param: &Field| !param.shape.may_be_null();
        let mut forms = match &*self.params {
            [only] => {
                let bare_object = takes_bare_objects(only);
                let kinds = only.shape.kinds();
                let bare: Vec<_> = kinds
                    .into_iter()
                    .filter(|kind| *kind != Kind::Array && (*kind != Kind::Object || bare_object))
                    .collect();
                let named = schema::record(&self.params, |param| bare_object || needed(param));
                let bare = (!bare.is_empty()).then(|| schema::of_kinds(&schema::schema(&only.shape), &bare));
                [named].into_iter().chain(bare).collect()
            }
            params => vec![schema::record(params, needed)],
        };
        forms.push(in_order);
        if self.params.is_empty() {
            forms.push(schema::nothing());
        }
        titled(json!({ "anyOf": forms }))
    }

    /// The JSON Schema of its answer.
    pub fn output_schema(&self) -> Json {
        titled(match &self.result {
            None => schema::nothing(),
            Some(Shape::Result(ok, _)) => ok.as_deref().map_or_else(schema::nothing, schema::schema),
            Some(shape) => schema::schema(shape),
        })
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: func(", self.name)?;
        listed(f, self.params.iter())?;
        f.write_str(")")?;
        match &self.result {
            Some(result) => write!(f, " -> {result}"),
            None => Ok(()),
        }
    }
}

fn titled(schema: Json) -> Json {
    let mut titled = json!({ "$schema": "https://json-schema.org/draft/2020-12/schema" });
    if let (Json::Object(titled), Json::Object(schema)) = (&mut titled, schema) {
        titled.extend(schema);
    }
    titled
}

/// Whether an object may stand for the only parameter itself.
fn takes_bare_objects(only: &Field) -> bool {
    only.shape.kinds().contains(&Kind::Object) && !only.shape.may_have(&only.name)
}

/// Whether this object does.
fn is_bare(only: &Field, object: &[u8]) -> bool {
    takes_bare_objects(only) && first_member(object).as_deref() != Some(&*only.name)
}

/// The name of an object's first member.
fn first_member(object: &[u8]) -> Option<String> {
    let mut first = None;
    // It stops there, which is an error to who reads all of it.
    let _ = serde_json::Deserializer::from_slice(object).deserialize_map(First(&mut first));
    first
}

struct First<'a>(&'a mut Option<String>);

impl<'de> Visitor<'de> for First<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<(), A::Error> {
        *self.0 = from.next_key()?;
        Ok(())
    }
}
