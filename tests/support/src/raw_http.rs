//! Heads of HTTP messages, read byte by byte so that nothing after them is consumed.

use tokio::io::{AsyncRead, AsyncReadExt};

/// Reads the head of a request or response, including the empty line. `None` if the connection ends before that.
pub async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).unwrap())
}

/// The target of a request.
#[must_use]
pub fn request_target(head: &str) -> &str {
    head.split(' ').nth(1).unwrap()
}
