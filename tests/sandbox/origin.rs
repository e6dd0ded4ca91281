//! An origin and a transcoder that do as they are told, and remember what they were asked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::future::BoxFuture;
use media_cache::Blob;
use media_cache::download::{Download, Downloader, FetchError};
use media_cache::transcode::{TranscodeError, Transcoder};
use tokio::sync::watch;

/// What is downloaded from. Where nothing else was said, it has a small text for every URL; see [`text`].
#[derive(Default)]
pub struct Origin {
    pages: Mutex<HashMap<String, Page>>,
}

#[derive(Default)]
struct Page {
    answer: Option<Answer>,
    gate: Option<Gate>,
    asked: usize,
}

type Answer = Arc<dyn Fn() -> Result<Download, FetchError> + Send + Sync>;

/// What the origin has for a URL of which nothing else was said.
pub fn text(url: &str) -> Vec<u8> {
    format!("what is at {url}").into_bytes()
}

/// Bytes that differ for each seed.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut random = Random(seed);
    let mut bytes: Vec<u8> = std::iter::repeat_with(|| random.next().to_le_bytes()).take(len.div_ceil(8)).flatten().collect();
    bytes.truncate(len);
    bytes
}

/// A sequence of numbers that is the same each time (SplitMix64).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

pub fn download(body: impl Into<Blob>, mimetype: &str, filename: &str) -> Download {
    Download { body: body.into(), mimetype: mimetype.into(), filename: filename.into() }
}

impl Origin {
    /// From now on `url` has this.
    pub fn serves(&self, url: &str, download: Download) {
        self.answers(url, move || Ok(download.clone()));
    }

    /// From now on `url` has these bytes, as a picture.
    pub fn serves_bytes(&self, url: &str, bytes: Vec<u8>) {
        self.serves(url, download(bytes, "image/png", "picture.png"));
    }

    pub fn fails(&self, url: &str, error: FetchError) {
        self.answers(url, move || Err(error.clone()));
    }

    pub fn answers(&self, url: &str, answer: impl Fn() -> Result<Download, FetchError> + Send + Sync + 'static) {
        self.page(url, |page| page.answer = Some(Arc::new(answer)));
    }

    /// From now on downloads of `url` wait until the gate is opened.
    pub fn hold(&self, url: &str) -> Gate {
        let gate = Gate::new();
        self.page(url, |page| page.gate = Some(gate.clone()));
        gate
    }

    /// How often `url` was downloaded, or the attempt was made.
    pub fn asked(&self, url: &str) -> usize {
        self.page(url, |page| page.asked)
    }

    fn page<T>(&self, url: &str, use_it: impl FnOnce(&mut Page) -> T) -> T {
        use_it(self.pages.lock().unwrap().entry(url.into()).or_default())
    }
}

impl Downloader for Origin {
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Download, FetchError>> {
        let (answer, gate) = self.page(url, |page| {
            page.asked += 1;
            (page.answer.clone(), page.gate.clone())
        });
        Box::pin(async move {
            if let Some(gate) = gate {
                gate.pass().await;
            }
            answer.map_or_else(|| Ok(download(text(url), "text/plain", "page.txt")), |answer| answer())
        })
    }
}

/// Where downloads wait.
#[derive(Clone)]
pub struct Gate {
    arrived: watch::Sender<usize>,
    open: watch::Sender<bool>,
}

impl Gate {
    fn new() -> Self {
        Self { arrived: watch::Sender::new(0), open: watch::Sender::new(false) }
    }

    /// Waits until somebody waits at the gate.
    pub async fn reached(&self) {
        self.arrived.subscribe().wait_for(|arrived| *arrived > 0).await.unwrap();
    }

    /// Lets everybody pass, now and later.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    async fn pass(&self) {
        self.arrived.send_modify(|arrived| *arrived += 1);
        self.open.subscribe().wait_for(|open| *open).await.unwrap();
    }
}

/// The transcoder: what it makes of a GIF can be told from the GIF; see [`film_of`]. A GIF with `broken` in it cannot be transcoded.
#[derive(Default)]
pub struct Films {
    asked: Mutex<usize>,
    gate: Mutex<Option<Gate>>,
}

/// What the transcoder makes of a GIF.
pub fn film_of(gif: &[u8]) -> Vec<u8> {
    [b"a film of ".as_slice(), gif].concat()
}

impl Films {
    /// How many GIFs came.
    pub fn asked(&self) -> usize {
        *self.asked.lock().unwrap()
    }

    /// From now on GIFs wait until the gate is opened.
    pub fn hold(&self) -> Gate {
        self.gate.lock().unwrap().insert(Gate::new()).clone()
    }
}

impl Transcoder for Films {
    fn gif_to_mp4(&self, gif: Bytes) -> BoxFuture<'_, Result<Vec<u8>, TranscodeError>> {
        *self.asked.lock().unwrap() += 1;
        let says = |word: &[u8]| gif.windows(word.len()).any(|part| part == word);
        assert!(!says(b"panic"), "this GIF was made to do this");
        let film = if says(b"broken") { Err(TranscodeError::Malformed("it says so".into())) } else { Ok(film_of(&gif)) };
        let gate = self.gate.lock().unwrap().clone();
        Box::pin(async move {
            if let Some(gate) = gate {
                gate.pass().await;
            }
            film
        })
    }
}
