//! Random shapes and values, the awkward ones more often than the others.

use super::*;

/// Random numbers from a seed.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number (`SplitMix64`).
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `sides`.
    pub(super) fn below(&mut self, sides: usize) -> usize {
        usize::try_from(self.next() % sides as u64).unwrap()
    }

    pub(super) fn one_of<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// Different names; some of them mean something elsewhere.
    pub(super) fn names(&mut self, most: usize) -> Vec<Box<str>> {
        const NAMES: [&str; 9] = ["a", "b", "ok", "err", "some", "unit-price", "x", "none", "p0"];
        let first = self.below(NAMES.len());
        let count = 1 + self.below(most);
        (0..count.min(NAMES.len())).map(|place| NAMES[(first + place) % NAMES.len()].into()).collect()
    }
}

/// A shape of no more levels than `depth`.
pub(super) fn shape(dice: &mut Dice, depth: usize) -> Shape {
    let leaves = 8;
    let sides = if depth == 0 { leaves } else { leaves + 7 };
    match dice.below(sides) {
        0 => Shape::Bool,
        1 => Shape::Int(*dice.one_of(&[Int::S8, Int::S16, Int::S32, Int::S64, Int::U8, Int::U16, Int::U32, Int::U64])),
        2 => dice.one_of(&[Shape::F32, Shape::F64]).clone(),
        3 => Shape::Char,
        4 => Shape::String,
        5 => Shape::Bytes,
        6 => Shape::Enum(dice.names(4).into()),
        7 => Shape::Flags(dice.names(9).into()),
        8 => match shape(dice, depth - 1) {
            Shape::Int(Int::U8) => Shape::Bytes,
            element => Shape::List(Box::new(element)),
        },
        9 => {
            let fields = dice.names(4).into_iter();
            Shape::Record(fields.map(|name| Field { name, shape: shape(dice, depth - 1) }).collect())
        }
        10 => Shape::Tuple((0..=dice.below(3)).map(|_| shape(dice, depth - 1)).collect()),
        11 => {
            let cases = dice.names(4).into_iter();
            Shape::Variant(cases.map(|name| Case { name, shape: maybe(dice, depth).map(|held| *held) }).collect())
        }
        12 | 13 => Shape::Option(Box::new(shape(dice, depth - 1))),
        _ => Shape::Result(maybe(dice, depth), maybe(dice, depth)),
    }
}

fn maybe(dice: &mut Dice, depth: usize) -> Option<Box<Shape>> {
    (dice.below(3) > 0).then(|| Box::new(shape(dice, depth - 1)))
}

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
