//! Snapshots of the index.

use media_cache_component::digest::Key;
use media_cache_component::index::Entry;
use media_cache_component::snapshot::{read, write};

use crate::input::{Input, text};

/// All of it as a snapshot; and what entries that we write could be: numbers, and a line of text for each.
pub fn snapshot(data: &[u8]) {
    let found = entries(data);
    assert!(found.len() <= data.iter().filter(|byte| **byte == b'\n').count(), "an entry takes a line");
    for entry in &found {
        assert!(entry.key == Key::of(&entry.url) && entry.committed && entry.resident.is_none());
    }
    check_round_trip(&found);
    let mut input = Input::new(data);
    let mut made = Vec::new();
    while !input.is_empty() && made.len() < 16 {
        made.push(entry(&mut input));
    }
    check_round_trip(&made);
}

fn entry(input: &mut Input<'_>) -> Entry<()> {
    let digest = input.byte();
    let [size, sidecar_size, stored_at, accessed_at, hits] = [(); 5].map(|()| input.number());
    let url = text(input.line());
    Entry {
        key: Key::of(&url),
        mimetype: text(input.take(4)),
        filename: url.chars().rev().collect(),
        url,
        size,
        sidecar_size,
        stored_at,
        accessed_at,
        hits,
        digest: (digest > 0).then_some([digest; 32]),
        committed: true,
        resident: None,
    }
}

/// What is written is read back, in order; and up to where it was cut off, if it was.
fn check_round_trip(entries: &[Entry<()>]) {
    let written = write(entries.iter());
    let back = self::entries(&written);
    assert_eq!(facts(&back), facts(entries));
    let cut = self::entries(&written[..written.len() / 2]);
    assert_eq!(facts(&cut), facts(&entries[..cut.len()]));
}

fn entries(snapshot: &[u8]) -> Vec<Entry<()>> {
    read(snapshot).collect()
}

type Facts<'a> = ([&'a String; 3], [u64; 5], Option<[u8; 32]>);

fn facts(entries: &[Entry<()>]) -> Vec<Facts<'_>> {
    entries.iter().map(facts_of).collect()
}

fn facts_of(entry: &Entry<()>) -> Facts<'_> {
    let numbers = [entry.size, entry.sidecar_size, entry.stored_at, entry.accessed_at, entry.hits];
    ([&entry.url, &entry.mimetype, &entry.filename], numbers, entry.digest)
}
