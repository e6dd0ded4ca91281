//! Scans request heads before hyper does, and rejects requests that hyper would accept or misreport. hyper ignores a fragment in the
//! request target, and a `Content-Length` in addition to chunked encoding. It reports a length near 2^64 as a head that is too large.
//!
//! The scanner finds the end of each head, and skips bodies of known length. After the head of a chunked request, it stops scanning,
//! because the connection is closed after the response. All other errors are left to hyper, which reads the same bytes.

use http::StatusCode;

use crate::invalid_request::InvalidRequest;

/// How many bytes of a header line are kept: more than any valid `Content-Length` needs.
const MAX_LINE: usize = 256;

/// The largest length that hyper accepts.
const MAX_LENGTH: u64 = u64::MAX - 2;

/// Scans the bytes that a client sends on one connection.
#[derive(Debug, Default)]
pub struct HeadScanner {
    state: State,
    /// The beginning of the current line.
    line: Vec<u8>,
    body: Body,
    /// The number of complete heads.
    heads: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    RequestLine,
    Headers,
    /// In a body, with this many bytes left.
    Body(u64),
    /// Scanning has stopped.
    Blind,
}

/// The body, according to the headers so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Body {
    #[default]
    None,
    Length(u64),
    Chunked,
    /// A body that hyper will refuse.
    Invalid,
}

/// A request that is refused before hyper reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedHead {
    /// The index of the request on the connection, from 0.
    pub number: u64,
    /// The number of bytes that belong to earlier requests.
    pub before: usize,
    /// The reason for the refusal.
    pub reason: InvalidRequest,
}

impl HeadScanner {
    /// Scans the next bytes of the connection.
    ///
    /// # Errors
    /// If a request that must be refused begins or continues in these bytes. After an error, this must not be called again.
    pub fn read(&mut self, bytes: &[u8]) -> Result<(), RefusedHead> {
        let (mut at, mut head) = (0, 0);
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            match self.state {
                State::Blind => return Ok(()),
                State::Body(left) => {
                    let skipped = left.min(rest.len() as u64);
                    self.state = if skipped == left { State::RequestLine } else { State::Body(left - skipped) };
                    at += skipped as usize;
                    head = at;
                }
                State::RequestLine | State::Headers => {
                    let end = memchr::memchr(b'\n', rest);
                    let part = &rest[..end.unwrap_or(rest.len())];
                    let kept = part.len().min(MAX_LINE + 1 - self.line.len());
                    self.line.extend_from_slice(&part[..kept]);
                    let number = self.heads;
                    let refuse = |reason| RefusedHead { number, before: head, reason };
                    if self.state == State::RequestLine && memchr::memchr(b'#', part).is_some() {
                        return Err(refuse(fragment()));
                    }
                    at += part.len() + usize::from(end.is_some());
                    if end.is_some() {
                        self.end_line().map_err(refuse)?;
                        if self.state == State::RequestLine {
                            head = at;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Handles the end of a line.
    fn end_line(&mut self) -> Result<(), InvalidRequest> {
        let mut line = std::mem::take(&mut self.line);
        let text = line.strip_suffix(b"\r").unwrap_or(&line);
        match self.state {
            // Blank lines may precede a request.
            State::RequestLine if !text.is_empty() => self.state = State::Headers,
            State::Headers if text.is_empty() => {
                self.heads += 1;
                self.state = match std::mem::take(&mut self.body) {
                    Body::None | Body::Length(0) => State::RequestLine,
                    Body::Length(length) => State::Body(length),
                    Body::Chunked | Body::Invalid => State::Blind,
                };
            }
            State::Headers => self.read_header(text)?,
            _ => {}
        }
        line.clear();
        self.line = line;
        Ok(())
    }

    fn read_header(&mut self, line: &[u8]) -> Result<(), InvalidRequest> {
        let Some(colon) = memchr::memchr(b':', line) else { return Ok(()) };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        let (had, has) = (self.body, Self::announced(name, value, line.len() <= MAX_LINE)?);
        self.body = match (had, has) {
            (Body::Chunked, Body::Length(_)) | (Body::Length(_), Body::Chunked) => return Err(two_ends()),
            (_, Body::None) | (Body::Chunked | Body::Invalid, _) => had,
            _ => has,
        };
        Ok(())
    }

    /// The body that a header declares.
    fn announced(name: &[u8], value: &[u8], is_whole: bool) -> Result<Body, InvalidRequest> {
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            return Ok(Body::Chunked);
        }
        if !name.eq_ignore_ascii_case(b"content-length") {
            return Ok(Body::None);
        }
        if !is_whole {
            return Err(unreadable());
        }
        let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let length = std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok());
        match length {
            _ if !is_number => Ok(Body::Invalid),
            Some(length) if length <= MAX_LENGTH => Ok(Body::Length(length)),
            _ => Err(too_long()),
        }
    }
}

fn fragment() -> InvalidRequest {
    InvalidRequest::bad_request("the request target contains a fragment (#), which HTTP does not allow; percent-encode # as %23")
}

fn two_ends() -> InvalidRequest {
    InvalidRequest::bad_request("the request has both a Content-Length and a Transfer-Encoding; send only one of them")
}

fn unreadable() -> InvalidRequest {
    InvalidRequest::bad_request("the Content-Length header of the request is too long; send the number without padding")
}

fn too_long() -> InvalidRequest {
    let detail = "the body is larger than anything that can be stored".to_owned();
    InvalidRequest { status: StatusCode::PAYLOAD_TOO_LARGE, code: "too-large", detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scans `bytes` in pieces of `size` bytes. Returns the index of the refused request, the number of bytes before it, and the error
    /// code.
    fn refused(bytes: &[u8], size: usize) -> Option<(u64, usize, &'static str)> {
        let mut scanner = HeadScanner::default();
        for (index, piece) in bytes.chunks(size).enumerate() {
            if let Err(refused) = scanner.read(piece) {
                return Some((refused.number, index * size + refused.before, refused.reason.code));
            }
        }
        None
    }

    /// Scans `text` in one piece, and checks that splitting it changes only the number of bytes that are left for hyper.
    fn verdict(text: &str) -> Option<(u64, usize, &'static str)> {
        let whole = refused(text.as_bytes(), text.len());
        let which = |refused: Option<(u64, usize, &'static str)>| refused.map(|(number, _, code)| (number, code));
        for size in 1..text.len() {
            assert_eq!(which(refused(text.as_bytes(), size)), which(whole), "{text:?} by {size}");
        }
        whole
    }

    #[test]
    fn requests_without_a_fragment_are_accepted() {
        for text in [
            "GET /a HTTP/1.1\r\nHost: x\r\nReferer: http://x/#y\r\n\r\n",
            "\r\n\r\nGET /a HTTP/1.1\nX: #\n\nGET /b HTTP/1.1\n\n",
            "PUT /a HTTP/1.1\r\nContent-Length: 5\r\n\r\n#a#b#GET /a HTTP/1.1\r\n\r\n",
            "PUT /a HTTP/1.1\r\ncontent-length:  005 \r\n\r\n#a#b#GET /a HTTP/1.1\r\n\r\n",
            "PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n#\r\n0\r\n\r\nGET /a#b HTTP/1.1\r\n\r\n",
            "PUT /a HTTP/1.1\r\nContent-Length: x\r\n\r\n#",
            "PUT /a HTTP/1.1\r\nContent-Length: 18446744073709551613\r\n\r\n#",
        ] {
            assert_eq!(verdict(text), None, "{text:?}");
        }
    }

    #[test]
    fn fragment_is_refused_in_any_request_of_a_pipeline() {
        let first = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
        let put = "PUT /a HTTP/1.1\r\nContent-Length: 5\r\n\r\n#a#b#";
        for (number, before) in ["", first, &[first, put].concat(), &[first, put, first].concat()].into_iter().enumerate() {
            let text = format!("{before}GET /media?url=x#y HTTP/1.1\r\n");
            assert_eq!(verdict(&text), Some((number as u64, before.len(), "bad-request")), "{text:?}");
        }
    }

    #[test]
    fn content_length_with_chunked_coding_is_refused() {
        for headers in
            ["Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "transfer-encoding: x\r\nX: y\r\ncontent-length: 0\r\n"]
        {
            let text = format!("PUT /a HTTP/1.1\r\n{headers}\r\n");
            assert_eq!(verdict(&text), Some((0, 0, "bad-request")), "{headers}");
        }
    }

    #[test]
    fn content_length_near_the_largest_integer_is_too_large() {
        for length in ["18446744073709551614", "18446744073709551615", "18446744073709551616", "99999999999999999999999999"] {
            let text = format!("PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
            assert_eq!(verdict(&text), Some((0, 0, "too-large")), "{length}");
        }
        for padding in ["0", " "] {
            let text = format!("PUT /a HTTP/1.1\r\nContent-Length: {}5\r\n\r\nGET /#", padding.repeat(MAX_LINE));
            assert_eq!(verdict(&text), Some((0, 0, "bad-request")), "hyper would accept a longer header than the scanner");
        }
    }
}
