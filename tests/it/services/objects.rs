//! Objects in an S3 server, which checks signatures.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http::Request;
use http::header::HeaderMap;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tidemill::clock::Clock;
use tidemill::delivery::{Home, ObjectDelivery, Objects, Reach};
use tidemill::model::connection::{Keys, S3, Service};
use tidemill::model::destination::Terms;
use tidemill::outbound::Allowed;
use tidemill::store::memory::MemoryStore;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::{World, by, gives_up, message, reach, tries_again};

const KEY_ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// An S3 server on a folder; a bucket is a folder in it.
struct Store {
    folder: TempDir,
    address: SocketAddr,
    /// The headers of the requests that came.
    seen: Arc<Mutex<Vec<HeaderMap>>>,
    _tasks: JoinSet<()>,
}

impl Store {
    async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let mut builder = S3ServiceBuilder::new(FileSystem::new(folder.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single(KEY_ID, SECRET));
        let service = builder.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, seen) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<HeaderMap>>>::default());
        let (mut tasks, noted) = (JoinSet::new(), Arc::clone(&seen));
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (service, noted) = (service.clone(), Arc::clone(&noted));
                let answer = service_fn(move |request: Request<Incoming>| {
                    noted.lock().unwrap().push(request.headers().clone());
                    let service = service.clone();
                    async move { service.call(request.map(s3s::Body::from)).await }
                });
                connections.spawn(async move {
                    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await);
                });
            }
        });
        Self { folder, address, seen, _tasks: tasks }
    }

    fn leads_here(&self) -> Service {
        Service::S3(S3 {
            endpoint: Some(format!("http://{}", self.address)),
            region: "eu-west-1".to_owned(),
            path_style: true,
            keys: Keys { access_key_id: KEY_ID.to_owned(), secret_key: "s3-key".parse().unwrap(), session_token: None },
        })
    }
}

fn delivery(world: &World, reach: Reach) -> ObjectDelivery {
    let objects = Objects::new(Home::Fleeting, Arc::<MemoryStore>::default(), Clock::system());
    ObjectDelivery::new(objects, world.connections.clone(), reach)
}

#[tokio::test]
async fn a_record_becomes_an_object_that_the_store_has_under_the_day_and_the_function() {
    let (store, world) = (Store::start().await, World::new());
    std::fs::create_dir(store.folder.path().join("results")).unwrap();
    world.set_secret("s3-key", SECRET).await;
    world.set("obs", store.leads_here()).await;
    let objects = delivery(&world, reach(None));
    let sent = message(r#"{"n": 1}"#);
    let terms = Terms { expires_days: 30, ..by("obs") };
    for _ in 0..2 {
        objects.send(&world.namespace, "results/shop/größe", &terms, &sent).await.unwrap();
    }
    let file = format!("results/shop/größe/2026/11/21/resize/{}.json", sent.invocation);
    assert_eq!(std::fs::read(store.folder.path().join(file)).unwrap(), sent.body);
    let seen = store.seen.lock().unwrap();
    assert_eq!(seen.len(), 2);
    let header = |name| seen[0].get(name).unwrap().to_str().unwrap();
    assert_eq!((header("x-obs-expires"), header("x-amz-tagging")), ("30", "tidemill-expires-days=30"));
    assert_eq!(
        (header("content-type"), header("x-amz-meta-tidemill-id")),
        ("application/json", sent.id.to_string().as_str())
    );
}

#[tokio::test]
async fn what_can_be_put_right_is_tried_again_and_says_which_connection_it_was() {
    let (store, world) = (Store::start().await, World::new());
    world.set_secret("s3-key", "not the key".replace(' ', "-").as_str()).await;
    world.set("obs", store.leads_here()).await;
    let objects = delivery(&world, reach(None));
    let sent = message("{}");
    let put = async |target: &'static str| objects.send(&world.namespace, target, &by("obs"), &sent).await;

    let refused = put("results").await;
    assert!(!format!("{refused:?}").contains("not-the-key"), "{refused:?}");
    tries_again(refused, &["the connection `obs`", "SignatureDoesNotMatch"]);
    world.set_secret("s3-key", SECRET).await;
    put("results").await.unwrap();
    gives_up(put("results/../other").await, &["`../other`"]);

    let elsewhere = objects.send(&world.namespace, "results", &by("gone"), &sent).await;
    tries_again(elsewhere, &["there is no connection `gone`"]);
    let shut = delivery(&world, Reach::new(Allowed::default(), None).unwrap());
    let shut = shut.send(&world.namespace, "results", &by("obs"), &sent).await;
    tries_again(shut, &["the connection `obs`", "private address"]);
    drop(store);
    tries_again(put("results").await, &["the connection `obs`"]);
}

#[tokio::test]
async fn without_a_connection_a_record_becomes_an_object_of_this_machine() {
    let (folder, world) = (TempDir::new().unwrap(), World::new());
    let home = Home::Folder(folder.path().join("objects"));
    let objects = Objects::new(home, Arc::<MemoryStore>::default(), Clock::system());
    let objects = ObjectDelivery::new(objects, world.connections.clone(), reach(None));
    let sent = message("{}");
    for _ in 0..2 {
        objects.send(&world.namespace, "results/shop", &Terms::default(), &sent).await.unwrap();
    }
    let file = format!("objects/default/results/shop/2026/11/21/resize/{}.json", sent.invocation);
    assert_eq!(std::fs::read(folder.path().join(file)).unwrap(), sent.body);
    gives_up(objects.send(&world.namespace, "Results", &Terms::default(), &sent).await, &["`Results`"]);
}
