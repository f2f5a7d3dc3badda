//! The insides of arrays and objects, read: each step into one is on the reader's path until it is done.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, Expected, MapAccess, SeqAccess, Unexpected, Visitor};

use super::expected::expected;
use super::misfit::Step;
use super::read::{Reader, Visit, place};
use super::shape::{Case, ERR, Field, Int, OK, SOME, Shape};
use super::value::Value;

const BYTE: &Shape = &Shape::Int(Int::U8);

/// Parameters by name, about to be read.
pub(super) struct Named<'r, 's> {
    pub(super) params: &'s [Field],
    pub(super) reader: &'r mut Reader<'s>,
}

/// Parameters in their order, about to be read.
pub(super) struct InOrder<'r, 's> {
    pub(super) params: &'s [Field],
    pub(super) reader: &'r mut Reader<'s>,
}

/// A value where `null` could be one, in its object, about to be read.
pub(super) struct Member<'r, 's> {
    /// The option.
    pub(super) whole: &'s Shape,
    /// What it holds.
    pub(super) shape: &'s Shape,
    pub(super) reader: &'r mut Reader<'s>,
}

/// `null`, about to be read.
struct Null;

/// A shape, as what was expected.
pub(super) struct Wanted<'s>(pub(super) &'s Shape);

pub(super) fn list<'de, 's, A: SeqAccess<'de>>(
    mut from: A,
    shape: &'s Shape,
    reader: &mut Reader<'s>,
) -> Result<Vec<Value>, A::Error> {
    let mut list = Vec::new();
    while let Some(value) = element(&mut from, shape, reader, list.len())? {
        list.push(value);
    }
    Ok(list)
}

pub(super) fn bytes<'de, A: SeqAccess<'de>>(mut from: A, reader: &mut Reader<'_>) -> Result<Vec<u8>, A::Error> {
    let mut bytes = Vec::new();
    while let Some(Value::Unsigned(byte)) = element(&mut from, BYTE, reader, bytes.len())? {
        bytes.push(u8::try_from(byte).map_err(A::Error::custom)?);
    }
    Ok(bytes)
}

/// As many elements as there are shapes.
pub(super) fn exactly<'de, 's, A: SeqAccess<'de>>(
    mut from: A,
    shapes: impl ExactSizeIterator<Item = &'s Shape>,
    reader: &mut Reader<'s>,
    wanted: &dyn Expected,
) -> Result<Vec<Value>, A::Error> {
    let mut values = Vec::with_capacity(shapes.len());
    for shape in shapes {
        match element(&mut from, shape, reader, values.len())? {
            Some(value) => values.push(value),
            None => return Err(A::Error::invalid_length(values.len(), wanted)),
        }
    }
    match from.next_element::<serde::de::IgnoredAny>()? {
        None => Ok(values),
        Some(_) => Err(A::Error::invalid_length(values.len() + 1, wanted)),
    }
}

pub(super) fn flags<'de, A: SeqAccess<'de>>(
    mut from: A,
    names: &[Box<str>],
    reader: &mut Reader<'_>,
) -> Result<Vec<usize>, A::Error> {
    let mut flags = BTreeSet::new();
    loop {
        reader.path.push(Step::Element(flags.len()));
        let Some(flag) = from.next_element::<String>()? else { break };
        let Some(place) = place(names, &flag) else {
            let known: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
            return Err(A::Error::custom(format!("there is no flag `{flag}`: use {}", known.join(", "))));
        };
        if !flags.insert(place) {
            return Err(A::Error::custom(format!("the flag `{flag}` is given twice")));
        }
        reader.path.pop();
    }
    reader.path.pop();
    Ok(flags.into_iter().collect())
}

/// The fields of a record, or parameters, in their own order. Those that are options may be absent.
pub(super) fn fields<'de, 's, A: MapAccess<'de>>(
    mut from: A,
    fields: &'s [Field],
    reader: &mut Reader<'s>,
    what: &str,
) -> Result<Vec<Value>, A::Error> {
    let mut values: Vec<Option<Value>> = fields.iter().map(|_| None).collect();
    while let Some(name) = from.next_key::<String>()? {
        let Some(place) = fields.iter().position(|field| *field.name == *name) else {
            let known: Vec<_> = fields.iter().map(|field| format!("`{}`", field.name)).collect();
            reader.path.push(Step::Stranger(name.clone()));
            return Err(A::Error::custom(format!("there is no {what} `{name}`, only {}", known.join(", "))));
        };
        let field = &fields[place];
        reader.path.push(Step::Member(&field.name));
        if values[place].is_some() {
            return Err(A::Error::custom(format!("the {what} `{name}` is given twice")));
        }
        values[place] = Some(from.next_value_seed(Visit { shape: &field.shape, reader })?);
        reader.path.pop();
    }
    let given = fields.iter().zip(values).map(|(field, value)| match value {
        Some(value) => Ok(value),
        None if field.shape.may_be_null() => Ok(Value::Option(None)),
        None => Err(A::Error::custom(format!("the {what} `{field}` is missing"))),
    });
    given.collect()
}

/// A case of a variant that holds something.
pub(super) fn case<'de, 's, A: MapAccess<'de>>(
    from: A,
    cases: &'s [Case],
    visit: Visit<'_, 's>,
) -> Result<Value, A::Error> {
    let known = |name: &str| cases.iter().position(|case| case.shape.is_some() && *case.name == *name);
    let (place, value) = only_member(from, visit, |name| {
        let place = known(name)?;
        Some((place, &*cases[place].name, cases[place].shape.as_ref()))
    })?;
    Ok(Value::Variant(place, value.map(Box::new)))
}

/// A `result`, by the shapes of its two cases.
pub(super) fn result<'de, 's, A: MapAccess<'de>>(
    from: A,
    [ok, err]: [Option<&'s Shape>; 2],
    visit: Visit<'_, 's>,
) -> Result<Value, A::Error> {
    let (is_ok, value) = only_member(from, visit, |name| match name {
        OK => Some((true, OK, ok)),
        ERR => Some((false, ERR, err)),
        _ => None,
    })?;
    let value = value.map(Box::new);
    Ok(Value::Result(if is_ok { Ok(value) } else { Err(value) }))
}

/// The one member of an object: what `known` makes of its name, and its value, which is `null` where there is no shape.
fn only_member<'de, 's, A: MapAccess<'de>, T>(
    mut from: A,
    visit: Visit<'_, 's>,
    known: impl FnOnce(&str) -> Option<(T, &'s str, Option<&'s Shape>)>,
) -> Result<(T, Option<Value>), A::Error> {
    let Visit { shape: whole, reader } = visit;
    let Some(name) = from.next_key::<String>()? else {
        return Err(A::Error::invalid_type(Unexpected::Other("an empty object"), &Wanted(whole)));
    };
    let Some((what, name, shape)) = known(&name) else {
        reader.path.push(Step::Stranger(name.clone()));
        return Err(A::Error::invalid_value(Unexpected::Other(&format!("`{name}`")), &Wanted(whole)));
    };
    reader.path.push(Step::Member(name));
    let value = match shape {
        Some(shape) => Some(from.next_value_seed(Visit { shape, reader })?),
        None => from.next_value_seed(Null).map(|()| None)?,
    };
    reader.path.pop();
    match from.next_key::<String>()? {
        None => Ok((what, value)),
        Some(more) => {
            reader.path.push(Step::Stranger(more));
            Err(A::Error::custom(format!("there is `{name}` already, and only one can be")))
        }
    }
}

fn element<'de, 's, A: SeqAccess<'de>>(
    from: &mut A,
    shape: &'s Shape,
    reader: &mut Reader<'s>,
    place: usize,
) -> Result<Option<Value>, A::Error> {
    reader.path.push(Step::Element(place));
    let value = from.next_element_seed(Visit { shape, reader })?;
    reader.path.pop();
    Ok(value)
}

impl<'de> DeserializeSeed<'de> for Named<'_, '_> {
    type Value = Vec<Value>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Named<'_, '_> {
    type Value = Vec<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of parameters")
    }

    fn visit_map<A: MapAccess<'de>>(self, from: A) -> Result<Self::Value, A::Error> {
        fields(from, self.params, self.reader, "parameter")
    }
}

impl<'de> DeserializeSeed<'de> for InOrder<'_, '_> {
    type Value = Vec<Value>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for InOrder<'_, '_> {
    type Value = Vec<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} parameters, each an element of the array", self.params.len())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, from: A) -> Result<Self::Value, A::Error> {
        let shapes = self.params.iter().map(|param| &param.shape);
        exactly(from, shapes, self.reader, &format!("{} of them: one for each parameter", self.params.len()).as_str())
    }
}

impl<'de> Visitor<'de> for Member<'_, '_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        expected(self.whole, f)
    }

    fn visit_map<A: MapAccess<'de>>(self, from: A) -> Result<Value, A::Error> {
        let Self { whole, shape, reader } = self;
        let known = |name: &str| (name == SOME).then_some(((), SOME, Some(shape)));
        let ((), value) = only_member(from, Visit { shape: whole, reader }, known)?;
        Ok(value.unwrap_or(Value::Option(None))) // there is a shape, so there is a value
    }
}

impl<'de> DeserializeSeed<'de> for Null {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl Visitor<'_> for Null {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`null`")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
}

impl Expected for Wanted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        expected(self.0, f)
    }
}
