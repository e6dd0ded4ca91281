//! S3-FIFO: three queues, in none of which anything moves when it is asked for.
//!
//! Yang, Zhang, Qiu, Yue, Rashmi: "FIFO Queues are All You Need for Cache Eviction", SOSP 2023.
//!
//! Most of what enters a cache is not asked for again while it is there. So newcomers enter a small queue, a tenth of the cache, and
//! whatever was asked for less than twice by the time that it reaches the end goes: soon, and without having displaced anything of
//! worth. The rest moves on to the main queue. There, what was asked for since it last came to the end goes round again, up to three
//! times for three hits or more.
//!
//! A tenth of the cache is a short time to prove oneself in. So the fingerprints of what left the small queue wait in a third one, of
//! ghosts, which take up no room in the cache. Whatever comes back while its ghost is there was let go too early, and enters the main
//! queue at once.
//!
//! An object larger than the small queue does not fit into it. As published, it is not kept, and that is what the option `large` is
//! by default; nor is one that fills it to the last byte, unless its ghost is there. For a cache of few objects that are large, let
//! them enter the main queue: `large` is `main`.

use media_cache_policy_sdk::{Algorithm, Entry, EntryId, Ghosts, OptionSpec, Options, Placement, Queue, Slab, export_policy};

/// More hits than these make no difference.
const MOST_HITS: u8 = 3;
/// With as many, an entry moves from the small queue to the main one.
const HITS_FOR_MAIN: u8 = 2;

/// A small queue, a main queue, and ghosts.
pub struct S3Fifo {
    entries: Slab<Kept>,
    small: Queue,
    main: Queue,
    small_share: u64,
    main_share: u64,
    ghosts: Ghosts,
    large_enter_main: bool,
    has_evicted: bool,
}

#[derive(Clone, Copy, Default)]
struct Kept {
    fingerprint: u64,
    hits: u8,
}

impl S3Fifo {
    fn add(&mut self, entry: &Entry, hits: u8, to_main: bool) {
        let queue = if to_main { &mut self.main } else { &mut self.small };
        self.entries.push(queue, entry.id, entry.size, Kept { fingerprint: entry.fingerprint, hits });
    }

    /// The oldest of the main queue that was not asked for. What was asked for goes round again for each of its hits.
    fn victim_of_main(&mut self) -> Option<(EntryId, u64)> {
        loop {
            let oldest = self.main.oldest()?;
            match self.entries.get_mut(oldest) {
                Some(kept) if kept.hits > 0 => {
                    kept.hits -= 1;
                    self.entries.renew(&mut self.main, oldest);
                }
                _ => return Some((oldest, self.entries.remove(&mut self.main, oldest)?)),
            }
        }
    }

    /// The oldest of the small queue that was not asked for twice. What was moves to the main queue, where it starts anew.
    fn victim_of_small(&mut self) -> Option<(EntryId, u64)> {
        loop {
            let oldest = self.small.oldest()?;
            let kept = self.entries.get_mut(oldest)?;
            if kept.hits < HITS_FOR_MAIN {
                let fingerprint = kept.fingerprint;
                let size = self.entries.remove(&mut self.small, oldest)?;
                self.ghosts.add(fingerprint, size);
                return Some((oldest, size));
            }
            kept.hits = 0;
            self.entries.pass(&mut self.small, &mut self.main, oldest);
        }
    }
}

impl Algorithm for S3Fifo {
    const NAME: &'static str = "s3-fifo";
    const DOC: &'static str = "S3-FIFO: lets go early what is not asked for twice, and knows it again if it comes back.";
    const OPTIONS: &'static [OptionSpec] = &[
        OptionSpec { name: "small", default: "10", doc: "The share of the small queue in per cent of the capacity, from 1 to 99." },
        OptionSpec {
            name: "large",
            default: "refuse",
            doc: "What becomes of an object that does not fit into the small queue: `refuse`, as published, or `main`, to keep it.",
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
            ghosts: Ghosts::new(capacity - capacity.div_ceil(10)),
            large_enter_main: options.choice("large", &["refuse", "main"])? == 1,
            has_evicted: false,
        })
    }

    fn insert(&mut self, entry: &Entry) {
        self.add(entry, 0, false);
    }

    fn restore(&mut self, entry: &Entry) {
        self.ghosts.take(entry.fingerprint);
        let hits = entry.hits.min(MOST_HITS.into()) as u8;
        self.add(entry, hits, hits >= HITS_FOR_MAIN);
    }

    fn accessed(&mut self, id: EntryId, _at: u64) {
        if let Some(kept) = self.entries.get_mut(id) {
            kept.hits = (kept.hits + 1).min(MOST_HITS);
        }
    }

    fn removed(&mut self, id: EntryId) {
        self.entries.remove(&mut self.small, id);
        self.entries.remove(&mut self.main, id);
    }

    fn victim(&mut self) -> Option<(EntryId, u64)> {
        self.has_evicted = true;
        let of_small = if self.main.size() > self.main_share { None } else { self.victim_of_small() };
        of_small.or_else(|| self.victim_of_main())
    }

    fn place(&mut self, candidate: &Entry, needed: u64) -> Placement {
        let came_back = self.ghosts.take(candidate.fingerprint);
        // A queue of one unit is for objects of one unit: a cache of a few items is full of them.
        let is_large = candidate.size >= self.small_share.max(2);
        let is_refused = if came_back { candidate.size > self.small_share } else { is_large };
        if is_refused && !self.large_enter_main {
            return Placement::Refuse;
        }
        let victims = self.evict(needed);
        // As long as there is room, it is not left empty for the sake of shares.
        let small_is_full = !self.has_evicted && self.small.size() >= self.small_share;
        self.add(candidate, 0, came_back || is_large || small_is_full);
        Placement::Admit(victims)
    }
}

export_policy!(S3Fifo);

#[cfg(test)]
mod tests {
    use super::*;

    fn s3_fifo(capacity: u64, options: &[(&str, &str)]) -> S3Fifo {
        let options = options.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        S3Fifo::new(capacity, &Options::check(S3Fifo::NAME, S3Fifo::OPTIONS, options).unwrap()).unwrap()
    }

    fn entry(id: EntryId, size: u64, hits: u64) -> Entry {
        Entry { id, fingerprint: id, size, hits, accessed_at: 0 }
    }

    /// Asks for a place, and says who had to go for it; `None` for a refusal.
    fn place(s3_fifo: &mut S3Fifo, id: EntryId, size: u64) -> Option<Vec<EntryId>> {
        let capacity = s3_fifo.small_share + s3_fifo.main_share;
        let used = s3_fifo.small.size() + s3_fifo.main.size();
        match s3_fifo.place(&entry(id, size, 0), (used + size).saturating_sub(capacity)) {
            Placement::Admit(victims) => Some(victims),
            Placement::Refuse => None,
        }
    }

    /// Full of entries of size 1: 0 and 1 are in the small queue, 2 to 19 in the main queue.
    fn full() -> S3Fifo {
        let mut s3_fifo = s3_fifo(20, &[]);
        (0..20).for_each(|id| assert_eq!(place(&mut s3_fifo, id, 1), Some(vec![])));
        s3_fifo
    }

    #[test]
    fn as_long_as_there_is_room_the_main_queue_takes_what_the_small_one_cannot() {
        let mut s3_fifo = full();
        assert_eq!((s3_fifo.small.size(), s3_fifo.main.size()), (2, 18));
        assert_eq!(place(&mut s3_fifo, 20, 1), Some(vec![0]));
        s3_fifo.removed(1);
        s3_fifo.removed(2);
        // From here on, newcomers enter the small queue, however large it is.
        assert_eq!((place(&mut s3_fifo, 21, 1), place(&mut s3_fifo, 22, 1)), (Some(vec![]), Some(vec![])));
        assert_eq!((s3_fifo.small.size(), s3_fifo.main.size()), (3, 17));
    }

    #[test]
    fn what_was_asked_for_once_leaves_the_small_queue_and_what_was_twice_moves_on() {
        let mut s3_fifo = full();
        s3_fifo.accessed(0, 0);
        (0..2).for_each(|_| s3_fifo.accessed(1, 0));
        assert_eq!(place(&mut s3_fifo, 20, 1), Some(vec![0]));
        assert_eq!((place(&mut s3_fifo, 21, 1), s3_fifo.entries.queue(1)), (Some(vec![20]), Some(1)));
        // The main queue is over its share now. What moved there is its newest, and starts anew.
        assert_eq!(place(&mut s3_fifo, 22, 1), Some(vec![2]));
        assert_eq!(place(&mut s3_fifo, 0, 1), Some(vec![21]));
        assert_eq!(s3_fifo.evict(2), [3, 22]);
        assert_eq!(s3_fifo.evict(u64::MAX), (4..20).chain([1, 0]).collect::<Vec<_>>());
    }

    #[test]
    fn in_the_main_queue_each_hit_is_a_round_and_three_are_the_most() {
        let mut s3_fifo = s3_fifo(20, &[]);
        (0..3).for_each(|id| s3_fifo.restore(&entry(id, 1, 2)));
        assert_eq!(s3_fifo.main.size(), 3);
        (0..9).for_each(|_| s3_fifo.accessed(0, 0));
        s3_fifo.accessed(2, 0);
        // 0 and 2 have three rounds, 1 has two.
        assert_eq!(s3_fifo.evict(u64::MAX), [1, 0, 2]);
    }

    #[test]
    fn what_comes_back_while_its_ghost_is_there_enters_the_main_queue() {
        let mut s3_fifo = full();
        assert_eq!((place(&mut s3_fifo, 20, 1), place(&mut s3_fifo, 0, 1)), (Some(vec![0]), Some(vec![1])));
        assert_eq!((s3_fifo.entries.queue(0), s3_fifo.entries.queue(20)), (Some(1), Some(0)));
        // The ghost has gone: next time it starts in the small queue.
        s3_fifo.removed(0);
        assert_eq!((place(&mut s3_fifo, 0, 1), s3_fifo.entries.queue(0)), (Some(vec![]), Some(0)));
    }

    #[test]
    fn what_leaves_the_main_queue_has_no_ghost() {
        let mut s3_fifo = full();
        assert_eq!(s3_fifo.evict(3), [0, 1, 2]);
        assert_eq!([0, 1, 2].map(|id| s3_fifo.ghosts.take(id)), [true, true, false]);
    }

    #[test]
    fn what_does_not_fit_into_the_small_queue_is_refused_or_enters_the_main_one() {
        let (mut refuse, mut main) = (s3_fifo(100, &[]), s3_fifo(100, &[("large", "main")]));
        assert_eq!((place(&mut refuse, 0, 11), place(&mut main, 0, 11)), (None, Some(vec![])));
        assert_eq!((place(&mut refuse, 1, 10), place(&mut main, 1, 10)), (None, Some(vec![])));
        assert_eq!((place(&mut refuse, 2, 9), place(&mut main, 2, 9)), (Some(vec![]), Some(vec![])));
        assert_eq!([0, 1, 2].map(|id| main.entries.queue(id)), [Some(1), Some(1), Some(0)]);
        // One that is exactly as large has to have been there before, when the small queue still took it.
        refuse.ghosts.add(3, 5);
        refuse.ghosts.add(4, 5);
        assert_eq!((place(&mut refuse, 3, 10), place(&mut refuse, 4, 11)), (Some(vec![]), None));
        assert_eq!((refuse.entries.queue(3), refuse.ghosts.take(4)), (Some(1), false));
    }

    #[test]
    fn a_cache_of_few_items_takes_them() {
        for capacity in 1..=64 {
            let mut s3_fifo = s3_fifo(capacity, &[]);
            (0..100).for_each(|id| assert!(place(&mut s3_fifo, id, 1).is_some()));
            assert_eq!(s3_fifo.evict(u64::MAX).len() as u64, capacity);
        }
    }

    #[test]
    fn what_is_restored_goes_where_its_hits_belong() {
        let mut s3_fifo = full();
        assert_eq!(s3_fifo.evict(1), [0]);
        s3_fifo.restore(&entry(0, 1, 1));
        s3_fifo.restore(&entry(20, 1, 1 << 40));
        assert_eq!((s3_fifo.entries.queue(0), s3_fifo.entries.queue(20)), (Some(0), Some(1)));
        assert!(!s3_fifo.ghosts.take(0));
        s3_fifo.accessed(0, 0);
        assert_eq!((s3_fifo.evict(1), s3_fifo.entries.queue(0)), (vec![2], Some(0)));
    }
}
