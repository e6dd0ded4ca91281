//! Clients that send random requests to the service until they are stopped, and compare each response with the model.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use http::Method;
use media_cache_test_support::http_client::{ADMIN_TOKEN, media_path};
use media_cache_test_support::http_origin::{HttpOrigin, Page};
use media_cache_test_support::random::Random;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{RequestBuilder, Response};
use tokio::sync::Notify;

use crate::findings::Findings;
use crate::model::{Kind, Media, Subject};

const POLICIES: [&str; 6] = ["lru", "sieve", "s3-fifo", "gdsf", "w-tinylfu", "hazard"];

/// The state that clients share in one round.
pub struct Stage {
    pub subjects: Arc<Vec<Subject>>,
    pub origin: Arc<HttpOrigin>,
    pub findings: Arc<Findings>,
    pub client: reqwest::Client,
    /// `http://` and the address of the service.
    pub base: String,
    /// The directory of the cache.
    pub directory: std::path::PathBuf,
    /// Whether the budget is so small that any entry may be evicted at any time.
    pub evicts: bool,
    pub stopped: AtomicBool,
    /// Acknowledged changes.
    pub acknowledged: AtomicU64,
    /// Notified of each acknowledged change.
    pub changed: Notify,
}

/// A response that was received completely.
struct Answer {
    status: u16,
    media: Option<Media>,
}

impl Stage {
    /// Runs one client.
    pub async fn client(self: Arc<Self>, mut random: Random) {
        while !self.stopped.load(Ordering::SeqCst) {
            let subject = &self.subjects[random.below(self.subjects.len() as u64) as usize];
            match (subject.kind, random.below(100)) {
                (_, 0) => self.swap_policy(&mut random).await,
                (Kind::Put, 1..4) => self.delete_undeletable(subject).await,
                (Kind::Put, 4..40) => self.look(subject).await,
                (Kind::Put, 40..65) => self.put(subject).await,
                (Kind::Put, _) => self.delete(subject, random.below(4) > 0).await,
                (Kind::Origin, 1..65) => self.look(subject).await,
                (Kind::Origin, 65..85) => self.refresh(subject).await,
                (Kind::Origin, _) => self.delete(subject, false).await,
            }
        }
    }

    fn acknowledge(&self) {
        self.acknowledged.fetch_add(1, Ordering::SeqCst);
        self.changed.notify_waiters();
    }

    /// Waits for this many acknowledged changes.
    pub async fn wait_for_changes(&self, count: u64) {
        loop {
            let changed = self.changed.notified();
            if self.acknowledged.load(Ordering::SeqCst) >= count {
                return;
            }
            changed.await;
        }
    }

    /// Sends a request. `None` if the service was killed before the whole response had arrived.
    async fn send(&self, request: RequestBuilder) -> Option<Answer> {
        let response = request.bearer_auth(ADMIN_TOKEN).send().await.ok()?;
        let (status, mimetype, filename) = (response.status().as_u16(), mimetype(&response), filename(&response));
        let bytes = response.bytes().await.ok()?.to_vec();
        let media = (status == 200 && mimetype.is_some()).then(|| Media { bytes, mimetype: mimetype.unwrap_or(""), filename });
        Some(Answer { status, media })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    /// Gets media from the cache, or from its origin if it is not stored.
    async fn look(&self, subject: &Subject) {
        self.observe(subject).await;
    }

    /// Like `look`, but returns the observed state if it is known.
    pub async fn observe(&self, subject: &Subject) -> Option<Option<u32>> {
        let _shared = if subject.kind == Kind::Origin { Some(subject.lock.read().await) } else { None };
        let since = subject.now();
        let mut request = self.request(Method::GET, &media_path(&subject.url));
        match subject.kind {
            Kind::Put => request = request.header("cache-control", "only-if-cached"),
            Kind::Origin => subject.may_become(Some(subject.version())),
        }
        let answer = self.send(request).await?;
        let observed = match (answer.status, &answer.media) {
            (200, Some(media)) => match subject.recognise(media) {
                Some(version) => Some(version),
                None => {
                    self.findings.wrong(subject, &format!("{} {}", media.mimetype, media.filename));
                    return None;
                }
            },
            (504, _) if subject.kind == Kind::Put => None,
            (status, _) => {
                self.findings.refused("GET", status);
                return None;
            }
        };
        self.findings.judge(subject, since, observed);
        if subject.kind == Kind::Origin && !self.evicts {
            subject.is_not(None);
        }
        Some(observed)
    }

    async fn put(&self, subject: &Subject) {
        let _alone = subject.lock.write().await;
        self.put_alone(subject).await;
    }

    /// Puts another version, which the service ignores if it already stores one.
    async fn put_alone(&self, subject: &Subject) {
        let (since, version) = (subject.now(), subject.next_version());
        let Media { bytes, mimetype, filename } = subject.media(version);
        let name = utf8_percent_encode(&filename, NON_ALPHANUMERIC);
        let request = self.request(Method::PUT, &format!("{}&filename={name}", media_path(&subject.url)));
        let before = subject.possible();
        subject.may_become(Some(version));
        match self.send(request.header("content-type", mimetype).body(bytes)).await.map(|answer| answer.status) {
            Some(201) => {
                if !self.evicts && !before.contains(&None) {
                    self.findings.judge(subject, since, None);
                }
                self.settle(subject, [Some(version)]);
                self.findings.acknowledge_put();
                self.acknowledge();
            }
            // The stored version remains.
            Some(200) => subject.is(before),
            Some(status) => {
                subject.is(before);
                self.findings.refused("PUT", status);
            }
            None => {}
        }
    }

    /// Deletes the media, and optionally puts another version immediately afterwards.
    async fn delete(&self, subject: &Subject, put_again: bool) {
        let _alone = subject.lock.write().await;
        let since = subject.now();
        subject.may_become(None);
        let Some(answer) = self.send(self.request(Method::DELETE, &media_path(&subject.url))).await else { return };
        match answer.status {
            204 => {}
            404 => self.findings.judge_before(subject, since, None, self.evicts),
            status => return self.findings.refused("DELETE", status),
        }
        subject.is([None]);
        self.acknowledge();
        if put_again {
            self.put_alone(subject).await;
        }
    }

    /// Tries to delete an entry whose media file was replaced with a directory, which cannot be deleted. The service must not acknowledge
    /// this.
    async fn delete_undeletable(&self, subject: &Subject) {
        let _alone = subject.lock.write().await;
        let file = media_cache_test_support::cache_directory::media_file(&self.directory, &subject.url);
        subject.may_become(None);
        if std::fs::remove_file(&file).is_err() || std::fs::create_dir(&file).is_err() {
            return;
        }
        let answer = self.send(self.request(Method::DELETE, &media_path(&subject.url))).await;
        if answer.is_some_and(|answer| answer.status == 204) && file.exists() {
            self.findings.unreported(subject);
        }
        // The sidecar alone is not an entry.
        subject.is([None]);
        let _ = std::fs::remove_dir(&file);
    }

    /// Makes the origin serve another version, and refreshes the entry.
    async fn refresh(&self, subject: &Subject) {
        let alone = subject.lock.write().await;
        let version = subject.next_version();
        subject.serve_at(&self.origin, version);
        subject.may_become(Some(version));
        let shared = alone.downgrade();
        let path = media_path(&subject.url).replacen("/media", "/refresh", 1);
        match self.send(self.request(Method::POST, &path)).await.map(|answer| answer.status) {
            Some(200) => {
                self.settle(subject, [Some(version)]);
                self.acknowledge();
            }
            Some(status) => self.findings.refused("POST", status),
            None => {}
        }
        drop(shared);
    }

    async fn swap_policy(&self, random: &mut Random) {
        let name = POLICIES[random.below(POLICIES.len() as u64) as usize];
        let answer = self.send(self.request(Method::PUT, &format!("/policy?name={name}"))).await;
        if let Some(Answer { status, .. }) = answer.filter(|answer| answer.status != 200) {
            self.findings.refused("policy swap", status);
        }
    }

    fn settle(&self, subject: &Subject, states: impl IntoIterator<Item = Option<u32>>) {
        let evicted = self.evicts.then_some(None);
        subject.is(states.into_iter().chain(evicted));
    }
}

impl Subject {
    /// Makes the origin serve a version.
    pub fn serve_at(&self, origin: &HttpOrigin, version: u32) {
        let Media { bytes, mimetype, filename } = self.media(version);
        let disposition = format!("attachment; filename=\"{filename}\"");
        let path = self.url.split_at(origin.url("").len()).1;
        origin.answers(path, Page::of(mimetype, bytes).with_header("content-disposition", &disposition));
    }
}

fn mimetype(response: &Response) -> Option<&'static str> {
    let mimetype = response.headers().get("content-type")?.to_str().ok()?;
    ["image/png", "image/jpeg"].into_iter().find(|known| *known == mimetype)
}

fn filename(response: &Response) -> String {
    let disposition = response.headers().get("content-disposition").and_then(|value| value.to_str().ok()).unwrap_or_default();
    disposition.split("filename=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned()
}
