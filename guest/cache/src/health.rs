//! Whether new media is being stored, and if not, why and since when.

use crate::bindings::exports::media_cache::cache::cache::{Degradation, Health};
use crate::cache::Cache;
use crate::disk_health::DiskHealth;

impl Cache {
    /// Implements `health`, which the WIT documents.
    pub fn health(&self) -> Health {
        let state = self.state.borrow();
        health(&state.disk_health, self.report.get().is_some())
    }
}

fn health(disk: &DiskHealth, loaded: bool) -> Health {
    match disk.failure() {
        Some((reason, since)) => Health::Degraded(Degradation { reason: reason.into(), since }),
        None if loaded => Health::Storing,
        None => Health::Recovering,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk_health::Operation;

    #[test]
    fn a_cache_is_recovering_until_it_is_loaded() {
        let disk = DiskHealth::default();
        assert!(matches!(health(&disk, false), Health::Recovering));
        assert!(matches!(health(&disk, true), Health::Storing));
    }

    #[test]
    fn a_cache_is_degraded_from_the_first_failure_to_the_next_success() {
        let mut disk = DiskHealth::default();
        disk.failed(Operation::Store, "the disk is full".into(), 5);
        disk.failed(Operation::Store, "permission denied".into(), 9);
        for loaded in [false, true] {
            let Health::Degraded(degradation) = health(&disk, loaded) else { panic!("the disk failed") };
            assert_eq!((degradation.reason.as_str(), degradation.since), ("permission denied", 5));
        }
        disk.succeeded(Operation::Store);
        assert!(matches!(health(&disk, true), Health::Storing));
        disk.failed(Operation::Store, "the disk is full".into(), 12);
        assert!(matches!(health(&disk, true), Health::Degraded(Degradation { since: 12, .. })));
    }
}
