//! Divides the open files that the process may have among clients, downloads, entries and everything else, so that a service under full
//! load does not run out of them.

use std::num::NonZeroUsize;

use anyhow::Context;
use media_cache_server::MAX_REFUSALS;

/// Files that are always open or may be at any time: standard streams, listeners, event queues, directories, the lock, logs, a trace, the
/// entry that the integrity check reads, and pipes to a compiling child process.
const BASE: u64 = 64;

/// Files per client connection: the socket, and the file that it is served from or uploads to.
const PER_CONNECTION: u64 = 2;

/// Files per download: its connection, one of each version of HTTP that is kept for later requests, and the two files of the entry.
const PER_DOWNLOAD: u64 = 5;

/// Files per conversion: both ends of the pipes to the converter while it is started.
const PER_CONVERSION: u64 = 8;

/// The maximum number of entry files that are kept open by default.
const MAX_ENTRIES: u64 = 16_384;

/// The maximum number of connections to the administration listener.
pub const MAX_ADMIN_CONNECTIONS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(63);

/// The concurrency for which a service is configured.
#[derive(Clone, Copy, Debug)]
pub struct FileDemand {
    pub connections: NonZeroUsize,
    pub downloads: NonZeroUsize,
    /// The number of concurrent conversions by another program. Conversions in this process use no files.
    pub conversions: usize,
    /// The number of entry files that are kept open. `None` for the number that connections leave.
    pub entries: Option<u32>,
    pub has_admin_listener: bool,
}

/// The concurrency for which the allowed number of open files is sufficient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileBudget {
    pub connections: NonZeroUsize,
    pub downloads: NonZeroUsize,
    pub entries: u32,
    allowed: u64,
}

impl FileDemand {
    /// Fits the demand into the number of open files that are allowed. Downloads get up to half of what the fixed demand leaves; a
    /// configured number of entries is part of the fixed demand. If none is configured, connections then get as many files as they need,
    /// but at least a quarter of the rest is left for entries.
    ///
    /// # Errors
    /// Returns an error with a message for the user if there are not enough files for a single download and a single connection.
    pub fn fit(&self, allowed: u64) -> anyhow::Result<FileBudget> {
        let fixed = self.fixed() + self.entries.map_or(0, u64::from);
        let flexible = allowed.saturating_sub(fixed);
        let downloads = count(flexible / 2 / PER_DOWNLOAD).unwrap_or(NonZeroUsize::MIN).min(self.downloads);
        let for_downloads = PER_DOWNLOAD * downloads.get() as u64;
        let left = flexible.saturating_sub(for_downloads);
        let for_connections = PER_CONNECTION.saturating_mul(self.connections.get() as u64);
        let by_default = match self.entries {
            Some(_) => 0,
            None => left.saturating_sub(for_connections).max(left / 4).min(MAX_ENTRIES),
        };
        let connections = count(left.saturating_sub(by_default) / PER_CONNECTION).with_context(|| {
            let needed = fixed + PER_DOWNLOAD + PER_CONNECTION;
            format!("only {allowed} open files are allowed, but at least {needed} are needed; raise the limit with `ulimit -n`")
        })?;
        let entries = self.entries.unwrap_or(u32::try_from(by_default).unwrap_or(u32::MAX));
        Ok(FileBudget { connections: connections.min(self.connections), downloads, entries, allowed })
    }

    /// The number of files for everything but the connections of clients, downloads and entries.
    fn fixed(&self) -> u64 {
        let listeners = if self.has_admin_listener { 2 } else { 1 };
        // Each listener refuses connections for two reasons.
        let refusals = 2 * listeners * MAX_REFUSALS as u64;
        let admin = if self.has_admin_listener { PER_CONNECTION * MAX_ADMIN_CONNECTIONS.get() as u64 } else { 0 };
        BASE + refusals + admin + PER_CONVERSION.saturating_mul(self.conversions as u64)
    }
}

impl FileBudget {
    /// Logs a warning if the demand does not fit.
    pub fn report(&self, demand: &FileDemand) {
        if let Some(warning) = self.warning(demand) {
            tracing::warn!("{warning}");
        }
    }

    fn warning(&self, demand: &FileDemand) -> Option<String> {
        let parts = [(self.connections, demand.connections, "connections"), (self.downloads, demand.downloads, "downloads")];
        let reduced = parts.into_iter().filter(|(fitting, wanted, _)| fitting < wanted);
        let reduced = reduced.map(|(fitting, wanted, what)| format!("at most {fitting} concurrent {what} instead of {wanted}"));
        let reduced: Vec<String> = reduced.collect();
        let allowed = self.allowed;
        let what = reduced.join(" and ");
        (!reduced.is_empty())
            .then(|| format!("{what}, since only {allowed} open files are allowed; raise the limit with `ulimit -n`"))
    }
}

fn count(number: u64) -> Option<NonZeroUsize> {
    NonZeroUsize::new(usize::try_from(number).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demand(connections: usize, downloads: usize, entries: Option<u32>) -> FileDemand {
        let [connections, downloads] = [connections, downloads].map(|number| NonZeroUsize::new(number).unwrap());
        FileDemand { connections, downloads, conversions: 2, entries, has_admin_listener: false }
    }

    /// The connections, downloads and entries that fit.
    fn fitting(demand: FileDemand, allowed: u64) -> Option<(usize, usize, u32)> {
        demand.fit(allowed).ok().map(|budget| (budget.connections.get(), budget.downloads.get(), budget.entries))
    }

    #[test]
    fn files_are_divided_among_connections_downloads_and_entries() {
        // 64 files, 128 refusals and 16 for two conversions are fixed.
        let fixed = 208;
        for (demand, allowed, expected) in [
            (demand(4096, 64, None), u64::MAX, Some((4096, 64, 16_384))),
            (demand(4096, 64, None), 65_536, Some((4096, 64, 16_384))),
            (demand(4096, 64, None), fixed + 320 + 8192 + 8192, Some((4096, 64, 8192))),
            (demand(4096, 64, None), fixed + 320 + 8000, Some((3000, 64, 2000))),
            (demand(4096, 64, Some(100)), fixed + 320 + 8000, Some((3950, 64, 100))),
            (demand(4096, 64, Some(0)), fixed + 320 + 8000, Some((4000, 64, 0))),
            (demand(10, 64, None), fixed + 320 + 8000, Some((10, 64, 7980))),
            // Downloads do not take more than half.
            (demand(4096, 1_000_000, Some(0)), fixed + 10_000, Some((2500, 1000, 0))),
            (demand(4096, 1_000_000, Some(0)), fixed + 10, Some((2, 1, 0))),
            (demand(4096, 64, Some(0)), fixed + 7, Some((1, 1, 0))),
            (demand(4096, 64, Some(0)), fixed + 6, None),
            (demand(4096, 64, Some(8000)), fixed + 320 + 8000, Some((80, 32, 8000))),
            (demand(4096, 64, Some(8000)), fixed + 8006, None),
            (demand(4096, 64, None), 100, None),
        ] {
            assert_eq!(fitting(demand, allowed), expected, "{demand:?} in {allowed}");
        }
        let with_admin = FileDemand { has_admin_listener: true, ..demand(4096, 64, Some(0)) };
        assert_eq!(fitting(with_admin, fixed + 128 + 128 + 320 + 8000), Some((4000, 64, 0)));
    }

    #[test]
    fn budget_never_exceeds_the_allowed_files() {
        for allowed in (0..5000).chain([10_000, 65_536, 1 << 20]) {
            for (downloads, entries) in [(1, None), (64, None), (5000, None), (64, Some(0)), (5000, Some(300))] {
                let demand = demand(4096, downloads, entries);
                if let Some((connections, downloads, entries)) = fitting(demand, allowed) {
                    let files = demand.fixed() + 2 * connections as u64 + 5 * downloads as u64 + u64::from(entries);
                    assert!(files <= allowed, "{demand:?}: {files} of {allowed}");
                }
            }
        }
    }

    #[test]
    fn one_warning_names_everything_that_is_reduced() {
        let warning = |demand: FileDemand, allowed| demand.fit(allowed).unwrap().warning(&demand);
        let both = "at most 2 concurrent connections instead of 4096 and at most 1 concurrent downloads instead of 64, since only 218 \
                    open files are allowed; raise the limit with `ulimit -n`";
        assert_eq!(warning(demand(4096, 64, Some(0)), 218).unwrap(), both);
        let one = warning(demand(4096, 1, Some(0)), 500).unwrap();
        assert!(
            one.ends_with("connections instead of 4096, since only 500 open files are allowed; raise the limit with `ulimit -n`")
        );
        assert_eq!(warning(demand(10, 64, None), 8528), None);
    }

    #[test]
    fn error_says_how_many_files_are_needed() {
        let error = demand(4096, 64, Some(500)).fit(400).unwrap_err().to_string();
        assert_eq!(error, "only 400 open files are allowed, but at least 715 are needed; raise the limit with `ulimit -n`");
    }
}
