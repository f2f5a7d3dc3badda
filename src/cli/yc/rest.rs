//! Requests to the cloud's REST dialect: its errors, its operations, which are waited for, and its lists.

use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::{Value, json};
use uuid::Uuid;

use super::flags::{New, Which};
use super::yaml;
use crate::cli::client::Client;
use crate::cli::error::Error;
use crate::cli::output;
use crate::cli::request::Request;

/// Between two looks at an operation.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// How often an operation is looked at before it is given up: for ten minutes.
const LOOKS: u32 = 3_000;

/// Things on a page of a list.
const PAGE: &str = "1000";

/// The codes of gRPC, as errors in JSON have them, by their names.
const CODES: [&str; 17] = [
    "ok",
    "cancelled",
    "unknown",
    "invalid_argument",
    "deadline_exceeded",
    "not_found",
    "already_exists",
    "permission_denied",
    "resource_exhausted",
    "failed_precondition",
    "aborted",
    "out_of_range",
    "unimplemented",
    "internal",
    "unavailable",
    "data_loss",
    "unauthenticated",
];

/// The cloud, as far as this program knows it.
pub(super) struct Cloud<'a> {
    pub(super) client: &'a Client,
    /// The folder that names are looked up in.
    pub(super) folder: String,
    /// Whether answers are printed as JSON, and not as YAML.
    pub(super) json: bool,
}

impl Cloud<'_> {
    /// A request to `path`, such as `functions/v1/functions`.
    pub(super) fn request(&self, method: Method, path: &str) -> Request {
        self.client.outside(method, &path.split('/').collect::<Vec<_>>())
    }

    /// Sends a request and returns the answer, where it is a yes.
    pub(super) async fn json(&self, request: Request) -> Result<Value, Error> {
        let response = self.client.exchange(request).await?;
        if response.status().is_success() {
            return Ok(self.client.read::<Value>(response).await?.value);
        }
        Err(self.refused(response).await)
    }

    /// What an answer that is a no says: `{"code", "message"}`, or a problem of the server as a whole.
    async fn refused(&self, response: Response) -> Error {
        let is_own =
            response.headers().get("content-type").is_some_and(|value| value.as_bytes() == b"application/json");
        if !is_own {
            return self.client.refused(response).await;
        }
        match self.client.read::<Value>(response).await {
            Ok(answer) => refusal(&answer.value),
            Err(error) => error,
        }
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, Error> {
        self.json(self.request(Method::GET, path)).await
    }

    /// Sends a request that an operation answers, waits until that is done, says how long it took, and returns what came
    /// of it.
    pub(super) async fn done(&self, request: Request) -> Result<Value, Error> {
        let begun = tokio::time::Instant::now();
        let mut operation = self.json(request.taking_its_time()).await?;
        for _ in 0..LOOKS {
            if operation["done"] == true {
                break;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
            let id = operation["id"].as_str().unwrap_or_default();
            operation = self.get(&format!("operations/{id}")).await?;
        }
        if operation["error"].is_object() {
            return Err(refusal(&operation["error"]));
        }
        if operation["done"] != true {
            return Err(Error::Usage(format!("the operation {} is not done yet: look again later", operation["id"])));
        }
        output::note(&format!("done ({}s)", begun.elapsed().as_secs().max(1)));
        let mut response = operation["response"].take();
        if let Some(members) = response.as_object_mut() {
            members.shift_remove("@type");
        }
        Ok(response)
    }

    /// Everything in a list of the folder.
    pub(super) async fn list(&self, path: &str, name: &str, of: (&str, &str)) -> Result<Vec<Value>, Error> {
        let (mut items, mut token) = (Vec::new(), String::new());
        loop {
            let request = self.request(Method::GET, path).query(&[of, ("pageSize", PAGE), ("pageToken", &token)]);
            let mut page = self.json(request).await?;
            if let Value::Array(found) = page[name].take() {
                items.extend(found);
            }
            match page["nextPageToken"].as_str() {
                Some(next) if !next.is_empty() => next.clone_into(&mut token),
                _ => return Ok(items),
            }
        }
    }

    /// Makes a function or container in the folder, and prints it. `path` is that of their list.
    pub(super) async fn make(&self, path: &str, new: &New) -> Result<(), Error> {
        let request = self.request(Method::POST, path).json(&new.body(&self.folder)?);
        self.show(&self.done(request).await?)
    }

    /// Prints one of the folder.
    pub(super) async fn show_one(&self, path: &str, which: &Which) -> Result<(), Error> {
        let id = self.id(path, which.named()).await?;
        self.show(&self.get(&format!("{path}/{id}")).await?)
    }

    /// Prints all of the folder.
    pub(super) async fn show_all(&self, path: &str) -> Result<(), Error> {
        self.show_list(path, items_of(path), ("folderId", &self.folder)).await
    }

    /// Deletes one of the folder.
    pub(super) async fn remove(&self, path: &str, which: &Which) -> Result<(), Error> {
        let id = self.id(path, which.named()).await?;
        self.done(self.request(Method::DELETE, &format!("{path}/{id}"))).await.map(drop)
    }

    /// Prints a list.
    pub(super) async fn show_list(&self, path: &str, name: &str, of: (&str, &str)) -> Result<(), Error> {
        self.show(&Value::Array(self.list(path, name, of).await?))
    }

    /// The id of a thing of the folder that is named by its id or its name. `path` is that of the list.
    pub(super) async fn id(&self, path: &str, named: &str) -> Result<String, Error> {
        if named.parse::<Uuid>().is_ok() {
            return Ok(named.to_owned());
        }
        let kind = items_of(path);
        let items = self.list(path, kind, ("folderId", &self.folder)).await?;
        let found = items.iter().find(|item| item["name"] == named).and_then(|item| item["id"].as_str());
        let unknown = || {
            let message =
                format!("there is no {} `{named}` in the folder `{}`", kind.trim_end_matches('s'), self.folder);
            refusal(&json!({ "code": 5, "message": message }))
        };
        found.map(str::to_owned).ok_or_else(unknown)
    }

    /// Prints an answer as the cloud's own program does.
    pub(super) fn show(&self, answer: &Value) -> Result<(), Error> {
        let answer = yaml::snake(answer);
        if self.json {
            let text = serde_json::to_string_pretty(&answer);
            return output::line(&text.map_err(|error| Error::Usage(error.to_string()))?);
        }
        output::line(&yaml::text(&answer))
    }
}

/// What the items of a list are called: the last part of its path.
fn items_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

fn refusal(error: &Value) -> Error {
    let code = error["code"].as_u64().and_then(|code| CODES.get(usize::try_from(code).ok()?)).copied();
    let problem =
        json!({ "title": "the cloud said no", "detail": error["message"], "code": code.unwrap_or("unknown") });
    match serde_json::from_value(problem) {
        Ok(problem) => Error::Refused(Box::new(problem)),
        Err(error) => Error::Usage(error.to_string()),
    }
}
