//! A compilation in a child process, which is this program again: the module goes in on standard input, the code comes
//! out on standard output and is written by the server, and a refusal on standard error.
//!
//! The child limits itself before it reads anything. What it dies of is the module's refusal, as far as one can tell, and costs
//! the server a process.

use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};

use super::apart::Told;
use super::{failed, unwritten};
use crate::engine::build::Build;
use crate::engine::guests::cores;
use crate::engine::refused::Refused;
use crate::engine::seal::SEAL_BYTES;
use crate::engine::settings::CompilerProgram;
use crate::model::bounds;

/// What is read of what a child says; a refusal is bounded by [`bounds::MAX_MESSAGE_BYTES`].
const SAID_BYTES: u64 = 64 * 1_024;
/// What is read of the code; a child refuses to give more.
const CODE_BYTES: u64 = (bounds::MAX_COMPILED_MODULE_BYTES + SEAL_BYTES) as u64;
/// What is read and written of it at once: what a pipe holds.
const PIECE_BYTES: usize = 64 * 1_024;
/// What a child may say at the end of a message of ours.
const QUOTED_BYTES: usize = 300;

/// Compiles `module` into `out`. Dropping the future ends the child.
pub(super) async fn compile(program: &CompilerProgram, build: Build, module: Bytes, out: &File) -> Result<(), Refused> {
    let out = out.try_clone().map_err(|error| unwritten(&error))?;
    let mut child = command(program, build).spawn().map_err(|error| failed(&error))?;
    let patience = program.cpu * bounds::COMPILE_PATIENCE;
    let ended = tokio::time::timeout(patience, talk(&mut child, module, out)).await;
    let (status, said) = match ended {
        Ok(ended) => ended.map_err(|error| unwritten(&error))?,
        Err(_elapsed) => {
            child.kill().await.map_err(|error| failed(&error))?;
            let detail = format!("more than {} seconds on a machine that is busy", patience.as_secs());
            return Err(Refused::TooCostly { detail });
        }
    };
    if status.success() { Ok(()) } else { Err(refusal(program, status, &said)) }
}

fn command(program: &CompilerProgram, build: Build) -> Command {
    let mut command = Command::new(&program.program);
    command
        .args(["compile", "-", "--output", "-", "--report"])
        .args(["--max-cpu", &format!("{}s", program.cpu.as_secs())])
        .args(["--max-memory", &program.memory_bytes.to_string()])
        .args(build.debug_info.then_some("--debug-info"))
        .args(build.flavor.fuel.then_some("--fuel"))
        .args(build.flavor.concurrent.then_some("--wasi-0.3"))
        .env_clear()
        .env("RAYON_NUM_THREADS", cores().min(bounds::MAX_COMPILE_THREADS).to_string())
        .env("MIMALLOC_ARENA_RESERVE", "16MiB") // of its address space, which is limited; a gigabyte unless told
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Gives the child its module, writes its code to `out`, and waits for what it says and for its end.
async fn talk(child: &mut Child, module: Bytes, out: File) -> std::io::Result<(ExitStatus, String)> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let give = async {
        if let Some(mut stdin) = stdin {
            // A child that does not want all of it says why.
            drop(stdin.write_all(&module).await);
            drop(stdin.shutdown().await);
        }
    };
    let listen = async {
        let mut said = Vec::new();
        if let Some(stderr) = stderr {
            drop(stderr.take(SAID_BYTES).read_to_end(&mut said).await);
        }
        String::from_utf8_lossy(&said).into_owned()
    };
    let take = async {
        let mut out = tokio::fs::File::from_std(out);
        if let Some(stdout) = stdout {
            let mut code = BufReader::with_capacity(PIECE_BYTES, stdout.take(CODE_BYTES));
            tokio::io::copy_buf(&mut code, &mut out).await?;
        }
        out.flush().await
    };
    let ((), said, taken) = tokio::join!(give, listen, take);
    let status = child.wait().await?;
    taken?;
    Ok((status, said))
}

/// What the end of a child means that has compiled nothing.
fn refusal(program: &CompilerProgram, status: ExitStatus, said: &str) -> Refused {
    let too_costly = |detail: String| Refused::TooCostly { detail };
    let out_of_memory = || too_costly(format!("more than {} bytes of memory", program.memory_bytes));
    if let Some(refused) = Told::read(said) {
        return match refused {
            Refused::Malformed { detail } if lacks_memory(&detail) => out_of_memory(),
            refused => refused,
        };
    }
    let last = said.lines().last().unwrap_or_default();
    let last = &last[..last.floor_char_boundary(QUOTED_BYTES)];
    match status.signal() {
        Some(XCPU) => too_costly(format!("more than {} seconds of processor time", program.cpu.as_secs())),
        _ if lacks_memory(said) => out_of_memory(),
        Some(KILL) => too_costly("the system ended the compiler, as it does when memory is short".to_owned()),
        Some(signal) => {
            tracing::warn!(signal, said = last, "the compiler crashed");
            too_costly(format!("the compiler crashed on it (signal {signal})"))
        }
        None => failed(&format!("{status}: {last}")),
    }
}

const KILL: i32 = 9;
const XCPU: i32 = 24;

/// How the standard library, wasmtime and the system say that there is no more memory, for a thread's stack included.
fn lacks_memory(said: &str) -> bool {
    let of_the_system = ["Cannot allocate memory", "(os error 12)", "Resource temporarily unavailable"];
    let ours = ["memory allocation of", "out of memory"];
    of_the_system.iter().chain(&ours).any(|part| said.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(raw: i32, said: &str) -> String {
        let program =
            CompilerProgram { program: "tidemill".into(), cpu: std::time::Duration::from_secs(7), memory_bytes: 1_000 };
        refusal(&program, ExitStatus::from_raw(raw), said).to_string()
    }

    #[test]
    fn each_way_a_compiler_ends_is_told_as_what_was_too_much() {
        const ABORT: i32 = 6;
        const FAILED: i32 = 101 << 8;
        let check = |raw, said, expected: &str| {
            let told = told(raw, said);
            assert!(told.contains(expected), "{told}");
        };
        check(XCPU, "", "takes too much: more than 7 seconds of processor time");
        check(KILL, "", "takes too much: the system ended the compiler");
        check(ABORT, "memory allocation of 8 bytes failed\n", "takes too much: more than 1000 bytes of memory");
        check(FAILED, "thread: Os { message: \"Resource temporarily unavailable\" }", "1000 bytes of memory");
        check(FAILED, r#"{"malformed":{"detail":"x: Cannot allocate memory"}}"#, "1000 bytes of memory");
        check(ABORT, "stack overflow, aborting", "takes too much: the compiler crashed on it (signal 6)");
        check(FAILED, "a\nit panicked", "the compiler failed: exit status: 101: it panicked");
        check(4 << 8, r#"{"malformed":{"detail":"it is empty"}}"#, "not a valid WebAssembly module: it is empty");
    }
}
