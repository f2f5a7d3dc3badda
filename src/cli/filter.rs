//! Which of many invocations are meant, as one says it.

use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use reqwest::Method;

use super::client::Client;
use super::error::Error;
use super::request::Request;
use super::units;
use crate::model::names::FunctionName;
use crate::model::status::Status;
use crate::model::time::Timestamp;

// Which invocations.
#[derive(Debug, Args)]
#[group(multiple = true, id = "many")]
#[command(next_help_heading = "Many at once")]
pub(super) struct Filter {
    /// Those of this function
    #[arg(long, value_name = "NAME")]
    pub(super) function: Option<FunctionName>,
    /// Those that stand there; may be given again
    #[arg(long, value_parser = status_parser())]
    pub(super) status: Vec<Status>,
    /// Those that were accepted longer ago than this
    #[arg(long, value_name = "DURATION", value_parser = units::duration, conflicts_with = "accepted_before")]
    older_than: Option<Duration>,
    /// Those that were accepted before this: a time, or how long ago
    #[arg(long, value_name = "TIME")]
    accepted_before: Option<When>,
    /// Those that were accepted then or later: a time, or how long ago
    #[arg(long, value_name = "TIME")]
    accepted_after: Option<When>,
    /// Those that failed and had no destination for it
    #[arg(long)]
    pub(super) dead_letters: bool,
    /// All of them
    #[arg(long)]
    pub(super) all: bool,
}

// How much of it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Many at once")]
pub(super) struct Extent {
    /// Change at most that many
    #[arg(long, value_name = "N", requires = "many", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) limit: Option<u64>,
    /// Change nothing: say what would be done
    #[arg(long, requires = "many")]
    pub(super) dry_run: bool,
}

// In which namespaces.
#[derive(Debug, Args)]
#[command(next_help_heading = "Many at once")]
pub(super) struct Span {
    /// Those of every namespace, and not only of the one that --namespace says
    #[arg(long, requires = "many")]
    all_namespaces: bool,
}

/// A point in time, as one can say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// So long ago.
    Ago(Duration),
    /// Then.
    At(Timestamp),
}

/// The text is neither a time nor a duration.
#[derive(Debug, Clone, thiserror::Error)]
#[error("write a time such as `2026-11-21T09:00:00Z`, or how long ago, such as `1h`")]
pub(super) struct InvalidWhen;

impl FromStr for When {
    type Err = InvalidWhen;

    fn from_str(text: &str) -> Result<Self, InvalidWhen> {
        let at = Timestamp::parse(text).map(Self::At);
        at.or_else(|_| units::duration(text).map(Self::Ago)).map_err(|_| InvalidWhen)
    }
}

impl When {
    /// The instant that is meant.
    pub(super) fn from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago(duration) => now.minus(duration),
            Self::At(time) => time,
        }
    }
}

impl Span {
    /// A request that changes many. The API takes no namespace for all of them; here that has to be said.
    pub(super) fn request(&self, client: &Client, method: Method, segments: &[&str]) -> Result<Request, Error> {
        let request = client.request(method, segments);
        match client.namespace() {
            None if self.all_namespaces => Ok(request),
            Some(one) if self.all_namespaces => Err(Error::Usage(format!(
                "--all-namespaces is given, and the namespace `{one}` (--namespace or TIDEMILL_NAMESPACE): take one of \
                 them away"
            ))),
            namespace => {
                let namespace = namespace.cloned().unwrap_or_default();
                Ok(request.query(&[("namespace", namespace.as_str())]))
            }
        }
    }
}

impl Filter {
    /// An error where nothing says which ones.
    pub(super) fn check_given(&self) -> Result<(), Error> {
        let Self { function, status, older_than, accepted_before, accepted_after, dead_letters, all } = self;
        let is_given = function.is_some()
            || !status.is_empty()
            || older_than.is_some()
            || accepted_before.is_some()
            || accepted_after.is_some()
            || *dead_letters
            || *all;
        let none = || {
            Error::Usage("say which: the id of an invocation; or many, such as `--function NAME` or `--all`".to_owned())
        };
        is_given.then_some(()).ok_or_else(none)
    }

    /// Accepted before this, from the point of view of `now`.
    pub(super) fn before(&self, now: Timestamp) -> Option<Timestamp> {
        self.accepted_before.or(self.older_than.map(When::Ago)).map(|before| before.from(now))
    }

    /// Accepted then or later.
    pub(super) fn from(&self, now: Timestamp) -> Option<Timestamp> {
        self.accepted_after.map(|after| after.from(now))
    }
}

/// Knows every status, for the help and for completions.
pub(super) fn status_parser() -> impl clap::builder::TypedValueParser<Value = Status> {
    use clap::builder::{PossibleValuesParser, TypedValueParser as _};
    PossibleValuesParser::new(Status::ALL.map(Status::as_str)).try_map(|text| text.parse::<Status>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Typed {
        #[command(flatten)]
        filter: Filter,
        #[command(flatten)]
        _extent: Extent,
    }

    fn typed(text: &str) -> Result<Typed, clap::Error> {
        Typed::try_parse_from(std::iter::once("test").chain(text.split_whitespace()))
    }

    #[test]
    fn nothing_is_meant_where_nothing_was_said() {
        assert!(matches!(typed("").unwrap().filter.check_given(), Err(Error::Usage(_))));
        for given in ["--all", "--status failed", "--accepted-after 1h", "--dead-letters"] {
            assert!(typed(given).unwrap().filter.check_given().is_ok(), "{given}");
        }
    }

    #[test]
    fn a_limit_or_a_dry_run_alone_says_nothing_of_which() {
        assert!(typed("--limit 1").is_err());
        assert!(typed("--dry-run").is_err());
        assert!(typed("--all --limit 0").is_err());
        assert!(typed("--all --limit 1 --dry-run").is_ok());
        assert!(typed("--older-than 1h --accepted-before 1h").is_err());
    }

    #[test]
    fn a_time_is_an_instant_or_how_long_ago() {
        assert_eq!("1h".parse::<When>().unwrap(), When::Ago(Duration::from_hours(1)));
        assert!(matches!("2026-11-21T09:00:00Z".parse(), Ok(When::At(_))));
        assert!("yesterday".parse::<When>().is_err());
    }
}
