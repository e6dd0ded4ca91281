//! Shuts a service down: no new connections, time for clients to receive their responses, and then a clean close of the cache.

use std::time::Duration;

use anyhow::Context;
use media_cache::MediaCache;
use media_cache_http_downloader::ConcurrencyLimiter;
use media_cache_server::Connections;
use tokio::task::JoinHandle;

use crate::signals::Signals;

/// The parts of a service that is shut down.
pub struct Running {
    pub server: JoinHandle<Vec<()>>,
    pub connections: Connections,
    pub limiter: ConcurrencyLimiter,
    pub cache: MediaCache,
}

impl Running {
    /// Waits for the server, which has been asked to stop, for at most `grace` or until another signal arrives; then closes the cache.
    ///
    /// # Errors
    /// With a message for the user.
    pub async fn finish(mut self, grace: Duration, signals: &mut Signals) -> anyhow::Result<()> {
        let why = tokio::select! {
            served = &mut self.server => {
                served?;
                None
            }
            () = tokio::time::sleep(grace) => Some(format!("after {} s", grace.as_secs())),
            () = signals.hastened() => Some("and a further signal asks not to wait for them".into()),
        };
        if let Some(why) = why {
            // A client that never finishes its request, or never reads its response, must not delay the shutdown.
            tracing::warn!("{} connections are still open {why}; they are closed", self.connections.stats().open);
            self.server.abort();
            // Nor must a download without a waiting client.
            self.limiter.close();
        }
        self.cache.close().await.context("the cache could not be closed")
    }
}
