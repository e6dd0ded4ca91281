//! The file beside the media that says what it is.
//!
//! Five fields are shared with other implementations of this format: `mimetype`, `filename`, `url`, `ts` (seconds since 1970, with
//! fractions) and `size`. What we add stands beside them (`sha256`), and is left out where it is not known. Reading is forgiving
//! of everything but the two fields without which there is no entry: `url` and `size`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::{decode_hex, encode_hex};

/// The largest sidecar that is read, in bytes. A URL has at most 8 KiB, six times that when it is escaped.
pub const LARGEST: u64 = 128 * 1024;

/// The latest time that is told from the millisecond before and after it once it is written as seconds with fractions, in
/// milliseconds since 1970: the year 73,000. What is later is taken for that.
const LATEST: u64 = 1 << 51;

/// What is known of the media.
#[derive(Clone, Debug, PartialEq)]
pub struct Sidecar {
    /// Where it came from, as the caller gave it.
    pub url: String,
    /// Its media type.
    pub mimetype: String,
    /// Its file name.
    pub filename: String,
    /// When it was stored, in milliseconds since 1970.
    pub stored_at: u64,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256, where we wrote it.
    pub digest: Option<[u8; 32]>,
}

#[derive(Serialize)]
struct Written<'a> {
    mimetype: &'a str,
    filename: &'a str,
    url: &'a str,
    ts: f64,
    size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

#[derive(Deserialize)]
struct Read {
    url: String,
    size: f64,
    #[serde(default)]
    mimetype: Value,
    #[serde(default)]
    filename: Value,
    #[serde(default)]
    ts: Value,
    #[serde(default)]
    sha256: Value,
}

impl Sidecar {
    /// The content of the file.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let written = Written {
            mimetype: &self.mimetype,
            filename: &self.filename,
            url: &self.url,
            ts: seconds(self.stored_at),
            size: self.size,
            sha256: self.digest.as_ref().map(encode_hex),
        };
        serde_json::to_vec(&written).unwrap_or_default()
    }

    /// Reads the content of a file, whoever wrote it. `None` where there is no entry in it.
    #[must_use]
    pub fn from_json(json: &[u8]) -> Option<Self> {
        let read: Read = serde_json::from_slice(json).or_else(|_| serde_json::from_slice(&mend_surrogates(json))).ok()?;
        // A size is a whole number below 2^53, in whichever way it is written.
        let whole = read.size >= 0.0 && read.size < 9_007_199_254_740_992.0 && read.size.fract() == 0.0;
        whole.then(|| Self {
            url: read.url,
            mimetype: text(&read.mimetype).unwrap_or("application/octet-stream").into(),
            filename: text(&read.filename).unwrap_or("media").into(),
            stored_at: milliseconds(read.ts.as_f64().unwrap_or(0.0)),
            size: read.size as u64,
            digest: text(&read.sha256).and_then(decode_hex),
        })
    }
}

/// What is written in an optional field, if it is text at all.
fn text(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.is_empty())
}

/// Python writes half of a surrogate pair as it is (`\ud83d`), which is no character. It becomes U+FFFD, as elsewhere.
fn mend_surrogates(json: &[u8]) -> Vec<u8> {
    let mut mended = Vec::with_capacity(json.len());
    let mut rest = json;
    while let Some(byte) = rest.first() {
        let taken = match (surrogate(rest), rest.get(6..).and_then(surrogate)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(_), _) => {
                mended.extend(b"\\ufffd");
                rest = &rest[6..];
                continue;
            }
            // What follows a backslash belongs to it.
            (None, _) if *byte == b'\\' => 2.min(rest.len()),
            (None, _) => 1,
        };
        let (whole, after) = rest.split_at(taken);
        mended.extend(whole);
        rest = after;
    }
    mended
}

/// The surrogate that is escaped at the beginning of this, if one is.
fn surrogate(json: &[u8]) -> Option<u16> {
    let digits = json.strip_prefix(b"\\u")?.get(..4)?;
    let code = u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    (0xd800..=0xdfff).contains(&code).then_some(code)
}

/// Milliseconds as seconds.
#[must_use]
pub fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1000.0
}

/// Seconds as milliseconds; what is negative becomes 0, and what is too late to be exact the latest time that is.
#[must_use]
pub fn milliseconds(seconds: f64) -> u64 {
    ((seconds * 1000.0).round() as u64).min(LATEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sidecar() -> Sidecar {
        Sidecar {
            url: "https://example.com/a.png?x=\"1\"".into(),
            mimetype: "image/png".into(),
            filename: "ä.png".into(),
            stored_at: 1_732_286_259_123,
            size: 1234,
            digest: Some([7; 32]),
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        assert_eq!(Sidecar::from_json(&sidecar().to_json()), Some(sidecar()));
        let plain = Sidecar { digest: None, ..sidecar() };
        assert_eq!(Sidecar::from_json(&plain.to_json()), Some(plain));
    }

    #[test]
    fn times_that_are_too_late_to_be_exact_become_one_that_is() {
        for written in ["4451607788496.902", "1e17", "1e300"] {
            let json = format!(r#"{{"url":"u","size":1,"ts":{written}}}"#);
            let read = Sidecar::from_json(json.as_bytes()).unwrap();
            assert_eq!(read.stored_at, LATEST, "{written}");
            assert_eq!(Sidecar::from_json(&read.to_json()), Some(read));
        }
        for stored_at in [LATEST - 3, LATEST - 2, LATEST - 1] {
            let late = Sidecar { stored_at, ..sidecar() };
            assert_eq!(Sidecar::from_json(&late.to_json()), Some(late));
        }
    }

    #[test]
    fn the_five_shared_fields_have_their_shared_types() {
        let json: Value = serde_json::from_slice(&sidecar().to_json()).unwrap();
        assert_eq!(json["url"], "https://example.com/a.png?x=\"1\"");
        assert_eq!(json["mimetype"], "image/png");
        assert_eq!(json["filename"], "ä.png");
        assert_eq!(json["ts"].as_f64(), Some(1_732_286_259.123));
        assert_eq!(json["size"].as_u64(), Some(1234));
    }

    #[test]
    fn pythons_output_is_read() {
        let json = br#"{"mimetype": "image/png", "filename": "\u00e4\ud83d\ude00.png", "url": "https://x/a", "ts": 1732286259.5, "size": 10}"#;
        let sidecar = Sidecar::from_json(json).unwrap();
        assert_eq!((sidecar.filename.as_str(), sidecar.stored_at, sidecar.size), ("ä😀.png", 1_732_286_259_500, 10));
        let sidecar =
            Sidecar::from_json(br#"{"url": "https://x/a", "ts": 1732286259, "size": 10.0, "mimetype": null, "new": [1]}"#).unwrap();
        assert_eq!((sidecar.mimetype.as_str(), sidecar.filename.as_str()), ("application/octet-stream", "media"));
        assert_eq!(sidecar.stored_at, 1_732_286_259_000);
    }

    #[test]
    fn half_a_surrogate_pair_becomes_a_replacement_character() {
        for (written, read) in [
            (r"a\ud83d.png", "a\u{fffd}.png"),
            (r"\ude00\ud83d\ude00", "\u{fffd}😀"),
            (r"\ud83d\ud83d\ude00", "\u{fffd}😀"),
            (r"\\ud83d\ud83d", "\\ud83d\u{fffd}"),
        ] {
            let json = format!(r#"{{"url":"u","size":1,"filename":"{written}"}}"#);
            assert_eq!(Sidecar::from_json(json.as_bytes()).unwrap().filename, read, "{written}");
        }
        assert_eq!(Sidecar::from_json(br#"{"url":"u","size":1,"filename":"\ud8"#), None);
    }

    #[test]
    fn optional_fields_of_another_type_do_no_harm() {
        let json = br#"{"url":"u","size":1,"ts":"2024-11-22","filename":5,"mimetype":["a"],"sha256":true}"#;
        let sidecar = Sidecar::from_json(json).unwrap();
        assert_eq!((sidecar.filename.as_str(), sidecar.stored_at, sidecar.digest), ("media", 0, None));
    }

    #[test]
    fn what_is_no_entry_is_not_read() {
        for json in
            ["", "{", "[]", "null", r#"{"url":"u"}"#, r#"{"size":1}"#, r#"{"url":"u","size":-1}"#, r#"{"url":"u","size":1.5}"#]
        {
            assert_eq!(Sidecar::from_json(json.as_bytes()), None, "{json}");
        }
        assert_eq!(Sidecar::from_json(br#"{"url":"u","size":1e300}"#), None);
        assert_eq!(Sidecar::from_json(&[0xff, 0xfe]), None);
    }
}
