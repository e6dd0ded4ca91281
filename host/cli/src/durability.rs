//! The durability of stored entries.

use clap::{Args, ValueEnum};
use media_cache::{Builder, Durability};

/// The durability of entries, for commands that store something.
#[derive(Args)]
#[command(next_help_heading = "Storage")]
pub struct DurabilityOption {
    /// What a stored entry survives: only the end of the process (`none`), or a power loss as well, with one `syncfs` for all entries that
    /// are stored at the same time (`batch`) or with `fsync` for each file (`always`)
    #[arg(long, value_name = "WHAT", value_enum, default_value_t)]
    durability: Level,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum Level {
    #[default]
    None,
    Batch,
    Always,
}

impl DurabilityOption {
    /// Sets the durability of entries.
    pub fn configure(&self, builder: Builder) -> Builder {
        builder.durability(match self.durability {
            Level::None => Durability::None,
            Level::Batch => Durability::Batch,
            Level::Always => Durability::Always,
        })
    }
}
