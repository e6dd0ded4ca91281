//! The sizes of batches of spans and of their queue.

use std::time::Duration;

use opentelemetry_sdk::trace::{BatchConfig, BatchConfigBuilder};

use crate::traces::endpoint::number;

/// The largest queue. The SDK allocates it at the start.
const MAX_QUEUE: u64 = 1 << 16;

/// The longest delay, in milliseconds.
const MAX_DELAY: u64 = 24 * 60 * 60 * 1000;

/// How spans are batched.
pub struct Batches {
    /// The maximum number of spans that wait to be sent or are being sent.
    pub queue: usize,
    size: usize,
    delay: Duration,
}

impl Batches {
    /// The values in the environment. The defaults are those of the SDK.
    ///
    /// # Errors
    /// Returns an error with a message for the user.
    pub fn configured() -> anyhow::Result<Self> {
        Ok(Self {
            queue: number("OTEL_BSP_MAX_QUEUE_SIZE", MAX_QUEUE)?.unwrap_or(2048) as usize,
            size: number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", MAX_QUEUE)?.unwrap_or(512) as usize,
            delay: Duration::from_millis(number("OTEL_BSP_SCHEDULE_DELAY", MAX_DELAY)?.unwrap_or(5000)),
        })
    }

    /// The configuration of the SDK.
    pub fn config(&self) -> BatchConfig {
        let builder = BatchConfigBuilder::default().with_max_queue_size(self.queue).with_scheduled_delay(self.delay);
        builder.with_max_export_batch_size(self.size.min(self.queue)).build()
    }
}
