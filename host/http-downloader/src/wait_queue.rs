//! Decides which download starts next. It is synchronous: it counts permits and wakes waiters, and never waits itself.
//!
//! A download first needs a permit of its host, then one of all. One that waits for its host takes no permit from others, so a slow
//! host delays only downloads from that host. At each of the two stages, waiters are served in the order of their arrival.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::num::NonZeroUsize;
use std::time::Duration;

use tokio::sync::oneshot;

use media_cache_interfaces::FetchError;

/// The shortest and the longest wait that a refused caller is advised, in seconds.
const RETRY_AFTER_SECONDS: (f64, f64) = (1.0, 60.0);

/// The limits of a [`ConcurrencyLimiter`](crate::concurrency_limiter::ConcurrencyLimiter).
#[derive(Clone, Copy, Debug)]
pub struct LimiterOptions {
    /// The number of concurrent downloads. 64 by default.
    pub max_downloads: NonZeroUsize,
    /// The number of concurrent downloads from one host. 8 by default.
    pub max_downloads_per_host: NonZeroUsize,
    /// The number of downloads that wait; one host may have half of them. 1024 by default.
    pub max_queued_downloads: usize,
    /// How long a download waits. 30 seconds by default.
    pub max_queue_time: Duration,
}

impl Default for LimiterOptions {
    fn default() -> Self {
        const MAX_DOWNLOADS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(63);
        const MAX_DOWNLOADS_PER_HOST: NonZeroUsize = NonZeroUsize::MIN.saturating_add(7);
        Self {
            max_downloads: MAX_DOWNLOADS,
            max_downloads_per_host: MAX_DOWNLOADS_PER_HOST,
            max_queued_downloads: 1024,
            max_queue_time: Duration::from_secs(30),
        }
    }
}

/// The counts of a [`ConcurrencyLimiter`](crate::concurrency_limiter::ConcurrencyLimiter).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LimiterCounts {
    /// Downloads in progress.
    pub active: usize,
    /// Downloads that wait.
    pub queued: usize,
    /// Downloads that were refused since the start, because the queue was full or they had waited for too long.
    pub refused: u64,
}

/// Identifies a download, in the order of arrival.
pub(crate) type DownloadId = u64;

/// The active and the queued downloads. It has an entry only for hosts with downloads.
pub(crate) struct WaitQueue {
    options: LimiterOptions,
    next_id: DownloadId,
    active: usize,
    refused: u64,
    hosts: HashMap<Box<str>, HostQueue>,
    /// Downloads with a permit of their host that wait for one of all.
    ready: BTreeMap<DownloadId, oneshot::Sender<()>>,
    /// The number of downloads that wait for a permit of their host.
    waiting_for_host: usize,
    /// A moving average of how long a download takes.
    average_duration: Duration,
}

#[derive(Default)]
struct HostQueue {
    /// Permits in use, by active and by ready downloads.
    permits: usize,
    /// Downloads that wait for a permit of this host. Unless this is empty, all permits are in use.
    waiting: VecDeque<(DownloadId, oneshot::Sender<()>)>,
}

impl WaitQueue {
    pub(crate) fn new(options: LimiterOptions) -> Self {
        Self {
            options,
            next_id: 0,
            active: 0,
            refused: 0,
            hosts: HashMap::new(),
            ready: BTreeMap::new(),
            waiting_for_host: 0,
            average_duration: Duration::ZERO,
        }
    }

    pub(crate) fn counts(&self) -> LimiterCounts {
        LimiterCounts { active: self.active, queued: self.queued(), refused: self.refused }
    }

    /// Adds a download. The receiver resolves when it may start. Refuses it if it would have to wait and the queue is full.
    pub(crate) fn enqueue(&mut self, host: &str) -> Result<(DownloadId, oneshot::Receiver<()>), FetchError> {
        let (permits, waiting) = self.hosts.get(host).map_or((0, 0), |host| (host.permits, host.waiting.len()));
        let host_has_permit = permits < self.options.max_downloads_per_host.get();
        let must_wait = !host_has_permit || self.active == self.options.max_downloads.get();
        let max_waiting_per_host = self.options.max_queued_downloads.div_ceil(2);
        if must_wait && (self.queued() >= self.options.max_queued_downloads || waiting >= max_waiting_per_host) {
            return Err(self.refuse(host));
        }
        let id = self.next_id;
        self.next_id += 1;
        let (start, started) = oneshot::channel();
        let host = self.hosts.entry(host.into()).or_default();
        if host_has_permit {
            host.permits += 1;
            self.ready.insert(id, start);
        } else {
            host.waiting.push_back((id, start));
            self.waiting_for_host += 1;
        }
        self.start_ready();
        Ok((id, started))
    }

    /// Removes a download, wherever it is. `duration` is how long it took, if it was started.
    pub(crate) fn remove(&mut self, host_name: &str, id: DownloadId, duration: Option<Duration>) {
        let Some(host) = self.hosts.get_mut(host_name) else { return };
        if let Some(position) = host.waiting.iter().position(|(waiting, _)| *waiting == id) {
            host.waiting.remove(position);
            self.waiting_for_host -= 1;
            return;
        }
        if self.ready.remove(&id).is_none() {
            self.active -= 1;
        }
        match host.waiting.pop_front() {
            // The next download takes over the permit of the host.
            Some((next, start)) => {
                self.waiting_for_host -= 1;
                self.ready.insert(next, start);
            }
            None => host.permits -= 1,
        }
        if host.permits == 0 {
            self.hosts.remove(host_name);
        }
        if let Some(duration) = duration {
            let average = self.average_duration;
            self.average_duration = if average.is_zero() { duration } else { (average * 7 + duration) / 8 };
        }
        self.start_ready();
    }

    /// Counts a refused download, and estimates when a retry may succeed.
    pub(crate) fn refuse(&mut self, host: &str) -> FetchError {
        self.refused += 1;
        let waiting = self.hosts.get(host).map_or(0, |host| host.waiting.len());
        let rounds = |queued: usize, concurrency: NonZeroUsize| (queued / concurrency + 1) as f64;
        let host_rounds = rounds(waiting, self.options.max_downloads_per_host);
        let rounds = host_rounds.max(rounds(self.queued(), self.options.max_downloads));
        let seconds = self.average_duration.as_secs_f64() * rounds;
        let (shortest, longest) = RETRY_AFTER_SECONDS;
        FetchError::Overloaded(Some(seconds.ceil().clamp(shortest, longest) as u32))
    }

    fn queued(&self) -> usize {
        self.ready.len() + self.waiting_for_host
    }

    /// Starts ready downloads while there are permits.
    fn start_ready(&mut self) {
        while self.active < self.options.max_downloads.get() {
            let Some((_, start)) = self.ready.pop_first() else { return };
            self.active += 1;
            // If the receiver is gone, the permit is released when its download is removed.
            let _ = start.send(());
        }
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.hosts.is_empty() && self.ready.is_empty() && self.active == 0 && self.waiting_for_host == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advised_wait_depends_on_the_queue_and_on_how_long_downloads_take() {
        let advised = |duration: u64, queued: usize| {
            let mut queue = WaitQueue::new(LimiterOptions {
                max_downloads: NonZeroUsize::new(2).unwrap(),
                max_downloads_per_host: NonZeroUsize::MIN,
                max_queued_downloads: queued,
                ..LimiterOptions::default()
            });
            let (id, _started) = queue.enqueue("a").unwrap();
            queue.remove("a", id, Some(Duration::from_secs(duration)));
            let hosts: Vec<String> = (0..queued + 2).map(|host| host.to_string()).collect();
            let downloads: Vec<_> = hosts.iter().map(|host| queue.enqueue(host).unwrap()).collect();
            let error = queue.enqueue("z").unwrap_err();
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
}
