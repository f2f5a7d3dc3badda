//! Triggers.

use serde_json::json;

use super::operation::{Operation, delete, get, post, put};
use super::{parameters as p, values};
use crate::http::native::invoke::AcceptedOut;
use crate::http::native::triggers::TriggersOut;
use crate::http::native::triggers_json::{TriggerIn, TriggerOut};

const NOT_FOUND: &[&str] = &["trigger_not_found"];

pub(super) fn triggers() -> Vec<Operation> {
    let trigger = "/v1/triggers/{name}";
    let named = || [p::name("name", "The trigger's name", "nightly"), p::namespace()];
    let example = json!({ "kind": "timer", "function": "describe", "cron": "0 3 * * *", "time_zone": "Europe/Oslo" });
    vec![
        get("/v1/triggers", "list_triggers", "List the triggers of a namespace, by name")
            .takes([p::namespace(), p::limit(), p::name_cursor(values::NAME)])
            .answers::<TriggersOut>(200, "A page of triggers"),
        get(trigger, "show_trigger", "Show a trigger, and what it has done")
            .takes(named())
            .answers::<TriggerOut>(200, "The trigger")
            .refuses(404, NOT_FOUND),
        put(trigger, "set_trigger", "Have a function invoked by the clock, or with the messages of a queue")
            .told("Says all of the trigger: what is absent has its default.")
            .takes(named())
            .body::<TriggerIn>("The trigger", example)
            .answers::<TriggerOut>(201, "The trigger is new")
            .answers::<TriggerOut>(200, "The trigger is as told")
            .refuses(
                400,
                &["bad_trigger", "bad_schedule", "bad_payload", "bad_range", "destination_not_found", "everyone"],
            )
            .refuses(404, &["function_not_found", "version_not_found", "queue_not_found"])
            .refuses(409, &["cycle", "limit_exceeded"]),
        delete(trigger, "delete_trigger", "Delete a trigger")
            .takes(named())
            .answers_nothing("It is gone")
            .refuses(404, NOT_FOUND),
        post("/v1/triggers/{name}/enable", "enable_trigger", "Let a trigger fire")
            .takes(named())
            .answers::<TriggerOut>(200, "The trigger")
            .refuses(404, NOT_FOUND)
            .refuses(409, &["cycle"]),
        post("/v1/triggers/{name}/disable", "disable_trigger", "Let a trigger fire no longer")
            .takes(named())
            .answers::<TriggerOut>(200, "The trigger")
            .refuses(404, NOT_FOUND),
        post("/v1/triggers/{name}/fire", "fire_trigger", "Have a timer fire now")
            .takes(named())
            .answers::<AcceptedOut>(202, "The invocation")
            .refuses(404, &["trigger_not_found", "function_not_found", "version_not_found"])
            .refuses(409, &["not_a_timer"])
            .refuses(429, &["function_disabled"])
            .refuses(429, &["queue_full_function", "queue_full_function_bytes", "queue_full_namespace"])
            .refuses(429, &["queue_full_namespace_bytes", "queue_full_runtime", "queue_full_runtime_bytes"]),
    ]
}
