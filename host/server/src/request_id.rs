//! Request ids, by which a client, a proxy in front of the service and the log refer to the same request.

use std::process;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use axum::http::HeaderValue;

/// The maximum length of a generated id, in bytes.
const LONGEST_GENERATED: usize = 8 + 1 + 16;

/// The maximum length of an id from a client, in bytes.
const LONGEST: usize = 64;

/// The client's id for the request if it is safe to log, otherwise a new one.
pub(crate) fn request_id(given: Option<&HeaderValue>) -> HeaderValue {
    given.filter(|id| is_safe(id.as_bytes())).cloned().unwrap_or_else(|| {
        let mut id = Vec::with_capacity(LONGEST_GENERATED);
        generate(&mut id);
        HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("none"))
    })
}

/// Like [`request_id`], but writes the id to `to`.
pub(crate) fn write_request_id(given: Option<&[u8]>, to: &mut Vec<u8>) {
    match given.filter(|id| is_safe(id)) {
        Some(id) => to.extend_from_slice(id),
        None => generate(to),
    }
}

fn is_safe(id: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=LONGEST).contains(&id.len()) && id.iter().all(plain)
}

/// Writes a new id: a hash that differs between runs of the service, and a number. Ids can be guessed.
fn generate(to: &mut Vec<u8>) {
    static RUN: LazyLock<u32> = LazyLock::new(|| {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        // The time distinguishes runs on the same machine, and the process id distinguishes services that start at the same time.
        (since.as_micros() as u32) ^ process::id().rotate_left(16)
    });
    static NEXT: AtomicU64 = AtomicU64::new(1);
    write_hex((*RUN).into(), 8, to);
    to.push(b'-');
    write_hex(NEXT.fetch_add(1, Ordering::Relaxed), 1, to);
}

/// Writes a number in hexadecimal, with at least `least` digits.
fn write_hex(number: u64, least: u32, to: &mut Vec<u8>) {
    let digits = (u64::BITS - number.leading_zeros()).div_ceil(4).max(least);
    to.extend((0..digits).rev().map(|digit| b"0123456789abcdef"[(number >> (4 * digit) & 15) as usize]));
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
        let made: std::collections::HashSet<String> = (0..1000).map(|_| of(b"")).collect();
        assert_eq!(made.len(), 1000);
    }

    #[test]
    fn numbers_are_written_in_hexadecimal() {
        for number in [0, 1, 15, 16, 255, 256, 0x1234_5678, u64::MAX] {
            let (mut short, mut long) = (Vec::new(), Vec::new());
            write_hex(number, 1, &mut short);
            write_hex(number, 8, &mut long);
            assert_eq!((short, long), (format!("{number:x}").into_bytes(), format!("{number:08x}").into_bytes()));
        }
    }
}
