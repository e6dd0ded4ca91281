use super::*;

fn with(given: &[(&str, &str)]) -> Result<Gdsf, String> {
    let given = given.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    Gdsf::new(1_000_000, &Options::check(Gdsf::NAME, Gdsf::OPTIONS, given)?)
}

fn gdsf(beta: &str) -> Gdsf {
    with(&[("beta", beta)]).unwrap()
}

fn entry(id: EntryId, size: u64, hits: u64) -> Entry {
    Entry { hits, ..Entry::new(id, size) }
}

/// A policy that tracks entries 0, 1, 2, and so on, of these sizes.
fn filled(beta: &str, sizes: &[u64]) -> Gdsf {
    let mut gdsf = gdsf(beta);
    (0..).zip(sizes).for_each(|(id, size)| gdsf.insert(&entry(id, *size, 0)));
    gdsf
}

#[test]
fn the_larger_entry_is_evicted_first_unless_it_has_many_more_hits() {
    assert_eq!(filled("0", &[10, 30, 20]).evict(u64::MAX), [1, 2, 0]);
    let mut gdsf = filled("0", &[10, 30]);
    (0..3).for_each(|_| gdsf.accessed(1, 0));
    assert_eq!(gdsf.evict(u64::MAX), [0, 1]);
}

#[test]
fn among_equal_priorities_the_entry_with_the_older_access_is_evicted_first() {
    let mut gdsf = filled("0", &[20, 10]);
    gdsf.accessed(0, 0);
    assert_eq!(gdsf.evict(u64::MAX), [1, 0]);
    let mut gdsf = filled("0", &[10, 10, 20]);
    gdsf.accessed(2, 0);
    assert_eq!(gdsf.evict(1), [0]);
    gdsf.insert(&entry(0, 10, 0));
    assert_eq!(gdsf.evict(u64::MAX), [1, 2, 0]);
}

#[test]
fn a_formerly_popular_entry_is_evicted_when_the_inflation_reaches_it() {
    let mut gdsf = filled("0", &[10]);
    (0..4).for_each(|_| gdsf.accessed(0, 0));
    // Entry 0 is worth 5 hits. After four new entries, L is worth 4 hits. The fifth new entry is then worth 5 hits too, and is more
    // recent.
    for id in 1..=4 {
        gdsf.insert(&entry(id, 10, 0));
        assert_eq!(gdsf.evict(10), [id]);
    }
    gdsf.insert(&entry(5, 10, 0));
    assert_eq!(gdsf.evict(10), [0]);
}

#[test]
fn a_hit_recomputes_the_priority_with_the_current_inflation() {
    let mut gdsf = filled("0", &[40, 20, 10]);
    assert_eq!(gdsf.evict(40), [0]);
    // With L at 25,000, the priority of entry 1 is now 125,000, which is above the 100,000 of entry 2.
    gdsf.accessed(1, 0);
    assert_eq!(gdsf.evict(u64::MAX), [2, 1]);
}

#[test]
fn a_candidate_with_the_lowest_priority_is_itself_the_victim() {
    let mut gdsf = filled("0", &[10, 20]);
    assert!(matches!(gdsf.place(&entry(2, 30, 0), 30), Placement::Admit(victims) if victims == [2]));
    assert!(matches!(gdsf.place(&entry(2, 15, 0), 15), Placement::Admit(victims) if victims == [1]));
}

#[test]
fn the_size_matters_less_with_a_larger_beta() {
    let evicted = |beta, hits| {
        let mut gdsf = filled(beta, &[100, 400]);
        (0..hits).for_each(|_| gdsf.accessed(1, 0));
        gdsf.evict(u64::MAX)
    };
    // 400 / 400^0.5 is twice as much as 100 / 100^0.5, not four times.
    assert_eq!((evicted("0", 2), evicted("0.5", 2)), (vec![1, 0], vec![0, 1]));
    assert_eq!((evicted("0.5", 0), evicted("1", 0)), (vec![1, 0], vec![0, 1]));
}

#[test]
fn a_restored_entry_keeps_its_hits() {
    let mut gdsf = filled("0", &[10, 10]);
    gdsf.restore(&entry(2, 10, 2));
    gdsf.restore(&entry(3, 10, 0));
    (0..2).for_each(|_| gdsf.accessed(0, 0));
    assert_eq!(gdsf.evict(u64::MAX), [1, 3, 2, 0]);
}

#[test]
fn removed_entry_is_never_a_victim_and_does_not_raise_the_inflation() {
    let mut gdsf = filled("0", &[10, 40, 20]);
    gdsf.removed(1);
    gdsf.accessed(1, 0);
    gdsf.removed(7);
    gdsf.insert(&entry(1, 21, 0));
    assert_eq!(gdsf.evict(u64::MAX), [1, 2, 0]);
}

#[test]
fn with_a_linear_cost_the_weight_decides_how_much_the_size_matters() {
    let evicted = |weight: &str| {
        let mut gdsf = with(&[("cost", &format!("linear:{weight}"))]).unwrap();
        [(1, 400), (0, 100)].into_iter().for_each(|(id, size)| gdsf.insert(&entry(id, size, 0)));
        gdsf.accessed(1, 0);
        gdsf.evict(u64::MAX)
    };
    // The hits per byte are (1 + 0.4 W) / 100 for entry 0, with a mean of 250, and 2 × (1 + 1.33 W) / 400 for entry 1, with one of 300.
    assert_eq!(["0", "1", "1.8", "1.9", "3"].map(evicted), [vec![1, 0], vec![1, 0], vec![1, 0], vec![0, 1], vec![0, 1]]);
}

#[test]
fn with_cost_bytes_the_entry_with_the_fewest_hits_is_evicted_first() {
    let mut gdsf = with(&[("cost", "bytes")]).unwrap();
    [(0, 10, 2), (1, 1000, 1), (2, 1, 0)].into_iter().for_each(|(id, size, hits)| gdsf.restore(&entry(id, size, hits)));
    assert_eq!(gdsf.evict(u64::MAX), [2, 1, 0]);
}

#[test]
fn with_cost_time_the_entry_that_was_fetched_fastest_is_evicted_first_and_an_unknown_time_is_the_mean() {
    let mut gdsf = with(&[("cost", "time")]).unwrap();
    for (id, cost) in [(0, 300), (1, 100), (2, 0), (3, 250)] {
        gdsf.insert(&Entry { cost, ..entry(id, 10, 0) });
    }
    gdsf.insert(&Entry { cost: 300, ..entry(4, 1000, 0) });
    // As multiples of the mean at that time: 1, 0.5, 1, 1.15 and 1.26, which is little for the size of entry 4.
    assert_eq!(gdsf.evict(u64::MAX), [4, 1, 0, 2, 3]);
}

#[test]
fn cost_excludes_beta_and_invalid_costs_are_errors() {
    assert_eq!(with(&[("cost", "1"), ("beta", "0.5")]).err(), None);
    for cost in ["time", "bytes", "linear:1"] {
        assert_eq!(with(&[("cost", cost), ("beta", "0")]).err(), None);
        let error = with(&[("cost", cost), ("beta", "0.5")]).err().unwrap();
        assert_eq!(error, format!("cost is {cost:?} and beta is 0.5; each sets the cost of a miss, so leave out one of them"));
    }
    for cost in ["", "2", "linear", "linear:", "linear:-1", "linear:NaN", "linear:1001", "size"] {
        let error = with(&[("cost", cost)]).err().unwrap();
        assert!(error.starts_with(&format!("cost is {cost:?}; it has to be one of 1, time, bytes, or linear:W")), "{error}");
    }
}
