//! WIT types as values of our own: what JSON is read by, written by and described by. Pure, and made once for a module.

use std::collections::BTreeSet;

use wasmtime::component::Type;

use crate::model::bounds;

/// A WIT type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Bool,
    Int(Int),
    F32,
    F64,
    Char,
    String,
    /// `list<u8>`, which has a form of its own.
    Bytes,
    List(Box<Self>),
    Record(Box<[Field]>),
    Tuple(Box<[Self]>),
    Variant(Box<[Case]>),
    Enum(Box<[Box<str>]>),
    Option(Box<Self>),
    Result(Option<Box<Self>>, Option<Box<Self>>),
    Flags(Box<[Box<str>]>),
}

/// An integer type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Int {
    S8,
    S16,
    S32,
    S64,
    U8,
    U16,
    U32,
    U64,
}

/// A field of a record, or a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) name: Box<str>,
    pub(super) shape: Shape,
}

/// A case of a variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Case {
    pub(super) name: Box<str>,
    pub(super) shape: Option<Shape>,
}

/// The kinds of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Null,
    Boolean,
    Number,
    String,
    Array,
    Object,
}

impl Int {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::S8 => "s8",
            Self::S16 => "s16",
            Self::S32 => "s32",
            Self::S64 => "s64",
            Self::U8 => "u8",
            Self::U16 => "u16",
            Self::U32 => "u32",
            Self::U64 => "u64",
        }
    }

    pub(super) fn range(self) -> (i128, i128) {
        match self {
            Self::S8 => (i8::MIN.into(), i8::MAX.into()),
            Self::S16 => (i16::MIN.into(), i16::MAX.into()),
            Self::S32 => (i32::MIN.into(), i32::MAX.into()),
            Self::S64 => (i64::MIN.into(), i64::MAX.into()),
            Self::U8 => (0, u8::MAX.into()),
            Self::U16 => (0, u16::MAX.into()),
            Self::U32 => (0, u32::MAX.into()),
            Self::U64 => (0, u64::MAX.into()),
        }
    }

    pub(super) fn holds(self, number: i128) -> bool {
        let (min, max) = self.range();
        (min..=max).contains(&number)
    }

    /// Whether a JSON number may not hold it everywhere, so that text stands for it too.
    pub(super) const fn is_wide(self) -> bool {
        matches!(self, Self::S64 | Self::U64)
    }
}

impl Shape {
    /// Whether `null` can stand for a value of it.
    pub(super) fn may_be_null(&self) -> bool {
        matches!(self, Self::Option(_))
    }

    /// The kinds of JSON that stand for its values.
    pub(super) fn kinds(&self) -> BTreeSet<Kind> {
        let kinds = |kinds: &[Kind]| kinds.iter().copied().collect();
        match self {
            Self::Bool => kinds(&[Kind::Boolean]),
            Self::Int(int) if int.is_wide() => kinds(&[Kind::Number, Kind::String]),
            Self::Int(_) => kinds(&[Kind::Number]),
            Self::F32 | Self::F64 => kinds(&[Kind::Number, Kind::String]),
            Self::Char | Self::String | Self::Enum(_) => kinds(&[Kind::String]),
            Self::Bytes => kinds(&[Kind::String, Kind::Array]),
            Self::List(_) | Self::Tuple(_) | Self::Flags(_) => kinds(&[Kind::Array]),
            Self::Record(_) | Self::Result(..) => kinds(&[Kind::Object]),
            Self::Variant(cases) => {
                let kind = |case: &Case| if case.shape.is_some() { Kind::Object } else { Kind::String };
                cases.iter().map(kind).collect()
            }
            Self::Option(some) if some.may_be_null() => kinds(&[Kind::Null, Kind::Object]),
            Self::Option(some) => some.kinds().into_iter().chain([Kind::Null]).collect(),
        }
    }

    /// Whether a JSON object that stands for a value of it may have this member.
    pub(super) fn may_have(&self, member: &str) -> bool {
        match self {
            Self::Record(fields) => fields.iter().any(|field| *field.name == *member),
            Self::Variant(cases) => cases.iter().any(|case| case.shape.is_some() && *case.name == *member),
            Self::Result(..) => member == OK || member == ERR,
            Self::Option(some) if some.may_be_null() => member == SOME,
            Self::Option(some) => some.may_have(member),
            _ => false,
        }
    }

    /// Whether `list<u8>` is it or somewhere in it.
    pub(super) fn has_bytes(&self) -> bool {
        match self {
            Self::Bytes => true,
            Self::List(inner) | Self::Option(inner) => inner.has_bytes(),
            Self::Record(fields) => fields.iter().any(|field| field.shape.has_bytes()),
            Self::Tuple(shapes) => shapes.iter().any(Self::has_bytes),
            Self::Variant(cases) => cases.iter().filter_map(|case| case.shape.as_ref()).any(Self::has_bytes),
            Self::Result(ok, err) => [ok, err].into_iter().flatten().any(|shape| shape.has_bytes()),
            _ => false,
        }
    }
}

/// The members that stand for the cases of a `result`, and for a value where `null` could be one.
pub(super) const OK: &str = "ok";
pub(super) const ERR: &str = "err";
pub(super) const SOME: &str = "some";

/// Why a type cannot travel as JSON, in words that go behind "it".
pub(super) type Unfit = String;

/// Reads the types of one signature, which are not too many together.
#[derive(Debug, Default)]
pub(super) struct Survey {
    types: usize,
    depth: usize,
}

impl Survey {
    /// The shape of a type.
    pub(super) fn shape(&mut self, ty: &Type) -> Result<Shape, Unfit> {
        self.types += 1;
        if self.types > bounds::MAX_SIGNATURE_TYPES {
            return Err(format!("is made of more than {} types", bounds::MAX_SIGNATURE_TYPES));
        }
        if self.depth >= bounds::MAX_SIGNATURE_NESTING {
            return Err(format!("has types nested deeper than {}", bounds::MAX_SIGNATURE_NESTING));
        }
        self.depth += 1;
        let shape = self.look(ty)?;
        self.depth -= 1;
        Ok(shape)
    }

    fn look(&mut self, ty: &Type) -> Result<Shape, Unfit> {
        let unfit = |what: &str| Err(format!("holds {what}, which has no form in JSON"));
        Ok(match ty {
            Type::Bool => Shape::Bool,
            Type::S8 => Shape::Int(Int::S8),
            Type::S16 => Shape::Int(Int::S16),
            Type::S32 => Shape::Int(Int::S32),
            Type::S64 => Shape::Int(Int::S64),
            Type::U8 => Shape::Int(Int::U8),
            Type::U16 => Shape::Int(Int::U16),
            Type::U32 => Shape::Int(Int::U32),
            Type::U64 => Shape::Int(Int::U64),
            Type::Float32 => Shape::F32,
            Type::Float64 => Shape::F64,
            Type::Char => Shape::Char,
            Type::String => Shape::String,
            Type::List(list) => match list.ty() {
                Type::U8 => Shape::Bytes,
                element => Shape::List(Box::new(self.shape(&element)?)),
            },
            Type::Record(record) => {
                let field = |of: wasmtime::component::types::Field<'_>| {
                    Ok::<_, Unfit>(Field { name: of.name.into(), shape: self.shape(&of.ty)? })
                };
                Shape::Record(record.fields().map(field).collect::<Result<_, _>>()?)
            }
            Type::Tuple(tuple) => Shape::Tuple(tuple.types().map(|ty| self.shape(&ty)).collect::<Result<_, _>>()?),
            Type::Variant(variant) => {
                let case = |of: wasmtime::component::types::Case<'_>| {
                    Ok::<_, Unfit>(Case { name: of.name.into(), shape: self.maybe(of.ty.as_ref())?.map(|it| *it) })
                };
                Shape::Variant(variant.cases().map(case).collect::<Result<_, _>>()?)
            }
            Type::Enum(names) => Shape::Enum(names.names().map(Box::from).collect()),
            Type::Option(option) => Shape::Option(Box::new(self.shape(&option.ty())?)),
            Type::Result(result) => {
                Shape::Result(self.maybe(result.ok().as_ref())?, self.maybe(result.err().as_ref())?)
            }
            Type::Flags(flags) => Shape::Flags(flags.names().map(Box::from).collect()),
            Type::Own(_) | Type::Borrow(_) => return unfit("a resource"),
            Type::Future(_) => return unfit("a future"),
            Type::Stream(_) => return unfit("a stream"),
            Type::ErrorContext => return unfit("an error context"),
            // Off in the engine, so no module that has them gets this far.
            Type::Map(_) => return unfit("a map"),
            Type::FixedLengthList(_) => return unfit("a list of fixed length"),
        })
    }

    fn maybe(&mut self, ty: Option<&Type>) -> Result<Option<Box<Shape>>, Unfit> {
        ty.map(|ty| self.shape(ty).map(Box::new)).transpose()
    }
}
