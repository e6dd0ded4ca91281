//! A simulated cache: the contents of a cache with one policy at one capacity, without any media.
//!
//! Answers are validated as a cache validates them: unknown victims are ignored and counted, and if the victims free too little, the
//! least recently used objects are evicted as well.

use media_cache::policy::{Access, Entry, Event, MediaKind, Placement, PolicyFault, SEED_PAGE};
use media_cache_trace::{self as trace, Request};

use crate::counts::Counts;
use crate::policy::Policy;
use crate::resident_set::ResidentSet;

/// The maximum number of events buffered before the policy observes them.
pub(crate) const BATCH: usize = 1024;

/// A request for an object, as a simulated cache needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectRequest {
    /// The fingerprint of the object's key.
    pub fingerprint: u64,
    /// The size of the object, at least 1.
    pub size: u64,
    /// The space that the object takes up. It differs from the size only in caches that are scaled down to a sample.
    pub space: u64,
    /// The time, in milliseconds.
    pub at: u64,
    /// How long a fetch of the object takes, in milliseconds. 0 if unknown.
    pub cost: u32,
    /// The number of other requests that would wait for this fetch.
    pub waiters: u32,
    /// The kind of media.
    pub kind: MediaKind,
}

impl ObjectRequest {
    /// A request for an object whose cost and kind are unknown.
    #[must_use]
    pub fn new(fingerprint: u64, size: u64, at: u64) -> Self {
        Self { fingerprint, size, space: size, at, cost: 0, waiters: 0, kind: MediaKind::Other }
    }

    /// A request in a trace, for an object with this fingerprint.
    #[must_use]
    pub fn of(request: &Request, fingerprint: u64) -> Self {
        let Request { at, size, cost, waiters, kind, object: _ } = *request;
        let kind = match kind {
            Some(trace::MediaKind::Image) => MediaKind::Image,
            Some(trace::MediaKind::Animation) => MediaKind::Animation,
            Some(trace::MediaKind::Video) => MediaKind::Video,
            Some(trace::MediaKind::Audio) => MediaKind::Audio,
            Some(trace::MediaKind::Other) | None => MediaKind::Other,
        };
        Self { fingerprint, size, space: size, at, cost, waiters, kind }
    }

    /// How long clients wait in total if the request is a miss, in milliseconds.
    #[must_use]
    pub fn wait(&self) -> u64 {
        u64::from(self.cost) * (u64::from(self.waiters) + 1)
    }

    fn candidate(&self, id: u64) -> Entry {
        let Self { fingerprint, size, at, cost, waiters, kind, .. } = *self;
        Entry { id, fingerprint, size, hits: 0, accessed_at: at, cost, waiters, kind }
    }
}

/// The contents of a cache of a fixed capacity. The policy is passed to each call and must be the same one each time, except after
/// [`seed`](Self::seed).
pub struct SimulatedCache {
    capacity: u64,
    residents: ResidentSet,
    events: Vec<Event>,
    /// The number of requests and insertions so far, which orders the objects by last use.
    clock: u64,
    counts: Counts,
    /// Whether any object took up space that differs from its size.
    is_scaled: bool,
}

impl SimulatedCache {
    /// An empty cache of `capacity` bytes.
    #[must_use]
    pub fn new(capacity: u64) -> Self {
        Self {
            capacity,
            residents: ResidentSet::default(),
            events: Vec::new(),
            clock: 0,
            counts: Counts::default(),
            is_scaled: false,
        }
    }

    /// A cache that stores the most recently used of these objects, as many as fit, and whose policy is seeded with them. `entries` are in
    /// order of use, least recently used first; their ids are ignored. `space` is the space that an object of a size takes up.
    ///
    /// # Errors
    /// If the policy faults.
    pub fn with_entries(
        capacity: u64,
        policy: &mut impl Policy,
        entries: &[Entry],
        space: impl Fn(u64) -> u64,
    ) -> Result<Self, PolicyFault> {
        let mut cache = Self::new(capacity);
        let mut free = capacity;
        let mut fits = |entry: &Entry| free.checked_sub(space(entry.size)).map(|rest| free = rest).is_some();
        let kept = entries.iter().rev().take_while(|entry| fits(entry)).count();
        for entry in &entries[entries.len() - kept..] {
            let entry = Entry { id: cache.residents.reserve_id(), ..*entry };
            cache.residents.insert(&entry, space(entry.size), cache.clock);
            cache.clock += 1;
        }
        let entries = cache.entries();
        cache.seed(policy, &entries)?;
        Ok(cache)
    }

    /// The capacity in bytes.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.capacity
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The number of stored objects.
    #[must_use]
    pub fn len(&self) -> usize {
        self.residents.len()
    }

    /// Whether no object is stored.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The memory used on the host, in bytes, without that of the policy.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.residents.memory_bytes() + (self.events.capacity() * size_of::<Event>()) as u64
    }

    /// Simulates a request. Returns whether it is a hit.
    ///
    /// # Errors
    /// If the policy faults. The simulation cannot continue after that, and the request is not counted.
    pub fn request(&mut self, policy: &mut impl Policy, request: &ObjectRequest) -> Result<bool, PolicyFault> {
        let is_hit = match self.residents.access(request.fingerprint, self.clock, request.at) {
            Some(id) => {
                self.record(policy, Event::Accessed(Access { id, at: request.at }))?;
                true
            }
            None => {
                self.insert(policy, request)?;
                self.counts.object_misses += 1;
                self.counts.missed_bytes += request.size;
                self.counts.missed_wait += request.wait();
                false
            }
        };
        self.clock += 1;
        self.counts.requests += 1;
        self.counts.requested_bytes += request.size;
        Ok(is_hit)
    }

    /// Whether an object is stored.
    #[must_use]
    pub fn contains(&self, fingerprint: u64) -> bool {
        self.residents.contains(fingerprint)
    }

    /// Simulates that an object is stored without a request, unless it is stored already.
    ///
    /// # Errors
    /// As for [`request`](Self::request).
    pub fn put(&mut self, policy: &mut impl Policy, object: &ObjectRequest) -> Result<(), PolicyFault> {
        if !self.residents.contains(object.fingerprint) {
            self.insert(policy, object)?;
            self.clock += 1;
        }
        Ok(())
    }

    /// All stored objects, least recently used first.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        self.residents.entries()
    }

    /// Replaces the policy with one that tracks nothing yet, and seeds it with `entries`, least recently used first. Their ids are those
    /// of [`entries`](Self::entries).
    ///
    /// # Errors
    /// If the new policy faults.
    pub fn seed(&mut self, policy: &mut impl Policy, entries: &[Entry]) -> Result<(), PolicyFault> {
        self.events.clear();
        entries.chunks(SEED_PAGE).try_for_each(|page| policy.restore(page))
    }

    /// Stores a missed object, if it fits and the policy admits it.
    fn insert(&mut self, policy: &mut impl Policy, request: &ObjectRequest) -> Result<(), PolicyFault> {
        let space = request.space;
        if space > self.capacity {
            return Ok(());
        }
        let resident = self.residents.len();
        let needed = (self.residents.used_space() + space).saturating_sub(self.capacity);
        let id = self.residents.reserve_id();
        let candidate = request.candidate(id);
        self.is_scaled |= space != request.size;
        let placement = policy.place(&self.events, candidate, needed)?;
        self.events.clear();
        let is_admitted = match placement {
            Placement::Refuse => false,
            Placement::Admit(victims) => {
                check_number(&victims, resident + 1)?;
                self.evict(policy, victims, id, needed)?
            }
        };
        if is_admitted {
            self.residents.insert(&candidate, space, self.clock);
            self.counts.bytes_written += request.size;
        } else {
            self.residents.release_id(id);
        }
        Ok(())
    }

    /// Evicts the victims that are stored, and the least recently used objects if the space that is needed is still not free. Returns
    /// whether the candidate is admitted: it is not if it is among the victims.
    fn evict(&mut self, policy: &mut impl Policy, mut victims: Vec<u64>, candidate: u64, needed: u64) -> Result<bool, PolicyFault> {
        let mut freed = 0;
        let mut is_admitted = true;
        loop {
            let freed_before = freed;
            for victim in &victims {
                if *victim == candidate && is_admitted {
                    is_admitted = false;
                } else if let Some(space) = self.residents.remove(*victim) {
                    freed += space;
                    self.counts.evictions += 1;
                } else {
                    self.counts.rejected_ids += 1;
                }
            }
            let is_first = freed_before == 0;
            if !is_admitted || freed >= needed || !self.is_scaled || (freed == freed_before && !is_first) {
                break;
            }
            // The policy knows sizes, but in a scaled cache, a large victim frees less space.
            victims = policy.evict(&[], needed - freed)?;
            check_number(&victims, self.residents.len() + 1)?;
        }
        while is_admitted && freed < needed {
            let Some(victim) = self.residents.least_recently_used() else { break };
            freed += self.residents.remove(victim).unwrap_or(0);
            self.counts.evictions += 1;
            self.counts.shortfalls += 1;
            self.record(policy, Event::Removed(victim))?;
        }
        Ok(is_admitted)
    }

    /// Buffers an event for the next call to the policy.
    fn record(&mut self, policy: &mut impl Policy, event: Event) -> Result<(), PolicyFault> {
        self.events.push(event);
        if self.events.len() >= BATCH {
            policy.observe(&self.events)?;
            self.events.clear();
        }
        Ok(())
    }
}

/// A policy that names more victims than there are entries has a fault.
fn check_number(victims: &[u64], entries: usize) -> Result<(), PolicyFault> {
    if victims.len() > entries {
        return Err(PolicyFault::TooManyVictims { named: victims.len(), tracked: entries - 1 });
    }
    Ok(())
}
