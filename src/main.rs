//! The program: everything is in the library, so that tests can reach it.

use std::process::ExitCode;

/// Work goes from thread to thread here: a request's bytes are freed by the thread that wrote them to disk. The system's
/// allocator takes locks for that; this one hands the memory back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tidemill::cli::main()
}
