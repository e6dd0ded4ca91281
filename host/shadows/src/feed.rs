//! Collects the observed requests until the thread of the shadows takes them.
//!
//! The thread of the cache only adds requests here, and never waits for the shadows. If too many accumulate, the sampling rate is halved,
//! and the requests of objects that are no longer in the sample are dropped. What remains is therefore always a complete sample.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use media_cache::policy::{ObservedKind, ObservedRequest, RequestObserver};
use media_cache_simulator::ObjectRequest;

use crate::sampling::{Sample, SamplingRate};
use crate::sums::Sums;

/// The maximum number of requests that wait for the shadows.
const MAX_WAITING: usize = 1 << 15;

/// With a sample, the maximum number of requests for an object in a batch. Further requests would not change what is stored, but a single
/// popular object could take up most of the time of the shadows.
const MAX_OF_OBJECT: u8 = 4;

/// A request of the sample.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sampled {
    pub kind: ObservedKind,
    /// Its number among all requests of the batch.
    pub number: u64,
    /// The number of further requests for the object in the batch that are not passed on.
    pub repeats: u32,
    pub request: ObjectRequest,
}

/// Requests since the previous batch.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub rate: SamplingRate,
    /// The capacity of the cache, in bytes. 0 if it is not known yet.
    pub capacity: u64,
    /// The number of stored entries.
    pub entries: u64,
    /// All requests, in the sample or not.
    pub requested: Sums,
    /// Those that were misses.
    pub missed: Sums,
    /// The requests of the sample, in order.
    pub sample: Vec<Sampled>,
    /// The number of requests of the sample that are missing, because too many waited.
    pub lost: u64,
}

impl Batch {
    /// Which objects are in the sample.
    pub fn sampling(&self) -> Sample {
        Sample { rate: self.rate, capacity: self.capacity }
    }

    /// The memory of the waiting requests and of those that are being simulated, in bytes.
    pub const MAX_MEMORY_BYTES: u64 = (2 * MAX_WAITING * (size_of::<Sampled>() + size_of::<(u64, u8, u32)>())) as u64;
}

/// Receives the requests to the cache, and keeps them until [`ShadowSet::process`](crate::ShadowSet::process) takes them.
#[derive(Default)]
pub struct Feed(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    batch: Batch,
    /// The number of requests of each object in the batch, and the position of the last one that was passed on, unless every object is in
    /// the sample.
    of_object: HashMap<u64, (u8, u32)>,
}

impl Feed {
    /// Takes the requests since the previous call.
    pub(crate) fn take(&self) -> Batch {
        let mut waiting = self.lock();
        waiting.of_object.clear();
        let Batch { rate, capacity, entries, .. } = waiting.batch;
        std::mem::replace(&mut waiting.batch, Batch { rate, capacity, entries, ..Batch::default() })
    }

    /// Changes the sampling rate. Requests that are waiting are dropped if they are not in the sample.
    pub fn set_rate(&self, rate: SamplingRate) {
        self.lock().set_rate(rate);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RequestObserver for Feed {
    fn observe(&self, capacity: u64, entries: u64, requests: &[ObservedRequest]) {
        let mut waiting = self.lock();
        (waiting.batch.capacity, waiting.batch.entries) = (capacity, entries);
        for request in requests {
            waiting.add(request);
        }
    }
}

impl Waiting {
    fn add(&mut self, observed: &ObservedRequest) {
        let ObservedRequest { kind, fingerprint, size, at, cost, waiters, media } = *observed;
        let request = ObjectRequest { cost, waiters, kind: media, ..ObjectRequest::new(fingerprint, size, at) };
        let number = self.batch.requested.requests as u64;
        if matches!(kind, ObservedKind::Hit | ObservedKind::Miss) {
            self.batch.requested = self.batch.requested.plus(Sums::of(&request), 1.0);
        }
        if kind == ObservedKind::Miss {
            self.batch.missed = self.batch.missed.plus(Sums::of(&request), 1.0);
        }
        if self.batch.sample.len() >= MAX_WAITING && self.batch.rate != self.batch.rate.halved() {
            self.set_rate(self.batch.rate.halved());
        }
        if self.batch.sampling().includes(fingerprint, size) && self.is_informative(fingerprint, kind) {
            // Large objects are in every sample, so halving the rate need not be enough.
            match self.batch.sample.len() < MAX_WAITING {
                true => self.batch.sample.push(Sampled { kind, number, repeats: 0, request }),
                false => self.batch.lost += 1,
            }
        }
    }

    /// Whether a request has to be passed on.
    fn is_informative(&mut self, fingerprint: u64, kind: ObservedKind) -> bool {
        if self.batch.rate.is_full() || kind != ObservedKind::Hit {
            return true;
        }
        let (count, last) = self.of_object.entry(fingerprint).or_default();
        *count = count.saturating_add(1);
        if *count <= MAX_OF_OBJECT {
            *last = self.batch.sample.len() as u32;
            return true;
        }
        if let Some(last) = self.batch.sample.get_mut(*last as usize) {
            last.repeats = last.repeats.saturating_add(1);
        }
        false
    }

    fn set_rate(&mut self, rate: SamplingRate) {
        self.batch.rate = rate;
        self.of_object.clear();
        let sampling = self.batch.sampling();
        let sample = std::mem::take(&mut self.batch.sample);
        for sampled in sample {
            let ObjectRequest { fingerprint, size, .. } = sampled.request;
            if sampling.includes(fingerprint, size) && self.is_informative(fingerprint, sampled.kind) {
                self.batch.sample.push(sampled);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use media_cache::policy::MediaKind;

    use super::*;

    fn observed(kind: ObservedKind, fingerprint: u64) -> ObservedRequest {
        ObservedRequest { kind, fingerprint, size: 8, at: 5, cost: 10, waiters: 0, media: MediaKind::Image }
    }

    #[test]
    fn batch_has_all_requests_in_order_and_begins_anew() {
        let feed = Feed::default();
        let kinds = [ObservedKind::Restored, ObservedKind::Miss, ObservedKind::Hit, ObservedKind::Put];
        let requests: Vec<_> = (1..).zip(kinds).map(|(fingerprint, kind)| observed(kind, fingerprint)).collect();
        feed.observe(1 << 20, 1, &requests);
        let batch = feed.take();
        assert_eq!((batch.requested, batch.missed.requests), (Sums { requests: 2.0, bytes: 16.0, wait: 20.0 }, 1.0));
        assert_eq!(batch.sample.iter().map(|sampled| sampled.kind).collect::<Vec<_>>(), kinds);
        assert_eq!(batch.sample.iter().map(|sampled| sampled.number).collect::<Vec<_>>(), [0, 0, 1, 2]);
        let next = feed.take();
        assert_eq!((next.capacity, next.sample.len(), next.requested), (1 << 20, 0, Sums::default()));
    }

    #[test]
    fn rate_is_halved_when_too_many_requests_wait_and_the_sample_remains_complete() {
        let feed = Feed::default();
        let requests: Vec<_> = (0..3 * MAX_WAITING as u64).map(|object| observed(ObservedKind::Miss, object)).collect();
        requests.chunks(100).for_each(|page| feed.observe(1 << 20, 0, page));
        let batch = feed.take();
        assert!(!batch.rate.is_full());
        let expected: Vec<u64> = (0..3 * MAX_WAITING as u64).filter(|object| batch.sampling().includes(*object, 8)).collect();
        assert!(batch.sample.iter().map(|sampled| sampled.request.fingerprint).eq(expected));
        assert_eq!(batch.requested.requests, 3.0 * MAX_WAITING as f64);
    }

    #[test]
    fn large_objects_that_are_in_every_sample_are_dropped_and_counted_when_too_many_wait() {
        let feed = Feed::default();
        let large = |object| ObservedRequest { size: 1 << 19, ..observed(ObservedKind::Miss, object) };
        let requests: Vec<_> = (0..2 * MAX_WAITING as u64).map(large).collect();
        feed.observe(1 << 20, 0, &requests);
        let batch = feed.take();
        assert_eq!((batch.sample.len(), batch.lost), (MAX_WAITING, MAX_WAITING as u64));
        assert_eq!(feed.take().lost, 0);
    }

    #[test]
    fn one_popular_object_does_not_fill_the_sample() {
        let feed = Feed::default();
        let rate = SamplingRate::FULL.halved();
        let popular = (0..).find(|object| rate.includes(*object)).unwrap();
        feed.set_rate(rate);
        let requests = vec![observed(ObservedKind::Hit, popular); 2 * MAX_WAITING];
        feed.observe(1 << 20, 1, &requests);
        let batch = feed.take();
        assert_eq!((batch.rate, batch.sample.len()), (rate, usize::from(MAX_OF_OBJECT)));
        assert_eq!(batch.sample[3].repeats as usize, 2 * MAX_WAITING - 4, "they count if they are misses of a shadow");
        assert_eq!(batch.requested.requests, 2.0 * MAX_WAITING as f64);
        feed.observe(1 << 20, 1, &requests[..2]);
        assert_eq!(feed.take().sample.len(), 2);
    }
}
