//! Requests over HTTP: how many, how they ended, how long they took to begin, and how much was sent.

use std::time::Duration;

use axum::http::Method;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::durations::{ANSWERS, Durations};
use crate::media::Source;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With media, or with the word that the client has it already.
    Media(Source),
    /// As it was meant to, and without media.
    Done,
    /// In a problem document with this code.
    Problem(&'static str),
    /// Before there was an answer: the client went away.
    Abandoned,
}

impl Outcome {
    /// What it is called, in metrics and in logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Media(Source::Memory) => "hit-memory",
            Self::Media(Source::Disk) => "hit-disk",
            Self::Media(Source::Origin) => "miss",
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

pub(crate) struct Requests {
    ended: Family<Kind, Counter>,
    first_byte: Family<ByOutcome, Durations>,
    in_progress: Gauge,
    frequent: Frequent,
    sent: [Counter; 3],
}

/// What nearly all requests are, looked up beforehand: a hit then takes no lock.
struct Frequent {
    ended: Counter,
    first_byte: Durations,
}

/// The route of media.
const MEDIA: &str = "/media";

impl Requests {
    pub fn register(registry: &mut Registry) -> Self {
        let ended = Family::<Kind, Counter>::default();
        let first_byte = Family::<ByOutcome, Durations>::new_with_constructor(|| Durations::new(ANSWERS));
        let bytes = Family::<BySource, Counter>::default();
        let in_progress = Gauge::default();
        registry.register("requests", "Requests over HTTP that were answered, or given up by the client", ended.clone());
        registry.register(
            "time_to_first_byte_seconds",
            "Time from the head of a request to the head of its answer",
            first_byte.clone(),
        );
        registry.register("requests_in_progress", "Requests over HTTP that are not answered yet", in_progress.clone());
        registry.register("served_bytes", "Bytes of media sent to clients, by where they were found", bytes.clone());
        let kind = |outcome: Outcome| Kind { route: MEDIA, method: "GET", outcome: outcome.name() };
        // They are there from the start, so that their first increase is seen as one.
        for source in [Source::Memory, Source::Disk, Source::Origin] {
            ended.get_or_create_owned(&kind(Outcome::Media(source)));
        }
        let hit = Outcome::Media(Source::Memory);
        let frequent = Frequent {
            ended: ended.get_or_create_owned(&kind(hit)),
            first_byte: first_byte.get_or_create_owned(&ByOutcome { outcome: hit.name() }),
        };
        let sent = ["memory", "disk", "origin"].map(|source| bytes.get_or_create_owned(&BySource { source }));
        Self { ended, first_byte, in_progress, frequent, sent }
    }

    /// A request has come.
    pub fn begun(&self) {
        self.in_progress.inc();
    }

    /// It has ended, after `time`. `route` is one of a fixed few.
    pub fn ended(&self, route: &'static str, method: &Method, outcome: Outcome, time: Duration) {
        self.in_progress.dec();
        if outcome == Outcome::Media(Source::Memory) && *method == Method::GET && route == MEDIA {
            self.frequent.ended.inc();
            self.frequent.first_byte.observe(time);
            return;
        }
        let outcome = outcome.name();
        self.ended.get_or_create(&Kind { route, method: method_name(method), outcome }).inc();
        self.first_byte.get_or_create(&ByOutcome { outcome }).observe(time);
    }

    /// Where bytes sent are counted.
    pub fn sent(&self, source: Source) -> &Counter {
        let [memory, disk, origin] = &self.sent;
        match source {
            Source::Memory => memory,
            Source::Disk => disk,
            Source::Origin => origin,
        }
    }
}

/// A method that is known. Anybody can make up others.
pub(crate) fn method_name(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "PUT", "DELETE", "POST", "OPTIONS", "PATCH"];
    known.into_iter().find(|name| method.as_str() == *name).unwrap_or("other")
}
