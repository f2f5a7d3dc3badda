//! `yc serverless container`: make, show and list containers.

use clap::Subcommand;
use reqwest::Method;
use serde_json::Value;

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
            Self::Create(new) => {
                let request = cloud.request(Method::POST, CONTAINERS).json(&new.body(&cloud.folder)?);
                cloud.show(&cloud.done(request).await?)
            }
            Self::Get(which) => {
                let id = cloud.id(CONTAINERS, which.named()).await?;
                cloud.show(&cloud.get(&format!("{CONTAINERS}/{id}")).await?)
            }
            Self::List => {
                let listed = cloud.list(CONTAINERS, "containers", ("folderId", &cloud.folder)).await?;
                cloud.show(&Value::Array(listed))
            }
            Self::Delete(which) => {
                let id = cloud.id(CONTAINERS, which.named()).await?;
                cloud.done(cloud.request(Method::DELETE, &format!("{CONTAINERS}/{id}"))).await.map(drop)
            }
            Self::Revision(command) => command.run(cloud).await,
        }
    }
}
