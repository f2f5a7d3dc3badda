//! Objects as destinations: a file of the local store, or an object of a service that speaks S3. The same delivery puts
//! the same object under the same key, however often it is tried.

mod expiry;
mod files;
mod local;
mod s3;

pub use local::{Content, Home, Object, ObjectError, Objects, Place};

use super::{Connections, Message, NotSent, Reach};
use crate::model::connection::Service;
use crate::model::destination::Terms;
use crate::model::names::Namespace;
use crate::model::object::ObjectTarget;

/// Puts records into buckets.
#[derive(Clone)]
pub struct ObjectDelivery {
    objects: Objects,
    connections: Connections,
    reach: Reach,
}

impl ObjectDelivery {
    /// Into `objects`, or where one of `connections` leads.
    pub fn new(objects: Objects, connections: Connections, reach: Reach) -> Self {
        Self { objects, connections, reach }
    }

    /// Puts the record below `target`, which is `BUCKET` or `BUCKET/PREFIX`. Once this returns it would survive a power
    /// cut.
    pub async fn send(
        &self,
        namespace: &Namespace,
        target: &str,
        terms: &Terms,
        message: &Message,
    ) -> Result<(), NotSent> {
        let target: ObjectTarget = target.parse().map_err(|error| NotSent::never(format!("{error}")))?;
        let key = target.key(message.settled, &message.function, message.invocation, &message.content_type);
        let key = key.map_err(|error| NotSent::never(error.to_string()))?;
        let Some(name) = &terms.connection else {
            let place = Place { namespace: namespace.clone(), bucket: target.bucket, key };
            let put = self.objects.put(&place, message.body.clone(), terms.expires_days).await;
            return put.map_err(|error| NotSent::retry(error.to_string()));
        };
        let service = match self.connections.service(namespace, name).await? {
            Service::S3(service) => service,
            other @ (Service::Nats(_) | Service::Sqs(_)) => return Err(Connections::misled(name, &other, "s3")),
        };
        let signing = self.connections.signing(namespace, name, &service.keys).await?;
        s3::put(&self.reach, &service, signing, &target.bucket, &key, terms.expires_days, message)
            .await
            .map_err(|failed| failed.in_connection(name))
    }
}
