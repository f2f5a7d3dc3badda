//! Streams of records, and topics with their subscriptions.

use serde_json::json;

use super::operation::{Operation, delete, get, post, put};
use super::{parameters as p, values};
use crate::http::native::streams::{Appending, PlacesOut, RecordsOut, Settings, StreamOut, StreamsOut};
use crate::http::native::topics_json::{
    ConfirmedOut, DeadOut, PublishedOut, RedrivenOut, Said, Subscribing, SubscriptionOut, SubscriptionsOut, TopicsOut,
    WholeTopicOut,
};

const NO_STREAM: &[&str] = &["stream_not_found"];
const NO_TOPIC: &[&str] = &["topic_not_found"];
const NO_SUBSCRIPTION: &[&str] = &["topic_not_found", "subscription_not_found"];

pub(super) fn streams() -> Vec<Operation> {
    let stream = "/v1/streams/{name}";
    let records = "/v1/streams/{name}/records";
    let named = || [p::name("name", "The stream's name", "orders"), p::namespace()];
    vec![
        get("/v1/streams", "list_streams", "List the streams of a namespace, by name")
            .takes([p::namespace(), p::limit(), p::name_cursor(values::NAME)])
            .answers::<StreamsOut>(200, "A page of streams"),
        get(stream, "show_stream", "Show a stream, and how much it holds")
            .takes(named())
            .answers::<StreamOut>(200, "The stream")
            .refuses(404, NO_STREAM),
        put(stream, "set_stream", "Make a stream, or change how long and how much it keeps")
            .told("Without a body the settings are the usual ones.")
            .takes(named())
            .body::<Settings>("The settings", json!({ "retention_s": 86_400 }))
            .optional_body()
            .answers::<StreamOut>(201, "The stream is new")
            .answers::<StreamOut>(200, "The stream has these settings")
            .refuses(400, &["bad_range"])
            .refuses(404, NO_STREAM) // another has deleted it meanwhile
            .refuses(409, &["limit_exceeded"]),
        delete(stream, "delete_stream", "Delete a stream and its records")
            .takes(named())
            .answers_nothing("It is gone")
            .refuses(404, NO_STREAM),
        get(records, "read_records", "Read records of a stream")
            .takes(named())
            .takes([p::from(), p::limit(), p::record_key(), p::wait()])
            .answers::<RecordsOut>(200, "The records; `next` is the `from` to go on with")
            .refuses(400, &["bad_range"])
            .refuses(404, NO_STREAM)
            .refuses(429, &["overloaded"]),
        post(records, "append_records", "Append records to a stream")
            .takes(named())
            .body::<Appending>("The records", json!({ "records": [{ "key": "7", "data": "a crate of rope" }] }))
            .answers::<PlacesOut>(201, "They are on disk")
            .refuses(400, &["bad_range"])
            .refuses(404, NO_STREAM)
            .refuses(429, &["overloaded"]),
    ]
}

pub(super) fn topics() -> Vec<Operation> {
    let topic = "/v1/topics/{name}";
    let named = || [p::name("name", "The topic's name", "arrivals"), p::namespace()];
    vec![
        get("/v1/topics", "list_topics", "List the topics of a namespace, by name")
            .takes([p::namespace(), p::limit(), p::name_cursor(values::NAME)])
            .answers::<TopicsOut>(200, "A page of topics"),
        get(topic, "show_topic", "Show a topic and its subscriptions")
            .takes(named())
            .answers::<WholeTopicOut>(200, "The topic")
            .refuses(404, NO_TOPIC),
        put(topic, "set_topic", "Make a topic")
            .takes(named())
            .answers::<WholeTopicOut>(201, "The topic is new")
            .answers::<WholeTopicOut>(200, "The topic was there")
            .refuses(404, NO_TOPIC) // another has deleted it meanwhile
            .refuses(409, &["limit_exceeded"]),
        delete(topic, "delete_topic", "Delete a topic with its subscriptions")
            .takes(named())
            .answers_nothing("It is gone")
            .refuses(404, NO_TOPIC)
            .refuses(409, &["being_published"]),
        post("/v1/topics/{name}/publications", "publish", "Publish to the subscribers of a topic")
            .takes(named())
            .body::<Said>("What is published", json!({ "data": "the barge is in", "attributes": { "quay": "4" } }))
            .answers::<PublishedOut>(202, "It is on disk, and will be brought to them")
            .refuses(400, &["bad_range"])
            .refuses(404, NO_TOPIC)
            .refuses(409, &["being_published"])
            .refuses(429, &["subscription_full"]),
    ]
}

pub(super) fn subscriptions() -> Vec<Operation> {
    let all = "/v1/topics/{name}/subscriptions";
    let one = "/v1/topics/{name}/subscriptions/{id}";
    let dead = "/v1/topics/{name}/subscriptions/{id}/dead";
    let of_topic = || [p::name("name", "The topic's name", "arrivals"), p::namespace()];
    let named = || [p::name("name", "The topic's name", "arrivals"), p::subscription(), p::namespace()];
    let mut operations = vec![
        get(all, "list_subscriptions", "List the subscriptions of a topic")
            .takes(of_topic())
            .answers::<SubscriptionsOut>(200, "Its subscriptions")
            .refuses(404, NO_TOPIC),
        post(all, "subscribe", "Subscribe to a topic")
            .told("Who has subscribed already gets the filter and the time to give up anew.")
            .takes(of_topic())
            .body::<Subscribing>("Who, and to what", json!({ "to": "function:describe" }))
            .answers::<SubscriptionOut>(201, "The subscription is new")
            .answers::<SubscriptionOut>(200, "The subscription is as told")
            .refuses(400, &["bad_endpoint", "bad_range", "destination_not_found"])
            .refuses(403, &["destination_not_allowed"])
            .refuses(404, NO_TOPIC)
            .refuses(409, &["cycle", "limit_exceeded"])
            .refuses(422, &["endpoint_refused"]),
        get(one, "show_subscription", "Show a subscription")
            .takes(named())
            .answers::<SubscriptionOut>(200, "The subscription")
            .refuses(404, NO_SUBSCRIPTION),
        delete(one, "unsubscribe", "End a subscription")
            .takes(named())
            .answers_nothing("It is gone")
            .refuses(404, NO_SUBSCRIPTION),
        get(dead, "list_dead_publications", "List what could not be brought to a subscriber, the oldest first")
            .takes(named())
            .takes([p::limit(), p::cursor()])
            .answers::<DeadOut>(200, "A page of publications")
            .refuses(404, NO_SUBSCRIPTION),
        delete(dead, "purge_dead_publications", "Remove what could not be brought to a subscriber")
            .takes(named())
            .answers_nothing("They are gone")
            .refuses(404, NO_SUBSCRIPTION),
        post(
            "/v1/topics/{name}/subscriptions/{id}/redrive",
            "redrive_publications",
            "Bring once more what was given up",
        )
        .takes(named())
        .answers::<RedrivenOut>(200, "How much of it there was")
        .refuses(404, NO_SUBSCRIPTION)
        .refuses(429, &["subscription_full"]),
    ];
    let confirm = "/v1/topics/{name}/subscriptions/{id}/confirm";
    let confirms = [get(confirm, "visit_confirmation", CONFIRMS), post(confirm, "confirm_subscription", CONFIRMS)];
    operations.extend(confirms.map(|operation| {
        operation
            .told("The token was sent to the endpoint, and is all that it needs.")
            .takes(named())
            .takes([p::token()])
            .answers::<ConfirmedOut>(200, "The subscription is confirmed, by this request or one before")
            .refuses(403, &["wrong_token"])
            .refuses(404, NO_SUBSCRIPTION)
            .refuses(503, &["interrupted", "shutting_down"])
            .refuses(507, &["store_full"])
    }));
    operations
}

/// What a `GET` does as well, so that a link in a message can be followed.
const CONFIRMS: &str = "Confirm that an endpoint wants what it was subscribed to";
