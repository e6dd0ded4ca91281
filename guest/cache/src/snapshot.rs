//! The saved index: one JSON object per line, least recently used entry first.
//!
//! It saves a start from reading every sidecar, and keeps what sidecars do not have: the order of use and the hits. The directory
//! remains the source of truth: an entry without its files is not taken from here, one that is missing here is read from its
//! sidecar, and the sidecar of each is compared when it is read for the first time. Unreadable lines are skipped.

use media_cache_entry_files::{KeyDigest, Metadata, decode_hex, encode_hex, is_validator, stored_cacheability};
use serde::{Deserialize, Serialize};

use crate::entry::Entry;

/// The first line. A file with any other is of another version, and is not read.
const HEADER: &str = r#"{"media-cache-index":1}"#;

/// The largest snapshot that is read, in bytes: it becomes one value in the memory of the component. A larger one is ignored, and the
/// sidecars are read instead.
pub const MAX_BYTES: u64 = 1 << 30;

#[derive(Serialize, Deserialize)]
struct Line {
    url: String,
    mimetype: String,
    filename: String,
    /// Bytes of media.
    size: u64,
    /// Bytes of sidecar.
    sidecar: u64,
    /// Milliseconds since 1970.
    stored: u64,
    /// Milliseconds since 1970.
    accessed: u64,
    hits: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    sha256: Option<String>,
    #[serde(skip_serializing_if = "is_default", default)]
    private: bool,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    max_age: Option<u32>,
    #[serde(skip_serializing_if = "is_default", default)]
    age: u32,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    last_modified: Option<String>,
    #[serde(skip_serializing_if = "is_default", default)]
    cost: u32,
}

impl Line {
    fn of<B>(entry: &Entry<B>) -> Self {
        let metadata = Metadata::clone(&entry.metadata);
        Self {
            url: entry.url.clone(),
            mimetype: metadata.mimetype,
            filename: metadata.filename,
            size: entry.size,
            sidecar: entry.sidecar_size,
            stored: metadata.stored_at,
            accessed: entry.accessed_at,
            hits: entry.hits,
            sha256: entry.body_digest.as_ref().map(encode_hex),
            private: entry.metadata.is_private(),
            max_age: metadata.max_age,
            age: metadata.age,
            etag: metadata.etag,
            last_modified: metadata.last_modified,
            cost: metadata.cost,
        }
    }

    fn into_entry<B>(self) -> Entry<B> {
        let metadata = Metadata {
            cacheability: stored_cacheability(&self.url, self.private),
            max_age: self.max_age,
            age: self.age,
            etag: self.etag.filter(|text| is_validator(text)),
            last_modified: self.last_modified.filter(|text| is_validator(text)),
            cost: self.cost,
            ..Metadata::new(self.mimetype, &self.filename, self.stored)
        };
        Entry {
            digest: KeyDigest::of(&self.url),
            url: self.url,
            metadata: metadata.into(),
            size: self.size,
            sidecar_size: self.sidecar,
            accessed_at: self.accessed,
            hits: self.hits,
            waiters: 0,
            body_digest: self.sha256.as_deref().and_then(decode_hex),
            committed: true,
            from_snapshot: true,
            resident: None,
            replacing: None,
        }
    }
}

/// Writes entries, which come coldest first.
pub fn write<'a, B: 'a>(entries: impl Iterator<Item = &'a Entry<B>>) -> Vec<u8> {
    let mut text = HEADER.as_bytes().to_vec();
    for entry in entries {
        text.push(b'\n');
        // Strings and numbers can always be written; an incomplete line would be skipped by the reader.
        let _ = serde_json::to_writer(&mut text, &Line::of(entry));
    }
    text.push(b'\n');
    text
}

/// Reads entries, in the order in which they were written.
pub fn read<B>(text: &[u8]) -> impl Iterator<Item = Entry<B>> + '_ {
    let mut lines = text.split(|byte| *byte == b'\n');
    let ours = lines.next() == Some(HEADER.as_bytes());
    lines.take_while(move |_| ours).filter_map(|line| serde_json::from_slice::<Line>(line).ok()).map(|line| line.into_entry())
}

/// For fields that are written only if they differ from the default.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use media_cache_entry_files::{Cacheability, Sidecar};

    use super::*;

    fn entry(url: &str, body_digest: Option<[u8; 32]>) -> Entry<()> {
        let metadata = Metadata::new("image/png".into(), "a \"b\".png", 1);
        let sidecar = Sidecar { url: url.into(), size: 10, body_digest, metadata: metadata.into() };
        Entry { accessed_at: 2, hits: 3, ..Entry::from_sidecar(KeyDigest::of(url), sidecar, 100) }
    }

    fn private(url: &str) -> Entry<()> {
        let mut entry = entry(url, None);
        entry.metadata = Rc::new(Metadata {
            cacheability: Cacheability::Private,
            max_age: Some(60),
            age: 7,
            etag: Some("\"1\"".into()),
            last_modified: Some("yesterday".into()),
            cost: 5,
            ..Metadata::clone(&entry.metadata)
        });
        entry
    }

    fn fields(entry: &Entry<()>) -> (KeyDigest, String, Metadata, [u64; 4], Option<[u8; 32]>) {
        let numbers = [entry.size, entry.sidecar_size, entry.accessed_at, entry.hits];
        (entry.digest, entry.url.clone(), Metadata::clone(&entry.metadata), numbers, entry.body_digest)
    }

    #[test]
    fn entries_are_read_back_in_order() {
        let entries = [entry("https://x/b", None), private("https://x/c"), entry("https://x/a", Some([9; 32]))];
        let text = write(entries.iter());
        let back: Vec<Entry<()>> = read(&text).collect();
        assert_eq!(back.iter().map(fields).collect::<Vec<_>>(), entries.iter().map(fields).collect::<Vec<_>>());
    }

    #[test]
    fn lines_without_optional_fields_are_read() {
        let line = r#"{"url":"https://x/a","mimetype":"image/png","filename":"../a.png","size":1,"sidecar":2,"stored":3,"accessed":4,"hits":5}"#;
        let text = format!("{HEADER}\n{line}\n");
        let back: Vec<Entry<()>> = read(text.as_bytes()).collect();
        assert_eq!(back.first().map(|entry| Metadata::clone(&entry.metadata)), Some(Metadata::new("image/png".into(), "a.png", 3)));
    }

    #[test]
    fn unreadable_lines_are_skipped() {
        let mut text = write([entry("https://x/a", None), entry("https://x/b", None)].iter());
        text.extend(b"{\"url\":1}\n\xff\n");
        text.extend(&write([entry("https://x/c", None)].iter())[HEADER.len() + 1..]);
        let urls: Vec<String> = read::<()>(&text).map(|entry| entry.url).collect();
        assert_eq!(urls, ["https://x/a", "https://x/b", "https://x/c"]);
    }

    #[test]
    fn a_truncated_file_has_its_whole_lines_and_one_of_another_version_nothing() {
        let text = write([entry("https://x/a", None), entry("https://x/b", None)].iter());
        assert_eq!(read::<()>(&text[..text.len() - 20]).count(), 1);
        assert_eq!(read::<()>(&text[1..]).count(), 0);
        assert_eq!(read::<()>(b"").count(), 0);
        assert_eq!(read::<()>(br#"{"media-cache-index":2}"#).count(), 0);
    }
}
