//! Answers with the payload exactly as it came.

wit_bindgen::generate!({ path: "../../../wit", world: "function" });

use exports::tidemill::function::handler::{Event, Failure, Guest};

struct Echo;

impl Guest for Echo {
    fn handle(event: Event) -> Result<Vec<u8>, Failure> {
        Ok(event.payload)
    }
}

export!(Echo);
