//! `yc serverless function`: make, show and list functions.

use clap::Subcommand;
use reqwest::Method;
use serde_json::Value;

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
            Self::Create(new) => {
                let request = cloud.request(Method::POST, FUNCTIONS).json(&new.body(&cloud.folder)?);
                cloud.show(&cloud.done(request).await?)
            }
            Self::Get(which) => {
                let id = cloud.id(FUNCTIONS, which.named()).await?;
                cloud.show(&cloud.get(&format!("{FUNCTIONS}/{id}")).await?)
            }
            Self::List => {
                let listed = cloud.list(FUNCTIONS, "functions", ("folderId", &cloud.folder)).await?;
                cloud.show(&Value::Array(listed))
            }
            Self::Delete(which) => {
                let id = cloud.id(FUNCTIONS, which.named()).await?;
                cloud.done(cloud.request(Method::DELETE, &format!("{FUNCTIONS}/{id}"))).await.map(drop)
            }
            Self::Version(command) => command.run(cloud).await,
        }
    }
}
