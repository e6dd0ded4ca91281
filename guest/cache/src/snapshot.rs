//! The index, written down: one JSON object a line, the least recently used entry first.
//!
//! It saves a start from reading every sidecar, and keeps what sidecars do not know: the order of use and the hits. It is a memory
//! aid and no more. The directory is the truth: an entry without its files is not taken from here, and one that is missing here is
//! read from its sidecar. A line that cannot be read is passed over.

use serde::{Deserialize, Serialize};

use crate::digest::{Key, decode_hex, encode_hex};
use crate::index::Entry;

/// What the first line says. A file with another first line is of another version, and not read.
const HEADER: &str = r#"{"media-cache-index":1}"#;

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
}

/// Writes down the entries, which come with the coldest first.
pub fn write<'a, B: 'a>(entries: impl Iterator<Item = &'a Entry<B>>) -> Vec<u8> {
    let mut text = HEADER.as_bytes().to_vec();
    for entry in entries {
        let line = Line {
            url: entry.url.clone(),
            mimetype: entry.mimetype.clone(),
            filename: entry.filename.clone(),
            size: entry.size,
            sidecar: entry.sidecar_size,
            stored: entry.stored_at,
            accessed: entry.accessed_at,
            hits: entry.hits,
            sha256: entry.digest.as_ref().map(encode_hex),
        };
        text.push(b'\n');
        // Strings and numbers can always be written; a line that could not would be passed over by the reader.
        let _ = serde_json::to_writer(&mut text, &line);
    }
    text.push(b'\n');
    text
}

/// Reads the entries back, in the order in which they were written.
pub fn read<B>(text: &[u8]) -> impl Iterator<Item = Entry<B>> + '_ {
    let mut lines = text.split(|byte| *byte == b'\n');
    let ours = lines.next() == Some(HEADER.as_bytes());
    lines.take_while(move |_| ours).filter_map(|line| serde_json::from_slice::<Line>(line).ok()).map(|line| Entry {
        key: Key::of(&line.url),
        url: line.url,
        mimetype: line.mimetype,
        filename: line.filename,
        size: line.size,
        sidecar_size: line.sidecar,
        stored_at: line.stored,
        accessed_at: line.accessed,
        hits: line.hits,
        digest: line.sha256.as_deref().and_then(decode_hex),
        committed: true,
        resident: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(url: &str, digest: Option<[u8; 32]>) -> Entry<()> {
        Entry {
            key: Key::of(url),
            url: url.into(),
            mimetype: "image/png".into(),
            filename: "a\n\"b\".png".into(),
            size: 10,
            sidecar_size: 100,
            stored_at: 1,
            accessed_at: 2,
            hits: 3,
            digest,
            committed: true,
            resident: None,
        }
    }

    fn fields(entry: &Entry<()>) -> (Key, String, String, [u64; 5], Option<[u8; 32]>) {
        let numbers = [entry.size, entry.sidecar_size, entry.stored_at, entry.accessed_at, entry.hits];
        (entry.key, entry.url.clone(), entry.filename.clone(), numbers, entry.digest)
    }

    #[test]
    fn what_is_written_is_read_back_in_order() {
        let entries = [entry("https://x/b", None), entry("https://x/a", Some([9; 32]))];
        let text = write(entries.iter());
        let back: Vec<Entry<()>> = read(&text).collect();
        assert_eq!(back.iter().map(fields).collect::<Vec<_>>(), entries.iter().map(fields).collect::<Vec<_>>());
    }

    #[test]
    fn lines_that_cannot_be_read_are_passed_over() {
        let mut text = write([entry("https://x/a", None), entry("https://x/b", None)].iter());
        text.extend(b"{\"url\":1}\n\xff\n");
        text.extend(&write([entry("https://x/c", None)].iter())[HEADER.len() + 1..]);
        let urls: Vec<String> = read::<()>(&text).map(|entry| entry.url).collect();
        assert_eq!(urls, ["https://x/a", "https://x/b", "https://x/c"]);
    }

    #[test]
    fn a_file_of_another_version_or_cut_short_gives_what_it_has() {
        let text = write([entry("https://x/a", None), entry("https://x/b", None)].iter());
        assert_eq!(read::<()>(&text[..text.len() - 20]).count(), 1);
        assert_eq!(read::<()>(&text[1..]).count(), 0);
        assert_eq!(read::<()>(b"").count(), 0);
        assert_eq!(read::<()>(br#"{"media-cache-index":2}"#).count(), 0);
    }
}
