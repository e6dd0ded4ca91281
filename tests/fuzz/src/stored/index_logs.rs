//! The index log.

use media_cache_component::entry::Entry;
use media_cache_component::index_log::frame::{Read, read_frame, write_frame};
use media_cache_component::index_log::record::{
    Record, put_accessed, put_closed, put_counters, put_removed, put_stored, read_records,
};
use media_cache_entry_files::KeyDigest;

use crate::input::Input;

/// Tests the input as a frame. Also writes it as the contents of a log, which is then read, intact and damaged.
pub fn index_log(data: &[u8]) {
    if let Read::Frame { generation, records, length } = read_frame(data, None, 0) {
        assert_eq!(write_frame(generation, 0, records), data[..length], "a frame has only one encoding");
    }
    check_records(data);
    let mut input = Input::new(data);
    let generation = input.number();
    let mut frames = Vec::new();
    while !input.is_empty() && frames.len() < 8 {
        let records = records(&mut input);
        frames.push(write_frame(generation, frames.len() as u32, &records));
    }
    check_damage(generation, &frames, input.number(), input.byte());
}

/// Records as the cache writes them.
fn records(input: &mut Input<'_>) -> Vec<u8> {
    let mut records = Vec::new();
    for _ in 0..input.byte() % 4 {
        let mut entry = Entry::unverified(KeyDigest::of(&input.number().to_string()));
        [entry.size, entry.accessed_at, entry.sidecar_modified] = [(); 3].map(|()| input.number());
        [entry.sidecar_size, entry.hits, entry.cost] = [(); 3].map(|()| input.number() as u32);
        match input.byte() % 5 {
            0 => put_stored(&mut records, &entry),
            1 => put_removed(&mut records, &entry.digest),
            2 => put_accessed(&mut records, &entry),
            3 => put_counters(&mut records, &[entry.size, entry.accessed_at]),
            _ => put_closed(&mut records, entry.size),
        }
    }
    check_records(&records);
    records
}

/// Checks that writing the records that were read results in the same bytes.
fn check_records(bytes: &[u8]) {
    let mut written = Vec::new();
    for record in read_records(bytes) {
        match record {
            Ok(Record::Stored(entry)) => put_stored(&mut written, &entry),
            Ok(Record::Removed(digest)) => put_removed(&mut written, &digest),
            Ok(Record::Accessed { fingerprint, at, hits }) => {
                let mut digest = [0; 32];
                digest[..8].copy_from_slice(&fingerprint.to_be_bytes());
                let mut entry = Entry::unverified(KeyDigest::from_bytes(digest));
                (entry.accessed_at, entry.hits) = (at, hits);
                put_accessed(&mut written, &entry);
            }
            Ok(Record::Counters(values)) => put_counters(&mut written, &values),
            Ok(Record::Closed(modified)) => put_closed(&mut written, modified),
            Err(()) => {
                assert!(bytes.starts_with(&written), "the records before invalid data are read");
                return;
            }
        }
    }
    assert_eq!(written, bytes);
}

/// Checks that exactly the frames before the damage are read from a log that is truncated or has a flipped bit.
fn check_damage(generation: u64, frames: &[Vec<u8>], place: u64, bit: u8) {
    let whole = frames.concat();
    assert_eq!(intact(&whole, generation), frames.len());
    if whole.is_empty() {
        return;
    }
    let place = (place % whole.len() as u64) as usize;
    let before = frames.iter().scan(0, |end, frame| {
        *end += frame.len();
        Some(*end)
    });
    let before = before.take_while(|end| *end <= place).count();
    assert_eq!(intact(&whole[..place], generation), before, "truncated");
    let mut flipped = whole.clone();
    flipped[place] ^= 1 << (bit % 8);
    assert_eq!(intact(&flipped, generation), before, "a flipped bit");
    assert_eq!(intact(&whole, generation.wrapping_add(1)), 0, "another generation");
}

/// The number of frames of this generation.
fn intact(mut bytes: &[u8], generation: u64) -> usize {
    let mut number = 0;
    while let Read::Frame { length, .. } = read_frame(bytes, Some(generation), number) {
        bytes = &bytes[length..];
        number += 1;
    }
    number as usize
}
