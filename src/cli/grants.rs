//! What a version may reach, as flags of `deploy`.

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;

use super::error::Error;
use super::variable::{self, Variable};
use crate::model::grant::{DirectoryGrant, FunctionGrant, HttpGrant};
use crate::model::names::StoreName;

// Grants as flags. Nothing is granted that is not given.
#[derive(Debug, Args)]
#[command(next_help_heading = "What it may reach (nothing, unless it is said here)")]
pub(super) struct GrantFlags {
    /// A host that it may send requests to, such as `https://api.example.com`, `https://*.example.com:8443` or, where
    /// the name may lead to a private address, `private+http://db.internal:5984`; may be given again
    #[arg(long, value_name = "HOST")]
    allow_http: Vec<HttpGrant>,
    /// A directory of the server's machine that it sees, as `/on/the/machine:/in/the/guest`, with `:rw` where it may
    /// write; the server must allow it (`serve --allow-dir`); may be given again
    #[arg(long, value_name = "DIR:DIR[:rw]")]
    allow_dir: Vec<DirectoryGrant>,
    /// A key-value store that it may open (`wasi:keyvalue`); may be given again
    #[arg(long, value_name = "STORE")]
    allow_store: Vec<StoreName>,
    /// A function that it may invoke, such as `thumbnail`, `media/thumbnail` or `media/*`; may be given again
    #[arg(long, value_name = "FUNCTION")]
    allow_function: Vec<FunctionGrant>,
    /// A secret that it finds in an environment variable; may be given again
    #[arg(long, value_name = "VARIABLE=SECRET")]
    secret: Vec<Variable>,
    /// A value that it finds under `wasi:config`; may be given again
    #[arg(long, value_name = "KEY=VALUE")]
    config: Vec<Variable>,
}

/// The grants as the API reads them.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Body {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    http: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    directories: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    key_value: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    functions: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    secrets: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    config: BTreeMap<String, String>,
}

impl GrantFlags {
    /// What was given; `None` where nothing was.
    pub(super) fn given(&self) -> Result<Option<Body>, Error> {
        let body = Body {
            http: texts(&self.allow_http),
            directories: texts(&self.allow_dir),
            key_value: texts(&self.allow_store),
            functions: texts(&self.allow_function),
            secrets: variable::once_each("--secret", &self.secret)?,
            config: variable::once_each("--config", &self.config)?,
        };
        Ok(Some(body).filter(|body| *body != Body::default()))
    }
}

fn texts(grants: &[impl ToString]) -> Vec<String> {
    grants.iter().map(ToString::to_string).collect()
}
