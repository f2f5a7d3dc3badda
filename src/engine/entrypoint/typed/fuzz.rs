//! What has to be true of any payload and any type: whatever is read is written so that it is read as the same again.

use super::dice::{Dice, shape};
use super::read::Reader;
use super::shape::Field;
use super::signature::Signature;
use super::write::write;

/// Takes eight bytes for the number that types are made from, and the rest for JSON.
pub(in crate::engine) fn json_as_wit(input: &[u8]) {
    let Some((seed, json)) = input.split_first_chunk() else { return };
    let mut dice = Dice::new(u64::from_le_bytes(*seed));
    let depth = dice.below(5);
    let shape = shape(&mut dice, depth);
    if let Ok(value) = Reader::new(true).value(&shape, json) {
        let mut written = Vec::new();
        write(&shape, &value, &mut written).expect("what was read by a type is of that type");
        let again = Reader::new(true).value(&shape, &written);
        let again = again.unwrap_or_else(|misfit| panic!("{misfit}: {shape} {}", String::from_utf8_lossy(&written)));
        // As text, since NaN is not equal to itself.
        assert_eq!(format!("{again:?}"), format!("{value:?}"), "{shape}");
    }
    let params =
        dice.names(3).into_iter().map(|name| Field { name, shape: super::dice::shape(&mut dice, 2) }).collect();
    let signature = Signature::new("f", params, Some(shape));
    if let Err(misfit) = signature.check(json) {
        assert!(!misfit.message.is_empty() && misfit.message.len() < 1_000, "{misfit}");
    }
}
