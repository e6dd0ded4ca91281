//! Shuts a service down: accepts no new connections, gives clients time to receive their responses, and then closes the cache cleanly.

use std::time::Duration;

use anyhow::Context;
use media_cache::MediaCache;
use media_cache_attach::Listener;
use media_cache_http_downloader::ConcurrencyLimiter;
use media_cache_server::Connections;
use tokio::task::JoinHandle;

use crate::signals::Signals;
use crate::tier::ServiceTier;

/// How long a service that stops waits for uploads to its second tier.
const MAX_UPLOAD_TIME: Duration = Duration::from_secs(5);

/// How long it tries to list in the second tier what it has used.
const MAX_LIST_TIME: Duration = Duration::from_secs(3);

/// The parts of a service that is shut down.
pub struct Running {
    pub server: JoinHandle<Vec<()>>,
    pub connections: Connections,
    pub limiter: ConcurrencyLimiter,
    /// Serves attached processes.
    pub attached: Option<Listener>,
    pub tier: Option<ServiceTier>,
    pub cache: MediaCache,
}

impl Running {
    /// Waits for the server, which is already stopping, for at most `grace` or until another signal arrives; then closes the cache.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub async fn finish(mut self, grace: Duration, signals: &mut Signals) -> anyhow::Result<()> {
        let why = tokio::select! {
            served = &mut self.server => {
                served?;
                None
            }
            () = tokio::time::sleep(grace) => Some(format!("after {} s", grace.as_secs())),
            () = signals.hastened() => Some("and another signal ended the wait for them".into()),
        };
        if let Some(why) = why {
            // A client that never finishes its request, or never reads its response, must not delay the shutdown.
            tracing::warn!("{} connections are still open {why}; closing them", self.connections.stats().open);
            self.server.abort();
            // A download without a waiting client must not delay it either.
            self.limiter.close();
        }
        if let Some(attached) = self.attached.take() {
            attached.stop().await;
        }
        if let Some(tier) = &self.tier {
            tokio::select! {
                () = tier.finish(MAX_UPLOAD_TIME) => {}
                () = signals.hastened() => {}
            }
        }
        let closed = self.cache.close().await;
        if let Some(tier) = &self.tier {
            tier.list_used(MAX_LIST_TIME).await;
        }
        closed.context("the cache could not be closed")
    }
}
