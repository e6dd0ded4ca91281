//! Makes the component append to its index log while requests arrive.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use wasmtime::component::{Accessor, AccessorTask};

use crate::cache::describe;
use crate::driver_slices::Work;
use crate::host_state::HostState;
use crate::instance::Instance;

/// How often the index log is written while requests arrive.
const CHECKPOINT: Duration = Duration::from_millis(500);

/// Without requests, the log is written only once in this many intervals, to detect when a failed disk works again.
const IDLE_CHECKPOINTS: u32 = 10;

/// Decides when the index log is written.
pub(crate) struct Checkpoints {
    instance: Arc<Instance>,
    interval: tokio::time::Interval,
    /// Whether a request has arrived in the current interval.
    pub requested: bool,
    /// The number of consecutive intervals without requests.
    idle: u32,
    in_progress: Arc<AtomicBool>,
}

impl Checkpoints {
    pub fn new(instance: Arc<Instance>) -> Self {
        let mut interval = tokio::time::interval(CHECKPOINT);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        Self { instance, interval, requested: false, idle: 0, in_progress: Arc::default() }
    }

    /// Waits for the end of the interval.
    pub async fn tick(&mut self) {
        self.interval.tick().await;
    }

    pub fn spawn(&mut self, accessor: &Accessor<HostState>) -> wasmtime::Result<()> {
        self.idle = if std::mem::take(&mut self.requested) { 0 } else { self.idle + 1 };
        if !self.idle.is_multiple_of(IDLE_CHECKPOINTS) || self.in_progress.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        accessor.spawn(CheckpointTask { instance: self.instance.clone(), in_progress: self.in_progress.clone() })?;
        Ok(())
    }
}

/// Appends to the index log. If this fails, the health of the cache shows it.
struct CheckpointTask {
    instance: Arc<Instance>,
    in_progress: Arc<AtomicBool>,
}

impl AccessorTask<HostState> for CheckpointTask {
    async fn run(self, accessor: &Accessor<HostState>) -> wasmtime::Result<()> {
        let _checkpoint = self.instance.slices.during(Work::Checkpoint);
        let saved = self.instance.guest().call_checkpoint(accessor, self.instance.cache).await?;
        if let Err(error) = saved {
            tracing::debug!("cannot write the index log: {}", describe(&error));
        }
        self.in_progress.store(false, Ordering::Relaxed);
        Ok(())
    }
}
