//! Random types, values and payloads: what is written is read as it was, also after a journey through a real component,
//! and a schema accepts what is read and nothing else.

mod examples;
mod journeys;
mod schemas;
mod values;

use proptest::prelude::*;
use values::value;

use super::dice::{Dice, shape};
use super::read::Reader;
use super::shape::{Case, Field, Int, Shape};
use super::value::Value;
use super::write::write;

fn written(shape: &Shape, value: &Value) -> String {
    let mut out = Vec::new();
    write(shape, value, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_written_is_read_as_it_was(seed in any::<u64>()) {
        let mut dice = Dice::new(seed);
        let shape = shape(&mut dice, 4);
        let value = value(&mut dice, &shape);
        let json = written(&shape, &value);
        let read = Reader::new(true).value(&shape, json.as_bytes());
        let read = read.unwrap_or_else(|misfit| panic!("{misfit}\n{shape}\n{json}"));
        // As text, since NaN is not equal to itself.
        prop_assert_eq!(format!("{read:?}"), format!("{value:?}"), "{}", shape);
    }
}
