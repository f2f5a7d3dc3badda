//! `yc`: the command lines of Yandex' own program for serverless functions and containers, with its flags and what it
//! prints. They talk to the dialect of that cloud over REST, as its program does; what they mean is decided there.

mod container;
mod flags;
mod folder;
mod function;
mod rest;
mod revision;
mod tags;
mod version;
mod yaml;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};

use super::client::Client;
use super::error::Error;
use super::output::Output;
use rest::Cloud;

// A command line of `yc`.
#[derive(Debug, Args)]
pub(super) struct Yc {
    /// The folder, which is a namespace [default: that of --namespace]
    #[arg(long, global = true, value_name = "ID")]
    folder_id: Option<String>,
    /// The folder by its name, which is the same
    #[arg(long, global = true, value_name = "NAME", conflicts_with = "folder_id")]
    folder_name: Option<String>,
    /// How to print answers
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        default_value = "yaml",
        value_parser = PossibleValuesParser::new(["yaml", "json"])
    )]
    format: String,
    #[command(subcommand)]
    service: Service,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
enum Service {
    /// Functions and containers
    #[command(subcommand)]
    Serverless(Serverless),
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
enum Serverless {
    /// Functions and their versions
    #[command(subcommand)]
    Function(function::Command),
    /// Containers and their revisions
    #[command(subcommand, alias = "serverless-container")]
    Container(container::Command),
}

impl Yc {
    pub(super) async fn run(self, client: &Client, output: Output) -> Result<(), Error> {
        let named = self.folder_id.or(self.folder_name);
        let folder = named.unwrap_or_else(|| client.namespace().cloned().unwrap_or_default().to_string());
        let json = output.json || self.format == "json";
        let cloud = Cloud { client, folder, json };
        match self.service {
            Service::Serverless(Serverless::Function(command)) => command.run(&cloud).await,
            Service::Serverless(Serverless::Container(command)) => command.run(&cloud).await,
        }
    }
}
