//! Carries out the steps of a plan, each by one request: it is done or not done at all.

use std::path::Path;

use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use super::api::to_api;
use super::change::{Action, Step};
use super::desired::{Desired, Module};
use super::modules;
use super::present::{Present, Server};
use super::resource::{Id, Kind};
use crate::cli::client::Client;
use crate::cli::error::{Error, innermost};
use crate::cli::request::Request;

/// What the steps are taken with.
pub(super) struct Site<'a> {
    pub(super) client: &'a Client,
    pub(super) desired: &'a Desired,
    pub(super) present: &'a Present,
    /// Where the paths of modules begin.
    pub(super) folder: &'a Path,
}

impl Site<'_> {
    /// Takes one step.
    pub(super) async fn take(&self, step: &Step) -> Result<(), Error> {
        let server = Server { client: self.client, namespace: &step.id.namespace };
        let request = match (step.action, step.id.kind) {
            (Action::Remove, _) => self.removal(&server, &step.id)?,
            (_, Kind::Function) if step.deploys() => self.deployment(&server, step).await?,
            _ => change(&server, step).await?,
        };
        self.client.send(request).await.map(drop)
    }

    fn removal(&self, server: &Server<'_>, id: &Id) -> Result<Request, Error> {
        let delete = |segments: &[&str]| server.request(Method::DELETE, segments);
        Ok(match id.kind {
            Kind::Role => {
                let (role, on) = id.part.split_once(" on ").unwrap_or_default();
                delete(&["accounts", &id.name, "roles"]).query(&[("role", role), ("on", on)])
            }
            Kind::Alias => delete(&["functions", &id.name, "aliases", &id.part]),
            Kind::VersionConfig => delete(&["functions", &id.name, "async-config"]).query(&[("qualifier", &id.part)]),
            Kind::Subscription => {
                let there = self.present.subscriptions.get(id);
                let there = there.ok_or_else(|| Error::Usage(format!("{id} has no id to remove it by")))?;
                delete(&["topics", &id.name, "subscriptions", there])
            }
            Kind::Account
            | Kind::Connection
            | Kind::Stream
            | Kind::Queue
            | Kind::Topic
            | Kind::Function
            | Kind::Limits
            | Kind::Switch
            | Kind::Trigger => delete(&[place(id.kind), &id.name]),
        })
    }

    async fn deployment(&self, server: &Server<'_>, step: &Step) -> Result<Request, Error> {
        let usage = |error: reqwest::Error| Error::Usage(innermost(&error));
        let source = self.desired.modules.get(&step.id);
        let source = source.ok_or_else(|| Error::Usage(format!("{} has no module", step.id)))?;
        let request = server.request(Method::PUT, &["functions", &step.id.name]);
        let mut settings = body(&step.after)?;
        let image = settings.as_object_mut().and_then(|members| members.remove("module")).unwrap_or_default();
        if let Module::Image { login } = source {
            settings["source"] = image;
            if let Some((user, secret)) = login {
                (settings["source_user"], settings["source_password"]) = (user.as_str().into(), secret.as_str().into());
            }
            return Ok(request.json(&settings).taking_its_time());
        }
        let module = modules::bytes(server, step, source, self.folder, self.present.digests.get(&step.id)).await?;
        let settings = Part::text(settings.to_string()).mime_str("application/json").map_err(usage)?;
        let length = module.len() as u64;
        let module = Part::stream_with_length(module, length).mime_str("application/wasm").map_err(usage)?;
        Ok(request.multipart(Form::new().part("settings", settings).part("module", module.file_name("module.wasm"))))
    }
}

/// The request that makes or changes what is no function.
async fn change(server: &Server<'_>, step: &Step) -> Result<Request, Error> {
    let id = &step.id;
    let (put, post) = (Method::PUT, Method::POST);
    Ok(match id.kind {
        Kind::Account | Kind::Topic => server.request(put, &[place(id.kind), &id.name]),
        Kind::Role => server.request(post, &["accounts", &id.name, "roles"]).json(&step.after),
        Kind::Subscription => server.request(post, &["topics", &id.name, "subscriptions"]).json(&body(&step.after)?),
        Kind::Limits => server.request(put, &["functions", &id.name, "queue"]).json(&body(&step.after)?),
        Kind::Switch => {
            let way = if step.after["disabled"] == true { "disable" } else { "enable" };
            server.request(post, &["functions", &id.name, way])
        }
        // What is deployed is not changed here, so it is the configuration.
        Kind::Function => {
            server.request(put, &["functions", &id.name, "async-config"]).json(&body(&step.after["async"])?)
        }
        Kind::VersionConfig => {
            let request = server.request(put, &["functions", &id.name, "async-config"]);
            request.query(&[("qualifier", &id.part)]).json(&body(&step.after)?)
        }
        Kind::Alias => {
            let version = match &step.after["version"] {
                Value::Number(number) => Value::Number(number.clone()),
                // The newest one is known now.
                _ => server.get(&["functions", &id.name]).await?["latest"].clone(),
            };
            server
                .request(put, &["functions", &id.name, "aliases", &id.part])
                .json(&json!({ "version": version, "weights": step.after["weights"] }))
        }
        Kind::Connection | Kind::Stream | Kind::Queue | Kind::Trigger => {
            server.request(put, &[place(id.kind), &id.name]).json(&body(&step.after)?)
        }
    })
}

fn body(settings: &Value) -> Result<Value, Error> {
    to_api(settings).map_err(Error::Usage)
}

/// Where the API has things of a kind.
const fn place(kind: Kind) -> &'static str {
    match kind {
        Kind::Account | Kind::Role => "accounts",
        Kind::Connection => "connections",
        Kind::Stream => "streams",
        Kind::Queue => "queues",
        Kind::Topic | Kind::Subscription => "topics",
        Kind::Function | Kind::Limits | Kind::Switch | Kind::VersionConfig | Kind::Alias => "functions",
        Kind::Trigger => "triggers",
    }
}
