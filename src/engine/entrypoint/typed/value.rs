//! Values of WIT types, without their names: those are the shape's.

/// A value. Which shape it is of is known where it is used.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Bool(bool),
    /// Of a signed type, within its range.
    Signed(i64),
    /// Of an unsigned type, within its range.
    Unsigned(u64),
    F32(f32),
    F64(f64),
    Char(char),
    String(String),
    Bytes(Vec<u8>),
    List(Vec<Self>),
    /// The fields, in the order of the record.
    Record(Vec<Self>),
    Tuple(Vec<Self>),
    /// The place of its case, and what that holds.
    Variant(usize, Option<Box<Self>>),
    /// The place of its name.
    Enum(usize),
    Option(Option<Box<Self>>),
    Result(Result<Option<Box<Self>>, Option<Box<Self>>>),
    /// The places of those that are set, in order.
    Flags(Vec<usize>),
}
