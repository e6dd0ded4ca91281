//! The calls of a cache that several processes use. Each is made directly if this process owns the directory, or else by its owner.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use media_cache::policy::PolicyOrigin;
use media_cache::{
    Blob, CacheError, Downloader, EntryFilter, FetchError, FetchedMedia, Health, LoadReport, Media, MediaCache, Page, PolicySpec,
    PolicyStatus, PutOutcome, RefreshOutcome, Status,
};

use crate::bodies::sendable;
use crate::caller_downloader::is_lost;
use crate::client::{CallFailure, Client, unexpected};
use crate::interruptible::Interruptible;
use crate::losses::Losses;
use crate::messages::{Answer, Call, MediaHead};
use crate::owner::get_or_download;
use crate::policy_calls::{rollback_policy, swap_policy};
use crate::retained_download::RetainedDownload;
use crate::shared_cache::SharedCache;
use crate::takeover::{Shared, State};

/// Why the policy was not replaced.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The policy cannot be used, or could not be replaced.
    #[error("{0}")]
    Kept(String),
    /// The owner of the directory cannot be reached, or the cache was closed.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

impl SharedCache {
    /// See [`MediaCache::get`].
    ///
    /// # Errors
    /// As for [`MediaCache::get`]; [`CacheError::Unavailable`] if the directory can neither be attached to nor taken over.
    pub async fn get(&self, url: &str) -> Result<Option<Media>, CacheError> {
        let own = |cache: MediaCache| async move { cache.get(url).await };
        let call = &Call::Get { url: url.into() };
        let remote = |client: Arc<Client>| async move {
            match client.call(call, None).await? {
                (Answer::Media(None), _) => Ok(None),
                (Answer::Media(Some(head)), body) => Ok(Some(head.with(body)?)),
                _ => Err(unexpected()),
            }
        };
        self.run(own, remote).await
    }

    /// See [`MediaCache::get_or_download`]. The owner of the directory downloads the media. The body is complete.
    ///
    /// # Errors
    /// As for [`MediaCache::get_or_download`]; [`CacheError::Unavailable`] as for [`get`](Self::get).
    pub async fn get_or_download(&self, url: &str) -> Result<Media, CacheError> {
        let own = |cache: MediaCache| async move { get_or_download(&cache, url, None::<&RetainedDownload>).await };
        let call = &Call::GetOrDownload { url: url.into(), has_downloader: false };
        let remote = |client: Arc<Client>| async move {
            match client.call(call, None).await? {
                (Answer::Media(Some(head)), body) => Ok(head.with(body)?),
                _ => Err(unexpected()),
            }
        };
        self.run(own, remote).await
    }

    /// See [`MediaCache::get_or_download_with`]. `downloader` runs in this process. The calls of all processes for the same media share one
    /// download; if the process that runs it ends, another one downloads the media. The body is complete.
    /// If this future is dropped, the download continues.
    ///
    /// # Errors
    /// As for [`get_or_download`](Self::get_or_download). If `downloader` fails, this and the coalesced calls in this process get the failure
    /// with its [cause](media_cache::CustomFailure::cause); calls in other processes get one with the same message.
    pub async fn get_or_download_with(&self, url: &str, downloader: impl Downloader) -> Result<Media, CacheError> {
        if let Some(media) = self.get_resident(url) {
            return Ok(media);
        }
        let downloader = RetainedDownload::new(downloader);
        let interruptible = |shared: &Shared, downloader: &RetainedDownload| {
            Interruptible::new(Arc::new(downloader.clone()), shared.interruptions.clone())
        };
        if let State::Owner(cache, listener) = self.0.state() {
            // The cache itself continues the download if this future is dropped.
            match get_or_download(&cache, url, Some(&interruptible(&self.0, &downloader))).await {
                Err(error) if is_repeatable(&error) && self.0.has_changed_since(&listener) => {}
                result => return result,
            }
        }
        let (this, url) = (self.clone(), url.to_owned());
        let task = tokio::spawn(async move {
            let (shared, url, downloader) = (&this.0, &url, &downloader);
            let own =
                |cache: MediaCache| async move { get_or_download(&cache, url, Some(&interruptible(shared, downloader))).await };
            let remote = |client: Arc<Client>| async move { client.get_or_download(url, downloader).await };
            this.run(own, remote).await
        });
        task.await.unwrap_or_else(|error| Err(FetchError::Other(format!("the downloader panicked: {error}")).into()))
    }

    /// See [`MediaCache::refresh`].
    ///
    /// # Errors
    /// As for [`MediaCache::refresh`]; [`CacheError::Unavailable`] as for [`get`](Self::get).
    pub async fn refresh(&self, url: &str) -> Result<RefreshOutcome, CacheError> {
        let own = |cache: MediaCache| async move { cache.refresh(url).await };
        let call = &Call::Refresh { url: url.into() };
        let remote = |client: Arc<Client>| async move {
            match client.call(call, None).await? {
                (Answer::Refreshed { media, modified, not_stored }, body) => {
                    Ok(RefreshOutcome { media: media.with(body)?, modified, not_stored: not_stored.map(|error| error.0) })
                }
                _ => Err(unexpected()),
            }
        };
        self.run(own, remote).await
    }

    /// See [`MediaCache::put_media`].
    ///
    /// # Errors
    /// As for [`MediaCache::put_media`]; [`CacheError::Unavailable`] as for [`get`](Self::get).
    pub async fn put(&self, url: &str, media: FetchedMedia) -> Result<PutOutcome, CacheError> {
        media.body.finished().await?;
        let media = &media;
        let own = |cache: MediaCache| async move { cache.put_media(url, media.clone()).await };
        let call = &Call::Put { url: url.into(), media: MediaHead::of_fetched(media) };
        let remote = |client: Arc<Client>| async move {
            let body = sendable(&media.body).await.map_err(unsendable)?;
            match client.call(call, Some(&body)).await? {
                (Answer::Put { media, known, not_stored }, body) => {
                    Ok(PutOutcome { media: media.with(body)?, known, not_stored: not_stored.map(|error| error.0) })
                }
                _ => Err(unexpected()),
            }
        };
        self.run(own, remote).await
    }

    /// See [`MediaCache::remove`].
    ///
    /// # Errors
    /// As for [`MediaCache::remove`]; [`CacheError::Unavailable`] as for [`get`](Self::get).
    pub async fn remove(&self, url: &str) -> Result<bool, CacheError> {
        let own = |cache: MediaCache| async move { cache.remove(url).await.map(u64::from) };
        Ok(self.run(own, removed(&Call::Remove { url: url.into() })).await? > 0)
    }

    /// See [`MediaCache::remove_matching`].
    ///
    /// # Errors
    /// As for [`MediaCache::remove_matching`]; [`CacheError::Unavailable`] as for [`get`](Self::get).
    pub async fn remove_matching(&self, filter: EntryFilter) -> Result<u64, CacheError> {
        let filter = &filter;
        let own = |cache: MediaCache| async move { cache.remove_matching(filter.clone()).await };
        self.run(own, removed(&Call::RemoveMatching { filter: filter.clone() })).await
    }

    /// See [`MediaCache::entries`]. Unless this process is the owner, a page contains at most 1,000 entries.
    ///
    /// # Errors
    /// As for [`MediaCache::entries`]; [`CacheError::Unavailable`] as for [`get`](Self::get).
    pub async fn entries(&self, after: Option<u64>, limit: u32) -> Result<Page, CacheError> {
        let own = |cache: MediaCache| async move { cache.entries(after, limit).await };
        let remote = |client: Arc<Client>| async move {
            match client.call(&Call::Entries { after, limit }, None).await? {
                (Answer::Entries { entries, next }, _) => {
                    Ok(Page { entries: entries.into_iter().map(|entry| entry.0).collect(), next })
                }
                _ => Err(unexpected()),
            }
        };
        self.run(own, remote).await
    }

    /// See [`MediaCache::status`] and [`MediaCache::load_report`].
    ///
    /// # Errors
    /// As for [`MediaCache::status`]; [`CacheError::Unavailable`] as for [`get`](Self::get).
    pub async fn status(&self) -> Result<(Status, Option<LoadReport>), CacheError> {
        let own = |cache: MediaCache| async move { Ok((cache.status().await?, cache.load_report())) };
        let remote = |client: Arc<Client>| async move {
            match client.call(&Call::Status, None).await? {
                (Answer::Status(status), _) => Ok((status.status, status.load.map(|report| report.0))),
                _ => Err(unexpected()),
            }
        };
        self.run(own, remote).await
    }

    /// See [`MediaCache::health`].
    ///
    /// # Errors
    /// As for [`MediaCache::health`]; [`CacheError::Unavailable`] as for [`get`](Self::get).
    pub async fn health(&self) -> Result<Health, CacheError> {
        let own = |cache: MediaCache| async move { cache.health().await };
        let remote = |client: Arc<Client>| async move {
            match client.call(&Call::Health, None).await? {
                (Answer::Health(health), _) => Ok(health),
                _ => Err(unexpected()),
            }
        };
        self.run(own, remote).await
    }

    /// See [`MediaCache::checkpoint`].
    ///
    /// # Errors
    /// As for [`MediaCache::checkpoint`]; [`CacheError::Unavailable`] as for [`get`](Self::get).
    pub async fn checkpoint(&self) -> Result<(), CacheError> {
        let own = |cache: MediaCache| async move { cache.checkpoint().await };
        let remote = |client: Arc<Client>| async move {
            match client.call(&Call::Checkpoint, None).await? {
                (Answer::Done, _) => Ok(()),
                _ => Err(unexpected()),
            }
        };
        self.run(own, remote).await
    }

    /// The status of the policy: see [`MediaCache::policy`].
    ///
    /// # Errors
    /// [`CacheError::Closed`]; [`CacheError::Unavailable`] as for [`get`](Self::get).
    pub async fn policy(&self) -> Result<PolicyStatus, CacheError> {
        let own = |cache: MediaCache| async move { Ok(cache.policy()) };
        let remote = |client: Arc<Client>| async move {
            match client.call(&Call::Policy, None).await? {
                (Answer::Policy(status), _) => Ok(*status),
                _ => Err(unexpected()),
            }
        };
        self.run(own, remote).await
    }

    /// Compiles a policy and makes it the active one: see [`MediaCache::swap_policy`]. The owner of the directory reads and compiles it. It
    /// remains active after a restart and a takeover, unless another policy has been configured since.
    ///
    /// # Errors
    /// See [`PolicyError`].
    pub async fn swap_policy(&self, mut spec: PolicySpec) -> Result<PolicyStatus, PolicyError> {
        if let PolicyOrigin::File(path) = &mut spec.origin {
            // The owner may have another working directory.
            *path = std::path::absolute(&path)
                .map_err(|error| PolicyError::Kept(format!("cannot find {}: {error}", path.display())))?;
        }
        self.swap(spec, None).await
    }

    /// Like [`swap_policy`](Self::swap_policy), with the bytes of a component.
    ///
    /// # Errors
    /// See [`PolicyError`].
    pub async fn swap_to_component(&self, component: Bytes, options: Vec<(String, String)>) -> Result<PolicyStatus, PolicyError> {
        self.swap(PolicySpec { origin: PolicyOrigin::Upload, options }, Some(component)).await
    }

    async fn swap(&self, spec: PolicySpec, component: Option<Bytes>) -> Result<PolicyStatus, PolicyError> {
        let (spec, component) = (&spec, &component);
        let remembered = &self.0.remembered();
        let own =
            |cache: MediaCache| async move { Ok(swap_policy(&cache, spec.clone(), component.clone(), Some(remembered)).await) };
        let call = &Call::SwapPolicy { spec: spec.clone() };
        self.run(own, policy_change(call, component.as_ref())).await?.map_err(PolicyError::Kept)
    }

    /// Restores the previous policy: see [`MediaCache::rollback_policy`].
    ///
    /// # Errors
    /// See [`PolicyError`].
    pub async fn rollback_policy(&self) -> Result<PolicyStatus, PolicyError> {
        let remembered = &self.0.remembered();
        let own = |cache: MediaCache| async move { Ok(rollback_policy(&cache, Some(remembered)).await) };
        self.run(own, policy_change(&Call::RollbackPolicy, None)).await?.map_err(PolicyError::Kept)
    }

    /// Makes a call, and repeats it whenever the directory gets another owner.
    async fn run<T, Own, Remote>(
        &self,
        own: impl Fn(MediaCache) -> Own,
        remote: impl Fn(Arc<Client>) -> Remote,
    ) -> Result<T, CacheError>
    where
        Own: Future<Output = Result<T, CacheError>>,
        Remote: Future<Output = Result<T, CallFailure>>,
    {
        let mut losses = Losses::default();
        loop {
            let client = match self.0.state() {
                State::Owner(cache, listener) => match own(cache).await {
                    Err(error) if is_repeatable(&error) && self.0.has_changed_since(&listener) => continue,
                    result => return result,
                },
                State::HandedOver => {
                    self.0.resume().await?;
                    continue;
                }
                State::Closed => return Err(CacheError::Closed),
                State::Attached(client) => client,
            };
            match remote(client.clone()).await {
                Ok(result) => return Ok(result),
                Err(CallFailure::Failed(error)) => return Err(error),
                Err(CallFailure::Lost(error)) => {
                    let pause = losses.add(&error)?;
                    self.0.replace(&client).await?;
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }
}

/// Whether the next owner of the directory can repeat a call that failed with this error.
fn is_repeatable(error: &CacheError) -> bool {
    match error {
        CacheError::Closed => true,
        CacheError::Fetch(error) => is_lost(error),
        _ => false,
    }
}

fn unsendable(error: io::Error) -> CacheError {
    FetchError::Other(format!("the body cannot be read: {error}")).into()
}

/// Makes a call that removes entries. Returns their number.
fn removed<'a>(call: &'a Call) -> impl Fn(Arc<Client>) -> BoxFuture<'a, Result<u64, CallFailure>> {
    move |client| {
        async move {
            match client.call(call, None).await? {
                (Answer::Removed(count), _) => Ok(count),
                _ => Err(unexpected()),
            }
        }
        .boxed()
    }
}

/// Makes a call that replaces the policy. If it was kept, the result says why.
fn policy_change<'a>(
    call: &'a Call,
    component: Option<&'a Bytes>,
) -> impl Fn(Arc<Client>) -> BoxFuture<'a, Result<Result<PolicyStatus, String>, CallFailure>> {
    move |client| {
        async move {
            let body = match component {
                Some(component) => Some(sendable(&Blob::from(component.clone())).await.map_err(unsendable)?),
                None => None,
            };
            match client.call(call, body.as_ref()).await? {
                (Answer::Policy(status), _) => Ok(Ok(*status)),
                (Answer::PolicyKept(why), _) => Ok(Err(why)),
                _ => Err(unexpected()),
            }
        }
        .boxed()
    }
}
