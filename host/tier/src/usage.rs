//! Lists in the store what this node has used, so that trimming keeps what any node still uses. Each list is an object for one node and
//! one hour.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tokio::time::sleep;

use crate::failure::StoreFailure;
use crate::shared::Shared;
use crate::store::When;
use crate::used::{hour, lines};

/// How often to check whether an hour is over, or a list still has to be written.
const INTERVAL: Duration = Duration::from_secs(60);

impl Shared {
    /// Writes the list of each hour after the hour is over.
    pub async fn keep_listing_used(&self) {
        loop {
            sleep(INTERVAL).await;
            let now = hour(SystemTime::now());
            self.list_used(|hour| hour < now).await;
        }
    }

    /// Writes all lists.
    pub async fn list_all_used(&self) {
        self.list_used(|_| true).await;
    }

    /// Writes the lists of these hours. What cannot be written is kept for the next time.
    async fn list_used(&self, is_due: impl Fn(u64) -> bool) {
        let due: Vec<u64> = self.usage.lock().keys().copied().filter(|hour| is_due(*hour)).collect();
        for hour in due {
            let list = self.usage.lock().get(&hour).map(lines).unwrap_or_default();
            if let Err(failure) = self.write_list(hour, list).await {
                tracing::debug!("cannot list what was used in the second tier: {failure}");
                return;
            }
            self.usage.lock().remove(&hour);
        }
    }

    async fn write_list(&self, hour: u64, list: Bytes) -> Result<(), StoreFailure> {
        let permit = self.store.writes.permit()?;
        let path = self.store.names.usage(&self.options.node, hour);
        permit.report(self.store.write(&path, list, When::Always).await).map(drop)
    }
}
