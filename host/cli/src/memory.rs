//! The memory tier.

use clap::Args;
use media_cache::{Builder, defaults};

use crate::open_file_limit::allowed_files;
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
    /// The maximum number of entry files that are kept open, so that hits on them are fast; 0 for none [default: the allowed open files
    /// that connections do not need, at least a quarter of them, at most 16384]
    #[arg(long, value_name = "N")]
    max_open_files: Option<u32>,
}

/// Open files that are always reserved for everything else.
const OTHER_FILES: u64 = 512;

/// The maximum number of files that are kept open by default.
const MAX_OPEN_FILES: u64 = 16_384;

impl Memory {
    /// The limit on open files of entries. By default, connections get as many files as they need.
    pub fn open_files(&self, for_connections: u64) -> u32 {
        self.max_open_files.unwrap_or_else(|| {
            let allowed = allowed_files().saturating_sub(OTHER_FILES);
            let left = allowed.saturating_sub(for_connections).max(allowed / 4);
            u32::try_from(left.min(MAX_OPEN_FILES)).unwrap_or(0)
        })
    }

    /// Sets the limits of the memory tier. See [`open_files`](Self::open_files).
    pub fn configure(&self, builder: Builder, for_connections: u64) -> Builder {
        let builder = builder.max_memory_items(self.max_memory_items).max_memory_bytes(self.max_memory_mb.saturating_mul(MIB));
        builder.max_open_files(self.open_files(for_connections))
    }
}
