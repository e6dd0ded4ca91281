//! Checks a response by its status and headers, before its body is received.

use std::time::SystemTime;

use headers::{Date, Header};
use http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER, TRANSFER_ENCODING,
};
use http::{Response, StatusCode};

use media_cache_interfaces::FetchError;

/// How many bytes of an origin's header are quoted in a message.
const MAX_QUOTED_BYTES: usize = 40;

/// The `Location` of a redirect.
pub(crate) fn redirect_location<B>(response: &Response<B>) -> Option<&HeaderValue> {
    let is_redirect = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    response.headers().get(LOCATION).filter(|_| is_redirect)
}

/// Checks that a response has the whole media, without a content coding.
pub(crate) fn check_whole_and_plain<B>(response: &Response<B>) -> Result<(), FetchError> {
    match response.status() {
        StatusCode::OK => {}
        StatusCode::PARTIAL_CONTENT => return Err(FetchError::PartialBody),
        StatusCode::NOT_FOUND => return Err(FetchError::NotFound),
        StatusCode::GONE => return Err(FetchError::Gone),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            return Err(FetchError::Unavailable(retry_after(response.headers(), SystemTime::now())));
        }
        other => return Err(FetchError::OriginStatus(other.as_u16())),
    }
    let headers = response.headers();
    if headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH) {
        // A proxy on the way may have believed the other one (RFC 9112, section 6.3).
        return Err(FetchError::BrokenAnswer("it says in two ways, as a length and in chunks, where its body ends".into()));
    }
    check_codings(headers, CONTENT_ENCODING, "identity", usize::MAX)?;
    check_codings(headers, TRANSFER_ENCODING, "chunked", 1)
}

/// Rejects every coding but the allowed one, and that one if it is applied more often than `times`. Codings that were not requested
/// are not decoded, and coded bytes must not pass for the media.
fn check_codings(headers: &HeaderMap, header: HeaderName, allowed: &str, times: usize) -> Result<(), FetchError> {
    let values = headers.get_all(&header).into_iter();
    let codings = values.flat_map(|value| value.as_bytes().split(|&b| b == b',')).map(<[u8]>::trim_ascii);
    let codings: Vec<&[u8]> = codings.filter(|coding| !coding.is_empty()).collect();
    let foreign = |coding: &&[u8]| !coding.eq_ignore_ascii_case(allowed.as_bytes());
    match codings.iter().copied().find(foreign).or_else(|| codings.get(times).copied()) {
        Some(coding) => {
            let quoted = coding[..coding.len().min(MAX_QUOTED_BYTES)].escape_ascii();
            Err(FetchError::EncodedBody(quoted.to_string()))
        }
        None => Ok(()),
    }
}

/// The `Retry-After` of a response in seconds, in either form of RFC 9110, section 10.2.3: a number of seconds, or a date, which counts
/// from `now`. Any other value is ignored.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<u32> {
    let value = headers.get(RETRY_AFTER)?;
    let text = value.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return Some(text.parse().unwrap_or(u32::MAX));
    }
    let date: SystemTime = Date::decode(&mut std::iter::once(value)).ok()?.into();
    let wait = date.duration_since(now).unwrap_or_default();
    Some(u32::try_from(wait.as_secs()).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn retry_after_is_a_number_of_seconds_or_a_date() {
        // One minute before the date of the examples in RFC 9110.
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777 - 60);
        let table = [
            ("120", Some(120)),
            ("0", Some(0)),
            (" 7 ", Some(7)),
            ("99999999999999999999999", Some(u32::MAX)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(60)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(60)),
            ("Sun Nov  6 08:49:37 1994", Some(60)),
            ("Sun, 06 Nov 1994 08:40:00 GMT", Some(0)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ];
        for (value, expected) in table {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(value))]);
            assert_eq!(retry_after(&headers, now), expected, "{value:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
