//! Random values through real components: their types are read as the shapes that they were made from, and what goes in
//! comes out.

use std::fmt::Write as _;

use super::*;
use crate::engine::tests::{call, deploy, engine, from_text};

/// A component whose function `same` takes a list of that shape and returns it. The core code is the same for every type:
/// a list is an address and a length.
pub(super) fn echo(shape: &Shape) -> String {
    let mut types = Types::default();
    let element = types.name(shape);
    let declared = types.text;
    format!(
        r#"(component
             (core module $guest
               (memory (export "memory") 64)
               (global $free (mut i32) (i32.const 1024))
               (func (export "realloc") (param $old i32) (param $had i32) (param $align i32) (param $size i32) (result i32)
                 (local $at i32)
                 (local.set $at
                   (i32.and (i32.add (global.get $free) (i32.const 15)) (i32.const -16)))
                 (global.set $free (i32.add (local.get $at) (local.get $size)))
                 (local.get $at))
               (func (export "same") (param $ptr i32) (param $len i32) (result i32)
                 (i32.store (i32.const 16) (local.get $ptr))
                 (i32.store (i32.const 20) (local.get $len))
                 (i32.const 16)))
             (core instance $instance (instantiate $guest))
             {declared}
             (func (export "same") (param "values" (list {element})) (result (list {element}))
               (canon lift (core func $instance "same")
                 (memory (core memory $instance "memory")) (realloc (core func $instance "realloc")))))"#
    )
}

/// Type definitions: WIT wants names for some of them.
#[derive(Default)]
struct Types {
    text: String,
    count: usize,
}

impl Types {
    fn name(&mut self, shape: &Shape) -> String {
        let quoted = |names: &[Box<str>]| names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(" ");
        match shape {
            Shape::Bytes => "(list u8)".to_owned(),
            Shape::List(element) => format!("(list {})", self.name(element)),
            Shape::Tuple(shapes) => {
                let each: Vec<_> = shapes.iter().map(|shape| self.name(shape)).collect();
                format!("(tuple {})", each.join(" "))
            }
            Shape::Option(some) => format!("(option {})", self.name(some)),
            Shape::Result(ok, err) => {
                let ok = ok.as_ref().map(|ok| self.name(ok)).unwrap_or_default();
                let err = err.as_ref().map(|err| format!("(error {})", self.name(err))).unwrap_or_default();
                format!("(result {ok} {err})")
            }
            Shape::Enum(names) => self.declared(&format!("(enum {})", quoted(names))),
            Shape::Flags(names) => self.declared(&format!("(flags {})", quoted(names))),
            Shape::Record(fields) => {
                let field = |field: &Field| format!("(field \"{}\" {})", field.name, self.name(&field.shape));
                let fields: Vec<_> = fields.iter().map(field).collect();
                self.declared(&format!("(record {})", fields.join(" ")))
            }
            Shape::Variant(cases) => {
                let case = |case: &Case| {
                    let held = case.shape.as_ref().map(|shape| self.name(shape)).unwrap_or_default();
                    format!("(case \"{}\" {held})", case.name)
                };
                let cases: Vec<_> = cases.iter().map(case).collect();
                self.declared(&format!("(variant {})", cases.join(" ")))
            }
            plain => plain.to_string(),
        }
    }

    fn declared(&mut self, definition: &str) -> String {
        let number = self.count;
        self.count += 1;
        writeln!(self.text, "(type $d{number} {definition}) (export $t{number} \"t{number}\" (type $d{number}))")
            .unwrap();
        format!("$t{number}")
    }
}

/// With bytes among them, since they are what types are here for.
#[tokio::test]
async fn what_goes_into_a_real_component_comes_out_of_it() {
    let engine = engine();
    for seed in 0..60 {
        let mut dice = Dice::new(seed);
        let shape = match shape(&mut dice, 4) {
            Shape::Int(Int::U8) => Shape::Bytes, // a list of it is bytes
            shape => shape,
        };
        let component = wat::parse_str(echo(&shape)).unwrap_or_else(|error| panic!("{error}\n{}", echo(&shape)));
        let ready = deploy(&engine, component.into()).await;
        let list = Shape::List(Box::new(shape));
        assert_eq!(ready.signature().unwrap().to_string(), format!("same: func(values: {list}) -> {list}"), "{seed}");
        for _ in 0..3 {
            let sent = written(&list, &value(&mut dice, &list));
            let ran = engine.run(&ready, call(format!("[{sent}]"))).await;
            let reply = ran.end.unwrap_or_else(|failure| panic!("{failure:?}: {seed} {list} {sent}"));
            assert_eq!(reply.content_type, "application/json");
            assert_eq!(String::from_utf8_lossy(&reply.body), sent, "{seed} {list}");
        }
    }
}

/// The megabyte travels as it is; as dynamic values it would be refused, and take a tenth of a second.
#[tokio::test]
async fn bytes_travel_as_they_are_where_they_are_all_there_is() {
    let engine = engine();
    let echo = echo(&Shape::Int(Int::U8));
    let ready = deploy(&engine, from_text(&echo)).await;
    let sent = written(&Shape::Bytes, &Value::Bytes(vec![7; 1 << 20]));
    let reply = engine.run(&ready, call(sent.clone())).await.end.unwrap();
    assert_eq!(reply.body, sent);

    let nested = deploy(&engine, from_text(&super::journeys::echo(&Shape::Bytes))).await;
    let failed = engine.run(&nested, call(format!("[[{sent}]]"))).await.end.unwrap_err();
    assert!(failed.message.contains("at `/0/0`: it holds more than 400000 values"), "{failed:?}");
    let smaller = written(&Shape::Bytes, &Value::Bytes(vec![7; 100_000]));
    let reply = engine.run(&nested, call(format!("[[{smaller}]]"))).await.end.unwrap();
    assert_eq!(reply.body, format!("[{smaller}]"));
}
