//! Random values, the awkward ones more often than the others.

use super::*;

/// A value of that shape.
pub(super) fn value(dice: &mut Dice, of: &Shape) -> Value {
    let held = |dice: &mut Dice, shape: Option<&Shape>| shape.map(|shape| Box::new(value(dice, shape)));
    match of {
        Shape::Bool => Value::Bool(dice.below(2) == 0),
        Shape::Int(int) => integer(dice, *int),
        Shape::F32 => {
            let bits = u32::try_from(dice.next() >> 32).unwrap();
            Value::F32(match dice.below(3) {
                0 => *dice.one_of(&[0.0, -0.0, 0.1, f32::MAX, f32::MIN_POSITIVE, f32::NAN, f32::INFINITY]),
                _ if f32::from_bits(bits).is_nan() => f32::NEG_INFINITY,
                _ => f32::from_bits(bits),
            })
        }
        Shape::F64 => {
            let float = f64::from_bits(dice.next());
            Value::F64(match dice.below(3) {
                0 => *dice.one_of(&[0.0, -0.0, 0.1, f64::MAX, f64::MIN_POSITIVE, f64::NAN, f64::NEG_INFINITY, 1e17]),
                _ if float.is_nan() => f64::INFINITY,
                _ => float,
            })
        }
        Shape::Char => Value::Char(character(dice)),
        Shape::String => Value::String((0..dice.below(6)).map(|_| character(dice)).collect()),
        Shape::Bytes => Value::Bytes((0..dice.below(9)).map(|_| dice.next().to_be_bytes()[0]).collect()),
        Shape::List(shape) => Value::List((0..dice.below(4)).map(|_| value(dice, shape)).collect()),
        Shape::Record(fields) => Value::Record(fields.iter().map(|field| value(dice, &field.shape)).collect()),
        Shape::Tuple(shapes) => Value::Tuple(shapes.iter().map(|shape| value(dice, shape)).collect()),
        Shape::Variant(cases) => {
            let place = dice.below(cases.len());
            Value::Variant(place, held(dice, cases[place].shape.as_ref()))
        }
        Shape::Enum(names) => Value::Enum(dice.below(names.len())),
        Shape::Option(shape) => Value::Option((dice.below(3) > 0).then(|| Box::new(value(dice, shape)))),
        Shape::Result(ok, err) => Value::Result(match dice.below(2) {
            0 => Ok(held(dice, ok.as_deref())),
            _ => Err(held(dice, err.as_deref())),
        }),
        Shape::Flags(names) => Value::Flags((0..names.len()).filter(|_| dice.below(2) == 0).collect()),
    }
}

fn integer(dice: &mut Dice, int: Int) -> Value {
    let (min, max) = int.range();
    let number = match dice.below(4) {
        0 => *dice.one_of(&[min, max, min + 1, max - 1]),
        1 => *dice.one_of(&[0, 1, 1 << 53, (1 << 53) - 1, -(1 << 53)]),
        _ => min + i128::from(dice.next()) % (max - min + 1),
    };
    let number = number.clamp(min, max);
    if min < 0 { Value::Signed(number.try_into().unwrap()) } else { Value::Unsigned(number.try_into().unwrap()) }
}

fn character(dice: &mut Dice) -> char {
    match dice.below(3) {
        0 => *dice.one_of(&['"', '\\', '\0', '\u{7f}', '\u{d7ff}', '\u{e000}', '\u{10ffff}', '/', '~', '🌊']),
        _ => char::from_u32(u32::try_from(dice.next() % 0xd800).unwrap()).unwrap(),
    }
}
