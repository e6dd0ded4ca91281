//! Metrics of HTTP requests: their number and outcome, the time to the first byte, and the bytes sent.

use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use media_cache::{Histogram, HistogramSnapshot, Source};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::metrics::durations::{Durations, RESPONSES};
use crate::sent_media::{SentCounters, SentMedia};

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The response was media, or 304 because the client already has it.
    Media(Source),
    /// The request succeeded; the response contained no media.
    Done,
    /// The response was a problem document with this code.
    Problem(&'static str),
    /// There was no response, because the client disconnected.
    Abandoned,
}

impl Outcome {
    /// The name of the outcome in metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Media(Source::Memory) => "hit-memory",
            Self::Media(Source::Disk) => "hit-disk",
            Self::Media(Source::Origin) => "miss",
            Self::Media(Source::Copy) => "tier",
            Self::Done => "ok",
            Self::Problem(code) => code,
            Self::Abandoned => "abandoned",
        }
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Kind {
    route: &'static str,
    method: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByOutcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct BySource {
    source: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByReason {
    reason: &'static str,
}

pub(crate) struct Requests {
    ended: Family<Kind, Counter>,
    first_byte: Family<ByOutcome, Durations>,
    in_progress: Gauge,
    in_place: Counter,
    /// For hits in memory, and for hits on disk.
    hits: [Hits; 2],
    misses: Counter,
    tier: Counter,
    sent: [Arc<SentCounters>; 4],
}

/// How often media was requested with GET, and how many of its bytes were sent, from memory, disk, and elsewhere: an origin or a second tier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MediaCounts {
    pub requests: [u64; 3],
    pub bytes: [u64; 3],
}

/// The times to the first byte of media, by its source.
pub(crate) struct FirstBytes {
    pub memory: HistogramSnapshot,
    pub disk: HistogramSnapshot,
    pub misses: HistogramSnapshot,
}

/// The metrics of hits, looked up in advance so that a hit takes no lock.
struct Hits {
    ended: Counter,
    first_byte: Durations,
}

/// The route of nearly all requests.
const MEDIA: &str = "/media";

impl Requests {
    pub fn register(registry: &mut Registry) -> Self {
        let ended = Family::<Kind, Counter>::default();
        let first_byte = Family::<ByOutcome, Durations>::new_with_constructor(|| Durations::new(RESPONSES));
        let bytes = Family::<BySource, Counter>::default();
        let in_progress = Gauge::default();
        registry.register("requests", "HTTP requests that were answered, or abandoned by the client", ended.clone());
        registry.register(
            "time_to_first_byte_seconds",
            "Time from the head of a request to the head of its response",
            first_byte.clone(),
        );
        registry.register("requests_in_progress", "HTTP requests that have not been answered yet", in_progress.clone());
        registry.register("served_bytes", "Bytes of media sent to clients, by source", bytes.clone());
        let incomplete = Family::<ByReason, Counter>::default();
        registry.register("incomplete_responses", "Responses with media that ended early, by reason", incomplete.clone());
        let in_place = Counter::default();
        registry.register(
            "hit_lane_responses",
            "Hits answered by the hit lane, as soon as the head of the request was read",
            in_place.clone(),
        );
        let kind = |outcome: Outcome| Kind { route: MEDIA, method: "GET", outcome: outcome.name() };
        // These series and those of the hits exist from the start, so that their first increase is visible.
        let [misses, tier] = [Source::Origin, Source::Copy].map(|source| ended.get_or_create_owned(&kind(Outcome::Media(source))));
        let hits = [Source::Memory, Source::Disk].map(Outcome::Media).map(|hit| Hits {
            ended: ended.get_or_create_owned(&kind(hit)),
            first_byte: first_byte.get_or_create_owned(&ByOutcome { outcome: hit.name() }),
        });
        let [failed, abandoned] = ["failed", "abandoned"].map(|reason| incomplete.get_or_create_owned(&ByReason { reason }));
        let sent = ["memory", "disk", "origin", "tier"].map(|source| {
            let bytes = bytes.get_or_create_owned(&BySource { source });
            Arc::new(SentCounters { bytes, failed: failed.clone(), abandoned: abandoned.clone() })
        });
        Self { ended, first_byte, in_progress, in_place, hits, misses, tier, sent }
    }

    /// Records that a request has begun.
    pub fn begun(&self) {
        self.in_progress.inc();
    }

    /// Records that a request has ended, after `time`. `route` must be one of a fixed set.
    pub fn ended(&self, route: &'static str, method: &Method, outcome: Outcome, time: Duration) {
        self.in_progress.dec();
        self.count(route, method, outcome, time);
    }

    /// Records that a request for media was answered in place with a hit, after `time`.
    pub fn answered_in_place(&self, method: &Method, source: Source, time: Duration) {
        self.in_place.inc();
        self.count(MEDIA, method, Outcome::Media(source), time);
    }

    fn count(&self, route: &'static str, method: &Method, outcome: Outcome, time: Duration) {
        if let Outcome::Media(source @ (Source::Memory | Source::Disk)) = outcome
            && *method == Method::GET
            && route == MEDIA
        {
            let hits = &self.hits[usize::from(source == Source::Disk)];
            hits.ended.inc();
            hits.first_byte.observe(time);
            return;
        }
        let outcome = outcome.name();
        self.ended.get_or_create(&Kind { route, method: method_name(method), outcome }).inc();
        self.first_byte.get_or_create(&ByOutcome { outcome }).observe(time);
    }

    /// The counts of media.
    pub fn media(&self) -> MediaCounts {
        let [memory, disk] = &self.hits;
        let [from_memory, from_disk, from_origin, from_tier] = self.sent.each_ref().map(|sent| sent.bytes.get());
        MediaCounts {
            requests: [memory.ended.get(), disk.ended.get(), self.misses.get() + self.tier.get()],
            bytes: [from_memory, from_disk, from_origin + from_tier],
        }
    }

    /// The times to the first byte of media.
    pub fn first_bytes(&self) -> FirstBytes {
        let miss = ByOutcome { outcome: Outcome::Media(Source::Origin).name() };
        let misses = self.first_byte.get(&miss).map(|durations| durations.snapshot());
        let [memory, disk] = &self.hits;
        FirstBytes {
            memory: memory.first_byte.snapshot(),
            disk: disk.first_byte.snapshot(),
            misses: misses.unwrap_or_else(|| Histogram::new(RESPONSES).snapshot()),
        }
    }

    /// Counts the media of a response, which comes from this source.
    pub fn send(&self, source: Source) -> SentMedia {
        let [memory, disk, origin, tier] = &self.sent;
        let counters = match source {
            Source::Memory => memory,
            Source::Disk => disk,
            Source::Origin => origin,
            Source::Copy => tier,
        };
        SentMedia::new(counters.clone())
    }
}

/// The name of a known method, otherwise `other`, because clients can invent methods.
pub(crate) fn method_name(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "PUT", "DELETE", "POST", "OPTIONS", "PATCH"];
    known.into_iter().find(|name| method.as_str() == *name).unwrap_or("other")
}
