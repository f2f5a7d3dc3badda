//! Use cases around topics: make, list, publish, subscribe, and look after what could not be brought.

use uuid::Uuid;

use super::{Error, Runtime};
use crate::access::Caller;
use crate::messaging::topics::{
    DeadPublication, Endpoint, Filter, Publication, Published, SubscriptionView, TopicPath, TopicView,
};
use crate::model::access::{Permission, ResourceKind, Scope};
use crate::model::graph::{Edges, Named, Node, Owner};
use crate::model::names::{Namespace, TopicName};

impl Runtime {
    /// Makes a topic; returns whether it is new.
    pub async fn create_topic(&self, path: TopicPath) -> Result<bool, Error> {
        Ok(self.parts.topics.create(path).await?)
    }

    /// Topics of a namespace in order of their names, from behind `after`, at most `limit`.
    pub fn topics(&self, namespace: &Namespace, after: Option<&TopicName>, limit: usize) -> Vec<TopicView> {
        self.parts.topics.list(namespace, after, limit)
    }

    /// A topic as it stands.
    pub fn topic(&self, path: &TopicPath) -> Result<TopicView, Error> {
        Ok(self.parts.topics.view(path)?)
    }

    /// Removes a topic with its subscriptions.
    pub async fn remove_topic(&self, path: TopicPath) -> Result<(), Error> {
        let (runtime, owner) = (self.clone(), owner(&path));
        self.led(async move {
            let changing = runtime.parts.registry.changing().await;
            runtime.parts.topics.remove(path).await?;
            changing.publish(owner, Vec::new());
            Ok(())
        })
        .await
    }

    /// Makes the subscriptions that are there a part of the graph.
    pub fn join_topics(&self) {
        for topic in self.parts.topics.all() {
            self.parts.registry.adopt(owner(&topic.path), edges(&topic));
        }
    }

    /// Sees through what changes where topics lead: the graph is told of what was committed, also when the caller goes away.
    async fn led<T: Send + 'static>(
        &self,
        change: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        self.parts.tasks.see_through("topic", change).await.unwrap_or(Err(Error::Interrupted))
    }

    /// Publishes on a topic.
    pub async fn publish(&self, path: &TopicPath, publication: Publication) -> Result<Published, Error> {
        Ok(self.parts.topics.publish(path, publication).await?)
    }

    /// Subscribes an endpoint; returns whether it is new.
    pub async fn subscribe(
        &self,
        caller: &Caller,
        path: &TopicPath,
        to: Endpoint,
        filter: Filter,
        give_up_after_s: Option<u64>,
    ) -> Result<(SubscriptionView, bool), Error> {
        self.check_endpoint(caller, path, &to)?;
        let (runtime, path) = (self.clone(), path.clone());
        self.led(async move {
            let (registry, topics) = (&runtime.parts.registry, &runtime.parts.topics);
            let changing = registry.changing().await;
            let (mut edges, owner) = (edges(&topics.view(&path)?), owner(&path));
            edges.extend(leads_to(&path, &to).map(|to| (Node::Topic(named(&path)), to)));
            changing.check(&owner, &edges)?;
            let subscribed = topics.subscribe(&path, to, filter, give_up_after_s).await?;
            changing.publish(owner, edges);
            Ok(subscribed)
        })
        .await
    }

    /// Whether somebody may have publications be brought to an endpoint: as if they brought them there themselves.
    fn check_endpoint(&self, caller: &Caller, topic: &TopicPath, to: &Endpoint) -> Result<(), Error> {
        match leads_to(topic, to) {
            Some(Node::Function(path)) => self.check(caller, Permission::FunctionsInvoke, &Scope::function(&path)),
            Some(Node::Queue(Named { namespace, name })) => {
                self.check(caller, Permission::QueuesSend, &Scope::Resource(ResourceKind::Queue, namespace, name))
            }
            Some(Node::Topic(_) | Node::Timer(_)) | None => Ok(()),
        }
    }

    /// A subscription as it stands.
    pub fn subscription(&self, path: &TopicPath, id: Uuid) -> Result<SubscriptionView, Error> {
        Ok(self.parts.topics.subscription(path, id)?)
    }

    /// Confirms a subscription.
    pub async fn confirm(&self, path: &TopicPath, id: Uuid, token: String) -> Result<(), Error> {
        Ok(self.parts.topics.confirm(path, id, token).await?)
    }

    /// Ends a subscription.
    pub async fn unsubscribe(&self, path: &TopicPath, id: Uuid) -> Result<(), Error> {
        let (runtime, path) = (self.clone(), path.clone());
        self.led(async move {
            let changing = runtime.parts.registry.changing().await;
            runtime.parts.topics.unsubscribe(&path, id).await?;
            changing.publish(owner(&path), edges(&runtime.parts.topics.view(&path)?));
            Ok(())
        })
        .await
    }

    /// What could not be brought to a subscription, the oldest first, from behind the number `after`, at most `limit`.
    pub async fn dead_publications(
        &self,
        path: &TopicPath,
        id: Uuid,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<DeadPublication>, Error> {
        Ok(self.parts.topics.dead(path, id, after, limit).await?)
    }

    /// Sends what could not be brought to a subscription once more; returns how many there were.
    pub async fn redrive_publications(&self, path: &TopicPath, id: Uuid) -> Result<usize, Error> {
        Ok(self.parts.topics.redrive(path, id).await?)
    }

    /// Removes what could not be brought to a subscription.
    pub async fn purge_publications(&self, path: &TopicPath, id: Uuid) -> Result<(), Error> {
        Ok(self.parts.topics.purge(path, id).await?)
    }
}

fn named(path: &TopicPath) -> Named {
    Named { namespace: path.namespace.clone(), name: path.name.to_string() }
}

fn owner(path: &TopicPath) -> Owner {
    Owner::Topic(named(path))
}

/// Where what is published on a topic goes by its subscriptions.
fn edges(topic: &TopicView) -> Edges {
    let to = topic.subscriptions.iter().filter_map(|subscription| leads_to(&topic.path, &subscription.to));
    to.map(|to| (Node::Topic(named(&topic.path)), to)).collect()
}

/// What an endpoint is in the graph; `None` where it is outside.
fn leads_to(topic: &TopicPath, endpoint: &Endpoint) -> Option<Node> {
    match endpoint {
        Endpoint::Function(_) => {
            endpoint.function().map(|function| Node::Function(function.within(&topic.namespace).0))
        }
        Endpoint::Queue(name) => Some(Node::Queue(Named { namespace: topic.namespace.clone(), name: name.clone() })),
        Endpoint::Web(_) => None,
    }
}
