//! How many downloads there are at once, and who is next.
//!
//! Downloads that are too many wait in a queue, the first to come first. Who waits for a place at a host takes no place from
//! others: a slow host holds up those who want something of it, and nobody else. Nobody waits for ever, and of those who would wait
//! only so many are let in; the others are told to come back later.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;
use url::Url;

use super::line::Line;
use super::{Download, Downloader, FetchError};

/// How many downloads there may be.
#[derive(Clone, Copy, Debug)]
pub struct GateOptions {
    /// Downloads at once. 64 unless set.
    pub at_once: NonZeroUsize,
    /// Downloads at once from the same host. 8 unless set.
    pub at_once_per_host: NonZeroUsize,
    /// Downloads that wait. No host may have more than half of these places. 1024 unless set.
    pub waiting: usize,
    /// How long a download waits at most. 30 seconds unless set.
    pub longest_wait: Duration,
}

impl Default for GateOptions {
    fn default() -> Self {
        const AT_ONCE: NonZeroUsize = NonZeroUsize::MIN.saturating_add(63);
        const AT_ONCE_PER_HOST: NonZeroUsize = NonZeroUsize::MIN.saturating_add(7);
        let longest_wait = Duration::from_secs(30);
        Self { at_once: AT_ONCE, at_once_per_host: AT_ONCE_PER_HOST, waiting: 1024, longest_wait }
    }
}

/// What goes on at a gate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GateCounts {
    /// Downloads that are under way.
    pub under_way: usize,
    /// Downloads that wait.
    pub waiting: usize,
    /// Downloads that were refused since the start, because too many waited or because they had waited too long.
    pub refused: u64,
}

/// The queue before one or more [`Gate`]s, which share its limits. Cloning it is cheap, and clones are the same queue.
#[derive(Clone)]
pub struct DownloadQueue(Arc<Shared>);

struct Shared {
    line: Mutex<Line>,
    longest_wait: Duration,
    closed: watch::Sender<bool>,
}

/// A downloader that does only so much at once.
pub struct Gate<D> {
    downloader: D,
    queue: DownloadQueue,
}

impl DownloadQueue {
    /// A queue in which nobody waits.
    #[must_use]
    pub fn new(options: GateOptions) -> Self {
        let (line, longest_wait) = (Mutex::new(Line::new(options)), options.longest_wait);
        Self(Arc::new(Shared { line, longest_wait, closed: watch::Sender::new(false) }))
    }

    /// What goes on now.
    #[must_use]
    pub fn counts(&self) -> GateCounts {
        self.line().counts()
    }

    /// Gives up all that waits or is under way, now and from now on, with an error that is not remembered.
    pub fn close(&self) {
        self.0.closed.send_replace(true);
    }

    /// Waits until it is closed.
    async fn closed(&self) {
        let mut closed = self.0.closed.subscribe();
        // The sender is as old as this is.
        let _ = closed.wait_for(|closed| *closed).await;
    }

    /// Waits for a place.
    async fn enter(&self, host: &str) -> Result<Place, FetchError> {
        let (number, turn) = self.line().arrive(host)?;
        let mut place = Place { queue: self.clone(), host: host.into(), number, since: None };
        match timeout(self.0.longest_wait, turn).await {
            Ok(Ok(())) => {
                place.since = Some(Instant::now());
                Ok(place)
            }
            Ok(Err(oneshot::error::RecvError { .. })) | Err(_) => Err(self.line().refuse(host)),
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.0.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the queue, and then among the downloads. It is free again when this is dropped.
struct Place {
    queue: DownloadQueue,
    host: Box<str>,
    number: u64,
    /// When the download began.
    since: Option<Instant>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let took = self.since.map(|since| since.elapsed());
        self.queue.line().leave(&self.host, self.number, took);
    }
}

impl<D: Downloader> Gate<D> {
    /// Lets no more through to `downloader` than the queue allows.
    #[must_use]
    pub fn new(downloader: D, queue: DownloadQueue) -> Self {
        Self { downloader, queue }
    }
}

impl<D: Downloader> Downloader for Gate<D> {
    fn fetch<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Download, FetchError>> {
        Box::pin(async move {
            let download = async {
                let _place = self.queue.enter(&host(url)).await?;
                self.downloader.fetch(url).await
            };
            tokio::select! {
                biased;
                () = self.queue.closed() => Err(FetchError::Overloaded { retry_after_seconds: None }),
                done = download => done,
            }
        })
    }
}

/// Who is asked for a URL. All `mxc` URLs go to one homeserver. Where a redirect leads is not known beforehand, and does not count.
fn host(url: &str) -> String {
    let Ok(url) = Url::parse(url) else { return String::new() };
    match url.host_str() {
        Some(host) if url.scheme() != "mxc" => host.trim_end_matches('.').to_ascii_lowercase(),
        _ => format!("{}:", url.scheme()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use std::pin::Pin;
    use tokio::sync::watch;

    /// A downloader whose downloads wait until they are let go, by URL.
    struct Held {
        begun: watch::Sender<Vec<String>>,
        let_go: watch::Sender<Vec<String>>,
    }

    impl Held {
        fn new() -> Arc<Self> {
            Arc::new(Self { begun: watch::Sender::default(), let_go: watch::Sender::default() })
        }

        fn gate(self: &Arc<Self>, options: GateOptions) -> Gate<impl Downloader> {
            let held = self.clone();
            let downloader = move |url: String| {
                let held = held.clone();
                async move {
                    held.begun.send_modify(|begun| begun.push(url.clone()));
                    let _ = held.let_go.subscribe().wait_for(|free| free.contains(&url)).await;
                    Err(FetchError::NotFound)
                }
            };
            Gate::new(downloader, DownloadQueue::new(options))
        }

        fn begun(&self) -> Vec<String> {
            self.begun.borrow().clone()
        }

        fn let_go(&self, url: &str) {
            self.let_go.send_modify(|free| free.push(url.into()));
        }
    }

    fn options(at_once: usize, at_once_per_host: usize, waiting: usize) -> GateOptions {
        let number = |number| NonZeroUsize::new(number).unwrap();
        let longest_wait = Duration::from_secs(3600);
        GateOptions { at_once: number(at_once), at_once_per_host: number(at_once_per_host), waiting, longest_wait }
    }

    type Fetching<'a> = Pin<Box<dyn Future<Output = Result<Download, FetchError>> + Send + 'a>>;

    /// Starts downloads, in this order. None of them ends.
    fn start<'a>(gate: &'a Gate<impl Downloader>, urls: &[&'a str]) -> Vec<Fetching<'a>> {
        let mut all: Vec<_> = urls.iter().map(|url| gate.fetch(url)).collect();
        proceed(&mut all);
        all
    }

    /// Lets downloads do what they can, and drops those that are done.
    fn proceed(all: &mut Vec<Fetching<'_>>) {
        // Once for who leaves, and once for who enters after that.
        for _ in 0..2 {
            all.retain_mut(|fetching| fetching.now_or_never().is_none());
        }
    }

    fn counts(gate: &Gate<impl Downloader>) -> (usize, usize, u64) {
        let GateCounts { under_way, waiting, refused } = gate.queue.counts();
        (under_way, waiting, refused)
    }

    #[tokio::test]
    async fn who_comes_first_is_first() {
        let held = Held::new();
        let gate = held.gate(options(2, 2, 10));
        let urls = ["http://a/1", "http://b/2", "http://a/3", "http://c/4"];
        let mut all = start(&gate, &urls);
        assert_eq!((held.begun(), counts(&gate)), (vec!["http://a/1".to_owned(), "http://b/2".into()], (2, 2, 0)));
        held.let_go("http://b/2");
        proceed(&mut all);
        assert_eq!((held.begun().last().unwrap().as_str(), counts(&gate)), ("http://a/3", (2, 1, 0)));
        held.let_go("http://a/1");
        proceed(&mut all);
        assert_eq!((held.begun().last().unwrap().as_str(), counts(&gate)), ("http://c/4", (2, 0, 0)));
        drop(all);
        assert_eq!(counts(&gate), (0, 0, 0));
    }

    #[tokio::test]
    async fn a_slow_host_holds_up_nobody_else() {
        let held = Held::new();
        let gate = held.gate(options(3, 1, 10));
        let urls =
            ["http://slow/1", "http://SLOW:81/2", "http://slow./3", "http://slow/4", "http://a/5", "http://b/6", "http://c/7"];
        let mut all = start(&gate, &urls);
        assert_eq!(held.begun(), ["http://slow/1", "http://a/5", "http://b/6"]);
        assert_eq!(counts(&gate), (3, 4, 0));
        held.let_go("http://a/5");
        proceed(&mut all);
        assert_eq!(held.begun().last().unwrap(), "http://c/7", "those who came before it have to wait for the slow host");
        held.let_go("http://slow/1");
        proceed(&mut all);
        assert_eq!(held.begun().last().unwrap(), "http://SLOW:81/2", "which is the same on every port");
    }

    #[tokio::test]
    async fn who_would_be_one_too_many_in_the_queue_is_refused_and_told_when_to_come_back() {
        let held = Held::new();
        let gate = held.gate(options(1, 1, 2));
        let all = start(&gate, &["http://a/1", "http://b/2", "http://c/3"]);
        assert_eq!(counts(&gate), (1, 2, 0));
        let refused = gate.fetch("http://d/4").await.unwrap_err();
        assert_eq!(refused, FetchError::Overloaded { retry_after_seconds: Some(1) });
        assert_eq!(counts(&gate), (1, 2, 1));
        drop(all);
        let all = start(&gate, &["http://d/4"]);
        assert_eq!((held.begun().last().unwrap().as_str(), counts(&gate)), ("http://d/4", (1, 0, 1)));
        drop(all);
    }

    #[tokio::test]
    async fn no_host_fills_the_queue_by_itself() {
        let held = Held::new();
        let gate = held.gate(options(2, 1, 4));
        let mut all = start(&gate, &["http://slow/1", "http://slow/2", "http://slow/3", "http://a/4", "http://b/5"]);
        assert!(matches!(gate.fetch("http://slow/6").await, Err(FetchError::Overloaded { .. })), "it has half of the places");
        all.extend(start(&gate, &["http://b/7"]));
        assert_eq!(counts(&gate), (2, 4, 1));
    }

    #[tokio::test]
    async fn where_nobody_may_wait_there_are_downloads_all_the_same() {
        let held = Held::new();
        let gate = held.gate(GateOptions { longest_wait: Duration::ZERO, ..options(1, 1, 0) });
        let all = start(&gate, &["http://a/1"]);
        assert_eq!(held.begun(), ["http://a/1"]);
        assert!(matches!(gate.fetch("http://b/2").await, Err(FetchError::Overloaded { .. })));
        drop(all);
    }

    #[tokio::test]
    async fn who_goes_away_leaves_a_place_behind_wherever_it_was() {
        let held = Held::new();
        let gate = held.gate(options(1, 1, 10));
        let mut all = start(&gate, &["http://a/1", "http://a/2", "http://b/3", "http://a/4", "http://c/5"]);
        // Of these, the second waits for the host, and the third for a place among all.
        drop(all.remove(2));
        drop(all.remove(1));
        assert_eq!(counts(&gate), (1, 2, 0));
        drop(all.remove(0));
        proceed(&mut all);
        assert_eq!(held.begun(), ["http://a/1", "http://a/4"]);
        assert_eq!(counts(&gate), (1, 1, 0));
        // One whose turn it is, and who goes away before it hears of it.
        held.let_go("http://a/4");
        assert!(all[0].as_mut().now_or_never().is_some());
        drop(all.remove(1));
        drop(all);
        assert_eq!(counts(&gate), (0, 0, 0));
        assert!(gate.queue.line().knows_nobody());
    }

    #[tokio::test]
    async fn nobody_waits_for_longer_than_was_said() {
        let held = Held::new();
        let gate = held.gate(GateOptions { longest_wait: Duration::from_millis(5), ..options(1, 1, 10) });
        let all = start(&gate, &["http://a/1"]);
        for url in ["http://a/2", "http://b/3"] {
            assert!(matches!(gate.fetch(url).await, Err(FetchError::Overloaded { retry_after_seconds: Some(1) })));
        }
        assert_eq!(counts(&gate), (1, 0, 2));
        drop(all);
    }

    #[tokio::test]
    async fn what_waits_or_is_under_way_when_the_queue_closes_is_given_up() {
        let held = Held::new();
        let gate = held.gate(options(1, 1, 1));
        let mut all = start(&gate, &["http://a/1", "http://a/2"]);
        assert_eq!(counts(&gate), (1, 1, 0));
        gate.queue.close();
        let ends: Vec<_> = all.drain(..).map(|fetching| fetching.now_or_never().map(Result::unwrap_err)).collect();
        let given_up = FetchError::Overloaded { retry_after_seconds: None };
        assert_eq!(ends, [Some(given_up.clone()), Some(given_up.clone())]);
        assert_eq!(counts(&gate), (0, 0, 0));
        assert_eq!(gate.fetch("http://b/").await.map(|_| ()).unwrap_err(), given_up);
    }

    #[tokio::test]
    async fn a_gate_lets_through_what_the_downloader_answers() {
        let echo =
            |url: String| async move { Ok(Download { body: url.into(), mimetype: "text/plain".into(), filename: "a".into() }) };
        let gate = Gate::new(echo, DownloadQueue::new(GateOptions::default()));
        assert_eq!(gate.fetch("no url").await.unwrap().body.len(), 6);
        assert_eq!(counts(&gate), (0, 0, 0));
    }

    #[test]
    fn a_download_counts_for_the_host_that_is_asked() {
        for (url, expected) in [
            ("https://User@Example.ORG.:8443/a", "example.org"),
            ("https://[::1]:80/", "[::1]"),
            ("mxc://example.org/a", "mxc:"),
            ("MXC://other.org/a", "mxc:"),
            ("emoji:smile", "emoji:"),
            ("no url", ""),
        ] {
            assert_eq!(host(url), expected, "{url}");
        }
    }
}
