//! Shapes as JSON Schema (draft 2020-12): it accepts exactly what `read` accepts, but for bounds on size.

use serde_json::{Map, Value as Json, json};

use super::shape::{ERR, Field, Int, Kind, OK, SOME, Shape};

/// Canonical base64 with padding: the bits that stand for nothing are zero.
const BASE64: &str = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$";
/// Half a step above the largest `f32`: what is nearer to zero is rounded to one that is finite.
const PAST_F32: f64 = 3.402_823_567_797_336_6e38;

/// What a value of a shape is written as.
pub(super) fn schema(shape: &Shape) -> Json {
    match shape {
        Shape::Bool => json!({ "type": "boolean" }),
        Shape::Int(int) => integer(*int),
        Shape::F32 => json!({ "anyOf": [
            { "type": "number", "exclusiveMinimum": -PAST_F32, "exclusiveMaximum": PAST_F32 }, unusual_floats(),
        ] }),
        Shape::F64 => json!({ "anyOf": [{ "type": "number" }, unusual_floats()] }),
        Shape::Char => json!({ "type": "string", "minLength": 1, "maxLength": 1 }),
        Shape::String => json!({ "type": "string" }),
        Shape::Bytes => json!({ "anyOf": [
            { "type": "string", "contentEncoding": "base64", "pattern": BASE64 },
            { "type": "array", "items": integer(Int::U8) },
        ] }),
        Shape::List(element) => json!({ "type": "array", "items": schema(element) }),
        Shape::Tuple(shapes) => exactly(shapes.iter()),
        Shape::Record(fields) => record(fields, |field| !field.shape.may_be_null()),
        Shape::Variant(cases) => {
            let names: Vec<_> = cases.iter().filter(|case| case.shape.is_none()).map(|case| &case.name).collect();
            let names = (!names.is_empty()).then(|| json!({ "enum": names }));
            let held = cases.iter().filter_map(|case| Some(only(&case.name, schema(case.shape.as_ref()?))));
            json!({ "oneOf": names.into_iter().chain(held).collect::<Vec<_>>() })
        }
        Shape::Enum(names) => json!({ "enum": names }),
        Shape::Option(some) if some.may_be_null() => {
            json!({ "oneOf": [{ "type": "null" }, only(SOME, schema(some))] })
        }
        Shape::Option(some) => json!({ "anyOf": [{ "type": "null" }, schema(some)] }),
        Shape::Result(ok, err) => json!({ "oneOf": [
            only(OK, ok.as_deref().map_or_else(nothing, schema)), only(ERR, err.as_deref().map_or_else(nothing, schema)),
        ] }),
        Shape::Flags(names) => {
            json!({ "type": "array", "items": { "enum": names }, "uniqueItems": true })
        }
    }
}

/// What stands for no value.
pub(super) fn nothing() -> Json {
    json!({ "type": "null" })
}

/// Parameters by name; `needed` says which have to be there.
pub(super) fn record(fields: &[Field], needed: impl Fn(&Field) -> bool) -> Json {
    let required: Vec<_> = fields.iter().filter(|field| needed(field)).map(|field| &field.name).collect();
    let properties: Map<_, _> = fields.iter().map(|field| (field.name.to_string(), schema(&field.shape))).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

/// An array of these and nothing else.
pub(super) fn exactly<'a>(shapes: impl ExactSizeIterator<Item = &'a Shape>) -> Json {
    let count = shapes.len();
    if count == 0 {
        return json!({ "type": "array", "maxItems": 0 });
    }
    let each: Vec<_> = shapes.map(schema).collect();
    json!({ "type": "array", "prefixItems": each, "items": false, "minItems": count })
}

/// What a schema accepts, as far as it is of one of these kinds.
pub(super) fn of_kinds(schema: &Json, kinds: &[Kind]) -> Json {
    let name = |kind: &Kind| match kind {
        Kind::Null => "null",
        Kind::Boolean => "boolean",
        Kind::Number => "number",
        Kind::String => "string",
        Kind::Array => "array",
        Kind::Object => "object",
    };
    json!({ "allOf": [{ "type": kinds.iter().map(name).collect::<Vec<_>>() }, schema] })
}

/// An object of this one member.
fn only(name: &str, of: Json) -> Json {
    let properties = Map::from_iter([(name.to_owned(), of)]);
    json!({ "type": "object", "properties": properties, "required": [name], "additionalProperties": false })
}

fn unusual_floats() -> Json {
    json!({ "enum": ["NaN", "Infinity", "-Infinity"] })
}

fn integer(int: Int) -> Json {
    let (min, max) = int.range();
    // Both fit: the least is an i64's and the most is a u64's.
    let bound =
        |of: i128| i64::try_from(of).map_or_else(|_| json!(u64::try_from(of).unwrap_or(u64::MAX)), |of| json!(of));
    let number = json!({ "type": "integer", "minimum": bound(min), "maximum": bound(max) });
    if !int.is_wide() {
        return number;
    }
    let up_to_max = up_to(&max.to_string());
    let pattern = match min {
        0 => format!("^(?:0|{up_to_max})$"),
        _ => format!("^(?:0|{up_to_max}|-(?:{}))$", up_to(&min.unsigned_abs().to_string())),
    };
    json!({ "anyOf": [number, { "type": "string", "pattern": pattern }] })
}

/// A pattern of the whole numbers from 1 to this one: those that are shorter, and those that are as long and in some
/// place smaller for the first time.
fn up_to(max: &str) -> String {
    let digits = max.as_bytes();
    let mut ways = vec![max.to_owned()];
    if digits.len() > 1 {
        ways.push(format!("[1-9][0-9]{{0,{}}}", digits.len() - 2));
    }
    for (place, digit) in digits.iter().enumerate() {
        let least = if place == 0 { b'1' } else { b'0' };
        if *digit > least {
            let (same, rest) = (&max[..place], digits.len() - place - 1);
            ways.push(format!("{same}[{}-{}][0-9]{{{rest}}}", char::from(least), char::from(digit - 1)));
        }
    }
    ways.join("|")
}
