use super::*;

fn hazard(given: &[(&str, &str)]) -> Result<Hazard, String> {
    let given = given.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    Hazard::new(1_000_000, &Options::check(Hazard::NAME, Hazard::OPTIONS, given)?)
}

/// A policy that tracks entries 0, 1, 2, and so on, of these sizes.
fn filled(given: &[(&str, &str)], sizes: &[u64]) -> Hazard {
    let mut hazard = hazard(given).unwrap();
    (0..).zip(sizes).for_each(|(id, size)| hazard.insert(&Entry::new(id, *size)));
    hazard
}

#[test]
fn among_entries_of_the_same_classes_the_least_recently_used_is_evicted_first() {
    let mut hazard = filled(&[], &[10; 40]);
    (0..40).rev().for_each(|id| hazard.accessed(id, 0));
    let victims = hazard.evict(u64::MAX);
    let by_class = |is_long: bool| -> Vec<EntryId> { victims.iter().copied().filter(|id| (*id >= 30) == is_long).collect() };
    assert!(by_class(false).is_sorted_by(|a, b| a > b), "{victims:?}");
    assert_eq!(victims.len(), 40);
}

#[test]
fn with_mix_0_the_largest_and_with_a_large_mix_the_oldest_is_evicted_first() {
    let sizes = [1_000, 8_000, 64_000, 2_000];
    assert_eq!(filled(&[("mix", "0")], &sizes).evict(1), [2]);
    assert_eq!(filled(&[("mix", "1000")], &sizes).evict(1), [0]);
}

#[test]
fn a_candidate_with_the_lowest_score_is_itself_the_victim() {
    let mut hazard = filled(&[("mix", "0")], &[1_000; 50]);
    assert!(matches!(hazard.place(&Entry::new(50, 500_000), 500_000), Placement::Admit(victims) if victims[0] == 50));
}

#[test]
fn ghost_returns_with_its_history_and_a_new_entry_has_none() {
    let mut hazard = filled(&[], &[1_000; 3]);
    (0..6).for_each(|_| hazard.accessed(1, 0));
    hazard.removed(1);
    hazard.insert(&Entry { fingerprint: 1, ..Entry::new(9, 1_000) });
    hazard.insert(&Entry::new(1, 1_000));
    let count = |id| hazard.tracked.get(hazard.tracked.entry(id).unwrap()).0.count;
    assert!((7.9..=8.0).contains(&count(9)), "{}", count(9));
    assert_eq!((count(1), hazard.tracked.ghosts()), (1.0, 0));
}

#[test]
fn ghosts_are_limited_by_the_number_of_entries() {
    for (ghosts, limit) in [("0", 0), ("0.25", 89), ("1", 164), ("4", 464)] {
        let mut hazard = filled(&[("ghosts", ghosts)], &[1; 1000]);
        assert_eq!(hazard.evict(900).len(), 900);
        assert_eq!((hazard.tracked.entries(), hazard.tracked.ghosts()), (100, limit));
    }
    // Without evictions too.
    let mut hazard = filled(&[], &[]);
    for id in 0..1000 {
        hazard.insert(&Entry::new(id, 1));
        hazard.removed(id);
    }
    assert_eq!(hazard.tracked.ghosts(), SPARE);
}

#[test]
fn size_class_that_is_requested_again_is_kept_in_preference_to_one_that_is_not() {
    // Equal scores per byte initially, as only bytes count.
    let mut hazard = hazard(&[("mix", "1000")]).unwrap();
    let mut popular = Vec::new();
    for id in 0..4000 {
        let size = if id % 2 == 0 { 1_000 } else { 60_000 };
        hazard.insert(&Entry::new(id, size));
        if id % 2 == 0 {
            (0..3).for_each(|_| hazard.accessed(id, 0));
            popular.push(id);
        }
    }
    // Two entries that were requested once, the one of the popular size earlier.
    hazard.insert(&Entry::new(4000, 1_000));
    hazard.insert(&Entry::new(4001, 60_000));
    let victims = hazard.evict(u64::MAX);
    let at = |id| victims.iter().position(|victim| *victim == id);
    assert!(at(4001) < at(4000), "{:?} {:?}", at(4001), at(4000));
}

#[test]
fn with_cost_time_the_entry_that_was_fetched_fastest_for_its_size_is_evicted_first() {
    let mut hazard = hazard(&[("cost", "time")]).unwrap();
    // An unknown time counts as the mean of the others so far, which is 830 for entry 3.
    for (id, (cost, size)) in [(400, 1_000), (90, 1_000), (2_000, 16_000), (0, 1_000), (10, 1_000)].into_iter().enumerate() {
        hazard.insert(&Entry { cost, ..Entry::new(id as u64, size) });
    }
    assert_eq!(hazard.evict(u64::MAX), [4, 1, 2, 0, 3]);
}

#[test]
fn restored_entry_keeps_its_hits() {
    let mut hazard = hazard(&[]).unwrap();
    for (id, hits) in [9, 0, 0].into_iter().enumerate() {
        hazard.restore(&Entry { hits, ..Entry::new(id as u64, 1_000) });
    }
    assert_eq!(hazard.evict(u64::MAX), [1, 2, 0]);
}

#[test]
fn restored_victim_keeps_its_history_and_is_not_counted_as_requested() {
    let mut hazard = filled(&[], &[1_000; 3]);
    (0..3).for_each(|_| hazard.accessed(0, 0));
    let before = hazard.tracked.get(hazard.tracked.entry(0).unwrap()).0.count;
    hazard.removed(0);
    hazard.restore(&Entry::new(0, 70_000));
    let (meta, queue) = hazard.tracked.get(hazard.tracked.entry(0).unwrap());
    assert_eq!((meta.count, meta.size, queue / 256), (before, 70_000, 16));
}

#[test]
fn entry_that_is_not_tracked_is_ignored() {
    let mut hazard = filled(&[], &[10]);
    for id in [1, 77, 1 << 40, u64::MAX] {
        hazard.accessed(id, 0);
        hazard.removed(id);
    }
    assert_eq!((hazard.now, hazard.evict(u64::MAX), hazard.evict(u64::MAX)), (1, vec![0], vec![]));
}

#[test]
fn sizes_of_any_magnitude_are_ranked() {
    let mut hazard = filled(&[("mix", "1000")], &[1, u64::MAX, 1 << 40, 0, u64::MAX]);
    assert_eq!(hazard.victim().map(|(_, size)| size), Some(u64::MAX));
    assert_eq!(hazard.evict(u64::MAX).len(), 1);
    assert_eq!(hazard.tracked.entries(), 3);
}

#[test]
fn the_error_for_an_invalid_option_says_what_is_valid() {
    let error = |given: &[(&str, &str)]| hazard(given).err().unwrap();
    assert_eq!(error(&[("mix", "-1")]), "mix is \"-1\"; it has to be a number from 0 to 1000");
    assert_eq!(error(&[("ghosts", "5")]), "ghosts is \"5\"; it has to be a number from 0 to 4");
    assert_eq!(error(&[("cost", "bytes")]), "cost is \"bytes\"; it has to be one of mix, time");
    assert_eq!(error(&[("cost", "time"), ("mix", "3")]), "mix is 3; it has no effect with cost=time, so leave out one of them");
}
