//! The sidecar: the file next to the media that describes it.
//!
//! Five fields are shared with other implementations of this format: `mimetype`, `filename`, `url`, `ts` (seconds since 1970, with
//! fractions) and `size`. Fields that are specific to this project follow them, and are omitted if they have default values. Reading
//! tolerates everything except a missing `url` or `size`, without which there is no entry.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::hex::{decode_hex, encode_hex};
use crate::json_surrogates::mend_surrogates;
use crate::metadata::{Metadata, is_validator, stored_cacheability};

/// The largest sidecar that is read, in bytes. A URL is at most 8 KiB long, or six times that when escaped.
pub const LARGEST_SIDECAR: u64 = 128 * 1024;

/// The latest time in milliseconds since 1970 (around the year 73,000) that can still be distinguished from the adjacent milliseconds when
/// it is written as seconds with fractions. Later times are replaced with this one.
const LATEST: u64 = 1 << 51;

/// The content of a sidecar.
#[derive(Clone, Debug, PartialEq)]
pub struct Sidecar {
    /// The cache key.
    pub url: String,
    /// The size of the media in bytes.
    pub size: u64,
    /// The SHA-256 digest of the media. Other programs may write sidecars without it.
    pub body_digest: Option<[u8; 32]>,
    /// The metadata of the media.
    pub metadata: Arc<Metadata>,
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
    #[serde(skip_serializing_if = "is_default")]
    private: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_age: Option<u32>,
    #[serde(skip_serializing_if = "is_default")]
    age: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    etag: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_modified: Option<&'a str>,
    #[serde(skip_serializing_if = "is_default")]
    cost: u32,
}

/// Whether a field has its default value, in which case it is not written.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
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
    #[serde(default)]
    private: Value,
    #[serde(default)]
    max_age: Value,
    #[serde(default)]
    age: Value,
    #[serde(default)]
    etag: Value,
    #[serde(default)]
    last_modified: Value,
    #[serde(default)]
    cost: Value,
}

impl Sidecar {
    /// Returns the content of the file.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let metadata = &self.metadata;
        let written = Written {
            mimetype: &metadata.mimetype,
            filename: &metadata.filename,
            url: &self.url,
            ts: seconds(metadata.stored_at),
            size: self.size,
            sha256: self.body_digest.as_ref().map(encode_hex),
            private: metadata.is_private(),
            max_age: metadata.max_age,
            age: metadata.age,
            etag: metadata.etag.as_deref(),
            last_modified: metadata.last_modified.as_deref(),
            cost: metadata.cost,
        };
        serde_json::to_vec(&written).unwrap_or_default()
    }

    /// Returns the content of the file, if it is within the size limit.
    ///
    /// # Errors
    /// Fails if the file would be too large to be read back.
    pub fn to_checked_json(&self) -> Result<Vec<u8>, String> {
        let json = self.to_json();
        if json.len() as u64 > LARGEST_SIDECAR {
            return Err(format!("the sidecar has {} bytes; the limit is {LARGEST_SIDECAR}", json.len()));
        }
        Ok(json)
    }

    /// Returns the same sidecar with a digest of the body.
    #[must_use]
    pub fn with_body_digest(self, digest: [u8; 32]) -> Self {
        Self { body_digest: Some(digest), ..self }
    }

    /// Parses the content of a file, which another program may have written. Returns `None` if it does not describe an entry.
    #[must_use]
    pub fn from_json(json: &[u8]) -> Option<Self> {
        let read: Read = serde_json::from_slice(json).or_else(|_| serde_json::from_slice(&mend_surrogates(json))).ok()?;
        // A size must be a whole number below 2^53, in any notation.
        let whole = read.size >= 0.0 && read.size < 9_007_199_254_740_992.0 && read.size.fract() == 0.0;
        whole.then(|| Self {
            metadata: read.metadata().into(),
            body_digest: text(&read.sha256).and_then(decode_hex),
            size: read.size as u64,
            url: read.url,
        })
    }
}

impl Read {
    fn metadata(&self) -> Metadata {
        let stored_at = milliseconds(self.ts.as_f64().unwrap_or(0.0));
        // Any value but null and `false` means private, so that media does not become public by accident.
        let is_private = !matches!(self.private, Value::Null | Value::Bool(false));
        Metadata {
            cacheability: stored_cacheability(&self.url, is_private),
            max_age: number(&self.max_age),
            age: number(&self.age).unwrap_or(0),
            etag: validator(&self.etag),
            last_modified: validator(&self.last_modified),
            cost: number(&self.cost).unwrap_or(0),
            ..Metadata::new(text(&self.mimetype).unwrap_or_default().into(), text(&self.filename).unwrap_or_default(), stored_at)
        }
    }
}

/// The value of an optional field if it is a non-empty string.
fn text(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.is_empty())
}

/// The value of an optional field if it is a whole number that fits.
fn number(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|number| u32::try_from(number).ok())
}

/// The value of an optional field if it is a valid header value.
fn validator(value: &Value) -> Option<String> {
    text(value).filter(|text| is_validator(text)).map(Into::into)
}

/// Converts milliseconds to seconds.
#[must_use]
pub fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1000.0
}

/// Converts seconds to milliseconds. A negative time becomes 0, and a time that is too late to be exact becomes the latest exact one.
#[must_use]
pub fn milliseconds(seconds: f64) -> u64 {
    ((seconds * 1000.0).round() as u64).min(LATEST)
}

#[cfg(test)]
mod tests;
