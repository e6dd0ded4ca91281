//! The memory tier.

use clap::Args;
use media_cache::{Builder, defaults};

use crate::storage::MIB;

/// The memory tier, for commands that run long enough to have one.
#[derive(Args)]
#[command(next_help_heading = "Memory")]
pub struct Memory {
    /// The maximum number of entries in memory; 0 for none
    #[arg(long, value_name = "N", default_value_t = defaults::MAX_MEMORY_ITEMS)]
    max_memory_items: u32,
    /// The maximum memory for the bytes of entries, in MiB
    #[arg(long, value_name = "MB", default_value_t = defaults::MAX_MEMORY_BYTES / MIB)]
    max_memory_mb: u64,
    /// The maximum number of entry files that are kept open, so that hits on them are fast; 0 for none [default: what remains of
    /// the open-file limit after downloads and connections, but at least a quarter of what remains after downloads alone, and at most 16384]
    #[arg(long, value_name = "N")]
    max_open_files: Option<u32>,
}

impl Memory {
    /// The number of entry files that are kept open, unless that follows from the limit on open files.
    pub fn max_open_files(&self) -> Option<u32> {
        self.max_open_files
    }

    /// Sets the limits of the memory tier, and the number of entry files that are kept open.
    pub fn configure(&self, builder: Builder, max_open_files: u32) -> Builder {
        let builder = builder.max_memory_items(self.max_memory_items).max_memory_bytes(self.max_memory_mb.saturating_mul(MIB));
        builder.max_open_files(max_open_files)
    }
}
