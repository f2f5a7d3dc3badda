//! How many requests a second each kind of function answers, and how long one takes: over many connections and over one,
//! a bare server and each function in turn, round by round, so that what else the machine does meets all of them.

use std::net::SocketAddr;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use futures::future::try_join_all;
use rustix::process::Pid;
use serde_json::{Value, json};
use tokio::runtime::Builder;

use super::asker::{Asker, Question};
use super::cases::{self, Case, Skipped};
use crate::cli::address::Server;
use crate::cli::bench::child::Child;
use crate::cli::bench::load::{Measured, Stop, Work, measured_beside, median};
use crate::cli::bench::queue::cases::{rounded, temporary};
use crate::cli::bench::{bare, memory, usage};
use crate::cli::error::Error;
use crate::cli::{output, units};

/// How it is measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct How {
    pub(super) connections: u32,
    pub(super) rounds: u32,
    /// How long is counted of each case in each round; half of that over one connection.
    pub(super) window: Duration,
}

/// Another server, which has to answer a request with its body: what `hello-http` does.
#[derive(Clone, Debug)]
pub(super) struct Against {
    name: String,
    socket: SocketAddr,
    path: String,
    process: Option<Pid>,
}

/// What is measured.
struct Target {
    name: String,
    question: Question,
    process: Option<Pid>,
    many: Vec<Measured>,
    one: Vec<Measured>,
    max_rss_bytes: Option<u64>,
}

impl FromStr for Against {
    type Err = String;

    /// Reads `NAME=http://HOST:PORT/PATH`, perhaps with `,PID` behind it.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not of the form NAME=http://ADDRESS:PORT/PATH or NAME=URL,PID");
        let (name, rest) = text.split_once('=').ok_or_else(wrong)?;
        let (url, process) = match rest.rsplit_once(',') {
            Some((url, pid)) => (url, Some(pid.parse().ok().and_then(Pid::from_raw).ok_or_else(wrong)?)),
            None => (rest, None),
        };
        let behind = url.strip_prefix("http://").ok_or_else(wrong)?;
        let (authority, path) = behind.split_at(behind.find('/').unwrap_or(behind.len()));
        let server: Server = format!("http://{authority}").parse().map_err(|_| wrong())?;
        let socket = server.socket().ok_or_else(wrong)?;
        let path = if path.is_empty() { "/" } else { path };
        Ok(Self { name: name.to_owned(), socket, path: path.to_owned(), process })
    }
}

/// Measures `cases` on a server of its own, and what is compared with them.
pub(super) async fn run(folder: &Path, cases: &[Case], against: &[Against], how: How) -> Result<Value, Error> {
    let data = temporary(folder)?;
    let (mut server, client) = Child::start(data.path(), &cases::serving()).await?;
    let (bare, address) = Child::start_bare().await?;
    let (taken, skipped) = cases::deploy(&client, cases).await?;
    let mut targets = vec![Target::new("bare".to_owned(), constant(address, "/"), bare.pid())];
    for case in &taken {
        let question = case.question(client.socket()?, case.as_str());
        targets.push(Target::new(case.as_str().to_owned(), question, server.pid()));
    }
    for Against { name, socket, path, process } in against {
        targets.push(Target::new(name.clone(), constant(*socket, path), *process));
    }
    for target in &targets {
        target.check().await?;
    }
    for round in 1..=how.rounds {
        output::note(&format!("round {round} of {}, {} connections", how.rounds, how.connections));
        for target in &mut targets {
            target.measure_many(how).await?;
        }
    }
    for round in 1..=how.rounds {
        output::note(&format!("round {round} of {}, 1 connection", how.rounds));
        for target in &mut targets {
            target.measure_one(how).await?;
        }
    }
    server.kill()?; // records that nobody wants need not be put away
    server.ended().await?;
    Ok(report(&targets, &skipped, how))
}

/// What answers with what it is sent, or with the same in any case.
fn constant(server: SocketAddr, path: &str) -> Question {
    let body = Bytes::from_static(bare::ANSWER);
    Question { server, path: path.to_owned(), content_type: "text/plain", body: body.clone(), answer: body }
}

impl Target {
    const fn new(name: String, question: Question, process: Option<Pid>) -> Self {
        Self { name, question, process, many: Vec::new(), one: Vec::new(), max_rss_bytes: None }
    }

    /// Asks once: what is loaded at first use is loaded then.
    async fn check(&self) -> Result<(), Error> {
        Asker::connect(&self.question).await?.check().await.map_err(|error| self.named(error))
    }

    async fn measure_many(&mut self, how: How) -> Result<(), Error> {
        memory::forget_peak(self.process).await;
        let measured = measured(&self.question, how.connections, how.window, self.process).await;
        self.many.push(measured.map_err(|error| self.named(error))?);
        self.max_rss_bytes = self.max_rss_bytes.max(memory::peak(self.process).await);
        Ok(())
    }

    async fn measure_one(&mut self, how: How) -> Result<(), Error> {
        let measured = measured(&self.question, 1, how.window / 2, self.process).await;
        self.one.push(measured.map_err(|error| self.named(error))?);
        Ok(())
    }

    fn named(&self, error: Error) -> Error {
        let name = &self.name;
        match error {
            Error::Broken(what) => Error::Broken(format!("{name}: {what}")),
            Error::Bench(what) => Error::Bench(format!("{name}: {what}")),
            error => error,
        }
    }
}

/// Asks over so many connections for so long. All of them are on one thread of their own, as those of `wrk -t1` are: more
/// would take the server's cores from it.
pub(super) async fn measured(
    question: &Question,
    connections: u32,
    window: Duration,
    process: Option<Pid>,
) -> Result<Measured, Error> {
    let question = question.clone();
    let clients = move || {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(Error::System)?;
        runtime.block_on(async {
            let askers = try_join_all((0..connections).map(|_| Asker::connect(&question))).await?;
            let server_cpu = || usage::cpu_of(process);
            measured_beside(askers, Work::Enqueue, window, &Stop::default(), server_cpu).await
        })
    };
    let measured = tokio::task::spawn_blocking(clients).await;
    measured.unwrap_or_else(|_| Err(Error::Bench("the clients panicked".to_owned())))
}

/// The middle one of what `of` gives for each round of `target` and the same round of the bare server.
fn compared(target: &[Measured], bare: &[Measured], of: impl Fn(&Measured, &Measured) -> f64) -> f64 {
    median(target.iter().zip(bare).map(|(target, bare)| of(target, bare)).collect(), f64::total_cmp).unwrap_or_default()
}

fn us(measured: &Measured, per_mille: u64) -> f64 {
    u32::try_from(measured.latency.per_mille_us(per_mille)).map_or(f64::MAX, f64::from)
}

fn rate_ratio(target: &Measured, bare: &Measured) -> f64 {
    rounded(target.per_second() / bare.per_second().max(1e-6), 1_000)
}

fn report(targets: &[Target], skipped: &[Skipped], how: How) -> Value {
    let Some((bare, cases)) = targets.split_first() else { return Value::Null };
    let skipped = skipped.iter().map(|Skipped { case, why }| json!({ "case": case.as_str(), "skipped": why }));
    let cases = cases.iter().map(|target| row(target, bare)).chain(skipped);
    json!({
        "connections": how.connections,
        "rounds": how.rounds,
        "window_s": how.window.as_secs_f64(),
        "bare": figures(bare),
        "cases": cases.collect::<Vec<_>>(),
    })
}

fn row(target: &Target, bare: &Target) -> Value {
    let ratios = target.many.iter().zip(&bare.many).map(|(target, bare)| rate_ratio(target, bare));
    let p99 = |target: &Measured, bare: &Measured| rounded(us(target, 990) / us(bare, 990).max(1.0), 100);
    let added = |target: &Measured, bare: &Measured| us(target, 500) - us(bare, 500);
    let mut row = json!({
        "case": target.name,
        "ratio": compared(&target.many, &bare.many, rate_ratio),
        "p99_ratio": compared(&target.many, &bare.many, p99),
        "added_p50_us": compared(&target.one, &bare.one, added),
        "rounds_ratio": ratios.collect::<Vec<_>>(),
    });
    if let (Value::Object(row), Value::Object(figures)) = (&mut row, figures(target)) {
        row.extend(figures);
    }
    row
}

fn figures(target: &Target) -> Value {
    let middle = |of: fn(&Measured) -> f64| median(target.many.iter().map(of).collect(), f64::total_cmp);
    let middle = |of| middle(of).unwrap_or_default();
    let one = |per_mille| compared(&target.one, &target.one, |round, _| us(round, per_mille));
    json!({
        "per_second": middle(Measured::per_second).round(),
        "p50_us": middle(|round| us(round, 500)),
        "p99_us": middle(|round| us(round, 990)),
        "server_cpu_us_per_request": rounded(middle(Measured::peer_cpu_us_per_op), 10),
        "client_cpu_us_per_request": rounded(middle(Measured::cpu_us_per_op), 10),
        "max_rss_bytes": target.max_rss_bytes,
        "one_p50_us": one(500),
        "one_p99_us": one(990),
    })
}

/// The same for people.
pub(super) fn text(report: &Value) -> String {
    let header = ["CASE", "RATE", "RATIO", "P50", "P99", "RATIO", "ADDED, 1 CONNECTION", "SERVER'S CPU", "MEMORY"];
    let rows = std::iter::once(("bare", &report["bare"])).chain(
        report["cases"].as_array().into_iter().flatten().map(|row| (row["case"].as_str().unwrap_or_default(), row)),
    );
    let ran = rows.clone().filter(|(_, row)| row["skipped"].is_null()).map(|(name, row)| {
        let number = |field: &str| row[field].as_f64();
        let us = |field: &str| output::or_dash(number(field).map(|us| format!("{us:.0} us")));
        let ratio = |field: &str| output::or_dash(number(field).map(|ratio| format!("{ratio:.3}")));
        [
            name.to_owned(),
            format!("{:.0}/s", number("per_second").unwrap_or_default()),
            ratio("ratio"),
            us("p50_us"),
            us("p99_us"),
            ratio("p99_ratio"),
            us("added_p50_us"),
            output::or_dash(number("server_cpu_us_per_request").map(|us| format!("{us:.1} us"))),
            output::or_dash(row["max_rss_bytes"].as_u64().map(units::show_size)),
        ]
    });
    let table = output::table(header, ran);
    let skipped = rows.filter_map(|(name, row)| {
        let why = row["skipped"].as_str()?;
        Some(format!("{name}: skipped: {}", output::plain(why)))
    });
    std::iter::once(table).chain(skipped).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_server_is_named_with_where_to_ask_and_perhaps_its_process() {
        let against: Against = "wasmtime=http://127.0.0.1:81/a/b,7".parse().unwrap();
        assert_eq!((against.name.as_str(), against.path.as_str()), ("wasmtime", "/a/b"));
        assert_eq!((against.socket.port(), against.process), (81, Pid::from_raw(7)));
        let against: Against = "spin=http://[::1]:82".parse().unwrap();
        assert_eq!((against.path.as_str(), against.process), ("/", None));
        for wrong in ["http://127.0.0.1:81/", "a=https://127.0.0.1/", "a=http://host:81/", "a=http://127.0.0.1:81/,x"] {
            assert!(wrong.parse::<Against>().unwrap_err().contains("NAME=http://"), "{wrong}");
        }
    }
}
