//! From what was typed to an exit code.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use tokio::runtime::Builder;

use super::args::{Command, Global, Remote, Typed};
use super::client::{Client, Means};
use super::completions;
use super::error::{Error, exit};
use super::output::{self, Output};

/// The program: reads what was typed, carries it out, and tells how it went.
pub fn main() -> ExitCode {
    let typed = match Typed::try_parse() {
        Ok(typed) => typed,
        Err(help_or_error) => return explained(&help_or_error),
    };
    match run(typed) {
        Ok(()) => ExitCode::from(exit::DONE),
        Err(error) => {
            if let Some(report) = error.report() {
                output::note(&report);
            }
            ExitCode::from(error.exit_code())
        }
    }
}

/// Shows the help that was asked for, or what is wrong with what was typed.
fn explained(help_or_error: &clap::Error) -> ExitCode {
    // What cannot be shown is not worth another error.
    let _ = help_or_error.print();
    ExitCode::from(if help_or_error.use_stderr() { exit::USAGE } else { exit::DONE })
}

fn run(typed: Typed) -> Result<(), Error> {
    let Typed { global, command } = typed;
    match command {
        Command::Serve { settings, asking, log } => settings.run(asking.is_wanted()?, &log.filter()?, log.format),
        // Clients that measure take more than one thread.
        Command::Bench(command) => {
            until_interrupted(&mut Builder::new_multi_thread(), command.run(Output { json: global.json }))
        }
        Command::Compile(compile) => compile.run(),
        Command::Openapi => output::bytes(crate::http::openapi().as_bytes()),
        Command::New(new) => new.run(Output { json: global.json }),
        Command::Store(command) => command.run(Output { json: global.json }),
        Command::Completions { shell } => completions::run(shell, Typed::command()),
        Command::Remote(command) => until_interrupted(&mut Builder::new_current_thread(), talk(&global, command)),
    }
}

/// Carries out a command that talks to a server.
async fn talk(global: &Global, command: Remote) -> Result<(), Error> {
    let means = Means { token: global.token()?, authority: global.ca.as_deref() };
    let client = &Client::of(global.server()?, global.namespace()?, &means)?;
    let output = Output { json: global.json };
    match command {
        Remote::Access(command) => command.run(client, output).await,
        Remote::Apply(apply) => apply.run(client, output).await,
        Remote::AsyncConfig(command) => command.run(client, output).await,
        Remote::Connections(command) => command.run(client, output).await,
        Remote::Deliveries(command) => command.run(client, output).await,
        Remote::Deploy(deploy) => deploy.run(client, output).await,
        Remote::Export(export) => export.run(client, output).await,
        Remote::Functions(command) => command.run(client, output).await,
        Remote::Graph(show) => show.run(client, output).await,
        Remote::Invocations(command) => command.run(client, output).await,
        Remote::Invoke(invoke) => invoke.run(client, output).await,
        Remote::Kv(command) => command.run(client, output).await,
        Remote::Objects(command) => command.run(client, output).await,
        Remote::Plan(plan) => plan.run(client, output).await,
        Remote::Queue(command) => command.run(client, output).await,
        Remote::Queues(command) => command.run(client, output).await,
        Remote::Runtime(command) => command.run(client, output).await,
        Remote::Secrets(command) => command.run(client, output).await,
        Remote::Streams(command) => command.run(client, output).await,
        Remote::Topics(command) => command.run(client, output).await,
        Remote::Webhooks(command) => command.run(client, output).await,
        Remote::Triggers(command) => command.run(client, output).await,
        Remote::Yc(yc) => yc.run(client, output).await,
    }
}

/// Runs `command` to its end, or to Ctrl-C. A read of standard input that still waits is left behind.
fn until_interrupted(threads: &mut Builder, command: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    let runtime = threads.enable_all().build().map_err(Error::System)?;
    let done = runtime.block_on(async {
        tokio::select! {
            done = command => done,
            Ok(()) = tokio::signal::ctrl_c() => Err(Error::Interrupted),
        }
    });
    runtime.shutdown_background();
    done
}
