//! `plan`, `apply` and `export`: a server described in a file. The rules are pure: `read` and `desired` say what a file
//! wants, `present` what is there, `change` what differs, `order` in which order that can be done, `text` and `export` how
//! it is written. `apply` alone changes a server, through the API that everything else uses.

mod api;
mod apply;
mod change;
mod desired;
mod export;
mod file;
mod help;
mod modules;
mod order;
mod present;
mod read;
mod resource;
mod text;
mod triggers;
mod versions;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::client::Client;
use super::error::Error;
use super::output::{self, Output};
use crate::model::names::Namespace;
use apply::Site;
use change::{Difference, Step};
use desired::Desired;
use present::{Present, Server, Wanted};
use resource::{Id, Kind};

/// Bytes of a file that are read: a description is shorter.
const MAX_FILE_BYTES: u64 = 4 * 1_024 * 1_024;

// Which file, and what of the server it speaks for.
#[derive(Debug, Args)]
struct Described {
    /// The description
    #[arg(long, short, value_name = "FILE", default_value = "tidemill.toml")]
    file: PathBuf,
    /// Remove what is in the namespaces of the file and not in it. Accounts only where it has a table `accounts`
    #[arg(long)]
    prune: bool,
}

#[derive(Debug, Args)]
#[command(after_long_help = help::FORMAT)]
pub(super) struct Plan {
    #[command(flatten)]
    described: Described,
}

#[derive(Debug, Args)]
#[command(after_long_help = help::FORMAT)]
pub(super) struct Apply {
    #[command(flatten)]
    described: Described,
}

#[derive(Debug, Args)]
#[command(after_help = "Accounts and their roles are in it where the token may see them: that takes the role `admin`.")]
pub(super) struct Export {
    /// Where to write the description [default: to standard output]
    #[arg(long, short, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Write the modules of functions into this folder, and name those files: for another server, which gets the newest
    /// version of each with the asynchronous configuration that applies to it. Versions have other numbers there: what names
    /// the newest by its number names it as `latest`, and what names another version, as an alias or a destination may, is
    /// left out and told. Without it the description names what the server has by its digest, and is good for this server
    /// only
    #[arg(long, value_name = "FOLDER")]
    modules: Option<PathBuf>,
}

/// A plan, and what it was made from.
struct Planned {
    folder: PathBuf,
    desired: Desired,
    present: Present,
    difference: Difference,
}

impl Plan {
    pub(super) async fn run(self, client: &Client, output: Output) -> Result<(), Error> {
        let planned = self.described.plan(client).await?;
        planned.show(output)?;
        if planned.difference.steps.is_empty() { Ok(()) } else { Err(Error::WouldChange) }
    }
}

impl Apply {
    pub(super) async fn run(self, client: &Client, output: Output) -> Result<(), Error> {
        let planned = self.described.plan(client).await?;
        if !output.json {
            planned.show(output)?;
        }
        let Planned { folder, desired, present, difference } = planned;
        let steps = order::ordered(difference.steps, present.edges.clone());
        let site = Site { client, desired: &desired, present: &present, folder: &folder };
        for (at, step) in steps.iter().enumerate() {
            if let Err(error) = site.take(step).await {
                broken_off(&steps, at, &error, output)?;
                return Err(Error::NotApplied { id: step.id.to_string(), cause: Box::new(error) });
            }
            if !output.json {
                output::line(&format!("done: {}", told(step)))?;
            }
        }
        if output.json {
            output::line(&json!({ "done": text::json_of(&steps), "not_done": [] }).to_string())
        } else {
            Ok(())
        }
    }
}

/// Says what was not done because a step could not be.
fn broken_off(steps: &[Step], at: usize, error: &Error, output: Output) -> Result<(), Error> {
    let (done, rest) = steps.split_at(at);
    if output.json {
        let answer = json!({
            "done": text::json_of(done), "failed": rest[0].id.to_string(), "error": error.to_string(),
            "not_done": text::json_of(rest),
        });
        return output::line(&answer.to_string());
    }
    rest.iter().try_for_each(|step| output::line(&format!("not done: {}", told(step))))
}

fn told(step: &Step) -> String {
    format!("{} {}", step.action.as_str(), step.id)
}

impl Described {
    async fn plan(&self, client: &Client) -> Result<Planned, Error> {
        let text = read(&self.file).await?;
        let wrong = |error: read::Wrong| Error::Usage(format!("{}, {error}", self.file.display()));
        let mut desired = desired::desired(&text, client.namespace()).map_err(wrong)?;
        let folder = self.file.parent().unwrap_or(Path::new("")).to_owned();
        let present = Present::read(client, &wanted(&desired, self.prune)).await?;
        modules::resolve(&mut desired, &folder, &present).await?;
        let difference = change::difference(&desired.resources, &present, self.prune, desired.has_accounts);
        if let Some(wrong) = versions::missing(&desired.resources, &present, &difference) {
            return Err(Error::Usage(wrong));
        }
        if let Some(cycle) = order::cycle(&difference.steps, present.edges.clone()) {
            let path: Vec<_> = cycle.iter().map(ToString::to_string).collect();
            return Err(Error::Cycle(path.join(" -> ")));
        }
        Ok(Planned { folder, desired, present, difference })
    }
}

impl Planned {
    fn show(&self, output: Output) -> Result<(), Error> {
        let Difference { steps, left } = &self.difference;
        if output.json {
            let left: Vec<_> = left.iter().map(Id::to_string).collect();
            return output::line(&json!({ "changes": text::json_of(steps), "left": left }).to_string());
        }
        let left = text::left(left);
        if !left.is_empty() {
            output::note(&left);
        }
        output::line(&text::plan(&self.difference))
    }
}

/// What a plan has to know of the server: the kinds that the file has, and all where it is to be pruned.
fn wanted(desired: &Desired, prune: bool) -> Wanted {
    let own = desired.resources.keys().map(|id| id.kind);
    let all = Kind::ALL.into_iter().filter(|kind| prune && (desired.has_accounts || *kind != Kind::Account));
    let limits = desired.modules.keys().cloned().collect();
    Wanted { namespaces: desired.namespaces.clone(), kinds: own.chain(all).collect(), limits: Some(limits) }
}

async fn read(path: &Path) -> Result<String, Error> {
    let unreadable = |cause| Error::Unreadable { path: path.to_owned(), cause };
    let size = tokio::fs::metadata(path).await.map_err(unreadable)?.len();
    if size > MAX_FILE_BYTES {
        let most = super::units::show_size(MAX_FILE_BYTES);
        return Err(Error::Usage(format!("{} is no description: one has at most {most}", path.display())));
    }
    tokio::fs::read_to_string(path).await.map_err(unreadable)
}

impl Export {
    pub(super) async fn run(self, client: &Client, output: Output) -> Result<(), Error> {
        let namespace = client.namespace().cloned().unwrap_or_default();
        let kinds = Kind::ALL.into_iter().filter(|kind| *kind != Kind::Account).collect();
        let wanted = Wanted { namespaces: BTreeSet::from([namespace.clone()]), kinds, limits: None };
        let mut present = Present::read(client, &wanted).await?;
        match present.accounts(&Server { client, namespace: &namespace }).await {
            Err(Error::Refused(problem)) if problem.code == "access_denied" => {
                output::note(&format!("left out: the accounts: {}", problem.message()));
            }
            read => read?,
        }
        let modules = self.download(client, &namespace, &present).await?;
        if self.modules.is_some() {
            for what in versions::newest_alone(&mut present) {
                output::note(&format!("left out: {what}"));
            }
        }
        let document = export::document(&namespace, &present, &modules)?;
        let text = if output.json { json!(document).to_string() } else { document.to_string() };
        match &self.file {
            None => output::line(&text),
            Some(path) => {
                let written = tokio::fs::write(path, text).await;
                written.map_err(|cause| Error::Unwritable { path: path.clone(), cause })
            }
        }
    }

    /// Fetches the modules, where they are to be beside the description; paths in it are as seen from its folder.
    async fn download(
        &self,
        client: &Client,
        namespace: &Namespace,
        present: &Present,
    ) -> Result<BTreeMap<Id, PathBuf>, Error> {
        let mut written = BTreeMap::new();
        let Some(folder) = &self.modules else { return Ok(written) };
        let beside = self.file.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
        let unwritable = |path: &Path| {
            let path = path.to_owned();
            move |cause| Error::Unwritable { path, cause }
        };
        tokio::fs::create_dir_all(beside.join(folder)).await.map_err(unwritable(folder))?;
        for id in present.resources.keys().filter(|id| id.kind == Kind::Function) {
            let module = modules::download(&Server { client, namespace }, &id.name).await?;
            let path = export::module_name(folder, id);
            tokio::fs::write(beside.join(&path), module).await.map_err(unwritable(&path))?;
            written.insert(id.clone(), path);
        }
        Ok(written)
    }
}
