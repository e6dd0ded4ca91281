//! Fetches media without the component while it cannot be called. Nothing is stored, and failures are not remembered.
//!
//! Concurrent requests for a URL are coalesced. The download ends when the last of them is cancelled. Media that is not converted is
//! returned while its body is arriving, and further requests during that time get the same body.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::SystemTime;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};
use media_cache_file_names::{clean_or_fallback, converted_name};
use media_cache_interfaces::{Blob, Conversion, Downloader, FetchError, FetchedMedia, Original, Transcoded, Transcoder, WeakBlob};
use media_cache_key_rules::check_url;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::media::{Attachment, Media, MediaInfo, Source};

/// The number of bytes at the start of a body that identify a GIF.
const GIF_SIGNATURE_BYTES: usize = 6;

type Answer = Result<Media, FetchError>;
type Fetch = BoxFuture<'static, Answer>;

/// Fetches media, bypassing the cache.
pub(crate) struct PassThrough {
    pub downloader: Arc<dyn Downloader>,
    pub transcoder: Arc<dyn Transcoder>,
    pub accepted_types: Vec<String>,
    /// Where downloads and transcoding run.
    pub runtime: Handle,
    pub fetches: Mutex<HashMap<String, WeakShared<Fetch>>>,
    /// Media whose body is still arriving. The references are weak, so a body is dropped once no request reads it.
    pub arriving: Mutex<HashMap<String, (Arc<MediaInfo>, WeakBlob)>>,
    /// The number of requests that bypassed the component.
    pub requests: AtomicU64,
}

impl PassThrough {
    /// Fetches the media at a URL, with this downloader if it is given, and if no download of the URL is in progress.
    pub async fn fetch(&self, url: &str, downloader: Option<Arc<dyn Downloader>>) -> Answer {
        check_url(url).map_err(FetchError::InvalidUrl)?;
        self.requests.fetch_add(1, Ordering::Relaxed);
        if let Some(media) = self.arriving(url) {
            return Ok(media);
        }
        // Dropped after the future that is awaited below.
        let _forget = Forget { fetches: &self.fetches, url };
        let media = self.join(url, downloader).await?;
        if media.body.is_arriving() {
            let mut arriving = lock(&self.arriving);
            arriving.retain(|_, (_, body)| body.upgrade().is_some_and(|body| body.is_arriving()));
            arriving.insert(url.to_owned(), (media.info().clone(), media.body.downgrade()));
        }
        Ok(media)
    }

    /// Media whose body is arriving for another request.
    fn arriving(&self, url: &str) -> Option<Media> {
        let arriving = lock(&self.arriving);
        let (info, body) = arriving.get(url)?;
        let body = body.upgrade().filter(Blob::is_arriving)?;
        Some(Media::new(info.clone(), body, Source::Origin))
    }

    fn join(&self, url: &str, downloader: Option<Arc<dyn Downloader>>) -> Shared<Fetch> {
        let mut fetches = lock(&self.fetches);
        if let Some(fetch) = fetches.get(url).and_then(WeakShared::upgrade) {
            return fetch;
        }
        let (downloader, transcoder) = (downloader.unwrap_or_else(|| self.downloader.clone()), self.transcoder.clone());
        let (accepted_types, owned) = (self.accepted_types.clone(), url.to_owned());
        let fetching = async move {
            let media = downloader.fetch(&owned).await?;
            if media.body.is_arriving() && !is_needed_whole(&media, &accepted_types) {
                return Ok(delivered(media));
            }
            media.body.finished().await?;
            if media.body.is_empty() {
                return Err(FetchError::EmptyBody);
            }
            Ok(delivered(convert(&*transcoder, &accepted_types, &owned, media).await))
        };
        let task = AbortOnDrop(self.runtime.spawn(fetching));
        let fetch = task.boxed().shared();
        fetches.extend(fetch.downgrade().map(|weak| (url.to_owned(), weak)));
        fetch
    }
}

/// Removes a fetch once no request is waiting for it.
struct Forget<'a> {
    fetches: &'a Mutex<HashMap<String, WeakShared<Fetch>>>,
    url: &'a str,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        let mut fetches = lock(self.fetches);
        if fetches.get(self.url).is_some_and(|fetch| fetch.upgrade().is_none()) {
            fetches.remove(self.url);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A task that is aborted when this is dropped.
struct AbortOnDrop(JoinHandle<Answer>);

impl Future for AbortOnDrop {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Answer> {
        let broke_off = |error| Err(FetchError::Other(format!("the downloader stopped unexpectedly: {error}")));
        Pin::new(&mut self.0).poll(context).map(|joined| joined.unwrap_or_else(broke_off))
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Whether media whose body is still arriving will be converted, or might be.
fn is_needed_whole(media: &FetchedMedia, accepted_types: &[String]) -> bool {
    let head = media.body.head(GIF_SIGNATURE_BYTES).unwrap_or_default();
    let may_be_gif = head.len() < GIF_SIGNATURE_BYTES && !accepted_types.is_empty();
    may_be_gif || accepted_type(&media.mimetype, &head, accepted_types).is_some()
}

/// Converts media as the component would. Media that cannot be converted is returned unchanged.
async fn convert(transcoder: &dyn Transcoder, accepted_types: &[String], url: &str, media: FetchedMedia) -> FetchedMedia {
    let head = media.body.head(GIF_SIGNATURE_BYTES).unwrap_or_default();
    let Some(mimetype) = accepted_type(&media.mimetype, &head, accepted_types) else { return media };
    let original = Original { body: media.body.clone(), mimetype, url: Some(url) };
    match transcoder.transcode(original).await {
        Ok(Transcoded::Converted(Conversion { body, mimetype, extension })) if !body.is_empty() => {
            let filename = converted_name(&media.filename, &mimetype, &extension);
            FetchedMedia { body, mimetype, filename, ..media }
        }
        _ => media,
    }
}

/// The accepted type of the media, if any. A GIF is detected from its first bytes; for all other media, the declared type counts.
fn accepted_type<'a>(mimetype: &str, head: &[u8], accepted: &'a [String]) -> Option<&'a str> {
    let is_gif = head.starts_with(b"GIF87a") || head.starts_with(b"GIF89a");
    let source_type = if is_gif { "image/gif" } else { mimetype.split(';').next().unwrap_or_default().trim() };
    accepted.iter().find(|accepted| accepted.eq_ignore_ascii_case(source_type)).map(String::as_str)
}

fn delivered(media: FetchedMedia) -> Media {
    let FetchedMedia { body, mimetype, filename, cache_control, validators } = media;
    let filename = clean_or_fallback(&filename);
    let info = MediaInfo {
        mimetype,
        filename,
        stored_at: SystemTime::now(),
        cache_control,
        validators,
        cost: 0,
        attachment: Attachment::default(),
    };
    let source = Source::of_missing(&body);
    Media::new(info, body, source)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use media_cache_interfaces::{NoTranscoder, Spool, SpooledBody};
    use tokio::sync::Notify;

    use super::*;

    fn pass_through(downloader: impl Downloader) -> PassThrough {
        PassThrough {
            downloader: Arc::new(downloader),
            transcoder: Arc::new(NoTranscoder),
            accepted_types: Vec::new(),
            runtime: Handle::current(),
            fetches: Mutex::default(),
            arriving: Mutex::default(),
            requests: AtomicU64::new(0),
        }
    }

    #[tokio::test]
    async fn concurrent_requests_share_a_download_and_later_ones_start_another() {
        let downloads = Arc::new(AtomicUsize::new(0));
        let counted = downloads.clone();
        let pass = pass_through(move |url: String| {
            counted.fetch_add(1, Ordering::Relaxed);
            async move {
                tokio::task::yield_now().await;
                Ok(FetchedMedia::new(url, "text/plain", "../a.txt"))
            }
        });
        for round in 1..3 {
            let answers = futures::future::join_all((0..20).map(|_| pass.fetch("x:a", None))).await;
            for answer in answers {
                let media = answer.unwrap();
                assert_eq!((media.filename(), media.source), ("a.txt", Source::Origin));
                assert_eq!(media.body.bytes().await.unwrap(), "x:a");
            }
            assert_eq!(downloads.load(Ordering::Relaxed), round);
        }
        assert_eq!((lock(&pass.fetches).len(), pass.requests.load(Ordering::Relaxed)), (0, 40));
    }

    #[tokio::test]
    async fn download_is_cancelled_when_the_last_request_for_it_is_dropped() {
        let (started, ended) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        struct Told(Arc<Notify>);
        impl Drop for Told {
            fn drop(&mut self) {
                self.0.notify_one();
            }
        }
        let (start, end) = (started.clone(), ended.clone());
        let pass = pass_through(move |_: String| {
            let (start, told) = (start.clone(), Told(end.clone()));
            async move {
                start.notify_one();
                let _told = told;
                std::future::pending().await
            }
        });
        {
            let mut request = std::pin::pin!(pass.fetch("x:a", None));
            tokio::select! {
                _ = &mut request => panic!("the request ended, although its download never does"),
                () = started.notified() => {}
            }
        }
        ended.notified().await;
        assert!(lock(&pass.fetches).is_empty());
    }

    #[tokio::test]
    async fn arriving_body_is_shared_until_it_is_complete() {
        let (began, downloads) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let (writers, counted) = (began.clone(), downloads.clone());
        let pass = pass_through(move |_: String| {
            counted.fetch_add(1, Ordering::Relaxed);
            let writers = writers.clone();
            async move {
                let mut body = SpooledBody::new(100, Spool::temporary(), None);
                body.append("early".into()).await.unwrap();
                let (body, writer) = body.into_arriving();
                writers.lock().unwrap().push(writer);
                Ok(FetchedMedia::new(body, "text/plain", "a.txt"))
            }
        });
        let first = pass.fetch("x:a", None).await.unwrap();
        let second = pass.fetch("x:a", None).await.unwrap();
        assert_eq!((downloads.load(Ordering::Relaxed), first.body.is_arriving()), (1, true));
        let writer = began.lock().unwrap().pop().unwrap();
        writer.finish(|_| FetchError::NotFound).await;
        for media in [first, second] {
            assert_eq!(media.body.bytes().await.unwrap(), "early");
        }
        pass.fetch("x:a", None).await.unwrap();
        assert_eq!(downloads.load(Ordering::Relaxed), 2, "nothing is stored");
    }

    #[tokio::test]
    async fn failures_and_empty_bodies_are_passed_on() {
        let pass = pass_through(|url: String| async move {
            match url.as_str() {
                "x:empty" => Ok(FetchedMedia::new(Blob::from(""), "image/png", "a.png")),
                _ => Err(FetchError::NotFound),
            }
        });
        assert_eq!(pass.fetch("x:empty", None).await.unwrap_err(), FetchError::EmptyBody);
        assert_eq!(pass.fetch("x:missing", None).await.unwrap_err(), FetchError::NotFound);
        assert!(matches!(pass.fetch("no URL", None).await.unwrap_err(), FetchError::InvalidUrl(_)));
    }
}
