//! The memory tier.

use clap::Args;
use media_cache::{Builder, defaults};

use crate::open_file_limit::allowed_files;
use crate::storage::MIB;

/// The memory tier, for commands that run long enough to have one.
#[derive(Args)]
#[command(next_help_heading = "Memory")]
pub struct Memory {
    /// Entries kept in memory or open; 0 for none
    #[arg(long, value_name = "N", default_value_t = defaults::MAX_MEMORY_ITEMS)]
    max_memory_items: u32,
    /// Memory for the bytes of entries, in MiB
    #[arg(long, value_name = "MB", default_value_t = defaults::MAX_MEMORY_BYTES / MIB)]
    max_memory_mb: u64,
    /// Files of further entries that are kept open, so that hits on them are fast; 0 for none [default: a quarter of the open files
    /// that are allowed beyond 512, at most 16384]
    #[arg(long, value_name = "N")]
    max_open_files: Option<u32>,
}

/// Open files that are always reserved for everything else.
const OTHER_FILES: u64 = 512;

/// The most files that are kept open by default.
const MAX_OPEN_FILES: u64 = 16_384;

impl Memory {
    /// How many files of entries may be open at once.
    pub fn files(&self) -> u64 {
        u64::from(self.max_memory_items) + u64::from(self.open_files())
    }

    /// How many of them belong to entries that are not in memory.
    fn open_files(&self) -> u32 {
        let default = || u32::try_from((allowed_files().saturating_sub(OTHER_FILES) / 4).min(MAX_OPEN_FILES)).unwrap_or(0);
        self.max_open_files.unwrap_or_else(default)
    }

    /// Sets the limits of the memory tier.
    pub fn configure(&self, builder: Builder) -> Builder {
        let builder = builder.max_memory_items(self.max_memory_items).max_memory_bytes(self.max_memory_mb.saturating_mul(MIB));
        builder.max_open_files(self.open_files())
    }
}
