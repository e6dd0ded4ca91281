//! The standard metrics of a process, as far as the operating system provides them (Linux, in `/proc`).
//!
//! The names are those of Prometheus's own client libraries, and therefore lack our prefix.

use std::fmt;
use std::fs;
use std::time::SystemTime;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use rustix::time::{ClockId, clock_gettime};

use crate::metrics::encode::Encode;

/// The metrics of this process.
#[derive(Debug)]
pub(crate) struct Process {
    started: SystemTime,
}

impl Process {
    /// A process that starts now.
    pub fn starting() -> Self {
        Self { started: SystemTime::now() }
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        let seconds = cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9;
        encoder.counter("process_cpu_seconds", "CPU time in user and kernel mode, in seconds", seconds)?;
        let since = self.started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        encoder.gauge("process_start_time_seconds", "When the process started, in seconds since 1970", since.as_secs_f64())?;
        if let Ok(status) = fs::read_to_string("/proc/self/status") {
            if let Some(kibibytes) = number(&status, "VmRSS:") {
                encoder.gauge("process_resident_memory_bytes", "Resident memory", kibibytes * 1024)?;
            }
            if let Some(threads) = number(&status, "Threads:") {
                encoder.gauge("process_threads", "Number of threads", threads)?;
            }
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            // One of them is the directory being read.
            encoder.gauge("process_open_fds", "Number of open file descriptors", open.count().saturating_sub(1) as u64)?;
        }
        if let Some(most) = fs::read_to_string("/proc/self/limits").ok().and_then(|limits| number(&limits, "Max open files")) {
            encoder.gauge("process_max_fds", "Maximum number of open file descriptors", most)?;
        }
        Ok(())
    }
}

/// The first number after a name at the start of a line. `None` if there is none, as for `unlimited`.
fn number(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_by_name() {
        let status = "Name:\tVmRSS:\nVmRSS:\t   51200 kB\nThreads:\t9\n";
        assert_eq!((number(status, "VmRSS:"), number(status, "Threads:"), number(status, "VmSwap:")), (Some(51200), Some(9), None));
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max open files            1024                 4096                 files\n";
        assert_eq!(number(limits, "Max open files"), Some(1024));
        assert_eq!(number("Max open files            unlimited    unlimited  files\n", "Max open files"), None);
    }
}
