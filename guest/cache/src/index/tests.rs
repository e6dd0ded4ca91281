use media_cache_entry_files::Metadata;

use super::*;

fn entry(url: &str, size: u64) -> Entry<()> {
    let metadata = Metadata::new("image/png".into(), "a.png", 0);
    Entry::from_sidecar(KeyDigest::of(url), Sidecar { url: url.into(), size, body_digest: None, metadata: metadata.into() }, 100)
}

fn urls(index: &Index<()>) -> String {
    index.coldest_first().map(|slot| index.get(slot).unwrap().url.as_str()).collect()
}

fn filled(urls: &str) -> Index<()> {
    let mut index = Index::default();
    for url in urls.chars() {
        index.insert(entry(&url.to_string(), 10));
    }
    index
}

fn slot(index: &Index<()>, url: &str) -> Slot {
    index.find(&KeyDigest::of(url)).unwrap()
}

#[test]
fn disk_usage_and_media_bytes_add_up() {
    let mut index = filled("ab");
    assert_eq!((index.disk_bytes(), index.media_bytes()), (16384, 20));
    index.remove(slot(&index, "a"));
    assert_eq!((index.disk_bytes(), index.media_bytes(), index.len()), (8192, 10, 1));
}

#[test]
fn an_entry_that_is_described_anew_keeps_its_handle_and_counts_with_its_new_size() {
    let mut index = filled("ab");
    let handle = index.handle(0);
    let metadata = Metadata::new("image/webp".into(), "b.webp", 7);
    let sidecar = Sidecar { url: "a".into(), size: 5000, body_digest: Some([1; 32]), metadata: metadata.into() };
    index.reserve(12288);
    index.describe(0, sidecar, 200);
    assert_eq!((index.disk_bytes(), index.media_bytes()), (12288 + 8192 + 12288, 5010));
    index.release(12288);
    assert_eq!((index.disk_bytes(), index.resolve(handle)), (20480, Some(0)));
    let entry = index.get(0).unwrap();
    assert_eq!((entry.size, entry.metadata.mimetype.as_str(), entry.body_digest), (5000, "image/webp", Some([1; 32])));
    assert_eq!(urls(&index), "ab");
    index.remove(0);
    assert_eq!((index.disk_bytes(), index.media_bytes()), (8192, 10));
}

#[test]
fn a_used_entry_becomes_the_newest() {
    let mut index = filled("abcd");
    index.promote(slot(&index, "b"));
    assert_eq!(urls(&index), "acdb");
    index.promote(slot(&index, "a"));
    index.promote(slot(&index, "a"));
    assert_eq!(urls(&index), "cdba");
    index.remove(slot(&index, "d"));
    index.remove(slot(&index, "a"));
    index.remove(slot(&index, "c"));
    assert_eq!(urls(&index), "b");
    index.remove(slot(&index, "b"));
    assert_eq!(urls(&index), "");
    assert_eq!(index.insert(entry("z", 1)), 1, "slots are reused, the last freed first");
}

#[test]
fn a_handle_never_identifies_the_next_entry_in_a_slot() {
    let mut index = filled("a");
    let first = index.handle(0);
    assert_eq!(index.resolve(first), Some(0));
    index.remove(0);
    assert_eq!(index.resolve(first), None);
    assert_eq!(index.insert(entry("b", 1)), 0);
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
        seen.extend(slots.iter().map(|slot| index.get(*slot).unwrap().url.as_str()));
        match round {
            0 => index.promote(slot(&index, "c")),
            1 => drop(index.remove(slot(&index, "f"))),
            2 => index.promote(slot(&index, "a")),
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
fn a_listing_continues_without_its_bookmark() {
    let mut index = filled("abcdef");
    let (_, first) = index.page(None, 2);
    let (_, other) = index.page(None, 4);
    let (slots, _) = index.page(first, 2);
    assert_eq!(slots, [2, 3]);
    let (slots, end) = index.page(other, 9);
    assert_eq!((slots, end), (vec![4, 5], None));
}
