//! What a request is called, so that a client, a proxy before this service and its log can speak of the same one.

use std::process;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use axum::http::HeaderValue;

/// The longest id that is taken from a client, in bytes.
const LONGEST: usize = 64;

/// The id that the client gave the request, if it is one that can stand in a log, or else a new one.
pub(super) fn request_id(given: Option<&HeaderValue>) -> HeaderValue {
    given.filter(|id| is_sane(id.as_bytes())).cloned().unwrap_or_else(make)
}

fn is_sane(id: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=LONGEST).contains(&id.len()) && id.iter().all(plain)
}

/// A new id: a number, and before it what tells one run of the service from the next. Anybody can guess it.
fn make() -> HeaderValue {
    static RUN: LazyLock<u32> = LazyLock::new(|| {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        // The lower half changes from one start to the next, and the process from one machine's service to another.
        (since.as_micros() as u32) ^ process::id().rotate_left(16)
    });
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let id = format!("{:08x}-{:x}", *RUN, NEXT.fetch_add(1, Ordering::Relaxed));
    HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(given: &[u8]) -> String {
        request_id(HeaderValue::from_bytes(given).ok().as_ref()).to_str().unwrap().to_owned()
    }

    #[test]
    fn the_id_of_a_client_is_kept_where_it_is_short_and_plain() {
        let longest = "x".repeat(LONGEST);
        for id in ["a", "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "A.b_C-9", &longest] {
            assert_eq!(of(id.as_bytes()), id);
        }
        let too_long = "x".repeat(LONGEST + 1);
        for id in ["", "a b", "a;b", "a\tb", "ä", "\"", &too_long] {
            let made = of(id.as_bytes());
            assert!(made != id && is_sane(made.as_bytes()), "{id:?}: {made}");
        }
    }

    #[test]
    fn no_two_that_are_made_are_the_same() {
        let made: std::collections::HashSet<String> = (0..1000).map(|_| make().to_str().unwrap().to_owned()).collect();
        assert_eq!(made.len(), 1000);
    }
}
