//! The cache that a command uses: in a directory, or in a running service.

use media_cache::EntryFilter as Filter;
use media_cache_attach::SharedCache;
use media_cache_maintenance::EntryFilter;
use media_cache_server::{entry_document, stats_document};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::service_client::{Answer, ServiceClient, unexpected};

/// The number of entries to list at a time.
const PAGE: u32 = 1000;

/// The cache that a command uses.
pub enum UsedCache {
    /// In a directory that this process owns, or shares with the process that owns it.
    Directory(SharedCache),
    /// In a running service.
    Service(ServiceClient),
}

impl UsedCache {
    /// The counters, as in `GET /stats`.
    pub async fn stats(&self) -> anyhow::Result<Value> {
        match self {
            Self::Directory(cache) => {
                let (status, load) = cache.status().await?;
                Ok(stats_document(&status, load))
            }
            Self::Service(service) => service.document(Method::GET, "stats", &[]).await,
        }
    }

    /// Passes all entries to `each`, as in `GET /entries`, least recently used first.
    pub async fn for_each_entry(&self, mut each: impl FnMut(&Value) -> anyhow::Result<()>) -> anyhow::Result<()> {
        match self {
            Self::Directory(cache) => {
                let mut after = None;
                loop {
                    let page = cache.entries(after, PAGE).await?;
                    page.entries.iter().try_for_each(|entry| each(&entry_document(entry)))?;
                    after = page.next;
                    if after.is_none() {
                        return Ok(());
                    }
                }
            }
            Self::Service(service) => {
                let mut query = vec![("limit".to_owned(), PAGE.to_string())];
                loop {
                    let page = service.document(Method::GET, "entries", &query).await?;
                    page["entries"].as_array().ok_or_else(unexpected)?.iter().try_for_each(&mut each)?;
                    let Some(next) = page["next"].as_str() else { return Ok(()) };
                    query.truncate(1);
                    query.push(("after".to_owned(), next.to_owned()));
                }
            }
        }
    }

    /// Removes the entry of a URL. Returns whether there was one.
    pub async fn remove(&self, url: &str) -> anyhow::Result<bool> {
        match self {
            Self::Directory(cache) => Ok(cache.remove(url).await?),
            Self::Service(service) => {
                let request = service.request(Method::DELETE, service.url("media", &[("url".into(), url.into())])?);
                let response = service.send(request).await?;
                if response.status() == StatusCode::NO_CONTENT {
                    return Ok(true);
                }
                match service.read(response).await? {
                    Answer::Refused { code, .. } if code == "not-stored" => Ok(false),
                    Answer::Refused { detail, .. } => Err(anyhow::anyhow!(detail)),
                    Answer::Done(_) => Err(unexpected()),
                }
            }
        }
    }

    /// Removes all matching entries. Returns their number.
    pub async fn remove_matching(&self, filter: &EntryFilter) -> anyhow::Result<u64> {
        match self {
            Self::Directory(cache) => {
                let filter = match filter {
                    EntryFilter::Host(host) => Filter::Host(host.as_str().into()),
                    EntryFilter::Prefix(prefix) => Filter::Prefix(prefix.clone()),
                    EntryFilter::All => Filter::All,
                };
                Ok(cache.remove_matching(filter).await?)
            }
            Self::Service(service) => {
                let (name, value) = match filter {
                    EntryFilter::Host(host) => ("host", host.as_str()),
                    EntryFilter::Prefix(prefix) => ("prefix", prefix.as_str()),
                    EntryFilter::All => ("all", "true"),
                };
                let answer = service.document(Method::DELETE, "entries", &[(name.into(), value.into())]).await?;
                answer["removed"].as_u64().ok_or_else(unexpected)
            }
        }
    }

    /// Stops using the cache.
    pub async fn close(self) -> anyhow::Result<()> {
        match self {
            Self::Directory(cache) => Ok(cache.close().await?),
            Self::Service(_) => Ok(()),
        }
    }
}
