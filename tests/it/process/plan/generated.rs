//! Files that nobody has thought of: whatever such a file says, once it is applied there is nothing left to do, also after
//! another one.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::Site;
use crate::process::support::Server;

/// Files that are applied one after the other to the same server.
const FILES: usize = 6;

fn maybe(key: &'static str, value: impl Strategy<Value = String> + 'static) -> BoxedStrategy<String> {
    prop::option::of(value)
        .prop_map(move |value| value.map(|value| format!("{key} = {value}\n")).unwrap_or_default())
        .boxed()
}

fn time(most_s: u64) -> impl Strategy<Value = String> {
    (1..=most_s).prop_map(|seconds| format!("\"{seconds}s\""))
}

/// A queue, which may give up to the one before it.
fn queue(number: usize) -> impl Strategy<Value = String> {
    let redrive =
        (1u32..10).prop_map(move |most| format!("{{ to = \"q{}\", max_receives = {most} }}", number.max(1) - 1));
    let redrive = if number == 0 { Just(String::new()).boxed() } else { maybe("redrive", redrive) };
    let parts = (maybe("visibility", time(900)), maybe("delay", time(900)), maybe("wait", time(20)), redrive);
    parts.prop_map(move |(a, b, c, d)| format!("[queues.q{number}]\n{a}{b}{c}{d}\n"))
}

/// Where the outcomes of a function go: to a queue, or to a function with a lower number.
fn destination(number: usize) -> impl Strategy<Value = String> {
    let plain = (0usize..6).prop_map(move |at| match at {
        0..3 => format!("\"queue:q{at}\""),
        _ if number == 0 => "\"stream:s0\"".to_owned(),
        _ => format!("\"function:f{}\"", at % number),
    });
    let formed = ["payload", "cloudevent", "record"].prop_map_each();
    prop_oneof![
        plain.boxed(),
        formed.prop_map(|format| format!("{{ to = \"queue:q1\", format = \"{format}\" }}")).boxed()
    ]
}

trait Each {
    fn prop_map_each(self) -> BoxedStrategy<&'static str>;
}

impl<const N: usize> Each for [&'static str; N] {
    fn prop_map_each(self) -> BoxedStrategy<&'static str> {
        prop::sample::select(self.to_vec()).boxed()
    }
}

fn function(number: usize) -> impl Strategy<Value = String> {
    let settings = (
        ["echo", "upper", "describe"].prop_map_each(),
        maybe("memory", (16u32..128).prop_map(|size| format!("\"{size}MiB\""))),
        maybe("timeout", (1u32..100_000).prop_map(|ms| format!("\"{ms}ms\""))),
        maybe("concurrency", (1u32..9).prop_map(|number| number.to_string())),
        maybe(
            "environment",
            "[a-zA-Z0-9 \\\\\"ä=-]{0,8}".prop_map(|text| format!("{{ A = {} }}", toml::Value::from(text))),
        ),
        maybe("grants", Just("{ http = [\"https://a.example\"], config = { \"a.b\" = \"c\" } }".to_owned())),
    );
    let asynchronous = (
        maybe("async.max_retries", (0u32..100).prop_map(|number| number.to_string())),
        maybe("async.max_event_age", time(86_400)),
        maybe("async.on_success", destination(number)),
        maybe("async.on_failure", destination(number)),
    );
    let queue = (
        maybe("queue.max_queued", (1u32..1_000).prop_map(|number| number.to_string())),
        maybe("queue.retention", (0u32..1_000).prop_map(|s| format!("{{ failed = {{ age = \"{s}s\" }} }}"))),
        maybe("aliases", Just("{ live = \"latest\", first = 1 }".to_owned())),
    );
    (settings, asynchronous, queue).prop_map(move |((module, a, b, c, d, e), (f, g, h, i), (j, k, l))| {
        format!("[functions.f{number}]\nmodule = \"{module}.wasm\"\n{a}{b}{c}{d}{e}{f}{g}{h}{i}{j}{k}{l}\n")
    })
}

fn rest() -> impl Strategy<Value = String> {
    let stream = (maybe("retention", time(86_400)), maybe("max_bytes", Just("\"16MiB\"".to_owned())));
    let timer = (
        maybe("payload", "[a-z\\n\"ä]{0,9}".prop_map(|text| toml::Value::from(text).to_string())),
        maybe("catch_up", ["all", "latest", "none"].prop_map_each().prop_map(|word| format!("\"{word}\""))),
        maybe("enabled", any::<bool>().prop_map(|it| it.to_string())),
    );
    let subscription = maybe(
        "subscriptions",
        (0u32..3, 60u32..9_000).prop_map(|(queue, s)| {
            format!("[{{ to = \"queue:q{queue}\", give_up_after = \"{s}s\", filter = {{ outcomes = [\"failed\"] }} }}]")
        }),
    );
    (stream, timer, subscription).prop_map(|((a, b), (c, d, e), f)| {
        let timer = format!("[triggers.t]\nkind = \"timer\"\nfunction = \"f2\"\ncron = \"0 3 1 1 *\"\n{c}{d}{e}\n");
        format!("[streams.s0]\n{a}{b}\n{timer}[topics.t]\n{f}\n")
    })
}

fn file() -> impl Strategy<Value = String> {
    let queues = (queue(0), queue(1), queue(2)).prop_map(|(a, b, c)| a + &b + &c);
    let functions = (function(0), function(1), function(2), function(3)).prop_map(|(a, b, c, d)| a + &b + &c + &d);
    (queues, functions, rest()).prop_map(|(a, b, c)| a + &b + &c)
}

#[tokio::test]
async fn whatever_a_file_says_once_it_is_applied_there_is_nothing_left_to_do() {
    let (server, site) = (Server::in_memory().await, Site::new(""));
    // The same files each time; another seed is another test.
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]));
    for _ in 0..FILES {
        site.describe(&file().new_tree(&mut runner).unwrap().current());
        let applied = site.run(&server, "apply --prune").await;
        assert_eq!(
            applied.code,
            Some(0),
            "{}{}{}",
            std::fs::read_to_string(site.path("tidemill.toml")).unwrap(),
            applied.text(),
            applied.err
        );
        let planned = site.run(&server, "plan --prune").await;
        assert_eq!(planned.text(), "nothing to do\n", "{}", planned.err);
    }
}
