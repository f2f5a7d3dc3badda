//! Topics on a store in memory, in paused time; the endpoints are told what to do. Real ones are in
//! `tests/it/process/topics.rs`.

mod confirming;
mod order;
mod queues;
mod removing;

use std::time::Duration;

use super::*;
use crate::messaging::queues::Limits;
use crate::outbound::{NotSent, Post};
use crate::store::memory::MemoryStore;
use crate::store::{DocumentRange, Table};

/// Endpoints that take everything, fail or never answer, by their addresses. None takes what says that it is bad.
#[derive(Default)]
struct World {
    seen: Mutex<Vec<(String, Post)>>,
    invoked: Mutex<Vec<(String, Vec<InvocationId>)>>,
    /// Addresses that answer with a failure.
    down: Mutex<HashSet<String>>,
}

const HANGS: &str = "http://hangs.example/";
const GONE: &str = "http://gone.example/";

impl World {
    fn bodies(&self, url: &str) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        let of_url = seen.iter().filter(|(to, _)| to == url);
        of_url.map(|(_, post)| String::from_utf8(post.body.to_vec()).unwrap()).collect()
    }

    fn token(&self, url: &str) -> String {
        let asked: serde_json::Value = serde_json::from_str(self.bodies(url).last().unwrap()).unwrap();
        assert_eq!(asked["type"], "subscription_confirmation");
        asked["token"].as_str().unwrap().to_owned()
    }
}

impl Ways for World {
    fn check<'a>(&'a self, _: &'a Namespace, _: &'a Endpoint) -> Reached<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn post<'a>(&'a self, _: &'a Namespace, url: &'a str, post: Post) -> Reached<'a, ()> {
        Box::pin(async move {
            let is_question = post.body.starts_with(b"{\"type\"");
            if url == HANGS && !is_question {
                tokio::time::sleep(bounds::DELIVERY_TRY).await;
                return Err(NotSent::retry("it did not answer"));
            }
            let is_bad = post.body.starts_with(b"bad");
            self.seen.lock().unwrap().push((url.to_owned(), post));
            if url == GONE && !is_question {
                return Err(NotSent::never("it wants no more"));
            }
            if is_bad {
                return Err(NotSent::retry("it is bad"));
            }
            if self.down.lock().unwrap().contains(url) { Err(NotSent::retry("it is down")) } else { Ok(()) }
        })
    }

    fn invoke<'a>(&'a self, call: Call<'a>) -> Reached<'a, ()> {
        self.invoked.lock().unwrap().push((call.key, call.publication.chain.clone()));
        Box::pin(async { Ok(()) })
    }
}

struct Scene {
    store: Arc<MemoryStore>,
    world: Arc<World>,
    queues: Queues,
    topics: Topics,
    tasks: Tasks,
}

fn news() -> TopicPath {
    TopicPath { namespace: Namespace::default(), name: "news".parse().unwrap() }
}

async fn scene_on(store: Arc<MemoryStore>, world: Arc<World>) -> Scene {
    let (tasks, clock) = (Tasks::default(), Clock::starting_at(Timestamp::from_ms(1_000_000)));
    let queues = Queues::open(store.clone(), clock.clone(), tasks.clone(), Limits::default()).await.unwrap();
    let base = "http://127.0.0.1:1".to_owned();
    let opened = Topics::open(store.clone(), (clock, tasks.clone()), queues.clone(), world.clone(), base);
    Scene { store, world, queues, topics: opened.await.unwrap(), tasks }
}

async fn scene() -> Scene {
    let scene = scene_on(Arc::default(), Arc::default()).await;
    assert!(scene.topics.create(news()).await.unwrap());
    scene
}

impl Scene {
    async fn subscribe(&self, to: &str) -> Uuid {
        self.subscribe_to(to, Filter::default()).await
    }

    async fn subscribe_to(&self, to: &str, filter: Filter) -> Uuid {
        let to = Endpoint::parse(to, &Namespace::default()).unwrap();
        self.topics.subscribe(&news(), to, filter, Some(3_600)).await.unwrap().0.id
    }

    /// Subscribes an address and confirms it.
    async fn confirmed(&self, url: &str) -> Uuid {
        let id = self.subscribe(url).await;
        pass(1).await;
        let token = self.world.token(url);
        self.topics.confirm(&news(), id, token).await.unwrap();
        assert!(self.look(id).is_confirmed);
        self.world.seen.lock().unwrap().retain(|(to, _)| to != url);
        id
    }

    async fn publish(&self, body: &str) -> usize {
        self.topics.publish(&news(), says(body)).await.unwrap().subscriptions
    }

    fn look(&self, id: Uuid) -> SubscriptionView {
        self.topics.subscription(&news(), id).unwrap()
    }
}

fn says(body: &str) -> Publication {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let (content_type, attributes) = ("text/plain".to_owned(), Vec::new());
    Publication { id: Uuid::new_v4(), body, content_type, attributes, outcome: None, chain: Vec::new() }
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn an_address_gets_nothing_but_the_question_until_it_has_confirmed() {
    let scene = scene().await;
    let url = "http://a.example/";
    let id = scene.subscribe(url).await;
    assert_eq!(scene.publish("early").await, 0);
    pass(10).await;
    assert_eq!(scene.world.bodies(url).len(), 1);
    let token = scene.world.token(url);
    let refused = scene.topics.confirm(&news(), id, "another".to_owned()).await;
    assert!(matches!(refused, Err(TopicError::Token(_))), "{refused:?}");
    assert!(!scene.look(id).is_confirmed);

    scene.subscribe(url).await;
    pass(10).await;
    let newer = scene.world.token(url);
    assert!(matches!(scene.topics.confirm(&news(), id, token).await, Err(TopicError::Token(_))));
    scene.topics.confirm(&news(), id, newer).await.unwrap();
    assert_eq!(scene.publish("late").await, 1);
    pass(1).await;
    assert_eq!(scene.world.bodies(url).last().unwrap(), "late");
    assert!(!scene.world.bodies(url).contains(&"early".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_function_is_one_subscription_however_it_is_written() {
    let scene = scene().await;
    let id = scene.subscribe("function:bill").await;
    for same in ["function:bill@latest", "function:default/bill", "function:default/bill@latest"] {
        assert_eq!(scene.subscribe(same).await, id, "{same}");
    }
    assert_ne!(scene.subscribe("function:bill@3").await, id);
}

#[tokio::test(start_paused = true)]
async fn a_question_that_nobody_answers_is_over_after_three_days() {
    let scene = scene().await;
    let id = scene.subscribe("http://a.example/").await;
    scene.world.down.lock().unwrap().insert("http://b.example/".to_owned());
    let down = scene.subscribe("http://b.example/").await;
    pass(60).await;
    let asked = scene.world.bodies("http://b.example/").len();
    assert!((3..=9).contains(&asked), "asked {asked} times in a minute");
    assert_eq!(scene.look(down).error.as_deref(), Some("it is down"));
    pass(bounds::CONFIRMATION.as_secs() + 20).await;
    for id in [id, down] {
        let gone = scene.topics.subscription(&news(), id);
        assert!(matches!(gone, Err(TopicError::SubscriptionUnknown { .. })), "{gone:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn endpoints_that_are_down_or_hang_delay_nobody_and_get_it_when_they_are_back() {
    let scene = scene().await;
    let (up, down) = ("http://up.example/", "http://down.example/");
    for url in [up, down, HANGS] {
        scene.confirmed(url).await;
    }
    let id = scene.topics.view(&news()).unwrap().subscriptions.iter().find(|it| it.to.to_string() == down).unwrap().id;
    scene.world.down.lock().unwrap().insert(down.to_owned());
    for n in 0..20 {
        assert_eq!(scene.publish(&n.to_string()).await, 3);
    }
    pass(1).await;
    let mut got = scene.world.bodies(up);
    got.sort_by_key(|text| text.parse::<u32>().unwrap());
    assert_eq!(got, (0..20).map(|n| n.to_string()).collect::<Vec<_>>());
    pass(600).await;
    assert_eq!(scene.look(id).pending, 20);
    scene.world.down.lock().unwrap().clear();
    scene.world.seen.lock().unwrap().clear();
    pass(900).await;
    let of_down = scene.world.bodies(down);
    assert_eq!(of_down.iter().collect::<HashSet<_>>().len(), 20, "{of_down:?}");
    assert_eq!((scene.look(id).pending, scene.look(id).dead), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_brought_is_given_up_shown_and_sent_again() {
    let scene = scene().await;
    let (hangs, gone) = (scene.confirmed(HANGS).await, scene.confirmed(GONE).await);
    scene.publish("a").await;
    pass(2).await;
    let dead = scene.topics.dead(&news(), gone, None, 10).await.unwrap();
    assert_eq!((dead.len(), dead[0].tries, dead[0].error.as_str()), (1, 1, "it wants no more"));
    assert_eq!((scene.look(hangs).pending, scene.look(hangs).dead), (1, 0));
    pass(3_600 + bounds::DELIVERY_TRY.as_secs()).await; // the last try may begin as the hour ends
    let dead = scene.topics.dead(&news(), hangs, None, 10).await.unwrap();
    assert_eq!((dead.len(), &dead[0].publication.body[..]), (1, &b"a"[..]));
    assert!((9..=20).contains(&dead[0].tries), "tried {} times in an hour", dead[0].tries);

    assert_eq!(scene.topics.redrive(&news(), gone).await.unwrap(), 1);
    pass(1).await;
    assert_eq!((scene.look(gone).dead, scene.world.bodies(GONE).len()), (1, 2));
    scene.topics.purge(&news(), gone).await.unwrap();
    assert_eq!(scene.look(gone).dead, 0);
    assert!(scene.topics.dead(&news(), gone, None, 10).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_subscription_gets_what_its_filter_wants() {
    let scene = scene().await;
    let failed = Filter { outcomes: vec![OutcomeKind::Failed, OutcomeKind::Expired], ..Filter::default() };
    let of_europe = [("region".to_owned(), vec!["eu".to_owned(), "uk".to_owned()])].into();
    scene.subscribe_to("function:on-failure", failed).await;
    scene.subscribe_to("function:europe", Filter { attributes: of_europe, ..Filter::default() }).await;
    let publish = async |outcome, region: &str| {
        let attributes = vec![("region".to_owned(), region.to_owned())];
        scene.topics.publish(&news(), Publication { attributes, outcome, ..says("x") }).await.unwrap().subscriptions
    };
    assert_eq!(publish(Some(OutcomeKind::Failed), "us").await, 1);
    assert_eq!(publish(Some(OutcomeKind::Succeeded), "us").await, 0);
    assert_eq!(publish(Some(OutcomeKind::Expired), "eu").await, 2);
    assert_eq!(publish(None, "uk").await, 1);
    assert_eq!(scene.publish("without attributes").await, 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_on_its_way_goes_on_after_a_restart_and_nothing_is_left_when_it_has_arrived() {
    let Scene { store, world, topics, tasks, queues } = {
        let scene = scene().await;
        scene.confirmed("http://a.example/").await;
        scene.subscribe("function:f").await;
        scene.world.down.lock().unwrap().insert("http://a.example/".to_owned());
        scene.publish("kept").await;
        pass(30).await;
        scene
    };
    tasks.stop();
    assert!(tasks.ended(Duration::from_secs(10)).await);
    drop((topics, queues));
    world.down.lock().unwrap().clear();
    let tried: HashSet<_> = world.seen.lock().unwrap().iter().map(|(_, post)| post.id.clone()).collect();
    assert_eq!(tried.len(), 1, "each try has the same id");
    world.seen.lock().unwrap().clear();
    let scene = scene_on(store, world).await;
    pass(120).await;
    assert_eq!(scene.world.bodies("http://a.example/"), ["kept"]);
    assert_eq!(scene.world.invoked.lock().unwrap().len(), 1);
    let left = scene.store.document_keys(DocumentRange::of(Table::Publication, &[]), 10).await.unwrap();
    assert_eq!(left, []);
    scene.publish("more").await;
    scene.topics.remove(news()).await.unwrap();
    assert!(scene.topics.view(&news()).is_err());
    for table in [Table::Publication, Table::Topic] {
        assert_eq!(scene.store.document_keys(DocumentRange::of(table, &[]), 10).await.unwrap(), []);
    }
}
