//! The example functions that `serve --examples` deploys: real guests, carried in the binary, so that a newcomer
//! needs nothing else. A function that is there already under one of their names is left as it is; each start leaves
//! one more order to the queue.

use std::path::Path;

use bytes::Bytes;

use crate::access::Caller;
use crate::engine::call::Input;
use crate::model::bounds;
use crate::model::destination::{DestinationText, Terms};
use crate::model::function::{Annotations, Limits};
use crate::model::grant::Grants;
use crate::model::names::{FunctionPath, InvocationId, Namespace, Qualifier};
use crate::model::retry::RetryPolicy;
use crate::registry::{ConfigText, Deployment};
use crate::runtime::{Ask, Error, Runtime};

/// An order that the examples begin with.
const ORDER: &str = r#"{"customer":"Ada","items":[{"name":"tea","quantity":2,"unit_price_cents":450}]}"#;

/// A function of the examples.
struct Example {
    name: &'static str,
    module: &'static [u8],
    max_retries: u32,
    on_success: Option<&'static str>,
    on_failure: Option<&'static str>,
}

const fn example(name: &'static str, module: &'static [u8]) -> Example {
    Example { name, module, max_retries: bounds::DEFAULT_MAX_RETRIES, on_success: None, on_failure: None }
}

/// In an order in which each destination is there before it is named.
fn examples() -> [Example; 6] {
    [
        example("echo", include_bytes!("../guests/prebuilt/echo.wasm")),
        example("describe", include_bytes!("../guests/prebuilt/describe.wasm")),
        example("word-count", include_bytes!("../guests/prebuilt/word-count.wasm")),
        example("hello-http", include_bytes!("../guests/prebuilt/hello-http.wasm")),
        Example {
            on_success: Some("function:describe"),
            ..example("order-total", include_bytes!("../guests/prebuilt/order-total.wasm"))
        },
        Example {
            max_retries: 2,
            on_failure: Some("function:describe"),
            ..example("flaky", include_bytes!("../guests/prebuilt/flaky.wasm"))
        },
    ]
}

/// What was deployed.
pub struct Deployed {
    /// The functions' names.
    pub names: Vec<&'static str>,
    /// An asynchronous invocation of `order-total`, already accepted.
    pub invocation: InvocationId,
}

/// How a server is reached by whoever sits where it runs.
pub struct Way<'a> {
    /// Its URL.
    pub url: &'a str,
    /// The certificate that it shows, in PEM, where it speaks TLS.
    pub certificate: Option<&'a Path>,
    /// The file with a token, where it asks who sends requests.
    pub token: Option<&'a Path>,
}

impl Way<'_> {
    /// The command that asks the server, with all that each request needs.
    fn curl(&self) -> String {
        // Who signed the certificate may be unknown to this machine: it is to trust this one.
        let certificate = self.certificate.map(|file| format!(" --cacert {}", quoted(file)));
        let token = self.token.map(|file| format!(" -H \"Authorization: Bearer $(cat {})\"", quoted(file)));
        format!("curl{}{}", certificate.unwrap_or_default(), token.unwrap_or_default())
    }
}

/// A path as a shell is to be given it, in whatever folder that is.
fn quoted(path: &Path) -> String {
    let whole = std::path::absolute(path);
    let whole = whole.as_deref().unwrap_or(path).display().to_string();
    format!("'{}'", whole.replace('\'', r"'\''"))
}

/// Deploys the examples and leaves one invocation to the queue.
pub async fn deploy(runtime: &Runtime) -> Result<Deployed, Error> {
    let mut names = Vec::new();
    for example in examples() {
        names.push(example.name);
        let path = path(example.name);
        if runtime.describe(&path, &Qualifier::Latest).is_err() {
            runtime.deploy(&Caller::Trusted, path, deployment(&example)).await?;
        }
    }
    let order = Input::Payload(Bytes::from_static(ORDER.as_bytes()));
    let ask =
        Ask { content_type: "application/json".to_owned(), ..Ask::now(path("order-total"), Qualifier::Latest, order) };
    let invocation = runtime.accept(ask).await?.id;
    Ok(Deployed { names, invocation })
}

impl Deployed {
    /// Commands to try, for people; every line can be pasted as it stands.
    pub fn commands(&self, way: &Way<'_>) -> String {
        let (names, id, curl, url) = (self.names.join(", "), self.invocation, way.curl(), way.url);
        format!(
            "deployed: {names}\n\
             \n\
             # run a function and wait for its answer\n\
             {curl} -d 'hello' {url}/v1/functions/echo/invocations\n\
             # leave one to the queue: it fails twice, is tried again, and succeeds\n\
             {curl} -i -H 'Prefer: respond-async' -d '{{\"fail_attempts\":2}}' {url}/v1/functions/flaky/invocations\n\
             # look at one that is being worked on: an order, whose total goes on to the next function\n\
             {curl} '{url}/v1/invocations/{id}?wait=10s'\n\
             # see what leads to what\n\
             {curl} {url}/v1/graph"
        )
    }
}

fn path(name: &str) -> FunctionPath {
    FunctionPath { namespace: Namespace::default(), name: name.parse().expect("the examples have valid names") }
}

fn deployment(example: &Example) -> Deployment {
    let destination = |text: Option<&str>| -> Option<DestinationText> {
        text.map(|text| text.parse().expect("the examples have valid destinations"))
    };
    let retry = RetryPolicy::new(example.max_retries, bounds::DEFAULT_RETRY_DELAY, bounds::DEFAULT_RETRY_DELAY_MAX)
        .expect("the examples' retries are in range");
    Deployment {
        module: Bytes::from_static(example.module),
        entrypoint: None,
        arguments: Vec::new(),
        environment: std::collections::BTreeMap::new(),
        limits: Limits::default(),
        grants: Grants::default(),
        debug_info: false,
        reuse: None,
        core_dump: false,
        annotations: Annotations::new(),
        always: false,
        made_from: None,
        cgi: false,
        instance_concurrency: None,
        config: Some(ConfigText {
            retry,
            max_event_age: bounds::DEFAULT_MAX_EVENT_AGE,
            on_success: destination(example.on_success),
            on_failure: destination(example.on_failure),
            success_terms: Terms::default(),
            failure_terms: Terms::default(),
            service_account: None,
        }),
    }
}
