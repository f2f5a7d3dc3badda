//! `bench power-cut`: what would be left if the power failed at that very moment?
//!
//! A server runs under a recorder, which notes everything it does to its files, is loaded, and killed, perhaps
//! several times on the same data. From the record follows what a disk may hold had the power failed before any one of
//! those events: all that was synced, and of the rest any part. Such disks are written to folders of their own, a server
//! opens each, and what it then has must keep every promise that a client had been given by that time.
//!
//! | file         | decides                                                                |
//! | ------------ | ---------------------------------------------------------------------- |
//! | `recorder`   | how what a server does to its files is recorded; `recorder.c` does it  |
//! | `record`     | what the record says                                                   |
//! | `content`    | what a file may hold after a cut: pure                                 |
//! | `names`      | which names there may be after a cut: pure                             |
//! | `disk`       | the record, event by event, and the image of a disk after a cut        |
//! | `run`        | one recorded run, with what was promised when                          |
//! | `cut`        | whether an image keeps the promises                                    |
//!
//! What is allowed is more than what any one file system does: an entry is safe only once its folder was synced,
//! a write only once its file was, `sync_file_range` promises nothing, and sectors of 512 bytes arrive in any order.
//! With `--break-sync` a server's `fdatasync` does nothing: a checker that finds nothing then finds nothing at all.

mod content;
mod names;
mod record;

mod disk;
mod recorder;

mod run;

mod cut;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use futures::future::try_join_all;
use serde_json::json;
use tempfile::TempDir;

use crate::cli::bench::random::Random;
use crate::cli::error::Error;
use crate::cli::output::{self, Output};
use content::Survival;
use cut::Verdict;
use recorder::Recorder;
use run::Run;

/// Cuts of one recorded run; their servers run side by side.
const CUTS_OF_A_RUN: usize = 5;
/// Lines that are told of one cut.
const MAX_TOLD: usize = 5;

#[derive(Debug, Args)]
pub(in crate::cli) struct PowerCut {
    /// How often the power is cut
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rounds: u32,
    /// Draws load, cuts and what survives; the timing is the machine's [default: random]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Where disks on which a promise was broken are kept [default: nowhere]
    #[arg(long, value_name = "DIRECTORY")]
    keep_failures: Option<PathBuf>,
    /// Let the server's syncs do nothing: promises must then be broken
    #[arg(long)]
    break_sync: bool,
    /// Do not hold the server to outcomes that it only showed: a store may show what it has not synced yet
    #[arg(long, hide = true)]
    early_reads: bool,
}

/// What all cuts have shown.
#[derive(Debug, Default)]
struct Sum {
    cuts: usize,
    acknowledged: usize,
    lost: usize,
    settled_twice: usize,
    over_the_limit: usize,
    partial: usize,
    unopenable: usize,
}

impl Sum {
    fn add(&mut self, verdict: &Verdict) {
        self.cuts += 1;
        self.acknowledged += verdict.acknowledged;
        self.lost += verdict.findings.lost.len() + verdict.undeployed.len();
        self.settled_twice += verdict.findings.settled_twice.len();
        self.over_the_limit += verdict.findings.over_the_limit.len();
        self.partial += verdict.findings.partial.len();
        self.unopenable += usize::from(verdict.unopenable.is_some());
    }

    const fn is_clean(&self) -> bool {
        self.lost + self.settled_twice + self.over_the_limit + self.partial + self.unopenable == 0
    }

    fn shown(&self, output: Output) -> String {
        let Self { cuts, acknowledged, lost, settled_twice, over_the_limit, partial, unopenable } = self;
        if output.json {
            let counts = json!({
                "cuts": cuts, "acknowledged": acknowledged, "lost": lost, "settled_twice": settled_twice,
                "over_the_limit": over_the_limit, "partial": partial, "unopenable": unopenable,
            });
            return counts.to_string();
        }
        let over = if *over_the_limit > 0 { format!(", {over_the_limit} over the limit") } else { String::new() };
        format!(
            "power-cut: {cuts} cuts, {acknowledged} acknowledged checked, {lost} lost, {settled_twice} settled twice, \
             {partial} partial, {unopenable} unopenable{over}"
        )
    }
}

impl PowerCut {
    pub(in crate::cli) async fn run(self, output: Output) -> Result<(), Error> {
        let seed = self.seed.unwrap_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0);
        output::note(&format!("power-cut: {} cuts, seed {seed}", self.rounds));
        let tools = folder()?;
        let recorder = Recorder::compile(tools.path(), self.break_sync).await?;
        let (mut random, mut sum) = (Random::new(seed), Sum::default());
        let rounds = usize::try_from(self.rounds).unwrap_or(usize::MAX);
        while sum.cuts < rounds {
            let cuts = CUTS_OF_A_RUN.min(rounds - sum.cuts);
            let mut random = random.fork();
            self.cut(&recorder, &mut random, cuts, &mut sum).await?;
        }
        output::line(&sum.shown(output))?;
        if sum.is_clean() { Ok(()) } else { Err(Error::Broken("a promise was broken".to_owned())) }
    }

    /// Records a run and cuts its power that often.
    async fn cut(&self, recorder: &Recorder, random: &mut Random, cuts: usize, sum: &mut Sum) -> Result<(), Error> {
        let folder = folder()?;
        let run = Run::record(folder.path(), recorder, random).await?;
        let mut cuts: Vec<usize> = (0..cuts).map(|_| run.draw_cut(random)).collect();
        cuts.sort_unstable();
        let images = folder.path().join("images");
        let kept = self.keep_failures.as_ref().map(|kept| kept.join(format!("cut-{}", sum.cuts + 1)));
        let mut survivals = Vec::new();
        let written = run.replay(&cuts, |disk| {
            let (number, survival) = (survivals.len(), Survival::draw(random));
            let image = disk.survive(survival, random);
            survivals.push(survival);
            image.write(&images.join(number.to_string()))?;
            kept.as_ref().map_or(Ok(()), |kept| image.write(&numbered(kept, number)))
        });
        written.map_err(|error| failed(&error))?;
        let checks = cuts.iter().enumerate().map(|(number, cut)| {
            let (before, image) = (run.before(*cut, self.early_reads), images.join(number.to_string()));
            async move { cut::check(&image, before).await }
        });
        let verdicts = try_join_all(checks).await?;
        for (number, verdict) in verdicts.iter().enumerate() {
            sum.add(verdict);
            tell(sum, &format!("before event {}, {:?} survived", cuts[number], survivals[number]), verdict);
            if let Some(kept) = &kept {
                keep(&numbered(kept, number), verdict).map_err(|error| failed(&error))?;
            }
        }
        Ok(())
    }
}

fn numbered(kept: &Path, number: usize) -> PathBuf {
    kept.with_added_extension(number.to_string())
}

/// Keeps the disk of a cut that broke a promise, with what was found, and no other.
fn keep(kept: &Path, verdict: &Verdict) -> io::Result<()> {
    if verdict.is_clean() {
        return fs::remove_dir_all(kept);
    }
    output::note(&format!("the disk as it was then is kept in {}", kept.display()));
    fs::write(kept.with_added_extension("txt"), verdict.lines().join("\n"))
}

fn tell(sum: &Sum, how: &str, verdict: &Verdict) {
    let lines = verdict.lines();
    let found = if lines.is_empty() { "nothing found".to_owned() } else { format!("{} found", lines.len()) };
    output::note(&format!("cut {}: {how}; {} acknowledged, {found}", sum.cuts, verdict.acknowledged));
    lines.iter().take(MAX_TOLD).for_each(|line| output::note(&format!("  {}", output::plain(line))));
    if lines.len() > MAX_TOLD {
        output::note(&format!("  and {} more", lines.len() - MAX_TOLD));
    }
}

fn folder() -> Result<TempDir, Error> {
    tempfile::tempdir().map_err(|error| Error::Bench(format!("there is no temporary folder: {error}")))
}

fn failed(error: &io::Error) -> Error {
    Error::Bench(format!("the disk after a cut could not be made: {error}"))
}
