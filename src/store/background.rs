//! Threads whose work can be late, while others wait for the processor. Decides nothing but by how much they stand back.

use rustix::process::setpriority_process;

/// How nice they are, of 19. Where there is no processor to spare they get a quarter of what others get: enough to keep
/// up in the long run, and nobody who waits for a commit waits for a time slice of theirs as well.
const NICENESS: i32 = 6;

/// Has the calling thread stand back for the rest of its life. Where the system refuses, it does not.
pub(super) fn stand_back() {
    // On Linux "the calling process" is the calling thread here.
    if let Err(error) = setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "a thread that could be late is not");
    }
}
