//! The origin: it serves media of any size under any name, and counts requests.
//!
//! `GET /SIZE/NAME` returns SIZE bytes that differ from name to name and are the same each time, and `GET /count` returns the number of all
//! other requests so far. Connections are kept open or closed as the request demands.

use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;

use crate::epoll::{Respond, Response};

/// The largest media, in bytes.
pub const MAX_SIZE: usize = 64 << 20;
/// The signature of PNG images, which caches may check.
const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// The origin of all media.
pub struct Origin {
    /// Random bytes. Each body is a slice of them.
    noise: Bytes,
    requests: u64,
}

impl Origin {
    /// An origin whose count is 0.
    pub fn new() -> Self {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut noise = Vec::with_capacity(MAX_SIZE);
        while noise.len() < MAX_SIZE {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            noise.extend_from_slice(&state.to_le_bytes());
        }
        Self { noise: noise.into(), requests: 0 }
    }

    fn media(&self, target: &str, size: usize, close: bool) -> Response {
        let mut hasher = DefaultHasher::new();
        target.hash(&mut hasher);
        let name = hasher.finish();
        let mut stamp = [SIGNATURE, &name.to_le_bytes()].concat();
        stamp.truncate(size);
        let length = size - stamp.len();
        let start = usize::try_from(name % 4096).unwrap_or(0).min(MAX_SIZE - length);
        let mut head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: {size}\r\nCache-Control: public, max-age=86400\r\n\
             ETag: \"{name:016x}\"\r\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n{}\r\n",
            connection(close)
        )
        .into_bytes();
        head.extend_from_slice(&stamp);
        Response { head: head.into(), body: self.noise.slice(start..start + length), close }
    }
}

impl Respond for Origin {
    fn respond(&mut self, head: &[u8]) -> Response {
        let head = String::from_utf8_lossy(head);
        let mut lines = head.lines();
        let mut words = lines.next().unwrap_or_default().split(' ');
        let (target, version) = (words.nth(1).unwrap_or_default(), words.next().unwrap_or_default());
        let said = |token: &str| head.lines().skip(1).any(|line| is_connection(line, token));
        let close = said("close") || (version == "HTTP/1.0" && !said("keep-alive"));
        if target == "/count" {
            return text("200 OK", &self.requests.to_string(), close);
        }
        self.requests += 1;
        let size = target.split('/').nth(1).and_then(|size| size.parse().ok()).filter(|size| *size <= MAX_SIZE);
        match size {
            Some(size) => self.media(target, size, close),
            None => text("404 Not Found", "no such media", close),
        }
    }
}

/// Whether a line is a `Connection` header with this token.
fn is_connection(line: &str, token: &str) -> bool {
    let Some((name, value)) = line.split_once(':') else { return false };
    name.eq_ignore_ascii_case("connection") && value.split(',').any(|word| word.trim().eq_ignore_ascii_case(token))
}

fn connection(close: bool) -> &'static str {
    if close { "Connection: close\r\n" } else { "Connection: keep-alive\r\n" }
}

fn text(status: &str, body: &str, close: bool) -> Response {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n{}\r\n", connection(close));
    Response { head: head.into(), body: body.to_owned().into(), close }
}
