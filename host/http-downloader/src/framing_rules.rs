//! Rules for the header fields that describe the body of a message, shared by downloads and uploads.
//!
//! A body is stored as received, so it must be the media itself: complete, of a definite length, and without a coding that a recipient
//! would have to decode. Bodies are never decoded here, since no coding was requested.

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderName, TRANSFER_ENCODING};

/// How many bytes of a header are quoted in an error.
const MAX_QUOTED_BYTES: usize = 40;

/// The content codings that change the bytes of a body: those that are registered (RFC 9110, section 16.6), and unregistered compression
/// formats. Origins send many other words in `Content-Encoding` that are not codings, such as a charset.
const CONTENT_CODINGS: [&str; 22] = [
    "aes128gcm",
    "br",
    "bzip2",
    "compress",
    "dcb",
    "dcz",
    "deflate",
    "exi",
    "gzip",
    "lz4",
    "lzma",
    "pack200-gzip",
    "sdch",
    "snappy",
    "x-bzip2",
    "x-compress",
    "x-deflate",
    "x-gzip",
    "x-zstd",
    "xz",
    "zlib",
    "zstd",
];

/// The sender of a body. The rules differ only in content codings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodySender {
    /// An origin, whose mistakes cannot be corrected: as in browsers, a `Content-Encoding` that is not a coding is ignored.
    Origin,
    /// A client that uploads. It receives an explanation and can correct its request, so anything but `identity` is an error.
    Uploader,
}

/// How the end of a body is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFraming {
    /// It has this many bytes.
    Length(u64),
    /// It is sent in chunks, and ends after the last one.
    Chunked,
    /// Neither is declared. The body of a request is then empty, and that of a response ends with its connection.
    Unannounced,
}

/// Why a body cannot be stored as received. The texts are quoted from headers: escaped, and at most 40 bytes long.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// A transfer coding other than `chunked` (501 for an upload).
    #[error("its transfer coding is {0}, but only chunked is supported")]
    TransferCoding(String),
    /// `chunked` is repeated, or precedes another coding, so the end of the body is uncertain (RFC 9112, section 6.3; 400 for an upload).
    #[error("its chunked transfer coding is repeated, or is not the last coding")]
    MisplacedChunked,
    /// The body is encoded (415 for an upload).
    #[error("its content coding is {0}, but bodies must not be encoded")]
    ContentCoding(String),
    /// Both chunks and a length are declared, and a proxy in between may have relied on either (RFC 9112, section 6.3; 400 for an upload).
    #[error("it has both a content-length and chunks, so its end is ambiguous")]
    LengthAndChunked,
    /// There are several different lengths, or a length that is not a number of bytes (400 for an upload).
    #[error("its content-length is {0}, which is not a single number")]
    Length(String),
}

/// Checks what the headers of a message say about its body, and returns how the body ends.
///
/// # Errors
/// When the body would not be the unmodified media, or its end is uncertain; see [`FramingError`].
pub fn check_framing(headers: &HeaderMap, sender: BodySender) -> Result<BodyFraming, FramingError> {
    let length = content_length(headers)?;
    let framing = match (is_chunked(headers)?, length) {
        (true, Some(_)) => return Err(FramingError::LengthAndChunked),
        (true, None) => BodyFraming::Chunked,
        (false, Some(length)) => BodyFraming::Length(length),
        (false, None) => BodyFraming::Unannounced,
    };
    let is_applied = |coding: &&[u8]| match sender {
        BodySender::Origin => is_content_coding(coding),
        BodySender::Uploader => !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"),
    };
    match items(headers, &CONTENT_ENCODING).find(is_applied) {
        Some(coding) => Err(FramingError::ContentCoding(quoted(coding))),
        None => Ok(framing),
    }
}

/// Whether the only transfer coding is `chunked`. `identity`, which is no longer a coding, is ignored (RFC 9112, section 7.3).
fn is_chunked(headers: &HeaderMap) -> Result<bool, FramingError> {
    let is = |item: &[u8], coding: &str| item.eq_ignore_ascii_case(coding.as_bytes());
    let is_applied = |item: &&[u8]| !item.is_empty() && !is(item, "identity");
    let codings: Vec<&[u8]> = items(headers, &TRANSFER_ENCODING).filter(is_applied).collect();
    match codings[..] {
        [] => Ok(false),
        // hyper decides by the last item, even if it is empty, whether the body is chunked. The decision here must be the same.
        [coding] if is(coding, "chunked") && items(headers, &TRANSFER_ENCODING).last() == Some(coding) => Ok(true),
        _ => {
            let foreign = codings.iter().find(|coding| !is(coding, "chunked"));
            Err(foreign.map_or(FramingError::MisplacedChunked, |coding| FramingError::TransferCoding(quoted(coding))))
        }
    }
}

/// The declared length, which may be repeated.
fn content_length(headers: &HeaderMap) -> Result<Option<u64>, FramingError> {
    let invalid = |item: &[u8]| FramingError::Length(quoted(item));
    items(headers, &CONTENT_LENGTH).try_fold(None, |known, item| {
        let digits = std::str::from_utf8(item).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let length: u64 = digits.and_then(|text| text.parse().ok()).ok_or_else(|| invalid(item))?;
        if known.is_some_and(|known| known != length) { Err(invalid(item)) } else { Ok(Some(length)) }
    })
}

/// Whether a word in `Content-Encoding` names a content coding. Parameters are ignored.
fn is_content_coding(word: &[u8]) -> bool {
    let name = word.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
    CONTENT_CODINGS.iter().any(|coding| name.eq_ignore_ascii_case(coding.as_bytes()))
}

/// The items of a list header, which may be spread over any number of lines.
fn items<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    headers.get_all(name).into_iter().flat_map(|value| value.as_bytes().split(|&byte| byte == b',')).map(<[u8]>::trim_ascii)
}

fn quoted(item: &[u8]) -> String {
    item[..item.len().min(MAX_QUOTED_BYTES)].escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn check(lines: &[(&'static str, &'static str)], sender: BodySender) -> Result<BodyFraming, FramingError> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        check_framing(&headers, sender)
    }

    const TRANSFER: &str = "transfer-encoding";
    const CONTENT: &str = "content-encoding";
    const LENGTH: &str = "content-length";

    #[test]
    fn body_ends_after_its_length_or_its_last_chunk_or_with_its_connection() {
        use BodyFraming::{Chunked, Length, Unannounced};
        let table: [(&[(&str, &str)], BodyFraming); 13] = [
            (&[], Unannounced),
            (&[(LENGTH, "0")], Length(0)),
            (&[(LENGTH, "18446744073709551615")], Length(u64::MAX)),
            (&[(LENGTH, "6, 6"), (LENGTH, "006")], Length(6)),
            (&[(TRANSFER, "chunked")], Chunked),
            (&[(TRANSFER, "Identity"), (TRANSFER, "CHUNKED")], Chunked),
            (&[(TRANSFER, "identity,chunked")], Chunked),
            (&[(TRANSFER, ", chunked")], Chunked),
            (&[(TRANSFER, "identity"), (LENGTH, "6")], Length(6)),
            (&[(TRANSFER, "identity")], Unannounced),
            (&[(TRANSFER, ""), (LENGTH, "6")], Length(6)),
            (&[(CONTENT, "identity"), (LENGTH, "6")], Length(6)),
            (&[(CONTENT, ""), (LENGTH, "6")], Length(6)),
        ];
        for (lines, expected) in table {
            for sender in [BodySender::Origin, BodySender::Uploader] {
                assert_eq!(check(lines, sender), Ok(expected), "{lines:?}, {sender:?}");
            }
        }
    }

    #[test]
    fn body_with_an_ambiguous_end_is_rejected() {
        let transfer = |coding: &str| FramingError::TransferCoding(coding.into());
        let length = |text: &str| FramingError::Length(text.into());
        let table: [(&[(&str, &str)], FramingError); 14] = [
            (&[(TRANSFER, "chunked"), (LENGTH, "6")], FramingError::LengthAndChunked),
            (&[(TRANSFER, "gzip, chunked")], transfer("gzip")),
            (&[(TRANSFER, "gzip"), (LENGTH, "6")], transfer("gzip")),
            (&[(TRANSFER, "chunked, identity")], FramingError::MisplacedChunked),
            (&[(TRANSFER, "chunked,")], FramingError::MisplacedChunked),
            (&[(TRANSFER, "chunked"), (TRANSFER, "chunked")], FramingError::MisplacedChunked),
            (&[(TRANSFER, "xchunked")], transfer("xchunked")),
            (&[(TRANSFER, "\"chunked\"")], transfer("\\\"chunked\\\"")),
            (&[(LENGTH, "6"), (LENGTH, "7")], length("7")),
            (&[(LENGTH, "")], length("")),
            (&[(LENGTH, "+6")], length("+6")),
            (&[(LENGTH, "6 6")], length("6 6")),
            (&[(LENGTH, "0x6")], length("0x6")),
            (&[(LENGTH, "18446744073709551616")], length("18446744073709551616")),
        ];
        for (lines, expected) in table {
            for sender in [BodySender::Origin, BodySender::Uploader] {
                assert_eq!(check(lines, sender), Err(expected.clone()), "{lines:?}, {sender:?}");
            }
        }
    }

    #[test]
    fn content_codings_are_always_rejected_but_unknown_words_only_from_uploaders() {
        for coding in CONTENT_CODINGS.into_iter().chain(["GZIP", "gzip;q=1", "aws-chunked, gzip", "identity, br", ", zstd"]) {
            for sender in [BodySender::Origin, BodySender::Uploader] {
                assert!(matches!(check(&[(CONTENT, coding)], sender), Err(FramingError::ContentCoding(_))), "{coding}");
            }
        }
        for word in
            ["aws-chunked", "none", "utf-8", "binary", "UTF8", "ISO-8859-1", "8bit", "null", "image/png", "\"\"", "gzipped?"]
        {
            assert_eq!(check(&[(CONTENT, word)], BodySender::Origin), Ok(BodyFraming::Unannounced), "{word}");
            assert!(matches!(check(&[(CONTENT, word)], BodySender::Uploader), Err(FramingError::ContentCoding(_))), "{word}");
        }
    }

    #[test]
    fn only_the_start_of_a_long_coding_is_quoted() {
        let Err(FramingError::TransferCoding(quoted)) =
            check(&[(TRANSFER, "0123456789012345678901234567890123456789x")], BodySender::Origin)
        else {
            panic!("it was accepted");
        };
        assert_eq!(quoted.len(), MAX_QUOTED_BYTES);
    }
}
