use super::*;

fn s3_fifo(capacity: u64, options: &[(&str, &str)]) -> S3Fifo {
    let options = options.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    S3Fifo::new(capacity, &Options::check(S3Fifo::NAME, S3Fifo::OPTIONS, options).unwrap()).unwrap()
}

fn entry(id: EntryId, size: u64, hits: u64) -> Entry {
    Entry { hits, ..Entry::new(id, size) }
}

/// Places an entry and returns the victims, or `None` if it is refused.
fn place(s3_fifo: &mut S3Fifo, id: EntryId, size: u64) -> Option<Vec<EntryId>> {
    let capacity = s3_fifo.small_share + s3_fifo.main_share;
    let used = s3_fifo.small.size() + s3_fifo.main.size();
    match s3_fifo.place(&entry(id, size, 0), (used + size).saturating_sub(capacity)) {
        Placement::Admit(victims) => Some(victims),
        Placement::Refuse => None,
    }
}

/// A full cache with entries of size 1: 0 and 1 in the small queue, 2 to 19 in the main queue.
fn full() -> S3Fifo {
    let mut s3_fifo = s3_fifo(20, &[]);
    (0..20).for_each(|id| assert_eq!(place(&mut s3_fifo, id, 1), Some(vec![])));
    s3_fifo
}

#[test]
fn new_entries_enter_main_once_small_is_full_while_the_cache_has_space() {
    let mut s3_fifo = full();
    assert_eq!((s3_fifo.small.size(), s3_fifo.main.size()), (2, 18));
    assert_eq!(place(&mut s3_fifo, 20, 1), Some(vec![0]));
    s3_fifo.removed(1);
    s3_fifo.removed(2);
    // From here on, new entries enter the small queue, however full it is.
    assert_eq!((place(&mut s3_fifo, 21, 1), place(&mut s3_fifo, 22, 1)), (Some(vec![]), Some(vec![])));
    assert_eq!((s3_fifo.small.size(), s3_fifo.main.size()), (3, 17));
}

#[test]
fn entries_with_one_hit_are_evicted_from_small_and_those_with_two_move_to_main() {
    let mut s3_fifo = full();
    s3_fifo.accessed(0, 0);
    (0..2).for_each(|_| s3_fifo.accessed(1, 0));
    assert_eq!(place(&mut s3_fifo, 20, 1), Some(vec![0]));
    assert_eq!((place(&mut s3_fifo, 21, 1), s3_fifo.entries.queue(1)), (Some(vec![20]), Some(1)));
    // The main queue now exceeds its share. Its newest entry is the one that moved there, whose hits are counted from 0 again.
    assert_eq!(place(&mut s3_fifo, 22, 1), Some(vec![2]));
    assert_eq!(place(&mut s3_fifo, 0, 1), Some(vec![21]));
    assert_eq!(s3_fifo.evict(2), [3, 22]);
    assert_eq!(s3_fifo.evict(u64::MAX), (4..20).chain([1, 0]).collect::<Vec<_>>());
}

#[test]
fn an_entry_is_reinserted_into_main_once_per_hit_and_at_most_three_times() {
    let mut s3_fifo = s3_fifo(20, &[]);
    (0..3).for_each(|id| s3_fifo.restore(&entry(id, 1, 2)));
    assert_eq!(s3_fifo.main.size(), 3);
    (0..9).for_each(|_| s3_fifo.accessed(0, 0));
    s3_fifo.accessed(2, 0);
    // 0 and 2 are reinserted three times, 1 twice.
    assert_eq!(s3_fifo.evict(u64::MAX), [1, 0, 2]);
}

#[test]
fn an_entry_that_returns_while_its_ghost_exists_enters_main() {
    let mut s3_fifo = full();
    assert_eq!((place(&mut s3_fifo, 20, 1), place(&mut s3_fifo, 0, 1)), (Some(vec![0]), Some(vec![1])));
    assert_eq!((s3_fifo.entries.queue(0), s3_fifo.entries.queue(20)), (Some(1), Some(0)));
    // The ghost was used up, so next time the entry starts in the small queue.
    s3_fifo.removed(0);
    assert_eq!((place(&mut s3_fifo, 0, 1), s3_fifo.entries.queue(0)), (Some(vec![]), Some(0)));
}

#[test]
fn an_entry_evicted_from_main_has_no_ghost() {
    let mut s3_fifo = full();
    assert_eq!(s3_fifo.evict(3), [0, 1, 2]);
    assert_eq!([0, 1, 2].map(|id| s3_fifo.ghost.take(id)), [true, true, false]);
}

#[test]
fn an_object_that_does_not_fit_into_small_is_refused_or_enters_main() {
    let (mut refuse, mut main) = (s3_fifo(100, &[]), s3_fifo(100, &[("large", "main")]));
    assert_eq!((place(&mut refuse, 0, 11), place(&mut main, 0, 11)), (None, Some(vec![])));
    assert_eq!((place(&mut refuse, 1, 10), place(&mut main, 1, 10)), (None, Some(vec![])));
    assert_eq!((place(&mut refuse, 2, 9), place(&mut main, 2, 9)), (Some(vec![]), Some(vec![])));
    assert_eq!([0, 1, 2].map(|id| main.entries.queue(id)), [Some(1), Some(1), Some(0)]);
    // An object that fills the queue exactly is accepted if it has a ghost.
    refuse.ghost.add(3, 5);
    refuse.ghost.add(4, 5);
    assert_eq!((place(&mut refuse, 3, 10), place(&mut refuse, 4, 11)), (Some(vec![]), None));
    assert_eq!((refuse.entries.queue(3), refuse.ghost.take(4)), (Some(1), false));
}

#[test]
fn a_cache_of_a_few_items_admits_every_item() {
    for capacity in 1..=64 {
        let mut s3_fifo = s3_fifo(capacity, &[]);
        (0..100).for_each(|id| assert!(place(&mut s3_fifo, id, 1).is_some()));
        assert_eq!(s3_fifo.evict(u64::MAX).len() as u64, capacity);
    }
}

#[test]
fn hits_of_a_restored_entry_decide_which_queue_it_enters() {
    let mut s3_fifo = full();
    assert_eq!(s3_fifo.evict(1), [0]);
    s3_fifo.restore(&entry(0, 1, 1));
    s3_fifo.restore(&entry(20, 1, 1 << 40));
    assert_eq!((s3_fifo.entries.queue(0), s3_fifo.entries.queue(20)), (Some(0), Some(1)));
    assert!(!s3_fifo.ghost.take(0));
    s3_fifo.accessed(0, 0);
    assert_eq!((s3_fifo.evict(1), s3_fifo.entries.queue(0)), (vec![2], Some(0)));
}
