//! A build without the feature `tier`: there is no second tier.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use media_cache::policy::RequestObserver;
use media_cache::{Builder, Downloader, KeyRules, MediaCache, Spool};
use media_cache_entry_files::KeyDigest;
use media_cache_server::SecondTier;

/// No options.
#[derive(Args)]
pub struct TierOption {}

impl TierOption {
    /// No tier.
    pub fn open(&self) -> anyhow::Result<Option<ServiceTier>> {
        Ok(None)
    }
}

/// A tier that does not exist.
#[derive(Clone)]
pub struct ServiceTier(Infallible);

impl ServiceTier {
    pub fn configure(&self, _: Builder, _: Arc<dyn Downloader>, _: KeyRules, _: Arc<Spool>) -> Builder {
        match self.0 {}
    }

    pub fn observer(&self) -> Arc<dyn RequestObserver> {
        match self.0 {}
    }

    pub fn report(&self) -> Arc<dyn SecondTier> {
        match self.0 {}
    }

    pub fn follow(&self, _: MediaCache) {
        match self.0 {}
    }

    pub async fn contact(&self) -> (String, Vec<anyhow::Error>) {
        match self.0 {}
    }

    pub async fn list_used(&self, _: Duration) {
        match self.0 {}
    }

    pub async fn finish(&self, _: Duration) {
        match self.0 {}
    }
}

/// No options.
#[derive(Args)]
pub struct CopiesOption {}

impl CopiesOption {
    /// No copies.
    pub fn open(&self) -> anyhow::Result<Option<TierCopies>> {
        Ok(None)
    }
}

/// Copies that do not exist.
pub struct TierCopies(Infallible);

impl TierCopies {
    pub async fn remove(&self, _: KeyDigest) -> anyhow::Result<bool> {
        match self.0 {}
    }

    pub async fn remove_each(&self, _: Vec<KeyDigest>) -> anyhow::Result<u64> {
        match self.0 {}
    }
}
