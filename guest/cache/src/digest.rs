//! What an entry is called: the SHA-256 of its URL, which is also the name of its two files.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use sha2::{Digest, Sha256};

/// The SHA-256 of a URL.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key([u8; 32]);

/// A map from keys. A key is a cryptographic digest already, so eight of its bytes are as good a hash as any, and nobody can choose
/// URLs that collide.
pub type KeyMap<V> = HashMap<Key, V, BuildHasherDefault<DigestHasher>>;

impl Key {
    /// The key of `url`.
    #[must_use]
    pub fn of(url: &str) -> Self {
        Self(Sha256::digest(url.as_bytes()).into())
    }

    /// Reads 64 hexadecimal digits, in lower case as file names have them.
    #[must_use]
    pub fn from_hex(hex: &str) -> Option<Self> {
        decode_hex(hex).map(Self)
    }

    /// What a policy knows the entry by across evictions.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    /// The file with the media.
    #[must_use]
    pub fn media_file(&self) -> String {
        format!("{self}.dat")
    }

    /// The file with what is known of it.
    #[must_use]
    pub fn sidecar_file(&self) -> String {
        format!("{self}.json")
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encode_hex(&self.0))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.fingerprint());
    }
}

/// Passes on the number that it is given.
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

/// What a file in the cache's directory is, going by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// The media of an entry.
    Media(Key),
    /// The sidecar of an entry.
    Sidecar(Key),
    /// The snapshot of the index.
    Snapshot,
    /// What an interrupted write left behind.
    Leftover,
    /// Not ours, and never touched.
    Foreign,
}

/// What the snapshot of the index is called.
pub const SNAPSHOT: &str = "media-cache.index";

/// What is put behind the name of a file until it is complete.
pub const TEMPORARY: &str = ".tmp";

impl FileKind {
    /// Judges a file by its name.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let (name, temporary) = match name.strip_suffix(TEMPORARY) {
            Some(name) => (name, true),
            None => (name, false),
        };
        let kind = match name.split_once('.') {
            Some((hex, "dat")) => Key::from_hex(hex).map(Self::Media),
            Some((hex, "json")) => Key::from_hex(hex).map(Self::Sidecar),
            _ => (name == SNAPSHOT).then_some(Self::Snapshot),
        };
        match kind {
            Some(_) if temporary => Self::Leftover,
            Some(kind) => kind,
            None => Self::Foreign,
        }
    }
}

/// A digest as 64 hexadecimal digits.
#[must_use]
pub fn encode_hex(digest: &[u8; 32]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    digest.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]).collect()
}

/// A digest from 64 hexadecimal digits in lower case; nothing else will do.
#[must_use]
pub fn decode_hex(hex: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let hex = hex.as_bytes();
    let mut digest = [0; 32];
    if hex.len() != 64 {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(hex.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(digest)
}

/// Says what is wrong with a URL that cannot be one. What is behind the scheme is the downloader's to judge.
///
/// # Errors
/// A sentence for the caller.
pub fn check_url(url: &str) -> Result<(), String> {
    const LONGEST: usize = 8192;
    if url.len() > LONGEST {
        return Err(format!("the URL has {} bytes, and {LONGEST} is the most", url.len()));
    }
    if let Some(odd) = url.chars().find(|c| c.is_whitespace() || c.is_control()) {
        return Err(format!("the URL contains {odd:?}; percent-encode it"));
    }
    let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
    let mut letters = scheme.bytes();
    let starts_well = letters.next().is_some_and(|c| c.is_ascii_alphabetic());
    if !starts_well || !letters.all(|c| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'-' | b'.')) {
        return Err("the URL has no scheme; it should start with https:// or http://".into());
    }
    if url.len() == scheme.len() + 1 {
        return Err("the URL ends after its scheme".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "100680ad546ce6a577f42f52df33b4cfdca756859e664b8d7de329b150d09ce9";

    #[test]
    fn files_are_named_by_the_sha_256_of_the_url() {
        let key = Key::of("https://example.com/");
        assert_eq!(key.to_string(), "0f115db062b7c0dd030b16878c99dea5c354b49dc37b38eb8846179c7783e9d7");
        assert_eq!(key.fingerprint(), 0x0f11_5db0_62b7_c0dd);
        assert_eq!(Key::from_hex(&key.to_string()), Some(key));
    }

    #[test]
    fn only_names_that_we_give_are_ours() {
        let key = Key::from_hex(HEX).unwrap();
        assert_eq!(FileKind::of(&format!("{HEX}.dat")), FileKind::Media(key));
        assert_eq!(FileKind::of(&format!("{HEX}.json")), FileKind::Sidecar(key));
        assert_eq!(FileKind::of(&format!("{HEX}.dat.tmp")), FileKind::Leftover);
        assert_eq!(FileKind::of(&format!("{HEX}.json.tmp")), FileKind::Leftover);
        assert_eq!(FileKind::of("media-cache.index"), FileKind::Snapshot);
        assert_eq!(FileKind::of("media-cache.index.tmp"), FileKind::Leftover);
        let upper = HEX.to_uppercase();
        for name in [
            "notes.txt",
            "x.dat",
            "media-cache.lock",
            &format!("{upper}.dat"),
            &format!("{HEX}.png"),
            &format!("{HEX}.tmp"),
            HEX,
            ".tmp",
            "",
        ] {
            assert_eq!(FileKind::of(name), FileKind::Foreign, "{name}");
        }
    }

    #[test]
    fn a_url_needs_a_scheme_and_no_blanks() {
        for url in ["https://example.com/a.png", "mxc://server/id", "x:y"] {
            assert_eq!(check_url(url), Ok(()), "{url}");
        }
        for url in ["", "a.png", "https:", "://x", "1http://x", "https://x/a b", "https://x/\n", "ht tp://x", "//host/a"] {
            assert!(check_url(url).is_err(), "{url}");
        }
        assert!(check_url(&format!("https://x/{}", "a".repeat(9000))).unwrap_err().contains("8192"));
    }
}
