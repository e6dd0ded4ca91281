//! Request ids, by which a client, a proxy in front of the service and the log refer to the same request.

use std::process;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use axum::http::HeaderValue;

/// The longest id that is accepted from a client, in bytes.
const LONGEST: usize = 64;

/// The id that the client gave the request if it is safe to log, otherwise a new one.
pub(crate) fn request_id(given: Option<&HeaderValue>) -> HeaderValue {
    given.filter(|id| is_safe(id.as_bytes())).cloned().unwrap_or_else(generate)
}

fn is_safe(id: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=LONGEST).contains(&id.len()) && id.iter().all(plain)
}

/// A new id: a hash that differs between runs of the service, and a number. It can be guessed.
fn generate() -> HeaderValue {
    static RUN: LazyLock<u32> = LazyLock::new(|| {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        // The time distinguishes the runs on a machine, and the process id the services that start at the same time.
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
    fn the_id_of_a_client_is_kept_if_it_is_short_and_plain() {
        let longest = "x".repeat(LONGEST);
        for id in ["a", "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "A.b_C-9", &longest] {
            assert_eq!(of(id.as_bytes()), id);
        }
        let too_long = "x".repeat(LONGEST + 1);
        for id in ["", "a b", "a;b", "a\tb", "ä", "\"", &too_long] {
            let made = of(id.as_bytes());
            assert!(made != id && is_safe(made.as_bytes()), "{id:?}: {made}");
        }
    }

    #[test]
    fn generated_ids_are_unique() {
        let made: std::collections::HashSet<String> = (0..1000).map(|_| generate().to_str().unwrap().to_owned()).collect();
        assert_eq!(made.len(), 1000);
    }
}
