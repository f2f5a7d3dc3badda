//! `serve`: the settings of a server as they are typed, checked before anything is opened.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::error::Error;
use super::{compile, output, units};
use crate::config::{self, Authentication, Code, Config, Dialect, Disk, Keep, TlsFiles};
use crate::examples;
use crate::model::bounds;
use crate::model::queue::{self, Capacities, Capacity};
use crate::outbound::{Allowed, InvalidAllowed};
use crate::serve::{ServeError, Server, Signals};
use crate::telemetry::{self, LogFormat};

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag by itself")]
pub(super) struct Settings {
    /// Where to listen: a loopback address, or any with --auth
    #[arg(long, value_name = "ADDRESS", default_value = config::DEFAULT_LISTEN)]
    listen: SocketAddr,
    /// Where to listen for gRPC (clients of Yandex Cloud), or `none` [default: the port after that of --listen]
    #[arg(long, value_name = "ADDRESS|none", value_parser = grpc_listen)]
    grpc_listen: Option<GrpcListen>,
    /// A dialect that it is not to speak: `native`, `functiongraph`, `sqs` or `yandex`; may be given again
    #[arg(long, value_name = "DIALECT", value_parser = dialect, value_delimiter = ',')]
    without: Vec<Dialect>,
    /// A name that clients may call it by, besides its addresses and `localhost`; may be given again
    #[arg(long, value_name = "NAME", help_heading = "Who may reach it")]
    public_host: Vec<String>,
    /// What others reach it under, where that is not its own address, such as `https://mill.example`: for the URLs that it
    /// hands out [default: the first --public-host with the port of --listen, or else that address]
    #[arg(long, value_name = "URL", help_heading = "Who may reach it")]
    public_url: Option<String>,
    /// The certificate to show over TLS, in PEM, with those that lead from it to an authority; read again on SIGHUP
    #[arg(long, value_name = "FILE", requires = "tls_key", help_heading = "Who may reach it")]
    tls_cert: Option<PathBuf>,
    /// Its private key, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert", help_heading = "Who may reach it")]
    tls_key: Option<PathBuf>,
    /// The folder for what must survive [default: ./tidemill-data]
    #[arg(long, value_name = "DIRECTORY")]
    data: Option<PathBuf>,
    /// What keeps it
    #[arg(long, value_name = "KIND", value_enum, default_value_t = Store::Sled)]
    store: Store,
    /// The file with the key that secrets are sealed with, 32 bytes [default: secret.key in the folder, made when the
    /// first secret is set]
    #[arg(long, value_name = "FILE")]
    secret_key_file: Option<PathBuf>,
    /// Deploy the example functions
    #[arg(long)]
    examples: bool,
    /// How many attempts run at once
    #[arg(
        long,
        value_name = "N",
        default_value_t = default_concurrency(),
        value_parser = from_one(bounds::RUNTIME_CONCURRENCY)
    )]
    concurrency: NonZeroU32,
    /// Steps that a chain of invocations may have
    #[arg(long, value_name = "N", default_value_t = bounds::DEFAULT_HOP_LIMIT)]
    hop_limit: u32,
    /// How long settled invocations can be looked up
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = units::duration)]
    retention: Duration,
    /// How many settled invocations of a function are kept, for each way of ending
    #[arg(long, value_name = "N")]
    retention_count: Option<u64>,
    /// How many bytes of settled invocations of a function are kept, for each way of ending
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    retention_bytes: Option<u64>,
    /// How many invocations may wait, in all
    #[arg(long, value_name = "N", default_value_t = bounds::DEFAULT_MAX_QUEUED)]
    max_queued: u64,
    /// How many bytes of payloads may wait, in all
    #[arg(long, value_name = "SIZE", default_value_t = bounds::DEFAULT_MAX_QUEUED_BYTES, value_parser = units::size)]
    max_queued_bytes: u64,
    /// How many invocations of one namespace may wait [default: as many as in all]
    #[arg(long, value_name = "N")]
    max_queued_per_namespace: Option<u64>,
    /// How many bytes of payloads of one namespace may wait [default: as many as in all]
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    max_queued_bytes_per_namespace: Option<u64>,
    /// How many invocations of one function may wait, unless it has a limit of its own [default: as many as in all]
    #[arg(long, value_name = "N")]
    max_queued_per_function: Option<u64>,
    /// How many bytes of payloads of one function may wait, unless it has a limit of its own [default: as many as in all]
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    max_queued_bytes_per_function: Option<u64>,
    /// How many bytes the journal may take, at least 96MiB [default: what the disk has]
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    max_disk: Option<u64>,
    /// How many bytes of the disk stay free, at least 96MiB; past that, and past --max-disk, new work is refused
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = units::size)]
    min_free_disk: u64,
    /// How much processor time compiling one module may take, such as `2m`
    #[arg(long, value_name = "DURATION", default_value = "120s", value_parser = units::duration)]
    compile_cpu: Duration,
    /// How much address space compiling one module may take
    #[arg(long, value_name = "SIZE", default_value = "4GiB", value_parser = units::size)]
    compile_memory: u64,
    /// How many bytes of compiled code stay in memory, ready to run; the rest is on disk
    #[arg(long, value_name = "SIZE", default_value_t = bounds::DEFAULT_LOADED_CODE_BYTES, value_parser = units::size)]
    loaded_code_bytes: u64,
    /// How long running attempts may go on once the server is to stop
    #[arg(long, value_name = "DURATION", default_value = "25s", value_parser = units::duration)]
    drain: Duration,
    /// A directory below which functions may be granted any (`deploy --allow-dir`); may be given again [default: none]
    #[arg(long, value_name = "DIRECTORY", help_heading = "What functions may be granted")]
    allow_dir: Vec<PathBuf>,
    /// Certificates of authorities, in PEM, that requests of functions and webhooks trust besides the public ones
    #[arg(long, value_name = "FILE", help_heading = "What functions may be granted")]
    outbound_ca: Option<PathBuf>,
    /// Run components of WASI 0.3 (`wasi:http/handler`, `tidemill:function/handler-async`). wasmtime calls its part of it
    /// experimental, and publishes no security fixes for it alone: only for functions that are trusted
    #[arg(long = "wasi-0.3", help_heading = "What functions may be granted")]
    wasi_0_3: bool,
    /// Private addresses that webhooks, callbacks and connections may lead to: `10.0.0.7`, `10.1.0.0/16`, `db.internal`,
    /// `*.internal` [default: none]
    #[arg(long, value_name = "HOST|CIDR,..", value_parser = allowed, help_heading = "Deliveries")]
    allow_private_targets: Vec<String>,
    /// How long a delivery is tried before it is given up and kept as dead
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "24h",
        value_parser = units::duration,
        help_heading = "Deliveries"
    )]
    delivery_budget: Duration,
    /// Run the clock N times faster, 1 to 36000, so that an hour of retries or of retention passes in seconds. Guests
    /// and sockets keep the real time. Only with data that is thrown away: its times lie in the future afterwards
    #[arg(
        long,
        value_name = "N",
        default_value_t = NonZeroU32::MIN,
        value_parser = from_one(bounds::TIME_SCALE),
        help_heading = "For trying things out"
    )]
    time_scale: NonZeroU32,
    /// Let functions abort the process, for crash tests
    #[arg(long, hide = true)]
    fault_injection: bool,
    /// Answer what only a bench asks for
    #[arg(long, hide = true)]
    bench_endpoints: bool,
}

/// The kinds of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Store {
    /// Nothing does: all is gone when the server ends
    Memory,
    /// A database in the folder
    Sled,
}

/// Checks what may be reached; it is read again where it is needed.
fn allowed(text: &str) -> Result<String, InvalidAllowed> {
    Allowed::of(&[text.to_owned()]).map(|_| text.to_owned())
}

/// Reads what is no number from 1 on, such as 0, with the range that there is.
fn from_one(range: RangeInclusive<u32>) -> impl Fn(&str) -> Result<NonZeroU32, String> + Clone {
    move |text| text.parse().map_err(|_| format!("use {} to {}", range.start(), range.end()))
}

fn default_concurrency() -> NonZeroU32 {
    NonZeroU32::new(bounds::DEFAULT_RUNTIME_CONCURRENCY).expect("the default is not zero")
}

impl Settings {
    /// Serves until the process is told to stop, and asks who sends requests if it is to `authenticate`. `log_filter` and
    /// `log_format` are for its log.
    pub(super) fn run(self, authenticate: bool, log_filter: &str, log_format: LogFormat) -> Result<(), Error> {
        let config = self.config(authenticate)?;
        telemetry::start(log_filter, log_format).map_err(|error| Error::Usage(error.to_string()))?;
        start(&config)
    }

    fn config(self, authenticate: bool) -> Result<Config, Error> {
        let (retention, capacities, code) = (self.keep(), self.capacities(), self.code()?);
        let config = Config {
            listen: self.listen,
            grpc_listen: match self.grpc_listen {
                _ if self.without.contains(&Dialect::Yandex) => None,
                None => config::default_grpc_listen(self.listen),
                Some(GrpcListen::Nowhere) => None,
                Some(GrpcListen::At(address)) => Some(address),
            },
            authentication: if authenticate { Authentication::Required } else { Authentication::None },
            without: self.without,
            public_hosts: self.public_host,
            public_url: self.public_url,
            tls: self.tls_cert.zip(self.tls_key).map(|(certificate, key)| TlsFiles { certificate, key }),
            keep: keep(self.store, self.data)?,
            secret_key_file: self.secret_key_file,
            concurrency: self.concurrency,
            hop_limit: self.hop_limit,
            retention,
            capacities,
            disk: Disk { max_bytes: self.max_disk, min_free_bytes: self.min_free_disk },
            time_scale: self.time_scale,
            drain: self.drain,
            examples: self.examples,
            directories: self.allow_dir,
            outbound_ca: self.outbound_ca,
            private_targets: self.allow_private_targets,
            delivery_budget: self.delivery_budget,
            fault_injection: self.fault_injection,
            bench_endpoints: self.bench_endpoints,
            code,
        };
        config.check().map_err(|error| Error::Usage(error.to_string()))
    }
}

impl Settings {
    const fn keep(&self) -> queue::Keep {
        queue::Keep { age: Some(self.retention), count: self.retention_count, bytes: self.retention_bytes }
    }

    fn code(&self) -> Result<Code, Error> {
        Ok(Code {
            program: compile::this_program()?,
            compile_cpu: self.compile_cpu,
            compile_memory: self.compile_memory,
            loaded_bytes: self.loaded_code_bytes,
            wasi_0_3: self.wasi_0_3,
        })
    }

    fn capacities(&self) -> Capacities {
        let all = Capacity { count: self.max_queued, bytes: self.max_queued_bytes };
        let of = |count: Option<u64>, bytes: Option<u64>| Capacity {
            count: count.unwrap_or(all.count),
            bytes: bytes.unwrap_or(all.bytes),
        };
        Capacities {
            function: of(self.max_queued_per_function, self.max_queued_bytes_per_function),
            namespace: of(self.max_queued_per_namespace, self.max_queued_bytes_per_namespace),
            all,
        }
    }
}

fn dialect(text: &str) -> Result<Dialect, String> {
    let names = || Dialect::ALL.map(Dialect::as_str).join("`, `");
    Dialect::ALL.into_iter().find(|dialect| dialect.as_str() == text).ok_or_else(|| format!("use `{}`", names()))
}

/// Where gRPC is to be, as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GrpcListen {
    Nowhere,
    At(SocketAddr),
}

fn grpc_listen(text: &str) -> Result<GrpcListen, String> {
    match text.parse() {
        Ok(address) => Ok(GrpcListen::At(address)),
        Err(_) if text == "none" => Ok(GrpcListen::Nowhere),
        Err(error) => Err(format!("{error}: use an address such as 127.0.0.1:8091, or `none`")),
    }
}

fn keep(store: Store, data: Option<PathBuf>) -> Result<Keep, Error> {
    match (store, data) {
        (Store::Memory, None) => Ok(Keep::Memory),
        (Store::Memory, Some(_)) => {
            Err(Error::Usage("--store memory keeps nothing: leave out --data, or keep it with --store sled".to_owned()))
        }
        (Store::Sled, data) => Ok(Keep::Sled(data.unwrap_or_else(|| config::DEFAULT_DATA.into()))),
    }
}

/// Files that a server may want open: connections, and one for each module that is loaded.
const OPEN_FILES: u64 = 65_536;

/// Lets this process have as many open files as the system allows: it begins with few, for the sake of old programs.
fn allow_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(OPEN_FILES, |maximum| maximum.min(OPEN_FILES));
    if limit.current.is_some_and(|current| current < wanted)
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit })
    {
        tracing::warn!(%error, limit = limit.current, "the limit on open files cannot be raised");
    }
}

/// Runs a server until it is told to stop.
fn start(config: &Config) -> Result<(), Error> {
    allow_open_files();
    let failed = |error: ServeError| Error::Serve(Box::new(error));
    let threads = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let threads = threads.map_err(|error| Error::Serve(Box::new(error)))?;
    threads.block_on(async {
        let signals = Signals::listen().map_err(failed)?;
        let server = Server::start(config).await.map_err(failed)?;
        // Tests and scripts read this line for the port.
        let scheme = if config.tls.is_some() { "https" } else { "http" };
        let grpc = server.grpc_address.map_or(String::new(), |address| format!("\ntidemill answers gRPC on {address}"));
        output::line(&format!("tidemill listens on {scheme}://{}{grpc}", server.address))?;
        if config.examples {
            let deployed = examples::deploy(&server.runtime).await.map_err(|error| Error::Serve(Box::new(error)))?;
            let certificate = config.tls.as_ref().map(|tls| tls.certificate.as_path());
            let way = examples::Way { url: &server.url, certificate, token: server.admin_token.as_deref() };
            output::line(&deployed.commands(&way))?;
        }
        server.run(signals).await.map_err(failed)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory as _, Parser};

    #[derive(Parser)]
    struct Typed {
        #[command(flatten)]
        settings: Settings,
    }

    fn config(typed: &[&str]) -> Result<Config, String> {
        let typed = Typed::try_parse_from(std::iter::once(&"test").chain(typed)).map_err(|error| error.to_string())?;
        typed.settings.config(false).map_err(|error| error.to_string())
    }

    #[test]
    fn the_defaults_are_those_of_the_configuration() {
        let config = config(&[]).unwrap();
        assert_eq!(config.listen.to_string(), config::DEFAULT_LISTEN);
        assert_eq!(config.grpc_listen.map(|address| address.to_string()).as_deref(), Some("127.0.0.1:8091"));
        assert_eq!(config.keep, Keep::Sled(config::DEFAULT_DATA.into()));
        assert_eq!(config.concurrency.get(), bounds::DEFAULT_RUNTIME_CONCURRENCY);
        let day = queue::Keep { age: Some(bounds::DEFAULT_RETENTION), ..queue::Keep::default() };
        assert_eq!((config.retention, config.drain), (day, config::DEFAULT_DRAIN));
        assert_eq!((config.capacities, config.time_scale.get()), (Capacities::default(), 1));
        assert_eq!(config.disk, Disk::default());
        assert!(!config.examples && !config.fault_injection && !config.bench_endpoints);
    }

    #[test]
    fn every_setting_can_be_typed() {
        let typed = [
            ["--listen", "[::1]:0"],
            ["--grpc-listen", "none"],
            ["--without", "sqs,native"],
            ["--data", "/d"],
            ["--concurrency", "2"],
            ["--hop-limit", "3"],
            ["--retention", "0"],
            ["--retention-count", "4"],
            ["--retention-bytes", "5"],
            ["--max-queued", "6"],
            ["--max-queued-bytes", "7"],
            ["--max-queued-per-namespace", "8"],
            ["--max-queued-bytes-per-function", "9"],
            ["--time-scale", "10"],
            ["--max-disk", "100663296"],
            ["--min-free-disk", "100663297"],
            ["--compile-cpu", "12s"],
            ["--compile-memory", "1GiB"],
            ["--loaded-code-bytes", "134217728"],
            ["--drain", "1500ms"],
            ["--allow-dir", "/in"],
            ["--allow-dir", "/out"],
            ["--outbound-ca", "/ca.pem"],
            ["--public-host", "mill.example"],
            ["--public-url", "https://mill.example:8443"],
            ["--tls-cert", "/cert.pem"],
            ["--tls-key", "/key.pem"],
            ["--allow-private-targets", "10.0.0.0/8,localhost"],
            ["--delivery-budget", "13s"],
        ];
        let config =
            config(&[typed.as_flattened(), &["--examples", "--fault-injection", "--bench-endpoints"]].concat())
                .unwrap();
        assert_eq!(config.hosts().collect::<Vec<_>>(), ["mill.example", "mill.example"]);
        assert_eq!((config.listen.to_string().as_str(), config.keep), ("[::1]:0", Keep::Sled("/d".into())));
        assert_eq!((config.grpc_listen, config.without), (None, vec![Dialect::Sqs, Dialect::Native]));
        assert_eq!((config.concurrency.get(), config.hop_limit), (2, 3));
        let kept = queue::Keep { age: Some(Duration::ZERO), count: Some(4), bytes: Some(5) };
        assert_eq!((config.retention, config.drain), (kept, Duration::from_millis(1_500)));
        let capacity = |count, bytes| Capacity { count, bytes };
        let Capacities { function, namespace, all } = config.capacities;
        assert_eq!((all, namespace, function), (capacity(6, 7), capacity(8, 7), capacity(6, 9)));
        assert_eq!(config.time_scale.get(), 10);
        assert_eq!(
            config.disk,
            Disk { max_bytes: Some(bounds::MIN_DISK_BYTES), min_free_bytes: bounds::MIN_DISK_BYTES + 1 }
        );
        let Code { compile_cpu, compile_memory, loaded_bytes, .. } = config.code;
        assert_eq!((compile_cpu.as_secs(), compile_memory, loaded_bytes), (12, 1 << 30, 128 << 20));
        assert!(config.examples && config.fault_injection && config.bench_endpoints);
        assert_eq!(config.directories, [PathBuf::from("/in"), PathBuf::from("/out")]);
        assert_eq!(
            (config.private_targets, config.delivery_budget.as_secs()),
            (vec!["10.0.0.0/8,localhost".into()], 13)
        );
        assert_eq!(config.outbound_ca, Some(PathBuf::from("/ca.pem")));
        let tls = TlsFiles { certificate: "/cert.pem".into(), key: "/key.pem".into() };
        assert_eq!((config.tls, config.public_url.as_deref()), (Some(tls), Some("https://mill.example:8443")));
        let anywhere = Typed::try_parse_from(["test", "--listen", "0.0.0.0:80"]).unwrap();
        let required = anywhere.settings.config(true).unwrap().authentication;
        assert_eq!((config.authentication, required), (Authentication::None, Authentication::Required));
        assert_eq!(self::config(&["--store", "memory"]).unwrap().keep, Keep::Memory);
    }

    #[test]
    fn the_help_shows_how_to_make_the_clock_run_faster_and_warns_of_it() {
        let help = Typed::command().term_width(0).render_help().to_string();
        let (_, trying) = help.split_once("For trying things out:").unwrap();
        assert!(trying.contains("--time-scale <N>") && trying.contains("1 to 36000"), "{trying}");
        assert!(trying.contains("Only with data that is thrown away"), "{trying}");
    }

    #[test]
    fn grpc_is_beside_http_unless_it_is_told_otherwise() {
        let check = |typed: &[&str], expected: &str| {
            let told = config(typed).unwrap().grpc_listen.map_or("none".to_owned(), |address| address.to_string());
            assert_eq!(told, expected, "{typed:?}");
        };
        check(&["--listen", "127.0.0.1:0"], "127.0.0.1:0");
        check(&["--listen", "[::1]:9000"], "[::1]:9001");
        check(&["--listen", "127.0.0.1:65535"], "none");
        check(&["--grpc-listen", "127.0.0.1:7"], "127.0.0.1:7");
    }

    #[track_caller]
    fn check_refused(typed: &[&str], part: &str) {
        let error = config(typed).unwrap_err();
        assert!(error.contains(part), "{error}");
    }

    #[test]
    fn what_cannot_be_true_is_refused_with_the_flag() {
        check_refused(&["--listen", "0.0.0.0:80"], "--listen is 0.0.0.0:80");
        check_refused(&["--listen", "localhost"], "--listen");
        check_refused(&["--min-free-disk", "1MiB"], "--min-free-disk is 1048576: use 100663296 or more");
        check_refused(&["--public-host", "http://mill.example"], "--public-host is `http://mill.example`");
        check_refused(&["--public-host", "mill.example:80"], "--public-host is `mill.example:80`");
        for url in ["mill.example", "ftp://mill.example", "https://mill.example/a", "https://", "https://a b"] {
            check_refused(&["--public-url", url], &format!("--public-url is `{url}`"));
        }
        check_refused(&["--grpc-listen", "0.0.0.0:81"], "--grpc-listen is 0.0.0.0:81");
        check_refused(&["--grpc-listen", "off"], "or `none`");
        check_refused(&["--without", "soap"], "`functiongraph`");
        check_refused(&["--concurrency", "0"], "use 1 to");
        check_refused(&["--hop-limit", "101"], "--hop-limit is 101");
        check_refused(&["--retention", "31d"], "--retention is");
        check_refused(&["--max-queued-bytes-per-namespace", "0"], "--max-queued-bytes-per-namespace is 0: use 1 to");
        check_refused(&["--compile-cpu", "0s"], "--compile-cpu is 0: use 1 to");
        check_refused(&["--compile-memory", "1MiB"], "--compile-memory is 1048576: use");
        check_refused(&["--loaded-code-bytes", "1"], "--loaded-code-bytes is 1: use");
        check_refused(&["--delivery-budget", "0s"], "--delivery-budget is 0: use 1 to");
        check_refused(&["--allow-private-targets", "10.0.0.0/33"], "`10.0.0.0/33` is no address");
        check_refused(&["--time-scale", "36001"], "--time-scale is 36001");
        check_refused(&["--time-scale", "0"], "use 1 to 36000");
        check_refused(&["--store", "memory", "--data", "/d"], "--store memory keeps nothing");
    }
}
