//! The hash by which request traces and logs identify a URL.

use sha2::{Digest, Sha256};

/// The fingerprint of a key, such as a URL: the first 64 bits of its SHA-256 digest.
#[must_use]
pub fn fingerprint(key: &[u8]) -> u64 {
    Sha256::digest(key).iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The fingerprint that a key in a trace stands for: 16 hexadecimal digits in lower case, as in recorded traces, are the fingerprint
/// itself, so that a replay has the same fingerprints as the service that recorded the trace.
pub(crate) fn recorded_fingerprint(key: &[u8]) -> u64 {
    let is_recorded = key.len() == 16 && key.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let recorded = is_recorded.then(|| u64::from_str_radix(std::str::from_utf8(key).ok()?, 16).ok()).flatten();
    recorded.unwrap_or_else(|| fingerprint(key))
}
