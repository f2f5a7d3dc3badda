//! The JSON Schema of a signature accepts what the signature reads, and nothing else.

use serde_json::{Value as Json, json};

use super::*;
use crate::engine::entrypoint::typed::Signature;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_schema_accepts_exactly_what_is_read(seed in any::<u64>()) {
        let mut dice = Dice::new(seed);
        let params: Box<[Field]> = match dice.below(8) {
            0 => Box::default(),
            1..=5 => Box::new([Field { name: dice.one_of(&["a", "p0", "some"]).to_owned().into(), shape: shape(&mut dice, 3) }]),
            _ => dice.names(3).into_iter().map(|name| Field { name, shape: shape(&mut dice, 2) }).collect(),
        };
        let signature = Signature::new("f", params, None);
        let schema = signature.input_schema();
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        let (mut accepted, mut refused) = (0, 0);
        for _ in 0..60 {
            let payload = payload(&mut dice, signature.params());
            let text = payload.to_string();
            let read = signature.check(text.as_bytes());
            // As it is read, for a number may be written otherwise.
            let valid = validator.is_valid(&serde_json::from_str(&text).unwrap());
            prop_assert_eq!(read.is_ok(), valid, "{}\n{}\n{:?}\n{}", signature, text, read, schema);
            if valid { accepted += 1 } else { refused += 1 }
        }
        prop_assert!(accepted > 0 && refused > 0, "{} accepted, {} refused: {}", accepted, refused, signature);
    }

    #[test]
    fn a_schema_accepts_what_is_answered(seed in any::<u64>()) {
        let mut dice = Dice::new(seed);
        let shape = shape(&mut dice, 4);
        let value = value(&mut dice, &shape);
        let json = written(&shape, &value);
        let signature = Signature::new("f", Box::default(), Some(shape.clone()));
        let validator = jsonschema::draft202012::new(&signature.output_schema()).unwrap();
        let answer = match signature.returned(Some(value)) {
            Ok(super::super::signature::Returned::Answer(answer)) => answer,
            Ok(_) => return Ok(()), // an error is no answer
            Err(mismatch) => panic!("{mismatch}: {shape} {json}"),
        };
        prop_assert!(validator.is_valid(&serde_json::from_slice(&answer).unwrap()), "{}\n{}", shape, json);
    }
}

#[test]
fn a_schema_is_one() {
    let shape = shape(&mut Dice::new(7), 5);
    let signature = Signature::new("f", Box::new([Field { name: "p".into(), shape: shape.clone() }]), Some(shape));
    for schema in [signature.input_schema(), signature.output_schema()] {
        assert!(jsonschema::meta::is_valid(&schema), "{schema}");
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    }
}

/// A payload that may fit: by name, by position, the value of the only parameter, one of those with something changed, or
/// anything.
fn payload(dice: &mut Dice, params: &[Field]) -> Json {
    let given: Vec<(String, Json)> = params
        .iter()
        .map(|param| {
            let value = value(dice, &param.shape);
            (param.name.to_string(), serde_json::from_str(&written(&param.shape, &value)).unwrap())
        })
        .collect();
    let mut payload = match dice.below(4) {
        0 => Json::Array(given.into_iter().map(|(_, value)| value).collect()),
        1 => match given.into_iter().next() {
            Some((_, value)) => value,
            None => Json::Null,
        },
        2 if dice.below(8) == 0 => anything(dice),
        _ => Json::Object(given.into_iter().collect()),
    };
    for _ in 0..dice.below(4).saturating_sub(1) {
        let nodes = count(&payload);
        let place = dice.below(nodes);
        change(dice, &mut payload, &mut { place });
    }
    payload
}

fn count(json: &Json) -> usize {
    1 + match json {
        Json::Array(elements) => elements.iter().map(count).sum(),
        Json::Object(members) => members.values().map(count).sum(),
        _ => 0,
    }
}

/// Changes the node that is `place` nodes away, in reading order.
fn change(dice: &mut Dice, json: &mut Json, place: &mut usize) -> bool {
    if *place == 0 {
        changed(dice, json);
        return true;
    }
    *place -= 1;
    match json {
        Json::Array(elements) => elements.iter_mut().any(|element| change(dice, element, place)),
        Json::Object(members) => members.values_mut().any(|member| change(dice, member, place)),
        _ => false,
    }
}

fn changed(dice: &mut Dice, json: &mut Json) {
    match (dice.below(4), &mut *json) {
        (0, Json::Array(elements)) => drop(elements.pop()),
        (1, Json::Array(elements)) => elements.push(elements.first().cloned().unwrap_or(Json::Null)),
        (0, Json::Object(members)) => drop(members.keys().next().cloned().map(|name| members.remove(&name))),
        (1, Json::Object(members)) => {
            let name = dice.names(1).remove(0);
            members.entry(name).or_insert(Json::Null);
        }
        (2, inner) => *inner = json!({ dice.names(1).remove(0).to_string(): inner.take() }),
        // A large integer that is written with a fraction is refused, which no schema can say.
        (_, Json::Number(number)) if number.as_f64().is_some_and(|it| it.abs() < 1e15) && dice.below(2) == 0 => {
            let near = number.as_f64().unwrap_or_default();
            *json = json!(near * 2.0 + 0.5 * f64::from(u8::try_from(dice.below(3)).unwrap()));
        }
        (_, Json::String(text)) if dice.below(2) == 0 => match dice.below(3) {
            0 => text.push('='),
            1 => text.insert(0, '0'),
            _ => drop(text.pop()),
        },
        (_, any) => *any = anything(dice),
    }
}

fn anything(dice: &mut Dice) -> Json {
    let texts = [
        "",
        "a",
        "ok",
        "0",
        "-0",
        "+1",
        "01",
        "-1",
        "1.0",
        "18446744073709551615",
        "18446744073709551616",
        "-9223372036854775808",
        "-9223372036854775809",
        "9223372036854775807",
        "9223372036854775808",
        "10000000000000000000",
        "NaN",
        "nan",
        "Infinity",
        "-Infinity",
        "QQ==",
        "QR==",
        "QUE=",
        "QUF=",
        "QUFB",
        "QUFB\n",
        "QQ",
        "é",
        "🌊",
        "🌊🌊",
        "e\u{301}",
    ];
    let floats =
        [0.5, -0.0, 1.0, 256.0, 9_007_199_254_740_991.0, 18_446_744_073_709_551_616.0, 3.4e38, 3.41e38, -1e300];
    let numbers = [0, 1, -1, 127, 128, -128, -129, 255, 256, 65_535, 65_536, i64::MAX, i64::MIN];
    match dice.below(8) {
        0 => Json::Null,
        1 => json!(dice.below(2) == 0),
        2 => json!(dice.one_of(&floats)),
        3 => json!(dice.one_of(&[u64::MAX, 1 << 63, u64::from(u32::MAX) + 1])),
        4 => json!(dice.one_of(&numbers)),
        5 => json!(dice.one_of(&texts)),
        6 => Json::Array((0..dice.below(3)).map(|_| anything(dice)).collect()),
        _ => Json::Object(dice.names(2).into_iter().map(|name| (name.to_string(), anything(dice))).collect()),
    }
}
