//! Sidecars.

use media_cache_component::sidecar::Sidecar;

use crate::input::{Input, text};

/// All of it as a sidecar; and what a sidecar that we write could be about: numbers, and lines of text.
pub fn sidecar(data: &[u8]) {
    if let Some(read) = Sidecar::from_json(data) {
        assert!(read.size < 1 << 53);
        assert!(!read.mimetype.is_empty() && !read.filename.is_empty());
        check_round_trip(&read);
    }
    let mut input = Input::new(data);
    let (size, stored_at, digest) = (input.number() >> 11, input.number() >> 13, input.byte());
    let [mimetype, filename, url] = [(); 3].map(|()| text(input.line()));
    if !mimetype.is_empty() && !filename.is_empty() {
        let digest = (digest > 0).then_some([digest; 32]);
        check_round_trip(&Sidecar { url, mimetype, filename, stored_at, size, digest });
    }
}

/// What is written is read back.
fn check_round_trip(sidecar: &Sidecar) {
    let json = sidecar.to_json();
    assert_eq!(Sidecar::from_json(&json).as_ref(), Some(sidecar));
    assert!(!json.contains(&b'\n'));
    assert_eq!(Sidecar::from_json(&json[..json.len() - 1]), None, "cut short");
}
