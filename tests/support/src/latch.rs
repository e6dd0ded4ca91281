//! A latch at which requests wait until a test opens it.

use tokio::sync::watch;

use crate::soon::soon;

/// Holds requests until it is opened. Clones share the latch.
#[derive(Clone, Debug)]
pub struct Latch {
    arrived: watch::Sender<usize>,
    open: watch::Sender<bool>,
}

impl Latch {
    pub(crate) fn closed() -> Self {
        Self { arrived: watch::Sender::new(0), open: watch::Sender::new(false) }
    }

    /// Waits until a request has arrived.
    pub async fn reached(&self) {
        let mut arrived = self.arrived.subscribe();
        soon(arrived.wait_for(|arrived| *arrived > 0)).await.unwrap();
    }

    /// Lets all requests pass, now and later.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    pub(crate) async fn pass(&self) {
        self.arrived.send_modify(|arrived| *arrived += 1);
        self.open.subscribe().wait_for(|open| *open).await.unwrap();
    }
}
