//! The rounds: each starts the server, loads it and sees it die. After the last one the server is left alone, and
//! started again whenever what is left of the poison takes it down, until everything has settled.

use std::cell::RefCell;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::keys::Keys;
use super::ledger::Ledger;
use super::life::{Death, Life, SharedLedger};
use super::load::{self, FUNCTIONS, Promised};
use super::plan::{Ending, Plan};
use super::records::Records;
use crate::cli::bench::random::Random;
use crate::cli::client::Client;
use crate::cli::error::Error;
use crate::cli::{output, units};
use crate::clock::Clock;
use crate::model::names::InvocationId;
use crate::model::time::{Timestamp, whole_ms};

/// Pause between two looks for what has not settled.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// Time for everything to settle after the last round, and more for each acknowledged invocation.
const SETTLE_PATIENCE: Duration = Duration::from_secs(60);
const SETTLE_PATIENCE_EACH: Duration = Duration::from_millis(20);
/// A process whose connections broke has ended by then.
const END_PATIENCE: Duration = Duration::from_secs(10);
/// Lines of the server's log that are told, besides those of the ledger.
const MAX_TOLD_LINES: usize = 20;

/// What the rounds have shown.
#[derive(Debug, Default)]
pub(in crate::cli::bench) struct Driven {
    /// Invocations that the server acknowledged.
    pub(in crate::cli::bench) acknowledged: Vec<InvocationId>,
    /// Invocations whose key led to another one.
    pub(in crate::cli::bench) broken_keys: Vec<(InvocationId, String)>,
    /// What it says became of all there are.
    pub(in crate::cli::bench) records: Records,
    /// What it did.
    pub(in crate::cli::bench) ledger: Ledger,
    /// How each of its lives ended.
    pub(in crate::cli::bench) deaths: Vec<Death>,
}

/// Carries out the rounds.
#[derive(Debug)]
pub(super) struct Driver {
    data: PathBuf,
    random: Random,
    max_round: Duration,
    clock: Clock,
    ledger: SharedLedger,
    driven: Driven,
    /// `None` until the functions are deployed.
    keys: Option<Keys>,
    /// When the last rounds began, this one included.
    begun: [Timestamp; 3],
    /// How long the server took to listen in this round, and in the round in which it took longest.
    listened: Option<Duration>,
    longest_start: Duration,
    told_lines: usize,
}

impl Driver {
    pub(super) fn new(data: PathBuf, seed: u64, max_round: Duration) -> Self {
        let clock = Clock::system();
        let now = clock.now();
        Self {
            data,
            random: Random::new(seed),
            max_round,
            clock,
            ledger: SharedLedger::default(),
            driven: Driven::default(),
            keys: None,
            begun: [now; 3],
            listened: None,
            longest_start: Duration::ZERO,
            told_lines: 0,
        }
    }

    /// Carries out `rounds` rounds and lets everything settle.
    pub(super) async fn drive(mut self, rounds: u32) -> Result<Driven, Error> {
        for round in 1..=rounds {
            let plan = Plan::draw(&mut self.random);
            let began = Instant::now();
            let death = timeout(self.max_round, self.round(plan)).await;
            let death = death.map_err(|_| Error::Bench(format!("round {round} did not end in time")))??;
            self.tell(round, death, began.elapsed());
        }
        self.settle().await?;
        self.driven.ledger = std::mem::take(&mut *self.ledger.open());
        Ok(self.driven)
    }

    async fn round(&mut self, plan: Plan) -> Result<Death, Error> {
        self.begun = [self.begun[1], self.begun[2], self.clock.now()];
        let mut life = self.start()?;
        let death = match plan.ending {
            Ending::KillEarly(after) => {
                sleep(after).await;
                life.kill()?;
                life.ended().await?
            }
            Ending::Kill(after) => self.load(&mut life, plan, after, Life::kill).await?,
            Ending::Stop(after) => self.load(&mut life, plan, after, Life::stop).await?,
        };
        self.driven.deaths.push(death);
        Ok(death)
    }

    fn start(&self) -> Result<Life, Error> {
        Life::start(&self.data, self.driven.deaths.len(), &self.ledger)
    }

    async fn listening(&mut self, life: &mut Life) -> Result<Option<Client>, Error> {
        let started = Instant::now();
        let client = life.listening().await?;
        self.listened = client.is_some().then(|| started.elapsed());
        self.longest_start = self.longest_start.max(started.elapsed());
        Ok(client)
    }

    /// Loads the server, and ends it `after` that long with `end`, if it has not ended by then.
    async fn load(
        &mut self,
        life: &mut Life,
        plan: Plan,
        after: Duration,
        end: impl FnOnce(&mut Life) -> Result<(), Error>,
    ) -> Result<Death, Error> {
        let Some(client) = self.listening(life).await? else { return life.ended().await };
        let mut random = plan.random;
        let keys = match self.keys.take() {
            Some(keys) => keys,
            None => deploy(&client, &mut random).await?,
        };
        let promised = RefCell::new(Promised { keys, ..Promised::default() });
        let since = self.begun[0].to_string();
        let ending = async {
            tokio::select! {
                death = life.ended() => return death,
                () = sleep(after) => (),
            }
            end(life)?;
            life.ended().await
        };
        let looking = self.driven.records.look(&client, Some(&since));
        let loading = load::run(&client, &mut random, plan.poison, &promised);
        let (death, looked, ()) = futures::join!(ending, looking, loading);
        unless_gone(looked)?;
        let promised = promised.into_inner();
        self.driven.acknowledged.extend(promised.acknowledged.into_iter().map(|(id, _)| id));
        self.driven.broken_keys.clone_from(&promised.keys.broken);
        self.keys = Some(promised.keys);
        if let Some(refused) = promised.refused {
            output::note(&format!("a client was refused: {refused}"));
        }
        death
    }

    /// Lets the server work until everything has settled, or until it is clear that it will not.
    async fn settle(&mut self) -> Result<(), Error> {
        let acknowledged = u32::try_from(self.driven.acknowledged.len()).unwrap_or(u32::MAX);
        let until = Instant::now() + SETTLE_PATIENCE + SETTLE_PATIENCE_EACH * acknowledged;
        let mut looked = false;
        while Instant::now() < until {
            let mut life = self.start()?;
            if let Some(client) = self.listening(&mut life).await?
                && unless_gone(self.watch(&client, &mut looked, until).await)?
            {
                life.stop()?;
                let death = life.ended().await?;
                self.end(death);
                break;
            }
            let death = timeout(END_PATIENCE, life.ended()).await;
            let death = death.map_err(|_| Error::Bench("the server lives, but does not answer".to_owned()))??;
            self.end(death);
        }
        Ok(())
    }

    /// Looks until everything has settled, at most `until`, and then at everything once more.
    async fn watch(&mut self, client: &Client, looked: &mut bool, until: Instant) -> Result<(), Error> {
        let records = &mut self.driven.records;
        if !*looked {
            records.look(client, None).await?;
            *looked = true;
        }
        loop {
            while let Some((since, _)) = records.live()
                && Instant::now() < until
            {
                sleep(LOOK_AGAIN).await;
                records.look(client, Some(&since)).await?;
            }
            records.look(client, None).await?;
            if records.live().is_none() || Instant::now() >= until {
                return Ok(());
            }
        }
    }

    /// A life behind the last round has ended.
    fn end(&mut self, death: Death) {
        self.driven.deaths.push(death);
        let live = self.driven.records.live().map_or(0, |(_, live)| live);
        let (records, longest) = (self.driven.records.len(), units::show_elapsed(whole_ms(self.longest_start)));
        output::note(&format!(
            "settling: {live} of {records} not seen to settle when it {death}; the longest start took {longest}"
        ));
        self.tell_lines();
    }

    fn tell(&mut self, round: u32, death: Death, took: Duration) {
        let acknowledged = self.driven.acknowledged.len();
        let took = units::show_elapsed(whole_ms(took));
        let listened = self.listened.take().map(|after| units::show_elapsed(whole_ms(after)));
        let listened = listened.map_or_else(|| "never listened".to_owned(), |after| format!("listened after {after}"));
        output::note(&format!("round {round}: {listened}, {death} after {took}; {acknowledged} acknowledged so far"));
        self.tell_lines();
    }

    fn tell_lines(&mut self) {
        let lines = self.ledger.open().take_other();
        for line in lines.iter().take(MAX_TOLD_LINES.saturating_sub(self.told_lines)) {
            output::note(&format!("the server said: {}", output::plain(line)));
        }
        self.told_lines += lines.len();
    }
}

/// Deploys the functions, and finds out whether keys are honoured.
pub(in crate::cli::bench) async fn deploy(client: &Client, random: &mut Random) -> Result<Keys, Error> {
    for function in &FUNCTIONS {
        function.deploy(client).await?;
    }
    Keys::probe(client, random).await
}

/// Whether it was done; that the server is gone is no error where it may be.
pub(in crate::cli::bench) fn unless_gone(done: Result<(), Error>) -> Result<bool, Error> {
    match done {
        Ok(()) => Ok(true),
        Err(Error::Lost { .. } | Error::Unreachable { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}
