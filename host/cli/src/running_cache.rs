//! A cache that another process runs, for commands that change how it runs: in a service, or in the process that owns a directory.

use anyhow::Context;
use clap::Args;
use media_cache::PolicySpec;
use media_cache::policy::PolicyOrigin;
use media_cache_server::{MAX_POLICY_BYTES, policies_document, policy_document, refreshed_document};
use reqwest::Method;
use serde_json::Value;

use crate::attach;
use crate::config::Settings;
use crate::directory::CacheDirectory;
use crate::directory_options::key_in;
use crate::engine::engine;
use crate::server::{DEFAULT_SERVER, read_component};
use crate::service_client::service_address;
use crate::service_option::ServiceOption;
use crate::used_cache::UsedCache;

/// The running cache that a command concerns.
#[derive(Args)]
pub struct RunningCacheOptions {
    #[command(flatten)]
    service: ServiceOption,
    /// Print the response as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    directory: CacheDirectory,
}

impl RunningCacheOptions {
    /// Connects to the service that is named; or else to the process that owns the directory; or else, if no directory is named either, to
    /// the service at the default address.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub async fn connect(&self, settings: &Settings) -> anyhow::Result<UsedCache> {
        if let Some(service) = self.service.client(settings)? {
            return Ok(UsedCache::Service(service));
        }
        match attach::to_owner(&self.directory.dir, settings).await? {
            Some(cache) => Ok(UsedCache::Directory(cache)),
            None if !settings.is_default("dir") => {
                self.directory.existing()?;
                let directory = self.directory.dir.display();
                anyhow::bail!("no process is using the cache in {directory}; start a service there, or specify one with --server")
            }
            None => {
                let default = service_address(DEFAULT_SERVER).map_err(anyhow::Error::msg)?;
                let why = format!("no process is using the cache in {}", self.directory.dir.display());
                Ok(UsedCache::Service(self.service.client_or(default)?.because(why)))
            }
        }
    }
}

impl UsedCache {
    /// The active policy, as in `GET /policy`.
    pub async fn policy(&self) -> anyhow::Result<Value> {
        match self {
            Self::Directory(cache) => Ok(policy_document(&cache.policy().await?)),
            Self::Service(service) => service.document(Method::GET, "policy", &[]).await,
        }
    }

    /// The built-in policies, as in `GET /policies`.
    pub async fn policies(&self) -> anyhow::Result<Value> {
        match self {
            // Processes that share a directory run the same version.
            Self::Directory(_) => policies_document(&engine()?),
            Self::Service(service) => service.document(Method::GET, "policies", &[]).await,
        }
    }

    /// Replaces the policy. Returns the new one.
    pub async fn swap_policy(&self, policy: &PolicySpec) -> anyhow::Result<Value> {
        let component = match &policy.origin {
            PolicyOrigin::File(path) => Some(read_component("policy", path, MAX_POLICY_BYTES)?),
            PolicyOrigin::BuiltIn(_) | PolicyOrigin::Upload => None,
        };
        match (self, component) {
            (Self::Directory(cache), Some(component)) => {
                Ok(policy_document(&cache.swap_to_component(component.into(), policy.options.clone()).await?))
            }
            (Self::Directory(cache), None) => Ok(policy_document(&cache.swap_policy(policy.clone()).await?)),
            (Self::Service(service), Some(component)) => service.send_component("policy", &policy.options, component).await,
            (Self::Service(service), None) => {
                let mut query = policy.options.clone();
                query.insert(0, ("name".into(), policy.origin.to_string()));
                service.document(Method::PUT, "policy", &query).await
            }
        }
    }

    /// Restores the previous policy.
    pub async fn rollback_policy(&self) -> anyhow::Result<Value> {
        match self {
            Self::Directory(cache) => Ok(policy_document(&cache.rollback_policy().await?)),
            Self::Service(service) => service.document(Method::POST, "policy/rollback", &[]).await,
        }
    }

    /// Fetches a URL again, as `POST /refresh` does.
    pub async fn refresh(&self, url: &str) -> anyhow::Result<Value> {
        match self {
            Self::Directory(cache) => {
                let kept = || format!("cannot refresh {url}; the stored media, if any, is kept");
                let outcome = cache.refresh(url).await.with_context(kept)?;
                if let Some(why) = &outcome.not_stored {
                    return Err(anyhow::anyhow!(media_cache::describe(why))).with_context(kept);
                }
                Ok(refreshed_document(&key_in(cache, url), outcome.modified, &outcome.media))
            }
            Self::Service(service) => service.document(Method::POST, "refresh", &[("url".into(), url.into())]).await,
        }
    }
}
