//! The load: functions that succeed, fail, are tried again, lead to others, or take the server down; and clients
//! that invoke them and remember every invocation that they were promised.

use std::cell::RefCell;
use std::time::Duration;

use futures::future::join_all;
use reqwest::Method;

use super::keys::{self, Keys};
use crate::cli::api::Accepted;
use crate::cli::bench::deployed::Deployed;
use crate::cli::bench::guests;
use crate::cli::bench::instant::Instant;
use crate::cli::bench::random::Random;
use crate::cli::client::Client;
use crate::cli::error::Error;
use crate::cli::request::Request;
use crate::model::names::InvocationId;
use crate::model::place::Priority;

/// Clients that invoke at once.
const CLIENTS: usize = 4;
/// Invocations that one client sends in one round.
const MAX_SENT: usize = 75;
/// The step of a client by which it sends poison: most rounds get that far.
const LAST_POISON: u64 = 6;
/// Above this a payload is a file of its own in the server's data.
const LARGE_PAYLOAD_BYTES: usize = 8 * 1_024;
/// Attempts after the first of what only a crash makes fail.
const RETRIES: u32 = 4;
/// Attempts after the first of what always fails.
const FEW_RETRIES: u32 = 2;
/// Time of one attempt of what never ends.
const SLOW_TIMEOUT: Duration = Duration::from_millis(100);

/// Time of one attempt of what runs one by one, and the age at which those behind it are too old.
const BUSY_TIMEOUT: Duration = Duration::from_millis(150);
const BUSY_AGE: Duration = Duration::from_secs(1);
/// How urgent some of what is sent is, where the server knows it; elsewhere it is passed over.
const PRIORITY_HEADER: &str = "tidemill-priority";

/// The functions, each behind those that it leads to.
pub(in crate::cli::bench) const FUNCTIONS: [Deployed; 8] = [
    Deployed { max_retries: RETRIES, ..Deployed::new("c", guests::ECHO) },
    Deployed { max_retries: RETRIES, on_success: Some("c"), ..Deployed::new("b", guests::ECHO) },
    Deployed { max_retries: RETRIES, on_success: Some("b"), ..Deployed::new("a", guests::ECHO) },
    Deployed { max_retries: RETRIES, on_success: Some("c"), ..Deployed::new("flaky", guests::FLAKY) },
    Deployed { max_retries: FEW_RETRIES, on_failure: Some("c"), ..Deployed::new("doomed", guests::FLAKY) },
    Deployed {
        max_retries: FEW_RETRIES,
        on_failure: Some("c"),
        timeout: SLOW_TIMEOUT,
        ..Deployed::new("slow", guests::SPIN)
    },
    Deployed {
        max_retries: 0,
        on_failure: Some("c"),
        timeout: BUSY_TIMEOUT,
        concurrency: Some(1),
        max_event_age: BUSY_AGE,
        ..Deployed::new("busy", guests::SPIN)
    },
    Deployed { max_retries: FEW_RETRIES, ..Deployed::new("poison", guests::ABORT) },
];

/// The function of that name.
pub(in crate::cli::bench) fn function(name: &str) -> Option<&'static Deployed> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// What one client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli::bench) enum Sent {
    Chain,
    /// One that waits behind others of its kind, and may grow too old.
    Busy,
    UrgentChain(Priority),
    LargeChain,
    DelayedChain(Duration),
    CancelledChain(Duration),
    Flaky(u64),
    Doomed,
    Slow,
    Poison,
}

impl Sent {
    fn draw(random: &mut Random) -> Self {
        let delay = |random: &mut Random| Duration::from_millis(random.within(&(50..=2_000)));
        match random.within(&(0..=99)) {
            0..36 => Self::Chain,
            36..44 => Self::UrgentChain(if random.one_in(2) { Priority::High } else { Priority::Low }),
            44..50 => Self::Busy,
            50..55 => Self::LargeChain,
            55..65 => Self::DelayedChain(delay(random)),
            65..72 => Self::CancelledChain(delay(random)),
            72..90 => Self::Flaky(random.within(&(1..=2))),
            90..97 => Self::Doomed,
            _ => Self::Slow,
        }
    }

    const fn function(self) -> &'static str {
        match self {
            Self::Chain | Self::UrgentChain(_) | Self::LargeChain | Self::DelayedChain(_) | Self::CancelledChain(_) => {
                "a"
            }
            Self::Busy => "busy",
            Self::Flaky(_) => "flaky",
            Self::Doomed => "doomed",
            Self::Slow => "slow",
            Self::Poison => "poison",
        }
    }

    fn payload(self) -> String {
        match self {
            Self::LargeChain => "x".repeat(LARGE_PAYLOAD_BYTES),
            Self::Flaky(failures) => format!("{{\"fail_attempts\":{failures}}}"),
            Self::Doomed => "{\"always\":true}".to_owned(),
            Self::Chain
            | Self::UrgentChain(_)
            | Self::DelayedChain(_)
            | Self::CancelledChain(_)
            | Self::Busy
            | Self::Slow
            | Self::Poison => "tide".to_owned(),
        }
    }

    pub(in crate::cli::bench) fn request(self, client: &Client) -> Request {
        let request = client.in_namespace(Method::POST, &["functions", self.function(), "invocations"]);
        let request = request.query(&[("mode", "async")]).body(self.payload());
        match self {
            Self::DelayedChain(delay) | Self::CancelledChain(delay) => {
                request.header("tidemill-delay", format!("{}ms", delay.as_millis()))
            }
            Self::UrgentChain(priority) => request.header(PRIORITY_HEADER, priority.as_str()),
            Self::Chain | Self::LargeChain | Self::Flaky(_) | Self::Doomed | Self::Busy | Self::Slow | Self::Poison => {
                request
            }
        }
    }
}

/// What a load has been promised.
#[derive(Debug, Default)]
pub(in crate::cli::bench) struct Promised {
    /// Invocations that were answered with 202, and when the answer was here.
    pub(in crate::cli::bench) acknowledged: Vec<(InvocationId, Instant)>,
    /// The keys that were used, in this load and before.
    pub(in crate::cli::bench) keys: Keys,
    /// The first answer that was a no.
    pub(in crate::cli::bench) refused: Option<String>,
}

/// Loads the server until it is gone, or until enough was sent; one of the clients sends poison if there is to be
/// `poison`. Returns what was promised until then.
pub(in crate::cli::bench) async fn run(
    client: &Client,
    random: &mut Random,
    poison: bool,
    promised: &RefCell<Promised>,
) {
    let clients = (0..CLIENTS).map(|number| {
        let mut random = random.fork();
        let poison_at = (poison && number == 0).then(|| random.within(&(0..=LAST_POISON)));
        async move {
            for step in 0..MAX_SENT as u64 {
                let sent = if poison_at == Some(step) { Sent::Poison } else { Sent::draw(&mut random) };
                let (sent, key) = promised.borrow().keys.draw(&mut random, sent);
                if let Err(error) = send(client, sent, key, promised).await {
                    note(promised, error);
                    break;
                }
            }
        }
    });
    join_all(clients).await;
}

async fn send(client: &Client, sent: Sent, key: Option<String>, promised: &RefCell<Promised>) -> Result<(), Error> {
    let accepted: Accepted = client.json(keys::with(sent.request(client), key.as_deref())).await?.value;
    if let Some(key) = key {
        promised.borrow_mut().keys.answered(key, sent, accepted.id);
    }
    promised.borrow_mut().acknowledged.push((accepted.id, Instant::now()));
    if let Sent::CancelledChain(_) = sent {
        let cancel = client.request(Method::POST, &["invocations", &accepted.id.to_string(), "cancel"]);
        let answer = client.exchange(cancel).await?; // it may have settled already: then that is a no
        answer.bytes().await.map_err(|error| client.lost(&error))?;
    }
    Ok(())
}

/// That the server is gone, or about to go, is what was to be expected.
fn note(promised: &RefCell<Promised>, error: Error) {
    match error {
        Error::Lost { .. } | Error::Unreachable { .. } => (),
        Error::Refused(problem) if problem.code == "shutting_down" => (),
        error => drop(promised.borrow_mut().refused.get_or_insert_with(|| error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_stands_behind_those_it_leads_to() {
        for (place, function) in FUNCTIONS.iter().enumerate() {
            for to in [function.on_success, function.on_failure].into_iter().flatten() {
                assert!(FUNCTIONS[..place].iter().any(|earlier| earlier.name == to), "{} -> {to}", function.name);
            }
        }
    }

    #[test]
    fn everything_that_can_be_drawn_is_drawn_and_goes_to_a_function_that_there_is() {
        let mut random = Random::new(1);
        let drawn: Vec<_> = (0..1_000).map(|_| Sent::draw(&mut random)).collect();
        for name in ["a", "flaky", "doomed", "busy", "slow"] {
            assert!(drawn.iter().any(|sent| sent.function() == name), "{name}");
        }
        assert!(drawn.iter().all(|sent| function(sent.function()).is_some()));
    }
}
