//! `store check`: what is damaged, as a table or as JSON.

use clap::Args;
use serde_json::json;

use super::super::error::Error;
use super::super::output::{self, Output};
use super::Data;
use crate::store::embedded::care::{self, Checked, Finding};

/// How many findings are shown. The others are counted.
pub(super) const MAX_SHOWN: usize = 1_000;

#[derive(Debug, Args)]
pub(in crate::cli) struct Check {
    #[command(flatten)]
    data: Data,
}

impl Check {
    pub(super) fn run(self, output: Output) -> Result<(), Error> {
        let mut found = Vec::new();
        let checked = care::check(self.data.path(), &mut |finding| {
            if found.len() < MAX_SHOWN {
                found.push(finding);
            }
        });
        let checked = checked.map_err(Error::Store)?;
        if output.json {
            output::line(&json(&checked, &found).to_string())?;
        } else {
            output::line(&table(&found))?;
            output::line(&summary(&checked))?;
        }
        match checked.findings {
            0 => Ok(()),
            1 => Err(Error::Damaged("the store is damaged: one thing is wrong with it".to_owned())),
            count => Err(Error::Damaged(format!("the store is damaged: {count} things are wrong with it"))),
        }
    }
}

/// The findings; nothing where there are none.
pub(super) fn table(found: &[Finding]) -> String {
    if found.is_empty() {
        return String::new();
    }
    let rows =
        found.iter().map(|finding| [finding.kind.as_str().to_owned(), finding.what.clone(), finding.detail.clone()]);
    output::table(["KIND", "WHAT", "WHERE"], rows)
}

/// What was looked at.
pub(super) fn summary(checked: &Checked) -> String {
    let Checked { functions, invocations, values, bytes, segments, findings } = checked;
    format!(
        "{functions} functions, {invocations} invocations, {values} values with {bytes} bytes in {segments} segments: \
         {findings} found damaged"
    )
}

fn json(checked: &Checked, found: &[Finding]) -> serde_json::Value {
    let mut json = counts(checked);
    json["clean"] = (checked.findings == 0).into();
    json["finding_count"] = checked.findings.into();
    json["findings"] = found.iter().map(finding).collect();
    json
}

/// A finding for programs.
pub(super) fn finding(found: &Finding) -> serde_json::Value {
    json!({"kind": found.kind.as_str(), "what": found.what, "where": found.detail})
}

/// What was looked at, for programs.
pub(super) fn counts(checked: &Checked) -> serde_json::Value {
    json!({
        "functions": checked.functions,
        "invocations": checked.invocations,
        "values": checked.values,
        "value_bytes": checked.bytes,
        "segments": checked.segments,
    })
}
