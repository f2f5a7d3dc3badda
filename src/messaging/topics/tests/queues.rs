//! Queues that are subscribed.

use super::*;
use crate::messaging::queues::{Asked, Outgoing, Received};
use crate::model::message_queue::QueuePath;

fn path(name: &str) -> QueuePath {
    queue::path(&Namespace::default(), name).unwrap()
}

impl Scene {
    async fn make_queue(&self, name: &str) {
        assert!(self.queues.create(path(name), |_| (), BTreeMap::new()).await.unwrap());
    }

    async fn received(&self, name: &str) -> Vec<Received> {
        self.queues.receive(&path(name), Asked { most: 10, ..Asked::default() }).await.unwrap()
    }

    /// Makes a topic that goes through its subscriptions, which are these queues, in this order.
    async fn topic_to(&self, topic: &str, queues: [&str; 2]) -> TopicPath {
        let topic = TopicPath { name: topic.parse().unwrap(), ..news() };
        assert!(self.topics.create(topic.clone()).await.unwrap());
        let queues = queues.map(|name| Endpoint::Queue(name.to_owned()));
        loop {
            for to in &queues {
                self.topics.subscribe(&topic, to.clone(), Filter::default(), None).await.unwrap();
            }
            let subscriptions = self.topics.view(&topic).unwrap().subscriptions;
            if subscriptions[0].to == queues[0] {
                return topic;
            }
            for subscription in subscriptions {
                self.topics.unsubscribe(&topic, subscription.id).await.unwrap();
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_queue_has_it_when_the_publication_is_acknowledged_and_once() {
    let scene = scene().await;
    let refused = scene.topics.subscribe(&news(), Endpoint::Queue("jobs".to_owned()), Filter::default(), None).await;
    assert!(matches!(refused, Err(TopicError::Refused(_))), "{refused:?}");
    scene.make_queue("jobs").await;
    scene.subscribe("queue:jobs").await;
    let publication = says("hello");
    for expected in [1, 0] {
        let published = scene.topics.publish(&news(), publication.clone()).await.unwrap();
        assert_eq!(published, Published { id: publication.id, subscriptions: expected });
    }
    let received = scene.received("jobs").await;
    assert_eq!(received.iter().map(|it| (it.id, it.body.as_str())).collect::<Vec<_>>(), [(publication.id, "hello")]);
}

#[tokio::test(start_paused = true)]
async fn a_queue_gets_every_publication_in_a_form_that_it_takes() {
    let scene = scene().await;
    scene.make_queue("jobs").await;
    let id = scene.subscribe("queue:jobs").await;
    let attributes: Vec<_> = (0..bounds::MAX_RECORD_ATTRIBUTES).map(|n| (format!("n{n:02}"), n.to_string())).collect();
    for body in ["", "a\0", "plain"] {
        scene.topics.publish(&news(), Publication { attributes: attributes.clone(), ..says(body) }).await.unwrap();
    }
    let received = scene.received("jobs").await;
    let told = |at: usize| (received[at].body.as_str(), received[at].attributes.keys().nth(1).unwrap().as_str());
    assert_eq!([told(0), told(1), told(2)], [(" ", "n01"), ("YQA=", "n00"), ("plain", "n01")]);
    assert!(received.iter().all(|it| it.attributes.len() == bounds::MAX_MESSAGE_ATTRIBUTES));
    assert_eq!((scene.look(id).pending, scene.look(id).dead), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn topics_that_have_the_same_queues_in_another_order_do_not_wait_for_each_other() {
    let scene = scene().await;
    scene.make_queue("a").await;
    scene.make_queue("b").await;
    let (one, two) = (scene.topic_to("one", ["a", "b"]).await, scene.topic_to("two", ["b", "a"]).await);
    let publication = says("hello");
    let same = Outgoing { id: Some(publication.id), body: "hello".to_owned(), ..Outgoing::default() };
    let sending = scene.queues.changes_of_send(&path("a"), same).await.unwrap();
    let given_up = async {
        pass(1).await; // both have begun
        drop(sending);
    };
    let publish = |topic| scene.topics.publish(topic, publication.clone());
    let all = async { tokio::join!(publish(&one), publish(&two), given_up) };
    let (one, two, ()) = tokio::time::timeout(Duration::from_secs(60), all).await.unwrap();
    assert_eq!((one.unwrap().subscriptions, two.unwrap().subscriptions), (2, 2));
    for name in ["a", "b"] {
        assert_eq!(scene.received(name).await.len(), 1);
    }
}
