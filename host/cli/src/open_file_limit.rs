//! The limit on open files of the process, and its descriptor table.

use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The largest descriptor table that is allocated in advance. It takes 8 bytes of kernel memory per descriptor, so 512 KiB.
const MAX_TABLE: u64 = 1 << 16;

/// Raises the limit on open files to the maximum, if possible, and returns it. The lower initial limit exists for programs that use
/// select(2).
pub fn allowed_files() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum && setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok() {
        return maximum.unwrap_or(u64::MAX);
    }
    current.unwrap_or(u64::MAX)
}

/// Makes the kernel allocate the table for all allowed descriptors, up to [`MAX_TABLE`].
///
/// The kernel doubles the table as more files are opened. In a process with several threads, it waits for an RCU grace period each time,
/// which blocks the thread that opens a file for 10 to 20 ms. A call while there is only one thread avoids these pauses.
pub fn allocate_descriptor_table() {
    let largest = allowed_files().min(MAX_TABLE).saturating_sub(1);
    if let Ok(largest) = i32::try_from(largest) {
        // The duplicate is closed immediately, and the table keeps its size. If this fails, the service is only slower at times.
        drop(fcntl_dupfd_cloexec(std::io::stdin(), largest));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn descriptor_table_has_room_for_every_allowed_file() {
        let table_size = || {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let size = status.lines().find_map(|line| line.strip_prefix("FDSize:")).unwrap();
            size.trim().parse::<u64>().unwrap()
        };
        allocate_descriptor_table();
        assert!(table_size() >= allowed_files().min(MAX_TABLE), "{}", table_size());
    }
}
