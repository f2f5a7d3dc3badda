//! Tokens after the subscription is confirmed.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_confirmed_subscription_is_confirmed_again_by_its_own_token_and_by_no_other() {
    let url = "http://a.example/";
    let scene = scene().await;
    let id = scene.subscribe(url).await;
    pass(1).await;
    let token = scene.world.token(url);
    scene.topics.confirm(&news(), id, token.clone()).await.unwrap();
    let check = async |scene: &Scene| {
        for other in ["", "another"] {
            let refused = scene.topics.confirm(&news(), id, other.to_owned()).await;
            assert!(matches!(refused, Err(TopicError::Token(_))), "{refused:?}");
        }
        scene.topics.confirm(&news(), id, token.clone()).await.unwrap();
        assert!(scene.look(id).is_confirmed);
    };
    check(&scene).await;
    let Scene { store, world, tasks, .. } = scene;
    tasks.stop();
    assert!(tasks.ended(Duration::from_secs(10)).await);
    check(&scene_on(store, world).await).await;
}

#[tokio::test(start_paused = true)]
async fn what_needs_no_confirmation_is_confirmed_by_no_token() {
    let scene = scene().await;
    let id = scene.subscribe("function:f").await;
    let refused = scene.topics.confirm(&news(), id, String::new()).await;
    assert!(matches!(refused, Err(TopicError::Token(_))), "{refused:?}");
}

#[test]
fn a_subscription_that_was_kept_without_the_token_that_confirmed_it_is_read() {
    let to = Endpoint::parse("http://a.example/", &Namespace::default()).unwrap();
    let confirmation: Option<()> = None;
    let before = form::encode(&(to, Filter::default(), 3_600_u64, Timestamp::from_ms(1), confirmation));
    let read: kept::KeptSubscription = kept::decode(&before, &news()).unwrap();
    assert_eq!((read.confirmation.is_none(), read.confirmed_by), (true, None));
}
