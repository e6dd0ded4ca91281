//! An origin for the library: a downloader that returns scripted results and counts requests.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use media_cache::{ArrivingBody, Blob, CacheControl, Downloader, FetchError, Fetched, FetchedMedia, SpooledBody, Validators};

use crate::latch::Latch;

/// A downloader with a result for every URL: by default a short [`text`], unless another one is scripted.
#[derive(Default)]
pub struct ScriptedOrigin {
    pages: Mutex<HashMap<String, Page>>,
}

#[derive(Default)]
struct Page {
    answer: Option<Answer>,
    latch: Option<Latch>,
    /// Answers conditional requests with `not-modified` and this, instead of `answer`.
    confirmation: Option<CacheControl>,
    requests: usize,
    /// The conditions of the latest request, if it had any.
    conditions: Option<Validators>,
}

type Answer = Arc<dyn Fn() -> Result<FetchedMedia, FetchError> + Send + Sync>;

/// The body that is served at a URL without a script.
#[must_use]
pub fn text(url: &str) -> Vec<u8> {
    format!("what is at {url}").into_bytes()
}

/// Media as a downloader returns it.
pub fn fetched(body: impl Into<Blob>, mimetype: &str, filename: &str) -> FetchedMedia {
    FetchedMedia::new(body, mimetype, filename)
}

impl ScriptedOrigin {
    /// Serves media at a URL.
    pub fn serves(&self, url: &str, media: FetchedMedia) {
        self.answers(url, move || Ok(media.clone()));
    }

    /// Serves bytes as an image at a URL.
    pub fn serves_bytes(&self, url: &str, bytes: Vec<u8>) {
        self.serves(url, fetched(bytes, "image/png", "picture.png"));
    }

    /// Serves media at a URL once, with the beginning of a body. The returned writer sends the rest. Later requests fail.
    pub fn serves_arriving(&self, url: &str, mimetype: &str, body: SpooledBody) -> ArrivingBody {
        let (body, writer) = body.into_arriving();
        let media = Mutex::new(Some(fetched(body, mimetype, "arriving")));
        self.answers(url, move || media.lock().unwrap().take().ok_or(FetchError::Gone));
        writer
    }

    /// Fails downloads of a URL.
    pub fn fails(&self, url: &str, error: FetchError) {
        self.answers(url, move || Err(error.clone()));
    }

    /// Calls `answer` for each download of a URL.
    pub fn answers(&self, url: &str, answer: impl Fn() -> Result<FetchedMedia, FetchError> + Send + Sync + 'static) {
        self.page(url, |page| {
            page.answer = Some(Arc::new(answer));
            page.confirmation = None;
        });
    }

    /// Answers conditional requests for a URL with `not-modified`, until something else is served.
    pub fn confirms(&self, url: &str, cache_control: CacheControl) {
        self.page(url, |page| page.confirmation = Some(cache_control));
    }

    /// The conditions of the latest request for a URL, if it had any.
    pub fn conditions(&self, url: &str) -> Option<Validators> {
        self.page(url, |page| page.conditions.clone())
    }

    /// Holds downloads of a URL until the latch is opened.
    pub fn hold(&self, url: &str) -> Latch {
        let latch = Latch::closed();
        self.page(url, |page| page.latch = Some(latch.clone()));
        latch
    }

    /// The number of downloads of a URL that were attempted.
    pub fn requests(&self, url: &str) -> usize {
        self.page(url, |page| page.requests)
    }

    fn page<T>(&self, url: &str, use_it: impl FnOnce(&mut Page) -> T) -> T {
        use_it(self.pages.lock().unwrap().entry(url.into()).or_default())
    }
}

impl Downloader for ScriptedOrigin {
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<FetchedMedia, FetchError>> {
        let (answer, latch) = self.page(url, |page| {
            page.requests += 1;
            page.conditions = None;
            (page.answer.clone(), page.latch.clone())
        });
        Box::pin(async move {
            if let Some(latch) = latch {
                latch.pass().await;
            }
            answer.map_or_else(|| Ok(fetched(text(url), "text/plain", "page.txt")), |answer| answer())
        })
    }

    fn fetch_if_changed<'a>(&'a self, url: &'a str, validators: &'a Validators) -> BoxFuture<'a, Result<Fetched, FetchError>> {
        let fetched = self.fetch(url);
        let confirmation = self.page(url, |page| {
            page.conditions = Some(validators.clone());
            page.confirmation
        });
        let is_conditional = !validators.is_empty();
        Box::pin(async move {
            let media = fetched.await?;
            // Without validators, the request is unconditional.
            let confirmation = confirmation.filter(|_| is_conditional);
            Ok(confirmation.map_or(Fetched::Media(media), Fetched::NotModified))
        })
    }
}
