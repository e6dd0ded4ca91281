//! The hash by which logs and request traces name a URL.

use sha2::{Digest, Sha256};

/// The first 8 bytes of the SHA-256 of `bytes`, big-endian.
pub(crate) fn fingerprint(bytes: &[u8]) -> u64 {
    Sha256::digest(bytes).iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}
