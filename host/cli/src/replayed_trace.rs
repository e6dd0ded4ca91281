//! The trace that a command replays, and how many replays run at once.

use std::fs::File;
use std::io::{self, Read};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use media_cache_simulator::Trace;

use crate::progress;

/// A trace and the number of replays.
#[derive(Args)]
pub struct ReplayedTrace {
    /// The trace: lines of `time,key,size` (seconds, any text, bytes), plain or compressed with xz or gzip; `-` for standard input
    trace: PathBuf,
    /// The maximum number of concurrent replays; by default, one per processor
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
}

impl ReplayedTrace {
    /// Reads the trace.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub fn read(&self) -> anyhow::Result<Trace> {
        let name = self.trace.display();
        let input: Box<dyn Read> = if self.trace.as_os_str() == "-" {
            Box::new(io::stdin().lock())
        } else {
            Box::new(File::open(&self.trace).with_context(|| format!("cannot open the trace {name}"))?)
        };
        let spinner = progress::spinner();
        progress::spin(&spinner, &format!("reading {name}"));
        let trace = Trace::read(input).with_context(|| format!("cannot replay {name}"));
        spinner.finish_and_clear();
        trace
    }

    /// The maximum number of concurrent replays.
    pub fn threads(&self) -> NonZeroUsize {
        self.jobs.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
    }
}
