//! The headers that the hit lane understands. A request with any other header is left to the router.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::fetch_destination;
use crate::request_rules::is_host;

/// The relevant contents of the headers of a request.
#[derive(Default)]
pub(crate) struct KnownHeaders<'a> {
    /// The client's id for the request.
    pub request_id: Option<&'a [u8]>,
    /// The origin of the page that sent the request.
    pub origin: Option<&'a [u8]>,
    /// The parent of the span of the request.
    pub traceparent: Option<&'a [u8]>,
    pub tracestate: Option<&'a [u8]>,
    /// Conditions and ranges, on which the response depends.
    pub conditions: HeaderMap,
}

/// How the lane uses a header.
enum Use {
    /// The response to a hit does not depend on the header.
    Ignored,
    Host,
    Connection,
    Destination,
    RequestId,
    Origin,
    TraceParent,
    TraceState,
    Condition(HeaderName),
}

impl<'a> KnownHeaders<'a> {
    /// Reads headers. `None` if the router has to handle the request.
    pub fn read(headers: &[httparse::Header<'a>]) -> Option<Self> {
        let mut known = Self::default();
        let mut hosts = 0;
        for header in headers {
            match classify(header.name.as_bytes())? {
                Use::Ignored => {}
                Use::Host if is_host(header.value) => hosts += 1,
                Use::Connection if header.value.eq_ignore_ascii_case(b"keep-alive") => {}
                Use::Destination if fetch_destination::active(header.value).is_none() => {}
                Use::RequestId if known.request_id.is_none() => known.request_id = Some(header.value),
                Use::Origin if known.origin.is_none() => known.origin = Some(header.value),
                Use::TraceParent if known.traceparent.is_none() => known.traceparent = Some(header.value),
                Use::TraceState if known.tracestate.is_none() => known.tracestate = Some(header.value),
                Use::Condition(name) => drop(known.conditions.append(name, HeaderValue::from_bytes(header.value).ok()?)),
                _ => return None,
            }
        }
        (hosts == 1).then_some(known)
    }
}

/// The maximum length of a known name.
const LONGEST: usize = 32;

fn classify(name: &[u8]) -> Option<Use> {
    let mut lower = [0; LONGEST];
    let lower = lower.get_mut(..name.len())?;
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    Some(match &*lower {
        b"host" => Use::Host,
        b"connection" => Use::Connection,
        b"sec-fetch-dest" => Use::Destination,
        b"x-request-id" => Use::RequestId,
        b"origin" => Use::Origin,
        b"range" => Use::Condition(header::RANGE),
        b"if-range" => Use::Condition(header::IF_RANGE),
        b"if-match" => Use::Condition(header::IF_MATCH),
        b"if-none-match" => Use::Condition(header::IF_NONE_MATCH),
        b"if-modified-since" => Use::Condition(header::IF_MODIFIED_SINCE),
        b"if-unmodified-since" => Use::Condition(header::IF_UNMODIFIED_SINCE),
        // `no-cache` does not change the response, and a hit satisfies `only-if-cached`.
        b"cache-control" | b"pragma" => Use::Ignored,
        b"accept" | b"accept-charset" | b"accept-encoding" | b"accept-language" | b"user-agent" | b"referer" | b"cookie"
        | b"dnt" => Use::Ignored,
        b"upgrade-insecure-requests" | b"priority" | b"purpose" | b"save-data" | b"from" | b"x-requested-with" => Use::Ignored,
        b"sec-fetch-mode" | b"sec-fetch-site" | b"sec-fetch-user" | b"sec-purpose" | b"sec-gpc" => Use::Ignored,
        b"forwarded" | b"x-forwarded-for" | b"x-forwarded-host" | b"x-forwarded-port" | b"x-forwarded-proto" | b"x-real-ip" => {
            Use::Ignored
        }
        b"traceparent" => Use::TraceParent,
        b"tracestate" => Use::TraceState,
        b"baggage" => Use::Ignored,
        hint if hint.starts_with(b"sec-ch-") => Use::Ignored,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a>(headers: &[(&'a str, &'a str)]) -> Option<KnownHeaders<'a>> {
        let host = httparse::Header { name: "Host", value: b"x:8080" };
        let others = headers.iter().map(|(name, value)| httparse::Header { name, value: value.as_bytes() });
        KnownHeaders::read(&std::iter::once(host).chain(others).collect::<Vec<_>>())
    }

    #[test]
    fn headers_sent_by_browsers_and_proxies_are_known() {
        let known = read(&[
            ("Connection", "Keep-Alive"),
            ("sec-ch-ua-platform", "\"Linux\""),
            ("User-Agent", "x"),
            ("Sec-Fetch-Dest", "image"),
            ("X-Request-Id", "a"),
            ("Origin", "https://x.org"),
            ("If-None-Match", "\"a\""),
            ("if-none-match", "\"b\""),
        ])
        .unwrap();
        assert_eq!((known.request_id, known.origin), (Some(&b"a"[..]), Some(&b"https://x.org"[..])));
        let tags: Vec<_> = known.conditions.get_all("if-none-match").iter().collect();
        assert_eq!(tags, ["\"a\"", "\"b\""]);
    }

    #[test]
    fn requests_with_headers_that_need_the_router_are_left_to_it() {
        for (name, value) in [
            ("host", "y"),
            ("connection", "close"),
            ("sec-fetch-dest", "script"),
            ("authorization", "Bearer x"),
            ("via", "1.1 x"),
            ("service-worker", "script"),
            ("x-unknown", "1"),
            ("range", "bytes=0-\u{7f}"),
            ("a-name-that-is-longer-than-any-that-is-known", "1"),
        ] {
            assert!(read(&[(name, value)]).is_none(), "{name}: {value}");
        }
        assert!(read(&[("origin", "a"), ("origin", "b")]).is_none());
        assert!(read(&[("x-request-id", "a"), ("x-request-id", "b")]).is_none());
        assert!(KnownHeaders::read(&[]).is_none(), "no host");
        assert!(KnownHeaders::read(&[httparse::Header { name: "host", value: b"a b" }]).is_none());
    }
}
