//! A process's memory, as Linux tells it; other systems tell nothing here.

use rustix::process::Pid;

/// Makes the peak start anew, when written to `clear_refs`.
const RESET_PEAK: &str = "5";

/// Bytes of memory that the server had, where the system tells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    /// Before the hostile functions.
    pub(super) before: Option<u64>,
    /// The most that it had at any time beside them.
    pub(super) peak: Option<u64>,
}

/// What it has.
pub(super) async fn resident(process: Option<Pid>) -> Option<u64> {
    read("VmRSS:", &tokio::fs::read_to_string(path(process?, "status")).await.ok()?)
}

/// The most that it had since that was last forgotten.
pub(super) async fn peak(process: Option<Pid>) -> Option<u64> {
    read("VmHWM:", &tokio::fs::read_to_string(path(process?, "status")).await.ok()?)
}

/// Forgets the most that it had. Where that is not allowed, the peak is that of the process's whole life.
pub(super) async fn forget_peak(process: Option<Pid>) {
    if let Some(process) = process {
        let _ = tokio::fs::write(path(process, "clear_refs"), RESET_PEAK).await;
    }
}

fn path(process: Pid, file: &str) -> String {
    format!("/proc/{}/{file}", process.as_raw_nonzero())
}

fn read(name: &str, status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    kib.checked_mul(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_kib() {
        let status = "Name:\ttidemill\nVmHWM:\t   20480 kB\nVmRSS:\t     512 kB\n";
        assert_eq!(read("VmHWM:", status), Some(20 << 20));
        assert_eq!(read("VmRSS:", status), Some(512 << 10));
        assert_eq!(read("VmSwap:", status), None);
    }
}
