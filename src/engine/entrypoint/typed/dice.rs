//! Random shapes, for tests and fuzzing: the same ones from the same number, the awkward ones more often than the others.

use super::shape::{Case, Field, Int, Shape};

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
        usize::try_from(self.next() % sides as u64).unwrap_or_default()
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
