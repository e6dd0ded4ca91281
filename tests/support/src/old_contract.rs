//! Components for another version of the contract.

/// Changes the imports and exports of a component so that it claims to be built for version 0.1 of the contract. Both version numbers have
/// the same length, so nothing else changes.
///
/// # Panics
/// If the component does not name any interface of the contract.
#[must_use]
pub fn of_version_0_1(component: &[u8]) -> Vec<u8> {
    let mut old = component.to_vec();
    let mut found = false;
    for name in ["policy/eviction", "cache/cache", "cache/blobs", "cache/downloader", "cache/transcoder", "cache/failures"] {
        let (current, other) = (format!("media-cache:{name}@0.2.0"), format!("media-cache:{name}@0.1.0"));
        for at in 0..=old.len().saturating_sub(current.len()) {
            if old[at..].starts_with(current.as_bytes()) {
                old[at..at + current.len()].copy_from_slice(other.as_bytes());
                found = true;
            }
        }
    }
    assert!(found, "the component does not name any interface of the contract");
    old
}
