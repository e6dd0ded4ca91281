//! Has the component append to its index log, while requests arrive.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use wasmtime::component::{Accessor, AccessorTask};

use crate::cache::describe;
use crate::driver_slices::Work;
use crate::host_state::HostState;
use crate::instance::Instance;

/// How often the index log is appended to, while requests arrive.
const CHECKPOINT: Duration = Duration::from_millis(500);

/// Without requests, it is every so many times. That finds out whether a disk that failed works again.
const IDLE_CHECKPOINTS: u32 = 10;

/// When the index log is appended to.
pub(crate) struct Checkpoints {
    instance: Arc<Instance>,
    interval: tokio::time::Interval,
    /// Whether a request has arrived since the last time.
    pub requested: bool,
    /// How often none had.
    idle: u32,
    in_progress: Arc<AtomicBool>,
}

impl Checkpoints {
    pub fn new(instance: Arc<Instance>) -> Self {
        let mut interval = tokio::time::interval(CHECKPOINT);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        Self { instance, interval, requested: false, idle: 0, in_progress: Arc::default() }
    }

    /// Waits until it is time.
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

/// Appends to the index log. Whether that fails is part of the health of the cache.
struct CheckpointTask {
    instance: Arc<Instance>,
    in_progress: Arc<AtomicBool>,
}

impl AccessorTask<HostState> for CheckpointTask {
    async fn run(self, accessor: &Accessor<HostState>) -> wasmtime::Result<()> {
        let _checkpoint = self.instance.slices.during(Work::Checkpoint);
        let saved = self.instance.guest().call_checkpoint(accessor, self.instance.cache).await?;
        if let Err(error) = saved {
            tracing::debug!("the index log cannot be written: {}", describe(&error));
        }
        self.in_progress.store(false, Ordering::Relaxed);
        Ok(())
    }
}
