//! Measures how long the driver thread works without checking for new requests, by the work in progress. This bounds how long a newly
//! arrived request waits for other work.
//!
//! The thread checks for requests between any two steps of the component. The time between two checks is a slice. Calls to the component
//! are interleaved, so the host cannot tell to which call a step belongs. A slice therefore counts towards all work in progress, and
//! towards [`Work::Requests`] only if there is no other work.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::histogram::{Histogram, HistogramSnapshot};

/// Upper bounds of the histograms. No slice should take more than 10 ms.
const BOUNDS: &[Duration] = &[
    Duration::from_micros(10),
    Duration::from_micros(100),
    Duration::from_millis(1),
    Duration::from_micros(2500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(5),
];

/// The work of the thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Only requests.
    Requests,
    /// Loading the directory.
    Load,
    /// Appending to the index log, or rewriting it.
    Checkpoint,
    /// Listing entries.
    Listing,
    /// Removing the entries that match a filter.
    Removal,
    /// Commands for the policy, such as seeding a new one.
    Policy,
}

impl Work {
    const ALL: [Self; 6] = [Self::Requests, Self::Load, Self::Checkpoint, Self::Listing, Self::Removal, Self::Policy];

    const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Load => "load",
            Self::Checkpoint => "checkpoint",
            Self::Listing => "listing",
            Self::Removal => "removal",
            Self::Policy => "policy",
        }
    }
}

/// The slices of a driver thread.
pub(crate) struct DriverSlices {
    base: Instant,
    /// When the current slice began, in nanoseconds after `base`.
    began: AtomicU64,
    kinds: [Kind; Work::ALL.len()],
    /// The kinds of work that began in the current slice, one bit each. They may have ended since.
    begun: AtomicU8,
}

struct Kind {
    in_progress: AtomicU32,
    durations: Histogram,
    /// In nanoseconds.
    longest: AtomicU64,
}

/// How long the driver thread works without checking for new requests, during one kind of work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlicesSnapshot {
    /// The kind of work: `requests`, `load`, `checkpoint`, `listing`, `removal` or `policy`.
    pub work: &'static str,
    /// The durations of the slices.
    pub durations: HistogramSnapshot,
    /// The longest slice.
    pub longest: Duration,
}

impl Default for DriverSlices {
    fn default() -> Self {
        let kinds = Work::ALL.map(|_| Kind {
            in_progress: AtomicU32::new(0),
            durations: Histogram::new(BOUNDS),
            longest: AtomicU64::new(0),
        });
        Self { base: Instant::now(), began: AtomicU64::new(0), kinds, begun: AtomicU8::new(0) }
    }
}

impl DriverSlices {
    /// Runs the thread's work. Time that the thread spends waiting does not belong to any slice.
    pub async fn run<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|context| {
            self.began.store(self.now(), Relaxed);
            let poll = future.as_mut().poll(context);
            self.next();
            poll
        })
        .await
    }

    /// Runs the future that checks for requests, as a part of [`run`](Self::run). Each check ends a slice.
    pub async fn look<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|context| {
            self.next();
            future.as_mut().poll(context)
        })
        .await
    }

    /// Notes that some work is in progress until the returned value is dropped.
    pub fn during(&self, work: Work) -> InProgress<'_> {
        self.kinds[work as usize].in_progress.fetch_add(1, Relaxed);
        self.begun.fetch_or(1 << work as u8, Relaxed);
        InProgress { kind: &self.kinds[work as usize] }
    }

    /// The slices of all kinds of work.
    pub fn snapshot(&self) -> Vec<SlicesSnapshot> {
        let kinds = Work::ALL.iter().zip(&self.kinds);
        let snapshot = |(work, kind): (&Work, &Kind)| SlicesSnapshot {
            work: work.name(),
            durations: kind.durations.snapshot(),
            longest: Duration::from_nanos(kind.longest.load(Relaxed)),
        };
        kinds.map(snapshot).collect()
    }

    fn now(&self) -> u64 {
        u64::try_from(self.base.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Ends a slice and begins the next one.
    fn next(&self) {
        let now = self.now();
        let took = now.saturating_sub(self.began.swap(now, Relaxed));
        let begun = self.begun.swap(0, Relaxed);
        let others = Work::ALL.iter().zip(&self.kinds).skip(1);
        let mut busy =
            others.filter(|(work, kind)| begun & 1 << **work as u8 != 0 || kind.in_progress.load(Relaxed) > 0).peekable();
        if busy.peek().is_none() {
            self.kinds[Work::Requests as usize].observe(took);
        }
        busy.for_each(|(_, kind)| kind.observe(took));
    }
}

impl Kind {
    fn observe(&self, nanoseconds: u64) {
        self.durations.observe(Duration::from_nanos(nanoseconds));
        self.longest.fetch_max(nanoseconds, Relaxed);
    }
}

/// Work that is in progress.
pub(crate) struct InProgress<'a> {
    kind: &'a Kind,
}

impl Drop for InProgress<'_> {
    fn drop(&mut self) {
        self.kind.in_progress.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of slices of each kind that took a millisecond or more.
    fn long(slices: &DriverSlices) -> [u64; Work::ALL.len()] {
        let kinds = slices.snapshot();
        let count = |kind: &SlicesSnapshot| {
            let buckets = kind.durations.buckets.iter();
            buckets.filter(|(bound, _)| bound.is_none_or(|bound| bound > Duration::from_millis(1))).map(|(_, count)| count).sum()
        };
        std::array::from_fn(|kind| count(&kinds[kind]))
    }

    fn work_for_a_while() {
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(2) {}
    }

    #[tokio::test]
    async fn slice_counts_towards_all_work_in_progress_or_else_towards_requests() {
        let slices = DriverSlices::default();
        slices
            .run(slices.look(async {
                work_for_a_while();
                tokio::task::yield_now().await;
                assert_eq!(long(&slices), [1, 0, 0, 0, 0, 0]);

                let load = slices.during(Work::Load);
                // This work ends before the slice does.
                drop(slices.during(Work::Policy));
                work_for_a_while();
                tokio::task::yield_now().await;
                assert_eq!(long(&slices), [1, 1, 0, 0, 0, 1]);

                work_for_a_while();
                tokio::task::yield_now().await;
                assert_eq!(long(&slices), [1, 2, 0, 0, 0, 1]);

                drop(load);
                work_for_a_while();
            }))
            .await;
        assert_eq!(long(&slices), [2, 2, 0, 0, 0, 1]);
    }

    #[tokio::test]
    async fn waiting_does_not_count_towards_a_slice() {
        let slices = DriverSlices::default();
        slices.run(slices.look(tokio::time::sleep(Duration::from_millis(5)))).await;
        assert!(slices.snapshot()[0].longest < Duration::from_millis(5));
    }
}
