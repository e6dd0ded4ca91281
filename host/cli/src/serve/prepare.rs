//! Prepares the cache of a service, with the policy that was chosen during a previous run.

use std::sync::Arc;

use media_cache::policy::RequestObserver;
use media_cache::{Engine, OpenError, PolicySpec, PreparedCache, Spool};
use media_cache_http_downloader::ConcurrencyLimiter;
use media_cache_server::logs::{Logged, SharedRequestLog};
use media_cache_server::metrics::Metrics;

use crate::file_budget::FileBudget;
use crate::remembered::{Components, Remembered, StartComponent};
use crate::replaceable_downloader::ReplaceableDownloader;
use crate::serve::options::Serve;
use crate::storage::UnusablePolicy;
use crate::tier::ServiceTier;

/// Parts that the cache shares with the rest of the service.
pub struct Shared<'a> {
    pub files: FileBudget,
    pub downloader: &'a ReplaceableDownloader,
    pub limiter: &'a ConcurrencyLimiter,
    pub spool: &'a Arc<Spool>,
    pub metrics: &'a Metrics,
    pub request_log: &'a SharedRequestLog,
    pub tier: Option<&'a ServiceTier>,
    /// Observes the requests to the cache.
    pub observer: Option<Arc<dyn RequestObserver>>,
}

impl Serve {
    /// A cache that owns its directory, with the component and the policy that were chosen during a previous run, if they are still
    /// available.
    pub fn prepare(&self, components: Components, remembered: &Remembered, shared: &Shared<'_>) -> anyhow::Result<PreparedCache> {
        let Components { engine, component } = components;
        let prepare_with = |policy: &PolicySpec| self.prepare_with(engine.clone(), component.clone(), policy, shared);
        if let Some(chosen) = remembered.policy.recall() {
            let why = match prepare_with(&chosen) {
                Ok(cache) => {
                    tracing::info!(
                        "using the policy {chosen}, which was chosen during a previous run, instead of {}",
                        self.storage.policy
                    );
                    return Ok(cache);
                }
                Err(error) if concerns_policy(&error) => error,
                Err(error) => return Err(error),
            };
            tracing::error!(
                "cannot use the policy {chosen}, which was chosen during a previous run; using {} instead: {why:#}",
                self.storage.policy
            );
        }
        let cache = prepare_with(&self.storage.policy.start())?;
        tracing::info!("the policy is {}", self.storage.policy);
        Ok(cache)
    }

    fn prepare_with(
        &self,
        engine: Engine,
        component: StartComponent,
        policy: &PolicySpec,
        shared: &Shared<'_>,
    ) -> anyhow::Result<PreparedCache> {
        let downloader =
            Logged::new(Arc::new(shared.downloader.clone()), shared.request_log.clone()).with_limiter(shared.limiter.clone());
        let builder = self.configure(engine, component.component.clone(), policy, shared.files.entries)?;
        let builder = builder.spool(shared.spool.clone());
        let builder = match &shared.observer {
            Some(observer) => builder.request_observer(observer.clone()),
            None => builder,
        };
        let builder = component.configure(builder);
        let downloader = shared.metrics.measured(Arc::new(downloader));
        let builder = match shared.tier {
            Some(tier) => tier.configure(builder, Arc::new(downloader), self.storage.key_rules(), shared.spool.clone()),
            None => builder.downloader(downloader),
        };
        let transcoder = Logged::new(self.ingest.transcoder(), shared.request_log.clone());
        let transcoder = shared.metrics.measured(Arc::new(transcoder));
        Ok(builder.transcoder(transcoder).prepare()?)
    }
}

/// Whether an error concerns only the policy, so that the cache could be opened with another one.
fn concerns_policy(error: &anyhow::Error) -> bool {
    error.is::<UnusablePolicy>() || matches!(error.downcast_ref(), Some(OpenError::Policy { .. }))
}
