//! Functions, their versions, and how their asynchronous invocations are treated.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::bounds::{self, OutOfRange, within};
use super::destination::Destinations;
pub use super::entrypoint::Entrypoint;
use super::grant::Grants;
use super::names::{AccountName, AliasName, Digest, FunctionId, FunctionPath, Qualifier, VersionNumber};
use super::queue::QueueConfig;
use super::retry::RetryPolicy;
use super::time::{Timestamp, whole_ms};

/// A function: a name for versions of some code, and how its asynchronous invocations are treated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    /// Its identity.
    pub id: FunctionId,
    /// Its name.
    pub path: FunctionPath,
    /// When it was first deployed.
    pub created: Timestamp,
    /// Its newest version; `None` as long as nothing was deployed.
    pub latest: Option<VersionNumber>,
    /// Movable names for versions.
    pub aliases: BTreeMap<AliasName, VersionNumber>,
    /// The configuration of all versions that have none of their own; `None` where it was never set.
    pub async_config: Option<AsyncConfig>,
    /// Configurations of single versions.
    pub version_configs: BTreeMap<VersionNumber, AsyncConfig>,
    /// How its queue is kept.
    #[serde(default)]
    pub queue: QueueConfig,
    /// What dialects keep of it.
    #[serde(default)]
    pub annotations: Annotations,
    /// How many of a hundred invocations of an alias go to which other versions; the rest goes to the alias's own.
    #[serde(default)]
    pub weights: BTreeMap<AliasName, Weights>,
    /// Invocations are refused while this is set; what was accepted before runs.
    #[serde(default)]
    pub disabled: bool,
}

/// What a dialect keeps of a function or version that means nothing to the runtime: by the dialect's name, as JSON of up to
/// [`bounds::MAX_ANNOTATION_BYTES`].
pub type Annotations = BTreeMap<String, String>;

/// Of a hundred invocations, how many go to which version.
pub type Weights = BTreeMap<VersionNumber, u8>;

impl Function {
    /// The version that `qualifier` means now; `None` for an unknown alias. A number is taken as it is.
    #[must_use]
    pub fn resolve(&self, qualifier: &Qualifier) -> Option<VersionNumber> {
        match qualifier {
            Qualifier::Latest => self.latest,
            Qualifier::Version(number) => Some(*number),
            Qualifier::Alias(alias) => self.aliases.get(alias).copied(),
        }
    }

    /// The version that an invocation of `qualifier` runs: as [`Self::resolve`], but for aliases with weights, where
    /// `drawn`, from 0 to 99, decides.
    #[must_use]
    pub fn drawn(&self, qualifier: &Qualifier, drawn: u8) -> Option<VersionNumber> {
        let weights = match qualifier {
            Qualifier::Alias(alias) => self.weights.get(alias),
            Qualifier::Latest | Qualifier::Version(_) => None,
        };
        let mut passed = 0;
        let other = weights.into_iter().flatten().find(|(_, weight)| {
            passed += u32::from(**weight);
            u32::from(drawn) < passed
        });
        other.map(|(number, _)| *number).or_else(|| self.resolve(qualifier))
    }

    /// How an asynchronous invocation of `version` is treated: its own configuration, else the function's,
    /// else the defaults.
    #[must_use]
    pub fn config_of(&self, version: VersionNumber) -> AsyncConfig {
        self.version_configs.get(&version).or(self.async_config.as_ref()).cloned().unwrap_or_default()
    }

    /// All configurations there are, for the graph.
    pub fn configs(&self) -> impl Iterator<Item = &AsyncConfig> {
        self.async_config.iter().chain(self.version_configs.values())
    }
}

/// An immutable snapshot: which code runs, how it is entered, and what it may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own, made by people")]
pub struct Version {
    /// From 1, in order of deployment.
    pub number: VersionNumber,
    /// When it was deployed.
    pub created: Timestamp,
    /// The module.
    pub digest: Digest,
    /// Size of the module.
    pub module_bytes: u64,
    /// What in the module is called.
    pub entrypoint: Entrypoint,
    /// Arguments of a command, after its own name.
    pub arguments: Vec<String>,
    /// Environment of a command or component.
    pub environment: BTreeMap<String, String>,
    /// What one attempt may use.
    pub limits: Limits,
    /// What it may reach beyond itself.
    #[serde(default)]
    pub grants: Grants,
    /// Whether a trap's backtrace is to say files and lines, which costs memory and a larger compiled module.
    #[serde(default)]
    pub debug_info: bool,
    /// Imports of its module that are of no use without a grant. Not known of versions from before there were grants.
    #[serde(default)]
    pub wants: Vec<String>,
    /// How many invocations one instance may serve, one after the other; `None` gives each a fresh one.
    #[serde(default)]
    pub reuse: Option<NonZeroU32>,
    /// Whether its module is one of WASI 0.3, which a server runs that was told to.
    #[serde(default)]
    pub wasi_0_3: bool,
    /// Whether a core dump is kept of an attempt that traps.
    #[serde(default)]
    pub core_dump: bool,
    /// What dialects keep of it.
    #[serde(default)]
    pub annotations: Annotations,
    /// Whether it is a command that answers HTTP requests as CGI has it.
    #[serde(default)]
    pub cgi: bool,
    /// How many invocations one instance may serve at once, where it may serve more than one at all; `None` is one.
    #[serde(default)]
    pub instance_concurrency: Option<NonZeroU32>,
}

impl Version {
    /// Whether it is run with an HTTP request where there is one, and answers with a response; all others are run with
    /// the body alone.
    #[must_use]
    pub fn answers_requests(&self) -> bool {
        match self.entrypoint {
            Entrypoint::Http => true,
            Entrypoint::Command => self.cgi,
            Entrypoint::Handler | Entrypoint::Typed(_) | Entrypoint::Raw(_) => false,
        }
    }

    /// Whether deploying `other` on top of this one would change nothing but the number.
    #[must_use]
    pub fn is_same_but_for_number(&self, other: &Self) -> bool {
        let wants = self.wants.clone(); // follows from the digest, and older versions do not have it
        *self == Self { number: self.number, created: self.created, wants, ..other.clone() }
    }
}

/// What one attempt of a version may use, and how many may run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Linear memory of the instance, in bytes.
    pub memory_bytes: u64,
    /// Wall-clock time, host calls included.
    pub timeout: Duration,
    /// Attempts of this version that run at once; `None` leaves it to the runtime's own limit.
    pub concurrency: Option<NonZeroU32>,
    /// What else it may take.
    #[serde(default)]
    pub space: Space,
    /// What its instructions may use up, about one of it each; `None` does not count them.
    #[serde(default)]
    pub fuel: Option<u64>,
}

/// What one attempt may take besides linear memory. Each is at most what the runtime's pool of instances is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Space {
    /// Elements of each of its tables.
    pub table_elements: u32,
    /// Core instances that it is linked from.
    pub instances: u32,
    /// Open resources: streams, bodies, headers, files.
    pub handles: u32,
    /// Captured output, in bytes; the rest is dropped and the log says so.
    pub log_bytes: u32,
    /// Its result, in bytes; above it the attempt has failed.
    pub result_bytes: u32,
}

impl Default for Space {
    fn default() -> Self {
        let most = |most: usize| u32::try_from(most).unwrap_or(u32::MAX);
        Self {
            table_elements: most(bounds::MAX_GUEST_TABLE_ELEMENTS),
            instances: most(bounds::MAX_GUEST_INSTANCES),
            handles: most(bounds::MAX_GUEST_HANDLES),
            log_bytes: most(bounds::MAX_LOG_BYTES),
            result_bytes: most(bounds::MAX_RESULT_BYTES),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: bounds::DEFAULT_MEMORY_BYTES,
            timeout: bounds::DEFAULT_TIMEOUT,
            concurrency: None,
            space: Space::default(),
            fuel: None,
        }
    }
}

impl Limits {
    /// Limits that are in range.
    pub fn new(memory_bytes: u64, timeout: Duration, concurrency: Option<u32>) -> Result<Self, OutOfRange> {
        within("memory_bytes", memory_bytes, &bounds::MEMORY_BYTES)?;
        within("timeout_ms", whole_ms(timeout), &bounds::TIMEOUT_MS)?;
        if let Some(concurrency) = concurrency {
            within("concurrency", concurrency, &bounds::CONCURRENCY)?;
        }
        let concurrency = concurrency.and_then(NonZeroU32::new);
        Ok(Self { memory_bytes, timeout, concurrency, ..Self::default() })
    }

    /// The same with a limit on fuel, if that is in range.
    pub fn with_fuel(self, fuel: Option<u64>) -> Result<Self, OutOfRange> {
        fuel.map_or(Ok(()), |fuel| within("fuel", fuel, &bounds::FUEL))?;
        Ok(Self { fuel, ..self })
    }
}

/// How asynchronous invocations are treated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsyncConfig {
    /// How often and how far apart a failed one is tried again.
    pub retry: RetryPolicy,
    /// The age after which no attempt starts, counted from when it was first due.
    pub max_event_age: Duration,
    /// Where its outcome goes.
    pub destinations: Destinations,
    /// The service account that must be allowed to invoke the function; `None` where nobody is asked.
    #[serde(default)]
    pub service_account: Option<AccountName>,
}

impl Default for AsyncConfig {
    fn default() -> Self {
        Self {
            retry: RetryPolicy::default(),
            max_event_age: bounds::DEFAULT_MAX_EVENT_AGE,
            destinations: Destinations::default(),
            service_account: None,
        }
    }
}
