//! Checks a response by its status and headers, before its body is received.

use std::time::{Duration, SystemTime};

use http::header::{CONNECTION, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER, TRANSFER_ENCODING};
use http::{Response, StatusCode, Version};

use crate::framing_rules::{BodyFraming, BodySender, FramingError, check_framing};
use media_cache_interfaces::FetchError;

/// The `Location` of a redirect.
pub(crate) fn redirect_location<B>(response: &Response<B>) -> Option<&HeaderValue> {
    let is_redirect = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    response.headers().get(LOCATION).filter(|_| is_redirect)
}

/// Checks that a response contains the whole media, without a content coding. Returns how its body ends.
pub(crate) fn check_whole_and_plain<B>(response: &Response<B>) -> Result<BodyFraming, FetchError> {
    match response.status() {
        StatusCode::OK | StatusCode::NON_AUTHORITATIVE_INFORMATION => {}
        StatusCode::PARTIAL_CONTENT => return Err(FetchError::PartialBody),
        StatusCode::NOT_FOUND => return Err(FetchError::NotFound),
        StatusCode::GONE => return Err(FetchError::Gone),
        status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => return Err(FetchError::Denied(status.as_u16())),
        StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS => return Err(FetchError::UnavailableForLegalReasons),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            return Err(FetchError::Unavailable(retry_after(response.headers(), SystemTime::now())));
        }
        other => return Err(FetchError::OriginStatus(other.as_u16())),
    }
    check_framing(response.headers(), BodySender::Origin).map_err(|error| match error {
        FramingError::TransferCoding(coding) | FramingError::ContentCoding(coding) => FetchError::EncodedBody(coding),
        FramingError::MisplacedChunked => FetchError::EncodedBody("chunked, which is repeated or is not the last coding".into()),
        FramingError::LengthAndChunked | FramingError::Length(_) => FetchError::BrokenAnswer(error.to_string()),
    })
}

/// How the body of an HTTP/1 response ends, if its connection can serve another request afterwards. This requires HTTP/1.1, a length or
/// chunks, and no `Connection: close` or `upgrade` (RFC 9112, section 9.3).
pub(crate) fn reusable_after<B>(response: &Response<B>) -> Option<BodyFraming> {
    let connection = response.headers().get_all(CONNECTION).iter().flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    let ends = |option: &[u8]| [&b"close"[..], b"upgrade"].iter().any(|end| option.trim_ascii().eq_ignore_ascii_case(end));
    if response.version() != Version::HTTP_11 || connection.into_iter().any(ends) {
        return None;
    }
    match response.status() {
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => Some(BodyFraming::Length(0)),
        StatusCode::SWITCHING_PROTOCOLS => None,
        _ => match check_framing(response.headers(), BodySender::Origin).ok()? {
            BodyFraming::Chunked => Some(BodyFraming::Chunked),
            // For some implementations, a transfer coding, even `identity`, takes precedence over the length.
            BodyFraming::Length(length) if !response.headers().contains_key(TRANSFER_ENCODING) => Some(BodyFraming::Length(length)),
            BodyFraming::Length(_) | BodyFraming::Unannounced => None,
        },
    }
}

/// How long an origin keeps an idle connection, if it states that: the `timeout` of `Keep-Alive`, or the shortest of several.
pub(crate) fn keep_alive_timeout(headers: &HeaderMap) -> Option<Duration> {
    let parameters =
        headers.get_all("keep-alive").iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let seconds = parameters.filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        if name.trim().eq_ignore_ascii_case("timeout") { value.parse::<u32>().ok() } else { None }
    });
    seconds.min().map(|seconds| Duration::from_secs(seconds.into()))
}

/// The `Retry-After` of a response in seconds, counted from `now`. The header is a number of seconds or a date (RFC 9110, section 10.2.3);
/// any other value is ignored.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<u32> {
    retry_after_seconds(headers.get(RETRY_AFTER)?, now)
}

/// The number of seconds from `now` that a `Retry-After` asks to wait. Public for the fuzz target.
pub fn retry_after_seconds(value: &HeaderValue, now: SystemTime) -> Option<u32> {
    let text = value.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return Some(text.parse().unwrap_or(u32::MAX));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    let wait = date.duration_since(now).unwrap_or_default();
    Some(u32::try_from(wait.as_secs()).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use http::HeaderName;

    use super::*;

    #[test]
    fn keep_alive_timeout_is_the_least_that_the_origin_states() {
        for (values, expected) in [
            (&["timeout=5, max=100"][..], Some(5)),
            (&["max=100,Timeout = 15"], Some(15)),
            (&["timeout=\"7\""], Some(7)),
            (&["timeout=5", "timeout=3"], Some(3)),
            (&["timeout=0"], Some(0)),
            (&["timeout=-1, timeout=soon, timeout, timeout=99999999999999999999", "max=2"], None),
            (&[], None),
        ] {
            let name = HeaderName::from_static("keep-alive");
            let headers = values.iter().map(|value| (name.clone(), HeaderValue::from_static(value)));
            let headers: HeaderMap = headers.collect();
            assert_eq!(keep_alive_timeout(&headers), expected.map(Duration::from_secs), "{values:?}");
        }
    }

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
