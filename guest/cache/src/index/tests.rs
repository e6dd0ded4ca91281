use super::*;

/// The digest of the entry that a letter represents.
fn digest(letter: char) -> KeyDigest {
    KeyDigest::from_bytes([letter as u8; 32])
}

fn entry(letter: char, size: u64) -> Entry {
    Entry { size, sidecar_size: 100, state: EntryState::Stored, ..Entry::unverified(digest(letter)) }
}

fn letter(index: &Index, slot: Slot) -> char {
    index.get(slot).unwrap().digest.as_bytes()[0].into()
}

fn letters(index: &Index) -> String {
    index.coldest_first().map(|slot| letter(index, slot)).collect()
}

fn filled(letters: &str) -> Index {
    let mut index = Index::default();
    for letter in letters.chars() {
        index.insert(entry(letter, 10));
    }
    index
}

fn slot(index: &Index, letter: char) -> Slot {
    index.find(&digest(letter)).unwrap()
}

#[test]
fn disk_usage_and_media_bytes_add_up() {
    let mut index = filled("ab");
    assert_eq!((index.disk_bytes(), index.media_bytes()), (16384, 20));
    index.remove(slot(&index, 'a'));
    assert_eq!((index.disk_bytes(), index.media_bytes(), index.len()), (8192, 10, 1));
}

#[test]
fn entry_with_an_updated_description_keeps_its_handle_and_hits() {
    let mut index = filled("ab");
    let handle = index.handle(0);
    let new = Entry { cost: 7, sidecar_size: 200, sidecar_modified: 9, ..entry('a', 5000) };
    index.get_mut(0).unwrap().hits = 3;
    index.reserve(12288);
    index.describe(0, &new);
    assert_eq!((index.disk_bytes(), index.media_bytes()), (12288 + 8192 + 12288, 5010));
    index.release(12288);
    assert_eq!((index.disk_bytes(), index.resolve(handle)), (20480, Some(0)));
    let entry = index.get(0).unwrap();
    assert_eq!((entry.size, entry.cost, entry.sidecar_modified, entry.hits), (5000, 7, 9, 3));
    assert_eq!(letters(&index), "ab");
    index.remove(0);
    assert_eq!((index.disk_bytes(), index.media_bytes()), (8192, 10));
}

#[test]
fn a_used_entry_becomes_the_newest() {
    let mut index = filled("abcd");
    index.promote(slot(&index, 'b'));
    assert_eq!(letters(&index), "acdb");
    index.promote(slot(&index, 'a'));
    index.promote(slot(&index, 'a'));
    assert_eq!(letters(&index), "cdba");
    index.remove(slot(&index, 'd'));
    index.remove(slot(&index, 'a'));
    index.remove(slot(&index, 'c'));
    assert_eq!(letters(&index), "b");
    index.remove(slot(&index, 'b'));
    assert_eq!(letters(&index), "");
    assert_eq!(index.insert(entry('z', 1)), 1, "slots are reused, the last freed first");
}

#[test]
fn a_handle_never_identifies_the_next_entry_in_a_slot() {
    let mut index = filled("a");
    let first = index.handle(0);
    assert_eq!(index.resolve(first), Some(0));
    index.remove(0);
    assert_eq!(index.resolve(first), None);
    assert_eq!(index.insert(entry('b', 1)), 0);
    assert_eq!(index.resolve(first), None);
    assert_ne!(index.handle(0), first);
    assert_eq!(index.resolve(u64::MAX), None);
}

#[test]
fn a_listing_omits_nothing_while_entries_move() {
    let mut index = filled("abcdefgh");
    let mut seen = String::new();
    let mut next = None;
    let mut round = 0;
    loop {
        let (slots, more) = index.page(next, 2);
        seen.extend(slots.iter().map(|slot| letter(&index, *slot)));
        match round {
            0 => index.promote(slot(&index, 'c')),
            1 => drop(index.remove(slot(&index, 'f'))),
            2 => index.promote(slot(&index, 'a')),
            _ => {}
        }
        round += 1;
        next = more;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(seen, "abdeghca");
}

#[test]
fn a_listing_continues_where_it_ended_after_another_one_has_begun() {
    let mut index = filled("abcdef");
    let (_, first) = index.page(None, 2);
    let (_, other) = index.page(None, 4);
    let (slots, _) = index.page(first, 2);
    assert_eq!(slots, [2, 3]);
    let (slots, end) = index.page(other, 9);
    assert_eq!((slots, end), (vec![4, 5], None));
}

#[test]
fn concurrent_listings_have_separate_cursors() {
    let mut index = filled("abcdefghij");
    let bookmarks = |index: &Index| (0..lists::LISTINGS).filter_map(|n| index.cursor(Cursor::Listing(n))).collect::<Vec<_>>();
    let (_, slow) = index.page(None, 2);
    let (_, fast) = index.page(None, 4);
    assert_eq!(bookmarks(&index), [2, 4]);
    let (slots, fast) = index.page(fast, 3);
    assert_eq!((slots, bookmarks(&index)), (vec![4, 5, 6], vec![2, 7]));
    let (slots, _) = index.page(slow, 2);
    assert_eq!((slots, bookmarks(&index)), (vec![2, 3], vec![4, 7]));
    assert_eq!(index.page(fast, 9), (vec![7, 8, 9], None));
    assert_eq!(bookmarks(&index), [4], "a listing that has ended has no cursor");
    for limit in 1..10 {
        index.page(None, limit);
    }
    assert_eq!(bookmarks(&index).len(), usize::from(lists::LISTINGS), "the number of cursors is limited");
}

#[test]
fn cursor_advances_to_the_next_entry_when_its_entry_moves_or_is_removed() {
    let mut index = filled("abcd");
    index.set_cursor(Cursor::Compaction, index.oldest());
    let mut seen = String::new();
    for round in 0.. {
        let Some(next) = index.advance(Cursor::Compaction) else { break };
        seen.push(letter(&index, next));
        match round {
            0 => index.promote(slot(&index, 'b')),
            1 => drop(index.remove(slot(&index, 'd'))),
            _ => {}
        }
    }
    assert_eq!(seen, "acb");
}

#[test]
fn unflushed_entries_are_those_used_since_the_cursor_reached_the_end() {
    let mut index = filled("abc");
    let unflushed = |index: &mut Index| -> String {
        std::iter::from_fn(|| index.advance(Cursor::Unflushed).map(|slot| letter(index, slot))).collect()
    };
    assert_eq!(unflushed(&mut index), "abc");
    assert_eq!(unflushed(&mut index), "");
    index.promote(slot(&index, 'c'));
    index.promote(slot(&index, 'a'));
    index.promote(slot(&index, 'a'));
    assert_eq!(unflushed(&mut index), "ca");
    index.promote(slot(&index, 'b'));
    index.remove(slot(&index, 'b'));
    assert_eq!(unflushed(&mut index), "");
}

#[test]
fn removed_entries_that_are_in_the_log_are_recorded() {
    let mut index = filled("abc");
    for slot in [0, 2] {
        index.get_mut(slot).unwrap().logged = true;
        index.remove(slot);
    }
    index.remove(1);
    let Removed { entries, all } = index.take_removed();
    assert_eq!((entries, all), (vec![digest('a'), digest('c')], true));
    assert!(index.take_removed().entries.is_empty());
}

#[test]
fn found_entries_are_ordered_before_entries_used_since_the_start() {
    let mut index = Index::default();
    let unverified = |letter| Entry { state: EntryState::Unverified, ..entry(letter, 1) };
    index.insert_earlier(unverified('a'));
    let found = index.insert_found(unverified('f'));
    index.insert(entry('z', 1));
    index.insert_earlier(unverified('b'));
    assert_eq!(letters(&index), "abz");
    index.promote_earlier(slot(&index, 'a'));
    assert_eq!(letters(&index), "baz");
    index.set_cursor(Cursor::Loading, Some(slot(&index, 'a')));
    assert!(index.place_found(found, Cursor::Loading, 2));
    assert!(!index.place_found(found, Cursor::Loading, 3), "the entry is already in its place");
    assert_eq!(letters(&index), "bfaz");
    index.set_cursor(Cursor::Loading, None);
    let last = index.insert_found(unverified('g'));
    assert!(index.place_found(last, Cursor::Loading, 9));
    assert_eq!(letters(&index), "bfagz");
}

#[test]
fn digest_table_finds_present_entries_while_it_grows() {
    let mut index = Index::default();
    let digests: Vec<KeyDigest> = (0..20_000).map(|number: u32| KeyDigest::of(&number.to_string())).collect();
    let slots: Vec<Slot> = digests.iter().map(|digest| index.insert(Entry::unverified(*digest))).collect();
    digests.iter().zip(&slots).step_by(2).for_each(|(_, slot)| {
        index.remove(*slot);
    });
    for (number, (digest, slot)) in digests.iter().zip(slots).enumerate() {
        let expected = (number % 2 == 1).then_some(slot);
        assert_eq!((index.find(digest), index.find_fingerprint(digest.fingerprint())), (expected, expected));
    }
    assert_eq!(index.len(), 10_000);
}

#[test]
fn cursor_at_the_last_entry_returns_it_again_after_it_is_promoted() {
    let mut index = filled("ab");
    index.set_cursor(Cursor::Unflushed, None);
    index.set_cursor(Cursor::Compaction, Some(slot(&index, 'b')));
    index.promote(slot(&index, 'b'));
    assert_eq!(index.advance(Cursor::Compaction), Some(slot(&index, 'b')));
    assert_eq!(index.advance(Cursor::Compaction), None);
}
