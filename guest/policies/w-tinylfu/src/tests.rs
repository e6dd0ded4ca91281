use super::*;

/// A policy with a capacity of 100: a window of 20, and a main cache of 80 with a protected segment of 64.
fn w_tinylfu() -> WTinyLfu {
    WTinyLfu::new(100, &Options::check(WTinyLfu::NAME, WTinyLfu::OPTIONS, Vec::new()).unwrap()).unwrap()
}

fn entry(id: EntryId, size: u64, hits: u64) -> Entry {
    Entry { hits, ..Entry::new(id, size) }
}

/// Places an entry and returns the victims.
fn place(policy: &mut WTinyLfu, id: EntryId, size: u64) -> Vec<EntryId> {
    let used = policy.window.size() + policy.probation.size() + policy.protected.size();
    match policy.place(&entry(id, size, 0), (used + size).saturating_sub(100)) {
        Placement::Admit(victims) => victims,
        Placement::Refuse => unreachable!("the policy evicts the candidate instead"),
    }
}

/// A full cache with entries of size 10 that were requested once: 0 to 7 on probation, 8 and 9 in the window.
fn full() -> WTinyLfu {
    let mut policy = w_tinylfu();
    (0..10).for_each(|id| assert_eq!(place(&mut policy, id, 10), []));
    assert_eq!((policy.probation.size(), policy.window.size()), (80, 20));
    policy
}

fn request(policy: &mut WTinyLfu, id: EntryId, times: u64) {
    (0..times).for_each(|_| policy.accessed(id, 0));
}

#[test]
fn a_one_time_request_passes_through_the_window_and_displaces_nothing() {
    let mut policy = full();
    for id in 10..20 {
        assert_eq!(place(&mut policy, id, 10), [id - 2]);
    }
    // The victim won ten times, and became the newest each time.
    assert_eq!(policy.evict(u64::MAX), [2, 3, 4, 5, 6, 7, 0, 1, 18, 19]);
}

#[test]
fn a_more_frequent_candidate_displaces_the_oldest_on_probation() {
    let mut policy = full();
    request(&mut policy, 8, 1);
    request(&mut policy, 9, 1);
    assert_eq!(place(&mut policy, 10, 10), [0]);
    assert_eq!((policy.entries.queue(8), policy.probation.newest()), (Some(1), Some(8)));
}

#[test]
fn a_hit_in_the_window_makes_an_entry_the_newest() {
    let mut policy = full();
    request(&mut policy, 8, 1);
    assert_eq!(place(&mut policy, 10, 10), [9]);
}

#[test]
fn an_evicted_object_is_remembered_and_wins_if_it_returns_often_enough() {
    let mut policy = full();
    assert_eq!((place(&mut policy, 10, 10), place(&mut policy, 8, 10)), (vec![8], vec![9]));
    assert_eq!((place(&mut policy, 11, 10), place(&mut policy, 12, 10)), (vec![10], vec![3]));
    assert_eq!(policy.entries.queue(8), Some(1));
}

#[test]
fn hit_on_probation_promotes_and_overflow_returns_to_probation() {
    let mut policy = full();
    (0..7).for_each(|id| request(&mut policy, id, 1));
    assert_eq!((policy.protected.size(), policy.protected.oldest(), policy.probation.newest()), (60, Some(1), Some(0)));
    request(&mut policy, 1, 1);
    assert_eq!((policy.protected.oldest(), policy.evict(u64::MAX)), (Some(2), vec![7, 0, 2, 3, 4, 5, 6, 1, 8, 9]));
}

#[test]
fn a_candidate_wins_if_its_frequency_per_byte_exceeds_that_of_its_victims() {
    let displaced = |size, hits| {
        let mut policy = full();
        (0..hits).for_each(|_| policy.sketch.count(10));
        (place(&mut policy, 10, size), policy.probation.newest())
    };
    // The object is too large for the window, so it is a candidate immediately. It competes with three victims that have one request each.
    assert_eq!(displaced(30, 2), (vec![10], Some(2)));
    assert_eq!(displaced(30, 3), (vec![0, 1, 2], Some(10)));
    // The third victim frees more than needed: a third of its size would be enough.
    assert_eq!(displaced(21, 2), (vec![0, 1, 2], Some(10)));
}

#[test]
fn candidate_competes_with_its_full_size_even_if_some_space_is_free() {
    for (times, victims) in [(3, vec![10]), (4, vec![2])] {
        let mut policy = full();
        [0, 1].into_iter().for_each(|id| policy.removed(id));
        (1..times).for_each(|_| policy.sketch.count(10));
        assert_eq!(place(&mut policy, 10, 30), victims);
    }
}

#[test]
fn an_object_larger_than_the_protected_segment_is_not_protected() {
    let mut policy = w_tinylfu();
    [(0, 10, 1), (1, 65, 1), (2, 5, 0)].into_iter().for_each(|(id, size, hits)| policy.restore(&entry(id, size, hits)));
    request(&mut policy, 1, 1);
    assert_eq!(policy.evict(u64::MAX), [2, 1, 0]);
}

#[test]
fn a_small_candidate_displaces_a_large_victim_of_the_same_frequency() {
    let mut policy = w_tinylfu();
    policy.restore(&entry(0, 80, 0));
    (1..=4).for_each(|id| assert_eq!(place(&mut policy, id, 5), []));
    assert_eq!((place(&mut policy, 5, 5), policy.entries.queue(1)), (vec![0], Some(1)));
}

#[test]
fn victims_that_won_are_not_compared_again_immediately() {
    let mut policy = full();
    policy.sketch.raise(0, 9);
    policy.accessed(8, 0);
    policy.accessed(9, 0);
    assert_eq!((place(&mut policy, 10, 10), place(&mut policy, 11, 10)), (vec![8], vec![1]));
}

#[test]
fn a_candidate_with_too_many_victims_loses() {
    for (count, wins) in [(MAX_VICTIMS, true), (MAX_VICTIMS + 1, false)] {
        let mut policy = WTinyLfu::new(1000, &Options::check("", WTinyLfu::OPTIONS, Vec::new()).unwrap()).unwrap();
        (0..1000).for_each(|id| policy.entries.push(&mut policy.probation, id, 1, id));
        policy.sketch.count(5000);
        let candidate = Entry { fingerprint: 5000, ..entry(1000, count as u64, 0) };
        let answer = policy.place(&candidate, candidate.size);
        assert!(matches!(answer, Placement::Admit(victims) if (victims == [1000]) != wins), "{count}");
    }
}

#[test]
fn a_restored_entry_keeps_its_hits() {
    let mut policy = w_tinylfu();
    [(0, 0), (1, 4), (2, 0)].into_iter().for_each(|(id, hits)| policy.restore(&entry(id, 10, hits)));
    assert_eq!([0, 1, 2].map(|id| policy.frequency(id)), [1, 5, 1]);
    assert_eq!(policy.evict(u64::MAX), [0, 2, 1]);
}

#[test]
fn a_main_cache_that_is_too_large_makes_space_for_the_window() {
    let mut policy = w_tinylfu();
    (0..10).for_each(|id| policy.restore(&entry(id, 10, 0)));
    assert_eq!((place(&mut policy, 10, 10), place(&mut policy, 11, 10)), (vec![0], vec![1]));
    assert_eq!((place(&mut policy, 12, 10), policy.window.size()), (vec![10], 20));
}
