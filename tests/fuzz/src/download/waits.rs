//! `Retry-After` headers from origins.

use std::time::{Duration, UNIX_EPOCH};

use http::HeaderValue;
use media_cache_http_downloader::fuzzing::retry_after_seconds;

use crate::input::Input;

/// The input: the current time, in seconds since 1970, and the value of a `Retry-After` header.
pub fn retry_after(data: &[u8]) {
    let mut input = Input::new(data);
    let now = input.number() % (1 << 40);
    let Ok(value) = HeaderValue::from_bytes(input.rest()) else { return };
    let at = |seconds: u64| retry_after_seconds(&value, UNIX_EPOCH + Duration::from_secs(seconds));
    let text = value.to_str().map(|text| text.trim_matches([' ', '\t'])).unwrap_or_default();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let digits = text.trim_start_matches('0');
        let expected = if digits.is_empty() { 0 } else { digits.parse().unwrap_or(u32::MAX) };
        assert_eq!(at(now), Some(expected), "{text}");
    } else if let Some(wait) = at(now) {
        let later = at(now + 1);
        assert!(later.is_some_and(|later| later == wait || later + 1 == wait), "the wait until a date shrinks: {wait}, {later:?}");
        assert!(text.contains(':'), "{text} is not a date");
    }
}
