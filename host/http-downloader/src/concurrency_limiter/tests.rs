//! The order in which downloads start. A download here is a task that waits for its permit and then runs until the test finishes it.

use std::num::NonZeroUsize;
use std::pin::Pin;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::watch;
use url::Url;

use super::*;
use crate::address_block::AddressBlock;
use crate::limit_group::groups_of;

/// Downloads, by URL. They start when they get a permit, and finish when the test says so.
struct Downloads {
    limiter: ConcurrencyLimiter,
    started: watch::Sender<Vec<String>>,
    finished: watch::Sender<Vec<String>>,
}

/// Resolves to whether the download was accepted.
type Download<'a> = Pin<Box<dyn Future<Output = bool> + Send + 'a>>;

impl Downloads {
    fn new(options: LimiterOptions) -> Self {
        let limiter = ConcurrencyLimiter::new(options);
        Self { limiter, started: watch::Sender::default(), finished: watch::Sender::default() }
    }

    /// A download that connects to this address.
    fn download<'a>(&'a self, url: &'a str, address: &'a str) -> Download<'a> {
        Box::pin(async move {
            let Ok(permit) = self.limiter.acquire(groups(url)).await else { return false };
            let address: IpAddr = address.parse().unwrap();
            while !permit.claim(address) {
                if permit.wait_for_address(address).await.is_err() {
                    return false;
                }
            }
            self.run(url).await;
            true
        })
    }

    async fn run(&self, url: &str) {
        self.started.send_modify(|started| started.push(url.into()));
        let _ = self.finished.subscribe().wait_for(|finished| finished.iter().any(|finished| finished == url)).await;
    }

    /// Requests downloads in this order, each from a different address. None of them finishes.
    fn request<'a>(&'a self, urls: &[&'a str]) -> Vec<Download<'a>> {
        const ADDRESSES: [&str; 8] =
            ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6", "192.0.2.7", "192.0.2.8"];
        let mut downloads: Vec<_> = urls.iter().zip(ADDRESSES).map(|(url, address)| self.download(url, address)).collect();
        proceed(&mut downloads);
        downloads
    }

    fn started(&self) -> Vec<String> {
        self.started.borrow().clone()
    }

    fn last_started(&self) -> String {
        self.started().last().cloned().unwrap_or_default()
    }

    fn finish(&self, url: &str) {
        self.finished.send_modify(|finished| finished.push(url.into()));
    }

    async fn refusal(&self, url: &str) -> FetchError {
        self.limiter.acquire(groups(url)).await.map(drop).unwrap_err()
    }

    fn counts(&self) -> (usize, usize, u64) {
        let LimiterCounts { active, queued, refused, .. } = self.limiter.counts();
        (active, queued, refused)
    }
}

/// Polls downloads, and drops finished ones.
fn proceed(downloads: &mut Vec<Download<'_>>) {
    // Repeatedly, since a download that finishes lets another one start.
    for _ in 0..3 {
        downloads.retain_mut(|download| download.now_or_never().is_none());
    }
}

fn groups(url: &str) -> Vec<LimitGroup> {
    groups_of(&Url::parse(url).unwrap())
}

fn options(max_downloads: usize, max_downloads_per_host: usize, max_queued_downloads: usize) -> LimiterOptions {
    LimiterOptions {
        max_downloads: NonZeroUsize::new(max_downloads).unwrap(),
        max_downloads_per_host: NonZeroUsize::new(max_downloads_per_host).unwrap(),
        max_queued_downloads,
        max_queue_time: Duration::from_secs(3600),
        ..LimiterOptions::default()
    }
}

#[tokio::test]
async fn downloads_start_in_the_order_of_their_requests() {
    let downloads = Downloads::new(options(2, 2, 10));
    let mut waiting = downloads.request(&["http://a/1", "http://b/2", "http://a/3", "http://c/4"]);
    assert_eq!((downloads.started(), downloads.counts()), (vec!["http://a/1".to_owned(), "http://b/2".into()], (2, 2, 0)));
    downloads.finish("http://b/2");
    proceed(&mut waiting);
    assert_eq!((downloads.last_started().as_str(), downloads.counts()), ("http://a/3", (2, 1, 0)));
    downloads.finish("http://a/1");
    proceed(&mut waiting);
    assert_eq!((downloads.last_started().as_str(), downloads.counts()), ("http://c/4", (2, 0, 0)));
    drop(waiting);
    assert_eq!(downloads.counts(), (0, 0, 0));
}

#[tokio::test]
async fn slow_host_does_not_delay_other_hosts() {
    let downloads = Downloads::new(options(3, 1, 10));
    let urls = ["http://slow/1", "http://SLOW:81/2", "http://slow./3", "http://slow/4", "http://a/5", "http://b/6", "http://c/7"];
    let mut waiting = downloads.request(&urls);
    assert_eq!(downloads.started(), ["http://slow/1", "http://a/5", "http://b/6"]);
    assert_eq!((downloads.counts(), downloads.limiter.counts().queued_for_host), ((3, 4, 0), 3));
    downloads.finish("http://a/5");
    proceed(&mut waiting);
    assert_eq!(downloads.last_started(), "http://c/7", "the earlier downloads have to wait for the slow host");
    downloads.finish("http://slow/1");
    proceed(&mut waiting);
    assert_eq!(downloads.last_started(), "http://SLOW:81/2", "all ports belong to the same host");
}

#[tokio::test]
async fn slow_domain_does_not_delay_other_domains() {
    let options = LimiterOptions { max_downloads_per_domain: NonZeroUsize::new(2).unwrap(), ..options(4, 1, 10) };
    let downloads = Downloads::new(options);
    let urls = ["http://a.slow.example/1", "http://a.slow.example/2", "http://b.slow.example/3", "http://c.slow.example/4"];
    let mut waiting = downloads.request(&urls);
    assert_eq!(
        downloads.started(),
        ["http://a.slow.example/1", "http://b.slow.example/3"],
        "a host can use only one of its domain's permits"
    );
    let counts = downloads.limiter.counts();
    assert_eq!((counts.queued, counts.queued_for_host, counts.queued_for_domain), (2, 1, 1));
    waiting.extend(downloads.request(&["http://other.example/5", "http://a.slow.example.org/6"]));
    assert_eq!(downloads.started()[2..], ["http://other.example/5", "http://a.slow.example.org/6"]);
    downloads.finish("http://a.slow.example/1");
    proceed(&mut waiting);
    assert_eq!(downloads.last_started(), "http://a.slow.example/2", "it was requested before the fourth");
}

#[tokio::test]
async fn download_waiting_for_an_address_holds_no_general_permit() {
    let one = NonZeroUsize::MIN;
    let downloads = Downloads::new(LimiterOptions { max_downloads_per_address: one, ..options(2, 1, 10) });
    let mut waiting = vec![
        downloads.download("http://a.example/1", "2001:db8::1"),
        downloads.download("http://b.example/2", "2001:db8::2"),
        downloads.download("http://c.example/3", "2001:db8::3"),
        downloads.download("http://d.example/4", "2001:db8:0:1::1"),
    ];
    proceed(&mut waiting);
    assert_eq!(
        downloads.started(),
        ["http://a.example/1", "http://d.example/4"],
        "the second and the third belong to a busy network"
    );
    let counts = downloads.limiter.counts();
    assert_eq!((counts.active, counts.queued, counts.queued_for_address), (2, 2, 2));
    downloads.finish("http://a.example/1");
    proceed(&mut waiting);
    assert_eq!(downloads.last_started(), "http://b.example/2");
    downloads.finish("http://d.example/4");
    downloads.finish("http://b.example/2");
    proceed(&mut waiting);
    assert_eq!(downloads.last_started(), "http://c.example/3");
    drop(waiting);
    assert!(downloads.limiter.is_idle());
}

#[tokio::test]
async fn address_permits_follow_the_connection_that_is_used() {
    let downloads = Downloads::new(LimiterOptions { max_downloads_per_address: NonZeroUsize::MIN, ..options(3, 3, 10) });
    let [first, second] = ["192.0.2.1", "192.0.2.2"].map(|address| address.parse::<IpAddr>().unwrap());
    let permit = downloads.limiter.acquire(groups("http://a/1")).await.unwrap();
    let other = downloads.limiter.acquire(groups("http://b/2")).await.unwrap();
    assert!(permit.claim(first) && permit.claim(first), "it already has that permit");
    assert!(permit.may_claim(first) && !other.may_claim(first) && other.may_claim(second));
    assert!(!other.claim(first) && other.claim(second));
    assert!(!permit.claim(second) && !other.claim(first), "a refused claim releases nothing");
    permit.settle(second);
    assert!(other.claim(first), "the permit of an unused address was released");
    other.settle(first);
    assert!(permit.claim(second));
    drop((permit, other));
    assert!(downloads.limiter.is_idle());
}

#[tokio::test]
async fn redirect_counts_against_its_target_host_and_keeps_its_queue_position() {
    let downloads = Downloads::new(options(1, 1, 10));
    let permit = downloads.limiter.acquire(groups("http://a/1")).await.unwrap();
    let mut waiting = downloads.request(&["http://b/2", "http://a/3"]);
    assert_eq!(downloads.started(), Vec::<String>::new());
    permit.redirect(groups("http://a:81/x")).await.unwrap();
    assert_eq!(downloads.counts(), (1, 2, 0), "the redirect to the same host continues");

    let mut redirected = Box::pin(permit.redirect(groups("http://b/x")));
    assert!(redirected.as_mut().now_or_never().is_none(), "a download for its new host is already waiting");
    proceed(&mut waiting);
    assert_eq!(downloads.started(), ["http://b/2"]);
    downloads.finish("http://b/2");
    proceed(&mut waiting);
    assert!(redirected.now_or_never().is_some(), "it continues before the third, which was requested later");
    assert_eq!(downloads.started(), ["http://b/2"]);
    drop(permit);
    proceed(&mut waiting);
    assert_eq!(downloads.last_started(), "http://a/3");
}

#[tokio::test]
async fn full_queue_refuses_downloads_and_advises_a_wait() {
    let downloads = Downloads::new(options(1, 1, 2));
    let waiting = downloads.request(&["http://a/1", "http://b/2", "http://c/3"]);
    assert_eq!(downloads.counts(), (1, 2, 0));
    assert_eq!(downloads.refusal("http://d/4").await, FetchError::Overloaded(Some(1)));
    assert_eq!(downloads.counts(), (1, 2, 1));
    drop(waiting);
    let waiting = downloads.request(&["http://d/4"]);
    assert_eq!((downloads.last_started().as_str(), downloads.counts()), ("http://d/4", (1, 0, 1)));
    drop(waiting);
}

#[tokio::test]
async fn no_host_domain_or_address_can_fill_the_queue() {
    let downloads = Downloads::new(options(2, 1, 4));
    let mut waiting = downloads.request(&["http://slow/1", "http://slow/2", "http://slow/3", "http://a/4", "http://b/5"]);
    assert!(
        matches!(downloads.refusal("http://slow/6").await, FetchError::Overloaded { .. }),
        "the host has used its half of the queue"
    );
    waiting.extend(downloads.request(&["http://b/7"]));
    assert_eq!(downloads.counts(), (2, 4, 1));
    drop(waiting);

    let one = NonZeroUsize::MIN;
    let downloads = Downloads::new(LimiterOptions { max_downloads_per_domain: one, ..options(2, 1, 4) });
    let waiting = downloads.request(&["http://a.x.example/", "http://b.x.example/", "http://c.x.example/"]);
    assert!(matches!(downloads.refusal("http://d.x.example/").await, FetchError::Overloaded { .. }));
    drop(waiting);

    let downloads = Downloads::new(LimiterOptions { max_downloads_per_address: one, ..options(2, 1, 4) });
    let mut waiting: Vec<_> =
        ["http://a/", "http://b/", "http://c/", "http://d/"].into_iter().map(|url| downloads.download(url, "192.0.2.1")).collect();
    proceed(&mut waiting);
    assert_eq!((waiting.len(), downloads.counts()), (3, (1, 2, 1)), "the fourth is refused once it has connected");
}

#[tokio::test]
async fn download_starts_immediately_even_if_no_queue_is_allowed() {
    let downloads = Downloads::new(LimiterOptions { max_queue_time: Duration::ZERO, ..options(1, 1, 0) });
    let waiting = downloads.request(&["http://a/1"]);
    assert_eq!(downloads.started(), ["http://a/1"]);
    assert!(matches!(downloads.refusal("http://b/2").await, FetchError::Overloaded { .. }));
    drop(waiting);
}

#[tokio::test]
async fn dropped_download_releases_its_permits_at_every_stage() {
    let downloads = Downloads::new(options(1, 1, 10));
    let mut waiting = downloads.request(&["http://a/1", "http://a/2", "http://b/3", "http://a/4", "http://c/5"]);
    // The second download is waiting for a permit for its host, and the third for a general one.
    drop(waiting.remove(2));
    drop(waiting.remove(1));
    assert_eq!(downloads.counts(), (1, 2, 0));
    drop(waiting.remove(0));
    proceed(&mut waiting);
    assert_eq!(downloads.started(), ["http://a/1", "http://a/4"]);
    assert_eq!(downloads.counts(), (1, 1, 0));
    // A download that has been started but not polled since.
    downloads.finish("http://a/4");
    assert!(waiting[0].as_mut().now_or_never().is_some());
    drop(waiting.remove(1));
    drop(waiting);
    assert_eq!(downloads.counts(), (0, 0, 0));
    assert!(downloads.limiter.is_idle());
}

#[tokio::test]
async fn download_is_refused_after_the_maximum_wait() {
    let downloads = Downloads::new(LimiterOptions { max_queue_time: Duration::from_millis(5), ..options(1, 1, 10) });
    let waiting = downloads.request(&["http://a/1"]);
    for url in ["http://a/2", "http://b/3"] {
        assert_eq!(downloads.refusal(url).await, FetchError::Overloaded(Some(1)));
    }
    assert_eq!(downloads.counts(), (1, 0, 2));
    drop(waiting);
}

#[test]
fn advised_wait_depends_on_queue_length_and_download_duration() {
    let advised = |duration: u64, queued: usize| {
        let mut queue = WaitQueue::new(options(2, 1, queued));
        let (id, _started) = queue.enqueue(groups("http://a/")).unwrap();
        queue.remove(id, Some(Duration::from_secs(duration)));
        let enqueue = |host: usize| queue.enqueue(groups(&format!("http://host-{host}/"))).unwrap();
        let downloads: Vec<_> = (0..queued + 2).map(enqueue).collect();
        let error = queue.enqueue(groups("http://z/")).unwrap_err();
        drop(downloads);
        match error {
            FetchError::Overloaded(Some(seconds)) => seconds,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(advised(0, 4), 1, "no duration is known yet");
    assert_eq!(advised(3, 0), 3, "one download has to finish first");
    assert_eq!(advised(3, 4), 9, "two rounds of two are queued");
    assert_eq!(advised(100, 4), 60);
}

#[test]
fn connection_that_becomes_ready_while_its_download_waits_is_refused() {
    let one = NonZeroUsize::MIN;
    let [a, b] = ["192.0.2.1", "192.0.2.2"].map(|address| AddressBlock::from(address.parse::<IpAddr>().unwrap()));
    let mut queue = WaitQueue::new(LimiterOptions { max_downloads_per_address: one, ..options(4, 4, 10) });
    let (first, _started) = queue.enqueue(groups("http://a/")).unwrap();
    let (second, _started) = queue.enqueue(groups("http://b/")).unwrap();
    assert!(queue.claim(first, a) && !queue.claim(second, a));
    let with_address = [groups("http://b/"), vec![LimitGroup::Address(a)]].concat();
    let _start = queue.requeue(second, with_address).unwrap();
    assert!(!queue.claim(second, b) && !queue.claim(second, a));
    queue.settle(second, b);
    queue.assert_consistent();
    queue.remove(second, None);
    queue.assert_consistent();
    queue.remove(first, None);
    assert!(queue.is_empty());
}

#[test]
fn counts_match_the_downloads_after_random_operations() {
    let two = NonZeroUsize::new(2).unwrap();
    for seed in 0..200 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut queue = WaitQueue::new(LimiterOptions {
            max_downloads_per_address: NonZeroUsize::MIN,
            max_downloads_per_domain: two,
            ..options(3, 2, 8)
        });
        let mut downloads = Vec::new();
        for _ in 0..200 {
            let address = AddressBlock::from(IpAddr::from([192, 0, 2, random.u8(0..4)]));
            let requested = groups(&format!("http://h{}.d{}.example/", random.u8(0..3), random.u8(0..2)));
            match (random.u8(0..6), random.choice(&downloads).copied()) {
                (0, _) | (_, None) => downloads.extend(queue.enqueue(requested).map(|(id, _start)| id)),
                (1, Some(id)) => {
                    downloads.retain(|other| *other != id);
                    queue.remove(id, None);
                }
                (2, Some(id)) => {
                    let _ = queue.requeue(id, [requested, vec![LimitGroup::Address(address)]].concat());
                }
                (3, Some(id)) => queue.settle(id, address),
                (_, Some(id)) => {
                    queue.claim(id, address);
                }
            }
            queue.assert_consistent();
        }
        downloads.into_iter().for_each(|id| queue.remove(id, None));
        assert!(queue.is_empty(), "seed {seed}");
    }
}

#[test]
fn closed_limiter_has_abandoned_the_downloads_that_it_refuses() {
    let limiter = ConcurrencyLimiter::new(LimiterOptions::default());
    let failures = [FetchError::abandoned(), FetchError::Overloaded(None), FetchError::EmptyBody];
    assert_eq!(failures.each_ref().map(|failure| limiter.has_abandoned(failure)), [true, false, false]);
    limiter.close();
    assert_eq!(failures.each_ref().map(|failure| limiter.has_abandoned(failure)), [true, true, false]);
}
