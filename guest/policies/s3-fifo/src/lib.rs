//! S3-FIFO: three FIFO queues (small, main and ghost). A hit does not move entries in any of them.
//!
//! Yang, Zhang, Qiu, Yue, Rashmi: "FIFO Queues are All You Need for Cache Eviction", SOSP 2023.
//!
//! Most entries are not requested again while they are in the cache. New entries therefore enter the small queue, a tenth of the cache.
//! Those with fewer than two hits when they reach its end are evicted early, without having displaced anything valuable. The others move to
//! the main queue. An entry that reaches the end of the main queue with hits is reinserted, which uses up one hit. At most three hits are
//! counted.
//!
//! A tenth of the cache leaves little time for a second request. The ghost queue therefore remembers the fingerprints of entries that were
//! evicted from the small queue; these take up no space in the cache. An entry that returns while its ghost exists was evicted too early,
//! and enters the main queue directly.
//!
//! An object larger than the small queue does not fit into it. As published, it is refused, which is the default of the option `large`. An
//! object that fills the queue exactly is refused too, unless it has a ghost. With `large=main`, such objects enter the main queue, which
//! suits caches with few large objects.

use media_cache_policy_sdk::{Algorithm, Entry, EntryId, Ghosts, OptionSpec, Options, Placement, Queue, Slab, export_policy};

/// The maximum number of hits that are counted.
const MAX_HITS: u8 = 3;
/// The number of hits with which an entry moves from the small queue to the main queue.
const HITS_FOR_MAIN: u8 = 2;

/// The small, main and ghost queues.
pub struct S3Fifo {
    entries: Slab<Meta>,
    small: Queue,
    main: Queue,
    small_share: u64,
    main_share: u64,
    ghost: Ghosts,
    large_enter_main: bool,
    has_evicted: bool,
}

#[derive(Clone, Copy, Default)]
struct Meta {
    fingerprint: u64,
    hits: u8,
}

impl S3Fifo {
    fn add(&mut self, entry: &Entry, hits: u8, to_main: bool) {
        let queue = if to_main { &mut self.main } else { &mut self.small };
        self.entries.push(queue, entry.id, entry.size, Meta { fingerprint: entry.fingerprint, hits });
    }

    /// Evicts the oldest entry of the main queue without hits. An entry with hits is reinserted, once for each of them.
    fn evict_main(&mut self) -> Option<(EntryId, u64)> {
        loop {
            let oldest = self.main.oldest()?;
            match self.entries.get_mut(oldest) {
                Some(meta) if meta.hits > 0 => {
                    meta.hits -= 1;
                    self.entries.renew(&mut self.main, oldest);
                }
                _ => return Some((oldest, self.entries.remove(&mut self.main, oldest)?)),
            }
        }
    }

    /// Evicts the oldest entry of the small queue with fewer than two hits. Older entries with more hits move to the main queue, where
    /// their hits are counted from 0 again.
    fn evict_small(&mut self) -> Option<(EntryId, u64)> {
        loop {
            let oldest = self.small.oldest()?;
            let meta = self.entries.get_mut(oldest)?;
            if meta.hits < HITS_FOR_MAIN {
                let fingerprint = meta.fingerprint;
                let size = self.entries.remove(&mut self.small, oldest)?;
                self.ghost.add(fingerprint, size);
                return Some((oldest, size));
            }
            meta.hits = 0;
            self.entries.pass(&mut self.small, &mut self.main, oldest);
        }
    }
}

impl Algorithm for S3Fifo {
    const NAME: &'static str = "s3-fifo";
    const DOC: &'static str = "S3-FIFO: evicts entries early unless they are requested twice, and recognises them if they return.";
    const OPTIONS: &'static [OptionSpec] = &[
        OptionSpec {
            name: "small",
            default: "10",
            doc: "The share of the small queue as a percentage of the capacity, from 1 to 99.",
        },
        OptionSpec {
            name: "large",
            default: "refuse",
            doc: "What to do with an object that does not fit into the small queue: `refuse`, as published, or `main`, to keep it.",
        },
    ];

    fn new(capacity: u64, options: &Options) -> Result<Self, String> {
        let small_share = options.share("small", 1.0..=99.0, capacity)?;
        Ok(Self {
            entries: Slab::default(),
            small: Queue::new(0),
            main: Queue::new(1),
            small_share,
            main_share: capacity.saturating_sub(small_share),
            ghost: Ghosts::new(capacity - capacity.div_ceil(10)),
            large_enter_main: options.choice("large", &["refuse", "main"])? == 1,
            has_evicted: false,
        })
    }

    fn insert(&mut self, entry: &Entry) {
        self.add(entry, 0, false);
    }

    fn restore(&mut self, entry: &Entry) {
        self.ghost.take(entry.fingerprint);
        let hits = entry.hits.min(MAX_HITS.into()) as u8;
        self.add(entry, hits, hits >= HITS_FOR_MAIN);
    }

    fn accessed(&mut self, id: EntryId, _at: u64) {
        if let Some(meta) = self.entries.get_mut(id) {
            meta.hits = (meta.hits + 1).min(MAX_HITS);
        }
    }

    fn removed(&mut self, id: EntryId) {
        self.entries.remove(&mut self.small, id);
        self.entries.remove(&mut self.main, id);
    }

    fn victim(&mut self) -> Option<(EntryId, u64)> {
        self.has_evicted = true;
        let victim = if self.main.size() > self.main_share { None } else { self.evict_small() };
        victim.or_else(|| self.evict_main())
    }

    fn place(&mut self, candidate: &Entry, needed: u64) -> Placement {
        let has_ghost = self.ghost.take(candidate.fingerprint);
        // A queue of one unit accepts objects of one unit. In a cache with few items, all objects have that size.
        let is_large = candidate.size >= self.small_share.max(2);
        let is_refused = if has_ghost { candidate.size > self.small_share } else { is_large };
        if is_refused && !self.large_enter_main {
            return Placement::Refuse;
        }
        let victims = self.evict(needed);
        // As long as the cache has free space, the shares do not prevent its use.
        let small_is_full = !self.has_evicted && self.small.size() >= self.small_share;
        self.add(candidate, 0, has_ghost || is_large || small_is_full);
        Placement::Admit(victims)
    }
}

export_policy!(S3Fifo);

#[cfg(test)]
mod tests;
