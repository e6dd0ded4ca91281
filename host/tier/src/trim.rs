//! Reduces a tier to a size.

use crate::failure::StoreFailure;
use crate::inventory::{Contents, Inventory, OldObject, TierEntry};

/// Something that is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trimmed {
    /// An entry, with the hour in which it was last used, since 1970.
    Entry(TierEntry, u64),
    /// A body without a sidecar.
    Leftover(TierEntry),
}

/// What is to be deleted from a tier, and what remains.
#[derive(Clone, Debug)]
pub struct TrimPlan {
    /// What is to be deleted, least recently used first, then leftovers.
    pub doomed: Vec<Trimmed>,
    /// The old leases and lists of used entries that are to be deleted.
    pub old_objects: Vec<OldObject>,
    /// The numbers.
    pub summary: TrimSummary,
}

/// What a trim deletes, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrimSummary {
    /// The entries that remain.
    pub entries: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// The entries that are deleted.
    pub deleted: u64,
    /// Their size in bytes.
    pub deleted_bytes: u64,
    /// The bodies without a sidecar that are deleted.
    pub leftovers: u64,
    /// The old leases and lists of used entries that are deleted.
    pub old_objects: u64,
}

impl Trimmed {
    /// The entry.
    #[must_use]
    pub fn entry(&self) -> TierEntry {
        match self {
            Self::Entry(entry, _) | Self::Leftover(entry) => *entry,
        }
    }
}

impl Inventory {
    /// What has to be deleted so that a tier has at most `max_bytes`: the entries that have not been used for the longest time, and in any
    /// case leftovers of interrupted uploads, old leases and old lists of used entries. Deletes nothing.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn plan_trim(&self, max_bytes: u64) -> Result<TrimPlan, StoreFailure> {
        let last_used = self.last_used().await?;
        let Contents { entries, old_objects, .. } = self.contents().await?;
        let (complete, incomplete): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.sidecar_bytes.is_some());
        let mut entries: Vec<(u64, TierEntry)> = complete.into_iter().map(|entry| (last_used.hour(&entry), entry)).collect();
        // Among those of the same hour, the ones that were written last stay.
        entries.sort_unstable_by_key(|(hour, entry)| (*hour, entry.written, entry.digest));
        let mut summary = TrimSummary {
            entries: entries.len() as u64,
            bytes: entries.iter().map(|(_, entry)| entry.bytes()).sum(),
            old_objects: old_objects.len() as u64,
            ..TrimSummary::default()
        };
        let mut doomed = Vec::new();
        for (hour, entry) in entries {
            if summary.bytes <= max_bytes {
                break;
            }
            summary.entries -= 1;
            summary.bytes -= entry.bytes();
            summary.deleted += 1;
            summary.deleted_bytes += entry.bytes();
            doomed.push(Trimmed::Entry(entry, hour));
        }
        let leftovers = incomplete.into_iter().filter(TierEntry::is_leftover).map(Trimmed::Leftover);
        doomed.extend(leftovers.inspect(|_| summary.leftovers += 1));
        Ok(TrimPlan { doomed, old_objects, summary })
    }

    /// Deletes what was planned.
    ///
    /// # Errors
    /// If the store fails. What was deleted until then stays deleted.
    pub async fn trim(&self, plan: &TrimPlan) -> Result<(), StoreFailure> {
        self.remove_all(plan.doomed.iter().map(|trimmed| trimmed.entry().digest).collect()).await?;
        self.delete(&plan.old_objects).await
    }
}
