//! Message queues and their messages.

use serde_json::json;

use super::operation::{Operation, delete, get, post, put};
use super::{parameters as p, values};
use crate::http::native::message_queues::{MessagesOut, QueuesOut, SentOut, Visibility};
use crate::http::native::message_queues_json::{MessageText, QueueOut, SettingsText};

const NOT_FOUND: &[&str] = &["queue_not_found"];

pub(super) fn message_queues() -> Vec<Operation> {
    queues().into_iter().chain(messages()).collect()
}

fn named() -> [p::Parameter; 2] {
    [p::queue(), p::namespace()]
}

fn queues() -> Vec<Operation> {
    let queue = "/v1/queues/{name}";
    vec![
        get("/v1/queues", "list_message_queues", "List the message queues of a namespace, by name")
            .takes([p::namespace(), p::prefix(), p::limit(), p::name_cursor(values::QUEUE)])
            .answers::<QueuesOut>(200, "A page of queues"),
        get(queue, "show_message_queue", "Show a message queue, and how much it holds")
            .takes(named())
            .answers::<QueueOut>(200, "The queue")
            .refuses(404, NOT_FOUND),
        put(queue, "set_message_queue", "Make a message queue, or change how it treats its messages")
            .told("Replaces the settings and the tags; without a body they are the usual ones.")
            .takes(named())
            .body::<SettingsText>("The settings", json!({ "visibility_s": 60, "tags": { "team": "harbour" } }))
            .optional_body()
            .answers::<QueueOut>(201, "The queue is new")
            .answers::<QueueOut>(200, "The queue has these settings")
            .refuses(400, &["bad_name", "bad_range", "bad_redrive", "bad_tags", "wrong_kind_of_queue"])
            .refuses(409, &["limit_exceeded", "queue_exists"]),
        delete(queue, "delete_message_queue", "Delete a message queue and what it holds")
            .takes(named())
            .answers_nothing("It is gone")
            .refuses(404, NOT_FOUND),
        post("/v1/queues/{name}/purge", "purge_message_queue", "Remove every message of a queue")
            .takes(named())
            .answers_nothing("They are gone")
            .refuses(404, NOT_FOUND)
            .refuses(409, &["purging"]),
    ]
}

fn messages() -> Vec<Operation> {
    let visibility = "/v1/queues/{name}/messages/{receipt}/visibility";
    let receive = "Receive messages, which others then do not see for a while";
    vec![
        post("/v1/queues/{name}/messages", "send_message", "Send a message")
            .takes(named())
            .body::<MessageText>("The message", json!({ "body": "unload the barge" }))
            .answers::<SentOut>(201, "It is on disk")
            .refuses(400, &["bad_message", "bad_range", "wrong_kind_of_queue"])
            .refuses(404, NOT_FOUND)
            .refuses(429, &["message_queue_full"]),
        post("/v1/queues/{name}/receive", "receive_messages", receive)
            .takes(named())
            .takes(p::of_receives())
            .answers::<MessagesOut>(200, "The messages, if there were any in time")
            .refuses(404, NOT_FOUND)
            .refuses(429, &["message_queue_full"]),
        delete("/v1/queues/{name}/messages/{receipt}", "delete_message", "Delete a message that was received")
            .takes(named())
            .takes([p::receipt()])
            .answers_nothing("It is gone")
            .refuses(404, NOT_FOUND)
            .refuses(409, &["receipt_expired"]),
        put(visibility, "change_visibility", "Hide a message for longer, or no longer")
            .takes(named())
            .takes([p::receipt()])
            .body::<Visibility>("For how long from now on", json!({ "visibility_s": 60 }))
            .answers_nothing("It is so")
            .refuses(400, &["bad_range"])
            .refuses(404, NOT_FOUND)
            .refuses(409, &["message_not_in_flight", "receipt_expired"]),
    ]
}
