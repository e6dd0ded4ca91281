//! The recent past of the counters, so that a page that is opened now has something to show.
//!
//! The size is fixed: a sample every 5 seconds for 15 minutes, and one every 5 minutes for a day.

use std::collections::VecDeque;
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::metrics::requests::MediaCounts;
use crate::timestamp::seconds;

/// The time between two samples in seconds, and the number of samples, of the last minutes.
pub(crate) const RECENT: (u64, usize) = (5, 180);

/// The same for the last day.
const DAY: (u64, usize) = (300, 288);

/// The counters at one moment. They only increase.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Sample {
    at: SystemTime,
    counts: MediaCounts,
}

/// Samples at two resolutions.
#[derive(Debug)]
pub(crate) struct History {
    recent: VecDeque<Sample>,
    day: VecDeque<Sample>,
}

impl History {
    pub fn new() -> Self {
        // One more sample than intervals.
        Self { recent: VecDeque::with_capacity(RECENT.1 + 1), day: VecDeque::with_capacity(DAY.1 + 1) }
    }

    /// Adds a sample. Samples arrive every 5 seconds; one every 5 minutes is also a sample of the day.
    pub fn add(&mut self, at: SystemTime, counts: MediaCounts) {
        let sample = Sample { at, counts };
        push(&mut self.recent, sample, RECENT.1);
        let due = self.day.back().is_none_or(|last| {
            // A clock that was set back starts a new interval.
            at.duration_since(last.at).map_or(true, |elapsed| elapsed.as_secs() + RECENT.0 / 2 >= DAY.0)
        });
        if due {
            push(&mut self.day, sample, DAY.1);
        }
    }

    /// All samples, the oldest first: the time, then the counts.
    pub fn document(&self) -> Value {
        let rows = |samples: &VecDeque<Sample>| -> Vec<Value> { samples.iter().map(row).collect() };
        json!({
            "columns": ["at", "memory", "disk", "origin", "memory_bytes", "disk_bytes", "origin_bytes"],
            "recent": rows(&self.recent),
            "day": rows(&self.day),
        })
    }

    /// The newest sample of each resolution.
    pub fn newest(&self) -> Value {
        json!({ "recent": self.recent.back().map(row), "day": self.day.back().map(row) })
    }
}

fn push(samples: &mut VecDeque<Sample>, sample: Sample, intervals: usize) {
    if samples.len() > intervals {
        samples.pop_front();
    }
    samples.push_back(sample);
}

fn row(sample: &Sample) -> Value {
    let MediaCounts { requests: [memory, disk, origin], bytes: [memory_bytes, disk_bytes, origin_bytes] } = sample.counts;
    json!([seconds(sample.at), memory, disk, origin, memory_bytes, disk_bytes, origin_bytes])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn counts(requests: u64) -> MediaCounts {
        MediaCounts { requests: [requests, 0, 0], bytes: [0; 3] }
    }

    #[test]
    fn history_is_bounded_and_keeps_the_newest_samples() {
        let mut history = History::new();
        for number in 0..100_000_u64 {
            history.add(SystemTime::UNIX_EPOCH + Duration::from_secs(5 * number), counts(number));
        }
        let document = history.document();
        let (recent, day) = (document["recent"].as_array().unwrap(), document["day"].as_array().unwrap());
        assert_eq!((recent.len(), day.len()), (181, 289));
        assert_eq!(recent[180], json!([499_995.0, 99_999, 0, 0, 0, 0, 0]));
        let gap = |rows: &[Value], at: usize| rows[at][0].as_f64().unwrap() - rows[at - 1][0].as_f64().unwrap();
        assert_eq!((gap(recent, 180), gap(day, 288)), (5.0, 300.0));
        assert_eq!(history.newest()["recent"], recent[180]);
    }

    #[test]
    fn clock_that_was_set_back_does_not_stop_the_samples_of_the_day() {
        let mut history = History::new();
        history.add(SystemTime::UNIX_EPOCH + Duration::from_secs(100_000), counts(1));
        history.add(SystemTime::UNIX_EPOCH + Duration::from_secs(5), counts(2));
        assert_eq!(history.document()["day"].as_array().unwrap().len(), 2);
    }
}
