//! The handle through which a program uses a cache.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use media_cache_key_rules::KeyRules;
use tokio::sync::{mpsc, oneshot};
use tracing::Span;

use crate::availability::{Availability, Outage};
use crate::component::record::ComponentRecord;
use crate::copies::Copies;
use crate::directory_watch::DirectoryWatch;
use crate::driver_slices::DriverSlices;
use crate::engine::Engine;
use crate::health::HealthHistory;
use crate::hit_buffer::HitBuffer;
use crate::integrity::Integrity;
use crate::loading::Loaded;
use crate::lookup_spans::{LookupSpans, call_span};
use crate::media::{
    Delivered, EntryFilter, LoadReport, Media, Page, PutOutcome, RefreshOutcome, Refreshed, Source, Status, StoreError,
};
use crate::pass_through::PassThrough;
use crate::policy::swap::Swapper;
use crate::request::Request;
use crate::resident_hit::ResidentHit;
use crate::resident_index::ResidentIndex;
use media_cache_interfaces::{Blob, Downloader, FetchError, FetchedMedia, Spool};

/// How many times a request looks up an entry, if its file turns out to have changed.
const ATTEMPTS: usize = 2;

/// Why a call to a [`MediaCache`] failed.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The download failed.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The entry could not be stored or removed, or the index log could not be written.
    #[error("{}", describe(.0))]
    Store(StoreError),
    /// The entry was removed, but its [copy](crate::Copies) may still exist; the text says why.
    #[error("the entry was removed, but {0}")]
    Copy(String),
    /// The component crashed while serving the request, and is being restarted. Retrying may succeed.
    #[error("the cache component crashed while serving this request; see the log for the cause")]
    BrokeDown,
    /// The component cannot be called at the moment. Media is still served from memory and from the network.
    #[error("the cache is degraded: {0}")]
    Unavailable(Outage),
    /// The cache was closed.
    #[error("the cache is closed")]
    Closed,
}

impl CacheError {
    /// The name of this kind of error in spans.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Fetch(failure) => failure.name(),
            Self::Store(_) => "not-stored",
            Self::Copy(_) => "copy-not-removed",
            Self::BrokeDown => "component-crashed",
            Self::Unavailable(_) => "degraded",
            Self::Closed => "closed",
        }
    }
}

/// Describes why something was not stored, removed or saved, as a phrase for error messages.
#[must_use]
pub fn describe(error: &StoreError) -> String {
    match error {
        StoreError::InvalidUrl(why) => why.clone(),
        StoreError::Oversize(budget) => format!("it is larger than the total budget for entries, {budget} bytes"),
        StoreError::Refused => "the eviction policy refused it".into(),
        StoreError::NoStore => "its origin does not allow it to be stored".into(),
        StoreError::NotReady => "the directory is still being loaded; try again later".into(),
        StoreError::NoSpace(left) => {
            format!(
                "there is not enough space at the moment: open files, the index and incoming bodies leave {left} bytes for entries"
            )
        }
        StoreError::Disk(why) => format!("the disk failed: {why}"),
    }
}

/// A cache. Cloning is cheap, and all clones refer to the same cache.
///
/// When the last clone is dropped, the cache finishes the work in progress and completes its index log on its own thread.
/// [`close`](Self::close) does the same and waits for it.
#[derive(Clone)]
pub struct MediaCache(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub requests: mpsc::Sender<Request>,
    pub key_rules: KeyRules,
    /// `None` if every hit calls the component.
    pub residents: Option<Arc<ResidentIndex>>,
    pub hits: Arc<HitBuffer>,
    pub directory: PathBuf,
    /// Holds the lock on the directory, until the thread of the cache ends.
    pub watch: Weak<DirectoryWatch>,
    pub spool: Arc<Spool>,
    pub engine: Engine,
    pub swapper: Arc<Swapper>,
    pub components: Arc<ComponentRecord>,
    pub loaded: Loaded,
    pub thread: Mutex<Option<std::thread::JoinHandle<()>>>,
    pub availability: Arc<Availability>,
    pub slices: Arc<DriverSlices>,
    pub pass_through: PassThrough,
    pub history: HealthHistory,
    pub integrity: Integrity,
    /// The latest status of the component.
    pub latest_status: Mutex<Option<Status>>,
    /// The number of entries that were removed because another program changed their files while they were open.
    pub changed_files: AtomicU64,
    /// Copies of entries outside of the cache.
    pub copies: Option<Arc<dyn Copies>>,
    /// The spans of the calls in progress.
    pub lookup_spans: Arc<LookupSpans>,
    /// Locked while an entry is removed because its file was changed.
    pub dropping: tokio::sync::Mutex<()>,
}

impl MediaCache {
    /// The directory of the entries.
    #[must_use]
    pub fn directory(&self) -> &std::path::Path {
        &self.0.directory
    }

    /// Whether this cache holds the lock on the directory that has the path of [`directory`](Self::directory) now. It does not if the
    /// directory was removed, or was replaced by one that the cache has not locked yet. This blocks, since it reads the file system.
    #[must_use]
    pub fn is_directory_locked(&self) -> bool {
        self.0.watch.upgrade().is_some_and(|watch| watch.is_locked())
    }

    /// The spool, which holds large bodies while they arrive. Programs can also use it to receive media that they then put into the cache.
    #[must_use]
    pub fn spool(&self) -> &Arc<Spool> {
        &self.0.spool
    }

    /// The report on loading the directory. `None` while the directory is still being loaded.
    #[must_use]
    pub fn load_report(&self) -> Option<LoadReport> {
        self.0.loaded.report()
    }

    /// Waits until the directory has been loaded, and returns the report.
    ///
    /// # Errors
    /// [`CacheError::Closed`] if the cache is closed first.
    pub async fn loaded(&self) -> Result<LoadReport, CacheError> {
        tokio::select! {
            report = self.0.loaded.wait() => Ok(report),
            () = self.0.requests.closed() => Err(CacheError::Closed),
        }
    }

    /// The cache key of `url`: the URL under which the entry is stored and listed. All URLs that share the entry have this key.
    #[must_use]
    pub fn key<'a>(&self, url: &'a str) -> Cow<'a, str> {
        self.0.key_rules.key(url)
    }

    /// Returns the media stored for `url`, if any; see `get` in `wit/cache/cache.wit`.
    ///
    /// # Errors
    /// [`CacheError::Closed`], [`CacheError::BrokeDown`] and [`CacheError::Unavailable`].
    pub async fn get(&self, url: &str) -> Result<Option<Media>, CacheError> {
        let key = self.key(url);
        let source = |found: &Option<Media>| found.as_ref().map(|media| media.source);
        self.in_span(call_span!("lookup"), &key, None, source, |_| self.find(url, &key)).await
    }

    async fn find(&self, url: &str, key: &str) -> Result<Option<Media>, CacheError> {
        for _ in 0..ATTEMPTS {
            let media = match self.resident(key) {
                Some(media) => media,
                None => match self.call_with_retry(|reply| Request::Get { url: url.into(), reply }).await? {
                    Some(delivered) => self.remember(key, delivered),
                    None => return Ok(None),
                },
            };
            if self.is_intact(url, &media).await {
                return Ok(Some(media));
            }
        }
        Ok(None)
    }

    /// Returns the media stored for `url` without calling the component: if the entry is resident, or in an open file that no other program
    /// has changed. The request counts as a hit once [`ResidentHit::count`] is called.
    #[must_use]
    pub fn resident_hit<'a>(&'a self, url: &'a str) -> Option<ResidentHit<'a>> {
        // For open files, `peek` has already checked this.
        self.peek(self.key(url)).filter(|hit| hit.media().source == Source::Disk || hit.media().body.is_unchanged())
    }

    /// Returns the media stored for `url`. If there is none, downloads the media, stores it and returns it. Concurrent requests share one
    /// download, which continues if the first caller is dropped. While the component cannot be called, media that is not in memory is
    /// downloaded but not stored.
    ///
    /// After a miss, the body may still be arriving if the downloader supports that, as the HTTP downloader does. Readers of the body wait
    /// for the rest. If the download fails, they fail too, and nothing is stored. Before you do anything that cannot be undone, call
    /// [`Media::finished`], which waits for the whole body. The media is stored once the body is complete.
    ///
    /// # Errors
    /// [`CacheError::Fetch`] if the download failed; [`CacheError::Closed`].
    pub async fn get_or_download(&self, url: &str) -> Result<Media, CacheError> {
        self.get_or_fetch(url, None).await
    }

    /// The same as [`get_or_download`](Self::get_or_download), but if this call starts the download, `downloader` fetches the media. If a
    /// download for the entry is in progress, this call shares it and `downloader` is not used, regardless of who started it.
    ///
    /// If `downloader` fails with [`FetchError::custom`](media_cache_interfaces::FetchError::custom), this and all coalesced calls return a
    /// failure with the same [cause](media_cache_interfaces::CustomFailure::cause). It is not remembered by default.
    ///
    /// # Errors
    /// As for [`get_or_download`](Self::get_or_download).
    pub async fn get_or_download_with(&self, url: &str, downloader: impl Downloader) -> Result<Media, CacheError> {
        self.get_or_fetch(url, Some(Arc::new(downloader))).await
    }

    async fn get_or_fetch(&self, url: &str, downloader: Option<Arc<dyn Downloader>>) -> Result<Media, CacheError> {
        let key = self.key(url);
        let source = |media: &Media| Some(media.source);
        self.in_span(call_span!("lookup"), &key, downloader, source, |downloader| self.find_or_fetch(url, &key, downloader)).await
    }

    async fn find_or_fetch(&self, url: &str, key: &str, downloader: Option<Arc<dyn Downloader>>) -> Result<Media, CacheError> {
        let request = |reply| Request::GetOrDownload { url: url.into(), downloader: downloader.clone(), reply };
        for _ in 0..ATTEMPTS {
            let media = match self.resident(key) {
                Some(media) => media,
                None => match self.call_with_retry(request).await {
                    Err(CacheError::Unavailable(_) | CacheError::BrokeDown) => break,
                    answer => self.remember(key, answer??),
                },
            };
            if let Some(failure) = media.body.failure() {
                return Err(failure.into());
            }
            if self.is_intact(url, &media).await {
                return Ok(media);
            }
        }
        Ok(self.0.pass_through.fetch(url, downloader).await?)
    }

    /// Fetches `url` again, conditionally if its origin sent validators, and replaces the stored media; see `refresh` in
    /// `wit/cache/cache.wit`. If nothing is stored, the media is downloaded and stored.
    ///
    /// # Errors
    /// [`CacheError::Fetch`] if the download failed, in which case the stored media remains; [`CacheError::Closed`],
    /// [`CacheError::BrokeDown`] and [`CacheError::Unavailable`]. If the downloaded media could not be stored, the outcome says why.
    pub async fn refresh(&self, url: &str) -> Result<RefreshOutcome, CacheError> {
        let key = self.key(url);
        let source = |_: &Refreshed| Some(Source::Origin);
        let refresh = |downloader: Option<Arc<dyn Downloader>>| async move {
            let refresh = |reply| Request::Refresh { url: url.into(), downloader: downloader.clone(), reply };
            Ok(self.call_with_retry(refresh).await??)
        };
        let refreshed = self.in_span(call_span!("refresh"), &key, None, source, refresh).await?;
        let Refreshed { media, modified, not_stored } = refreshed;
        Ok(RefreshOutcome { media: self.remember(&key, media), modified, not_stored })
    }

    /// Waits until no download of the entry of `url` is in progress. By then, its media has been stored, or will not be stored.
    ///
    /// # Errors
    /// [`CacheError::Closed`], [`CacheError::BrokeDown`] and [`CacheError::Unavailable`].
    pub async fn settled(&self, url: &str) -> Result<(), CacheError> {
        self.call_with_retry(|reply| Request::Settled { url: url.into(), reply }).await
    }

    /// Stores `body` for `url`. If media is already stored for the URL, that media is kept. Media whose type the transcoder accepts is
    /// converted: by default, a GIF becomes an MP4. The media is public; use [`put_media`](Self::put_media) to restrict who may store it.
    ///
    /// # Errors
    /// As for [`put_media`](Self::put_media).
    pub async fn put(&self, url: &str, body: impl Into<Blob>, mimetype: &str, filename: &str) -> Result<PutOutcome, CacheError> {
        self.put_media(url, FetchedMedia::new(body, mimetype, filename)).await
    }

    /// Stores media for `url` with all its metadata, such as who may store it. If its body is still arriving, this waits for the whole
    /// body.
    ///
    /// # Errors
    /// [`CacheError::Store`] if the URL is invalid; [`CacheError::Fetch`] if the body fails to arrive; [`CacheError::Closed`], or
    /// [`CacheError::BrokeDown`]. If nothing could be stored, the outcome says why.
    pub async fn put_media(&self, url: &str, media: FetchedMedia) -> Result<PutOutcome, CacheError> {
        media.body.finished().await?;
        let key = self.key(url);
        let put = async {
            let put = |reply| Request::Put { url: url.into(), media: media.into(), is_converted: false, reply };
            self.call(put).await?.map_err(CacheError::Store)
        };
        let Some(store) = self.0.lookup_spans.begin(call_span!("store"), &key) else { return put.await };
        // The conversion is part of this call.
        store.lead();
        store.run(|_| None, CacheError::name, put).await
    }

    /// Removes the entry of `url`, which all URLs with the same cache key share, and its [copy](crate::Copies), if there are copies. Returns
    /// whether there was one.
    ///
    /// # Errors
    /// [`CacheError::Store`] if the directory cannot be used or a file could not be deleted; [`CacheError::Copy`], [`CacheError::Closed`],
    /// [`CacheError::BrokeDown`] and [`CacheError::Unavailable`].
    pub async fn remove(&self, url: &str) -> Result<bool, CacheError> {
        let copy = match &self.0.copies {
            Some(copies) => copies.remove(&self.key(url)).await,
            None => Ok(false),
        };
        let removed = self.remove_here(url).await?;
        copy.map(|had_copy| removed || had_copy).map_err(CacheError::Copy)
    }

    /// Whether [`remove`](Self::remove) also removes copies.
    #[must_use]
    pub fn has_copies(&self) -> bool {
        self.0.copies.is_some()
    }

    async fn remove_here(&self, url: &str) -> Result<bool, CacheError> {
        self.call_with_retry(|reply| Request::Remove { url: url.into(), reply }).await?.map_err(CacheError::Store)
    }

    /// Removes all entries that match, and returns their number; see `remove-matching` in `wit/cache/cache.wit`.
    ///
    /// # Errors
    /// [`CacheError::Store`] if a host cannot match anything, the directory cannot be used, or files could not be deleted;
    /// [`CacheError::Closed`], [`CacheError::BrokeDown`] and [`CacheError::Unavailable`].
    pub async fn remove_matching(&self, filter: EntryFilter) -> Result<u64, CacheError> {
        let remove = |reply| Request::RemoveMatching { filter: filter.clone(), removed: 0, reply };
        self.call_with_retry(remove).await?.map_err(CacheError::Store)
    }

    /// Lists at most `limit` entries, least recently used first. The listing begins at the start, or where the previous page ended if its
    /// [`next`](Page::next) is passed as `after`. See `entries` in `wit/cache/cache.wit`.
    ///
    /// # Errors
    /// [`CacheError::Closed`], [`CacheError::BrokeDown`] and [`CacheError::Unavailable`].
    pub async fn entries(&self, after: Option<u64>, limit: u32) -> Result<Page, CacheError> {
        self.call_with_retry(|reply| Request::Entries { after, limit, reply }).await
    }

    /// Appends the state that is only in memory to the index log: the order of use, the hits and the counters. The cache does this
    /// automatically twice a second while requests arrive.
    ///
    /// # Errors
    /// [`CacheError::Store`] if the log cannot be written; [`CacheError::Closed`], [`CacheError::BrokeDown`] and
    /// [`CacheError::Unavailable`].
    pub async fn checkpoint(&self) -> Result<(), CacheError> {
        self.call(Request::Checkpoint).await?.map_err(CacheError::Store)
    }

    /// The engine that runs the cache and compiles policies and components for it.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// Whether the cache was closed. All requests to a closed cache fail.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.requests.is_closed()
    }

    /// Waits until the cache is closed.
    pub async fn closed(&self) {
        self.0.requests.closed().await;
    }

    /// Finishes the work in progress, completes the index log, and releases the directory. This also closes all clones. There is no time
    /// limit: if the disk hangs, this never returns. [`close_within`](Self::close_within) has a time limit. If the future is dropped,
    /// closing continues in the background.
    ///
    /// # Errors
    /// [`CacheError::Store`] if the index log cannot be written; [`CacheError::Closed`] if the cache had already been closed.
    pub async fn close(&self) -> Result<(), CacheError> {
        let written = self.ask(Request::Close).await;
        let thread = self.0.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // The thread has replied. It only has to release the lock.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
        written?.map_err(CacheError::Store)
    }

    /// Like [`close`](Self::close), but stops waiting after `limit`. The directory then remains in use until the cache has been closed or
    /// the process ends.
    ///
    /// # Errors
    /// As for [`close`](Self::close); [`CacheError::Unavailable`] if it takes longer than `limit`.
    pub async fn close_within(&self, limit: Duration) -> Result<(), CacheError> {
        let begun = SystemTime::now();
        let late = |_| {
            let reason = format!("closing the cache took longer than {} s", limit.as_secs_f32());
            CacheError::Unavailable(self.0.availability.outage().unwrap_or(Outage { reason, since: begun }))
        };
        tokio::time::timeout(limit, self.close()).await.map_err(late)?
    }

    /// Runs a call for an entry in a span, if the span is recorded. If the call fetches media, the fetch runs in the span too.
    async fn in_span<T, F: Future<Output = Result<T, CacheError>>>(
        &self,
        span: Span,
        key: &str,
        downloader: Option<Arc<dyn Downloader>>,
        source: impl FnOnce(&T) -> Option<Source>,
        call: impl FnOnce(Option<Arc<dyn Downloader>>) -> F,
    ) -> Result<T, CacheError> {
        let Some(lookup) = self.0.lookup_spans.begin(span, key) else { return call(downloader).await };
        let downloader = downloader.unwrap_or_else(|| self.0.pass_through.downloader.clone());
        let downloader = lookup.downloader(downloader);
        lookup.run(source, CacheError::name, call(Some(downloader))).await
    }

    /// Serves a hit without calling the component, if the component holds the bytes.
    fn resident(&self, key: &str) -> Option<Media> {
        self.peek(key.into()).map(ResidentHit::count)
    }

    /// The resident or open entry with this cache key.
    fn peek<'a>(&'a self, key: Cow<'a, str>) -> Option<ResidentHit<'a>> {
        if self.is_closed() {
            return None;
        }
        // During an outage, reading the file could block, since its disk may be hanging.
        let may_read = self.0.availability.outage().is_none();
        ResidentHit::of(key, self.0.residents.as_ref()?, &self.0.hits, may_read)
    }

    /// Whether the media's bytes are still those that the component returned, judging by the file's metadata. If not, removes the entry, so
    /// that the next request fetches it again.
    async fn is_intact(&self, url: &str, media: &Media) -> bool {
        if media.body.is_intact().await {
            return true;
        }
        // Requests that find the file changed wait here until the first of them has removed the entry.
        let _first = self.0.dropping.lock().await;
        if media.body.condemn() {
            self.0.changed_files.fetch_add(1, Ordering::Relaxed);
            tracing::warn!("another program changed the file of an entry while it was open; removing the entry");
            if let Err(error) = self.remove_here(url).await {
                tracing::warn!("cannot remove an entry whose file was changed: {error}");
            }
        }
        false
    }

    fn remember(&self, key: &str, delivered: Delivered) -> Media {
        if let Some(residents) = &self.0.residents {
            residents.insert(key, &delivered);
        }
        delivered.media
    }

    /// Calls the component. Fails if it cannot be called, or if that happens during the call.
    pub(crate) async fn call<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Result<T, CacheError> {
        let availability = &self.0.availability;
        if self.is_closed() {
            return Err(CacheError::Closed);
        }
        if let Some(outage) = availability.outage() {
            return Err(CacheError::Unavailable(outage));
        }
        tokio::select! {
            biased;
            answer = self.ask(request) => match (answer, availability.outage()) {
                (Err(CacheError::BrokeDown), Some(outage)) => Err(CacheError::Unavailable(outage)),
                (answer, _) => answer,
            },
            outage = availability.next_outage() => Err(CacheError::Unavailable(outage)),
        }
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Result<T, CacheError> {
        let (reply, answer) = oneshot::channel();
        self.0.requests.send(request(reply)).await.map_err(|_| CacheError::Closed)?;
        answer.await.map_err(|_| if self.is_closed() { CacheError::Closed } else { CacheError::BrokeDown })
    }

    /// Calls the component, and retries once if it crashed, since another request may have caused that.
    pub(crate) async fn call_with_retry<T>(&self, request: impl Fn(oneshot::Sender<T>) -> Request) -> Result<T, CacheError> {
        match self.call(&request).await {
            Err(CacheError::BrokeDown) => self.call(&request).await,
            answer => answer,
        }
    }
}
