use super::*;
use crate::eviction::MediaKind;

/// A queue with the entries 0 to 2. Entry 0 was requested.
fn queue(options: &[(&str, &str)]) -> Queue {
    let mut queue = create(30, &owned(options)).unwrap();
    (0..3).for_each(|id| queue.insert(entry(id, 10)));
    queue.access(0);
    queue
}

fn owned(options: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
    options.iter().map(own).collect()
}

fn entry(id: EntryId, size: u64) -> Entry {
    Entry {
        id,
        fingerprint: id,
        size,
        hits: 0,
        accessed_at: 0,
        cost: 0,
        waiters: 0,
        kind: MediaKind::Other,
    }
}

#[test]
fn entries_are_evicted_in_the_order_of_use_or_of_arrival() {
    assert_eq!(queue(&[]).evict(u64::MAX), [1, 2, 0]);
    assert_eq!(queue(&[("order", "arrival")]).evict(u64::MAX), [0, 1, 2]);
}

#[test]
fn only_as_many_entries_are_evicted_as_necessary() {
    let queue = RefCell::new(queue(&[]));
    let placed = queue.place(Vec::new(), entry(3, 15), 15);
    assert!(matches!(placed, Placement::Admit(victims) if victims == [1, 2]));
    let refused = queue.place(Vec::new(), entry(4, 31), 31);
    assert!(matches!(refused, Placement::Refuse));
    let events = vec![Event::Removed(0)];
    assert_eq!(queue.evict(events, u64::MAX), [3]);
}

#[test]
fn invalid_options_are_refused() {
    for (name, value) in [("order", "size"), ("depth", "1")] {
        let error = create(30, &owned(&[(name, value)])).err().unwrap();
        assert!(error.contains(name), "{error}");
    }
}
