//! Snapshots of the index.

use media_cache_component::entry::Entry;
use media_cache_component::snapshot::{read, write};
use media_cache_entry_files::{KeyDigest, Metadata, Sidecar};

use crate::input::{Input, text};

/// All of it as a snapshot; and what entries that we write could be: numbers, and a line of text for each.
pub fn snapshot(data: &[u8]) {
    let found = entries(data);
    assert!(found.len() <= data.iter().filter(|byte| **byte == b'\n').count(), "an entry takes a line");
    for entry in &found {
        assert!(entry.digest == KeyDigest::of(&entry.url) && entry.committed && entry.resident.is_none());
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
    let filename: String = url.chars().rev().collect();
    let metadata = Metadata { cost: u32::from(digest), ..Metadata::new(text(input.take(4)), &filename, stored_at) };
    let body_digest = (digest > 0).then_some([digest; 32]);
    let entry =
        Entry::from_sidecar(KeyDigest::of(&url), Sidecar { url, size, body_digest, metadata: metadata.into() }, sidecar_size);
    Entry { accessed_at, hits, ..entry }
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

type Facts<'a> = (&'a String, &'a Metadata, [u64; 4], Option<[u8; 32]>);

fn facts(entries: &[Entry<()>]) -> Vec<Facts<'_>> {
    entries.iter().map(facts_of).collect()
}

fn facts_of(entry: &Entry<()>) -> Facts<'_> {
    let numbers = [entry.size, entry.sidecar_size, entry.accessed_at, entry.hits];
    (&entry.url, &entry.metadata, numbers, entry.body_digest)
}
