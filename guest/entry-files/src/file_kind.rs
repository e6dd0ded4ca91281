//! Distinguishes the cache's own files from others by their names.

use crate::key_digest::KeyDigest;

/// The name of the index file of earlier versions. It is removed at startup.
pub const OLD_INDEX: &str = "media-cache.index";

/// Appended to the name of a file until it is complete.
pub const TEMPORARY: &str = ".tmp";

/// The kind of a file in the cache's directory, judging by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// The bytes of an entry.
    Media(KeyDigest),
    /// The sidecar of an entry.
    Sidecar(KeyDigest),
    /// The bytes that will replace those of an entry.
    NewMedia(KeyDigest),
    /// The sidecar that will replace that of an entry.
    NewSidecar(KeyDigest),
    /// The index file of earlier versions.
    OldIndex,
    /// The temporary file of an interrupted write.
    Leftover,
    /// Another file, which is never touched.
    Foreign,
}

impl FileKind {
    /// The kind of the file with this name.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let (name, temporary) = match name.strip_suffix(TEMPORARY) {
            Some(name) => (name, true),
            None => (name, false),
        };
        let kind = match name.split_once('.') {
            Some((hex, "dat")) => KeyDigest::from_hex(hex).map(Self::Media),
            Some((hex, "json")) => KeyDigest::from_hex(hex).map(Self::Sidecar),
            Some((hex, "dat.new")) => KeyDigest::from_hex(hex).map(Self::NewMedia),
            Some((hex, "json.new")) => KeyDigest::from_hex(hex).map(Self::NewSidecar),
            _ => (name == OLD_INDEX).then_some(Self::OldIndex),
        };
        match kind {
            Some(_) if temporary => Self::Leftover,
            Some(kind) => kind,
            None => Self::Foreign,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "100680ad546ce6a577f42f52df33b4cfdca756859e664b8d7de329b150d09ce9";

    #[test]
    fn files_with_other_names_are_foreign() {
        let digest = KeyDigest::from_hex(HEX).unwrap();
        assert_eq!(FileKind::of(&format!("{HEX}.dat")), FileKind::Media(digest));
        assert_eq!(FileKind::of(&format!("{HEX}.json")), FileKind::Sidecar(digest));
        assert_eq!(FileKind::of(&digest.new_media_file()), FileKind::NewMedia(digest));
        assert_eq!(FileKind::of(&digest.new_sidecar_file()), FileKind::NewSidecar(digest));
        assert_eq!(FileKind::of(&format!("{}.tmp", digest.new_media_file())), FileKind::Leftover);
        assert_eq!(FileKind::of(&format!("{HEX}.dat.tmp")), FileKind::Leftover);
        assert_eq!(FileKind::of(&format!("{HEX}.json.tmp")), FileKind::Leftover);
        assert_eq!(FileKind::of("media-cache.index"), FileKind::OldIndex);
        assert_eq!(FileKind::of("media-cache.index.tmp"), FileKind::Leftover);
        let upper = HEX.to_uppercase();
        for name in [
            "notes.txt",
            "x.dat",
            "media-cache.lock",
            &format!("{upper}.dat"),
            &format!("{HEX}.png"),
            &format!("{HEX}.new"),
            &format!("{HEX}.dat.new.new"),
            &format!("{HEX}.tmp"),
            HEX,
            ".tmp",
            "",
        ] {
            assert_eq!(FileKind::of(name), FileKind::Foreign, "{name}");
        }
    }
}
