//! Finds out in the background whether the store can be used: at the start, and while it is not used because it has failed. So an outage
//! is noticed, and its end too, without any request to the node.

use crate::breaker::Breaker;
use crate::failure::StoreFailure;
use crate::shared::Shared;
use crate::store::Store;

impl Shared {
    /// Reports whether the store can be read, and then tries it again after each pause.
    pub async fn keep_probing(&self) {
        let Store { reads, writes, .. } = &self.store;
        match self.store.probe_reading().await {
            Ok(()) => tracing::info!("the second tier can be read"),
            Err(failure) => {
                tracing::warn!("the second tier cannot be read, so media that is not stored here comes from its origin: {failure}");
                reads.open(&failure);
            }
        }
        let reading = retry(reads, || self.store.probe_reading());
        let writing = retry(writes, || self.store.probe_writing());
        // Neither of them ends.
        tokio::select! {
            () = reading => {}
            () = writing => {}
        }
    }
}

/// Makes an attempt after each pause. Its success ends the outage, but the pauses keep their length until a request succeeds as well.
async fn retry<F: Future<Output = Result<(), StoreFailure>>>(breaker: &Breaker, probe: impl Fn() -> F) {
    loop {
        let permit = breaker.attempt().await;
        if let Err(failure) = permit.report(probe().await) {
            tracing::debug!("the second tier still fails: {failure}");
        }
    }
}

impl Store {
    /// Whether objects can be read. Reading one that does not exist is the usual case of a lookup, for which a store may need more
    /// permissions.
    pub async fn probe_reading(&self) -> Result<(), StoreFailure> {
        match self.object(&self.names.probe(), 0).await {
            Ok(_) | Err(StoreFailure::NotFound | StoreFailure::Unexpected(_)) => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    /// Whether objects can be written.
    pub async fn probe_writing(&self) -> Result<(), StoreFailure> {
        self.clock_lead().await.map(drop)
    }
}
