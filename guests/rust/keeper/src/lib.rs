//! Reads and writes a key-value store, as its payload says: `{"store": "carts", "do": [["set", "a", "1"], ["get", "a"]]}`.
//!
//! | step | answers with |
//! | --- | --- |
//! | `["set", KEY, TEXT]`, `["set-bytes", KEY, COUNT]` | `null` |
//! | `["get", KEY]` | the text, or `null` |
//! | `["delete", KEY]` | `null` |
//! | `["exists", KEY]` | whether it is there |
//! | `["keys"]` | all keys, sorted, and how many pages they came in |
//! | `["increment", KEY, NUMBER]` | the sum |
//! | `["set-many", {KEY: TEXT}]`, `["delete-many", [KEY]]` | `null` |
//! | `["get-many", [KEY]]` | the texts |
//!
//! The answer is a list with what each step gave, or `{"error": ..}` in its place.

wit_bindgen::generate!({
    path: "../../../wit",
    inline: "
        package tidemill:keeper;

        world keeper {
            include tidemill:function/function@1.0.0;
            import wasi:keyvalue/store@0.2.0-draft;
            import wasi:keyvalue/atomics@0.2.0-draft;
            import wasi:keyvalue/batch@0.2.0-draft;
        }
    ",
    world: "tidemill:keeper/keeper",
    generate_all,
});

use std::collections::BTreeMap;

use exports::tidemill::function::handler::{Event, Failure, Guest};
use serde::Deserialize;
use serde_json::{Value, json};
use wasi::keyvalue::store::{self, Bucket, Error};
use wasi::keyvalue::{atomics, batch};

/// The payload.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    store: String,
    #[serde(rename = "do")]
    steps: Vec<Vec<Value>>,
}

struct Keeper;

impl Guest for Keeper {
    fn handle(event: Event) -> Result<Vec<u8>, Failure> {
        let order: Order =
            serde_json::from_slice(&event.payload).map_err(|error| Failure::Permanent(format!("the payload: {error}")))?;
        let answers: Vec<_> = match store::open(&order.store) {
            Ok(bucket) => order.steps.iter().map(|step| step_taken(&bucket, step)).collect(),
            Err(error) => vec![told(error)],
        };
        Ok(Value::from(answers).to_string().into_bytes())
    }
}

fn step_taken(bucket: &Bucket, step: &[Value]) -> Value {
    taken(bucket, step).unwrap_or_else(told)
}

fn taken(bucket: &Bucket, step: &[Value]) -> Result<Value, Error> {
    let text = |place: usize| step.get(place).and_then(Value::as_str).unwrap_or_default();
    let number = |place: usize| step.get(place).and_then(Value::as_u64).unwrap_or_default();
    let list = |place: usize| -> Vec<String> {
        let list = step.get(place).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    match text(0) {
        "set" => bucket.set(text(1), text(2).as_bytes()).map(Value::from),
        "set-bytes" => bucket.set(text(1), &vec![b'x'; number(2) as usize]).map(Value::from),
        "get" => Ok(bucket.get(text(1))?.map(as_text).into()),
        "delete" => bucket.delete(text(1)).map(Value::from),
        "exists" => bucket.exists(text(1)).map(Value::from),
        "keys" => keys(bucket),
        "increment" => atomics::increment(bucket, text(1), number(2)).map(Value::from),
        "set-many" => {
            let pairs: BTreeMap<String, String> =
                step.get(1).and_then(|pairs| serde_json::from_value(pairs.clone()).ok()).unwrap_or_default();
            let pairs: Vec<_> = pairs.into_iter().map(|(key, value)| (key, value.into_bytes())).collect();
            batch::set_many(bucket, &pairs).map(Value::from)
        }
        "get-many" => {
            let found = batch::get_many(bucket, &list(1))?;
            Ok(found.into_iter().map(|pair| pair.map(|(key, value)| json!([key, as_text(value)]))).collect())
        }
        "delete-many" => batch::delete_many(bucket, &list(1)).map(Value::from),
        other => Ok(json!({ "error": format!("`{other}` is no step") })),
    }
}

fn keys(bucket: &Bucket) -> Result<Value, Error> {
    let (mut keys, mut cursor, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = bucket.list_keys(cursor)?;
        pages += 1;
        keys.extend(page.keys);
        cursor = page.cursor;
        if cursor.is_none() {
            keys.sort();
            return Ok(json!({ "keys": keys, "pages": pages }));
        }
    }
}

fn as_text(value: Vec<u8>) -> String {
    String::from_utf8_lossy(&value).into_owned()
}

fn told(error: Error) -> Value {
    match error {
        Error::NoSuchStore => json!({ "error": "no-such-store" }),
        Error::AccessDenied => json!({ "error": "access-denied" }),
        Error::Other(message) => json!({ "error": message }),
    }
}

export!(Keeper);
