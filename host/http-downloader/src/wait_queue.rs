//! Decides which download starts next. It is synchronous: it counts permits and wakes waiters, and never waits itself.
//!
//! A download needs a permit from each of its groups (its host, its registrable domain, and the address that it connects to), and then a
//! general permit. A download that waits for a group holds no general permit, so a slow host, domain or address delays only its own
//! downloads. All waiters are served in the order of their arrival.
//!
//! The address is known only once a download connects, and a redirect leads to another host. A download that then lacks a permit releases
//! its general permit and waits again, ahead of those that arrived later.

use std::collections::{BTreeSet, HashMap};
use std::num::NonZeroUsize;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::address_block::AddressBlock;
use crate::limit_group::LimitGroup;
use crate::limiter_options::{LimiterCounts, LimiterOptions};
use media_cache_interfaces::FetchError;

/// The shortest and the longest wait that may be suggested to a refused caller, in seconds.
const RETRY_AFTER_SECONDS: (f64, f64) = (1.0, 60.0);

/// Identifies a download, in the order of arrival.
pub(crate) type DownloadId = u64;

/// Resolves when a download may start.
pub(crate) type Start = oneshot::Receiver<()>;

/// The active and the queued downloads. It contains only groups that have downloads.
pub(crate) struct WaitQueue {
    options: LimiterOptions,
    next_id: DownloadId,
    active: usize,
    refused: u64,
    downloads: HashMap<DownloadId, Download>,
    groups: HashMap<LimitGroup, Permits>,
    /// Downloads that have a permit from each of their groups and wait for a general permit.
    ready: BTreeSet<DownloadId>,
    /// A moving average of how long a download takes.
    average_duration: Duration,
}

struct Download {
    groups: Vec<LimitGroup>,
    /// The number of groups, counted from the first, from which the download has permits.
    acquired: usize,
    state: State,
    start: Option<oneshot::Sender<()>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Waits for a permit of the group after the acquired ones.
    Waiting,
    /// Waits for a general permit.
    Ready,
    Active,
    /// Was refused: has no permits and waits for none.
    Refused,
}

/// The permits of a group.
#[derive(Default)]
struct Permits {
    used: usize,
    /// Downloads that wait for a permit. If there are any, all permits are in use.
    waiting: BTreeSet<DownloadId>,
}

impl WaitQueue {
    pub(crate) fn new(options: LimiterOptions) -> Self {
        Self {
            options,
            next_id: 0,
            active: 0,
            refused: 0,
            downloads: HashMap::new(),
            groups: HashMap::new(),
            ready: BTreeSet::new(),
            average_duration: Duration::ZERO,
        }
    }

    pub(crate) fn counts(&self) -> LimiterCounts {
        let mut counts =
            LimiterCounts { active: self.active, queued: self.ready.len(), refused: self.refused, ..Default::default() };
        for (group, permits) in &self.groups {
            let waiting = permits.waiting.len();
            counts.queued += waiting;
            *match group {
                LimitGroup::Host(_) => &mut counts.queued_for_host,
                LimitGroup::Domain(_) => &mut counts.queued_for_domain,
                LimitGroup::Address(_) => &mut counts.queued_for_address,
            } += waiting;
        }
        counts
    }

    /// Adds a download. Refuses it if it would have to wait and the queue is full.
    pub(crate) fn enqueue(&mut self, groups: Vec<LimitGroup>) -> Result<(DownloadId, Start), FetchError> {
        self.check_room(&groups)?;
        let id = self.next_id;
        self.next_id += 1;
        self.downloads.insert(id, Download { groups: Vec::new(), acquired: 0, state: State::Refused, start: None });
        Ok((id, self.restart(id, groups)))
    }

    /// Whether [`claim`](Self::claim) would give a permit.
    pub(crate) fn may_claim(&self, id: DownloadId, address: AddressBlock) -> bool {
        let group = LimitGroup::Address(address);
        let download = self.downloads.get(&id).filter(|download| download.state == State::Active);
        download.is_some_and(|download| download.groups.contains(&group) || self.used(&group) < self.limit(&group))
    }

    /// Gives an active download a permit for an address that it connects to, in addition to the permits that it already has. Returns
    /// `false` if none is available, or if the download is not active: a connection may become ready only after its download has returned
    /// to the queue.
    pub(crate) fn claim(&mut self, id: DownloadId, address: AddressBlock) -> bool {
        let group = LimitGroup::Address(address);
        let is_available = self.used(&group) < self.limit(&group);
        let Some(download) = self.downloads.get_mut(&id).filter(|download| download.state == State::Active) else { return false };
        if download.groups.contains(&group) {
            return true;
        }
        if is_available {
            download.groups.push(group.clone());
            download.acquired += 1;
            self.groups.entry(group).or_default().used += 1;
        }
        is_available
    }

    /// Releases the permits that an active download has for addresses other than the one that it uses.
    pub(crate) fn settle(&mut self, id: DownloadId, address: AddressBlock) {
        let is_other = |group: &LimitGroup| matches!(group, LimitGroup::Address(other) if *other != address);
        let Some(download) = self.downloads.get_mut(&id).filter(|download| download.state == State::Active) else { return };
        let (others, groups): (Vec<_>, Vec<_>) = std::mem::take(&mut download.groups).into_iter().partition(is_other);
        (download.acquired, download.groups) = (groups.len(), groups);
        others.iter().for_each(|group| self.release(group));
        self.start_ready();
    }

    /// Makes an active download wait for permits from these groups, which replace its previous ones: the groups of a redirect, or the
    /// previous groups and an address.
    pub(crate) fn requeue(&mut self, id: DownloadId, groups: Vec<LimitGroup>) -> Result<Start, FetchError> {
        self.leave(id);
        let room = self.check_room(&groups);
        self.start_ready();
        room.map(|()| self.restart(id, groups))
    }

    /// The groups of a download, including its addresses.
    pub(crate) fn groups(&self, id: DownloadId) -> &[LimitGroup] {
        self.downloads.get(&id).map_or(&[], |download| &download.groups)
    }

    /// Removes a download in any state. `duration` is how long it took, if it was started.
    pub(crate) fn remove(&mut self, id: DownloadId, duration: Option<Duration>) {
        self.leave(id);
        self.downloads.remove(&id);
        if let Some(duration) = duration {
            let average = self.average_duration;
            self.average_duration = if average.is_zero() { duration } else { (average * 7 + duration) / 8 };
        }
        self.start_ready();
    }

    /// Counts a refused download, and estimates when a retry may succeed.
    pub(crate) fn refuse(&mut self, groups: &[LimitGroup]) -> FetchError {
        self.refused += 1;
        let rounds = |queued: usize, concurrency: NonZeroUsize| (queued / concurrency + 1) as f64;
        let group_rounds = |group: &LimitGroup| rounds(self.waiting(group), self.limit_option(group));
        let own_rounds = groups.iter().map(group_rounds).fold(0.0, f64::max);
        let rounds = own_rounds.max(rounds(self.counts().queued, self.options.max_downloads));
        let seconds = self.average_duration.as_secs_f64() * rounds;
        let (shortest, longest) = RETRY_AFTER_SECONDS;
        FetchError::Overloaded(Some(seconds.ceil().clamp(shortest, longest) as u32))
    }

    /// Refuses a download that would have to wait, if the queue is full or has no more room for the group that it would wait for.
    fn check_room(&mut self, groups: &[LimitGroup]) -> Result<(), FetchError> {
        let busy = groups.iter().find(|group| self.used(group) >= self.limit(group));
        let must_wait = busy.is_some() || self.active >= self.options.max_downloads.get();
        let max_queued = self.options.max_queued_downloads;
        let is_full =
            || self.counts().queued >= max_queued || busy.is_some_and(|busy| self.waiting(busy) >= max_queued.div_ceil(2));
        if must_wait && is_full() { Err(self.refuse(groups)) } else { Ok(()) }
    }

    /// Makes a download without permits wait for permits from these groups.
    fn restart(&mut self, id: DownloadId, groups: Vec<LimitGroup>) -> Start {
        let (start, started) = oneshot::channel();
        if let Some(download) = self.downloads.get_mut(&id) {
            *download = Download { groups, acquired: 0, state: State::Waiting, start: Some(start) };
        }
        self.advance(id);
        self.start_ready();
        started
    }

    /// Acquires the permits that a download lacks, up to the first one that is not available.
    fn advance(&mut self, id: DownloadId) {
        let Some(download) = self.downloads.get_mut(&id) else { return };
        while let Some(group) = download.groups.get(download.acquired) {
            let limit = self.options.limit(group).get();
            let permits = self.groups.entry(group.clone()).or_default();
            if permits.used >= limit {
                permits.waiting.insert(id);
                return;
            }
            permits.used += 1;
            download.acquired += 1;
        }
        download.state = State::Ready;
        self.ready.insert(id);
    }

    /// Releases a permit of a group. The first download that is waiting for one takes it over.
    fn release(&mut self, group: &LimitGroup) {
        let Some(permits) = self.groups.get_mut(group) else { return };
        match permits.waiting.pop_first() {
            Some(next) => {
                if let Some(download) = self.downloads.get_mut(&next) {
                    download.acquired += 1;
                }
                self.advance(next);
            }
            None => {
                permits.used -= 1;
                if permits.used == 0 {
                    self.groups.remove(group);
                }
            }
        }
    }

    /// Releases all permits of a download, and its position in the queue.
    fn leave(&mut self, id: DownloadId) {
        let Some(download) = self.downloads.get_mut(&id) else { return };
        let (groups, acquired, state) = (std::mem::take(&mut download.groups), download.acquired, download.state);
        (download.acquired, download.state) = (0, State::Refused);
        match state {
            State::Waiting => {
                if let Some(permits) = groups.get(acquired).and_then(|group| self.groups.get_mut(group)) {
                    permits.waiting.remove(&id);
                }
            }
            State::Ready => {
                self.ready.remove(&id);
            }
            State::Active => self.active -= 1,
            State::Refused => {}
        }
        groups[..acquired].iter().for_each(|group| self.release(group));
    }

    /// Starts ready downloads while general permits are available.
    fn start_ready(&mut self) {
        while self.active < self.options.max_downloads.get() {
            let Some(id) = self.ready.pop_first() else { return };
            self.active += 1;
            let Some(download) = self.downloads.get_mut(&id) else { continue };
            download.state = State::Active;
            // If the receiver has been dropped, the permits are released when its download is removed.
            let _ = download.start.take().map(|start| start.send(()));
        }
    }

    fn limit(&self, group: &LimitGroup) -> usize {
        self.limit_option(group).get()
    }

    fn limit_option(&self, group: &LimitGroup) -> NonZeroUsize {
        self.options.limit(group)
    }

    fn used(&self, group: &LimitGroup) -> usize {
        self.groups.get(group).map_or(0, |permits| permits.used)
    }

    fn waiting(&self, group: &LimitGroup) -> usize {
        self.groups.get(group).map_or(0, |permits| permits.waiting.len())
    }

    /// Checks that the counts match the permits that downloads have and wait for, and do not exceed the limits.
    #[cfg(test)]
    pub(crate) fn assert_consistent(&self) {
        let in_state = |state: State| self.downloads.values().filter(|download| download.state == state).count();
        assert_eq!((self.active, self.ready.len()), (in_state(State::Active), in_state(State::Ready)));
        assert!(self.active <= self.options.max_downloads.get());
        for (group, permits) in &self.groups {
            let holders = self.downloads.values().filter(|download| download.groups[..download.acquired].contains(group)).count();
            assert_eq!(permits.used, holders, "{group:?}");
            assert!((1..=self.limit(group)).contains(&permits.used), "{group:?}");
            let waits = |id: &DownloadId| self.downloads.get(id).is_some_and(|download| download.state == State::Waiting);
            assert!(permits.waiting.iter().all(waits), "{group:?}");
        }
        for download in self.downloads.values() {
            assert!(download.groups[..download.acquired].iter().all(|group| self.groups.contains_key(group)));
            assert!(download.state == State::Waiting || download.acquired == download.groups.len());
        }
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.downloads.is_empty() && self.groups.is_empty() && self.ready.is_empty() && self.active == 0
    }
}
