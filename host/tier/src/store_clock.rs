//! The clock of a store.

use std::sync::Mutex;

use tokio::time::Instant;

/// How far the store's clock is ahead, in seconds, and when that was determined.
#[derive(Default)]
pub(crate) struct StoreClock(pub Mutex<Option<(Instant, f64)>>);
