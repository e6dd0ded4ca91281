//! Request heads that arrive in pieces of any size.

use media_cache_requests::{HeadScanner, RefusedHead};

use crate::input::Input;

/// A valid request.
const ACCEPTED: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/// The input: a byte with the size of the pieces, and the bytes that a client sends.
pub fn request_head(data: &[u8]) {
    let mut input = Input::new(data);
    let piece = usize::from(input.byte()).max(1);
    let sent = input.rest();
    let whole = scan([sent]);
    let in_pieces = scan(sent.chunks(piece));
    let which = |refused: &Option<RefusedHead>| refused.clone().map(|refused| (refused.number, refused.reason));
    assert_eq!(which(&whole), which(&in_pieces), "in pieces of {piece} bytes");
    let Some(refused) = whole else { return };
    assert!(refused.before <= sent.len() && refused.number <= refused.before as u64);
    assert_eq!(scan([&sent[..refused.before]]), None, "the requests before it are accepted");
    let later = scan([&[ACCEPTED, sent].concat()[..]]).map(|later| (later.number, later.before, later.reason));
    assert_eq!(later, Some((refused.number + 1, refused.before + ACCEPTED.len(), refused.reason)), "after another request");
}

fn scan<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Option<RefusedHead> {
    let mut scanner = HeadScanner::default();
    pieces.into_iter().find_map(|piece| scanner.read(piece).err())
}
