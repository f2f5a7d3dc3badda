//! Functions that are deployed and not in memory: how long a server with many of them takes to start, what it holds while
//! nobody asks, and how long the first request to one of them takes, beside those that follow.
//!
//! Each function is deployed with other bytes, so that none is compiled, kept or loaded with another. The server is
//! started anew before it is asked; what it reads is then still in the system's cache of files.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures::future::try_join_all;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::asker::Asker;
use super::cases::{self, Case, Skipped};
use crate::cli::bench::child::Child;
use crate::cli::bench::deployed::Deployed;
use crate::cli::bench::latency::{Latency, Samples};
use crate::cli::bench::queue::cases::{rounded, temporary};
use crate::cli::bench::random::Random;
use crate::cli::bench::{memory, usage};
use crate::cli::client::Client;
use crate::cli::error::Error;
use crate::cli::{output, units};

/// Functions of one kind, of which copies are deployed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    case: Case,
    deployed: Deployed,
}

/// How many, and what is asked of them.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) kinds: Vec<Kind>,
    pub(super) functions: u32,
    /// How often the server is started to see how long that takes.
    pub(super) starts: u32,
    /// How many of the functions get requests.
    pub(super) sampled: u32,
}

/// One that is deployed.
#[derive(Clone, Debug)]
struct Function {
    kind: Kind,
    name: String,
}

/// What a kind's functions were seen to take.
struct Seen {
    case: Case,
    first: Latency,
    warm: Latency,
}

/// Deployments at once.
const DEPLOYING: usize = 8;
/// How long a server that has started is left alone before its memory counts as that of an idle one.
const IDLE: Duration = Duration::from_secs(1);
/// Requests to each function after its first.
const WARM: u32 = 5;
const SEED: u64 = 48;

impl Kind {
    /// What the case deploys elsewhere.
    pub(super) const fn of(case: Case) -> Self {
        Self { case, deployed: case.deployed() }
    }
}

impl Function {
    fn new(kind: Kind, number: u32) -> Self {
        Self { kind, name: format!("{}-{number}", kind.deployed.name) }
    }

    async fn deploy(&self, client: &Client, number: u32) -> Result<(), Error> {
        let deployed = &self.kind.deployed;
        deployed.deploy_as(client, &self.name, copy(deployed.module, number)).await
    }

    async fn asker(&self, client: &Client) -> Result<Asker, Error> {
        Asker::connect(&self.kind.case.question(client.socket()?, &self.name)).await
    }
}

/// Deploys, starts again, asks.
pub(super) async fn run(folder: &Path, plan: Plan) -> Result<Value, Error> {
    let data = temporary(folder)?;
    let (mut child, client) = Child::start(data.path(), &cases::serving()).await?;
    output::note(&format!("deploying {} functions", plan.functions));
    let began = Instant::now();
    let (functions, skipped) = deploy(&client, &plan).await?;
    let deployed_s = began.elapsed().as_secs_f64();
    let deployed_rss_bytes = memory::resident(child.pid()).await;
    stop(&mut child).await?;

    let Some((first, rest)) = functions.split_first() else {
        return Err(Error::Bench("the server takes none of these functions".to_owned()));
    };
    output::note(&format!("starting the server {} times", plan.starts));
    let (listening, answered) = starts(data.path(), first, plan.starts).await?;

    output::note("first requests");
    let (mut child, client) = Child::start(data.path(), &cases::serving()).await?;
    tokio::time::sleep(IDLE).await;
    let idle_rss_bytes = memory::resident(child.pid()).await;
    first.asker(&client).await?.check().await?; // what is loaded with the first of all is not what one function takes
    let seen = first_requests(&client, sample(rest, plan.sampled), &plan.kinds).await?;
    let asked_rss_bytes = memory::resident(child.pid()).await;
    let disk_bytes = usage::disk_bytes(data.path());
    stop(&mut child).await?;
    Ok(json!({
        "functions": functions.len(),
        "deploy_s": rounded(deployed_s, 100),
        "deployed_rss_bytes": deployed_rss_bytes,
        "disk_bytes": disk_bytes,
        "starts": plan.starts,
        "listening_p50_ms": ms(listening.p50),
        "listening_max_ms": ms(listening.max),
        "first_answer_p50_ms": ms(answered.p50),
        "first_answer_max_ms": ms(answered.max),
        "idle_rss_bytes": idle_rss_bytes,
        "asked_rss_bytes": asked_rss_bytes,
        "first_requests": seen.iter().map(Seen::json).collect::<Vec<_>>(),
        "skipped": skipped.iter().map(|s| json!({ "case": s.case.as_str(), "skipped": s.why })).collect::<Vec<_>>(),
    }))
}

/// The kinds in turn. The first of each shows whether the server takes it.
async fn deploy(client: &Client, plan: &Plan) -> Result<(Vec<Function>, Vec<Skipped>), Error> {
    let (mut functions, mut skipped) = (Vec::new(), Vec::new());
    let mut numbers = 0..;
    for (kind, number) in plan.kinds.iter().copied().zip(numbers.by_ref()) {
        let function = Function::new(kind, number);
        match function.deploy(client, number).await {
            Ok(()) => functions.push(function),
            Err(Error::Refused(problem)) => {
                skipped.push(Skipped { case: kind.case, why: problem.message().to_owned() });
            }
            Err(error) => return Err(error),
        }
    }
    let kinds: Vec<_> = functions.iter().map(|function| function.kind).collect();
    let missing = usize::try_from(plan.functions).unwrap_or(usize::MAX).saturating_sub(functions.len());
    let more = kinds.into_iter().cycle().zip(numbers).take(missing);
    let more: Vec<_> = more.map(|(kind, number)| (Function::new(kind, number), number)).collect();
    for together in more.chunks(DEPLOYING) {
        try_join_all(together.iter().map(|(function, number)| function.deploy(client, *number))).await?;
    }
    functions.extend(more.into_iter().map(|(function, _)| function));
    Ok((functions, skipped))
}

/// The same module with another digest: a section at its end, which means nothing, says which copy it is.
pub(super) fn copy(module: &[u8], number: u32) -> Bytes {
    let name = b"copy";
    let number = number.to_le_bytes();
    let lengths = [1 + name.len() + number.len(), name.len()].map(|length| u8::try_from(length).unwrap_or(u8::MAX));
    [module, &[0], &lengths, name, &number].concat().into()
}

/// How long it takes from the start of the process until it listens, and until it has answered for `function`.
async fn starts(data: &Path, function: &Function, times: u32) -> Result<(Latency, Latency), Error> {
    let (mut listening, mut answered) = (Samples::default(), Samples::default());
    for _ in 0..times {
        let began = Instant::now();
        let (mut child, client) = Child::start(data, &cases::serving()).await?;
        listening.add(began.elapsed());
        function.asker(&client).await?.check().await?;
        answered.add(began.elapsed());
        stop(&mut child).await?;
    }
    Ok((listening.latency(), answered.latency()))
}

async fn stop(child: &mut Child) -> Result<(), Error> {
    child.terminate()?;
    child.ended().await.map(drop)
}

/// So many of them, drawn; all of them where there are no more.
fn sample(functions: &[Function], count: u32) -> Vec<&Function> {
    let mut random = Random::new(SEED);
    let mut drawn: Vec<_> = functions.iter().map(|function| (random.number(), function)).collect();
    drawn.sort_by_key(|(number, _)| *number);
    drawn.into_iter().map(|(_, function)| function).take(usize::try_from(count).unwrap_or(usize::MAX)).collect()
}

/// Asks each function for the first time, over a connection that is there already, and then a few times more.
async fn first_requests(client: &Client, functions: Vec<&Function>, kinds: &[Kind]) -> Result<Vec<Seen>, Error> {
    let mut samples: Vec<_> = kinds.iter().map(|kind| (kind.case, Samples::default(), Samples::default())).collect();
    for function in functions {
        let Some((_, first, warm)) = samples.iter_mut().find(|(case, ..)| *case == function.kind.case) else {
            continue;
        };
        let mut asker = function.asker(client).await?;
        first.add(timed(&mut asker).await?);
        for _ in 0..WARM {
            warm.add(timed(&mut asker).await?);
        }
    }
    let seen =
        samples.into_iter().map(|(case, first, warm)| Seen { case, first: first.latency(), warm: warm.latency() });
    Ok(seen.filter(|seen| seen.first.count > 0).collect())
}

async fn timed(asker: &mut Asker) -> Result<Duration, Error> {
    let began = Instant::now();
    asker.check().await?;
    Ok(began.elapsed())
}

impl Seen {
    fn json(&self) -> Value {
        let us = |took: Duration| u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        json!({
            "case": self.case.as_str(),
            "functions": self.first.count,
            "first_p50_us": us(self.first.p50),
            "first_p99_us": us(self.first.p99),
            "first_max_us": us(self.first.max),
            "warm_p50_us": us(self.warm.p50),
        })
    }
}

fn ms(took: Duration) -> f64 {
    rounded(took.as_secs_f64() * 1_000.0, 10)
}

/// The same for people.
pub(super) fn text(report: &Value) -> String {
    let size = |field: &str| output::or_dash(report[field].as_u64().map(units::show_size));
    let times = |p50: &str, max: &str| format!("{} ms, at most {} ms", report[p50], report[max]);
    let pairs = output::pairs([
        (
            "functions",
            format!("{}, deployed in {} s, {} on disk", report["functions"], report["deploy_s"], size("disk_bytes")),
        ),
        ("from start to listening", times("listening_p50_ms", "listening_max_ms")),
        ("from start to first answer", times("first_answer_p50_ms", "first_answer_max_ms")),
        ("memory, all deployed", size("deployed_rss_bytes")),
        ("memory, started and idle", size("idle_rss_bytes")),
        ("memory, then asked", size("asked_rss_bytes")),
    ]);
    let rows = report["first_requests"].as_array().into_iter().flatten().map(|row| {
        let us = |field: &str| format!("{} us", row[field]);
        let name = row["case"].as_str().unwrap_or_default().to_owned();
        [
            name,
            row["functions"].to_string(),
            us("first_p50_us"),
            us("first_p99_us"),
            us("first_max_us"),
            us("warm_p50_us"),
        ]
    });
    let table = output::table(["NOT IN MEMORY", "FUNCTIONS", "FIRST P50", "P99", "MAX", "NEXT P50"], rows);
    format!("{pairs}\n\n{table}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::bench::guests;

    #[test]
    fn copies_are_sound_modules_and_differ_in_a_section_that_means_nothing() {
        let [one, other] = [1, 70_000].map(|number| copy(guests::SMALL_ECHO, number));
        assert_ne!(one, other);
        for copy in [one, other] {
            let mut names = Vec::new();
            for payload in wasmparser::Parser::new(0).parse_all(&copy) {
                if let wasmparser::Payload::CustomSection(section) = payload.unwrap() {
                    names.push(section.name().to_owned());
                }
            }
            assert_eq!(names.last().map(String::as_str), Some("copy"));
        }
    }

    #[test]
    fn functions_are_drawn_once_each_and_the_same_in_each_run() {
        let functions: Vec<_> = (0..50).map(|number| Function::new(Kind::of(Case::Handler), number)).collect();
        let names = |count| sample(&functions, count).into_iter().map(|f| f.name.clone()).collect::<Vec<_>>();
        let drawn = names(20);
        assert_eq!((drawn.len(), names(20) == drawn, names(100).len()), (20, true, 50));
        let distinct: std::collections::BTreeSet<_> = drawn.iter().collect();
        assert_eq!(distinct.len(), 20);
    }
}
