//! Values to JSON, by their shapes: the one form of each that everybody reads alike.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::shape::{Case, ERR, Field, OK, SOME, Shape};
use super::value::Value;

/// Integers up to here are exact in every reader of JSON, those that know nothing but doubles included: 2^53 - 1.
pub(super) const EXACT: u64 = (1 << 53) - 1;

/// A value that is not of its shape: a bug, and no guest's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a value is not of its type")]
pub(super) struct Mismatch;

/// Writes a value behind what is there.
pub(super) fn write(shape: &Shape, value: &Value, out: &mut Vec<u8>) -> Result<(), Mismatch> {
    match (shape, value) {
        (Shape::Bool, Value::Bool(bool)) => json(bool, out),
        (Shape::Int(int), Value::Signed(number)) => number_or_text(*number, int.is_wide(), number.unsigned_abs(), out),
        (Shape::Int(int), Value::Unsigned(number)) => number_or_text(*number, int.is_wide(), *number, out),
        (Shape::F32, Value::F32(float)) if float.is_finite() => json(float, out),
        (Shape::F32, Value::F32(float)) => json(named(f64::from(*float)), out),
        (Shape::F64, Value::F64(float)) if float.is_finite() => json(float, out),
        (Shape::F64, Value::F64(float)) => json(named(*float), out),
        (Shape::Char, Value::Char(character)) => json(character, out),
        (Shape::String, Value::String(text)) => json(text, out),
        (Shape::Bytes, Value::Bytes(bytes)) => json(STANDARD.encode(bytes), out),
        (Shape::List(shape), Value::List(values)) => array(values.iter().map(|value| (&**shape, value)), out),
        (Shape::Tuple(shapes), Value::Tuple(values)) if shapes.len() == values.len() => {
            array(shapes.iter().zip(values), out)
        }
        (Shape::Record(fields), Value::Record(values)) => record(fields, values, out),
        (Shape::Variant(cases), Value::Variant(place, held)) => {
            variant(cases.get(*place).ok_or(Mismatch)?, held.as_deref(), out)
        }
        (Shape::Enum(names), Value::Enum(place)) => json(names.get(*place).ok_or(Mismatch)?, out),
        (Shape::Flags(names), Value::Flags(places)) => {
            let set: Option<Vec<_>> = places.iter().map(|place| names.get(*place)).collect();
            json(set.ok_or(Mismatch)?, out)
        }
        (Shape::Option(_), Value::Option(None)) => {
            null(out);
            Ok(())
        }
        (Shape::Option(shape), Value::Option(Some(value))) if shape.may_be_null() => object(SOME, shape, value, out),
        (Shape::Option(shape), Value::Option(Some(value))) => write(shape, value, out),
        (Shape::Result(ok, _), Value::Result(Ok(held))) => one_of(OK, ok.as_deref(), held.as_deref(), out),
        (Shape::Result(_, err), Value::Result(Err(held))) => one_of(ERR, err.as_deref(), held.as_deref(), out),
        _ => Err(Mismatch),
    }
}

fn record(fields: &[Field], values: &[Value], out: &mut Vec<u8>) -> Result<(), Mismatch> {
    if fields.len() != values.len() {
        return Err(Mismatch);
    }
    out.push(b'{');
    for (place, (field, value)) in fields.iter().zip(values).enumerate() {
        if place > 0 {
            out.push(b',');
        }
        member(&field.name, &field.shape, value, out)?;
    }
    out.push(b'}');
    Ok(())
}

fn variant(case: &Case, held: Option<&Value>, out: &mut Vec<u8>) -> Result<(), Mismatch> {
    match (&case.shape, held) {
        (Some(shape), Some(value)) => object(&case.name, shape, value, out),
        (None, None) => json(&case.name, out),
        _ => Err(Mismatch),
    }
}

/// One side of a `result`.
fn one_of(name: &str, shape: Option<&Shape>, held: Option<&Value>, out: &mut Vec<u8>) -> Result<(), Mismatch> {
    match (shape, held) {
        (Some(shape), Some(value)) => object(name, shape, value, out),
        (None, None) => {
            out.push(b'{');
            json(name, out)?;
            out.extend_from_slice(b":null}");
            Ok(())
        }
        _ => Err(Mismatch),
    }
}

/// What stands for nothing.
pub(super) fn null(out: &mut Vec<u8>) {
    out.extend_from_slice(b"null");
}

fn json(value: impl Serialize, out: &mut Vec<u8>) -> Result<(), Mismatch> {
    // A vector takes everything, and these values are all that JSON has.
    serde_json::to_writer(out, &value).map_err(|_| Mismatch)
}

/// Past what is exact everywhere, a wide number is text.
fn number_or_text(number: impl Serialize + ToString, wide: bool, size: u64, out: &mut Vec<u8>) -> Result<(), Mismatch> {
    if wide && size > EXACT { json(number.to_string(), out) } else { json(number, out) }
}

/// The floats that are no JSON number.
fn named(float: f64) -> &'static str {
    if float.is_nan() {
        "NaN"
    } else if float > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}

fn array<'a>(items: impl Iterator<Item = (&'a Shape, &'a Value)>, out: &mut Vec<u8>) -> Result<(), Mismatch> {
    out.push(b'[');
    for (place, (shape, value)) in items.enumerate() {
        if place > 0 {
            out.push(b',');
        }
        write(shape, value, out)?;
    }
    out.push(b']');
    Ok(())
}

/// An object of one member.
fn object(name: &str, shape: &Shape, value: &Value, out: &mut Vec<u8>) -> Result<(), Mismatch> {
    out.push(b'{');
    member(name, shape, value, out)?;
    out.push(b'}');
    Ok(())
}

fn member(name: &str, shape: &Shape, value: &Value, out: &mut Vec<u8>) -> Result<(), Mismatch> {
    json(name, out)?;
    out.push(b':');
    write(shape, value, out)
}
