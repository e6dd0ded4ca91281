//! The media type of a download: the one that its origin declares, or the one that its first bytes indicate.
//!
//! The type must be right, since browsers do not try to detect another one (`X-Content-Type-Options: nosniff`). But a type that browsers
//! execute as active content, such as HTML, is never detected from bytes alone: only an origin can declare it. Bytes without a declared
//! type may be recognised as SVG, which is served as an attachment.

use crate::header_parameters::parameter;
use crate::markup::text_type;
use crate::registered_types::registered_type;
use crate::signatures::Signature;

/// How many bytes at the start of a body [`media_type`] examines.
pub const SNIFFED_BYTES: usize = 8 * 1024;

/// The type of unrecognised bytes.
const UNKNOWN: &str = "application/octet-stream";

/// The registered type of any Ogg file. The contents are more specific.
const OGG: &str = "application/ogg";

/// The types that origins declare if they do not know the type, or to make browsers save the file.
const GENERIC: [&str; 14] = [
    UNKNOWN,
    "application/binary",
    "application/download",
    "application/file",
    "application/force-download",
    "application/octetstream",
    "application/octect-stream",
    "application/save",
    "application/unknown",
    "application/x-binary",
    "application/x-download",
    "application/x-octet-stream",
    "binary/octet-stream",
    "unknown/unknown",
];

/// How many bytes of a text are searched for bytes that do not occur in text (the resource header of <https://mimesniff.spec.whatwg.org>).
const SEARCHED_BYTES: usize = 1445;

/// The longest type or subtype, in bytes (RFC 6838, section 4.2).
const MAX_NAME_BYTES: usize = 127;

/// The media type of a body.
///
/// It is the `Content-Type` header in lower case, without its parameters, and under its registered name (`image/jpeg` for `image/jpg`).
/// Only text keeps its `charset`, as in `text/plain; charset=utf-8`, since the bytes may be unreadable without it.
///
/// If the header is missing, invalid or generic (such as `application/octet-stream`), the type is recognised from `start`, the first bytes
/// of the body (8 KiB suffice). The type of unrecognised bytes is `application/octet-stream`. Bytes that are unmistakably those of an
/// image, audio or video also override a header that declares text, JSON, XML, or another image, audio or video.
#[must_use]
pub fn media_type(header: Option<&str>, start: &[u8]) -> String {
    let start = &start[..start.len().min(SNIFFED_BYTES)];
    let signature = Signature::of(start);
    let Some(declared) = header.and_then(declared_type) else {
        let recognised = signature.map(|signature| signature.mimetype).or_else(|| text_type(start));
        return recognised.unwrap_or(UNKNOWN).to_owned();
    };
    match signature {
        Some(signature) if overrides(&signature, &declared, start) => signature.mimetype.to_owned(),
        _ => declared,
    }
}

/// Whether [`media_type`] is the same for every body that starts with these bytes, unless they are markup. `false` if that is not certain.
pub(crate) fn is_settled(header: Option<&str>, start: &[u8]) -> bool {
    let declared = header.and_then(declared_type);
    match declared {
        _ if start.len() >= SNIFFED_BYTES => true,
        Some(declared) if !may_be_overridden(&declared) && declared != OGG => true,
        // Bytes that are not text may follow.
        Some(declared) if is_text_like(&declared) && start.len() < SEARCHED_BYTES && is_text(start) => {
            Signature::is_settled(start) && !Signature::of(start).is_some_and(|signature| signature.is_certain_media())
        }
        _ => Signature::is_settled(start),
    }
}

/// Whether a declared type may turn out to be wrong once the first bytes are known, so that it cannot be refused earlier.
pub(crate) fn may_be_overridden(declared: &str) -> bool {
    is_media(declared) || is_text_like(declared)
}

/// The type that a `Content-Type` header declares, unless the header is invalid or generic; see [`media_type`].
pub(crate) fn declared_type(header: &str) -> Option<String> {
    let essence = header.split(';').next()?.trim().to_ascii_lowercase();
    let (kind, subtype) = essence.split_once('/')?;
    if !is_restricted_name(kind) || !is_restricted_name(subtype) || GENERIC.contains(&essence.as_str()) {
        return None;
    }
    let registered = registered_type(&essence);
    let is_text = registered.starts_with("text/");
    let charset = if is_text { parameter(header, "charset").filter(|charset| is_restricted_name(charset)) } else { None };
    Some(match charset {
        Some(charset) => format!("{registered}; charset={}", charset.to_ascii_lowercase()),
        None => registered.to_owned(),
    })
}

fn overrides(signature: &Signature, declared: &str, start: &[u8]) -> bool {
    if is_text_like(declared) {
        signature.is_certain_media() && !is_text(start)
    } else if declared == OGG {
        signature.mimetype.ends_with("/ogg")
    } else {
        is_media(declared) && signature.contradicts(declared)
    }
}

fn is_media(mimetype: &str) -> bool {
    ["image/", "audio/", "video/"].iter().any(|kind| mimetype.starts_with(kind))
}

/// Whether a media type is textual: any `text` type, JSON, XML or a script. `image/svg+xml` is both an image and text.
fn is_text_like(mimetype: &str) -> bool {
    const APPLICATIONS: [&str; 8] = ["json", "xml", "javascript", "ecmascript", "x-javascript", "x-ndjson", "yaml", "graphql"];
    let essence = mimetype.split(';').next().unwrap_or_default();
    essence.starts_with("text/")
        || essence.ends_with("+xml")
        || essence.ends_with("+json")
        || essence.strip_prefix("application/").is_some_and(|subtype| APPLICATIONS.contains(&subtype))
}

/// Whether bytes are text by the rules that browsers apply: they have a byte order mark, or no control characters.
fn is_text(start: &[u8]) -> bool {
    let has_byte_order_mark = [&b"\xef\xbb\xbf"[..], b"\xfe\xff", b"\xff\xfe"].iter().any(|mark| start.starts_with(mark));
    let is_binary = |byte: &u8| matches!(byte, 0..=0x08 | 0x0b | 0x0e..=0x1a | 0x1c..=0x1f);
    has_byte_order_mark || !start.iter().take(SEARCHED_BYTES).any(is_binary)
}

/// Whether this is a restricted name (RFC 6838, section 4.2). Types, subtypes and charsets are; wildcards are not.
pub(crate) fn is_restricted_name(name: &str) -> bool {
    name.len() <= MAX_NAME_BYTES
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
}

#[cfg(test)]
mod tests;
