//! `graph`: what leads to what.

use clap::Args;
use reqwest::Method;

use super::api::{Answer, Graph};
use super::client::Client;
use super::drawing;
use super::error::Error;
use super::output::{self, Output};

#[derive(Debug, Args)]
pub(super) struct Show {
    /// Print it for Graphviz
    #[arg(long)]
    dot: bool,
}

impl Show {
    pub(super) async fn run(self, client: &Client, output: Output) -> Result<(), Error> {
        // Not clap's `conflicts_with`: it overlooks a global flag that stands before the command.
        if self.dot && output.json {
            return Err(Error::Usage("--dot and --json are two forms of the graph: choose one".to_owned()));
        }
        let graph: Answer<Graph> = client.json(client.in_namespace(Method::GET, &["graph"])).await?;
        if !output.json && !self.dot && graph.value.functions.is_empty() {
            output::note("no functions: deploy one with `tidemill deploy FILE --name NAME`");
        }
        output.answer(&graph, if self.dot { drawing::dot } else { drawing::trees })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_graph_is_printed_in_one_form() {
        let client = Client::new("http://127.0.0.1:1".parse().unwrap(), None).unwrap();
        let error = Show { dot: true }.run(&client, Output { json: true }).await.unwrap_err();
        assert!(matches!(error, Error::Usage(_)), "{error}");
    }
}
