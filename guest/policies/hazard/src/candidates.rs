//! Finds the queue with the lowest score without scoring all queues for each eviction.

/// The number of queues that a scan finds.
const CANDIDATES: usize = 12;
/// The number of evictions between two scans: one for this many queues, up to the maximum.
const QUEUES_PER_EVICTION: usize = 8;
const MAX_EVICTIONS: usize = 32;

/// The queues with the lowest scores in the latest scan, and the queue of the newest entry.
#[derive(Default)]
pub struct Candidates {
    queues: Vec<u16>,
    evictions_until_scan: usize,
}

impl Candidates {
    /// Adds the queue of the newest entry, in place of the previous one.
    pub fn add(&mut self, newest: u16) {
        self.queues.truncate(CANDIDATES);
        self.queues.push(newest);
    }

    /// Returns the entry with the lowest score. `oldest` returns the score and the entry of a queue that is not empty.
    pub fn lowest(&mut self, queues: &[u16], oldest: impl Fn(u16) -> Option<(f32, usize)>) -> Option<usize> {
        let lowest = |queues: &[u16]| {
            let oldest = queues.iter().filter_map(|queue| oldest(*queue));
            oldest.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, at)| at)
        };
        let known = if self.evictions_until_scan > 0 { lowest(&self.queues) } else { None };
        if known.is_some() {
            self.evictions_until_scan -= 1;
            return known;
        }
        let mut scores: Vec<(f32, u16)> = queues.iter().filter_map(|queue| Some((oldest(*queue)?.0, *queue))).collect();
        if scores.len() > CANDIDATES {
            scores.select_nth_unstable_by(CANDIDATES, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            scores.truncate(CANDIDATES);
        }
        self.queues.clear();
        self.queues.extend(scores.iter().map(|(_, queue)| queue));
        self.evictions_until_scan = MAX_EVICTIONS.min(queues.len() / QUEUES_PER_EVICTION).saturating_sub(1);
        lowest(&self.queues)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn all_queues_are_scored_once_per_32_evictions() {
        let queues: Vec<u16> = (0..400).collect();
        let scored = Cell::new(0);
        let mut candidates = Candidates::default();
        for _ in 0..320 {
            let lowest = candidates.lowest(&queues, |queue| {
                scored.set(scored.get() + 1);
                Some((f32::from(queue ^ 5), queue.into()))
            });
            assert_eq!(lowest, Some(5));
        }
        assert_eq!(scored.get(), 10 * 400 + 320 * CANDIDATES);
    }

    #[test]
    fn newest_queue_is_a_candidate_until_there_is_a_newer_one() {
        let queues: Vec<u16> = (0..400).collect();
        let mut candidates = Candidates::default();
        let mut lowest = |newest: u16, low: u16| {
            candidates.add(newest);
            candidates.lowest(&queues, |queue| Some((if queue == low { -1.0 } else { queue.into() }, queue.into())))
        };
        assert_eq!([lowest(9, 500), lowest(300, 300), lowest(301, 300), lowest(302, 302)], [0, 300, 0, 302].map(Some));
    }

    #[test]
    fn all_queues_are_scored_again_if_the_candidates_are_empty() {
        let queues: Vec<u16> = (0..400).collect();
        let mut candidates = Candidates::default();
        let mut lowest = |first: u16| candidates.lowest(&queues, |queue| (queue >= first).then_some((queue.into(), queue.into())));
        assert_eq!([lowest(0), lowest(1), lowest(100), lowest(400)], [Some(0), Some(1), Some(100), None]);
    }
}
