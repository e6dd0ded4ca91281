//! Whether the component can be called and can store media, from the host's point of view. The driver thread, its watchdog and the
//! directory watch write this. Requests read it without involving the driver.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

use crate::media::Degradation;

/// Why the cache component cannot be called, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// The reason, as a phrase for error messages.
    pub reason: String,
    /// When the outage began.
    pub since: SystemTime,
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl From<Outage> for Degradation {
    fn from(Outage { reason, since }: Outage) -> Self {
        Self { reason, since: milliseconds(since) }
    }
}

/// A time in milliseconds since 1970.
fn milliseconds(time: SystemTime) -> u64 {
    let elapsed = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

/// Problems on the host's side. Several can exist at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The driver thread does not respond.
    Unresponsive,
    /// There is no instance of the component.
    Down,
    /// The directory is gone or not writable. The component still serves requests.
    Directory,
}

/// The current problems.
pub(crate) struct Availability {
    troubles: Mutex<[Option<Outage>; 3]>,
    /// The first problem that prevents calls to the component.
    outage: watch::Sender<Option<Outage>>,
}

impl Default for Availability {
    fn default() -> Self {
        Self { troubles: Mutex::default(), outage: watch::Sender::new(None) }
    }
}

impl Availability {
    /// Records a problem. If it is already recorded, keeps its start time and replaces its reason.
    pub fn begin(&self, trouble: Trouble, reason: impl Into<String>) {
        let mut troubles = self.lock();
        let slot = &mut troubles[trouble as usize];
        let since = slot.as_ref().map_or_else(SystemTime::now, |outage| outage.since);
        *slot = Some(Outage { reason: reason.into(), since });
        self.publish(&troubles);
    }

    /// Clears a problem, if it is recorded.
    pub fn end(&self, trouble: Trouble) {
        let mut troubles = self.lock();
        if troubles[trouble as usize].take().is_some() {
            self.publish(&troubles);
        }
    }

    /// Why the component cannot be called, if it cannot.
    pub fn outage(&self) -> Option<Outage> {
        self.outage.borrow().clone()
    }

    /// Waits until the component cannot be called, and returns the reason.
    pub async fn next_outage(&self) -> Outage {
        let mut outages = self.outage.subscribe();
        loop {
            if let Some(outage) = outages.borrow_and_update().clone() {
                return outage;
            }
            // Cannot fail, since the sender is in `self`.
            let _ = outages.changed().await;
        }
    }

    /// Waits until the driver thread stops responding, and returns the reason.
    pub async fn next_silence(&self) -> Outage {
        let mut outages = self.outage.subscribe();
        loop {
            outages.mark_unchanged();
            if let Some(outage) = self.lock()[Trouble::Unresponsive as usize].clone() {
                return outage;
            }
            let _ = outages.changed().await;
        }
    }

    /// The problem with the directory, if there is one.
    pub fn directory_trouble(&self) -> Option<Outage> {
        self.lock()[Trouble::Directory as usize].clone()
    }

    fn publish(&self, troubles: &[Option<Outage>; 3]) {
        let [unresponsive, down, directory] = troubles;
        // An instance cannot start without its directory, so a problem with the directory is the actual reason.
        let down = down.as_ref().map(|down| Outage { reason: directory.as_ref().unwrap_or(down).reason.clone(), ..down.clone() });
        let outage = unresponsive.clone().or(down);
        self.outage.send_if_modified(|current| {
            let is_new = *current != outage;
            *current = outage;
            is_new
        });
    }

    fn lock(&self) -> MutexGuard<'_, [Option<Outage>; 3]> {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn outage_lasts_until_all_of_its_causes_have_ended() {
        let availability = Availability::default();
        availability.begin(Trouble::Directory, "gone");
        assert_eq!(availability.outage(), None, "the component can be called");
        availability.begin(Trouble::Down, "down");
        availability.begin(Trouble::Unresponsive, "silent");
        assert_eq!(availability.next_outage().await.reason, "silent");
        assert_eq!(availability.next_silence().await.reason, "silent");
        availability.end(Trouble::Unresponsive);
        assert_eq!(availability.outage().unwrap().reason, "gone", "the directory is the reason for the outage");
        availability.end(Trouble::Directory);
        assert_eq!(availability.outage().unwrap().reason, "down");
        availability.begin(Trouble::Directory, "gone");
        assert!(futures::FutureExt::now_or_never(availability.next_silence()).is_none());
        availability.end(Trouble::Down);
        assert_eq!((availability.outage(), availability.directory_trouble().unwrap().reason.as_str()), (None, "gone"));
    }

    #[test]
    fn outage_keeps_its_start_time_and_shows_the_latest_reason() {
        let availability = Availability::default();
        availability.begin(Trouble::Down, "first");
        let first = availability.outage().unwrap();
        availability.begin(Trouble::Down, "second");
        assert_eq!(availability.outage(), Some(Outage { reason: "second".into(), ..first }));
    }
}
