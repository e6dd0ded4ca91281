//! PFOO-L, a lower bound on the misses of any policy (Berger, Beckmann and Harchol-Balter, "Practical Bounds on Optimal Caching with
//! Variable Object Sizes", SIGMETRICS 2018; POMACS 2(2), article 32).
//!
//! An interval lies between two consecutive requests for an object. The second request is a hit only if the object is stored for the whole
//! interval, since objects are stored at requests for them only. The cost of the interval is its length, in requests, times the size of
//! the object. A cache cannot spend more than its capacity times the number of requests. The bound keeps to this total, but not to the
//! capacity at each moment: it takes the intervals that cost least for what they save, as in a fractional knapsack, until the total is
//! spent.
//!
//! - It holds for every policy, including those that know the future, refuse objects or evict at any time. It may be below the optimum, but
//!   never above it.
//! - Object misses and missed bytes are bounded separately. A policy that reaches one bound may be unable to reach the other.
//! - The first request for an object is a miss. So is a request for an object that was larger than the capacity in all earlier requests.
//! - A fraction of the last interval is taken. The misses that remain are rounded up, as misses are whole numbers.
//! - If an object changes its size, a replay keeps it at the size with which it was stored. Its smallest size in any earlier request thus
//!   determines the cost, and the size in the request determines the bytes saved. The paper has objects of constant size, for which this
//!   is the same.
//! - Entries take up their size and nothing else, as in a replay.
//!
//! For n requests, this takes O(n log n) time and 24 bytes of memory per request: one interval for each request that is not the first for
//! its object, and one record per object. The intervals are sorted once for object misses and once for missed bytes, for all capacities.

use std::cmp::Ordering;
use std::collections::HashMap;

use media_cache_trace::Trace;

/// The fewest misses that any policy could have at a capacity, in a trace or its last part. The optimum may have more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LowerBound {
    /// The capacity in bytes.
    pub capacity: u64,
    /// The number of requests.
    pub requests: u64,
    /// Sum of their sizes.
    pub requested_bytes: u64,
    /// No policy has fewer misses.
    pub object_misses: u64,
    /// No policy misses fewer bytes.
    pub missed_bytes: u64,
}

impl LowerBound {
    /// The name of the bound in tables and plots.
    pub const NAME: &str = "lower bound (PFOO-L)";

    /// The share of requests that are misses.
    #[must_use]
    pub fn object_miss_ratio(&self) -> f64 {
        self.object_misses as f64 / self.requests.max(1) as f64
    }

    /// The share of requested bytes that are missed.
    #[must_use]
    pub fn byte_miss_ratio(&self) -> f64 {
        self.missed_bytes as f64 / self.requested_bytes.max(1) as f64
    }
}

/// Computes the lower bound PFOO-L for each capacity. For n requests, this takes O(n log n) time and 24 bytes of memory per request.
#[must_use]
pub fn lower_bounds(trace: &Trace, capacities: &[u64]) -> Vec<LowerBound> {
    lower_bounds_from(trace, 0, capacities)
}

/// The same for the requests from number `first` on, of a cache that has replayed those before. It may contain any objects that were
/// requested by then; storing them cost nothing until request `first`.
#[must_use]
pub fn lower_bounds_from(trace: &Trace, first: usize, capacities: &[u64]) -> Vec<LowerBound> {
    let part = trace.requests().get(first..).unwrap_or_default();
    let (requests, requested_bytes) = (part.len() as u64, part.iter().map(|request| request.size).sum::<u64>());
    bounds(intervals(trace, first), requests, requests, requested_bytes, capacities)
}

/// A request in a window of a longer sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowRequest {
    /// The fingerprint of the object's key.
    pub fingerprint: u64,
    /// The size of the object, at least 1.
    pub size: u64,
    /// When it came, as a number of requests since the window began.
    pub clock: u64,
    /// Whether the object may have been requested before the window began. If so, it may have been stored since then.
    pub is_known: bool,
}

/// Computes the lower bound PFOO-L for the requests in a window of `length` requests. `requests` may be a sample of them; the capacities then
/// have to be scaled down accordingly.
///
/// What is stored when the window begins is not known. An object that may have been requested before is therefore assumed to be stored
/// from the beginning of the window, if that is worth the space from then on.
#[must_use]
pub fn lower_bounds_of_window(requests: &[WindowRequest], length: u64, capacities: &[u64]) -> Vec<LowerBound> {
    let mut earlier: HashMap<u64, Earlier> = HashMap::new();
    let mut intervals = Vec::with_capacity(requests.len());
    for request in requests {
        let mut smallest = request.size;
        let known = earlier.get(&request.fingerprint).copied();
        if let Some(Earlier { last, smallest: stored }) =
            known.or(request.is_known.then_some(Earlier { last: 0, smallest: request.size }))
        {
            let length = request.clock.saturating_sub(last as u64);
            intervals.push(Interval { length, stored, requested: request.size });
            smallest = smallest.min(stored);
        }
        earlier.insert(request.fingerprint, Earlier { last: request.clock as usize, smallest });
    }
    let requested_bytes = requests.iter().map(|request| request.size).sum();
    bounds(intervals, length, requests.len() as u64, requested_bytes, capacities)
}

/// The bounds for `requests` requests with these intervals, within `length` units of time.
fn bounds(mut intervals: Vec<Interval>, length: u64, requests: u64, requested_bytes: u64, capacities: &[u64]) -> Vec<LowerBound> {
    let most_saved = |intervals: &[Interval], value: fn(&Interval) -> u64| -> Vec<u64> {
        let saved = |capacity: &u64| saved(intervals, *capacity, u128::from(*capacity) * u128::from(length), value);
        capacities.iter().map(saved).collect()
    };
    intervals.sort_unstable_by_key(Interval::cost);
    let hits = most_saved(&intervals, |_| 1);
    intervals.sort_unstable_by(Interval::compare_cost_per_byte);
    let hit_bytes = most_saved(&intervals, |interval| interval.requested);
    let bound = |((capacity, hits), hit_bytes): ((&u64, u64), u64)| LowerBound {
        capacity: *capacity,
        requests,
        requested_bytes,
        object_misses: requests - hits,
        missed_bytes: requested_bytes - hit_bytes,
    };
    capacities.iter().zip(hits).zip(hit_bytes).map(bound).collect()
}

/// The time between two consecutive requests for an object.
#[derive(Clone, Copy)]
struct Interval {
    /// The number of requests from the first one, inclusive, to the second, exclusive.
    length: u64,
    /// The smallest size that the object can have in the cache.
    stored: u64,
    /// The size in the second request.
    requested: u64,
}

impl Interval {
    fn cost(&self) -> u128 {
        u128::from(self.length) * u128::from(self.stored)
    }

    /// Compares the costs per requested byte, as mixed numbers, which do not overflow.
    fn compare_cost_per_byte(&self, other: &Self) -> Ordering {
        // A size is at least 1, but this must not fail on what a cache reports.
        let bytes = |interval: &Self| u128::from(interval.requested.max(1));
        let divided = |interval: &Self| (interval.cost() / bytes(interval), interval.cost() % bytes(interval));
        let ((whole, rest), (other_whole, other_rest)) = (divided(self), divided(other));
        let fractions = || (rest * bytes(other)).cmp(&(other_rest * bytes(self)));
        whole.cmp(&other_whole).then_with(fractions)
    }
}

/// What is known about an object.
#[derive(Clone, Copy)]
struct Earlier {
    /// The number of its last request.
    last: usize,
    smallest: u64,
}

/// The intervals of a trace that end at request `first` or later, in the order of their second requests. Their length is counted from
/// `first` on.
fn intervals(trace: &Trace, first: usize) -> Vec<Interval> {
    let mut earlier: Vec<Option<Earlier>> = vec![None; trace.objects()];
    let mut intervals = Vec::with_capacity(trace.requests().len() - trace.objects());
    for (number, request) in trace.requests().iter().enumerate() {
        let known = &mut earlier[request.object as usize];
        let mut smallest = request.size;
        if let Some(Earlier { last, smallest: stored }) = *known {
            if number >= first {
                intervals.push(Interval { length: (number - last.max(first)) as u64, stored, requested: request.size });
            }
            smallest = smallest.min(stored);
        }
        *known = Some(Earlier { last: number, smallest });
    }
    intervals
}

/// The most that can be saved at a total cost of `budget`, rounded down. The intervals are in the order of their cost per `value`.
fn saved(intervals: &[Interval], capacity: u64, mut budget: u128, value: fn(&Interval) -> u64) -> u64 {
    let mut saved = 0;
    for interval in intervals.iter().filter(|interval| interval.stored <= capacity) {
        let (cost, value) = (interval.cost(), value(interval));
        if cost > budget {
            // If the product overflows, the whole value is taken, so that the bound still holds.
            let fraction = budget.checked_mul(value.into()).map_or(value, |product| (product / cost) as u64);
            return saved + fraction;
        }
        budget -= cost;
        saved += value;
    }
    saved
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One request a second, by key and size.
    fn trace(requests: &[(&str, u64)]) -> Trace {
        let lines = requests.iter().enumerate().map(|(second, (key, size))| format!("{second},{key},{size}\n"));
        Trace::read(lines.collect::<String>().as_bytes()).unwrap()
    }

    /// The bounds on object misses and missed bytes.
    fn bound(requests: &[(&str, u64)], capacity: u64) -> (u64, u64) {
        let [bound] = lower_bounds(&trace(requests), &[capacity])[..] else { panic!("not one bound") };
        assert_eq!((bound.capacity, bound.requests), (capacity, requests.len() as u64));
        assert_eq!(bound.requested_bytes, requests.iter().map(|(_, size)| size).sum::<u64>());
        (bound.object_misses, bound.missed_bytes)
    }

    #[test]
    fn first_requests_are_misses_however_large_the_capacity_is() {
        let requests = [("a", 3), ("b", 5), ("a", 3), ("b", 5), ("a", 3)];
        assert_eq!(bound(&requests, u64::MAX), (2, 8));
        assert_eq!(bound(&requests[..2], 100), (2, 8));
    }

    #[test]
    fn bound_is_below_the_optimum_if_intervals_overlap() {
        // Either the second interval of `a` or that of `b` can be stored, but together they take 5 of 6 units.
        let requests = [("a", 1), ("a", 1), ("b", 1), ("a", 1), ("c", 1), ("b", 1)];
        assert_eq!(bound(&requests, 1), (3, 3), "the optimum is 4");
        assert_eq!(bound(&requests, 2), (3, 3), "the optimum is 3");
    }

    #[test]
    fn least_size_times_length_is_taken_for_misses_and_least_length_for_bytes() {
        // 40 units. `a` takes 7 for a byte. Each of the others takes 15 for 5 bytes.
        let requests = [("a", 1), ("b", 5), ("c", 5), ("d", 5), ("b", 5), ("c", 5), ("d", 5), ("a", 1)];
        // For misses, 7 + 15 + 15 units: a fraction of a hit is none. For bytes, 15 + 15, and 10 units save 3 of the 5 bytes of another.
        assert_eq!(bound(&requests, 5), (8 - 3, 32 - 13));
    }

    #[test]
    fn object_larger_than_the_capacity_is_never_a_hit() {
        assert_eq!(bound(&[("a", 9), ("a", 9), ("a", 9)], 8), (3, 27));
        assert_eq!(bound(&[("a", 9), ("a", 9), ("a", 9)], 9), (1, 9));
        assert_eq!(bound(&[("b", 4), ("a", 1), ("a", 1), ("b", 4)], 3), (3, 9));
    }

    #[test]
    fn object_that_changes_its_size_costs_the_smallest_size_so_far_and_saves_the_requested_size() {
        // Stored with a size of 2, it is a hit from then on, although the requested size is larger than the capacity.
        assert_eq!(bound(&[("a", 2), ("a", 9), ("a", 9)], 2), (1, 2));
        assert_eq!(bound(&[("a", 9), ("a", 2), ("a", 9)], 2), (2, 11));
        // 6 units: each interval takes 3, `c` for 10 bytes and the others for 1 byte.
        assert_eq!(bound(&[("a", 1), ("b", 1), ("c", 1), ("a", 1), ("b", 1), ("c", 10)], 1), (4, 4));
    }

    #[test]
    fn costs_beyond_64_bits_are_exact() {
        let large = u64::MAX / 8;
        let requests = [("a", large), ("b", large), ("a", large), ("b", large), ("a", large), ("b", large), ("c", 1), ("c", 2)];
        assert_eq!(bound(&requests, 2 * large), (3, 2 * large + 1));
        assert_eq!(bound(&requests, large), (4, 2 * large + 2));
        assert_eq!(bound(&requests, large - 1), (7, 6 * large + 1));
    }

    #[test]
    fn window_of_a_whole_trace_has_the_bound_of_the_trace_and_known_objects_lower_it() {
        let requests = [("a", 3), ("b", 5), ("c", 2), ("a", 3), ("b", 5), ("c", 2)];
        let window = |is_known| -> Vec<WindowRequest> {
            let request = |(clock, (key, size)): (usize, &(&str, u64))| {
                let fingerprint = key.as_bytes()[0].into();
                WindowRequest { fingerprint, size: *size, clock: clock as u64, is_known }
            };
            requests.iter().enumerate().map(request).collect()
        };
        for capacity in 1..12 {
            let whole = lower_bounds(&trace(&requests), &[capacity]);
            assert_eq!(lower_bounds_of_window(&window(false), 6, &[capacity]), whole);
            assert!(lower_bounds_of_window(&window(true), 6, &[capacity])[0].object_misses <= whole[0].object_misses);
        }
        assert_eq!(lower_bounds_of_window(&window(true), 6, &[10])[0].object_misses, 0);
    }

    #[test]
    fn last_interval_is_taken_whole_if_its_fraction_overflows() {
        let large = u64::MAX / 5;
        let small = std::iter::repeat_n(("c", 1), 60);
        let requests: Vec<_> = [("a", large), ("b", large)].into_iter().chain(small).chain([("a", large), ("b", large)]).collect();
        // Of 64 requests, each interval takes 62, and twice the capacity is not quite enough for both.
        let capacity = large / 16 * 30;
        assert_eq!(bound(&requests, capacity), (4, 2 * large + 1));
    }

    #[test]
    fn bound_of_the_last_part_counts_only_its_requests_and_only_the_space_from_there_on() {
        let requests = [("a", 1), ("b", 1), ("c", 1), ("a", 1), ("b", 1), ("d", 1), ("c", 1)];
        let from = |first| {
            let [bound] = lower_bounds_from(&trace(&requests), first, &[1])[..] else { panic!("not one bound") };
            (bound.requests, bound.requested_bytes, bound.object_misses)
        };
        // 7 units, of which each interval of `a` and `b` takes 3.
        assert_eq!(from(0), (7, 7, 5));
        // 4 units: `a` takes none, `b` 1, and `c` 3. `d` was never requested before.
        assert_eq!(from(3), (4, 4, 1));
        assert_eq!(from(6), (1, 1, 0));
        assert_eq!(from(7), (0, 0, 0));
    }

    #[test]
    fn bounds_of_several_capacities_are_in_the_order_of_the_capacities() {
        let bounds = lower_bounds(&trace(&[("a", 3), ("b", 5), ("a", 3), ("b", 5)]), &[8, 1, 3]);
        assert_eq!(bounds.iter().map(|bound| bound.capacity).collect::<Vec<_>>(), [8, 1, 3]);
        assert_eq!(bounds.iter().map(|bound| bound.object_misses).collect::<Vec<_>>(), [2, 4, 3]);
        assert_eq!((bounds[0].object_miss_ratio(), bounds[0].byte_miss_ratio()), (0.5, 0.5));
    }
}
