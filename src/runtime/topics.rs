//! Use cases around topics: make, list, publish, subscribe, and look after what could not be brought.

use uuid::Uuid;

use super::{Error, Runtime};
use crate::messaging::topics::{
    DeadPublication, Endpoint, Filter, Publication, Published, SubscriptionView, TopicPath, TopicView,
};
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
        Ok(self.parts.topics.remove(path).await?)
    }

    /// Publishes on a topic.
    pub async fn publish(&self, path: &TopicPath, publication: Publication) -> Result<Published, Error> {
        Ok(self.parts.topics.publish(path, publication).await?)
    }

    /// Subscribes an endpoint; returns whether it is new.
    pub async fn subscribe(
        &self,
        path: &TopicPath,
        to: Endpoint,
        filter: Filter,
        give_up_after_s: Option<u64>,
    ) -> Result<(SubscriptionView, bool), Error> {
        Ok(self.parts.topics.subscribe(path, to, filter, give_up_after_s).await?)
    }

    /// A subscription as it stands.
    pub fn subscription(&self, path: &TopicPath, id: Uuid) -> Result<SubscriptionView, Error> {
        Ok(self.parts.topics.subscription(path, id)?)
    }

    /// Confirms a subscription.
    pub async fn confirm(&self, path: &TopicPath, id: Uuid, token: String) -> Result<SubscriptionView, Error> {
        Ok(self.parts.topics.confirm(path, id, token).await?)
    }

    /// Ends a subscription.
    pub async fn unsubscribe(&self, path: &TopicPath, id: Uuid) -> Result<(), Error> {
        Ok(self.parts.topics.unsubscribe(path, id).await?)
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
