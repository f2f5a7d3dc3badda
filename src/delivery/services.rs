//! Object stores, queues and streams, those of services outside and the objects of this machine: whether a destination can
//! be one, and bringing a message there.

use super::{Connections, Message, NatsDelivery, NotSent, ObjectDelivery, Objects, Reach, SqsDelivery};
use crate::clock::Clock;
use crate::model::connection::Service;
use crate::model::destination::{Outside, OutsideKind, Terms};
use crate::model::names::{ConnectionName, Namespace};
use crate::registry::TargetRefused;

/// Brings messages to services. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Services {
    connections: Connections,
    objects: ObjectDelivery,
    queues: SqsDelivery,
    streams: NatsDelivery,
}

impl Services {
    /// The `objects` of this machine, and where `connections` lead.
    pub fn new(objects: Objects, connections: &Connections, reach: &Reach, clock: Clock) -> Self {
        Self {
            connections: connections.clone(),
            objects: ObjectDelivery::new(objects, connections.clone(), reach.clone()),
            queues: SqsDelivery::new(connections.clone(), reach.clone(), clock),
            streams: NatsDelivery::new(connections.clone(), reach.clone()),
        }
    }

    /// Tries once; `None` where no service has destinations of that kind.
    pub(super) async fn send(&self, to: &Outside, terms: &Terms, message: &Message) -> Option<Result<(), NotSent>> {
        let (namespace, target) = (&message.namespace, to.target.as_str());
        match (to.kind, &terms.connection) {
            (OutsideKind::Object, _) => Some(self.objects.send(namespace, target, terms, message).await),
            (OutsideKind::Queue, Some(_)) => Some(self.queues.send(namespace, target, terms, message).await),
            (OutsideKind::Stream, Some(_)) => Some(self.streams.send(namespace, target, terms, message).await),
            (OutsideKind::Queue | OutsideKind::Stream, None) | (OutsideKind::Topic | OutsideKind::Webhook, _) => None,
        }
    }

    /// Whether messages can be brought there, as far as that can be told now; `None` where no service has destinations of
    /// that kind. Whether there is such a bucket, queue or stream is not asked: it may be made later.
    pub(super) async fn check(
        &self,
        namespace: &Namespace,
        to: &Outside,
        terms: &Terms,
    ) -> Option<Result<(), TargetRefused>> {
        let wanted = match (to.kind, &terms.connection) {
            (OutsideKind::Object, None) => return Some(Ok(())),
            (OutsideKind::Object, Some(name)) => (name, "s3"),
            (OutsideKind::Queue, Some(name)) => (name, "sqs"),
            (OutsideKind::Stream, Some(name)) => (name, "nats"),
            (OutsideKind::Queue | OutsideKind::Stream, None) | (OutsideKind::Topic | OutsideKind::Webhook, _) => {
                return None;
            }
        };
        Some(self.leads(namespace, to, wanted).await)
    }

    async fn leads(
        &self,
        namespace: &Namespace,
        to: &Outside,
        (name, kind): (&ConnectionName, &str),
    ) -> Result<(), TargetRefused> {
        let refused = |why: String| Err(TargetRefused::Missing(why));
        match self.connections.get(namespace, name).await? {
            None => refused(format!(
                "there is no connection `{name}` in the namespace `{namespace}`: set it with `tidemill connections set`"
            )),
            Some(connection) if connection.service.kind() != kind => {
                let other = connection.service.kind();
                refused(format!("the connection `{name}` leads to `{other}`, and `{to}` is brought to `{kind}`"))
            }
            Some(connection) => match connection.service {
                Service::Nats(_) => NatsDelivery::check(&to.target).or_else(|error| refused(error.to_string())),
                Service::S3(_) | Service::Sqs(_) => Ok(()),
            },
        }
    }
}
