//! What JSON is expected where a shape is read, in words for whoever sent something else.

use std::fmt;

use super::shape::{Case, ERR, OK, SOME, Shape};
use super::wit::listed;

/// The JSON that stands for a value of a shape.
pub(super) fn expected(shape: &Shape, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match shape {
        Shape::Bool => f.write_str("`true` or `false`"),
        Shape::Int(int) => {
            let (min, max) = int.range();
            let text = if int.is_wide() { ", as a number or as text" } else { "" };
            write!(f, "a whole number from {min} to {max}{text}")
        }
        Shape::F32 | Shape::F64 => {
            write!(f, "a number that {shape} can hold, or one of `NaN`, `Infinity`, `-Infinity` as text")
        }
        Shape::Char => f.write_str("text of one character"),
        Shape::String => f.write_str("text"),
        Shape::Bytes => f.write_str("bytes, as base64 or as an array of numbers from 0 to 255"),
        Shape::List(_) => f.write_str("an array"),
        Shape::Tuple(shapes) => write!(f, "an array of {}", shapes.len()),
        Shape::Record(fields) => {
            f.write_str("an object with ")?;
            listed(f, fields.iter().map(|field| format!("`{}`", field.name)))
        }
        Shape::Variant(cases) => {
            f.write_str("one of ")?;
            listed(f, cases.iter().map(case))
        }
        Shape::Enum(names) => {
            f.write_str("one of ")?;
            listed(f, names.iter().map(|name| format!("\"{name}\"")))
        }
        Shape::Flags(names) => {
            f.write_str("an array of some of ")?;
            listed(f, names.iter().map(|name| format!("\"{name}\"")))
        }
        Shape::Option(some) if some.may_be_null() => write!(f, "`null` or {{\"{SOME}\": …}}"),
        Shape::Option(some) => {
            f.write_str("`null` or ")?;
            expected(some, f)
        }
        Shape::Result(..) => write!(f, "{{\"{OK}\": …}} or {{\"{ERR}\": …}}"),
    }
}

fn case(case: &Case) -> String {
    match case.shape {
        Some(_) => format!("{{\"{}\": …}}", case.name),
        None => format!("\"{}\"", case.name),
    }
}
