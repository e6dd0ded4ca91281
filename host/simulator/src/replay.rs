//! Replays a trace through one policy at one capacity, request by request.

use std::collections::HashMap;

use media_cache::policy::PolicyFault;

use crate::counts::Counts;
use crate::policy::Policy;
use crate::simulated_cache::{ObjectRequest, SimulatedCache};
use media_cache_trace::Trace;

/// Which hits are counted for the entries that a new policy is seeded with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seed {
    /// Hits since the object was stored, which are all that a cache can count.
    Hits,
    /// All earlier requests for the object, including those before it was last evicted or refused. Only a trace contains them.
    AllRequests,
}

/// A replay of a trace through one policy. It can stop after any request.
pub struct Replay<'t, P> {
    trace: &'t Trace,
    policy: P,
    cache: SimulatedCache,
}

impl<'t, P: Policy> Replay<'t, P> {
    /// Starts at the first request with an empty cache of `capacity` bytes.
    pub fn new(trace: &'t Trace, policy: P, capacity: u64) -> Self {
        Self { trace, policy, cache: SimulatedCache::new(capacity) }
    }

    /// The counts so far.
    pub fn counts(&self) -> Counts {
        self.cache.counts()
    }

    /// Replays the next `count` requests, or all that are left.
    ///
    /// # Errors
    /// If the policy faults. The replay cannot continue after that.
    pub fn run(&mut self, count: usize) -> Result<(), PolicyFault> {
        let requests = &self.trace.requests()[self.counts().requests as usize..];
        for request in &requests[..count.min(requests.len())] {
            let request = ObjectRequest::of(request, self.trace.fingerprint(request.object));
            self.cache.request(&mut self.policy, &request)?;
        }
        Ok(())
    }

    /// Replaces the policy. The new one is seeded with all stored objects, least recently used first.
    ///
    /// # Errors
    /// If the new policy faults.
    pub fn swap<Q: Policy>(self, mut policy: Q, seed: Seed) -> Result<Replay<'t, Q>, PolicyFault> {
        let Self { trace, mut cache, .. } = self;
        let mut entries = cache.entries();
        if seed == Seed::AllRequests {
            let mut requests: HashMap<u64, u64> = HashMap::new();
            let replayed = &trace.requests()[..cache.counts().requests as usize];
            replayed.iter().for_each(|request| *requests.entry(trace.fingerprint(request.object)).or_default() += 1);
            entries.iter_mut().for_each(|entry| entry.hits = requests.get(&entry.fingerprint).map_or(0, |requests| requests - 1));
        }
        cache.seed(&mut policy, &entries)?;
        Ok(Replay { trace, policy, cache })
    }
}

#[cfg(test)]
mod tests {
    use media_cache::policy::{Entry, Event, MediaKind, Placement};

    use super::*;
    use crate::simulated_cache::BATCH;

    /// Returns `placements` in turn, then admits everything without victims. Logs its calls.
    #[derive(Default)]
    struct Scripted {
        placements: Vec<Placement>,
        calls: Vec<String>,
    }

    impl Scripted {
        fn log(&mut self, call: &str, events: &[Event]) {
            let events = events.iter().map(|event| match event {
                Event::Accessed(access) => format!(" +{}@{}", access.id, access.at),
                Event::Removed(id) => format!(" -{id}"),
            });
            self.calls.push(format!("{call}{}", events.collect::<String>()));
        }
    }

    impl Policy for Scripted {
        fn restore(&mut self, entries: &[Entry]) -> Result<(), PolicyFault> {
            self.calls.extend(entries.iter().map(|entry| format!("{}: {} hits @{}", entry.id, entry.hits, entry.accessed_at)));
            Ok(())
        }

        fn observe(&mut self, events: &[Event]) -> Result<(), PolicyFault> {
            self.log("observe", events);
            Ok(())
        }

        fn place(&mut self, events: &[Event], candidate: Entry, needed: u64) -> Result<Placement, PolicyFault> {
            self.log(&format!("{} of {} needs {needed}", candidate.id, candidate.size), events);
            Ok(if self.placements.is_empty() { admit(&[]) } else { self.placements.remove(0) })
        }

        fn evict(&mut self, events: &[Event], needed: u64) -> Result<Vec<u64>, PolicyFault> {
            self.log(&format!("evict {needed}"), events);
            Ok(Vec::new())
        }
    }

    fn admit(victims: &[u64]) -> Placement {
        Placement::Admit(victims.to_vec())
    }

    /// One request a second, by key and size.
    fn trace(requests: &[(&str, u64)]) -> Trace {
        let lines = requests.iter().enumerate().map(|(second, (key, size))| format!("{second},{key},{size}\n"));
        Trace::read(lines.collect::<String>().as_bytes()).unwrap()
    }

    /// Replays at a capacity of 100 and returns the calls and the counts.
    fn replay(requests: &[(&str, u64)], placements: &[Placement]) -> (Vec<String>, Counts) {
        let trace = trace(requests);
        let mut replay = Replay::new(&trace, Scripted { placements: placements.to_vec(), calls: Vec::new() }, 100);
        replay.run(usize::MAX).unwrap();
        let counts = replay.counts();
        (replay.policy.calls, counts)
    }

    #[test]
    fn hits_are_reported_with_the_next_decision_and_freed_slots_are_reused() {
        let requests = [("a", 40), ("b", 40), ("a", 40), ("c", 30), ("c", 30), ("d", 60)];
        let (calls, counts) = replay(&requests, &[admit(&[]), admit(&[]), admit(&[1]), admit(&[2, 0])]);
        // The id of `c` is reserved before that of its victim `b` is freed.
        assert_eq!(calls, ["0 of 40 needs 0", "1 of 40 needs 0", "2 of 30 needs 10 +0@2000", "1 of 60 needs 30 +2@4000"]);
        let expected = Counts {
            requests: 6,
            requested_bytes: 240,
            object_misses: 4,
            missed_bytes: 170,
            bytes_written: 170,
            evictions: 3,
            ..Counts::default()
        };
        assert_eq!(counts, expected);
    }

    #[test]
    fn policy_sees_the_cost_the_waiters_and_the_kind_of_a_miss() {
        /// Keeps the candidates.
        struct Candidates(Vec<Entry>);

        impl Policy for Candidates {
            fn restore(&mut self, _entries: &[Entry]) -> Result<(), PolicyFault> {
                Ok(())
            }

            fn observe(&mut self, _events: &[Event]) -> Result<(), PolicyFault> {
                Ok(())
            }

            fn evict(&mut self, _: &[Event], _: u64) -> Result<Vec<u64>, PolicyFault> {
                Ok(Vec::new())
            }

            fn place(&mut self, _events: &[Event], candidate: Entry, _needed: u64) -> Result<Placement, PolicyFault> {
                self.0.push(candidate);
                Ok(admit(&[]))
            }
        }

        let trace = Trace::read(&b"0,a,10,180,2,animation\n1,b,10,7\n2,a,10,500,9\n3,c,10\n4,d,999,20,1\n"[..]).unwrap();
        let mut replay = Replay::new(&trace, Candidates(Vec::new()), 100);
        replay.run(usize::MAX).unwrap();
        let seen: Vec<_> = replay.policy.0.iter().map(|entry| (entry.cost, entry.waiters, entry.kind)).collect();
        assert_eq!(seen, [(180, 2, MediaKind::Animation), (7, 0, MediaKind::Other), (0, 0, MediaKind::Other)]);
        // The hit costs nothing, and an object that is never stored costs as much as any other miss.
        assert_eq!(replay.counts().missed_wait, 180 * 3 + 7 + 20 * 2);
    }

    #[test]
    fn most_recently_freed_slot_is_reused_first() {
        let requests = [("a", 10), ("b", 10), ("c", 100), ("d", 100), ("e", 10)];
        let (calls, _) = replay(&requests, &[admit(&[]), admit(&[]), admit(&[0, 1]), admit(&[2]), Placement::Refuse]);
        assert_eq!(calls[2..], ["2 of 100 needs 20", "1 of 100 needs 100", "2 of 10 needs 10"]);
    }

    #[test]
    fn object_larger_than_the_capacity_is_not_offered_to_the_policy() {
        let (calls, counts) = replay(&[("a", 101), ("a", 101), ("a", 100), ("a", 101)], &[]);
        assert_eq!(calls, ["0 of 100 needs 0"]);
        // The last request is a hit: the stored object counts, not the size of the request.
        assert_eq!((counts.object_misses, counts.missed_bytes, counts.bytes_written), (3, 302, 100));
    }

    #[test]
    fn refused_candidate_and_candidate_among_the_victims_are_not_stored() {
        let (_, counts) = replay(&[("a", 60), ("b", 60), ("b", 60), ("a", 60)], &[admit(&[]), Placement::Refuse, admit(&[1, 0])]);
        assert_eq!((counts.object_misses, counts.evictions, counts.bytes_written, counts.rejected_ids), (4, 1, 120, 0));
        let (_, counts) = replay(&[("a", 60), ("b", 60)], &[admit(&[]), admit(&[1, 1])]);
        assert_eq!((counts.evictions, counts.bytes_written, counts.rejected_ids), (0, 60, 1));
    }

    #[test]
    fn unknown_victims_are_counted_and_replaced_by_the_least_recently_used() {
        let requests = [("a", 40), ("b", 40), ("a", 40), ("c", 90), ("a", 10)];
        let (calls, counts) = replay(&requests, &[admit(&[]), admit(&[]), admit(&[7, 1]), admit(&[])]);
        assert_eq!(calls[2..], ["2 of 90 needs 70 +0@2000", "0 of 10 needs 0 -0"]);
        assert_eq!((counts.rejected_ids, counts.shortfalls, counts.evictions), (1, 1, 2));
        let (_, counts) = replay(&requests, &[admit(&[]), admit(&[]), admit(&[0, 0])]);
        assert_eq!((counts.rejected_ids, counts.shortfalls, counts.evictions), (1, 1, 2));
    }

    #[test]
    fn naming_more_victims_than_residents_is_a_fault() {
        let trace = trace(&[("a", 60), ("b", 60)]);
        let mut replay = Replay::new(&trace, Scripted { placements: vec![admit(&[]), admit(&[0, 0, 0])], calls: Vec::new() }, 100);
        assert_eq!(replay.run(9), Err(PolicyFault::TooManyVictims { named: 3, tracked: 1 }));
        assert_eq!(replay.counts().requests, 1);
    }

    #[test]
    fn full_batch_is_observed_immediately() {
        let requests: Vec<_> = std::iter::repeat_n(("a", 1), 2 * BATCH + 2).collect();
        let (calls, _) = replay(&requests, &[]);
        assert_eq!(calls.len(), 3);
        assert!(calls[1].starts_with("observe +0@1000 ") && calls[2].ends_with(&format!(" +0@{}", 2 * BATCH * 1000)));
    }

    #[test]
    fn least_recently_used_objects_are_evicted_if_no_victims_are_named() {
        // A deterministic mix of hits, evictions and reused slots.
        let keys: Vec<String> = (0..5000u64).map(|n| (n * n % 97 % 41).to_string()).collect();
        let requests: Vec<_> = keys.iter().map(|key| (key.as_str(), 7 + key.len() as u64 * 3)).collect();
        let mut order: Vec<(&str, u64)> = Vec::new();
        let mut misses = 0;
        for request in &requests {
            match order.iter().position(|known| known == request) {
                Some(at) => drop(order.remove(at)),
                None => misses += 1,
            }
            order.push(*request);
            while order.iter().map(|(_, size)| size).sum::<u64>() > 100 {
                order.remove(0);
            }
        }
        let (_, counts) = replay(&requests, &[]);
        assert_eq!((counts.object_misses, counts.evictions), (misses, counts.shortfalls));
        assert!(misses > 1000 && misses < 4500, "{misses}");
    }

    #[test]
    fn new_policy_is_seeded_with_the_least_recently_used_first() {
        let requests = [("a", 30), ("b", 30), ("c", 80), ("a", 30), ("d", 1), ("a", 30), ("b", 30)];
        let trace = trace(&requests);
        let calls_after_swap = |seed| {
            let placements = vec![admit(&[]), admit(&[]), admit(&[0, 1]), admit(&[2])];
            let mut replay = Replay::new(&trace, Scripted { placements, calls: Vec::new() }, 100);
            replay.run(6).unwrap();
            let mut swapped = replay.swap(Scripted::default(), seed).unwrap();
            swapped.run(usize::MAX).unwrap();
            assert_eq!((swapped.counts().requests, swapped.counts().object_misses), (7, 6));
            swapped.policy.calls
        };
        assert_eq!(calls_after_swap(Seed::Hits), ["2: 0 hits @4000", "1: 1 hits @5000", "0 of 30 needs 0"]);
        assert_eq!(calls_after_swap(Seed::AllRequests), ["2: 0 hits @4000", "1: 2 hits @5000", "0 of 30 needs 0"]);
    }
}
