//! Values as wasmtime's dynamic ones, and back: for every signature that `direct` has no types for.
//!
//! A `list<u8>` in here is one dynamic value for each byte, some 60 ns and 40 bytes each, which
//! [`bounds::MAX_TYPED_VALUES`](crate::model::bounds::MAX_TYPED_VALUES) and the store's limit on what is copied keep small.
//! wasmtime has no other way: what its values lower from and lift to is fixed, a type of our own that lowers by a
//! signature known at run time would need `unsafe` (its traits `Lower` and `Lift` are), and generated types have their
//! fields' names in them.

use wasmtime::component::Val;

use super::shape::{Field, Int, Shape};
use super::value::Value;
use super::write::Mismatch;

/// A value for a call.
pub(super) fn to_val(shape: &Shape, value: Value) -> Result<Val, Mismatch> {
    Ok(match (shape, value) {
        (Shape::Bool, Value::Bool(bool)) => Val::Bool(bool),
        (Shape::Int(int), Value::Signed(number)) => signed(*int, number)?,
        (Shape::Int(int), Value::Unsigned(number)) => unsigned(*int, number)?,
        (Shape::F32, Value::F32(float)) => Val::Float32(float),
        (Shape::F64, Value::F64(float)) => Val::Float64(float),
        (Shape::Char, Value::Char(character)) => Val::Char(character),
        (Shape::String, Value::String(text)) => Val::String(text),
        (Shape::Bytes, Value::Bytes(bytes)) => Val::List(bytes.into_iter().map(Val::U8).collect()),
        (Shape::List(shape), Value::List(values)) => {
            Val::List(all(values.into_iter().map(|value| to_val(shape, value)))?)
        }
        (Shape::Tuple(shapes), Value::Tuple(values)) if shapes.len() == values.len() => {
            Val::Tuple(all(shapes.iter().zip(values).map(|(shape, value)| to_val(shape, value)))?)
        }
        (Shape::Record(fields), Value::Record(values)) if fields.len() == values.len() => {
            let field = |(field, value): (&Field, _)| Ok((field.name.to_string(), to_val(&field.shape, value)?));
            Val::Record(all(fields.iter().zip(values).map(field))?)
        }
        (Shape::Variant(cases), Value::Variant(place, held)) => {
            let case = cases.get(place).ok_or(Mismatch)?;
            Val::Variant(case.name.to_string(), held_val(case.shape.as_ref(), held)?)
        }
        (Shape::Enum(names), Value::Enum(place)) => Val::Enum(names.get(place).ok_or(Mismatch)?.to_string()),
        (Shape::Option(_), Value::Option(None)) => Val::Option(None),
        (Shape::Option(shape), Value::Option(some)) => Val::Option(held_val(Some(shape), some)?),
        (Shape::Result(ok, _), Value::Result(Ok(held))) => Val::Result(Ok(held_val(ok.as_deref(), held)?)),
        (Shape::Result(_, err), Value::Result(Err(held))) => Val::Result(Err(held_val(err.as_deref(), held)?)),
        (Shape::Flags(names), Value::Flags(places)) => {
            let name = |place: usize| names.get(place).map(ToString::to_string).ok_or(Mismatch);
            Val::Flags(all(places.into_iter().map(name))?)
        }
        _ => return Err(Mismatch),
    })
}

/// A value from a call.
pub(super) fn from_val(shape: &Shape, val: Val) -> Result<Value, Mismatch> {
    Ok(match (shape, val) {
        (Shape::Bool, Val::Bool(bool)) => Value::Bool(bool),
        (Shape::Int(_), val) => integer(&val)?,
        (Shape::F32, Val::Float32(float)) => Value::F32(float),
        (Shape::F64, Val::Float64(float)) => Value::F64(float),
        (Shape::Char, Val::Char(character)) => Value::Char(character),
        (Shape::String, Val::String(text)) => Value::String(text),
        (Shape::Bytes, Val::List(vals)) => {
            let byte = |val| if let Val::U8(byte) = val { Ok(byte) } else { Err(Mismatch) };
            Value::Bytes(all(vals.into_iter().map(byte))?)
        }
        (Shape::List(shape), Val::List(vals)) => Value::List(all(vals.into_iter().map(|val| from_val(shape, val)))?),
        (Shape::Tuple(shapes), Val::Tuple(vals)) if shapes.len() == vals.len() => {
            Value::Tuple(all(shapes.iter().zip(vals).map(|(shape, val)| from_val(shape, val)))?)
        }
        (Shape::Record(fields), Val::Record(vals)) if fields.len() == vals.len() => {
            Value::Record(all(fields.iter().zip(vals).map(|(field, (_, val))| from_val(&field.shape, val)))?)
        }
        (Shape::Variant(cases), Val::Variant(name, held)) => {
            let place = cases.iter().position(|case| *case.name == *name).ok_or(Mismatch)?;
            Value::Variant(place, held_value(cases[place].shape.as_ref(), held)?)
        }
        (Shape::Enum(names), Val::Enum(name)) => Value::Enum(place(names, &name)?),
        (Shape::Option(_), Val::Option(None)) => Value::Option(None),
        (Shape::Option(shape), Val::Option(some)) => Value::Option(held_value(Some(shape), some)?),
        (Shape::Result(ok, _), Val::Result(Ok(held))) => Value::Result(Ok(held_value(ok.as_deref(), held)?)),
        (Shape::Result(_, err), Val::Result(Err(held))) => Value::Result(Err(held_value(err.as_deref(), held)?)),
        (Shape::Flags(names), Val::Flags(set)) => Value::Flags(all(set.iter().map(|name| place(names, name)))?),
        _ => return Err(Mismatch),
    })
}

fn all<T>(each: impl Iterator<Item = Result<T, Mismatch>>) -> Result<Vec<T>, Mismatch> {
    each.collect()
}

fn held_val(shape: Option<&Shape>, held: Option<Box<Value>>) -> Result<Option<Box<Val>>, Mismatch> {
    match (shape, held) {
        (Some(shape), Some(value)) => Ok(Some(Box::new(to_val(shape, *value)?))),
        (None, None) => Ok(None),
        _ => Err(Mismatch),
    }
}

fn held_value(shape: Option<&Shape>, held: Option<Box<Val>>) -> Result<Option<Box<Value>>, Mismatch> {
    match (shape, held) {
        (Some(shape), Some(val)) => Ok(Some(Box::new(from_val(shape, *val)?))),
        (None, None) => Ok(None),
        _ => Err(Mismatch),
    }
}

fn place(names: &[Box<str>], name: &str) -> Result<usize, Mismatch> {
    names.iter().position(|known| **known == *name).ok_or(Mismatch)
}

fn signed(int: Int, number: i64) -> Result<Val, Mismatch> {
    let past = |_| Mismatch;
    Ok(match int {
        Int::S8 => Val::S8(number.try_into().map_err(past)?),
        Int::S16 => Val::S16(number.try_into().map_err(past)?),
        Int::S32 => Val::S32(number.try_into().map_err(past)?),
        Int::S64 => Val::S64(number),
        _ => return Err(Mismatch),
    })
}

fn unsigned(int: Int, number: u64) -> Result<Val, Mismatch> {
    let past = |_| Mismatch;
    Ok(match int {
        Int::U8 => Val::U8(number.try_into().map_err(past)?),
        Int::U16 => Val::U16(number.try_into().map_err(past)?),
        Int::U32 => Val::U32(number.try_into().map_err(past)?),
        Int::U64 => Val::U64(number),
        _ => return Err(Mismatch),
    })
}

fn integer(val: &Val) -> Result<Value, Mismatch> {
    Ok(match *val {
        Val::S8(number) => Value::Signed(number.into()),
        Val::S16(number) => Value::Signed(number.into()),
        Val::S32(number) => Value::Signed(number.into()),
        Val::S64(number) => Value::Signed(number),
        Val::U8(number) => Value::Unsigned(number.into()),
        Val::U16(number) => Value::Unsigned(number.into()),
        Val::U32(number) => Value::Unsigned(number.into()),
        Val::U64(number) => Value::Unsigned(number),
        _ => return Err(Mismatch),
    })
}
