//! `store repair`: what is left of a damaged store.

use clap::Args;

use super::super::error::Error;
use super::super::output;
use super::check::summary;
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
    pub(super) fn run(self) -> Result<(), Error> {
        let tell = |text: String| drop(output::line(&output::plain(&text)));
        let repaired = care::repair(
            self.data.path(),
            self.accept_loss,
            &mut |finding| tell(format!("found: {}: {}: {}", finding.kind.as_str(), finding.what, finding.detail)),
            &mut |error| tell(format!("lost: {}", sentence(&error))),
        );
        match repaired.map_err(Error::Store)? {
            care::Repair::NotNeeded => output::line("there is nothing to repair, and nothing was changed"),
            care::Repair::WouldLose(count) => Err(Error::Damaged(format!(
                "nothing was changed: {count} things would be lost; `--accept-loss` does it all the same"
            ))),
            care::Repair::Done { kept, lost, aside } => {
                output::line(&format!("kept: {}", summary(&kept)))?;
                output::line(&format!("lost: {lost}; the damaged store is in {}", aside.display()))
            }
        }
    }
}
