//! Maps by fingerprint, without the cost of a hash that resists attacks.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map by fingerprint. Fingerprints are already digests, so the hash needs neither randomness nor resistance to attacks.
pub type FingerprintMap<T> = HashMap<u64, T, BuildHasherDefault<FingerprintHasher>>;

/// Mixes a fingerprint so that every bit depends on all others, and a table may use any of them.
#[must_use]
pub const fn spread(fingerprint: u64) -> u64 {
    // The finaliser of MurmurHash3.
    let hash = (fingerprint ^ (fingerprint >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// Hashes one fingerprint.
#[derive(Default)]
pub struct FingerprintHasher(u64);

impl Hasher for FingerprintHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64((*byte).into());
        }
    }

    fn write_u64(&mut self, fingerprint: u64) {
        self.0 = spread(self.0 ^ fingerprint);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similar_fingerprints_are_spread_out_in_any_range_of_bits() {
        for bits in [0, 20, 57] {
            for step in [1, 1 << 32, 1 << 57] {
                let places: std::collections::HashSet<_> = (0..128u64).map(|n| (spread(n * step) >> bits) & 127).collect();
                assert!(places.len() > 64, "{} of 128 at {bits} for steps of {step}", places.len());
            }
        }
    }

    #[test]
    fn a_fingerprint_map_finds_what_was_inserted() {
        let mut map: FingerprintMap<u64> = (0..1000).map(|n| (n << 40, n)).collect();
        assert_eq!((map.len(), map.remove(&(7 << 40)), map.get(&(7 << 40)), map.get(&(8 << 40))), (1000, Some(7), None, Some(&8)));
    }
}
