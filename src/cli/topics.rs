//! `topics`: what is published once and goes to everybody who is subscribed.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde::Deserialize;
use uuid::Uuid;

use super::api::Answer;
use super::client::Client;
use super::content;
use super::error::Error;
use super::output::{self, Output};
use super::streams::standard_input;
use super::units;
use super::variable::{Variable, once_each};
use crate::model::bounds;
use crate::model::names::TopicName;

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum Command {
    /// List the topics
    List,
    /// Make a topic
    Create {
        /// The topic
        topic: TopicName,
    },
    /// Show a topic and who is subscribed
    Show {
        /// The topic
        topic: TopicName,
    },
    /// Publish: everybody who is subscribed and confirmed gets it
    Publish(Publish),
    /// Subscribe a function, a queue or an HTTP address
    ///
    /// An HTTP address gets nothing until it has confirmed: it is sent a POST with a `confirm_url`, which it, or somebody
    /// who sees the request, visits. Subscribing it again sends that once more.
    Subscribe(Subscribe),
    /// Confirm the subscription of an HTTP address with the token that it was sent
    Confirm {
        #[command(flatten)]
        of: Of,
        /// The token
        #[arg(long)]
        token: String,
    },
    /// End a subscription
    Unsubscribe(Of),
    /// List what could not be brought to a subscription
    Dead(Of),
    /// Send what could not be brought to a subscription once more
    Redrive(Of),
    /// Remove what could not be brought to a subscription
    Purge(Of),
    /// Delete a topic with its subscriptions
    Delete {
        /// The topic
        topic: TopicName,
    },
}

// Which subscription.
#[derive(Debug, Args)]
pub(super) struct Of {
    /// The topic
    topic: TopicName,
    /// The subscription's id, as `topics show` tells it
    #[arg(value_parser = units::uuid)]
    subscription: Uuid,
}

// What to publish.
#[derive(Debug, Args)]
pub(super) struct Publish {
    /// The topic
    topic: TopicName,
    /// What it says [default: standard input]
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    data: Option<String>,
    /// What the data is
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// More about it, which filters look at
    #[arg(long = "attribute", value_name = "NAME=VALUE")]
    attributes: Vec<Variable>,
    /// A UUID: what was published with it lately goes to nobody again
    #[arg(long, value_parser = units::uuid)]
    id: Option<Uuid>,
}

// What to subscribe.
#[derive(Debug, Args)]
pub(super) struct Subscribe {
    /// The topic
    topic: TopicName,
    /// `https://…`, `function:NAME` or `queue:NAME`
    to: String,
    /// Only publications that tell of this outcome: succeeded, failed, expired, cancelled
    #[arg(long = "outcome", value_name = "OUTCOME")]
    outcomes: Vec<String>,
    /// Only publications with this attribute
    #[arg(long = "attribute", value_name = "NAME=VALUE")]
    attributes: Vec<Variable>,
    /// How long one publication is tried [default: 1d]
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    give_up_after: Option<std::time::Duration>,
}

#[derive(Debug, Deserialize)]
struct Topic {
    name: String,
    subscription_count: usize,
    pending: u64,
    dead: u64,
    #[serde(default)]
    subscriptions: Vec<Subscription>,
}

#[derive(Debug, Deserialize)]
struct Subscription {
    id: String,
    to: String,
    status: String,
    error: Option<String>,
    pending: u64,
    dead: u64,
}

#[derive(Debug, Deserialize)]
struct Published {
    id: String,
    subscriptions: usize,
}

#[derive(Debug, Deserialize)]
struct Dead {
    id: String,
    published_at: String,
    tries: u32,
    error: String,
}

#[derive(Debug, Deserialize)]
struct Redriven {
    redriven: usize,
}

impl Of {
    fn path<'a>(&'a self, id: &'a str) -> [&'a str; 4] {
        ["topics", self.topic.as_str(), "subscriptions", id]
    }
}

impl Command {
    pub(super) async fn run(self, client: &Client, output: Output) -> Result<(), Error> {
        match self {
            Self::List => list(client, output).await,
            Self::Create { topic } => {
                let request = client.in_namespace(Method::PUT, &["topics", topic.as_str()]);
                let made: Answer<Topic> = client.json(request).await?;
                output::note(&format!("made {topic}"));
                if output.json { output::line(&made.raw) } else { Ok(()) }
            }
            Self::Show { topic } => {
                let request = client.in_namespace(Method::GET, &["topics", topic.as_str()]);
                output.answer(&client.json(request).await?, |topic: &Topic| subscriptions(&topic.subscriptions))
            }
            Self::Publish(publish) => publish.run(client, output).await,
            Self::Subscribe(subscribe) => subscribe.run(client, output).await,
            Self::Confirm { of, token } => {
                let id = of.subscription.to_string();
                let path: Vec<_> = of.path(&id).into_iter().chain(["confirm"]).collect();
                client.send(client.in_namespace(Method::POST, &path).query(&[("token", token)])).await?;
                output::note(&format!("confirmed {id}"));
                Ok(())
            }
            Self::Unsubscribe(of) => {
                let id = of.subscription.to_string();
                client.send(client.in_namespace(Method::DELETE, &of.path(&id))).await?;
                output::note(&format!("removed {id}"));
                Ok(())
            }
            Self::Dead(of) => dead(&of, client, output).await,
            Self::Redrive(of) => {
                let id = of.subscription.to_string();
                let path: Vec<_> = of.path(&id).into_iter().chain(["redrive"]).collect();
                let done: Answer<Redriven> = client.json(client.in_namespace(Method::POST, &path)).await?;
                output.answer(&done, |done| format!("{} on their way again", done.redriven))
            }
            Self::Purge(of) => {
                let id = of.subscription.to_string();
                let path: Vec<_> = of.path(&id).into_iter().chain(["dead"]).collect();
                client.send(client.in_namespace(Method::DELETE, &path)).await?;
                output::note(&format!("purged {id}"));
                Ok(())
            }
            Self::Delete { topic } => {
                client.send(client.in_namespace(Method::DELETE, &["topics", topic.as_str()])).await?;
                output::note(&format!("deleted {topic}"));
                Ok(())
            }
        }
    }
}

impl Publish {
    async fn run(self, client: &Client, output: Output) -> Result<(), Error> {
        let data = match self.data {
            Some(data) => data.into_bytes(),
            None => standard_input("tidemill topics publish TOPIC").await?,
        };
        let mut said = serde_json::json!({
            "id": self.id, "content_type": self.content_type,
            "attributes": once_each("--attribute", &self.attributes)?,
        });
        content::put(&mut said, "data", data);
        let request = client.in_namespace(Method::POST, &["topics", self.topic.as_str(), "publications"]);
        let published: Answer<Published> = client.json(request.json(&said)).await?;
        if !output.json {
            output::note(&match published.value.subscriptions {
                1 => "it goes to 1 subscription".to_owned(),
                count => format!("it goes to {count} subscriptions"),
            });
        }
        output.answer(&published, |published| published.id.clone())
    }
}

impl Subscribe {
    async fn run(self, client: &Client, output: Output) -> Result<(), Error> {
        let attributes: serde_json::Map<_, _> = once_each("--attribute", &self.attributes)?
            .into_iter()
            .map(|(name, value)| (name, vec![value].into()))
            .collect();
        let wanted = serde_json::json!({
            "to": self.to,
            "filter": { "outcomes": self.outcomes, "attributes": attributes },
            "give_up_after_s": self.give_up_after.map(|time| time.as_secs()),
        });
        let request = client.in_namespace(Method::POST, &["topics", self.topic.as_str(), "subscriptions"]);
        let made: Answer<Subscription> = client.json(request.json(&wanted)).await?;
        if made.value.status != "confirmed" && !output.json {
            output::note("it gets nothing until it has confirmed: it was sent a `confirm_url` to visit");
        }
        output.answer(&made, |made| made.id.clone())
    }
}

async fn list(client: &Client, output: Output) -> Result<(), Error> {
    let request = || client.in_namespace(Method::GET, &["topics"]);
    let topics = client.list::<Topic>("topics", bounds::MAX_TOPICS, request).await?;
    if topics.value.items.is_empty() && !output.json {
        output::note("no topics: make one with `tidemill topics create NAME`");
        return Ok(());
    }
    output.answer(&topics, |topics| {
        let rows = topics.items.iter().map(|it| {
            [it.name.clone(), it.subscription_count.to_string(), it.pending.to_string(), it.dead.to_string()]
        });
        output::table(["NAME", "SUBSCRIPTIONS", "ON THEIR WAY", "DEAD"], rows)
    })
}

fn subscriptions(all: &[Subscription]) -> String {
    let rows = all.iter().map(|it| {
        let status = it.error.as_ref().map_or_else(|| it.status.clone(), |error| format!("{} ({error})", it.status));
        [it.id.clone(), it.to.clone(), status, it.pending.to_string(), it.dead.to_string()]
    });
    output::table(["ID", "TO", "STATUS", "ON THEIR WAY", "DEAD"], rows)
}

async fn dead(of: &Of, client: &Client, output: Output) -> Result<(), Error> {
    let id = of.subscription.to_string();
    let path: Vec<_> = of.path(&id).into_iter().chain(["dead"]).collect();
    let request = || client.in_namespace(Method::GET, &path);
    let found = client.list::<Dead>("publications", 1_000, request).await?;
    output.answer(&found, |found| {
        let rows = found
            .items
            .iter()
            .map(|it| [it.id.clone(), it.published_at.clone(), it.tries.to_string(), it.error.clone()]);
        output::table(["ID", "PUBLISHED", "TRIES", "ERROR"], rows)
    })
}
