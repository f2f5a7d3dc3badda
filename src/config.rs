//! The settings of a running server, checked: what is in here is in range. What was typed is read in `cli`.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use crate::model::bounds;
use crate::model::queue::{self, Capacities};

/// Where the runtime listens unless told.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:8090";
/// Where it keeps its data unless told.
pub const DEFAULT_DATA: &str = "./tidemill-data";
/// How long running attempts may go on once the process was asked to stop, unless told.
pub const DEFAULT_DRAIN: Duration = Duration::from_secs(25);

/// The settings of a server.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens: a loopback address, unless requests have to say who sends them.
    pub listen: SocketAddr,
    /// Where it listens for gRPC; `None` for nowhere.
    pub grpc_listen: Option<SocketAddr>,
    /// Whether they have to.
    pub authentication: Authentication,
    /// Dialects that it does not speak.
    pub without: Vec<Dialect>,
    /// Names that clients may call it by, besides its addresses.
    pub public_hosts: Vec<String>,
    /// What clients reach it under, as an origin: `https://mill.example`. `None` for its address.
    pub public_url: Option<String>,
    /// What it shows to clients over TLS; `None` for plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Where it keeps what must survive.
    pub keep: Keep,
    /// The file with the key that secrets are sealed with; `None` for one of the server's own.
    pub secret_key_file: Option<PathBuf>,
    /// How many attempts run at once.
    pub concurrency: NonZeroU32,
    /// Steps a chain may have.
    pub hop_limit: u32,
    /// How much is kept of settled invocations of each function, for each way of ending; its age is always said.
    pub retention: queue::Keep,
    /// How much may wait.
    pub capacities: Capacities,
    /// How many times faster than real time the clock runs; for trying out what takes long.
    pub time_scale: NonZeroU32,
    /// How much of the disk the store takes.
    pub disk: Disk,
    /// How long running attempts may go on once the process was asked to stop.
    pub drain: Duration,
    /// Deploy the example functions at start.
    pub examples: bool,
    /// Directories below which functions can be granted any.
    pub directories: Vec<PathBuf>,
    /// Certificates, in PEM, of authorities that functions' requests trust besides the public ones.
    pub outbound_ca: Option<PathBuf>,
    /// Private addresses that webhooks may be sent to: addresses, networks and names, each found to be one.
    pub private_targets: Vec<String>,
    /// How long a delivery is tried before it is given up.
    pub delivery_budget: Duration,
    /// Let guests abort the process, for crash tests.
    pub fault_injection: bool,
    /// Answer `POST /bench/accepted`, for `bench http`.
    pub bench_endpoints: bool,
    /// How modules are compiled and their code kept.
    pub code: Code,
}

/// An API that clients speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Tidemill's own, `/v1`, with the functions' URLs below `/fn`.
    Native,
    /// Huawei's FunctionGraph, `/v2`.
    FunctionGraph,
    /// Queues as AWS has them: POST to paths of one or two segments.
    Sqs,
    /// Yandex Cloud Functions and Serverless Containers: REST, gRPC, and URLs that begin with an id.
    Yandex,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Native, Self::FunctionGraph, Self::Sqs, Self::Yandex];

    /// What it is called on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::FunctionGraph => "functiongraph",
            Self::Sqs => "sqs",
            Self::Yandex => "yandex",
        }
    }
}

/// Whether a server asks who sends requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// It trusts whoever reaches it.
    None,
    /// Requests have to show a token or a signature.
    Required,
}

/// Files, in PEM, for TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, and those that lead from it to an authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// How modules are compiled, and how much of their code is kept in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// This program, which is run as `PROGRAM compile` for each module.
    pub program: PathBuf,
    /// Processor time that compiling one may take.
    pub compile_cpu: Duration,
    /// Address space that compiling one may take, in bytes.
    pub compile_memory: u64,
    /// Bytes of code that stay in memory, ready to run.
    pub loaded_bytes: u64,
    /// Whether components of WASI 0.3 run, which is experimental.
    pub wasi_0_3: bool,
}

/// Where a server keeps its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Nowhere: everything is gone when the process ends.
    Memory,
    /// In this folder.
    Sled(PathBuf),
}

/// How much of the disk a store takes. Past it new work is refused, and what was accepted settles in what is kept in
/// reserve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Bytes of the journal, spares included; `None` leaves it to the disk.
    pub max_bytes: Option<u64>,
    /// Bytes of the file system that stay free.
    pub min_free_bytes: u64,
}

impl Default for Disk {
    fn default() -> Self {
        Self { max_bytes: None, min_free_bytes: bounds::MIN_FREE_BYTES }
    }
}

/// Why settings cannot be true.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConfig {
    /// `--concurrency` is out of range.
    #[error("--concurrency is {0}: use {min} to {max}", min = bounds::RUNTIME_CONCURRENCY.start(), max = bounds::RUNTIME_CONCURRENCY.end())]
    Concurrency(u32),
    /// `--hop-limit` is out of range.
    #[error("--hop-limit is {0}: use {min} to {max}", min = bounds::HOP_LIMIT.start(), max = bounds::HOP_LIMIT.end())]
    HopLimit(u32),
    /// `--retention` is out of range.
    #[error("--retention is {0} s: use up to {max} s (30 days)", max = bounds::RETENTION_S.end())]
    Retention(u64),
    /// A limit is out of range.
    #[error("{flag} is {value}: use {min} to {max}")]
    Capacity {
        /// The flag.
        flag: &'static str,
        /// What was asked for.
        value: u64,
        /// The least it may be.
        min: u64,
        /// The most it may be.
        max: u64,
    },
    /// `--max-disk` is less than what a store needs.
    #[error("--max-disk is {0}: use {min} or more", min = bounds::MIN_DISK_BYTES)]
    Disk(u64),
    /// `--min-free-disk` leaves nothing to make room by.
    #[error(
        "--min-free-disk is {0}: use {min} or more; half of it is for what makes room once no more is taken",
        min = bounds::MIN_DISK_BYTES
    )]
    FreeDisk(u64),
    /// `--public-host` is no host.
    #[error("--public-host is `{0}`: write a name or an address alone, such as `mill.example`")]
    PublicHost(String),
    /// `--public-url` is no URL.
    #[error("--public-url is `{0}`: write `https://` or `http://` and a host, and a port if there is one")]
    PublicUrl(String),
    /// `--time-scale` is out of range.
    #[error("--time-scale is {0}: use {min} to {max}", min = bounds::TIME_SCALE.start(), max = bounds::TIME_SCALE.end())]
    TimeScale(u32),
    /// `--listen` would let others in, and there is nothing to tell them apart.
    #[error(
        "--listen is {0}: without authentication only loopback addresses are allowed, such as {DEFAULT_LISTEN}; ask for it with `--auth`"
    )]
    NotLoopback(SocketAddr),
    /// `--grpc-listen` would do the same.
    #[error(
        "--grpc-listen is {0}: without authentication only loopback addresses are allowed; ask for it with `--auth`, or \
         switch gRPC off with `none`"
    )]
    GrpcNotLoopback(SocketAddr),
}

/// Where gRPC is where nobody says: beside `listen`, on the next port; on any where that is on any, and nowhere where there
/// is no next.
pub fn default_grpc_listen(listen: SocketAddr) -> Option<SocketAddr> {
    let port = if listen.port() == 0 { 0 } else { listen.port().checked_add(1)? };
    Some(SocketAddr::new(listen.ip(), port))
}

impl Config {
    /// The names that clients may call it by.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.public_hosts.iter().map(String::as_str).chain(self.public_url.as_deref().and_then(host_of))
    }

    /// Checks what a type cannot.
    pub fn check(self) -> Result<Self, InvalidConfig> {
        let retention_s = self.retention.age.unwrap_or(bounds::DEFAULT_RETENTION).as_secs();
        check_capacities(&self.capacities)?;
        self.code.check()?;
        within("--delivery-budget", self.delivery_budget.as_secs(), &bounds::DELIVERY_BUDGET_S)?;
        if !bounds::RUNTIME_CONCURRENCY.contains(&self.concurrency.get()) {
            Err(InvalidConfig::Concurrency(self.concurrency.get()))
        } else if !bounds::HOP_LIMIT.contains(&self.hop_limit) {
            Err(InvalidConfig::HopLimit(self.hop_limit))
        } else if !bounds::RETENTION_S.contains(&retention_s) {
            Err(InvalidConfig::Retention(retention_s))
        } else if let Some(bytes) = self.disk.max_bytes.filter(|bytes| *bytes < bounds::MIN_DISK_BYTES) {
            Err(InvalidConfig::Disk(bytes))
        } else if self.disk.min_free_bytes < bounds::MIN_DISK_BYTES {
            Err(InvalidConfig::FreeDisk(self.disk.min_free_bytes))
        } else if let Some(host) = self.public_hosts.iter().find(|host| !is_host(host)) {
            Err(InvalidConfig::PublicHost(host.clone()))
        } else if let Some(url) = self.public_url.as_ref().filter(|url| host_of(url).is_none()) {
            Err(InvalidConfig::PublicUrl(url.clone()))
        } else if !bounds::TIME_SCALE.contains(&self.time_scale.get()) {
            Err(InvalidConfig::TimeScale(self.time_scale.get()))
        } else if !self.listen.ip().is_loopback() && self.authentication == Authentication::None {
            Err(InvalidConfig::NotLoopback(self.listen))
        } else if let Some(grpc) = self.grpc_listen.filter(|grpc| !grpc.ip().is_loopback())
            && self.authentication == Authentication::None
        {
            Err(InvalidConfig::GrpcNotLoopback(grpc))
        } else {
            Ok(self)
        }
    }
}

/// Whether it can be the name in a `Host`: without a scheme, a port, a path.
fn is_host(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    !text.is_empty() && (text.bytes().all(is_part) || text.parse::<std::net::Ipv6Addr>().is_ok())
}

/// The host of an origin; `None` where it is none, or more.
fn host_of(origin: &str) -> Option<&str> {
    let (scheme, authority) = origin.split_once("://")?;
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => host,
        _ => authority,
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    (["http", "https"].contains(&scheme) && is_host(host)).then_some(host)
}

fn check_capacities(capacities: &Capacities) -> Result<(), InvalidConfig> {
    let Capacities { function, namespace, all } = capacities;
    let (counts, sizes) = (&bounds::MAX_QUEUED, &bounds::MAX_QUEUED_BYTES);
    for (flag, value, range) in [
        ("--max-queued", all.count, counts),
        ("--max-queued-bytes", all.bytes, sizes),
        ("--max-queued-per-namespace", namespace.count, counts),
        ("--max-queued-bytes-per-namespace", namespace.bytes, sizes),
        ("--max-queued-per-function", function.count, counts),
        ("--max-queued-bytes-per-function", function.bytes, sizes),
    ] {
        within(flag, value, range)?;
    }
    Ok(())
}

impl Code {
    fn check(&self) -> Result<(), InvalidConfig> {
        within("--compile-cpu", self.compile_cpu.as_secs(), &bounds::COMPILE_CPU_S)?;
        within("--compile-memory", self.compile_memory, &bounds::COMPILE_MEMORY)?;
        within("--loaded-code-bytes", self.loaded_bytes, &bounds::LOADED_CODE_BYTES)
    }
}

fn within(flag: &'static str, value: u64, range: &RangeInclusive<u64>) -> Result<(), InvalidConfig> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(InvalidConfig::Capacity { flag, value, min: *range.start(), max: *range.end() })
}
