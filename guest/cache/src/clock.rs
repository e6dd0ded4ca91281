//! The host's clocks.

use crate::bindings::wasi::clocks::{monotonic_clock, system_clock};

/// Milliseconds since 1970.
#[must_use]
pub fn now() -> u64 {
    let now = system_clock::now();
    u64::try_from(now.seconds).unwrap_or(0) * 1000 + u64::from(now.nanoseconds / 1_000_000)
}

/// The time of a monotonic clock, in nanoseconds.
#[must_use]
pub fn ticks() -> u64 {
    monotonic_clock::now()
}

/// Waits for this many nanoseconds.
pub async fn wait(nanoseconds: u64) {
    monotonic_clock::wait_for(nanoseconds).await;
}
