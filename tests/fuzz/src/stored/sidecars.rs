//! Sidecars.

use media_cache_entry_files::{Metadata, Sidecar};

use crate::input::{Input, text};

/// Tests the input as a sidecar. Also writes it as the contents of a sidecar: numbers, and lines of text.
pub fn sidecar(data: &[u8]) {
    if let Some(read) = Sidecar::from_json(data) {
        assert!(read.size < 1 << 53);
        assert!(!read.metadata.mimetype.is_empty() && !read.metadata.filename.is_empty());
        check_round_trip(&read);
    }
    let mut input = Input::new(data);
    let (size, stored_at, digest) = (input.number() >> 11, input.number() >> 13, input.byte());
    let [mimetype, filename, url] = [(); 3].map(|()| text(input.line()));
    if !mimetype.is_empty() {
        let body_digest = (digest > 0).then_some([digest; 32]);
        // The cost is derived from the digest, so that existing inputs keep their meaning.
        let metadata = Metadata { cost: u32::from(digest), ..Metadata::new(mimetype, &filename, stored_at) };
        check_round_trip(&Sidecar { url, size, body_digest, metadata: metadata.into() });
    }
}

/// Checks that a sidecar that was written is read back unchanged.
fn check_round_trip(sidecar: &Sidecar) {
    let json = sidecar.to_json();
    assert_eq!(Sidecar::from_json(&json).as_ref(), Some(sidecar));
    assert!(!json.contains(&b'\n'));
    assert_eq!(Sidecar::from_json(&json[..json.len() - 1]), None, "a truncated sidecar is invalid");
}
