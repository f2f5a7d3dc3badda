//! Payloads that do not fit, and where they are said not to; and each form of giving parameters.

use super::*;
use crate::engine::entrypoint::typed::Signature;

fn field(name: &str, shape: Shape) -> Field {
    Field { name: name.into(), shape }
}

fn item() -> Shape {
    let price = Shape::Int(Int::U64);
    let note = Shape::Option(Box::new(Shape::String));
    Shape::Record(Box::new([field("name", Shape::String), field("unit-price", price), field("note", note)]))
}

fn order() -> Signature {
    let order = Shape::Record(Box::new([field("items", Shape::List(Box::new(item()))), field("paid", Shape::Bool)]));
    Signature::new("total", Box::new([field("order", order)]), Some(Shape::Int(Int::U64)))
}

fn two() -> Signature {
    let by = Shape::Option(Box::new(Shape::Int(Int::S8)));
    Signature::new("move", Box::new([field("what", Shape::String), field("by", by)]), None)
}

#[track_caller]
fn misfit(signature: &Signature, payload: &str, pointer: &str, part: &str) {
    let misfit = signature.check(payload.as_bytes()).unwrap_err();
    assert_eq!(misfit.pointer, pointer, "{misfit}");
    assert!(misfit.message.contains(part), "{misfit}");
}

#[test]
fn a_number_that_may_stand_for_another_one_is_refused_and_not_taken_for_an_integer() {
    for (int, given) in [
        (Int::S64, "-9223372036854775809"),
        (Int::S64, "9007199254740993.0"),
        (Int::U64, "9007199254740992.5"),
        (Int::U64, "1e19"),
        (Int::U8, "256.0"),
    ] {
        let one = Signature::new("f", Box::new([field("n", Shape::Int(int))]), None);
        misfit(&one, &format!("[{given}]"), "/0", "a whole number");
    }
    let one = Signature::new("f", Box::new([field("n", Shape::Int(Int::S64))]), None);
    for given in ["-9223372036854775808", "9007199254740991.0", "1e3"] {
        one.check(format!("[{given}]").as_bytes()).unwrap();
    }
}

#[test]
fn a_misfit_is_told_with_the_path_to_it() {
    let order = order();
    let price = r#"{"items": [{"name": "tea", "unit-price": 1}, {"name": "cup", "unit-price": "x"}], "paid": true}"#;
    misfit(
        &order,
        price,
        "/items/1/unit-price",
        r#"invalid value: string "x", expected a whole number from 0 to 18446"#,
    );
    misfit(&order, &format!(r#"{{"order": {price}}}"#), "/order/items/1/unit-price", "expected a whole number");
    misfit(&order, &format!("[{price}]"), "/0/items/1/unit-price", "expected a whole number");
    misfit(&order, r#"{"items": [], "paid": 1}"#, "/paid", "invalid type: integer `1`, expected `true` or `false`");
    misfit(
        &order,
        r#"{"items": [{"name": "tea"}], "paid": true}"#,
        "/items/0",
        "the field `unit-price: u64` is missing",
    );
    misfit(
        &order,
        r#"{"items": [{"a/b~c": 1}], "paid": true}"#,
        "/items/0/a~1b~0c",
        "there is no field `a/b~c`, only `name`",
    );
    misfit(&order, r#"{"paid": true, "paid": true}"#, "/paid", "given twice");
    misfit(&order, r#"{"items": [], "paid": true} x"#, "", "trailing characters at line 1");
    misfit(&order, r#"{"items": ["#, "/items/0", "EOF while parsing a list at line 1");
    misfit(&order, "{}", "", "the field `items: list<record");
    misfit(&order, "7", "", "invalid type: integer `7`, expected an object with `items`, `paid`");
    let long = format!("[\"{}\"]", "x".repeat(10_000));
    misfit(&order, &long, "/0", "xxx …");
    let named = format!(r#"{{"items": [{{"{}": 1}}], "paid": true}}"#, "x".repeat(10_000));
    misfit(&order, &named, &format!("/items/0/{} …", "x".repeat(391)), "there is no field `xxx");
}

#[test]
fn parameters_are_given_by_name_or_by_position() {
    let two = two();
    for fits in [r#"{"what": "x", "by": -128}"#, r#"{"what": "x"}"#, r#"["x", null]"#, " [\"x\", 1.0]\n"] {
        assert_eq!(two.check(fits.as_bytes()), Ok(()), "{fits}");
    }
    misfit(&two, r#"["x"]"#, "", "invalid length 1, expected 2");
    misfit(&two, r#"["x", 1, 2]"#, "", "invalid length 3, expected 2");
    misfit(&two, r#"["x", 128]"#, "/1", "integer `128`, expected a whole number from -128 to 127");
    misfit(&two, r#"{"what": "x", "to": 1}"#, "/to", "there is no parameter `to`, only `what`, `by`");
    misfit(&two, "", "", "the parameter `what: string` is missing");
    misfit(&two, "\"x\"", "", "it takes 2 parameters: send an object with `what`, `by`, or an array");
}

#[test]
fn a_function_without_parameters_takes_nothing_in_four_forms() {
    let none = Signature::new("now", Box::default(), Some(Shape::Int(Int::U64)));
    for fits in ["", " \n", "{}", "[]", "null"] {
        assert_eq!(none.check(fits.as_bytes()), Ok(()), "{fits}");
    }
    for payload in ["0", "\"\"", "nul", "x"] {
        misfit(&none, payload, "", "it takes no parameters");
    }
    misfit(&none, "[1]", "", "invalid length 1, expected 0");
    misfit(&none, r#"{"a": 1}"#, "/a", "there is no parameter `a`");
}

#[test]
fn the_only_parameter_is_given_bare_unless_that_could_mean_something_else() {
    let only = |name, shape| Signature::new("f", Box::new([field(name, shape)]), None);
    let text = only("a", Shape::String);
    assert_eq!(text.check(b"\"x\""), Ok(()));
    misfit(&text, "x", "", "expected value at line 1");
    let list = only("a", Shape::List(Box::new(Shape::Bool)));
    misfit(&list, "[true]", "/0", "invalid type: boolean `true`, expected an array");
    assert_eq!(list.check(b"[[true]]"), Ok(()));
    // The field has the parameter's name, so an object is always by name.
    let same = only("a", Shape::Record(Box::new([field("a", Shape::Bool)])));
    misfit(&same, r#"{"a": true}"#, "/a", "expected an object with `a`");
    assert_eq!(same.check(br#"{"a": {"a": true}}"#), Ok(()));
    let nothing = only("a", Shape::Option(Box::new(Shape::Bool)));
    for fits in ["", "{}", "null", "[null]", "true"] {
        assert_eq!(nothing.check(fits.as_bytes()), Ok(()), "{fits}");
    }
}

#[test]
fn a_payload_of_too_many_values_is_refused_before_it_takes_memory() {
    let list = Signature::new("f", Box::new([field("a", Shape::List(Box::new(Shape::Bool)))]), None);
    let payload = |count: usize| format!("[[{}true]]", "true,".repeat(count - 1));
    assert_eq!(list.check(payload(399_999).as_bytes()), Ok(()));
    misfit(&list, &payload(400_000), "/0/399999", "it holds more than 400000 values");
}
