//! The `Date` header of responses, formatted once a second.

use std::cell::Cell;
use std::time::{Duration, SystemTime};

/// The length of a date (RFC 9110, section 5.6.7).
const LENGTH: usize = 29;

/// Writes a time as an HTTP date.
pub(crate) fn write_date(now: SystemTime, to: &mut Vec<u8>) {
    thread_local! {
        static LAST: Cell<(u64, [u8; LENGTH])> = const { Cell::new((u64::MAX, [b' '; LENGTH])) };
    }
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let (mut second, mut date) = LAST.get();
    if second != seconds {
        let text = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        if let Ok(formatted) = text.as_bytes().try_into() {
            (second, date) = (seconds, formatted);
            LAST.set((second, date));
        }
    }
    to.extend_from_slice(&date);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_follows_the_time() {
        for (seconds, expected) in [
            (1_700_000_000, "Tue, 14 Nov 2023 22:13:20 GMT"),
            (1_700_000_000, "Tue, 14 Nov 2023 22:13:20 GMT"),
            (1_700_000_001, "Tue, 14 Nov 2023 22:13:21 GMT"),
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        ] {
            let mut written = Vec::new();
            write_date(SystemTime::UNIX_EPOCH + Duration::from_millis(seconds * 1000 + 999), &mut written);
            assert_eq!(written, expected.as_bytes());
        }
    }
}
