//! The copies of entries in a second tier, for commands that remove entries.

use anyhow::Context;
use clap::Args;
use media_cache_entry_files::KeyDigest;
use media_cache_tier::{Inventory, Location};

use crate::tier_timeout::TierTimeout;

/// The second tier that may have copies.
#[derive(Args)]
#[command(next_help_heading = "Second tier")]
pub struct CopiesOption {
    /// A second tier from which the copies of the entries are removed as well: `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX`,
    /// `az://CONTAINER/PREFIX` or `file:///DIRECTORY`; credentials come from the environment
    #[arg(long, value_name = "URL")]
    tier: Option<Location>,
    #[command(flatten)]
    timeout: TierTimeout,
}

impl CopiesOption {
    /// The copies, if a tier is known.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub fn open(&self) -> anyhow::Result<Option<TierCopies>> {
        let Some(location) = &self.tier else { return Ok(None) };
        let inventory = Inventory::open(location, self.timeout.get()).context("--tier")?;
        Ok(Some(TierCopies { inventory, location: location.clone() }))
    }
}

/// The copies of entries in a second tier.
pub struct TierCopies {
    inventory: Inventory,
    location: Location,
}

impl TierCopies {
    /// Removes the copy of an entry. Returns whether there was one.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub async fn remove(&self, digest: KeyDigest) -> anyhow::Result<bool> {
        self.inventory
            .remove(digest)
            .await
            .with_context(|| format!("its copy in the second tier {} may still exist", self.location))
    }

    /// Removes the copies of these entries. Returns how many there were.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub async fn remove_each(&self, digests: Vec<KeyDigest>) -> anyhow::Result<u64> {
        let failed = || format!("copies in the second tier {} may still exist; `media-cache tier rm` removes them", self.location);
        self.inventory.remove_each(digests).await.with_context(failed)
    }
}
