//! JSON to values, by their shapes, in one pass: no more is held than the values themselves.
//!
//! What is read is what `schema` describes; a property test holds the two together.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};

use super::expected::expected;
use super::misfit::{Misfit, Step};
use super::parts::{self, InOrder, Member, Named, Wanted};
use super::shape::{Field, Shape};
use super::value::Value;
use crate::model::bounds;

/// The largest number that stands for no other one as a `f64`.
const MAX_EXACT: f64 = 9_007_199_254_740_991.0;

/// One payload being read.
#[derive(Debug)]
pub(super) struct Reader<'s> {
    /// Where it is; after an error, where that was.
    pub(super) path: Vec<Step<'s>>,
    /// How many more values it may hold.
    left: usize,
    /// Whether each byte of a `list<u8>` counts as a value.
    bytes_count: bool,
}

impl<'s> Reader<'s> {
    pub(super) fn new(bytes_count: bool) -> Self {
        Self { path: Vec::new(), left: bounds::MAX_TYPED_VALUES, bytes_count }
    }

    /// Reads a value of one shape, and nothing behind it.
    pub(super) fn value(mut self, shape: &'s Shape, json: &[u8]) -> Result<Value, Misfit> {
        let read = whole(json, Visit { shape, reader: &mut self });
        read.map_err(|error| self.misfit(&error))
    }

    /// Reads parameters by their names.
    pub(super) fn named(mut self, params: &'s [Field], json: &[u8]) -> Result<Vec<Value>, Misfit> {
        let read = whole(json, Named { params, reader: &mut self });
        read.map_err(|error| self.misfit(&error))
    }

    /// Reads parameters in their order.
    pub(super) fn in_order(mut self, params: &'s [Field], json: &[u8]) -> Result<Vec<Value>, Misfit> {
        let read = whole(json, InOrder { params, reader: &mut self });
        read.map_err(|error| self.misfit(&error))
    }

    fn misfit(&self, error: &serde_json::Error) -> Misfit {
        let mut message = error.to_string();
        if error.is_data() {
            // The path says where, as people see their data.
            let place = format!(" at line {} column {}", error.line(), error.column());
            message.truncate(message.strip_suffix(&place).map_or(message.len(), str::len));
        }
        Misfit::new(&self.path, message)
    }

    pub(super) fn count<E: Error>(&mut self, values: usize) -> Result<(), E> {
        let too_many = || E::custom(format!("it holds more than {} values", bounds::MAX_TYPED_VALUES));
        self.left = self.left.checked_sub(values).ok_or_else(too_many)?;
        Ok(())
    }

    pub(super) fn count_bytes<E: Error>(&mut self, bytes: usize) -> Result<(), E> {
        if self.bytes_count { self.count(bytes) } else { Ok(()) }
    }
}

fn whole<'de, S: DeserializeSeed<'de>>(json: &'de [u8], seed: S) -> serde_json::Result<S::Value> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let read = seed.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(read)
}

/// A value of a shape, about to be read.
pub(super) struct Visit<'r, 's> {
    pub(super) shape: &'s Shape,
    pub(super) reader: &'r mut Reader<'s>,
}

impl<'de> DeserializeSeed<'de> for Visit<'_, '_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        self.reader.count(1)?;
        match self.shape {
            Shape::Option(_) => from.deserialize_option(self),
            _ => from.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Visit<'_, '_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        expected(self.shape, f)
    }

    fn visit_bool<E: Error>(self, given: bool) -> Result<Value, E> {
        match self.shape {
            Shape::Bool => Ok(Value::Bool(given)),
            _ => Err(E::invalid_type(Unexpected::Bool(given), &self)),
        }
    }

    fn visit_i64<E: Error>(self, given: i64) -> Result<Value, E> {
        self.number(given.into(), Unexpected::Signed(given))
    }

    fn visit_u64<E: Error>(self, given: u64) -> Result<Value, E> {
        self.number(given.into(), Unexpected::Unsigned(given))
    }

    fn visit_f64<E: Error>(self, given: f64) -> Result<Value, E> {
        match self.shape {
            Shape::F32 | Shape::F64 => self.float(given),
            // 1.0 is an integer to JSON. A larger one may stand for another that was written.
            Shape::Int(_) if given.fract() == 0.0 && given.abs() <= MAX_EXACT =>
            {
                #[expect(clippy::cast_possible_truncation, reason = "it has no fraction and is in range")]
                self.number(given as i128, Unexpected::Float(given))
            }
            _ => Err(E::invalid_type(Unexpected::Float(given), &self)),
        }
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Err(E::invalid_type(Unexpected::Unit, &self))
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Option(None))
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        let Shape::Option(shape) = self.shape else { return from.deserialize_any(self) };
        let some = if shape.may_be_null() {
            from.deserialize_map(Member { whole: self.shape, shape, reader: self.reader })?
        } else {
            Visit { shape, reader: self.reader }.deserialize(from)?
        };
        Ok(Value::Option(Some(Box::new(some))))
    }

    fn visit_str<E: Error>(self, given: &str) -> Result<Value, E> {
        let wrong = |visit: &Self| E::invalid_value(Unexpected::Str(given), visit);
        match self.shape {
            Shape::String => Ok(Value::String(given.to_owned())),
            Shape::Char => {
                let mut characters = given.chars();
                match (characters.next(), characters.next()) {
                    (Some(only), None) => Ok(Value::Char(only)),
                    _ => Err(wrong(&self)),
                }
            }
            Shape::Enum(names) => place(names, given).map(Value::Enum).ok_or_else(|| wrong(&self)),
            Shape::Variant(cases) => match cases.iter().position(|case| *case.name == *given) {
                Some(place) if cases[place].shape.is_none() => Ok(Value::Variant(place, None)),
                _ => Err(wrong(&self)),
            },
            Shape::Int(int) if int.is_wide() => match decimal(given) {
                Some(number) => self.number(number, Unexpected::Str(given)),
                None => Err(wrong(&self)),
            },
            Shape::F32 | Shape::F64 => match given {
                "NaN" => Ok(self.as_float(f64::NAN)),
                "Infinity" => Ok(self.as_float(f64::INFINITY)),
                "-Infinity" => Ok(self.as_float(f64::NEG_INFINITY)),
                _ => Err(wrong(&self)),
            },
            Shape::Bytes => {
                let bytes = STANDARD.decode(given).map_err(|_| wrong(&self))?;
                self.reader.count_bytes(bytes.len())?;
                Ok(Value::Bytes(bytes))
            }
            _ => Err(E::invalid_type(Unexpected::Str(given), &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, from: A) -> Result<Value, A::Error> {
        match self.shape {
            Shape::List(shape) => parts::list(from, shape, self.reader).map(Value::List),
            Shape::Bytes => parts::bytes(from, self.reader).map(Value::Bytes),
            Shape::Tuple(shapes) => {
                parts::exactly(from, shapes.iter(), self.reader, &Wanted(self.shape)).map(Value::Tuple)
            }
            Shape::Flags(names) => parts::flags(from, names, self.reader).map(Value::Flags),
            _ => Err(A::Error::invalid_type(Unexpected::Seq, &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, from: A) -> Result<Value, A::Error> {
        match self.shape {
            Shape::Record(fields) => parts::fields(from, fields, self.reader, "field").map(Value::Record),
            Shape::Variant(cases) => parts::case(from, cases, self),
            Shape::Result(ok, err) => parts::result(from, [ok.as_deref(), err.as_deref()], self),
            _ => Err(A::Error::invalid_type(Unexpected::Map, &self)),
        }
    }
}

impl Visit<'_, '_> {
    /// A number without a fraction.
    fn number<E: Error>(self, given: i128, told: Unexpected<'_>) -> Result<Value, E> {
        let int = match self.shape {
            Shape::Int(int) => *int,
            #[expect(clippy::cast_precision_loss, reason = "a float is as near as it can be")]
            Shape::F32 | Shape::F64 => return self.float(given as f64),
            _ => return Err(E::invalid_type(told, &self)),
        };
        let (min, _) = int.range();
        let value =
            if min < 0 { i64::try_from(given).map(Value::Signed) } else { u64::try_from(given).map(Value::Unsigned) };
        match value {
            Ok(value) if int.holds(given) => Ok(value),
            _ => Err(E::invalid_value(told, &self)),
        }
    }

    fn float<E: Error>(self, given: f64) -> Result<Value, E> {
        match self.as_float(given) {
            Value::F32(float) if float.is_infinite() => Err(E::invalid_value(Unexpected::Float(given), &self)),
            float => Ok(float),
        }
    }

    fn as_float(&self, given: f64) -> Value {
        match self.shape {
            #[expect(clippy::cast_possible_truncation, reason = "to the nearest, as WIT's f32 is")]
            Shape::F32 => Value::F32(given as f32),
            _ => Value::F64(given),
        }
    }
}

/// The place of a name among those that are known.
pub(super) fn place(names: &[Box<str>], name: &str) -> Option<usize> {
    names.iter().position(|known| **known == *name)
}

/// A whole number as it is written, without needless signs and zeros.
fn decimal(text: &str) -> Option<i128> {
    let number: i128 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}
