//! SHA-256 in hexadecimal notation.

use sha2::{Digest, Sha256};

/// The SHA-256 of bytes, as hexadecimal digits.
pub fn sha256(bytes: impl AsRef<[u8]>) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
