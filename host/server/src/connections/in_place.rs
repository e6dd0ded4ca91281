//! Responses that bypass hyper and are sent without waiting: the hit lane.

use bytes::Bytes;

use crate::connections::file_body::FileBody;
use crate::sent_media::SentMedia;

/// The maximum number of header lines in a request, as in hyper.
pub(crate) const MAX_HEADERS: usize = 100;

/// Responds to requests in place.
pub(crate) trait RespondInPlace: Send + Sync {
    /// The response to a request, if it is available without waiting. hyper passes all other requests to the router.
    fn respond(&self, request: &RequestHead<'_>) -> Option<InPlaceResponse>;
}

/// The head of an HTTP/1.1 request without a body.
pub(crate) struct RequestHead<'a> {
    pub is_head: bool,
    pub target: &'a str,
    pub headers: &'a [httparse::Header<'a>],
}

/// A response.
pub(crate) struct InPlaceResponse {
    /// The head, without its last lines.
    pub head: Bytes,
    /// The last lines of the head.
    pub last_lines: Vec<u8>,
    pub body: InPlaceBody,
    /// Counts what is sent of the body.
    pub sent: SentMedia,
}

/// The body of a response.
pub(crate) enum InPlaceBody {
    Bytes(Bytes),
    File(FileBody),
}

/// The input received on a connection, up to the end of a head.
pub(crate) enum Received<'a> {
    /// The head is incomplete.
    Partial,
    /// A request without a body, and the length of its head.
    Request(RequestHead<'a>, usize),
    /// A request for hyper, whose head has this length.
    Other(usize),
    /// These bytes and all that follow are for hyper: a request with a body, or something that is not a request.
    Rest,
}

/// Parses the bytes received so far.
pub(crate) fn parse<'a>(
    received: &'a [u8],
    headers: &'a mut [std::mem::MaybeUninit<httparse::Header<'a>>; MAX_HEADERS],
    max_header_bytes: usize,
) -> Received<'a> {
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(received, headers) {
        Ok(httparse::Status::Partial) if received.len() < max_header_bytes => Received::Partial,
        Ok(httparse::Status::Complete(length)) if length <= max_header_bytes => {
            let has_body = request.headers.iter().any(|header| {
                let name = header.name.as_bytes();
                [&b"content-length"[..], b"transfer-encoding", b"upgrade"].iter().any(|known| name.eq_ignore_ascii_case(known))
            });
            if has_body {
                return Received::Rest;
            }
            match (request.method, request.version, request.path) {
                (Some(method @ ("GET" | "HEAD")), Some(1), Some(target)) => {
                    Received::Request(RequestHead { is_head: method == "HEAD", target, headers: request.headers }, length)
                }
                _ => Received::Other(length),
            }
        }
        Ok(_) | Err(_) => Received::Rest,
    }
}
