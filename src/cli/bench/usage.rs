//! What a process uses: processor time, and room on a disk. Linux tells; other systems tell less.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use rustix::process::Pid;
use rustix::time::{ClockId, clock_gettime};

use crate::cli::error::Error;

/// The units of processor time in `/proc/PID/stat`, a second.
const TICKS: u64 = 100;
/// File systems that are memory: a sync means nothing there.
const MEMORY_FILE_SYSTEMS: [(u64, &str); 2] = [(0x0102_1994, "tmpfs"), (0x8584_58f6, "ramfs")];
/// Units of `st_blocks`.
const BLOCK: u64 = 512;

/// Processor time of this process so far, all threads together.
pub(super) fn own_cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or_default(), nanos.unwrap_or_default())
}

/// Processor time of another process so far, to a hundredth of a second; zero where that is not told.
pub(super) fn cpu_of(process: Option<Pid>) -> Duration {
    let stat = process.and_then(|pid| fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok());
    stat.and_then(|stat| ticks(&stat)).map_or(Duration::ZERO, |ticks| Duration::from_millis(ticks * 1_000 / TICKS))
}

/// The same to the microsecond or so, of those of its threads that still run.
pub(super) fn exact_cpu_of(process: Option<Pid>) -> Duration {
    let tasks = process.and_then(|pid| fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero())).ok());
    let ran = |task: io::Result<fs::DirEntry>| {
        let told = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        told.split_whitespace().next()?.parse::<u64>().ok()
    };
    Duration::from_nanos(tasks.into_iter().flatten().filter_map(ran).sum())
}

/// User and system time in a line of `/proc/PID/stat`. The program's name may have spaces and brackets in it.
fn ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11).map(str::parse::<u64>);
    Some(times.next()?.ok()? + times.next()?.ok()?)
}

/// Bytes that the files below `folder` take on the disk. What goes away meanwhile is not counted.
pub(super) fn disk_bytes(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let sizes = entries.flatten().filter_map(|entry| {
        let metadata = entry.metadata().ok()?;
        Some(if metadata.is_dir() { disk_bytes(&entry.path()) } else { metadata.blocks() * BLOCK })
    });
    sizes.sum()
}

/// Bytes that may still be written where `folder` lies; `u64::MAX` where that is not told.
pub(super) fn free_bytes(folder: &Path) -> u64 {
    rustix::fs::statvfs(folder).map_or(u64::MAX, |room| room.f_bavail.saturating_mul(room.f_frsize))
}

/// Refuses a folder in memory: what is measured there says nothing about a disk.
pub(super) fn refuse_memory(folder: &Path) -> Result<(), Error> {
    let told = rustix::fs::statfs(folder);
    let told = told.map_err(|error| Error::Bench(format!("{}: {}", folder.display(), io::Error::from(error))))?;
    // The width and the sign of the field are the platform's.
    let kind = told.f_type.cast_unsigned() & 0xffff_ffff;
    match MEMORY_FILE_SYSTEMS.iter().find(|(magic, _)| *magic == kind) {
        None => Ok(()),
        Some((_, name)) => Err(Error::Usage(format!(
            "{} is on {name}, that is in memory, where a sync means nothing: name a folder on a disk with --dir",
            folder.display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_behind_a_name_with_brackets() {
        let stat = "7 (a) (b c) S 1 2 3 4 5 6 7 8 9 10 150 25 0 0 20 0 1";
        assert_eq!(ticks(stat), Some(175));
        assert_eq!(ticks("7 (a"), None);
    }

    #[test]
    fn processor_time_of_all_threads_is_read_exactly_where_that_is_told() {
        let own = rustix::process::getpid();
        if !Path::new("/proc/self/task").is_dir() {
            return;
        }
        // This thread is one of them, and what it has used is told up to the last tick at least.
        while clock_gettime(ClockId::ThreadCPUTime).tv_nsec < 50_000_000 {}
        assert!(exact_cpu_of(Some(own)) >= Duration::from_millis(25));
        assert_eq!(exact_cpu_of(None), Duration::ZERO);
    }

    #[test]
    fn what_lies_in_a_folder_is_counted_with_what_lies_deeper() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("deeper")).unwrap();
        fs::write(folder.path().join("deeper/file"), [1; 5_000]).unwrap();
        assert!(disk_bytes(folder.path()) >= 5_000);
        assert_eq!(disk_bytes(&folder.path().join("nothing")), 0);
    }

    #[test]
    fn a_folder_in_memory_is_refused_with_its_name() {
        let memory = Path::new("/dev/shm");
        if memory.is_dir() {
            assert!(refuse_memory(memory).unwrap_err().to_string().contains("/dev/shm is on tmpfs"));
        }
        assert!(refuse_memory(Path::new("/proc")).is_ok());
    }
}
