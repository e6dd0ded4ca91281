//! The tier in memory.

use clap::Args;
use media_cache::{Builder, defaults};

use crate::storage::MIB;

/// The tier in memory. For commands that run long enough to have one.
#[derive(Args)]
#[command(next_help_heading = "Memory")]
pub struct Memory {
    /// Entries kept in memory or open; 0 for none
    #[arg(long, value_name = "N", default_value_t = defaults::MAX_MEMORY_ITEMS)]
    max_memory_items: u32,
    /// Memory for the bytes of entries, in MiB
    #[arg(long, value_name = "MB", default_value_t = defaults::MAX_MEMORY_BYTES / MIB)]
    max_memory_mb: u64,
}

impl Memory {
    /// How many entries may be open at once.
    pub fn items(&self) -> u32 {
        self.max_memory_items
    }

    /// Sets the limits of the tier in memory.
    pub fn configure(&self, builder: Builder) -> Builder {
        builder.max_memory_items(self.max_memory_items).max_memory_bytes(self.max_memory_mb.saturating_mul(MIB))
    }
}
