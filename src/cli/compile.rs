//! `compile`: one module to native code, within limits that the process sets on itself. A server runs it for each
//! module that is deployed; people run it to have the work done elsewhere, or beforehand.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, nice, setrlimit};

use super::error::Error;
use super::{output, units};
use crate::engine::{self, Build, Compiled, Flavor, Told};
use crate::model::bounds;

#[derive(Debug, Args)]
pub(super) struct Compile {
    /// The module: a core module or a component, as `.wasm`; `-` is standard input
    file: PathBuf,
    /// Where the code goes: a file, a folder, where it gets the name that servers look for, or `-` for standard output
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    #[command(flatten)]
    build: BuildFlags,
    /// How much processor time it may take, such as `2m` [default: no limit]
    #[arg(long, value_name = "DURATION", value_parser = units::duration)]
    max_cpu: Option<Duration>,
    /// How much address space it may take, such as `4GiB`; less than 2GiB is too little [default: no limit]
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    max_memory: Option<u64>,
    /// Tell a refusal as JSON, and stand back for everything else on the machine
    #[arg(long, hide = true)]
    report: bool,
}

// How the code is to be made: as the version asks that it is for.
#[derive(Clone, Copy, Debug, Args)]
struct BuildFlags {
    /// Keep debug information, for versions that are deployed with `--debug-info`
    #[arg(long)]
    debug_info: bool,
    /// Have each instruction use up fuel, for versions that are deployed with `--fuel`
    #[arg(long)]
    fuel: bool,
    /// Compile a component of WASI 0.3
    #[arg(long = "wasi-0.3")]
    wasi_0_3: bool,
}

impl BuildFlags {
    const fn meant(self) -> Build {
        Build {
            debug_info: self.debug_info,
            flavor: Flavor { fuel: self.fuel, concurrent: self.wasi_0_3, dumps: false },
        }
    }
}

/// Address space below which not even the threads start that compile. A server gives them less to take for themselves.
const LEAST_MEMORY: u64 = 2 * 1_024 * 1_024 * 1_024;

/// Lower priority, of a compilation that a server has begun.
const NICE: i32 = 10;

impl Compile {
    pub(super) fn run(self) -> Result<(), Error> {
        if let Some(memory) = self.max_memory.filter(|memory| *memory < LEAST_MEMORY && !self.report) {
            let (memory, least) = (units::show_size(memory), units::show_size(LEAST_MEMORY));
            return Err(Error::Usage(format!("--max-memory is {memory}: give it at least {least} of address space")));
        }
        self.limit().map_err(|error| Error::Usage(format!("the limits cannot be set: {error}")))?;
        let module = self.read()?;
        match engine::compile(&module, self.build.meant()) {
            Ok(compiled) => self.write(&compiled),
            Err(refused) if self.report => {
                let mut stderr = io::stderr().lock();
                drop(stderr.write_all(Told::of(refused.clone()).line().as_bytes()));
                Err(Error::Told)
            }
            Err(refused) => Err(Error::Uncompiled(refused)),
        }
    }

    /// Before anything is read: what comes then may be hostile.
    fn limit(&self) -> io::Result<()> {
        if let Some(cpu) = self.max_cpu {
            // At the second limit the signal is the one that everything else is ended by, too.
            let seconds = cpu.as_secs().max(1);
            at_most(Resource::Cpu, seconds, seconds + 1)?;
        }
        if let Some(memory) = self.max_memory {
            at_most(Resource::As, memory, memory)?;
        }
        if self.report {
            at_most(Resource::Core, 0, 0)?; // a crash is expected, and would write gigabytes
            nice(NICE)?;
            // Where memory ends all the same, this is the process to end; a kernel without the file decides by itself.
            let _ = fs::write("/proc/self/oom_score_adj", "1000");
        }
        Ok(())
    }

    /// The module, and one byte more than a module may have where it is longer.
    fn read(&self) -> Result<Vec<u8>, Error> {
        let unreadable = |cause| Error::Unreadable { path: self.file.clone(), cause };
        let (mut module, most) = (Vec::new(), bounds::MAX_MODULE_BYTES as u64 + 1);
        if is_dash(&self.file) {
            io::stdin().lock().take(most).read_to_end(&mut module).map_err(unreadable)?;
        } else {
            File::open(&self.file).and_then(|file| file.take(most).read_to_end(&mut module)).map_err(unreadable)?;
        }
        Ok(module)
    }

    fn write(&self, compiled: &Compiled) -> Result<(), Error> {
        if is_dash(&self.output) {
            return compiled.write_to(&mut io::stdout().lock()).map_err(Error::Output);
        }
        let path = if self.output.is_dir() { self.output.join(compiled.name()) } else { self.output.clone() };
        replace(&path, compiled).map_err(|cause| Error::Unwritable { path: path.clone(), cause })?;
        output::line(&format!("{} is compiled", path.display()))
    }
}

/// Lowers a limit, for now and for good; one that is lower already stays.
fn at_most(resource: Resource, current: u64, maximum: u64) -> io::Result<()> {
    let most = getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let limit = Rlimit { current: Some(current.min(most)), maximum: Some(maximum.min(most)) };
    Ok(setrlimit(resource, limit)?)
}

/// The file is whole or as it was.
fn replace(path: &Path, compiled: &Compiled) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix("unfinished-").tempfile_in(folder)?;
    compiled.write_to(&mut file)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn is_dash(path: &Path) -> bool {
    path.as_os_str() == OsStr::new("-")
}

/// This program, also after its file was replaced by another version: that one compiles what this one cannot map.
pub(super) fn this_program() -> Result<PathBuf, Error> {
    let running = Path::new("/proc/self/exe");
    if fs::exists(running).unwrap_or(false) {
        return Ok(running.to_owned());
    }
    let unknown = |error| Error::Serve(format!("it cannot find its own program, which is to compile: {error}").into());
    std::env::current_exe().map_err(unknown)
}
