//! One recorded run: a server that is loaded and killed, perhaps started again and killed again, and what it showed to
//! whom and when.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::ops::RangeInclusive;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::sleep;

use super::disk::Disk;
use super::record::{self, Deed, Reader};
use super::recorder::Recorder;
use crate::cli::bench::crash::driver::{self, Driven, unless_gone};
use crate::cli::bench::crash::keys::Keys;
use crate::cli::bench::crash::ledger::Ledger;
use crate::cli::bench::crash::life::{Death, Life, SharedLedger};
use crate::cli::bench::crash::load::{self, Promised};
use crate::cli::bench::crash::records::{self, Record};
use crate::cli::bench::instant::Instant;
use crate::cli::bench::random::Random;
use crate::cli::client::Client;
use crate::cli::error::Error;
use crate::model::names::InvocationId;

/// Pause between two looks at the records.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// How long the load of one life lasts, in milliseconds.
const LOAD_MS: RangeInclusive<u64> = 100..=800;
/// How often the server is started: opening what a kill left writes, too.
const LIVES: RangeInclusive<u64> = 1..=3;

/// Runs before it is clear that the recorder misses something.
const RUNS: usize = 3;

/// What a server did to its files, and what it showed meanwhile.
#[derive(Debug)]
pub(super) struct Run {
    data: PathBuf,
    record: PathBuf,
    /// When each event of the record began.
    events: Vec<Instant>,
    /// Whether the record goes to the end of the run.
    is_whole: bool,
    /// How often the server was started.
    lives: u64,
    promised: Promised,
    /// When all functions had been deployed.
    deployed: Option<Instant>,
    /// Records that were shown as settled, and when that was first seen.
    shown: HashMap<InvocationId, (Record, Instant)>,
    ledger: Ledger,
}

impl Run {
    /// Starts a server on a new folder below `folder`, loads it, and kills it.
    ///
    /// The record is then compared with the files. A server that is killed between a write and the note of it leaves a
    /// record that lacks it, and the run is made again; a recorder that misses more does so every time.
    pub(super) async fn record(folder: &Path, recorder: &Recorder, random: &mut Random) -> Result<Self, Error> {
        let mut missed = None;
        for number in 0..RUNS {
            let run = Self::record_once(&folder.join(number.to_string()), recorder, random).await?;
            missed = run.missed().map_err(|error| failed(&error))?;
            if missed.is_none() {
                return Ok(run);
            }
        }
        let path = missed.unwrap_or_default();
        Err(Error::Bench(format!("the record does not have all that was written to {path}")))
    }

    async fn record_once(folder: &Path, recorder: &Recorder, random: &mut Random) -> Result<Self, Error> {
        let (data, record) = (folder.join("data"), folder.join("record"));
        fs::create_dir_all(&data).map_err(|error| failed(&error))?;
        let ledger = SharedLedger::default();
        let environment = recorder.environment(&data, &record);
        let mut run = Self {
            data,
            record,
            events: Vec::new(),
            is_whole: true,
            lives: random.within(&LIVES),
            promised: Promised::default(),
            deployed: None,
            shown: HashMap::new(),
            ledger: Ledger::default(),
        };
        for number in 0..run.lives {
            let number = usize::try_from(number).unwrap_or_default();
            let mut life = Life::start_with(&run.data, number, &ledger, &environment)?;
            let Some(client) = life.listening().await? else {
                let said = ledger.open().take_other().join("\n");
                return Err(Error::Bench(format!("the server did not start under the recorder: {said}")));
            };
            run.load(&mut life, &client, random).await?;
            record::trim(&run.record).map_err(|error| failed(&error))?;
        }
        run.ledger = std::mem::take(&mut *ledger.open());
        run.read_events().map_err(|error| failed(&error))?;
        Ok(run)
    }

    async fn load(&mut self, life: &mut Life, client: &Client, random: &mut Random) -> Result<(), Error> {
        if self.deployed.is_none() {
            self.promised.keys = driver::deploy(client, random).await?;
            self.deployed = Some(Instant::now());
        }
        let promised = RefCell::new(std::mem::take(&mut self.promised));
        let after = Duration::from_millis(random.within(&LOAD_MS));
        let ending = async {
            sleep(after).await;
            life.kill()?;
            life.ended().await
        };
        let loading = load::run(client, random, false, &promised);
        let (death, looked, ()) = futures::join!(ending, self.look(client), loading);
        unless_gone(looked)?;
        death?;
        self.promised = promised.into_inner();
        match self.promised.refused.take() {
            None => Ok(()),
            Some(refused) => Err(Error::Bench(format!("a client was refused: {refused}"))),
        }
    }

    /// Looks at what the server shows, until it is gone.
    async fn look(&mut self, client: &Client) -> Result<(), Error> {
        loop {
            let see = |record: Record| {
                if record.status.is_settled() {
                    self.shown.entry(record.id).or_insert_with(|| (record, Instant::now()));
                }
            };
            records::each(client, None, see).await?;
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Takes up when the events began.
    fn read_events(&mut self) -> io::Result<()> {
        let mut reader = Reader::open(&self.record)?;
        while let Some(event) = reader.next()? {
            self.events.push(event.at);
            self.is_whole = event.deed != Deed::Overflow;
        }
        Ok(())
    }

    /// A file that holds something else than the record says; none where the record had to end early.
    fn missed(&self) -> io::Result<Option<String>> {
        let (mut disk, mut reader) = (self.disk()?, Reader::open(&self.record)?);
        while let Some(event) = reader.next()? {
            if event.deed == Deed::Overflow {
                return Ok(None);
            }
            disk.happen(event.deed);
        }
        disk.differs(&self.data)
    }

    fn disk(&self) -> io::Result<Disk> {
        Ok(Disk::new(fs::metadata(&self.data)?.ino()))
    }

    /// Draws a moment to cut the power: before any event or behind all, or right behind an acknowledgement, which is
    /// the worst.
    pub(super) fn draw_cut(&self, random: &mut Random) -> usize {
        let last = self.events.len() - usize::from(!self.is_whole);
        let acknowledged = &self.promised.acknowledged;
        if acknowledged.is_empty() || random.one_in(2) {
            return usize::try_from(random.within(&(0..=last as u64))).unwrap_or_default();
        }
        let which = random.within(&(0..=acknowledged.len() as u64 - 1));
        let at = acknowledged[usize::try_from(which).unwrap_or_default()].1;
        self.events.partition_point(|event| *event <= at).min(last)
    }

    /// Calls `at` with the disk as it was before each of the events that `cuts` names, which are in order.
    pub(super) fn replay(&self, cuts: &[usize], mut at: impl FnMut(&Disk) -> io::Result<()>) -> io::Result<()> {
        let (mut disk, mut reader) = (self.disk()?, Reader::open(&self.record)?);
        let mut happened = 0;
        for cut in cuts {
            while happened < *cut
                && let Some(event) = reader.next()?
            {
                disk.happen(event.deed);
                happened += 1;
            }
            at(&disk)?;
        }
        Ok(())
    }

    /// What had been promised when that event began. With `early_reads` outcomes that were shown are no promise.
    pub(super) fn before(&self, cut: usize, early_reads: bool) -> Before {
        let instant = self.events.get(cut).copied().unwrap_or(Instant::LAST);
        // A cut may undo what no sync had made safe in any of the lives before it.
        let deaths = (0..self.lives).map(|_| Death::PowerCut).collect();
        let mut driven = Driven { deaths, ..Driven::default() };
        let promised = self.promised.acknowledged.iter().filter(|(_, at)| *at < instant);
        driven.acknowledged = promised.map(|(id, _)| *id).collect();
        driven.ledger = self.ledger.before(instant);
        let shown = self.shown.values().filter(|(_, at)| *at < instant && !early_reads);
        shown.for_each(|(record, _)| driven.records.see(record.clone()));
        let mut keys = self.promised.keys.clone();
        keys.used.retain(|used| used.at < instant);
        Before { driven, keys, deployed: self.deployed.is_some_and(|at| at < instant) }
    }
}

/// What had been promised before a cut.
#[derive(Debug)]
pub(super) struct Before {
    /// What had been acknowledged, shown and done.
    pub(super) driven: Driven,
    /// The keys that had been used.
    pub(super) keys: Keys,
    /// Whether every function had been deployed.
    pub(super) deployed: bool,
}

fn failed(error: &io::Error) -> Error {
    Error::Bench(format!("the run could not be recorded: {error}"))
}
