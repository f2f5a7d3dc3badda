//! Adds up an order: `{"customer": "...", "items": [{"name", "quantity", "unit_price_cents"}, ...]}` is answered with
//! `{"customer": "...", "items": 2, "total_cents": 1250}`, where `items` is the number of lines.
//!
//! The payload is the order, or the record that a destination was sent: then the order is what the function before
//! answered (`response_payload`) or, if that is no order, what it was asked (`request_payload`). Input that is
//! neither is a permanent failure that says what is wrong with it, for it will not get better.

wit_bindgen::generate!({ path: "../../../wit", world: "function" });

use exports::tidemill::function::handler::{Event, Failure, Guest};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Deserialize)]
struct Order {
    customer: String,
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    name: String,
    quantity: u64,
    unit_price_cents: u64,
}

#[derive(Serialize)]
struct Total {
    customer: String,
    items: usize,
    total_cents: u64,
}

const NO_ORDER: &str = "the payload is neither an order (an object with `customer` and `items`) nor a record with one \
                        in `response_payload` or `request_payload`";

struct OrderTotal;

impl Guest for OrderTotal {
    fn handle(event: Event) -> Result<Vec<u8>, Failure> {
        answer(&event.payload).map_err(Failure::Permanent)
    }
}

fn answer(payload: &[u8]) -> Result<Vec<u8>, String> {
    let document = serde_json::from_slice(payload).map_err(|error| format!("the payload is not JSON: {error}"))?;
    let total = add_up(read_order(document)?)?;
    serde_json::to_vec(&total).map_err(|error| format!("cannot write the answer: {error}"))
}

fn read_order(document: Value) -> Result<Order, String> {
    let (place, order) = find_order(document)?;
    serde_json::from_value(order).map_err(|error| format!("{place} is not a valid order: {error}"))
}

/// Where the order is, and the order.
fn find_order(mut document: Value) -> Result<(&'static str, Value), String> {
    if looks_like_an_order(&document) {
        return Ok(("the payload", document));
    }
    ["response_payload", "request_payload"]
        .into_iter()
        .find_map(|place| {
            let inner = document.get_mut(place)?.take();
            looks_like_an_order(&inner).then_some((place, inner))
        })
        .ok_or_else(|| NO_ORDER.to_owned())
}

fn looks_like_an_order(value: &Value) -> bool {
    value.get("items").is_some() || value.get("customer").is_some()
}

fn add_up(order: Order) -> Result<Total, String> {
    let total_cents = order.items.iter().try_fold(0, add_item)?;
    Ok(Total { customer: order.customer, items: order.items.len(), total_cents })
}

fn add_item(sum: u64, item: &Item) -> Result<u64, String> {
    item.quantity
        .checked_mul(item.unit_price_cents)
        .and_then(|cents| sum.checked_add(cents))
        .ok_or_else(|| format!("the total is too large to count at item `{}`", item.name))
}

export!(OrderTotal);
