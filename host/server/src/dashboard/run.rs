//! Takes the samples of the dashboard while the service runs.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::dashboard::history::RECENT;
use crate::service::Service;

impl Service {
    /// Keeps the history of the dashboard until `stop` becomes true or its sender is dropped, and then ends the streams of events. A sample
    /// every five seconds takes a few reads of counters.
    pub async fn run_dashboard(self, mut stop: watch::Receiver<bool>) {
        let mut ticks = interval(Duration::from_secs(RECENT.0));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let dashboard = self.dashboard();
        loop {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                _ = ticks.tick() => {}
            }
            dashboard.sample(self.metrics().requests().media());
            if let Some(cache) = self.loaded_cache() {
                dashboard.observe_policy(&cache.policy(), None);
            }
        }
        dashboard.stop();
    }
}
