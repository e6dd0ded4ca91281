//! One policy at one capacity, request by request, as a cache would ask it.

use super::policy::Policy;
use super::shelf::Shelf;
use super::trace::{Request, Trace};
use crate::policy::{Access, Entry, Event, PAGE, Placement, PolicyFault};

/// How many events are collected at most before they are handed over.
const BATCH: usize = 1024;

/// What came of a replay so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests that were replayed.
    pub requests: u64,
    /// Their sizes, added up.
    pub requested_bytes: u64,
    /// Those of them for what was not stored.
    pub object_misses: u64,
    /// The sizes of what was missed, added up.
    pub missed_bytes: u64,
    /// The sizes of what was stored, added up.
    pub bytes_written: u64,
    /// How often something that was stored had to make way.
    pub evictions: u64,
    /// Ids in answers that were no ids of anything stored, or came twice.
    pub rejected_answers: u64,
    /// Evictions that the policy did not name though there was no room without them.
    pub shortfalls: u64,
}

/// What is told of how often things were asked for, when a policy takes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seed {
    /// What a cache knows: the hits of each object since it was stored.
    Hits,
    /// What only a trace can tell: all earlier requests for each object, those included after which it was evicted or refused.
    AllRequests,
}

/// A replay of a trace through one policy, which can be stopped anywhere.
pub struct Replay<'t, P> {
    trace: &'t Trace,
    policy: P,
    capacity: u64,
    shelf: Shelf,
    events: Vec<Event>,
    counts: Counts,
}

impl<'t, P: Policy> Replay<'t, P> {
    /// A replay from the beginning, with a cache that is empty.
    pub fn new(trace: &'t Trace, policy: P, capacity: u64) -> Self {
        let shelf = Shelf::new(trace.objects());
        Self { trace, policy, capacity, shelf, events: Vec::with_capacity(BATCH), counts: Counts::default() }
    }

    /// What came of it so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Replays the next `count` requests, or as many as are left.
    ///
    /// # Errors
    /// When the policy does wrong. It is of no use from then on.
    pub fn run(&mut self, count: usize) -> Result<(), PolicyFault> {
        let done = self.counts.requests as usize;
        let requests = &self.trace.requests()[done..];
        for request in &requests[..count.min(requests.len())] {
            match self.shelf.ask(request.object, self.counts.requests) {
                Some(id) => self.tell(Event::Accessed(Access { id, at: request.at }))?,
                None => self.miss(request)?,
            }
            self.counts.requests += 1;
            self.counts.requested_bytes += request.size;
        }
        Ok(())
    }

    /// Hands over to another policy, which is told of all that is stored, the coldest first.
    ///
    /// # Errors
    /// When it does wrong.
    pub fn swap<Q: Policy>(self, policy: Q, seed: Seed) -> Result<Replay<'t, Q>, PolicyFault> {
        let Self { trace, capacity, shelf, counts, .. } = self;
        let mut swapped = Replay { trace, policy, capacity, shelf, events: Vec::with_capacity(BATCH), counts };
        let mut entries = swapped.shelf.entries(trace);
        if seed == Seed::AllRequests {
            let mut asked = vec![0u64; trace.objects()];
            trace.requests()[..counts.requests as usize].iter().for_each(|request| asked[request.object as usize] += 1);
            for entry in &mut entries {
                entry.hits = swapped.shelf.object(entry.id).map_or(0, |object| asked[object as usize] - 1);
            }
        }
        for page in entries.chunks(PAGE) {
            swapped.policy.restore(page)?;
        }
        Ok(swapped)
    }

    fn miss(&mut self, request: &Request) -> Result<(), PolicyFault> {
        let size = request.size;
        self.counts.object_misses += 1;
        self.counts.missed_bytes += size;
        if size > self.capacity {
            return Ok(());
        }
        let resident = self.shelf.len();
        let needed = (self.shelf.used() + size).saturating_sub(self.capacity);
        let id = self.shelf.take_id();
        let fingerprint = self.trace.fingerprint(request.object);
        let candidate = Entry { id, fingerprint, size, hits: 0, accessed_at: request.at };
        let placement = self.policy.place(&self.events, candidate, needed)?;
        self.events.clear();
        let stored = match placement {
            Placement::Refuse => false,
            Placement::Admit(victims) if victims.len() > resident + 1 => {
                return Err(PolicyFault::TooManyVictims { named: victims.len(), resident });
            }
            Placement::Admit(victims) => self.make_room(&victims, id, needed)?,
        };
        if stored {
            self.shelf.store(id, request.object, size, self.counts.requests);
            self.counts.bytes_written += size;
        } else {
            self.shelf.give_back(id);
        }
        Ok(())
    }

    /// Carries an answer out as far as that is possible, and makes up for what it lacks. False if the candidate is among the victims.
    fn make_room(&mut self, victims: &[u64], candidate: u64, needed: u64) -> Result<bool, PolicyFault> {
        let mut freed = 0;
        let mut wanted = true;
        for victim in victims {
            if *victim == candidate && wanted {
                wanted = false;
            } else if let Some(size) = self.shelf.remove(*victim) {
                freed += size;
                self.counts.evictions += 1;
            } else {
                self.counts.rejected_answers += 1;
            }
        }
        while wanted && freed < needed {
            let Some(coldest) = self.shelf.coldest() else { break };
            freed += self.shelf.remove(coldest).unwrap_or(0);
            self.counts.evictions += 1;
            self.counts.shortfalls += 1;
            self.tell(Event::Removed(coldest))?;
        }
        Ok(wanted)
    }

    fn tell(&mut self, event: Event) -> Result<(), PolicyFault> {
        self.events.push(event);
        if self.events.len() >= BATCH {
            self.policy.observe(&self.events)?;
            self.events.clear();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers as it was told to, and writes down what it hears.
    #[derive(Default)]
    struct Scripted {
        answers: Vec<Placement>,
        heard: Vec<String>,
    }

    impl Scripted {
        fn hear(&mut self, call: &str, events: &[Event]) {
            let events = events.iter().map(|event| match event {
                Event::Accessed(access) => format!(" +{}@{}", access.id, access.at),
                Event::Removed(id) => format!(" -{id}"),
            });
            self.heard.push(format!("{call}{}", events.collect::<String>()));
        }
    }

    impl Policy for Scripted {
        fn restore(&mut self, entries: &[Entry]) -> Result<(), PolicyFault> {
            self.heard.extend(entries.iter().map(|entry| format!("{}: {} hits @{}", entry.id, entry.hits, entry.accessed_at)));
            Ok(())
        }

        fn observe(&mut self, events: &[Event]) -> Result<(), PolicyFault> {
            self.hear("observe", events);
            Ok(())
        }

        fn place(&mut self, events: &[Event], candidate: Entry, needed: u64) -> Result<Placement, PolicyFault> {
            self.hear(&format!("{} of {} needs {needed}", candidate.id, candidate.size), events);
            Ok(if self.answers.is_empty() { admit(&[]) } else { self.answers.remove(0) })
        }
    }

    fn admit(victims: &[u64]) -> Placement {
        Placement::Admit(victims.to_vec())
    }

    /// Keys with their sizes, one a second.
    fn trace(requests: &[(&str, u64)]) -> Trace {
        let lines = requests.iter().enumerate().map(|(second, (key, size))| format!("{second},{key},{size}\n"));
        Trace::read(lines.collect::<String>().as_bytes()).unwrap()
    }

    /// Replays at a capacity of 100, and says what was heard and counted.
    fn replay(requests: &[(&str, u64)], answers: &[Placement]) -> (Vec<String>, Counts) {
        let trace = trace(requests);
        let mut replay = Replay::new(&trace, Scripted { answers: answers.to_vec(), heard: Vec::new() }, 100);
        replay.run(usize::MAX).unwrap();
        (replay.policy.heard, replay.counts)
    }

    #[test]
    fn hits_are_told_with_the_next_decision_and_a_free_slot_is_used_again() {
        let requests = [("a", 40), ("b", 40), ("a", 40), ("c", 30), ("c", 30), ("d", 60)];
        let (heard, counts) = replay(&requests, &[admit(&[]), admit(&[]), admit(&[1]), admit(&[2, 0])]);
        // `c` has its place before `b` gives up its own.
        assert_eq!(heard, ["0 of 40 needs 0", "1 of 40 needs 0", "2 of 30 needs 10 +0@2000", "1 of 60 needs 30 +2@4000"]);
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
    fn the_slot_that_became_free_last_is_used_first() {
        let requests = [("a", 10), ("b", 10), ("c", 100), ("d", 100), ("e", 10)];
        let (heard, _) = replay(&requests, &[admit(&[]), admit(&[]), admit(&[0, 1]), admit(&[2]), Placement::Refuse]);
        assert_eq!(heard[2..], ["2 of 100 needs 20", "1 of 100 needs 100", "2 of 10 needs 10"]);
    }

    #[test]
    fn what_is_larger_than_the_capacity_is_no_concern_of_the_policy() {
        let (heard, counts) = replay(&[("a", 101), ("a", 101), ("a", 100), ("a", 101)], &[]);
        assert_eq!(heard, ["0 of 100 needs 0"]);
        // The last one is a hit on what is stored.
        assert_eq!((counts.object_misses, counts.missed_bytes, counts.bytes_written), (3, 302, 100));
    }

    #[test]
    fn a_refusal_and_a_candidate_among_the_victims_store_nothing() {
        let (_, counts) = replay(&[("a", 60), ("b", 60), ("b", 60), ("a", 60)], &[admit(&[]), Placement::Refuse, admit(&[1, 0])]);
        assert_eq!((counts.object_misses, counts.evictions, counts.bytes_written, counts.rejected_answers), (4, 1, 120, 0));
        let (_, counts) = replay(&[("a", 60), ("b", 60)], &[admit(&[]), admit(&[1, 1])]);
        assert_eq!((counts.evictions, counts.bytes_written, counts.rejected_answers), (0, 60, 1));
    }

    #[test]
    fn wrong_ids_are_counted_and_the_least_recently_used_make_up_for_them() {
        let requests = [("a", 40), ("b", 40), ("a", 40), ("c", 90), ("a", 10)];
        let (heard, counts) = replay(&requests, &[admit(&[]), admit(&[]), admit(&[7, 1]), admit(&[])]);
        assert_eq!(heard[2..], ["2 of 90 needs 70 +0@2000", "0 of 10 needs 0 -0"]);
        assert_eq!((counts.rejected_answers, counts.shortfalls, counts.evictions), (1, 1, 2));
        let (_, counts) = replay(&requests, &[admit(&[]), admit(&[]), admit(&[0, 0])]);
        assert_eq!((counts.rejected_answers, counts.shortfalls, counts.evictions), (1, 1, 2));
    }

    #[test]
    fn more_victims_than_there_can_be_are_a_fault() {
        let trace = trace(&[("a", 60), ("b", 60)]);
        let mut replay = Replay::new(&trace, Scripted { answers: vec![admit(&[]), admit(&[0, 0, 0])], heard: Vec::new() }, 100);
        assert_eq!(replay.run(9), Err(PolicyFault::TooManyVictims { named: 3, resident: 1 }));
        assert_eq!(replay.counts.requests, 1);
    }

    #[test]
    fn a_full_batch_is_told_at_once() {
        let requests: Vec<_> = std::iter::repeat_n(("a", 1), 2 * BATCH + 2).collect();
        let (heard, _) = replay(&requests, &[]);
        assert_eq!(heard.len(), 3);
        assert!(heard[1].starts_with("observe +0@1000 ") && heard[2].ends_with(&format!(" +0@{}", 2 * BATCH * 1000)));
    }

    #[test]
    fn without_victims_the_least_recently_used_go() {
        // Hits, evictions and slots that are used again, in an order that is all the same from one run to the next.
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
    fn whoever_takes_over_is_told_of_what_is_stored_the_coldest_first() {
        let requests = [("a", 30), ("b", 30), ("c", 80), ("a", 30), ("d", 1), ("a", 30), ("b", 30)];
        let trace = trace(&requests);
        let heard = |seed| {
            let answers = vec![admit(&[]), admit(&[]), admit(&[0, 1]), admit(&[2])];
            let mut replay = Replay::new(&trace, Scripted { answers, heard: Vec::new() }, 100);
            replay.run(6).unwrap();
            let mut swapped = replay.swap(Scripted::default(), seed).unwrap();
            swapped.run(usize::MAX).unwrap();
            assert_eq!((swapped.counts.requests, swapped.counts.object_misses), (7, 6));
            swapped.policy.heard
        };
        assert_eq!(heard(Seed::Hits), ["2: 0 hits @4000", "1: 1 hits @5000", "0 of 30 needs 0"]);
        assert_eq!(heard(Seed::AllRequests), ["2: 0 hits @4000", "1: 2 hits @5000", "0 of 30 needs 0"]);
    }
}
