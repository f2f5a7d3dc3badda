//! Values of flags as the cloud's program reads them, and what several commands share.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::error::Error;
use crate::cli::units;
use crate::cli::variable::{self, Variable};

// A function or container that is there, by its name or id.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Which {
    /// Its name or id
    #[arg(value_name = "NAME|ID")]
    named: Option<String>,
    /// Its id
    #[arg(long)]
    id: Option<String>,
    /// Its name
    #[arg(long)]
    name: Option<String>,
}

// A function or container that is to be made.
#[derive(Debug, Args)]
pub(super) struct New {
    /// What to call it
    #[arg(value_name = "NAME")]
    named: Option<String>,
    /// What to call it
    #[arg(long, conflicts_with = "named")]
    name: Option<String>,
    /// What it is for
    #[arg(long, default_value = "", hide_default_value = true)]
    description: String,
    /// Labels of it; may be given again
    #[arg(long, value_name = "KEY=VALUE,..", value_delimiter = ',')]
    labels: Vec<Variable>,
}

// A version or revision that is there, by its id.
#[derive(Debug, Args)]
pub(in crate::cli) struct ById {
    /// Its id
    #[arg(value_name = "ID", required_unless_present = "id")]
    named: Option<String>,
    /// Its id
    #[arg(long, conflicts_with = "named")]
    id: Option<String>,
}

impl ById {
    pub(super) fn id(&self) -> &str {
        self.named.as_deref().or(self.id.as_deref()).unwrap_or_default()
    }
}

impl Which {
    pub(super) fn named(&self) -> &str {
        self.named.as_deref().or(self.id.as_deref()).or(self.name.as_deref()).unwrap_or_default()
    }
}

impl New {
    /// The request that makes it in `folder`.
    pub(super) fn body(&self, folder: &str) -> Result<Value, Error> {
        let name = self.named.as_ref().or(self.name.as_ref()).map(String::as_str).unwrap_or_default();
        let labels: BTreeMap<_, _> = variable::once_each("--labels", &self.labels)?;
        Ok(json!({ "folderId": folder, "name": name, "description": self.description, "labels": labels }))
    }
}

/// `body` with the members that there are.
pub(super) fn with<'a>(mut body: Value, members: impl IntoIterator<Item = (&'a str, Option<Value>)>) -> Value {
    for (name, value) in members {
        if let Some(value) = value {
            body[name] = value;
        }
    }
    body
}

/// Reads a size such as `128m`, `128MB` or `1GB`, in bytes; units count in 1,024s.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let lower = text.to_ascii_lowercase();
    let digits = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &lower[digits.len()..] {
        "" | "b" => "B",
        "k" | "kb" | "kib" => "K",
        "m" | "mb" | "mib" => "M",
        "g" | "gb" | "gib" => "G",
        _ => return Err(format!("`{text}` is not a size: write for example `128m` or `1GB`")),
    };
    units::size(&format!("{digits}{unit}")).map_err(|error| error.to_string())
}

/// A time as the API has it: `3s`, `1.500s`.
pub(super) fn seconds(time: Duration) -> String {
    let (whole, ms) = (time.as_secs(), time.subsec_millis());
    if ms == 0 { format!("{whole}s") } else { format!("{whole}.{ms:03}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_the_clouds_program_reads_them() {
        let sizes = ["128m", "128MB", "1GB", "134217728", "512K", "2gib"].map(|text| size(text).unwrap());
        assert_eq!(sizes, [128 << 20, 128 << 20, 1 << 30, 128 << 20, 512 << 10, 2 << 30]);
        for text in ["", "m", "1.5GB", "12x", "-1m"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_written_as_the_api_writes_them() {
        assert_eq!(seconds(Duration::from_secs(600)), "600s");
        assert_eq!(seconds(Duration::from_millis(1_500)), "1.500s");
    }
}
