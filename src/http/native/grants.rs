//! What a version may reach, as clients write it and as it is answered: lists of text, each grant as it is written.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::query::bad;
use crate::http::problem::Problem;
use crate::model::grant::Grants;

/// Grants as text; what is absent is not granted.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = Grants)]
pub(super) struct GrantsText {
    http: Vec<String>,
    directories: Vec<String>,
    key_value: Vec<String>,
    functions: Vec<String>,
    secrets: BTreeMap<String, String>,
    config: BTreeMap<String, String>,
}

impl GrantsText {
    pub(super) fn of(grants: &Grants) -> Self {
        let secrets = grants.secrets.iter().map(|(variable, secret)| (variable.clone(), secret.to_string()));
        Self {
            http: texts(&grants.http),
            directories: texts(&grants.directories),
            key_value: texts(&grants.key_value),
            functions: texts(&grants.functions),
            secrets: secrets.collect(),
            config: grants.config.clone(),
        }
    }

    /// What the text grants.
    pub(super) fn meant(self) -> Result<Grants, Problem> {
        let secret = |(variable, secret): (String, String)| Ok((variable, read(&secret)?));
        Ok(Grants {
            http: all(&self.http)?,
            directories: all(&self.directories)?,
            key_value: all(&self.key_value)?,
            functions: all(&self.functions)?,
            secrets: self.secrets.into_iter().map(secret).collect::<Result<_, Problem>>()?,
            config: self.config,
        })
    }
}

fn texts(grants: &[impl Display]) -> Vec<String> {
    grants.iter().map(ToString::to_string).collect()
}

fn all<T: FromStr<Err: Display>>(texts: &[String]) -> Result<Vec<T>, Problem> {
    texts.iter().map(|text| read(text)).collect()
}

fn read<T: FromStr<Err: Display>>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|error: T::Err| bad("bad_grant", error.to_string()))
}
