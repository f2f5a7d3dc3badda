//! Subscriptions that are removed while somebody else changes them.

use super::*;

const URL: &str = "http://a.example/";

impl Scene {
    /// Confirms a subscription with what its address was sent while `removed` is under way, and before that is done.
    async fn confirmed_behind(&self, removed: impl Future<Output = Result<(), TopicError>>, id: Uuid) {
        let (topic, token) = (news(), self.world.token(URL));
        let lane = self.topics.parts.topic(&topic).unwrap().lanes().remove(0);
        let busy = lane.changing.lock().await;
        let go_on = async {
            pass(1).await; // both have begun, the removal first
            drop(busy);
        };
        let (removed, confirmed, ()) = tokio::join!(removed, self.topics.confirm(&topic, id, token), go_on);
        removed.unwrap();
        assert!(matches!(confirmed, Err(TopicError::SubscriptionUnknown { .. })), "{confirmed:?}");
        let key = kept::subscription_key(lane.topic, id);
        assert_eq!(self.store.document(key).await.unwrap(), None, "it would be there at the next start");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_removed_with_its_topic_or_by_itself_does_not_come_back_when_it_is_confirmed_behind_that() {
    let scene = scene().await;
    let id = scene.subscribe(URL).await;
    pass(1).await;
    let topic = news();
    scene.confirmed_behind(scene.topics.unsubscribe(&topic, id), id).await;
    let id = scene.subscribe(URL).await;
    pass(1).await;
    scene.confirmed_behind(scene.topics.remove(topic), id).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_to_confirm_again_as_its_time_ends_is_not_removed() {
    let scene = scene().await;
    let id = scene.subscribe(URL).await;
    pass(bounds::CONFIRMATION.as_secs() - 1).await;
    let busy = scene.topics.parts.changing.lock().await;
    let go_on = async {
        pass(20).await; // who removes what is over has seen that it is, and waits behind the subscribing
        drop(busy);
    };
    let (again, ()) = tokio::join!(scene.subscribe(URL), go_on);
    assert_eq!(again, id);
    pass(20).await;
    let token = scene.world.token(URL);
    scene.topics.confirm(&news(), id, token).await.unwrap();
    assert!(scene.look(id).is_confirmed);
}
