//! Where response bodies from origins end, according to their headers and their bytes.

use http::{HeaderMap, HeaderName, HeaderValue};
use media_cache_http_downloader::fuzzing::{ChunkedBody, ResponseHead};
use media_cache_http_downloader::{BodyFraming, BodySender, FramingError, check_framing};

use crate::input::Input;

const HEADERS: [HeaderName; 3] = [http::header::TRANSFER_ENCODING, http::header::CONTENT_LENGTH, http::header::CONTENT_ENCODING];

/// The input: a number of header lines, each with a byte that selects its name and a line with its value, and the bytes sent over the
/// connection, which are split at one position.
pub fn framing(data: &[u8]) {
    let mut input = Input::new(data);
    let mut headers = HeaderMap::new();
    for _ in 0..input.byte() % 8 {
        let name = &HEADERS[usize::from(input.byte()) % HEADERS.len()];
        if let Ok(value) = HeaderValue::from_bytes(input.line()) {
            headers.append(name, value);
        }
    }
    check_headers(&headers);
    let at = usize::from(input.byte());
    let bytes = input.rest();
    let (first, second) = bytes.split_at(at.min(bytes.len()));
    check_head(bytes, first, second);
    check_chunks(bytes, first, second);
}

fn check_headers(headers: &HeaderMap) {
    let of_origin = check_framing(headers, BodySender::Origin);
    match check_framing(headers, BodySender::Uploader) {
        Ok(framing) => assert_eq!(of_origin, Ok(framing), "an uploader may not use more than an origin"),
        Err(FramingError::ContentCoding(_)) => {}
        Err(error) => assert_eq!(of_origin, Err(error), "they differ only in content codings"),
    }
    let is = |name: &HeaderName, text: &str| {
        let line = headers.get(name).filter(|_| headers.get_all(name).iter().count() == 1);
        line.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(text.as_bytes()))
    };
    match of_origin {
        Ok(BodyFraming::Length(length)) => {
            assert!(!headers.contains_key(&HEADERS[0]) || !is(&HEADERS[0], "chunked"));
            let lines = headers.get_all(&HEADERS[1]).iter().filter_map(|line| line.to_str().ok());
            for item in lines.flat_map(|line| line.split(',')) {
                assert_eq!(item.trim_matches([' ', '\t']).parse(), Ok(length));
            }
        }
        Ok(BodyFraming::Chunked) => assert!(headers.contains_key(&HEADERS[0]) && !headers.contains_key(&HEADERS[1])),
        Ok(BodyFraming::Unannounced) => assert!(!headers.contains_key(&HEADERS[1]) && !is(&HEADERS[0], "chunked")),
        Err(error) => assert!(error.to_string().len() < 300, "{error}"),
    }
}

fn check_head(bytes: &[u8], first: &[u8], second: &[u8]) {
    let (mut whole, mut split) = (ResponseHead::default(), ResponseHead::default());
    let length = whole.read(bytes);
    assert_eq!(split.read(first) + split.read(second), length, "it does not matter how a head is split");
    assert!(length <= bytes.len());
}

fn check_chunks(bytes: &[u8], first: &[u8], second: &[u8]) {
    let (mut whole, mut split) = (ChunkedBody::default(), ChunkedBody::default());
    whole.read(bytes);
    split.read(first);
    split.read(second);
    assert_eq!(whole.end(), split.end(), "it does not matter how chunks are split");
    if let Some(end) = whole.end() {
        let end = usize::try_from(end).unwrap_or(usize::MAX);
        assert!(end <= bytes.len() && bytes[..end].ends_with(b"\r\n"));
    }
}
