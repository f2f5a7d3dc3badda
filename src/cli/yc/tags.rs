//! `yc serverless function version`, as far as it is about tags: which version has one.

use clap::Args;
use reqwest::Method;
use serde_json::json;

use super::rest::Cloud;
use super::version::{Of, VERSIONS};
use crate::cli::error::Error;

// A version, and a tag that is put on it or taken from it.
#[derive(Debug, Args)]
pub(in crate::cli) struct Tagged {
    /// The version, by its id
    #[arg(value_name = "VERSION-ID", required_unless_present = "id")]
    named: Option<String>,
    /// The version, by its id
    #[arg(long, conflicts_with = "named")]
    id: Option<String>,
    /// The tag
    #[arg(long)]
    tag: String,
}

// The version of a function that has a tag.
#[derive(Debug, Args)]
pub(in crate::cli) struct ByTag {
    #[command(flatten)]
    of: Of,
    /// The tag
    #[arg(long, default_value = "$latest")]
    tag: String,
}

impl Tagged {
    /// Asks for `verb`, and shows the version that comes of it.
    pub(super) async fn change(self, cloud: &Cloud<'_>, verb: &str) -> Result<(), Error> {
        let id = self.named.or(self.id).unwrap_or_default();
        let request = cloud.request(Method::POST, &format!("{VERSIONS}/{id}:{verb}")).json(&json!({ "tag": self.tag }));
        cloud.show(&cloud.done(request).await?)
    }
}

impl ByTag {
    pub(super) async fn show(self, cloud: &Cloud<'_>) -> Result<(), Error> {
        let function = self.of.id(cloud).await?;
        let request = cloud.request(Method::GET, &format!("{VERSIONS}:byTag"));
        let asked = request.query(&[("functionId", function.as_str()), ("tag", &self.tag)]);
        cloud.show(&cloud.json(asked).await?)
    }
}
