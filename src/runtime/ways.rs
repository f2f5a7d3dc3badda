//! The ways that publications of topics take to functions and to HTTP addresses.

use std::sync::Arc;

use super::{Ask, Desk, Error, Runtime};
use crate::dispatch::NotAccepted;
use crate::engine::call::Input;
use crate::messaging::topics::{Call, Endpoint, Reached, Ways};
use crate::model::names::Namespace;
use crate::outbound::{NotSent, Post, Webhooks};
use crate::registry::RegistryError;

/// Ways over a desk and the sender of webhooks. It exists before the runtime does; who asks before that is open waits.
pub struct RuntimeWays {
    /// Where the runtime is found.
    pub desk: Arc<Desk>,
    /// Who sends to HTTP addresses.
    pub webhooks: Webhooks,
}

impl RuntimeWays {
    async fn runtime(&self) -> Result<Runtime, NotSent> {
        self.desk.runtime().await.map_err(|_| NotSent::retry("the runtime is stopping"))
    }
}

impl Ways for RuntimeWays {
    fn check<'a>(&'a self, namespace: &'a Namespace, endpoint: &'a Endpoint) -> Reached<'a, ()> {
        Box::pin(async move {
            match endpoint {
                Endpoint::Web(url) => self.webhooks.admit(url),
                Endpoint::Function(_) => {
                    let function = endpoint.function().ok_or_else(|| NotSent::never("it is no function's name"))?;
                    let (path, qualifier) = function.within(namespace);
                    let found = self.runtime().await?.parts.registry.resolve(&path, &qualifier);
                    found.map(drop).map_err(|error| NotSent::never(error.to_string()))
                }
                Endpoint::Queue(_) => Ok(()), // whoever subscribes one looks for it there
            }
        })
    }

    fn post<'a>(&'a self, namespace: &'a Namespace, url: &'a str, post: Post) -> Reached<'a, ()> {
        Box::pin(async move { self.webhooks.post(namespace, url, &post).await })
    }

    fn invoke<'a>(&'a self, call: Call<'a>) -> Reached<'a, ()> {
        Box::pin(async move {
            let Call { namespace, function, publication, key } = call;
            let (path, qualifier) = function.clone().within(namespace);
            let ask = Ask {
                content_type: publication.content_type.clone(),
                attributes: publication.attributes.clone(),
                chain: publication.chain.clone(),
                idempotency_key: Some(key),
                ..Ask::now(path, qualifier, Input::Payload(publication.body.clone()))
            };
            self.runtime().await?.accept(ask).await.map(drop).map_err(|error| not_sent(&error))
        })
    }
}

/// What is wrong with the publication or the function stays wrong; what is full or stopping does not. A function that is
/// gone may be deployed again.
fn not_sent(error: &Error) -> NotSent {
    let (why, after) = (error.to_string(), error.retry_after());
    match error {
        Error::HopLimit { .. }
        | Error::IdempotencyConflict { .. }
        | Error::IdempotencyKey
        | Error::NotAccepted(NotAccepted::KeyConflict(_))
        | Error::PayloadMisfit(_)
        | Error::PayloadTooLarge { .. }
        | Error::Registry(RegistryError::VersionUnknown { .. }) => NotSent::Never { why },
        _ => NotSent::Retry { why, after },
    }
}
