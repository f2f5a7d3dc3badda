//! Why the registry did not do what it was asked. Knows no status codes.

use crate::engine::{Refused, RefusedDirectory};
use crate::model::bounds::OutOfRange;
use crate::model::destination::InvalidDestination;
use crate::model::entrypoint::Entrypoint;
use crate::model::graph::Node;
use crate::model::names::{AliasName, FunctionPath, Qualifier, SecretName, VersionNumber};
use crate::model::retry::InvalidRetry;
use crate::model::target::InvalidTarget;
use crate::registry::targets::TargetRefused;
use crate::store::StoreError;

/// Why an instance of a version cannot serve several invocations at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unshared {
    /// Its code takes one at a time.
    #[error(
        "only an http function of WASI 0.3 (`wasi:http/handler@0.3.x`) serves several invocations at once in one instance"
    )]
    OneAtATime,
    /// Fuel is counted by the instance.
    #[error("`fuel` is counted by the instance, and nobody could tell which of the invocations in it used it up")]
    Fuel,
    /// What goes out of an instance has the chain and the trace of one invocation.
    #[error(
        "what an instance asks of others (grants of `http` and `functions`) goes out as one invocation's, and nobody could tell which of those in it asks"
    )]
    Outgoing,
    /// A fresh instance serves one.
    #[error("without `reuse` each invocation has an instance of its own")]
    Fresh,
}

/// Why a function could not be found or changed. Unless it is [`RegistryError::Store`], nothing has changed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RegistryError {
    /// Reuse was asked for an entrypoint that has none.
    #[error("a command ends with its run, so its instance cannot be used again: leave out `reuse`")]
    CannotReuse,
    /// Several invocations at once in an instance were asked for where that cannot be.
    #[error("{0}: leave out `instance_concurrency`")]
    CannotShare(Unshared),
    /// The change would close a cycle: what lies on it, the first again at the end.
    #[error("this would close a cycle: {}", arrows(.0))]
    Cycle(Vec<Node>),
    /// A destination is no destination.
    #[error(transparent)]
    Destination(InvalidDestination),
    /// A destination names a function that is not there.
    #[error("the destination `{destination}` names a function or version that does not exist: deploy it first")]
    DestinationUnknown {
        /// The destination as it was written.
        destination: String,
    },
    /// There is a function of this name already.
    #[error("there is a function `{0}` already")]
    FunctionExists(FunctionPath),
    /// There is no such function.
    #[error("there is no function `{0}`: deploy it first")]
    FunctionUnknown(FunctionPath),
    /// Others have it as a destination.
    #[error("`{path}` is a destination of {}: change their configuration first, or delete with `force`", listed(.used_by))]
    InUse {
        /// The function.
        path: FunctionPath,
        /// Those whose destination it is: names of functions, `trigger:NAME`, `topic:NAME`.
        used_by: Vec<String>,
    },
    /// Others have an alias or a version of it as a destination.
    #[error("`{path}@{qualifier}` is a destination of {}: change their configuration first", listed(.used_by))]
    QualifierInUse {
        /// The function.
        path: FunctionPath,
        /// The alias or the version.
        qualifier: Qualifier,
        /// The functions whose destination it is.
        used_by: Vec<String>,
    },
    /// A directory that it is granted cannot be.
    #[error(transparent)]
    Directory(RefusedDirectory),
    /// A variable of the environment, or an argument, that no program could be given.
    #[error("`{0}` cannot be told to a program: names are not empty and have no `=`, and nothing has a NUL character")]
    Environment(String),
    /// The newest version cannot be removed by itself.
    #[error("version {number} of `{path}` is its newest: deploy another first, or delete the function")]
    LatestVersion {
        /// The function.
        path: FunctionPath,
        /// The version.
        number: VersionNumber,
    },
    /// The process is shutting down or the change panicked.
    #[error("the change was interrupted; it may or may not have taken effect: look, and repeat it if it did not")]
    Interrupted,
    /// The module cannot run here.
    #[error(transparent)]
    Module(Refused),
    /// CGI was asked of what is no program.
    #[error("its entrypoint is `{0}`, and CGI is for commands: leave out `cgi`")]
    NoCgi(Entrypoint),
    /// What was made from a version is not made from the latest.
    #[error(
        "`{path}` was changed at the same time: this was made from version {made_from}, which is not its latest any more; ask again"
    )]
    Overtaken {
        /// The function.
        path: FunctionPath,
        /// The version that it was made from.
        made_from: VersionNumber,
    },
    /// A number is out of its range.
    #[error(transparent)]
    Range(OutOfRange),
    /// The retry policy is wrong.
    #[error(transparent)]
    Retry(InvalidRetry),
    /// A version would need secrets that are not there.
    #[error("there is no secret {}: set it first, with `tidemill secrets set NAME`", names(.0))]
    SecretUnknown(Vec<SecretName>),
    /// The store did not answer as hoped.
    #[error("the change could not be kept: {0}")]
    Store(StoreError),
    /// A destination outside the runtime is no such thing.
    #[error(transparent)]
    Target(InvalidTarget),
    /// A destination outside the runtime cannot be set.
    #[error(transparent)]
    TargetRefused(TargetRefused),
    /// One more would be over a limit.
    #[error("{what} would be over the limit of {limit}")]
    TooMany {
        /// What there are too many of.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
    /// An alias leads to the version that is to be removed.
    #[error("the alias `{alias}` leads to version {number} of `{path}`: point it elsewhere first")]
    VersionAliased {
        /// The function.
        path: FunctionPath,
        /// The version.
        number: VersionNumber,
        /// The alias.
        alias: AliasName,
    },
    /// There is no such version or alias.
    #[error("the function `{path}` has no version or alias `{qualifier}`")]
    VersionUnknown {
        /// The function.
        path: FunctionPath,
        /// What was asked for.
        qualifier: Qualifier,
    },
}

fn names(secrets: &[SecretName]) -> String {
    secrets.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn arrows(nodes: &[Node]) -> String {
    nodes.iter().map(Node::to_string).collect::<Vec<_>>().join(" -> ")
}

fn listed(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
