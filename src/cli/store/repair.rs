//! `store repair`: what is left of a damaged store.

use clap::Args;
use serde_json::{Value, json};

use super::super::error::Error;
use super::super::output::{self, Output};
use super::check::{MAX_SHOWN, counts, finding, summary};
use super::{Data, sentence};
use crate::store::embedded::care;

#[derive(Debug, Args)]
pub(in crate::cli) struct Repair {
    /// Go on although something is lost with it
    #[arg(long)]
    accept_loss: bool,
    #[command(flatten)]
    data: Data,
}

impl Repair {
    pub(super) fn run(self, output: Output) -> Result<(), Error> {
        let (mut findings, mut losses) = (Vec::new(), Vec::new());
        let repaired = care::repair(
            self.data.path(),
            self.accept_loss,
            &mut |found| {
                let text = format!("found: {}: {}: {}", found.kind.as_str(), found.what, found.detail);
                told(output, &mut findings, &text, || finding(&found));
            },
            &mut |error| {
                let loss = sentence(&error);
                told(output, &mut losses, &format!("lost: {loss}"), || loss.clone().into());
            },
        );
        let repaired = repaired.or_else(|error| {
            if output.json && !(findings.is_empty() && losses.is_empty()) {
                let report = json!({ "findings": findings, "losses": losses, "error": sentence(&error) });
                output::line(&report.to_string())?;
            }
            Err(Error::Store(error))
        })?;
        if output.json {
            let report = json!({ "findings": findings, "losses": losses });
            output::line(&json(&repaired, report).to_string())?;
        } else {
            output::line(&text(&repaired))?;
        }
        match repaired {
            care::Repair::WouldLose(count) => Err(Error::Damaged(format!(
                "nothing was changed: {count} things would be lost; `--accept-loss` does it all the same"
            ))),
            care::Repair::NotNeeded | care::Repair::Done { .. } => Ok(()),
        }
    }
}

/// Tells what was found or lost: people at once, programs later with the rest, as far as there is room for it.
fn told(output: Output, later: &mut Vec<Value>, text: &str, value: impl FnOnce() -> Value) {
    if !output.json {
        drop(output::line(&output::plain(text)));
    } else if later.len() < MAX_SHOWN {
        later.push(value());
    }
}

/// What has become of the store; nothing where an error says it.
fn text(repaired: &care::Repair) -> String {
    match repaired {
        care::Repair::NotNeeded => "there is nothing to repair, and nothing was changed".to_owned(),
        care::Repair::WouldLose(_) => String::new(),
        care::Repair::Done { kept, lost, aside } => {
            format!("kept: {}\nlost: {lost}; the damaged store is in {}", summary(kept), aside.display())
        }
    }
}

/// The same, added to a report for programs.
fn json(repaired: &care::Repair, mut report: Value) -> Value {
    let (changed, lost) = match repaired {
        care::Repair::NotNeeded => (false, 0),
        care::Repair::WouldLose(count) => (false, *count),
        care::Repair::Done { kept, lost, aside } => {
            (report["kept"], report["aside"]) = (counts(kept), aside.display().to_string().into());
            (true, *lost)
        }
    };
    (report["changed"], report["loss_count"]) = (changed.into(), lost.into());
    report
}
