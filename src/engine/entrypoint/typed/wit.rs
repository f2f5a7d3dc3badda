//! Shapes in WIT's own notation, for people. Types that a module has names for are written out where they are used.

use std::fmt;

use super::shape::{Field, Shape};

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("bool"),
            Self::Int(int) => f.write_str(int.name()),
            Self::F32 => f.write_str("f32"),
            Self::F64 => f.write_str("f64"),
            Self::Char => f.write_str("char"),
            Self::String => f.write_str("string"),
            Self::Bytes => f.write_str("list<u8>"),
            Self::List(element) => write!(f, "list<{element}>"),
            Self::Record(fields) => {
                f.write_str("record { ")?;
                listed(f, fields.iter())?;
                f.write_str(" }")
            }
            Self::Tuple(shapes) => {
                f.write_str("tuple<")?;
                listed(f, shapes.iter())?;
                f.write_str(">")
            }
            Self::Variant(cases) => {
                f.write_str("variant { ")?;
                listed(
                    f,
                    cases.iter().map(|case| match &case.shape {
                        Some(shape) => format!("{}({shape})", case.name),
                        None => case.name.to_string(),
                    }),
                )?;
                f.write_str(" }")
            }
            Self::Enum(names) => {
                f.write_str("enum { ")?;
                listed(f, names.iter())?;
                f.write_str(" }")
            }
            Self::Flags(names) => {
                f.write_str("flags { ")?;
                listed(f, names.iter())?;
                f.write_str(" }")
            }
            Self::Option(some) => write!(f, "option<{some}>"),
            Self::Result(None, None) => f.write_str("result"),
            Self::Result(Some(ok), None) => write!(f, "result<{ok}>"),
            Self::Result(None, Some(err)) => write!(f, "result<_, {err}>"),
            Self::Result(Some(ok), Some(err)) => write!(f, "result<{ok}, {err}>"),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.shape)
    }
}

/// Each, with commas.
pub(super) fn listed<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: impl IntoIterator<Item = T>) -> fmt::Result {
    for (place, item) in items.into_iter().enumerate() {
        if place > 0 {
            f.write_str(", ")?;
        }
        item.fmt(f)?;
    }
    Ok(())
}
