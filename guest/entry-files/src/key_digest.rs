//! The digest of a cache key, which identifies an entry and names its two files.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use sha2::{Digest, Sha256};

use crate::hex::{decode_hex, encode_hex};

/// The SHA-256 digest of a cache key, or of another URL. Not to be confused with the digest of a body.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyDigest([u8; 32]);

/// A map by [`KeyDigest`]. Digests are uniformly distributed, and URLs with colliding digests cannot be constructed, so eight of their
/// bytes serve as the hash.
pub type DigestMap<V> = HashMap<KeyDigest, V, BuildHasherDefault<DigestHasher>>;

impl KeyDigest {
    /// The digest of `url`.
    #[must_use]
    pub fn of(url: &str) -> Self {
        Self(Sha256::digest(url.as_bytes()).into())
    }

    /// Parses 64 hexadecimal digits in lower case, as in file names.
    #[must_use]
    pub fn from_hex(hex: &str) -> Option<Self> {
        decode_hex(hex).map(Self)
    }

    /// The digest with these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes of the digest.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The fingerprint by which a policy recognises an entry that it evicted earlier.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    /// The name of the media file.
    #[must_use]
    pub fn media_file(&self) -> String {
        format!("{self}.dat")
    }

    /// The name of the sidecar.
    #[must_use]
    pub fn sidecar_file(&self) -> String {
        format!("{self}.json")
    }

    /// The name of the file with bytes that will replace those of the entry.
    #[must_use]
    pub fn new_media_file(&self) -> String {
        format!("{self}.dat.new")
    }

    /// The name of the file with metadata that will replace that of the entry.
    #[must_use]
    pub fn new_sidecar_file(&self) -> String {
        format!("{self}.json.new")
    }
}

impl fmt::Display for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encode_hex(&self.0))
    }
}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Hash for KeyDigest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.fingerprint());
    }
}

/// A hasher that returns the number it receives.
#[derive(Default)]
pub struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_by_the_sha_256_digest_of_the_cache_key() {
        let digest = KeyDigest::of("https://example.com/");
        assert_eq!(digest.to_string(), "0f115db062b7c0dd030b16878c99dea5c354b49dc37b38eb8846179c7783e9d7");
        assert_eq!(digest.fingerprint(), 0x0f11_5db0_62b7_c0dd);
        assert_eq!(KeyDigest::from_hex(&digest.to_string()), Some(digest));
    }
}
