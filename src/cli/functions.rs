//! `functions`: what is deployed.

use std::collections::BTreeMap;

use clap::Subcommand;
use reqwest::Method;
use serde_json::value::RawValue;

use super::api::{Answer, Function, MissingGrant, Schema, Version, Versions};
use super::async_config;
use super::client::Client;
use super::error::Error;
use super::output::{self, Output};
use super::request::Request;
use super::units;
use crate::model::bounds;
use crate::model::names::{AliasName, FunctionName, Qualifier, VersionNumber};

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum Command {
    /// List the functions
    List,
    /// Show a function and one of its versions
    Show {
        /// The function
        name: FunctionName,
        /// Which version: a number, an alias or `latest`
        #[arg(long)]
        qualifier: Option<Qualifier>,
    },
    /// Show what a typed function takes and gives, as JSON Schema
    Schema {
        /// The function
        name: FunctionName,
        /// Which version: a number, an alias or `latest`
        #[arg(long)]
        qualifier: Option<Qualifier>,
    },
    /// List the versions of a function
    Versions {
        /// The function
        name: FunctionName,
    },
    /// Delete a function with all its versions
    Delete {
        /// The function
        name: FunctionName,
        /// Also when it is the destination of others, which lose it
        #[arg(long)]
        force: bool,
    },
    /// Give a version another name, or move the name to it
    Alias {
        /// The function
        name: FunctionName,
        /// The name for the version, such as `prod`
        alias: AliasName,
        /// The number of the version
        #[arg(value_parser = version_number)]
        version: VersionNumber,
        /// Send so many of a hundred invocations to another version instead: `3=20`. Repeat it for more
        #[arg(long = "weight", value_name = "VERSION=PERCENT", value_parser = weight)]
        weights: Vec<(VersionNumber, u8)>,
    },
    /// Refuse invocations of a function; what waits for it waits on
    Disable {
        /// The function
        name: FunctionName,
    },
    /// Take invocations of a function again
    Enable {
        /// The function
        name: FunctionName,
    },
    /// Take away a name of a version; the version stays
    Unalias {
        /// The function
        name: FunctionName,
        /// The name to take away
        alias: AliasName,
    },
}

impl Command {
    pub(super) async fn run(self, client: &Client, output: Output) -> Result<(), Error> {
        match self {
            Self::List => list(client, output).await,
            Self::Show { name, qualifier } => show(client, output, &name, qualifier.as_ref()).await,
            Self::Schema { name, qualifier } => {
                output.answer(&client.json(schema(client, &name, qualifier.as_ref())).await?, schema_text)
            }
            Self::Versions { name } => versions(client, output, &name).await,
            Self::Delete { name, force } => {
                let request = client.in_namespace(Method::DELETE, &["functions", name.as_str()]);
                let deleted = client.send(request.query(force.then_some(("force", "true")).as_slice())).await;
                deleted.map_err(Error::unless_forced)?;
                output::note(&format!("deleted {name}"));
                Ok(())
            }
            Self::Disable { name } => switched(client, output, &name, "disable").await,
            Self::Enable { name } => switched(client, output, &name, "enable").await,
            Self::Alias { name, alias, version, weights } => {
                let weights = once_each(&weights)?;
                let request = client.in_namespace(Method::PUT, &alias_path(&name, &alias));
                let request = request.json(&serde_json::json!({ "version": version, "weights": weights }));
                output.answer(&client.json(request).await?, |function: &Function| {
                    format!("{}@{alias} is version {}", function.path(), function.versions_of(alias.as_str()))
                })
            }
            Self::Unalias { name, alias } => {
                client.send(client.in_namespace(Method::DELETE, &alias_path(&name, &alias))).await?;
                output::note(&format!("took away {name}@{alias}"));
                Ok(())
            }
        }
    }
}

async fn switched(client: &Client, output: Output, name: &FunctionName, way: &str) -> Result<(), Error> {
    let request = client.in_namespace(Method::POST, &["functions", name.as_str(), way]);
    output.answer(&client.json(request).await?, |function: &Function| format!("{} is {way}d", function.path()))
}

fn version_number(text: &str) -> Result<VersionNumber, String> {
    text.parse().map_err(|_| format!("`{text}` is not a version: write its number, such as 3"))
}

fn weight(text: &str) -> Result<(VersionNumber, u8), String> {
    let parsed = text.split_once('=').and_then(|(version, weight)| Some((version.parse().ok()?, weight.parse().ok()?)));
    parsed.ok_or_else(|| format!("`{text}` is not VERSION=PERCENT, such as 3=20"))
}

/// The weights; none may be given twice.
fn once_each(given: &[(VersionNumber, u8)]) -> Result<BTreeMap<VersionNumber, u8>, Error> {
    let mut weights = BTreeMap::new();
    for (version, percent) in given {
        if weights.insert(*version, *percent).is_some() {
            return Err(Error::Usage(format!("--weight gives version {version} twice")));
        }
    }
    Ok(weights)
}

fn alias_path<'a>(name: &'a FunctionName, alias: &'a AliasName) -> [&'a str; 4] {
    ["functions", name.as_str(), "aliases", alias.as_str()]
}

async fn show(
    client: &Client,
    output: Output,
    name: &FunctionName,
    qualifier: Option<&Qualifier>,
) -> Result<(), Error> {
    let request = client.in_namespace(Method::GET, &["functions", name.as_str()]);
    let function: Answer<Function> = client.json(request.query(&[("qualifier", qualifier_text(qualifier))])).await?;
    // Only a typed function has one, and it takes loading its module: so it is asked for where it is shown.
    let is_typed = function.value.version.entrypoint.starts_with("typed:");
    let schema: Option<Answer<Schema>> =
        if is_typed && !output.json { Some(client.json(schema(client, name, qualifier)).await?) } else { None };
    output.answer(&function, |function| text(function, schema.map(|schema| schema.value.signature)))
}

fn schema(client: &Client, name: &FunctionName, qualifier: Option<&Qualifier>) -> Request {
    let request = client.in_namespace(Method::GET, &["functions", name.as_str(), "schema"]);
    request.query(&[("qualifier", qualifier_text(qualifier))]).taking_its_time()
}

fn qualifier_text(qualifier: Option<&Qualifier>) -> Option<String> {
    qualifier.map(ToString::to_string)
}

/// The two schemas as one JSON text that people can read, in the order of the members as they came.
fn schema_text(schema: &Schema) -> String {
    let pretty = |raw: &RawValue| {
        let value: Option<serde_json::Value> = serde_json::from_str(raw.get()).ok();
        value.and_then(|value| serde_json::to_string_pretty(&value).ok()).unwrap_or_else(|| raw.get().to_owned())
    };
    format!("{}\n\ninput\n{}\n\noutput\n{}", schema.signature, pretty(&schema.input), pretty(&schema.output))
}

async fn list(client: &Client, output: Output) -> Result<(), Error> {
    let request = || client.in_namespace(Method::GET, &["functions"]);
    let functions = client.list("functions", bounds::MAX_FUNCTIONS, request).await?;
    if functions.value.items.is_empty() && !output.json {
        output::note("no functions: deploy one with `tidemill deploy FILE --name NAME`");
        return Ok(());
    }
    output.answer(&functions, |functions| table(&functions.items))
}

async fn versions(client: &Client, output: Output, name: &FunctionName) -> Result<(), Error> {
    // Only the function itself knows the names of its versions.
    let function = client.in_namespace(Method::GET, &["functions", name.as_str()]);
    let function: Option<Answer<Function>> = if output.json { None } else { Some(client.json(function).await?) };
    let request = client.in_namespace(Method::GET, &["functions", name.as_str(), "versions"]);
    output.answer(&client.json(request).await?, |versions: &Versions| {
        let names = |number| function.as_ref().map(|function| function.value.aliases_of(number));
        version_table(&versions.versions, names)
    })
}

fn table(functions: &[Function]) -> String {
    let header = ["NAME", "VERSION", "ENTRYPOINT", "SIZE", "MEMORY", "TIMEOUT", "ON SUCCESS", "ON FAILURE", "DEPLOYED"];
    output::table(
        header,
        functions.iter().map(|function| {
            let (version, config) = (&function.version, &function.async_config);
            [
                function.path(),
                version.number.to_string(),
                version.entrypoint.clone(),
                units::show_size(version.module_bytes),
                units::show_size(version.memory_bytes),
                units::show_duration(version.timeout_ms),
                output::or_dash(config.on_success.as_ref().map(|target| target.to.clone())),
                output::or_dash(config.on_failure.as_ref().map(|target| target.to.clone())),
                version.created_at.clone(),
            ]
        }),
    )
}

fn version_table(versions: &[Version], names: impl Fn(u32) -> Option<String>) -> String {
    let header = ["VERSION", "ALIASES", "ENTRYPOINT", "SIZE", "MEMORY", "TIMEOUT", "DIGEST", "DEPLOYED"];
    output::table(
        header,
        versions.iter().map(|version| {
            [
                version.number.to_string(),
                output::or_dash(names(version.number)),
                version.entrypoint.clone(),
                units::show_size(version.module_bytes),
                units::show_size(version.memory_bytes),
                units::show_duration(version.timeout_ms),
                shortened(&version.digest),
                version.created_at.clone(),
            ]
        }),
    )
}

/// Enough of a digest to tell versions apart; all of it stands in `functions show`.
fn shortened(digest: &str) -> String {
    digest.trim_start_matches("sha256:").chars().take(12).collect()
}

fn text(function: &Function, signature: Option<String>) -> String {
    let version = &function.version;
    let aliases: Vec<_> =
        function.aliases.keys().map(|name| format!("{name}={}", function.versions_of(name))).collect();
    let environment: Vec<_> = version.environment.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let missing = |missing: &MissingGrant| format!("{} for {}", missing.needs, missing.import);
    let missing: Vec<_> = function.missing_grants.iter().map(missing).collect();
    let rows = [
        ("name", function.path()),
        ("urn", function.urn.clone()),
        ("created", function.created_at.clone()),
        ("latest", function.latest.to_string()),
        ("aliases", output::or_dash(aliases.join(", "))),
        ("disabled", if function.disabled { "yes" } else { "no" }.to_owned()),
        ("version", version.number.to_string()),
        ("deployed", version.created_at.clone()),
        ("digest", version.digest.clone()),
        ("size", units::show_size(version.module_bytes)),
        ("entrypoint", version.entrypoint.clone()),
    ];
    let signature = signature.map(|signature| ("signature", signature));
    let settings = [
        ("arguments", output::or_dash(version.arguments.join(" "))),
        ("environment", output::or_dash(environment.join(" "))),
        ("memory", units::show_size(version.memory_bytes)),
        ("timeout", units::show_duration(version.timeout_ms)),
        ("missing grants", output::or_dash(missing.join(", "))),
        ("concurrency", version.concurrency.map_or_else(|| "as the server's".to_owned(), |n| n.to_string())),
    ];
    let [_set, config @ ..] = async_config::rows(&function.async_config);
    output::pairs(rows.into_iter().chain(signature).chain(settings).chain(asked(version)).chain(config))
}

/// What the version asks for beyond the usual.
fn asked(version: &Version) -> impl Iterator<Item = (&'static str, String)> {
    let said = |what: bool| what.then(|| "yes".to_owned());
    [
        ("fuel", version.fuel.map(|fuel| fuel.to_string())),
        ("reuse", version.reuse.map(|most| format!("up to {most} invocations of an instance"))),
        ("at once", version.instance_concurrency.map(|most| format!("up to {most} invocations in an instance"))),
        ("wasi 0.3", said(version.wasi_0_3)),
        ("core dumps", said(version.core_dump)),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn function(namespace: &str) -> Function {
        serde_json::from_value(json!({
            "id": "7", "namespace": namespace, "name": "resize", "urn": "urn:x", "created_at": "2026-01-01T00:00:00.000Z",
            "latest": 2, "aliases": {"prod": 2, "old": 1, "blue": 2},
            "version": {
                "version": 2, "created_at": "2026-01-02T00:00:00.000Z", "digest": "sha256:0123456789abcdef",
                "module_bytes": 1536, "entrypoint": "handler", "arguments": [], "environment": {"A": "b"},
                "memory_bytes": 134_217_728, "timeout_ms": 30000, "concurrency": null,
                "fuel": 1000, "reuse": 8, "instance_concurrency": 4, "core_dump": true, "wasi_0_3": false,
            },
            "async_config": {
                "set": true, "max_retries": 1, "max_event_age_s": 3600, "retry_delay_ms": 1000,
                "retry_delay_max_ms": 300_000, "on_success": {"to": "function:b"}, "on_failure": null,
            },
        }))
        .unwrap()
    }

    #[test]
    fn functions_are_a_table_and_a_namespace_is_told_where_it_is_not_the_default() {
        let expected = "\
NAME         VERSION  ENTRYPOINT  SIZE     MEMORY   TIMEOUT  ON SUCCESS  ON FAILURE  DEPLOYED
resize       2        handler     1.5 KiB  128 MiB  30s      function:b  -           2026-01-02T00:00:00.000Z
shop/resize  2        handler     1.5 KiB  128 MiB  30s      function:b  -           2026-01-02T00:00:00.000Z";
        assert_eq!(table(&[function("default"), function("shop")]), expected);
    }

    #[test]
    fn versions_are_a_table_with_their_names() {
        let function = function("default");
        let expected = "\
VERSION  ALIASES     ENTRYPOINT  SIZE     MEMORY   TIMEOUT  DIGEST        DEPLOYED
2        blue, prod  handler     1.5 KiB  128 MiB  30s      0123456789ab  2026-01-02T00:00:00.000Z";
        let names = |number| Some(function.aliases_of(number));
        assert_eq!(version_table(std::slice::from_ref(&function.version), names), expected);
    }

    #[test]
    fn an_alias_that_leads_to_several_versions_is_shown_with_the_part_of_each() {
        let mut function = function("default");
        function.weights = BTreeMap::from([("prod".to_owned(), BTreeMap::from([(1, 20), (3, 30)]))]);
        assert_eq!(function.versions_of("prod"), "2 (50 %), 1 (20 %), 3 (30 %)");
        let names = [1, 2, 3].map(|number| function.aliases_of(number));
        assert_eq!(names, ["old, prod (20 %)", "blue, prod (50 %)", "prod (30 %)"]);
        let shown = text(&function, None);
        assert!(shown.contains("blue=2, old=1, prod=2 (50 %), 1 (20 %), 3 (30 %)\n"), "{shown}");
    }

    #[test]
    fn a_version_has_one_weight() {
        let weights = ["2=30", "3=20", "2=20"].map(|text| weight(text).unwrap());
        assert_eq!(once_each(&weights[..2]).unwrap().len(), 2);
        let twice = once_each(&weights).unwrap_err().to_string();
        assert_eq!(twice, "--weight gives version 2 twice");
    }

    #[test]
    fn a_function_is_shown_with_everything_that_decides_how_it_runs() {
        let text = text(&function("default"), Some("total: func(order: u32) -> u64".to_owned()));
        for line in [
            "signature        total: func(order: u32) -> u64",
            "aliases          blue=2, old=1, prod=2",
            "max age          1h",
            "environment      A=b",
            "fuel             1000",
            "reuse            up to 8 invocations of an instance",
            "at once          up to 4 invocations in an instance",
            "core dumps       yes",
            "on failure       -",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line:?} in\n{text}");
        }
        assert!(!text.contains("wasi 0.3"), "{text}");
    }
}
