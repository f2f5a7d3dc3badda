//! `yc serverless container`: make, show and list containers.

use clap::Subcommand;

use super::flags::{New, Which};
use super::rest::Cloud;
use super::revision;
use crate::cli::error::Error;

/// Where the API has containers.
pub(super) const CONTAINERS: &str = "containers/v1/containers";

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum Command {
    /// Make a container, which has no revision yet
    Create(New),
    /// Show a container
    Get(Which),
    /// List the containers of the folder
    List,
    /// Delete a container with its revisions
    Delete(Which),
    /// The revisions of containers
    #[command(subcommand)]
    Revision(revision::Command),
}

impl Command {
    pub(super) async fn run(self, cloud: &Cloud<'_>) -> Result<(), Error> {
        match self {
            Self::Create(new) => cloud.make(CONTAINERS, &new).await,
            Self::Get(which) => cloud.show_one(CONTAINERS, &which).await,
            Self::List => cloud.show_all(CONTAINERS).await,
            Self::Delete(which) => cloud.remove(CONTAINERS, &which).await,
            Self::Revision(command) => command.run(cloud).await,
        }
    }
}
