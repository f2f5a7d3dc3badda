//! `/metrics`: what a Prometheus can read, and figures that add up.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::support::{Server, hostile, prebuilt, until};

/// The labels of a series, by name.
type Labels = BTreeMap<String, String>;

/// Families by name, as the text has them.
#[derive(Debug, Default)]
struct Scraped {
    kinds: BTreeMap<String, String>,
    /// The values as they are written: each is a number.
    samples: BTreeMap<(String, Labels), String>,
}

impl Scraped {
    /// Reads the text strictly: each family is described once and before its samples, which stand together; no series
    /// stands twice; values are numbers; names and labels are what they may be.
    #[track_caller]
    fn read(text: &str) -> Self {
        let mut scraped = Self::default();
        let (mut helped, mut family) = (BTreeSet::new(), String::new());
        assert!(text.ends_with('\n'), "the last line has no end");
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').unwrap();
                assert!(helped.insert(name.to_owned()) && !help.is_empty(), "{line}");
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap();
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                assert!(helped.contains(name), "no HELP before {line}");
                assert!(scraped.kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "{line}");
                name.clone_into(&mut family);
            } else {
                let (name, labels, value) = sample(line);
                let suffixes: &[&str] =
                    if scraped.kinds[&family] == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
                assert!(suffixes.iter().any(|suffix| name == format!("{family}{suffix}")), "{line} in {family}");
                assert!(scraped.samples.insert((name, labels), value).is_none(), "twice: {line}");
            }
        }
        scraped
    }

    /// The sum of a family's samples that have these labels.
    #[track_caller]
    fn sum(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let has = |of: &Labels| labels.iter().all(|(name, value)| of.get(*name).is_some_and(|it| it == value));
        self.samples
            .iter()
            .filter(|((of, labels), _)| of == name && has(labels))
            .map(|(_, value)| value.parse::<u64>().unwrap())
            .sum()
    }

    /// A sample without labels.
    fn only(&self, name: &str) -> f64 {
        self.samples[&(name.to_owned(), Labels::new())].parse().unwrap()
    }
}

/// Takes one line apart: `name{label="value",...} number`.
#[track_caller]
fn sample(line: &str) -> (String, Labels, String) {
    let is_name = |text: &str| {
        let first = text.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
        first && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let (name, rest) = line.split_at(line.find(['{', ' ']).unwrap());
    assert!(is_name(name), "{line}");
    let mut labels = Labels::new();
    let value = match rest.strip_prefix('{') {
        None => rest,
        Some(mut rest) => loop {
            let (label, behind) = rest.split_once("=\"").unwrap();
            let (value, behind) = behind.split_once('"').unwrap(); // no value of ours has one inside
            assert!(is_name(label) && labels.insert(label.to_owned(), value.to_owned()).is_none(), "{line}");
            match behind.strip_prefix(',') {
                Some(next) => rest = next,
                None => break behind.strip_prefix('}').unwrap(),
            }
        },
    };
    let value = value.strip_prefix(' ').unwrap();
    assert!(value.parse::<f64>().is_ok_and(|value| !value.is_nan()), "{line}");
    (name.to_owned(), labels, value.to_owned())
}

async fn scrape(server: &Server) -> Scraped {
    let answer = server.get("/metrics").await.is(200);
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    Scraped::read(&answer.text())
}

#[tokio::test]
async fn what_was_accepted_is_live_or_has_settled_in_every_figure() {
    let server = Server::durable().await;
    server.deploy("echo", prebuilt("echo")).await;
    server.deploy_with("flaky", prebuilt("flaky"), &json!({"async_config": {"max_retries": 0}})).await;
    for _ in 0..3 {
        let id = server.accept("echo", "x").await;
        server.settled(&id, "succeeded").await;
    }
    let failed = server.accept("flaky", r#"{"always": true}"#).await;
    server.settled(&failed, "failed").await;
    let cancelled = server.accept_with("echo", "yyy", &[("tidemill-delay", "1h")]).await;
    server.accept_with("echo", "zzzz", &[("tidemill-delay", "1h")]).await;
    server.post(&format!("/v1/invocations/{cancelled}/cancel"), "").await.is(200);

    let scraped = scrape(&server).await;
    let echo = [("namespace", "default"), ("function", "echo")];
    let settled =
        |outcome| scraped.sum("tidemill_invocations_settled_total", &[echo[0], echo[1], ("outcome", outcome)]);
    assert_eq!(scraped.sum("tidemill_invocations_accepted_total", &echo), 5);
    assert_eq!(["succeeded", "failed", "expired", "cancelled"].map(settled), [3, 0, 0, 1]);
    assert_eq!(scraped.sum("tidemill_invocations_live", &echo), 1);
    assert_eq!(scraped.sum("tidemill_invocations_live_bytes", &echo), 4);
    assert_eq!(scraped.sum("tidemill_invocations_kept", &echo), 4);
    for function in ["echo", "flaky"] {
        let of = [("function", function)];
        let [accepted, live, settled] = ["accepted_total", "live", "settled_total"]
            .map(|it| scraped.sum(&format!("tidemill_invocations_{it}"), &of));
        assert_eq!(accepted, live + settled, "{function}");
    }
    assert_eq!(scraped.sum("tidemill_counts_drift", &[]), 0);
    assert_eq!(scraped.sum("tidemill_store_room", &[("room", "plenty")]), 1);
    assert_eq!(scraped.sum("tidemill_build_info", &[("version", env!("CARGO_PKG_VERSION"))]), 1);
    assert!(scraped.only("process_start_time_seconds") > 1.6e9);
    assert!(scraped.only("process_resident_memory_bytes") > 1e6);
}

#[tokio::test]
async fn the_buckets_of_a_histogram_grow_up_to_its_count() {
    let server = Server::durable().await;
    server.deploy("echo", prebuilt("echo")).await;
    let id = server.accept("echo", "x").await;
    server.settled(&id, "succeeded").await;
    let scraped = scrape(&server).await;
    let histograms = scraped.kinds.iter().filter(|(_, kind)| *kind == "histogram").map(|(name, _)| name);
    for name in histograms {
        let bucket = format!("{name}_bucket");
        let of_it = scraped.samples.iter().filter(|((of, _), _)| *of == bucket);
        let mut buckets: Vec<(f64, u64)> =
            of_it.map(|((_, labels), count)| (labels["le"].parse().unwrap(), count.parse().unwrap())).collect();
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert!(buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{name}: {buckets:?}");
        let (bound, count) = buckets.last().unwrap();
        assert!(bound.is_infinite() && *count == scraped.sum(&format!("{name}_count"), &[]), "{name}: {buckets:?}");
        assert!(scraped.only(&format!("{name}_sum")) >= 0.0);
    }
    let [answered, commits] = ["tidemill_store_commit_duration_seconds_count", "tidemill_store_commits_total"]
        .map(|name| scraped.sum(name, &[]));
    assert_eq!(answered, commits);
}

#[tokio::test]
async fn functions_that_were_never_invoked_have_no_series_and_deleted_ones_share_theirs() {
    let server = Server::in_memory().await;
    for name in ["a", "b", "c"] {
        server.deploy(name, prebuilt("echo")).await;
    }
    for name in ["a", "b"] {
        let id = server.accept(name, "").await;
        server.settled(&id, "succeeded").await;
        server.delete(&format!("/v1/functions/{name}")).await.is(204);
    }
    let scraped = scrape(&server).await;
    let functions: BTreeSet<_> = scraped.samples.keys().filter_map(|(_, labels)| labels.get("function")).collect();
    assert_eq!(functions, BTreeSet::from([&String::new()]));
    assert_eq!(scraped.sum("tidemill_invocations_settled_total", &[("function", "")]), 2);
}

#[tokio::test]
async fn synchronous_invocations_and_how_long_attempts_ran_are_counted() {
    let server = Server::in_memory().await;
    server.deploy("echo", prebuilt("echo")).await;
    server.deploy("trap", hostile("trap")).await;
    for (name, status) in [("echo", 200), ("trap", 502), ("echo", 200)] {
        server.post(&format!("/v1/functions/{name}/invocations"), "x").await.is(status);
    }
    let id = server.accept("echo", "x").await;
    server.settled(&id, "succeeded").await;
    until("the figures", async || {
        let scraped = scrape(&server).await;
        let ended = |outcome| scraped.sum("tidemill_invocations_synchronous_total", &[("outcome", outcome)]);
        let attempts = scraped.sum("tidemill_attempts_ended_total", &[("function", "echo")]);
        ((ended("succeeded"), ended("failed"), attempts) == (2, 1, 3)).then_some(())
    })
    .await;
    let scraped = scrape(&server).await;
    for family in ["tidemill_attempts_run_seconds_total", "tidemill_attempts_cpu_seconds_total"] {
        let of = |((name, labels), _): &(&(String, Labels), _)| name == family && labels["function"] == "echo";
        let (_, seconds) = scraped.samples.iter().find(of).unwrap();
        assert!((0.0..10.0).contains(&seconds.parse::<f64>().unwrap()) && seconds != "0", "{seconds}");
    }
    assert!(scraped.only("tidemill_store_index_fails").abs() < f64::EPSILON);
}

#[tokio::test]
async fn attempts_and_retries_are_counted() {
    let server = Server::in_memory().await;
    let config = json!({"async_config": {"max_retries": 2, "retry_delay_ms": 1, "retry_delay_max_ms": 1}});
    server.deploy_with("flaky", prebuilt("flaky"), &config).await;
    let id = server.accept("flaky", r#"{"fail_attempts": 2}"#).await;
    server.settled(&id, "succeeded").await;
    let of = [("function", "flaky")];
    until("the figures", async || {
        let scraped = scrape(&server).await;
        let names = ["tidemill_attempts_total", "tidemill_attempts_retried_total", "tidemill_attempts_running"];
        (names.map(|name| scraped.sum(name, &of)) == [3, 2, 0]).then_some(())
    })
    .await;
}
