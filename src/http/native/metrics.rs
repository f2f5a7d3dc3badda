//! `/metrics`: figures for whoever watches from outside, as a Prometheus reads them. A series for each function that
//! was ever invoked, and no label with values that clients make up.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::overview::room;
use crate::dispatch::{DeliveryTarget, TargetFigures};
use crate::http::exposition::{self, Exposition, Kind, Label};
use crate::messaging::queues::Figures;
use crate::model::outcome::OutcomeKind;
use crate::runtime::{FunctionMetrics, Metrics, Runtime};
use crate::store::{Room, Vitals};

pub(super) async fn show(State(runtime): State<Runtime>) -> Response {
    let mut out = text(&runtime.metrics());
    match runtime.message_queues().all_figures().await {
        Ok(queues) => out.push_str(&message_queues(&queues)),
        Err(error) => tracing::warn!(%error, "the figures of message queues are missing in /metrics"),
    }
    ([(CONTENT_TYPE, exposition::CONTENT_TYPE)], out).into_response()
}

/// Figures of message queues: a series each for every queue.
fn message_queues(queues: &[Figures]) -> String {
    type Figure = fn(&Figures) -> f64;
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts are exact as floats up to a number that no disk has room for"
    )]
    let families: [(&'static str, &str, Figure); 5] = [
        ("tidemill_message_queue_visible", "Messages that can be received", |it| it.visible as f64),
        ("tidemill_message_queue_in_flight", "Messages that were received and are hidden", |it| it.in_flight as f64),
        ("tidemill_message_queue_delayed", "Messages that are not due yet", |it| it.delayed as f64),
        ("tidemill_message_queue_bytes", "Bytes of all messages of a queue", |it| it.bytes as f64),
        ("tidemill_message_queue_oldest_age_seconds", "How old the oldest message is", |it| {
            it.oldest.unwrap_or_default().as_secs_f64()
        }),
    ];
    let mut out = Exposition::default();
    for (name, help, figure) in families {
        let mut family = out.family(name, Kind::Gauge, help);
        for queue in queues {
            let labels = [("namespace", queue.path.namespace.as_str()), ("queue", queue.path.name.as_str())];
            family.sample(&labels, figure(queue));
        }
    }
    out.into_text()
}

fn text(metrics: &Metrics) -> String {
    let mut out = Exposition::default();
    functions(&mut out, metrics);
    outcomes(&mut out, metrics);
    work(&mut out, metrics);
    queue(&mut out, metrics);
    deliveries(&mut out, metrics);
    delivery_targets(&mut out, metrics);
    store(&mut out, &metrics.vitals);
    process(&mut out, metrics);
    out.into_text()
}

/// The labels of a function. Both are empty for all that were deleted, together.
fn labels(function: &FunctionMetrics) -> [Label<'_>; 2] {
    let path = function.path.as_ref();
    [
        ("namespace", path.map_or("", |path| path.namespace.as_str())),
        ("function", path.map_or("", |path| path.name.as_str())),
    ]
}

/// A family with a sample for each function.
fn each<T: std::fmt::Display>(
    out: &mut Exposition,
    metrics: &Metrics,
    (name, kind, help): (&'static str, Kind, &str),
    figure: impl Fn(&FunctionMetrics) -> T,
) {
    let mut family = out.family(name, kind, help);
    metrics.functions.iter().for_each(|function| family.sample(&labels(function), figure(function)));
}

/// A family with a sample for each function and outcome.
fn each_outcome(
    out: &mut Exposition,
    metrics: &Metrics,
    (name, kind, help): (&'static str, Kind, &str),
    figure: impl Fn(&FunctionMetrics, OutcomeKind) -> u64,
) {
    let mut family = out.family(name, kind, help);
    for function in &metrics.functions {
        let [namespace, name] = labels(function);
        for outcome in OutcomeKind::ALL {
            family.sample(&[namespace, name, ("outcome", outcome.as_str())], figure(function, outcome));
        }
    }
}

fn functions(out: &mut Exposition, metrics: &Metrics) {
    let accepted = "Asynchronous invocations ever accepted: those that are live and those that have settled";
    each(out, metrics, ("tidemill_invocations_accepted_total", Kind::Counter, accepted), |f| f.counts.accepted);
    let live = "Asynchronous invocations that have not settled";
    each(out, metrics, ("tidemill_invocations_live", Kind::Gauge, live), |f| f.counts.live);
    let live_bytes = "Bytes of the payloads of those that have not settled";
    each(out, metrics, ("tidemill_invocations_live_bytes", Kind::Gauge, live_bytes), |f| f.counts.live_bytes);
    let drift = "By how much the counts or the quota were off when they were counted again; 0 when all is well";
    each(out, metrics, ("tidemill_counts_drift", Kind::Gauge, drift), |f| f.figures.drift);
}

fn outcomes(out: &mut Exposition, metrics: &Metrics) {
    let settled = "Asynchronous invocations ever settled, by how they ended";
    each_outcome(out, metrics, ("tidemill_invocations_settled_total", Kind::Counter, settled), |f, outcome| {
        f.counts.settled[outcome as usize]
    });
    let kept = "Settled invocations that are kept, synchronous ones included";
    each_outcome(out, metrics, ("tidemill_invocations_kept", Kind::Gauge, kept), |f, outcome| {
        f.counts.kept(outcome).count
    });
    let bytes = "Bytes of the records, payloads, results and logs that are kept";
    each_outcome(out, metrics, ("tidemill_invocations_kept_bytes", Kind::Gauge, bytes), |f, outcome| {
        f.counts.kept(outcome).bytes
    });
}

fn work(out: &mut Exposition, metrics: &Metrics) {
    let running = "Attempts that run, synchronous ones included";
    each(out, metrics, ("tidemill_attempts_running", Kind::Gauge, running), |f| f.figures.running);
    let attempts = "Attempts started from the queue since the process started";
    each(out, metrics, ("tidemill_attempts_total", Kind::Counter, attempts), |f| f.figures.attempts);
    let retries = "Those of the attempts that were not an invocation's first";
    each(out, metrics, ("tidemill_attempts_retried_total", Kind::Counter, retries), |f| f.figures.retries);
    let throttled = "Attempts that were put off without being counted";
    each(out, metrics, ("tidemill_attempts_throttled_total", Kind::Counter, throttled), |f| f.figures.throttled);
    let synchronous = "Synchronous invocations that have ended since the process started, by how";
    each_outcome(out, metrics, ("tidemill_invocations_synchronous_total", Kind::Counter, synchronous), |f, outcome| {
        f.figures.synchronous[outcome as usize]
    });
    let ended = "Attempts that have ended since the process started, synchronous ones included";
    each(out, metrics, ("tidemill_attempts_ended_total", Kind::Counter, ended), |f| f.figures.ended);
    let ran = "How long those ran, in all, calls of the host included";
    each(out, metrics, ("tidemill_attempts_run_seconds_total", Kind::Counter, ran), |f| seconds(f.figures.ran_us));
    let cpu = "The processor time of those, in all";
    each(out, metrics, ("tidemill_attempts_cpu_seconds_total", Kind::Counter, cpu), |f| seconds(f.figures.cpu_us));
}

fn seconds(us: u64) -> f64 {
    std::time::Duration::from_micros(us).as_secs_f64()
}

fn queue(out: &mut Exposition, metrics: &Metrics) {
    let oldest = "How long the oldest invocation that is due has been waiting";
    each(out, metrics, ("tidemill_queue_oldest_due_age_seconds", Kind::Gauge, oldest), |f| {
        f.figures.oldest_due_age.unwrap_or_default().as_secs_f64()
    });
    let paused = "Whether nothing is taken from the queue";
    each(out, metrics, ("tidemill_queue_paused", Kind::Gauge, paused), |f| u8::from(f.paused));
    let expired = "Invocations that grew too old since the process started";
    each(out, metrics, ("tidemill_queue_expired_total", Kind::Counter, expired), |f| f.figures.expired);
    out.gauge("tidemill_queue_in_memory", "Invocations whose place in the queue is held in memory", metrics.in_memory);
    let damaged =
        "Invocations that have not settled and whose records are damaged: they are kept, and tried once an hour";
    out.gauge("tidemill_damaged_invocations", damaged, metrics.damaged);
    out.gauge("tidemill_concurrency_limit", "Attempts that may run at once", metrics.concurrency);
}

fn deliveries(out: &mut Exposition, metrics: &Metrics) {
    let figures = &metrics.deliveries;
    let pending = "Deliveries out of the runtime that are to be tried, as last counted";
    out.gauge("tidemill_deliveries_pending", pending, figures.pending);
    out.gauge("tidemill_deliveries_under_way", "Tries at deliveries that are under way", figures.under_way);
    let tries = "Tries at deliveries that have ended since the process started";
    out.counter("tidemill_delivery_tries_total", tries, figures.tries);
    let delivered = "Deliveries that were made since the process started";
    out.counter("tidemill_deliveries_made_total", delivered, figures.delivered);
    let given_up = "Deliveries that were given up since the process started, and are kept as dead";
    out.counter("tidemill_deliveries_given_up_total", given_up, figures.given_up);
}

/// A series for each target that something was brought to since the start, up to a bound; what is more is `other`.
fn delivery_targets(out: &mut Exposition, metrics: &Metrics) {
    type Figure = fn(&TargetFigures) -> u64;
    let families: [(&'static str, &str, Figure); 3] = [
        ("tidemill_delivery_target_tries_total", "Tries at deliveries to a target that have ended", |it| it.tries),
        ("tidemill_delivery_target_made_total", "Deliveries that were made to a target", |it| it.delivered),
        ("tidemill_delivery_target_given_up_total", "Deliveries to a target that were given up", |it| it.given_up),
    ];
    for (name, help, figure) in families {
        let mut family = out.family(name, Kind::Counter, help);
        for (target, figures) in &metrics.delivery_targets {
            let [namespace, kind, connection, place] = match target {
                DeliveryTarget::Callbacks => ["", "callback", "", ""],
                DeliveryTarget::Other => ["", "other", "", ""],
                DeliveryTarget::This { namespace, kind, connection, place } => {
                    [namespace.as_str(), *kind, connection.as_str(), place.as_str()]
                }
            };
            let labels = [("namespace", namespace), ("kind", kind), ("connection", connection), ("target", place)];
            family.sample(&labels, figure(figures));
        }
    }
}

fn store(out: &mut Exposition, vitals: &Vitals) {
    out.counter("tidemill_store_commits_total", "Commits that were answered with success", vitals.commits);
    let took = "From handing a commit over to its answer";
    let buckets = Vitals::COMMIT_BOUNDS_MS.iter().map(|ms| ms / 1_000.0).zip(vitals.commit_buckets);
    let rest = vitals.commit_buckets[Vitals::COMMIT_BOUNDS_MS.len()];
    let sum = vitals.commit_time.as_secs_f64();
    out.histogram("tidemill_store_commit_duration_seconds", took, buckets, rest, sum);
    let gathered = "Commits that went to the disk, together with others or alone: divided by the writes, how many";
    out.counter("tidemill_store_gathered_total", gathered, vitals.gathered);
    out.counter("tidemill_store_writes_total", "Writes of what was gathered", vitals.writes);
    out.counter("tidemill_store_syncs_total", "Syncs of what was written", vitals.syncs);
    out.gauge("tidemill_store_live_bytes", "Bytes on disk that something needs", vitals.live_bytes);
    out.gauge("tidemill_store_disk_bytes", "Bytes on disk in all", vitals.disk_bytes);
    let replay = "How long the last start took to take in what was written last";
    out.gauge("tidemill_store_replay_seconds", replay, vitals.replay_time.as_secs_f64());
    out.gauge(
        "tidemill_store_unapplied_changes",
        "Changes that stand in memory until they are applied",
        vitals.unapplied,
    );
    let help = "How much room there is for commits: 1 for what is true now";
    let mut family = out.family("tidemill_store_room", Kind::Gauge, help);
    for possible in [Room::Plenty, Room::ReserveOnly, Room::None] {
        family.sample(&[("room", room(possible))], u8::from(vitals.room == possible));
    }
    let fails =
        "Whether the index takes nothing at present: what is committed is safe, and stands in memory until it does";
    out.gauge("tidemill_store_index_fails", fails, u8::from(vitals.index_fails));
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds since 1970 are exact as floats for longer than anybody cares"
)]
fn process(out: &mut Exposition, metrics: &Metrics) {
    let mut build = out.family("tidemill_build_info", Kind::Gauge, "The version, as a label");
    build.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    let started = metrics.started.as_ms() as f64 / 1_000.0;
    out.gauge("process_start_time_seconds", "When the process started, since 1970", started);
    if let Some(bytes) = metrics.resident_bytes {
        out.gauge("process_resident_memory_bytes", "Memory that the process holds", bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::model::bounds;
    use crate::model::names::{FunctionPath, Namespace};
    use crate::model::time::Timestamp;

    fn metrics(functions: usize) -> Metrics {
        let path = |n: usize| FunctionPath { namespace: Namespace::default(), name: format!("f{n}").parse().unwrap() };
        let function = |n| FunctionMetrics { path: (n > 0).then(|| path(n)), ..FunctionMetrics::default() };
        Metrics {
            functions: (0..functions).map(function).collect(),
            vitals: Vitals { commits: 6, commit_buckets: [1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 3], ..Vitals::default() },
            in_memory: 0,
            damaged: 0,
            deliveries: crate::dispatch::DeliveryFigures::default(),
            delivery_targets: Vec::new(),
            concurrency: std::num::NonZeroU32::MIN,
            started: Timestamp::from_ms(1_500),
            resident_bytes: Some(1),
        }
    }

    fn series(text: &str) -> Vec<&str> {
        text.lines().filter(|line| !line.starts_with('#')).map(|line| line.rsplit_once(' ').unwrap().0).collect()
    }

    #[test]
    fn there_are_so_many_series_for_each_function_and_never_two_of_one_name() {
        let (none, one) = (text(&metrics(0)), text(&metrics(1)));
        let of_one = series(&one).len() - series(&none).len();
        assert_eq!(of_one, 30);
        let most = text(&metrics(bounds::MAX_FUNCTIONS + 1)); // and those that were deleted
        let all = series(&most);
        assert_eq!(all.len(), series(&none).len() + of_one * (bounds::MAX_FUNCTIONS + 1));
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
        assert!(most.len() < 64 * 1_024 * 1_024, "{} bytes", most.len());
    }

    #[test]
    fn figures_are_told_in_the_units_of_their_names() {
        let text = text(&metrics(1));
        for line in [
            "tidemill_invocations_settled_total{namespace=\"\",function=\"\",outcome=\"failed\"} 0",
            "tidemill_store_commit_duration_seconds_bucket{le=\"0.00025\"} 1",
            "tidemill_store_commit_duration_seconds_bucket{le=\"0.001\"} 3",
            "tidemill_store_commit_duration_seconds_bucket{le=\"1\"} 3",
            "tidemill_store_commit_duration_seconds_bucket{le=\"+Inf\"} 6",
            "tidemill_store_room{room=\"plenty\"} 1",
            "tidemill_store_room{room=\"none\"} 0",
            "process_start_time_seconds 1.5",
        ] {
            assert!(text.lines().any(|told| told == line), "{line} in\n{text}");
        }
    }
}
