//! `yc serverless function`: make, show and list functions.

use clap::Subcommand;

use super::flags::{New, Which};
use super::rest::Cloud;
use super::version;
use crate::cli::error::Error;

/// Where the API has functions.
pub(super) const FUNCTIONS: &str = "functions/v1/functions";

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum Command {
    /// Make a function, which has no version yet
    Create(New),
    /// Show a function
    Get(Which),
    /// List the functions of the folder
    List,
    /// Delete a function with its versions
    Delete(Which),
    /// The versions of functions
    #[command(subcommand)]
    Version(version::Command),
}

impl Command {
    pub(super) async fn run(self, cloud: &Cloud<'_>) -> Result<(), Error> {
        match self {
            Self::Create(new) => cloud.make(FUNCTIONS, &new).await,
            Self::Get(which) => cloud.show_one(FUNCTIONS, &which).await,
            Self::List => cloud.show_all(FUNCTIONS).await,
            Self::Delete(which) => cloud.remove(FUNCTIONS, &which).await,
            Self::Version(command) => command.run(cloud).await,
        }
    }
}
