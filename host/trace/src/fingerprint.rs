//! The hash by which request traces and logs identify a URL.

use sha2::{Digest, Sha256};

/// The fingerprint of a key, such as a URL: the first 64 bits of its SHA-256 digest.
#[must_use]
pub fn fingerprint(key: &[u8]) -> u64 {
    Sha256::digest(key).iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}
