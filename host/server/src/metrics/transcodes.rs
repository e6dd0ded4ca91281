//! Metrics of transcoding: the number of bodies, the outcome and duration, and the bytes read and written.

use std::time::Instant;

use media_cache::{Original, TranscodeError, Transcoded, Transcoder};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::metrics::durations::{Durations, TRANSCODES};
use crate::metrics::in_progress::InProgress;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Ended {
    outcome: &'static str,
}

pub(crate) struct Transcodes {
    time: Family<Ended, Durations>,
    read: Counter,
    written: Counter,
    in_progress: Gauge,
}

impl Transcodes {
    pub fn register(registry: &mut Registry) -> Self {
        let transcodes = Self {
            time: Family::new_with_constructor(|| Durations::new(TRANSCODES)),
            read: Counter::default(),
            written: Counter::default(),
            in_progress: Gauge::default(),
        };
        let help = "Duration of transcoding, by outcome";
        registry.register("transcode_seconds", help, transcodes.time.clone());
        registry.register("transcode_input_bytes", "Bytes of media passed to the transcoder", transcodes.read.clone());
        registry.register("transcode_output_bytes", "Bytes that the transcoder returned", transcodes.written.clone());
        registry.register("transcodes_in_progress", "Transcoding jobs in progress", transcodes.in_progress.clone());
        transcodes
    }

    /// Transcodes a body, and records the outcome.
    pub async fn measure(
        &self,
        transcoder: &(impl Transcoder + ?Sized),
        original: Original<'_>,
    ) -> Result<Transcoded, TranscodeError> {
        let _in_progress = InProgress::new(&self.in_progress);
        self.read.inc_by(original.body.len());
        let begun = Instant::now();
        let transcoded = transcoder.transcode(original).await;
        let outcome = match &transcoded {
            Ok(Transcoded::Converted(conversion)) => {
                self.written.inc_by(conversion.body.len());
                "success"
            }
            Ok(Transcoded::Keep) => "kept",
            Err(error) => error.name,
        };
        self.time.get_or_create(&Ended { outcome }).observe(begun.elapsed());
        transcoded
    }
}
